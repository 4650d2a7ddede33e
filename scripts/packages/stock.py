# SPDX-License-Identifier: GPL-2.0-only
"""Debian's own kernels, as they are: fetched for a root of their suite, where modules are
built for them, and booted without being changed."""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import tempfile

from base import bases, versions
from build.arch import ARM64, X86_64
from common.lock import exclusive
from common.ui import Failure
from packages import modsource, modules
from packages.root import Root

# All that the archive has for the bases: suite, and the base it is of
OFFERED = {"sid": "v7.2", "forky": "v7.2", "trixie-backports": "v7.3", "trixie": "v6.12",
           "bookworm-backports": "v6.12"}
FLAVOURS = {"cloud-amd64": X86_64, "amd64": X86_64, "cloud-arm64": ARM64, "arm64": ARM64}


@dataclasses.dataclass
class Stock:
    """The newest kernel of a base in some suite, of some flavour."""
    settings: object      # of the base
    suite: str
    flavour: str
    kernel: object        # of the project, for whose architecture programs are built
    release: str = ""     # what uname -r says, once it is known
    tools: object = None  # the kernel whose build has the tools for the initramfs, if not that one

    @property
    def arch(self):
        return FLAVOURS[self.flavour]

    @property
    def suffix(self):
        """Of packages in a root of this machine's architecture."""
        return f":{self.arch.debian}" if self.arch.debian else ""

    @property
    def name(self):
        return f"{self.settings.base}-{self.suite}-{self.flavour}"

    @property
    def root(self):
        return Root(self.settings, self.suite)

    @property
    def tree(self):
        return self.kernel.tree

    @property
    def built(self):
        """The project's kernel that has to be built."""
        return self.tools or self.kernel

    @property
    def out(self):
        return self.built.out

    @property
    def folder(self):
        """What its packages hold, apart from the root's own files."""
        return self.settings.build / "stock" / f"{self.suite}-{self.release}"

    @property
    def image(self):
        found = [*self.folder.rglob("vmlinuz"), *self.folder.rglob("vmlinuz-*")]
        if not found:
            raise Failure(f"Debian's packages of Linux {self.release} hold no vmlinuz")
        return found[0]

    @property
    def version(self):
        """The kernel's, without Debian's part."""
        return self.release.partition("+")[0]

    @property
    def kdir(self):
        """As it is called in the root."""
        return f"/usr/src/linux-headers-{self.release}"

    def ready(self):
        """Has root, headers and kernel there; returns itself."""
        with exclusive(self.settings, f"stock-{self.root.release}.lock"):
            root = self.root.ensure(self.arch.debian)
            self.release = self.release or self.newest(root)
            self.install_headers(root)
            if not self.folder.exists():
                self.fetch(root)
        return self

    def install_headers(self, root):
        name = f"linux-headers-{self.release}"
        compiler, others = native_compiler(
            root.ask("apt-cache", "depends", name + self.suffix) if self.suffix else "")
        # Not every compiler for other machines brings binutils
        if not compiler:
            root.install("binutils", name + self.suffix)
        elif not (root.folder / self.kdir[1:]).exists():
            # In place of the root's own compiler it would bring one that does not run here
            root.install("binutils", *others, f"{compiler}-{self.arch.cross.rstrip('-')}")
            with tempfile.TemporaryDirectory(dir=root.folder / "tmp") as scratch:
                self.unpack(root, name, scratch)
                shutil.move(scratch + self.kdir, root.folder / self.kdir[1:])

    def newest(self, root):
        version = re.escape(self.settings.version)
        listing = root.ask("apt-cache", "search", "--names-only",
                           f"^linux-headers-{version}\\.[0-9]+[^-]*-{self.flavour}$")
        found = re.findall(r"^linux-headers-(\S+)", listing, re.M)
        if not found:
            raise Failure(f"Debian's {self.suite} has no Linux {self.settings.version} of "
                          f"flavour {self.flavour}")
        return max(found, key=lambda name: versions.key(name.partition("+")[0]))

    def fetch(self, root):
        """Image and modules, in one package or in several."""
        fresh = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        known = root.ask("apt-cache", "pkgnames", "linux-").split()
        for kind in ("image", "base", "binary", "modules"):
            name = f"linux-{kind}-{self.release}"
            if name in known or name + self.suffix in known:
                self.unpack(root, name, fresh)
        fresh.rename(self.folder)

    def unpack(self, root, name, folder):
        """What a package holds, without installing it."""
        root.run(f"fetch {name}", "sh", "-c",
                 f"cd /tmp && apt-get download {name}{self.suffix}")
        deb, = (root.folder / "tmp").glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)
        deb.unlink()

    def build(self):
        """The modules of the series for it, in its root: {name: file}."""
        self.ready()
        source = self.root.folder / "root" / f"modules-{self.release}"
        with exclusive(self.settings, f"stock-{self.root.release}.lock"):
            modsource.make(source, modules.for_version(self.settings, self.version), "check")
            self.root.run(f"build modules for {self.release}", "make", "-C",
                          f"/root/{source.name}", f"KDIR={self.kdir}", "-j2",
                          log=f"modules-{self.release}")
        return {plain(file): file for file in (source / "modules").glob("*.ko")}

    def has(self, name):
        return self.packed(name) is not None

    def packed(self, name):
        """The file of one of its own modules, or None."""
        return next((file for file in self.folder.rglob("*.ko*") if plain(file) == plain(name)),
                    None)

    def module(self, name):
        """One of its own modules, unpacked."""
        file = self.packed(name)
        if not file:
            raise Failure(f"Linux {self.release} has no module {name}")
        return self.unpacked(file)

    def unpacked(self, file):
        """Whole at any time: another suite may be packing it into its guest's files."""
        target = self.settings.work / "stock-modules" / self.release / file.name.split(".ko")[0]
        target = target.with_name(target.name + ".ko")
        target.parent.mkdir(parents=True, exist_ok=True)
        reader = {".xz": "xz", ".zst": "zstd", ".ko": "cat"}[file.suffix]
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            fresh = pathlib.Path(scratch, target.name)
            with open(fresh, "wb") as output:
                subprocess.run([reader, *(["-dc"] if reader != "cat" else []), str(file)],
                               stdout=output, check=True)
            return fresh.replace(target)

    def builtin(self, name):
        listing, = self.folder.rglob("modules.builtin")
        return re.search(rf"/{plain(name).replace('_', '[-_]')}\.ko$", listing.read_text(), re.M)

    def in_order(self, names, ours):
        """Files of modules with those that they need before them, from `ours` or else the
        kernel's own."""
        found = {}

        def add(name):
            if plain(name) in found or self.builtin(name):
                return
            file = ours.get(plain(name)) or self.module(name)
            for other in depends(file):
                add(other)
            found[plain(name)] = file
        for name in names:
            add(name)
        return list(found.values())


def native_compiler(listing):
    """Of what apt says that headers depend on: the compiler, '' if that is one which
    compiles for other machines, and what else of the headers' own there is."""
    needed = re.findall(r"^[ |]*Depends: <?([^\s:>]+)", listing, re.M)
    compilers = [name for name in needed if re.fullmatch(r"gcc-\d+", name)]
    return ("".join(compilers[:1]),
            [name for name in needed if name.startswith(("linux-headers-", "linux-kbuild-"))])


def plain(name):
    """A module's name as the kernel has it."""
    return pathlib.PurePath(name).name.split(".ko")[0].replace("-", "_")


def depends(module):
    found = re.search(rb"\0depends=([^\0]*)\0", b"\0" + pathlib.Path(module).read_bytes())
    return [name for name in found[1].decode().split(",") if name] if found else []


def default(settings, kernel, flavour=next(iter(FLAVOURS)), tools=None):
    """The one that make check takes: of the base, in the newest suite that has it."""
    suite = next((suite for suite, base in OFFERED.items() if base == settings.base),
                 bases.of(settings.base).archive[0])
    return Stock(settings, suite, flavour, kernel, tools=tools)


def every(settings, kernels):
    """All of the base. `kernels` are the project's, by architecture; only that of this
    machine's has to be built."""
    return [Stock(settings, suite, flavour, kernels[arch], tools=kernels[X86_64])
            for suite, base in OFFERED.items() if base == settings.base
            for flavour, arch in FLAVOURS.items()]
