# SPDX-License-Identifier: GPL-2.0-only
"""sparse: the machine's if it is new enough for the kernel, else built from
Debian's newest source package."""

import os
import shutil
import subprocess
import tempfile

from base import aptsource
from build.kernel import environment
from common.ui import Failure, Progress

# What the kernel's headers use and releases up to 0.6.4 do not know. They cannot be
# told apart by version: the source of the next one still says 0.6.4.
NEEDED = "static __typeof_unqual__(const int) unqualified;\n"


def find(settings):
    """The program."""
    folder = settings.build / "sparse"
    for program in ("sparse", str(folder / "sparse")):
        if understands(program):
            return shutil.which(program)
    build(folder)
    if not understands(str(folder / "sparse")):
        raise Failure("the newest sparse in Debian is too old for this kernel")
    return str(folder / "sparse")


def understands(program):
    if not shutil.which(program):
        return False
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(NEEDED)
        file.flush()
        done = subprocess.run([program, file.name], capture_output=True, text=True)
    return done.returncode == 0 and "error" not in done.stderr


def build(folder):
    fresh = folder.with_name("sparse.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    tarball = aptsource.fetch_source("sparse", fresh)
    log = folder.with_name("sparse.log")
    progress = Progress("build sparse")
    source = fresh / "source"
    source.mkdir()
    make = ["make", f"-j{os.cpu_count()}", "-C", str(source), "sparse", "HAVE_LLVM=no",
            "HAVE_SQLITE=no", "HAVE_LIBXML=no", "HAVE_GTK=no"]
    with open(log, "wb") as file:
        for command in (["tar", "-x", "--strip-components=1", "-C", str(source), "-f",
                         str(tarball)], make):
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                    env=environment()).returncode
            if status:
                raise Failure("cannot build sparse", log)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (source / "sparse").rename(folder / "sparse")
    shutil.rmtree(fresh)
    progress.done()
