# SPDX-License-Identifier: GPL-2.0-only
"""libvfiodma-dev, the Debian package with the library that drivers are written against,
static and shared, and the examples. It is for the architecture of this machine."""

import re
import shutil
import subprocess

from build import programs
from build.kernel import Kernel
from common.lock import exclusive
from common.ui import Failure
from packages import debfile, modsource

NAME = "libvfiodma-dev"
EXAMPLES = ("vfiodma-identify.c", "noiommu-*.c", "example*.[ch]", "nvme*.[ch]", "e1000e.[ch]",
            "dma.h")

CONTROL = """\
Package: {name}
Version: {version}
Section: libdevel
Priority: optional
Architecture: {architecture}
Multi-Arch: same
Maintainer: {maintainer}
Installed-Size: {size}
Depends: libc6 (>= {libc})
Recommends: pkgconf | pkg-config
Suggests: vfio-noiommu-dkms
Description: drivers in userspace, with or without an IOMMU
 A library to open a device through VFIO and iommufd, to map memory for it, and to look up
 without a system call what to program into it. The same calls are good for a device
 behind an IOMMU and, where the kernel has IOMMU_IOAS_GET_PA, for one that has none.
"""


def build(settings, folder):
    """The package, in a folder."""
    version = modsource.version(settings)
    architecture = ask("dpkg", "--print-architecture")
    with exclusive(settings, "libdeb.lock"):
        root = folder / "library"
        shutil.rmtree(root, ignore_errors=True)
        programs.install_library(Kernel(settings, "run"), root,
                                 f"/usr/lib/{ask('gcc', '-print-multiarch')}")
        shutil.rmtree(root / "usr/bin", ignore_errors=True)   # the examples come as source
        examples = root / f"usr/share/doc/{NAME}/examples"
        for file in sources(settings):
            debfile.write(examples / file.name, file.read_text())
        debfile.add_documents(root, NAME, version)
        shared, = root.glob("usr/lib/*/libvfiodma.so.*.*")
        debfile.write(root / "DEBIAN/control", CONTROL.format(
            name=NAME, version=version, architecture=architecture, size=debfile.size(root),
            maintainer=debfile.MAINTAINER, libc=libc_of(ask("objdump", "-T", str(shared)))))
        debfile.write(root / "DEBIAN/triggers", "activate-noawait ldconfig\n")
        return debfile.pack(root, folder / f"{NAME}_{version}_{architecture}.deb",
                            folder / "dpkg-deb-library.log")


def sources(settings):
    return [file for pattern in EXAMPLES
            for file in sorted((settings.source / "tools/vfio").glob(pattern))]


def libc_of(symbols):
    """The oldest version of the C library that has all that is used of it."""
    return max(re.findall(r"\(GLIBC_([\d.]+)\)", symbols),
               key=lambda version: [int(part) for part in version.split(".")])


def ask(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        raise Failure(f"`{' '.join(command)}` says nothing: {done.stderr.strip()}")
    return done.stdout.strip()
