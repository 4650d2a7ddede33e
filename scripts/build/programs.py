# SPDX-License-Identifier: GPL-2.0-only
"""Programs of the made tree for the guest, static, built by the tree's own
Makefiles into build/."""

import contextlib
import os
import pathlib
import shutil
import subprocess

from build import foreign
from common import step
from common.gitrepo import Repo
from common.lock import exclusive, shared
from common.ui import Failure
from series import tree

PATIENT = pathlib.Path(__file__).resolve().parent / "patient"
TESTS = pathlib.Path(__file__).resolve().parents[2] / "tests"
INSTALLED = set()   # folders of headers that this command has seen to


def built(kernel, name):
    """A folder of what is built for the kernel's architecture."""
    return kernel.settings.work / f"{name}{kernel.arch.suffix}"


@contextlib.contextmanager
def building(kernel):
    """One program at a time, of a tree that stays as it is."""
    with shared(kernel.settings), exclusive(kernel.settings, "programs.lock"):
        yield


def tools_vfio(kernel):
    """The folder of libvfiodma, static and shared, and of its examples."""
    folder = built(kernel, "tools-vfio")
    with building(kernel):
        make(kernel, folder, "tools/vfio", "build libvfiodma", f"OUTPUT={folder}/")
    return folder


def noiommu_nvme(kernel):
    """The userspace NVMe driver."""
    return tools_vfio(kernel) / "noiommu-nvme"


def installed_library(kernel):
    """A fresh install of libvfiodma, by its own rules."""
    prefix = built(kernel, "tools-vfio") / "installed"
    shutil.rmtree(prefix, ignore_errors=True)
    install(kernel, "DESTDIR=", f"prefix={prefix}")
    return prefix


def install_library(kernel, root, libdir):
    """As a package has it, below a folder."""
    install(kernel, f"DESTDIR={root}", "prefix=/usr", f"libdir={libdir}")


def install(kernel, *where):
    library = tools_vfio(kernel)
    with building(kernel):
        make(kernel, library, "tools/vfio", "install libvfiodma", f"OUTPUT={library}/", *where,
             "install")


def tutorial(kernel):
    """What a guest needs to run the first driver of the guide, which is built as its
    reader would: {name: file}."""
    prefix = installed_library(kernel)
    program = prefix / "identify"
    source = kernel.tree / "tools/vfio/vfiodma-identify.c"
    with building(kernel):
        step.run("build the guide's first driver", kernel.settings.work / "tutorial.log",
                 ["sh", "-c", "cc $1 $(pkg-config --cflags --libs vfiodma) -o $2", "sh",
                  str(source), str(program)],
                 env={**kernel.environment(), "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"})
    return {"identify": program, "libvfiodma.so.1": prefix / "lib/libvfiodma.so.1",
            **runtime(program)}


def runtime(program):
    """The loader and libc of this machine, which a program here is linked with."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    words = said.split()
    libc = [word for word in words if word.endswith("/libc.so.6")]
    loader = [word for word in words if "/ld-linux" in word]
    if not libc or not loader:
        raise Failure(f"{program.name} is not linked with a libc: {said.strip()}")
    return {"libc.so.6": libc[0], "loader": loader[0]}


def library_test(kernel):
    """The test of libvfiodma with devices."""
    library = tools_vfio(kernel)
    program = library / "guest-test"
    with building(kernel):
        headers = install_headers(kernel)
    compile_static(kernel, "library-test", program, [TESTS / "vfiodma/guest-test.c"],
                   "-isystem", headers / "include", f"-I{kernel.tree}/tools/vfio", libraries=[library / "libvfiodma.a"])
    return program


def selftest(kernel, suite, name):
    """One program of tools/testing/selftests/<suite>."""
    folder = built(kernel, "selftests") / suite
    program = folder / name
    with building(kernel):
        headers = install_headers(kernel)
        make(kernel, folder, f"tools/testing/selftests/{suite}", f"build {suite}/{name}",
             f"OUTPUT={folder}", f"KHDR_INCLUDES=-isystem {headers}/include", str(program),
             flags=patient_flags(kernel, suite))
    return program


def own_test(kernel, folder, name):
    """One program of tests/<folder>, built against the tree."""
    output = built(kernel, "tests") / folder
    program = output / name
    with building(kernel):
        install_headers(kernel)
        output.mkdir(parents=True, exist_ok=True)
        run_make(kernel, f"tests-{folder}-{name}", f"build tests/{folder}/{name}",
                 ["-C", str(TESTS / folder), *tests_arguments(kernel), f"OUTPUT={output}",
                  str(program)], patient_flags(kernel, folder))
    return program


def tests_arguments(kernel):
    """What make is told in tests/."""
    return [f"TREE={kernel.tree}",
            f"KHDR_INCLUDES=-isystem {built(kernel, 'headers')}/include"]


def patient_flags(kernel, suite):
    """Tests of the harness get more time, for machines that have other work too. Of
    iommu's, those of Linux 6.12 name the header by a path."""
    first = f"-include {PATIENT}/kselftest_harness.h" if suite == "iommu" else f"-iquote {PATIENT}"
    return f"{first} -I{kernel.tree}/tools/testing/selftests"


def compile_static(kernel, title, program, sources, *flags, libraries=()):
    """A program of this project, with what it needs of the tree."""
    more = foreign.flags(kernel.settings, kernel.arch)
    command = [f"{kernel.arch.cross}gcc", "-O2", "-static", "-Wall", "-Wextra", "-D_GNU_SOURCE",
               *more.preprocessor.split(), *flags, "-o", program, *sources, *libraries,
               *more.linker.split(), "-pthread"]
    with building(kernel):
        step.run(f"build {program.name}", kernel.settings.work / f"{title}.log",
                 list(map(str, command)), env=kernel.environment())


def install_headers(kernel):
    """The tree's UAPI headers, as userspace sees them. With new ones, or another
    header of the harness, the selftests are made anew, since not all of their
    Makefiles would notice."""
    target = built(kernel, "headers")
    if target in INSTALLED:
        return target
    content = tree.content(Repo(kernel.tree))
    stamp = target / "installed-from"
    wanted = content and content + (PATIENT / "kselftest_harness.h").read_text()
    if not wanted or not stamp.exists() or stamp.read_text() != wanted:
        with exclusive(kernel.settings, f"{kernel.set.name}.lock"):
            run_make(kernel, target.name, "install headers",
                     ["-C", str(kernel.tree), f"O={kernel.out}", "headers_install",
                      f"INSTALL_HDR_PATH={target}"])
        for name in ("selftests", "tests"):
            shutil.rmtree(built(kernel, name), ignore_errors=True)
        stamp.write_text(wanted)
    INSTALLED.add(target)
    return target


def make(kernel, folder, source, title, *arguments, flags=""):
    path = kernel.tree / source
    if not path.is_dir():
        raise Failure(f"the tree has no {source}: no patch of the series brings it")
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join(folder.relative_to(kernel.settings.work).parts)
    run_make(kernel, name, title, ["-C", str(path), *arguments], flags)


def run_make(kernel, name, title, arguments, flags=""):
    # Only the environment lets a Makefile add to these
    more = foreign.flags(kernel.settings, kernel.arch)
    env = {**kernel.environment(), "LDFLAGS": f"-static {more.linker}".strip(),
           "CPPFLAGS": f"{flags} {more.preprocessor}".strip()}
    step.run(title, kernel.settings.work / f"{name}.log",
             ["make", f"-j{os.cpu_count()}", *arguments], env=env)
