# SPDX-License-Identifier: GPL-2.0-only
"""The program of `make bench`, for the guest."""

import pathlib
import subprocess

from build import programs
from build.kernel import environment
from common.ui import Failure

SOURCES = pathlib.Path(__file__).parent / "guest"


def compiled(kernel):
    """It is not of the tree, but needs headers that know VFIO's cdev and iommufd."""
    sources = sorted(map(str, SOURCES.glob("*.c")))
    program = kernel.settings.work / "bench"
    log = kernel.settings.work / "bench-program.log"
    with programs.building(kernel):
        headers = programs.install_headers(kernel)
        command = ["gcc", "-O2", "-static", "-pthread", "-Wall", "-Wextra", "-D_GNU_SOURCE",
                   "-isystem", str(headers / "include"), "-o", str(program), *sources]
        with open(log, "wb") as file:
            status = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL,
                                    stdout=file, stderr=file).returncode
    if status:
        raise Failure("cannot build the bench program", log)
    return program
