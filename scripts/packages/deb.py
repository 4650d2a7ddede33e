# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages of the made tree, by the kernel's own bindeb-pkg."""

import dataclasses
import os
import pathlib

from base import source
from build.kernel import make
from common.lock import exclusive, shared
from common.ui import Failure
from packages import debconfig
from series import tree

# Without the packages' dependencies: deps.sh has checked for the tools, of which
# depmod is not in everyone's path
VARIABLES = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
             "DPKG_FLAGS": "-d", "KDEB_CHANGELOG_DIST": "unstable", "KDEB_COMPRESS": "zstd",
             "DEB_BUILD_PROFILES": "pkg.linux-upstream.nokerneldbg"}


@dataclasses.dataclass
class Packages:
    """Those of one config, in a folder of their own."""
    settings: object
    folder: pathlib.Path

    @property
    def out(self):
        return self.folder / "build"

    def log(self, step):
        return self.settings.work / f"{self.folder.name}-{step}.log"

    def configure(self, config):
        """Of a config file: (changes, notes)."""
        with exclusive(self.settings):
            tree.ensure(self.settings)
        with shared(self.settings), exclusive(self.settings, "deb.lock"):
            return debconfig.configure(self.settings.source, self.out, config,
                                       self.settings.top / "configs/deb.config",
                                       self.log("config"))

    def build(self, total=0):
        """The packages to install: image and, with modules, headers."""
        with shared(self.settings), exclusive(self.settings, "deb.lock"):
            for old in self.files("*"):
                old.unlink()
            make(self.settings.source, self.out, self.log("build"),
                 f"build packages of Linux {self.settings.version}", ["bindeb-pkg"], total,
                 {**VARIABLES, "KDEB_PKGVERSION": self.version()})
        found = [file for kind in ("image", "headers") for file in
                 self.files(f"linux-{kind}-*.deb") if "-dbg_" not in file.name]
        if not found:
            raise Failure("the build left no package", self.log("build"))
        return found

    def version(self):
        """Of the packages, each higher than that of the build before. kbuild's own
        would name a commit."""
        base = source.check_version(self.settings.source, self.settings.version)
        try:
            number = int((self.out / ".version").read_text())
        except (OSError, ValueError):
            number = 0
        return f"{base}-{number + 1}"

    def release(self):
        """What `uname -r` says of the kernel."""
        return (self.out / "include/config/kernel.release").read_text().strip()

    def files(self, pattern):
        return sorted(file for file in self.folder.glob(pattern) if file.is_file())
