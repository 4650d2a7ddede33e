# SPDX-License-Identifier: GPL-2.0-only
"""Programs of the made tree for the guest, static, built by the tree's own
Makefiles into build/."""

import os
import subprocess

from kernel import environment
from lock import exclusive
from ui import Failure, Progress


def noiommu_nvme(kernel):
    """The userspace NVMe driver."""
    folder = kernel.settings.work / "tools-vfio"
    with exclusive(kernel.settings):
        make(kernel, folder, "tools/vfio", "build noiommu-nvme", f"OUTPUT={folder}/")
    return folder / "noiommu-nvme"


def selftest(kernel, suite, name):
    """One program of tools/testing/selftests/<suite>."""
    folder = kernel.settings.work / "selftests" / suite
    program = folder / name
    with exclusive(kernel.settings):
        headers = install_headers(kernel)
        make(kernel, folder, f"tools/testing/selftests/{suite}", f"build {suite}/{name}",
             f"OUTPUT={folder}", f"KHDR_INCLUDES=-isystem {headers}/include", str(program))
    return program


def install_headers(kernel):
    """The tree's UAPI headers, as userspace sees them."""
    target = kernel.settings.work / "headers"
    tree = kernel.read_stamp()
    stamp = target / "installed-from"
    if not tree or not stamp.exists() or stamp.read_text() != tree:
        run_make(kernel, "headers", "install headers",
                 ["-C", str(kernel.tree), f"O={kernel.out}", "headers_install",
                  f"INSTALL_HDR_PATH={target}"])
        stamp.write_text(tree)
    return target


def make(kernel, folder, source, title, *arguments):
    path = kernel.tree / source
    if not path.is_dir():
        raise Failure(f"the tree has no {source}: no patch of the series brings it")
    folder.mkdir(parents=True, exist_ok=True)
    run_make(kernel, folder.name, title, ["-C", str(path), *arguments])


def run_make(kernel, name, title, arguments):
    # Only the environment lets a Makefile add to LDFLAGS
    env = {**environment(), "LDFLAGS": "-static"}
    log = kernel.settings.work / f"{name}.log"
    progress = Progress(title)
    with open(log, "wb") as file:
        process = subprocess.Popen(["make", f"-j{os.cpu_count()}", *arguments], env=env,
                                   stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        while process.poll() is None:
            progress.update()
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
    progress.clear()
    if process.returncode:
        raise Failure(f"{title} failed", log)
