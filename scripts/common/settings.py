# SPDX-License-Identifier: GPL-2.0-only
"""What a command is to do, as the user chose it, and where things are."""

import dataclasses
import os
import pathlib

TOP = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass
class Settings:
    base: str           # v7.2: names patches/<base> and build/<base>
    exact: str = ""     # 7.2.13: the version of it, if not the best that there is
    config: str = ""    # kernel config set; empty: the command's own
    accel: str = "auto"
    linux: str = ""     # the user's tree or tarball instead of Debian's
    run: str = ""       # program for the guest
    args: str = ""
    machine: str = "plain"   # shape of the guest's hardware
    timeout: int = 0    # seconds for the program in the guest; 0: the command's own
    tree: str = ""      # what refresh reads instead of the made tree
    to: str = ""        # where make rebase moves the series
    config_from: str = ""  # of make deb: the config that its kernel starts from
    kdir: str = ""      # of make modules: the headers of the kernel that they are for
    install: str = ""   # of make modules: the folder below which they are installed
    threads: bool = False  # that build and test at the same time
    plain: bool = False  # the base as it is, without a series
    chosen: bool = False  # the base was, by the user
    fallbacks: tuple = ()  # bases to go on with where Debian lacks this one
    top: pathlib.Path = TOP

    @property
    def version(self):
        return self.base[1:]

    @property
    def build(self):
        return self.top / "build"

    @property
    def work(self):
        """Everything made for this base."""
        name = f"v{self.exact}" if self.exact else self.base
        return self.build / (f"{name}-plain" if self.plain else name)

    @property
    def source(self):
        """The made tree: base and series as commits."""
        return self.work / "linux"

    def on(self, base):
        """The same for Debian's kernel of another base."""
        return dataclasses.replace(self, base=base, exact="", linux="", tree="", fallbacks=())

    def at(self, version):
        """The same for one of the versions of this base that Debian offers."""
        return dataclasses.replace(self, exact=version, linux="", tree="", fallbacks=())

    def without_series(self, base):
        """For Debian's kernel as it is, to compare with."""
        return dataclasses.replace(self.on(base), plain=True)

    def relative(self, path):
        """A path as the user would write it."""
        return os.path.relpath(path, self.top)
