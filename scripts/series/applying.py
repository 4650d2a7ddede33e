# SPDX-License-Identifier: GPL-2.0-only
"""Applies a series to an index: without fuzz, and without those patches in front
that bring what the tree has already."""

import pathlib
import re
import shutil
import tempfile

from common.gitrepo import Repo
from common.ui import Failure
from series import diffs


class Refused(Failure):
    """A patch does not go onto this tree."""


def each(repo, patches):
    """Applies (patch, diff) after (patch, diff), and gives each that changed
    something once it is in the index."""
    for patch, diff in patches:
        if not (patch.older and is_there(repo, diff)):
            apply(repo, patch.name, diff)
            yield patch, diff


def is_there(repo, diff):
    """Whether the tree has what a patch brings: it can be taken back."""
    done = run(repo, diff, "--reverse", "--check")
    return not done.returncode and not diffs.far_hunks(done.stderr.decode(errors="replace"))


def apply(repo, name, diff):
    done = run(repo, diff)
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        errors = re.findall(r"^error: (?!while searching for)(.*)", said, re.M)
        raise Refused(f"{name} does not apply: " + "; ".join(errors or [said.strip()]))
    far = diffs.far_hunks(said)
    if far:
        raise Refused(f"{name} applies, but too far from where it was made "
                      f"(more than {diffs.MAX_OFFSET} lines): " + "; ".join(far))


def run(repo, diff, *options):
    return repo.run("apply", "--cached", "--verbose", "--whitespace=nowarn", *options, "-",
                    input=diff.encode())


def makes(repo, commit, diff):
    """Whether the diff does to the files that it touches what a commit does."""
    with tempfile.TemporaryDirectory() as scratch:
        staged = Repo(repo.path, index=f"{scratch}/index")
        staged.bytes("read-tree", f"{commit}^")
        try:
            apply(staged, "the patch", diff)
        except Refused:
            return False
        return not staged.run("diff-index", "--cached", "--quiet", commit, "--",
                              *diffs.split(diff)).returncode


def refusal(folder, patches):
    """Why a tree that is no repository yet does not take the patches; '' if it
    does. Only the files that they touch are looked at."""
    with tempfile.TemporaryDirectory() as scratch:
        repo = Repo(scratch)
        repo.bytes("init", "-q")
        for path in sorted({path for _, diff in patches for path in diffs.split(diff)}):
            if (pathlib.Path(folder) / path).exists():
                target = pathlib.Path(scratch) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pathlib.Path(folder) / path, target)
        repo.bytes("add", "-A", "-f")
        try:
            for _ in each(repo, patches):
                pass
        except Refused as refused:
            return refused.cause
    return ""
