# SPDX-License-Identifier: GPL-2.0-only
"""Compiles what the guide shows of C, with the headers of the series: its fragments
as one function, since those of its walk through a driver build on each other and the
later chapters on these, and the files that it includes each by itself."""

import pathlib
import re
import subprocess

from build import programs
from build.kernel import environment

GUIDE = "Documentation/userspace-api/vfio-noiommu.rst"
WALK = "Step by step"   # the chapter whose variables the later ones use

HEADERS = ("endian.h", "errno.h", "fcntl.h", "poll.h", "stdbool.h", "stddef.h", "stdint.h",
           "stdio.h", "stdlib.h", "string.h", "unistd.h", "sys/eventfd.h", "sys/ioctl.h",
           "sys/mman.h", "sys/uio.h", "linux/iommufd.h", "linux/pci_regs.h", "linux/vfio.h",
           "linux/dma-heap.h", "vfiodma.h")

# The fragments use little of what they get, and look at no result
FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused",
         "-fsyntax-only")


def results(kernel):
    """[(name, problem)] of the fragments together, and of each file."""
    with programs.building(kernel):
        headers = programs.install_headers(kernel) / "include"
    guide = kernel.tree / GUIDE
    text = guide.read_text()
    flags = (*FLAGS, "-isystem", str(headers), f"-I{kernel.tree}/tools/vfio")
    found = [("guide: fragments of C", compiled(flags, "-xc", "-", source=program(text)))]
    for name in included(text):
        path = (guide.parent / name).resolve()
        found.append((f"guide: {path.name}", compiled(flags, str(path))))
    return found


def compiled(flags, *files, source=None):
    """What the compiler says."""
    done = subprocess.run(["gcc", *flags, *files], input=source, env=environment(),
                          capture_output=True, text=True)
    return done.stderr.strip() or (f"gcc ended with status {done.returncode}"
                                   if done.returncode else "")


def included(text):
    """The files of C that it shows whole."""
    return re.findall(r"^\.\. literalinclude:: (\S+\.c)$", text, re.M)


def program(text):
    """One function of all fragments. What is declared in a chapter other than the walk
    is no other one's."""
    lines = [f"#include <{name}>" for name in HEADERS] + ["int guide(void);", "int guide(void)", "{"]
    for chapter, blocks in by_chapter(text):
        scope = chapter != WALK
        lines += ["{"] * scope
        for number, code in blocks:
            lines += [f'#line {number} "{pathlib.PurePath(GUIDE).name}"', *code]
        lines += ["}"] * scope
    return "\n".join([*lines, "return 0;", "}", ""])


def by_chapter(text):
    """[(title, [(line number, lines)])] of the fragments of C."""
    chapters, title = {}, ""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        if number and re.fullmatch(r"=+", line) and len(line) == len(lines[number - 1]):
            title = lines[number - 1]
        number += 1
        if not opens(line):
            continue
        begin = number
        while number < len(lines) and (not lines[number] or lines[number][0].isspace()):
            number += 1
        block = lines[begin:number]
        if line == ".. code-block:: c" or is_c(block):
            chapters.setdefault(title, []).append((begin + 1, block))
    return list(chapters.items())


def opens(line):
    """Whether a literal block follows."""
    return line == ".. code-block:: c" or (line.endswith("::") and not line.startswith(".."))


def is_c(block):
    """And not what a shell is told or a devicetree has."""
    code = [line.strip() for line in block if line.strip()]
    return (bool(code) and code[0][0] not in "#$" and any(line.endswith(";") for line in code)
            and not re.search(r"= <.*>;", " ".join(code)))
