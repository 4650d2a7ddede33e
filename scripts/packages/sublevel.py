# SPDX-License-Identifier: GPL-2.0-only
"""The files that modules are made of, of a version of a base that is not the made tree's:
out of Debian's tarball of it, with the series."""

import pathlib
import shutil
import subprocess
import tempfile

from base import source
from common.gitrepo import Repo
from common.lock import exclusive
from common.ui import Failure, Progress
from series import applying, diffs, series

FOLDERS = ("drivers/iommu", "drivers/vfio", "include", "lib/interval_tree.c")


def unpack(settings, version, wanted, target):
    """Writes those files that wanted() says to a folder."""
    plain = plain_files(settings, version)
    patches = relevant(settings, wanted)
    touched = {path for _, diff in patches for path in diffs.split(diff)}
    with tempfile.TemporaryDirectory(dir=settings.build) as scratch:
        repo = Repo(scratch)
        repo.bytes("init", "-q")
        for path in sorted({*files_of(plain, wanted), *touched}):
            if (plain / path).exists():
                copy(plain / path, pathlib.Path(scratch, path))
        repo.bytes("add", "-A", "-f")
        for _ in applying.each(repo, patches):
            pass
        repo.bytes("checkout-index", "-a", "-f")
        for path in repo.text("ls-files").split("\n"):
            copy(pathlib.Path(scratch, path), target / path)


def files_of(folder, wanted):
    paths = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]
    return [path for path in paths if wanted(path)]


def relevant(settings, wanted):
    """The series' patches, as far as they touch what modules are made of."""
    found = []
    for patch, diff in series.of(settings).with_older():
        parts = {path: part for path, part in diffs.split(diff).items()
                 if wanted(path) or path.startswith("include/")}
        if parts:
            found.append((patch, diffs.join(parts)))
    return found


def plain_files(settings, version):
    """Out of the tarball, kept for the next time."""
    folder = settings.build / "sources" / version
    with exclusive(settings, "sources.lock"):
        if not folder.exists():
            with source.offers(settings) as offers:
                found = offers.versions()
                if version not in found:
                    raise Failure(f"Debian does not offer the source of Linux {version}, but "
                                  + ", ".join(found))
                tarball = offers.fetch(version, found[version])
            extract(tarball, folder)
    return folder


def extract(tarball, folder):
    progress = Progress(f"unpack {tarball.name}")
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    command = ["tar", "-x", "--strip-components=1", "--wildcards", "-C", str(fresh), "-f",
               str(tarball), *(f"*/{path}" for path in FOLDERS)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failure(f"cannot unpack {tarball}: {done.stderr.strip()}")
    fresh.rename(folder)
    progress.done()


def copy(path, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
