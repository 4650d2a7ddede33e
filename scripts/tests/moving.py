# SPDX-License-Identifier: GPL-2.0-only
"""Toy bases of which there are several versions."""

import contextlib
import dataclasses
import io
import shutil
from unittest import mock

from common.gitrepo import Repo
from series import tree
from tests import toy

OLDER = "older: older-one-Say-uno.patch\n"


@dataclasses.dataclass
class Candidate:
    """A version that the archive offers: a toy tree's folder."""
    version: str
    folder: object

    def unpack(self, target):
        shutil.copytree(self.folder, target, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns(".git"))


class Moving(toy.ToyTest):
    """Linux 9.9.4 as it is; 9.9.5, which has what the first patch brings; 9.9.6, in
    which the lines have changed that the second one edits."""

    def setUp(self):
        super().setUp()
        self.offered = [self.version(number) for number in (4, 5, 6)]
        self.edit("one.c", "one\n", "uno\n")
        self.commit("one: Say uno\n\nLater versions do.")
        self.edit("two.c", "line 50\n", "line fifty\n")
        self.commit("two: Say fifty")
        (self.series.file).write_text(OLDER)
        self.refresh()

    def version(self, number):
        folder = self.folder / f"9.9.{number}"
        shutil.copytree(self.tree, folder, ignore=shutil.ignore_patterns(".git"))
        text = (folder / "Makefile").read_text()
        (folder / "Makefile").write_text(text.replace("SUBLEVEL = 4", f"SUBLEVEL = {number}"))
        if number > 4:
            (folder / "one.c").write_text("uno\n")
        if number > 5:
            (folder / "two.c").write_text(toy.TWO.replace("line 50\n", "line 5O\n"))
        return Candidate(f"9.9.{number}", folder)

    def ensure(self, *numbers):
        """From an archive that offers these, the newest first."""
        found = [candidate for candidate in reversed(self.offered)
                 if int(candidate.version[-1]) in numbers]
        with mock.patch("base.source.Debian.candidates",
                        lambda debian: contextlib.nullcontext(found)), \
             contextlib.redirect_stderr(io.StringIO()), \
             contextlib.redirect_stdout(io.StringIO()) as said:
            tree.ensure(self.settings)
        return said.getvalue()

    def made(self):
        """(version, {file: content}, subjects) of the made tree."""
        repo = Repo(self.settings.source)
        return (tree.version(repo), (self.settings.source / "one.c").read_text(),
                "line fifty\n" in (self.settings.source / "two.c").read_text(),
                repo.text("log", "--reverse", "--format=%s", "base..HEAD").split("\n"))
