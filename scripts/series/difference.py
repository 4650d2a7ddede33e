# SPDX-License-Identifier: GPL-2.0-only
"""What a base's file has otherwise than the overlay: a diff from the overlay's
content to the base's, made, applied and carried over by git."""

import os
import tempfile

from common.gitrepo import DIFF, Repo
from common.ui import Failure
from series import diffs


def make(path, content, wanted):
    """The part of a diff that makes `wanted` of `content`; '' if they are alike."""
    if content == wanted:
        return ""
    with Scratch(old=content, new=wanted) as scratch:
        text = scratch.run("diff", "--no-index", *DIFF, "--minimal", "old", "new")
    _, start, hunks = text.stdout.decode().partition("\n@@ ")
    if not start:
        raise Failure(f"{path}: no text that a diff can be made of")
    return f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ {hunks}"


def apply(part, path, content):
    """The content with the part applied to it, at most as far off as a patch may
    be."""
    with Scratch(file=content) as scratch:
        hunks = part[part.index("\n@@ ") + 1:] if "\n@@ " in part else ""
        text = "diff --git a/file b/file\n--- a/file\n+++ b/file\n" + hunks
        done = scratch.run("apply", "--verbose", "--whitespace=nowarn", "-",
                           input=text.encode())
        said = done.stderr.decode(errors="replace")
        if done.returncode or not hunks or diffs.far_hunks(said):
            raise Failure(f"its difference in {path} does not fit the file in the overlay")
        return scratch.read("file")


def merge(content, old, new):
    """The content with what has changed from old to new; None if that touches
    what differs."""
    with Scratch(content=content, old=old, new=new) as scratch:
        done = scratch.run("merge-file", "-p", "content", "old", "new")
    return None if done.returncode else done.stdout


class Scratch(tempfile.TemporaryDirectory):
    """A folder of some files, in which git knows of no repository."""

    def __init__(self, **files):
        super().__init__()
        self.folder = os.path.realpath(self.name)
        for name, content in files.items():
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(content)

    def __enter__(self):
        return self

    def run(self, *arguments, **kwargs):
        above = os.path.dirname(self.folder)
        return Repo(self.folder).run(*arguments, env={"GIT_CEILING_DIRECTORIES": above},
                                     **kwargs)

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()
