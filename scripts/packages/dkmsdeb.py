# SPDX-License-Identifier: GPL-2.0-only
"""vfio-noiommu-dkms, the Debian package with the sources of the modules for every base,
which dkms builds where it is installed. It is for all architectures: the userspace driver
comes as source too."""

import gzip
import shutil
import subprocess

from base import bases, source, versions
from build import programs
from build.kernel import Kernel
from common.lock import exclusive
from common.ui import Failure
from packages import modsource
from series import series

NAME = "vfio-noiommu-dkms"
DEBIAN = modsource.DKMS / "debian"
MAINTAINER = "Seed d42eb12d maintainers <maintainers@users.noreply.b-seed-d42eb12d.example>"
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
 iommufd and VFIO for the kernel that is there, with devices that no IOMMU stands behind:
 their own nodes in /dev/vfio/devices, memory that is pinned, and its physical addresses by
 IOMMU_IOAS_GET_PA. It takes the place of the kernel's own modules, which are back when the
 package is removed.
"""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: the Linux kernel's authors and those of the series
License: GPL-2
 The text of the license is in /usr/share/common-licenses/GPL-2.
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
        write(files / "dkms.conf", template("dkms.conf", version))
        add_program(settings, files / "noiommu-nvme")
        add_headers(settings, root / "usr/include/vfio-noiommu")
        add_links(root, version)
        add_documents(root / f"usr/share/doc/{NAME}", version)
        add_control(root, version)
        return pack(root, folder / f"{NAME}_{version}_all.deb", folder / "dpkg-deb.log")


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


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


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


def add_documents(folder, version):
    write(folder / "README.Debian", (DEBIAN / "README").read_text())
    write(folder / "copyright", COPYRIGHT)
    changelog = (f"{NAME} ({version}) unstable; urgency=medium\n\n  * Made of the series.\n\n"
                 f" -- {MAINTAINER}  Thu, 01 Jan 1970 00:00:00 +0000\n")
    (folder / "changelog.gz").write_bytes(gzip.compress(changelog.encode(), mtime=0))


def add_control(root, version):
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) >> 10
    write(root / "DEBIAN/control", CONTROL.format(name=NAME, version=version, size=size,
                                                  maintainer=MAINTAINER))
    for script in ("postinst", "prerm"):
        write(root / "DEBIAN" / script, template(script, version), 0o755)


def pack(root, file, log):
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    done = subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(root), str(file)],
                          capture_output=True, text=True)
    log.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise Failure(f"cannot make {file.name}", log)
    shutil.rmtree(root)
    return file
