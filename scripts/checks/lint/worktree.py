# SPDX-License-Identifier: GPL-2.0-only
"""A second work tree of the made tree's git, in which lint goes from commit to
commit. The made tree itself is left alone, so that what was built of it stays up
to date; git writes only files that differ, so that what lint has built does."""

import shutil

from common.gitrepo import Repo
from common.ui import Progress


class WorkTree:
    def __init__(self, settings):
        self.folder = settings.work / "lint"
        self.path = self.folder / "tree"
        self.index = self.folder / "index"
        self.repo = Repo(settings.source, index=self.index)

    def check_out(self, commit):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index.with_name("index.lock").unlink(missing_ok=True)  # of one that was killed
        if not (self.path / "Makefile").exists():
            self.index.unlink(missing_ok=True)
            shutil.rmtree(self.path, ignore_errors=True)
        fresh = not self.index.exists()
        progress = Progress("check out a tree for lint")
        self.path.mkdir(exist_ok=True)
        self.repo.bytes("--work-tree", str(self.path), "read-tree", "-u", "--reset", commit)
        if fresh:
            progress.done()
