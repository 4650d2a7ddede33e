# SPDX-License-Identifier: GPL-2.0-only
"""Small Debian systems of several suites, below build/roots/, to build and install things
in as their users do. They are made by debootstrap, and only root can."""

import os
import pathlib
import shlex
import shutil
import subprocess
import time

from base import aptsource
from build import kernel
from common import step
from common.lock import exclusive_file
from common.ui import Failure, Progress

PACKAGES = ("ca-certificates", "kmod", "make", "pahole", "patch", "python3", "xz-utils")
LISTS = "var/lib/apt/lists"
BACKPORTS = ("bookworm", "trixie")   # releases that have some
OLD = 6 * 3600   # seconds after which the archive is asked again
SCRIPTS = pathlib.Path("/usr/share/debootstrap/scripts")

# With a /proc of its own, that is gone when the command is: objtool and dkms look there
ENTER = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


def problem():
    """Why none can be made here, or ''."""
    return "a Debian root can only be made by root" if os.getuid() else ""


class Root:
    """Of the release that a suite like trixie-backports belongs to."""

    def __init__(self, settings, suite):
        self.settings = settings
        self.release = suite.partition("-")[0]
        self.logs = settings.build / "roots"
        self.folder = self.logs / self.release

    def ensure(self, foreign=""):
        """Makes it, or asks the archive what is new, of another architecture too."""
        with self.alone():
            return self.prepare(foreign)

    def alone(self):
        """Kernels of several bases are of one release, and apt works for one at a time."""
        return exclusive_file(self.settings, self.logs / f"{self.release}.lock")

    def prepare(self, foreign):
        if not self.folder.exists():
            self.make()
        lists = self.folder / LISTS / "asked"
        if foreign and foreign not in self.ask("dpkg", "--print-foreign-architectures").split():
            self.run(f"add {foreign}", "dpkg", "--add-architecture", foreign)
            lists.unlink(missing_ok=True)
        if not lists.exists() or time.time() - lists.stat().st_mtime > OLD:
            self.run("read package lists", "apt-get", "update")
            lists.touch()
        return self

    def make(self):
        fresh = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        # What it mounts is gone when it is, however it ends
        take(f"fetch Debian {self.release}", self.log("debootstrap"),
             ["unshare", "--mount", "debootstrap", "--variant=minbase",
              f"--include={','.join(PACKAGES)}", f"--keyring={aptsource.KEYRING}",
              self.release, str(fresh), aptsource.mirror(), str(script(self.release))])
        if self.release in BACKPORTS:
            (fresh / "etc/apt/sources.list.d/backports.list").write_text(
                f"deb {aptsource.mirror()} {self.release}-backports main\n")
        (fresh / "etc/apt/apt.conf.d/90project").write_text(apt_settings())
        fresh.rename(self.folder)

    def copy(self, folder):
        """Another one, that can be spoiled."""
        with self.alone():
            subprocess.run(["cp", "-a", "--reflink=auto", str(self.folder), str(folder)],
                           check=True)
        other = object.__new__(Root)
        other.__dict__.update(self.__dict__, folder=pathlib.Path(folder))
        return other

    def log(self, name):
        return self.logs / f"{self.release}-{name}.log"

    def run(self, title, *command, log="root"):
        """A step in it."""
        take(title, self.log(log), self.inside(*command))

    def ask(self, *command):
        """What a command in it prints."""
        return subprocess.run(self.inside(*command), env=environment(), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True).stdout

    def inside(self, *command):
        return ["unshare", "--mount", "sh", "-c", ENTER, str(self.folder), *map(str, command)]

    def install(self, *packages, log="install"):
        with self.alone():
            self.install_lacking(packages, log)

    def install_lacking(self, packages, log):
        have = self.ask("dpkg-query", "-W", "-f", "${Package}\n").split()
        lacking = [name for name in packages if name.partition(":")[0] not in have]
        if lacking:
            self.run(f"install {lacking[-1]}", "apt-get", "install", "-q", "-y",
                     "--no-install-recommends", *lacking, log=log)


def script(release, scripts=SCRIPTS):
    """A release that is younger than this debootstrap is made as sid is."""
    found = scripts / release
    return found if found.exists() else scripts / "sid"


def apt_settings():
    """Of the machine's own apt what it takes to reach its archive."""
    said = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True,
                          text=True).stdout
    kept = ("Acquire::Check-Valid-Until ", "Acquire::http", "Acquire::https")
    return "".join(f"{line}\n" for line in said.splitlines() if line.startswith(kept))


def environment():
    proxies = {name: value for name, value in os.environ.items() if name.endswith("_proxy")}
    return {**proxies, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive"}


def take(title, log, command):
    """A step, whose log is added to."""
    progress = Progress(title)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as file:
        file.write(f"+ {shlex.join(command)}\n")
    status = step.watch(command, log, progress.update, "ab", env=environment())
    progress.done("failed" if status else "done")
    if status:
        raise Failure(f"cannot {title}: {kernel.first_error(log)}", log)
