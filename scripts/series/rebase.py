# SPDX-License-Identifier: GPL-2.0-only
"""Moves the series to another version of its base, in the made tree, by git's own
rebase: three-way, for both versions are there. What comes of it is stored by `make
refresh`. Until the rebase has ended, the tag `base` stays where it is, so that
`git rebase --abort` goes back."""

import pathlib
import re
import shutil
import tempfile

from base import source
from common.gitrepo import Repo
from common.ui import Failure, Progress
from series import series, tree

COMMITTER = {"GIT_COMMITTER_NAME": "project", "GIT_COMMITTER_EMAIL": "project@localhost"}


class Conflict(Failure):
    """Somebody has to look at a patch."""


def target(settings, to):
    """What `TO=` names, as a context's value: a version that Debian offers, its
    newest without one, or a tree or tarball."""
    if "/" in to or pathlib.Path(to).is_file():
        known = series.of(settings).range()
        return source.of_path(settings, to, "TO", known).candidates()
    return source.Debian(settings.at(to)).candidates()


def rebase(settings, candidate):
    """Has the made tree's commits on the candidate; returns (its version, subjects
    of the patches that it has already)."""
    repo = tree.ensure(settings)
    work = tree.unsaved(repo)
    if work:
        raise Failure(f"{repo.path} has {work}: commit and `make refresh` first, or drop that "
                      "work")
    before = subjects(repo, tree.BASE)
    version = bring(settings, repo, candidate)
    repo.bytes("update-ref", "ORIG_HEAD", "HEAD")
    done = repo.run("-c", "rebase.autoSquash=false", "rebase", "--empty=drop", "--onto",
                    tree.NEXT, tree.BASE, "series", env=COMMITTER)
    if done.returncode:
        raise Conflict(conflict(settings, repo, version, done))
    tree.settle(repo)
    after = subjects(repo, tree.BASE)
    return version, [subject for subject in before if subject not in after]


def subjects(repo, base):
    return repo.text("log", "--reverse", "--format=%s", f"{base}..HEAD").split("\n")


def bring(settings, repo, candidate):
    """Makes a commit of the candidate, and NEXT its name; returns its version."""
    with tempfile.TemporaryDirectory(dir=settings.work) as scratch:
        folder = pathlib.Path(scratch, "linux")
        folder.mkdir()
        candidate.unpack(folder)
        version = source.check_version(folder, settings.version)
        progress = Progress(f"commit Linux {version}")
        shutil.rmtree(folder / ".git", ignore_errors=True)
        staged = Repo(repo.path, index=f"{scratch}/index")
        # Starting from the present version, only what differs gets a blob
        staged.bytes("read-tree", tree.BASE)
        there = {"GIT_DIR": f"{source.git_folder(repo.path)}"}
        Repo(folder, index=staged.index).bytes("add", "-A", "-f", ".", env=there)
        commit = tree.commit_tree(staged, staged.text("write-tree"), None,
                                  f"Linux {version}\n", *tree.BASE_AUTHOR)
    repo.bytes("update-ref", tree.NEXT, commit)
    progress.done()
    return version


def conflict(settings, repo, version, done):
    """What has happened, and what to do next."""
    said = (done.stdout + done.stderr).decode(errors="replace")
    files = re.findall(r"^CONFLICT .*", said, re.M)
    patch = repo.run("log", "-1", "--format=%s", "REBASE_HEAD").stdout.decode().strip()
    where = settings.relative(repo.path)
    base = settings.version
    if not patch:
        return f"git rebase failed: {said.strip()}"
    return "\n".join([
        f"\"{patch}\" does not go onto Linux {version} by itself:",
        *(f"  {line}" for line in files),
        f"In {where}, edit these files, then `git add` them and `git rebase --continue`, until",
        f"git says that it is done; `git rebase --abort` goes back. Then `make refresh BASE={base}`",
        f"stores the series, and `make check BASE={base}` tests it."])
