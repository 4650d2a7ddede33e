# SPDX-License-Identifier: GPL-2.0-only
"""A toy kernel tree with a toy series, for tests that need git."""

import os
import subprocess

from common import settings
from common.gitrepo import Repo
from series import refresh
from series.series import Series
from tests.folder import FolderTest

MAINTAINERS = """\
List of maintainers

AAA DRIVER
M:\tA <a@example.org>
F:\tdrivers/aaa/

ZZZ DRIVER
M:\tZ <z@example.org>
F:\tdrivers/zzz/

"""
ENTRY = "MMM DRIVER\nM:\tM <m@example.org>\nF:\tdrivers/mmm.c\n"
TWO = "".join(f"line {number}\n" for number in range(1, 101))


class ToyTest(FolderTest):
    """`self.top` is a repository like ours, `self.tree` a git tree with a base
    and no series yet."""

    def setUp(self):
        super().setUp()
        self.top, self.tree = self.folder / "top", self.folder / "tree"
        self.settings = settings.Settings(base="v9.9", top=self.top)
        (self.top / "patches/v9.9").mkdir(parents=True)
        (self.top / "build/v9.9").mkdir(parents=True)
        self.series = Series(self.top, "v9.9")
        self.make_base()

    def make_base(self):
        self.tree.mkdir()
        self.write("Makefile", "VERSION = 9\nPATCHLEVEL = 9\nSUBLEVEL = 4\n")
        self.write("MAINTAINERS", MAINTAINERS)
        self.write("one.c", "one\n")
        self.write("two.c", TWO)
        self.git("init", "-q", "-b", "main")
        self.commit("Linux 9.9.4")
        self.git("tag", "base")

    def write(self, path, text, mode=0o644):
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def edit(self, path, old, new):
        file = self.tree / path
        text = file.read_text()
        self.assertIn(old, text)
        file.write_text(text.replace(old, new))

    def git(self, *arguments, cwd=None, input=None):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_AUTHOR_NAME": "Jöe Dóe", "GIT_AUTHOR_EMAIL": "joe@example.org",
               "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+0200",
               "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.org"}
        done = subprocess.run(["git", *arguments], cwd=cwd or self.tree, env=env,
                              input=input, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def commit(self, message, cwd=None):
        self.git("add", "-A", cwd=cwd)
        self.git("commit", "-q", "-m", message, cwd=cwd)

    def make_series(self):
        """Three commits: an edit, files with a hook, an entry in MAINTAINERS."""
        self.edit("two.c", "line 50\n", "line fifty\n")
        self.commit("two: Say fifty\n\nA reason.\n\nMore of it, with an ü.")
        self.write("drivers/mmm.c", "int mmm;\n\nint more;\n")
        self.write("tools/mmm.sh", "#!/bin/sh\n", 0o755)
        self.write("empty", "")
        self.edit("one.c", "one\n", "one\nmmm\n")
        self.commit("mmm: Add a driver")
        self.edit("MAINTAINERS", "ZZZ", ENTRY + "\nZZZ")
        self.commit("MAINTAINERS: Add mmm")

    def refresh(self):
        patches, self.notes = refresh.refresh(self.series, self.tree)
        return patches

    def stored(self):
        """Everything that refresh writes: {path: content}."""
        return {str(file.relative_to(self.top)): file.read_bytes()
                for file in sorted(self.top.rglob("*"))
                if file.is_file() and "build" not in file.parts}

    def tree_of(self, path, commit="HEAD"):
        return Repo(path).text("rev-parse", f"{commit}^{{tree}}")
