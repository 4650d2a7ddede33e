# SPDX-License-Identifier: GPL-2.0-only
"""What the guest of another architecture needs of Debian's packages of that
architecture. They are fetched and unpacked below build/: the machine's own dpkg
knows nothing of them.

They are of the release that the machine has, whose cross compiler's libc it is
that they are linked with.
"""

import dataclasses
import pathlib
import platform
import shutil
import subprocess

from base import aptsource
from common.ui import Failure

BUSYBOX = "/bin/busybox"   # of this machine's architecture
PACKAGES = ("busybox-static", "uuid-dev")


@dataclasses.dataclass(frozen=True)
class Flags:
    """Of a compiler that builds programs for the guest."""
    preprocessor: str = ""
    linker: str = ""


def busybox(settings, arch):
    if not arch.debian:
        return BUSYBOX
    found = [path for name in ("usr/bin/busybox", "bin/busybox")
             if (path := root(settings, arch) / name).exists()]
    if not found:
        raise Failure(f"Debian's busybox-static for {arch.debian} holds no busybox")
    return found[0]


def flags(settings, arch):
    if not arch.debian:
        return Flags()
    folder = root(settings, arch) / "usr"
    return Flags(f"-isystem {folder}/include",
                 f"-L{folder}/lib/{arch.cross.removesuffix('-')}")


def root(settings, arch):
    """The folder that the packages are unpacked in."""
    folder = settings.build / f"root-{arch.debian}"
    if not folder.exists():
        fetch(folder, arch)
    return folder


def fetch(folder, arch):
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    apt = aptsource.Apt(fresh / "apt", aptsource.mirror(), [release()], arch.debian)
    apt.update()
    for package in PACKAGES:
        deb = apt.download(package)
        unpack(deb, fresh)
        deb.unlink()
    shutil.rmtree(fresh / "apt")
    fresh.rename(folder)


def release():
    """The code name of the machine's Debian, like bookworm."""
    found = platform.freedesktop_os_release()
    return found.get("VERSION_CODENAME") or "sid"


def unpack(deb, target):
    done = subprocess.run(["dpkg-deb", "-x", str(deb), str(target)], capture_output=True,
                          text=True)
    if done.returncode:
        raise Failure(f"cannot unpack {pathlib.Path(deb).name}: {done.stderr.strip()}")
