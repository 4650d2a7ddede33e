# SPDX-License-Identifier: GPL-2.0-only
"""vfio-noiommu-dkms, the Debian package with the sources of the modules for every base,
which dkms builds where it is installed. It is for all architectures: the userspace driver
comes as source too."""

import shutil

from base import bases, source, versions
from build import programs
from build.kernel import Kernel
from common.lock import exclusive
from packages import debfile, modsource
from series import series

NAME = "vfio-noiommu-dkms"
DEBIAN = modsource.DKMS / "debian"
HEADERS = ("iommufd.h", "vfio.h")

CONTROL = """\
Package: {name}
Version: {version}
Section: kernel
Priority: optional
Architecture: all
Maintainer: {maintainer}
Installed-Size: {size}
Depends: dkms (>= 3.0), gcc, libc6-dev | libc-dev, make, pahole, patch, python3, xz-utils
Recommends: linux-headers-cloud-amd64 | linux-headers-amd64 | linux-headers-arm64 | linux-headers-generic
Suggests: mokutil
Description: no-IOMMU devices as full citizens of iommufd (DKMS)
 iommufd and VFIO for the kernel that is there, with devices that no IOMMU
 stands behind: their own nodes in /dev/vfio/devices, memory that is pinned,
 and its physical addresses by IOMMU_IOAS_GET_PA. It takes the place of the
 kernel's own modules, which are back when the package is removed.
"""


def build(settings):
    """The package, in build/dkms/."""
    version = modsource.version(settings)
    folder = settings.build / "dkms"
    with exclusive(settings, "dkms.lock"):
        shutil.rmtree(folder, ignore_errors=True)
        root = folder / "root"
        files = root / f"usr/src/vfio-noiommu-{version}"
        modsource.make(files, everything(settings), version)
        debfile.write(files / "dkms.conf", template("dkms.conf", version))
        add_program(settings, files / "noiommu-nvme")
        add_headers(settings, root / "usr/include/vfio-noiommu")
        add_links(root, version)
        debfile.add_manual(root, programs.noiommu_nvme(Kernel(settings, "run")), version,
                           "read or write an NVMe disk from userspace")
        debfile.add_documents(root, NAME, version)
        debfile.write(root / f"usr/share/doc/{NAME}/README.Debian",
                      (DEBIAN / "README").read_text())
        add_control(root, version)
        return debfile.pack(root, folder / f"{NAME}_{version}_all.deb", folder / "dpkg-deb.log")


def everything(settings):
    """All versions of the bases that Debian offers and that take the series."""
    found = []
    for base in bases.stored(settings.top):
        of_base = settings.on(base)
        known = series.of(of_base).range()
        with source.offers(of_base) as offers:
            found.append((of_base, [version for version in offers.versions()
                                    if versions.within(version, known)]))
    return found


def template(name, version):
    return (DEBIAN / name).read_text().replace("@VERSION@", version)


def add_program(settings, folder):
    folder.mkdir()
    for file in (settings.source / "tools/vfio").iterdir():
        if file.suffix in (".c", ".h") or file.name == "Build":
            shutil.copy(file, folder)
    shutil.copy(DEBIAN / "program.mk", folder / "Makefile")


def add_headers(settings, folder):
    """As userspace sees them, in a folder of their own."""
    installed = programs.install_headers(Kernel(settings, "run")) / "include/linux"
    for name in HEADERS:
        modsource.copy(installed / name, folder / "linux" / name)


def add_links(root, version):
    program = root / "usr/bin/noiommu-nvme"
    program.parent.mkdir(parents=True)
    program.symlink_to(f"../src/vfio-noiommu-{version}/noiommu-nvme/noiommu-nvme")


def add_control(root, version):
    debfile.write(root / "DEBIAN/control", CONTROL.format(
        name=NAME, version=version, size=debfile.size(root), maintainer=debfile.MAINTAINER))
    for script in ("postinst", "prerm"):
        debfile.write(root / "DEBIAN" / script, template(script, version), 0o755)
