# SPDX-License-Identifier: GPL-2.0-only
"""The base: an unpatched kernel tree, from Debian or from the user (LINUX=)."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import subprocess

from base import aptsource, bases, versions
from common.gitrepo import Repo
from common.ui import Failure, Progress, say

LEFTOVERS = (".config", "include/config", "include/generated")


class Base:
    """Where a base comes from. `identity` tells two bases apart. There may be
    several versions of it to choose from."""

    identity = ""
    choice = False

    def candidates(self):
        """What can be unpacked, the best first, as a context's value: for as long
        as it lasts."""
        return contextlib.nullcontext([self])

    def is_in(self, tree):
        try:
            return (git_folder(tree) / "base-from").read_text() == self.identity
        except FileNotFoundError:
            return False

    def record(self, tree):
        (git_folder(tree) / "base-from").write_text(self.identity)

    def unpack(self, target):
        raise NotImplementedError


class Debian(Base):
    """Debian's linux-source package: the newest that takes the series, or one that
    the user named. A tree that was made from it stays as it is when a newer one
    appears; `make clean` starts over."""

    choice = True

    def __init__(self, settings):
        self.settings = settings
        self.identity = f"debian {settings.exact}".strip()

    @contextlib.contextmanager
    def candidates(self):
        wanted = self.settings.exact
        with offers(self.settings) as found:
            packages = found.versions()
            if wanted and wanted not in packages:
                raise Failure(f"Debian does not offer Linux {wanted}, but "
                              + ", ".join(packages))
            yield [Package(found, version, package) for version, package in packages.items()
                   if version == (wanted or version)]


def offers(settings):
    """What Debian's archive has of a base."""
    return aptsource.Offers(settings.version, settings.build / "download",
                            bases.of(settings.base).archive)


@dataclasses.dataclass
class Package:
    """One of Debian's."""
    offers: aptsource.Offers
    version: str
    package: str

    def unpack(self, target):
        untar(self.offers.fetch(self.version, self.package), target)


class Tarball(Base):
    def __init__(self, path):
        self.path = path
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        self.identity = "tarball " + digest.hexdigest()

    def unpack(self, target):
        untar(self.path, target)


class GitTree(Base):
    """A git tree's HEAD; edits that it does not hold are left out."""

    def __init__(self, path):
        self.repo = Repo(path)
        self.identity = "git " + self.repo.text("rev-parse", "HEAD^{tree}")

    def unpack(self, target):
        unpack_stream(["git", "-c", "safe.directory=*", "-C", self.repo.path,
                       "archive", "--format=tar", "HEAD"], target, f"copy {self.repo.path}")


class PlainTree(Base):
    """A folder; told apart by its files' names, sizes and times."""

    def __init__(self, path):
        self.path = path
        dirty = [name for name in LEFTOVERS if (path / name).exists()]
        if dirty:
            raise Failure(f"{path} has been built in ({dirty[0]}); run `make mrproper` there")
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(path):
            folders.sort()
            for name in sorted(files):
                info = os.lstat(os.path.join(folder, name))
                digest.update(f"{folder}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
        self.identity = "folder " + digest.hexdigest()

    def unpack(self, target):
        unpack_stream(["tar", "-C", str(self.path), "--exclude=./.git", "-c", "."],
                      target, f"copy {self.path}")


def choose(settings, known):
    """The base of a series that is known to be good for a range of versions."""
    if not settings.linux:
        return Debian(settings)
    return of_path(settings, settings.linux, "LINUX", known)


def of_path(settings, text, variable, known):
    """The tree or tarball that a variable names."""
    path = pathlib.Path(text).expanduser().resolve()
    if path.is_file():
        return Tarball(path)
    if not path.is_dir():
        raise Failure(f"{variable}={text}: no such folder or file")
    check_version(path, settings.version, known)
    if (path / ".git").exists():
        return GitTree(path)
    return PlainTree(path)


def fall_back(settings, missing):
    """The settings to go on with where Debian does not have the base, if that was
    not the user's choice."""
    if missing.version != settings.version or not settings.fallbacks:
        raise missing
    base, *rest = settings.fallbacks
    say(f"Debian does not have Linux {settings.version}: going on with {base[1:]}")
    return dataclasses.replace(settings, base=base, fallbacks=tuple(rest))


def forget(tree):
    """Has a made tree be made anew, from the base that is best then."""
    (git_folder(tree) / "base-from").unlink()


def git_folder(tree):
    """Where git keeps what it knows of a tree. In one of `git worktree` that is with
    the first."""
    folder = pathlib.Path(tree) / ".git"
    if folder.is_file():
        folder = pathlib.Path(Repo(tree).text("rev-parse", "--path-format=absolute",
                                              "--git-common-dir"))
    return folder


def check_version(tree, wanted, known=()):
    """The tree's full version; an error if it is not of the wanted base, which says
    for which versions the series is known to be good."""
    try:
        text = (tree / "Makefile").read_text(errors="replace")
    except OSError:
        raise Failure(f"{tree} is no kernel tree: it has no Makefile")
    found = versions.of_makefile(text)
    if not found:
        raise Failure(f"{tree} is no kernel tree: its Makefile names no version")
    if found.rpartition(".")[0] != wanted:
        raise Failure(f"the base is Linux {found}, the series is for "
                      f"{versions.words(known) if known else wanted}")
    return found


def untar(tarball, target):
    """Unpacks a tarball whose one top folder is the tree."""
    unpack = {".xz": ["xz", "-dc", "-T0"], ".gz": ["gzip", "-dc"], ".bz2": ["bzip2", "-dc"],
              ".zst": ["zstd", "-dc"], ".tar": ["cat"]}.get(tarball.suffix)
    if not unpack:
        raise Failure(f"{tarball}: not a .tar, .tar.gz, .tar.bz2, .tar.xz or .tar.zst")
    unpack_stream([*unpack, str(tarball)], target, f"unpack {tarball.name}",
                  strip=True)


def unpack_stream(command, target, title, strip=False):
    """Unpacks the tar stream that a command writes. Files get the present
    time: a build must see that they are newer than what it made of others."""
    progress = Progress(title)
    tar = ["tar", "-x", "--touch", "--no-same-owner", "-v", "-C", str(target)]
    tar += ["--strip-components=1"] if strip else []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader, \
         subprocess.Popen(tar, stdin=reader.stdout, stdout=subprocess.PIPE) as writer:
        reader.stdout.close()
        for count, _ in enumerate(writer.stdout):
            progress.update(f"{count} files")
    if reader.returncode or writer.returncode:
        raise Failure(f"{title} failed: {' '.join(command)}")
    progress.done()
