# SPDX-License-Identifier: GPL-2.0-only
"""Toy bases next to each other: v9.9, the first, v9.8, and more where a test makes
them."""

import contextlib
import dataclasses
import io
import shutil

from common.gitrepo import Repo
from series import series, tree
from tests import toy


class SeveralTest(toy.ToyTest):
    """`self.new` and `self.old` are (tree, stored series, settings) of the two."""

    def setUp(self):
        super().setUp()
        self.new = self.tree, self.series, self.settings
        self.old = self.another(8)

    def another(self, number):
        name = f"v9.{number}"
        shutil.copytree(self.tree, self.folder / name)
        base = (self.folder / name, series.Series(self.top, name),
                dataclasses.replace(self.settings, base=name))
        with self.on(base):
            self.edit("Makefile", "PATCHLEVEL = 9", f"PATCHLEVEL = {number}")
            self.commit(f"Linux 9.{number}.7")
            self.git("tag", "-f", "base")
        return base

    @contextlib.contextmanager
    def on(self, base):
        before = self.tree, self.series, self.settings
        self.tree, self.series, self.settings = base
        yield
        self.tree, self.series, self.settings = before

    def amend(self, back, path, old, new):
        """A change of a file in a commit that is so far from the last one."""
        self.edit(path, old, new)
        self.git("commit", "-q", "-a", f"--fixup=HEAD~{back}")
        self.git("-c", "sequence.editor=true", "rebase", "-q", "-i", "--autosquash", "base")

    def made_again(self):
        """The tree that the stored series makes of the base, and its messages."""
        wanted = self.git("rev-parse", "HEAD")
        self.git("checkout", "-q", "--detach", "base")
        self.settings.linux = str(self.tree)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            tree.ensure(self.settings)
        self.git("checkout", "-q", wanted)
        repo = Repo(self.settings.source)
        self.assertEqual(repo.changes(), [])
        return self.state(repo.path)

    def state(self, path):
        return (self.tree_of(path),
                Repo(path).text("log", "--reverse", "--format=%an%n%B", "base..HEAD"))

    def require_same(self, *of):
        """Each base gets from what is stored what its tree says."""
        for base in of or (self.new, self.old):
            with self.on(base):
                self.assertEqual(self.made_again(), self.state(self.tree))
