# SPDX-License-Identifier: GPL-2.0-only
"""The program of `make bench`, for the guest."""

import pathlib

from build import programs

SOURCES = pathlib.Path(__file__).parent / "guest"


def compiled(kernel):
    """It is not of the tree, but needs headers that know VFIO's cdev and iommufd, and
    libvfiodma."""
    library = programs.tools_vfio(kernel)
    program = kernel.settings.work / "bench"
    with programs.building(kernel):
        headers = programs.install_headers(kernel)
    programs.compile_static(kernel, "bench-program", program, sorted(SOURCES.glob("*.c")),
                            "-isystem", headers / "include", f"-I{kernel.tree}/tools/vfio",
                            libraries=[library / "libvfiodma.a"])
    return program
