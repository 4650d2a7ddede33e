# SPDX-License-Identifier: GPL-2.0-only
"""Packages of Debian's, the kernel's source above all, and source packages of tools,
fetched by apt with sources, lists and cache of its own: the machine's apt sources
are read for the mirror and never changed. apt checks the signature of the lists,
and by them the package."""

import pathlib
import re
import shutil
import subprocess

from base import versions
from common import step
from common.ui import Failure, Progress, say

SOURCE_SUITES = ("sid", "forky")               # where the newest tools are
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class NotOffered(Failure):
    """The archive has no kernel of a version, or no longer."""

    def __init__(self, version, suites, log):
        self.version = version
        super().__init__(f"linux-source-{version} is in none of Debian's {', '.join(suites)}; "
                         "name a kernel tree or tarball with LINUX=", log)


class Offers:
    """The linux-source packages of a version like 7.2 in some of the archive's
    suites, and their tarballs in a folder."""

    def __init__(self, version, folder, suites):
        self.version, self.folder, self.suites = version, folder, suites
        self.package = f"linux-source-{version}"
        self.apt = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_):
        if self.apt:
            shutil.rmtree(self.apt.folder)

    def versions(self):
        """All that the archive offers, the newest first: {6.12.117: that of the
        package}. Where it cannot be asked, those that have been fetched."""
        try:
            self.ask()
        except Failure:
            fetched = self.fetched()
            if not fetched:
                raise
            say("the archive cannot be asked: going on with what was fetched before")
            return fetched
        found = {}
        for package in offered(self.apt.run("apt-cache", "madison", self.package).stdout,
                               self.version):
            found.setdefault(versions.upstream(package), package)
        if not found:
            raise NotOffered(self.version, self.suites, self.apt.log)
        return found

    def ask(self):
        apt = Apt(self.folder / f"apt-{self.version}", mirror(), self.suites)
        apt.update()
        self.apt = apt

    def fetched(self):
        """{version: '' for its package} of the tarballs that are here."""
        found = [file.name.removeprefix("linux-").removesuffix(".tar.xz")
                 for file in self.folder.glob(f"linux-{self.version}.*.tar.xz")]
        return {version: "" for version in sorted(found, key=versions.key, reverse=True)}

    def fetch(self, version, package):
        """The tarball of one of the versions."""
        tarball = self.folder / f"linux-{version}.tar.xz"
        if not tarball.exists():
            unpack(self.apt.download(f"{self.package}={package}"),
                   f"./usr/src/{self.package}.tar.xz", tarball)
        return tarball


def fetch_source(name, folder):
    """The upstream tarball of the newest source package of some name."""
    apt = Apt(folder / "apt", mirror(), SOURCE_SUITES, kind="deb-src")
    apt.update()
    progress = Progress(f"fetch {name}")
    done = apt.run("apt-get", "-q", "source", "--download-only", name)
    with open(apt.log, "a") as log:
        log.write(done.stdout + done.stderr)
    tarballs = list((folder / "apt/deb").glob(f"{name}_*.orig.tar.*[!c]"))
    if done.returncode or len(tarballs) != 1:
        raise Failure(f"cannot fetch the source of {name} from Debian", apt.log)
    progress.done()
    return tarballs[0]


def mirror():
    """The address of the Debian archive that this machine uses."""
    return choose_mirror(listing("REPO_URI"))


def choose_mirror(lines):
    found = of_debian(lines)
    if not found:
        raise Failure("apt on this machine has no Debian archive (run `apt-get update`?); "
                      "name a kernel tree or tarball with LINUX=")
    return found[0]


def listing(field):
    """The archives that the machine's apt knows, a line each, with a field of its own."""
    return subprocess.run(["apt-get", "indextargets", "--format",
                           f"$(ORIGIN)|$(LABEL)|$({field})", "Created-By: Packages"],
                          capture_output=True, text=True).stdout


def of_debian(lines):
    """The field in those lines that are of Debian's archive."""
    return [line.removeprefix("Debian|Debian|") for line in lines.splitlines()
            if line.startswith("Debian|Debian|")]


def offered(listing, version):
    """The packages' versions in the output of apt-cache madison that are of a
    kernel's version, the newest first."""
    found = re.findall(rf"\| *({re.escape(version)}\.\d+\S*) *\|", listing)
    return sorted(set(found), key=lambda package: (versions.key(package), package),
                  reverse=True)


INDEXES = {"deb": "Packages", "deb-src": "Sources"}


class Apt:
    def __init__(self, folder, uri, suites, architecture="", kind="deb"):
        self.folder, self.suites, self.index = folder, suites, INDEXES[kind]
        self.log = folder.parent / "apt.log"
        for name in ("lists/partial", "cache/archives/partial", "deb"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text("".join(
            f"{kind} [signed-by={KEYRING}] {uri} {suite} main\n" for suite in suites))
        settings = {"Dir::Etc::sourcelist": folder / "sources.list",
                    "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferences": "/dev/null",
                    "Dir::Etc::preferencesparts": "/dev/null",
                    "Dir::State::lists": folder / "lists", "Dir::Cache": folder / "cache",
                    "Dir::Cache::archives": folder / "cache/archives",
                    "APT::Sandbox::User": "root", "Acquire::Languages": "none",
                    "Acquire::Retries": "3"}
        if architecture:
            (folder / "status").touch()  # of the machine's packages nothing counts
            settings.update({"APT::Architecture": architecture,
                             "APT::Architectures": architecture,
                             "Dir::State::status": folder / "status"})
        self.options = [word for key, value in settings.items()
                        for word in ("-o", f"{key}={value}")]

    def run(self, tool, *arguments):
        return subprocess.run([tool, *self.options, *arguments], cwd=self.folder / "deb",
                              capture_output=True, text=True)

    def update(self):
        """A suite that has gone away is no error as long as another has it."""
        progress = Progress("read package lists")
        result = self.run("apt-get", "update")
        self.log.write_text(result.stdout + result.stderr)
        if not list((self.folder / "lists").glob(f"*_{self.index}*")):
            progress.clear()
            raise Failure("cannot read Debian's package lists", self.log)
        progress.done("not all suites could be read" if result.returncode else "done")

    def size(self, package):
        """In bytes, or 0 if apt does not say."""
        uris = self.run("apt-get", "download", "--print-uris", package).stdout
        found = re.search(r"\.deb (\d+) ", uris)
        return int(found.group(1)) if found else 0

    def download(self, package):
        size = self.size(package)
        progress = Progress(f"fetch {package}")
        folder = self.folder / "deb"
        status = step.watch(
            ["apt-get", "-q", *self.options, "download", package], self.log,
            lambda: progress.update(f"{fetched(self.folder) >> 20} of {size >> 20} MB" if size
                                    else ""), mode="ab", cwd=folder)
        debs = list(folder.glob("*.deb"))
        if status or len(debs) != 1:
            raise Failure(f"cannot fetch {package}", self.log)
        progress.done(f"{size >> 20} MB" if size else "done")
        return debs[0]


def fetched(folder):
    """Bytes of the package that are here so far, wherever apt keeps them."""
    sizes = [0]
    for pattern in ("deb/**/*", "cache/archives/partial/*"):
        for path in pathlib.Path(folder).glob(pattern):
            try:
                sizes.append(path.stat().st_size)
            except OSError:
                pass  # apt has just renamed it
    return max(sizes)


def unpack(deb, member, target):
    """Takes one file out of a package, which is no longer needed then."""
    partial = target.with_name(target.name + ".partial")
    with open(partial, "wb") as output, \
         subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)],
                          stdout=subprocess.PIPE) as reader:
        writer = subprocess.run(["tar", "-x", "-O", member], stdin=reader.stdout,
                                stdout=output)
    if reader.wait() or writer.returncode:
        raise Failure(f"{deb.name} holds no {member}")
    deb.unlink()
    partial.rename(target)
