# SPDX-License-Identifier: GPL-2.0-only
"""libvfiodma1 and libvfiodma-dev, the Debian packages of the library that drivers are written
against: the shared one, and what it takes to build with it, the static one and the examples.
They are for the architecture of this machine."""

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
DESCRIPTION = """\
 A library to open a device through VFIO and iommufd, to map memory for it,
 and to look up without a system call what to program into it. The same calls
 are good for a device behind an IOMMU and, where the kernel has
 IOMMU_IOAS_GET_PA, for one that has none.
"""
COMMON = """\
Package: {name}
Source: libvfiodma
Version: {version}
Priority: optional
Architecture: {architecture}
Multi-Arch: same
Maintainer: {maintainer}
Installed-Size: {size}
"""
SHARED = COMMON + """\
Section: libs
Depends: libc6 (>= {libc})
Breaks: libvfiodma-dev (<< {version})
Replaces: libvfiodma-dev (<< {version})
Suggests: vfio-noiommu-dkms
Description: drivers in userspace, with or without an IOMMU
""" + DESCRIPTION
DEVELOPMENT = COMMON + """\
Section: libdevel
Depends: {shared} (= {version})
Recommends: pkgconf | pkg-config
Suggests: vfio-noiommu-dkms
Description: drivers in userspace, with or without an IOMMU (development)
""" + DESCRIPTION + """\
 .
 This has the header, the static library and examples.
"""


def build(settings, folder):
    """The packages, in a folder: the shared library's and the other's."""
    version = modsource.version(settings)
    with exclusive(settings, "libdeb.lock"):
        root, shared_root = folder / "library", folder / "library-shared"
        for path in (root, shared_root):
            shutil.rmtree(path, ignore_errors=True)
        programs.install_library(Kernel(settings, "run"), root,
                                 f"/usr/lib/{ask('gcc', '-print-multiarch')}")
        shutil.rmtree(root / "usr/bin", ignore_errors=True)   # the examples come as source
        shared, = root.glob("usr/lib/*/libvfiodma.so.*.*")
        strip("--strip-unneeded", shared)
        strip("--strip-debug", shared.with_name("libvfiodma.a"))
        shared.chmod(0o644)
        libc = libc_of(ask("objdump", "-T", str(shared)))
        name = split(root, shared_root, version)
        debfile.write(shared_root / "DEBIAN/triggers", "activate-noawait ldconfig\n")
        for file in sources(settings):
            debfile.write(root / f"usr/share/doc/{NAME}/examples/{file.name}", file.read_text())
        return [pack(folder, shared_root, SHARED, version, name=name, libc=libc),
                pack(folder, root, DEVELOPMENT, version, name=NAME, shared=name)]


def strip(option, file):
    """Of symbols that only debuggers need, which also tell where it was built."""
    done = subprocess.run(["strip", "--enable-deterministic-archives", option, str(file)],
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"strip {file.name}: {done.stderr.strip()}")


def split(root, shared_root, version):
    """Moves the shared library. The name of its package."""
    soname, = root.glob("usr/lib/*/libvfiodma.so.[0-9]")
    folder = shared_root / soname.parent.relative_to(root)
    folder.mkdir(parents=True)
    for file in list(soname.parent.glob("libvfiodma.so.*")):
        file.rename(folder / file.name)
    number = soname.name.rpartition(".")[2]
    name = f"libvfiodma{number}"
    debfile.write(shared_root / "DEBIAN/shlibs", f"libvfiodma {number} {name} (>= {version})\n")
    return name


def pack(folder, root, control, version, **values):
    name, architecture = values["name"], ask("dpkg", "--print-architecture")
    debfile.add_documents(root, name, version)
    debfile.write(root / "DEBIAN/control", control.format(
        version=version, architecture=architecture, size=debfile.size(root),
        maintainer=debfile.MAINTAINER, **values))
    return debfile.pack(root, folder / f"{name}_{version}_{architecture}.deb",
                        folder / f"dpkg-deb-{name}.log")


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
