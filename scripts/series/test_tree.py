# SPDX-License-Identifier: GPL-2.0-only
import contextlib
import io
import os
import shutil

from common.gitrepo import Repo
from common.ui import Failure
from series import stale, tree
from tests import toy


class MadeTree(toy.ToyTest):
    """The toy tree is the base by LINUX=; the series is made there first."""

    def setUp(self):
        super().setUp()
        self.make_series()
        self.refresh()
        self.wanted = self.tree_of(self.tree)
        self.git("checkout", "-q", "--detach", "base")
        self.settings.linux = str(self.tree)
        self.made = self.settings.source

    def ensure(self):
        with contextlib.redirect_stderr(io.StringIO()), \
             contextlib.redirect_stdout(io.StringIO()) as said:
            tree.ensure(self.settings)
        return said.getvalue()

    def refused(self, *words):
        with self.assertRaises(Failure) as caught:
            self.ensure()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def head(self):
        return Repo(self.made).text("rev-parse", "HEAD")

    def test_round_trip(self):
        before = self.stored()
        self.ensure()
        self.assertEqual(self.tree_of(self.made), self.wanted)
        self.assertEqual(Repo(self.made).changes(), [])
        log = Repo(self.made).text("log", "--format=%an|%ai|%s")
        self.assertEqual(log.split("\n")[0],
                         "Jöe Dóe|2026-01-02 03:04:05 +0200|MAINTAINERS: Add mmm")
        self.assertEqual(len(log.split("\n")), 4)
        self.tree = self.made
        self.refresh()
        self.assertEqual(self.stored(), before)

    def test_same_commits_every_time(self):
        self.ensure()
        first = self.head()
        shutil.rmtree(self.made)
        self.ensure()
        self.assertEqual(self.head(), first)

    def test_the_users_tree_stays_as_it_is(self):
        before = self.git("rev-parse", "HEAD"), self.git("status", "--porcelain")
        self.edit("one.c", "one", "an edit that no commit holds")
        self.ensure()
        self.assertIn("an edit", (self.tree / "one.c").read_text())
        self.edit("one.c", "an edit that no commit holds", "one")
        self.assertEqual((self.git("rev-parse", "HEAD"), self.git("status", "--porcelain")),
                         before)

    def test_writes_only_what_differs(self):
        self.ensure()
        for name in ("one.c", "two.c", "drivers/mmm.c"):
            os.utime(self.made / name, (1, 1))
        (self.top / "drivers/mmm.c").write_text("int changed;\n")
        self.ensure()
        self.assertEqual((self.made / "drivers/mmm.c").read_text(), "int changed;\n")
        times = [os.stat(self.made / name).st_mtime == 1
                 for name in ("one.c", "two.c", "drivers/mmm.c")]
        self.assertEqual(times, [True, True, False])

    def test_removed_patch_is_undone(self):
        self.ensure()
        (self.series.file).write_text("two-Say-fifty.patch\n")
        self.ensure()
        self.assertFalse((self.made / "drivers/mmm.c").exists())
        self.assertEqual((self.made / "one.c").read_text(), "one\n")

    def change_series(self):
        (self.top / "drivers/mmm.c").write_text("int changed;\n")

    def test_never_loses_edits(self):
        self.ensure()
        (self.made / "one.c").write_text("my work\n")
        self.change_series()
        self.refused("one.c", "make refresh")
        self.assertEqual((self.made / "one.c").read_text(), "my work\n")

    def test_never_loses_new_files(self):
        self.ensure()
        (self.made / "mine.c").write_text("my work\n")
        self.change_series()
        self.refused("mine.c", "make refresh")

    def test_never_loses_commits(self):
        self.ensure()
        (self.made / "one.c").write_text("my work\n")
        self.commit("one: My work", cwd=self.made)
        mine = self.head()
        self.change_series()
        self.refused("commits", "make refresh")
        self.assertEqual(self.head(), mine)

    def test_work_is_used_as_long_as_the_series_is_the_same(self):
        self.ensure()
        (self.made / "one.c").write_text("my work\n")
        self.assertIn("one.c", self.ensure())
        self.assertEqual((self.made / "one.c").read_text(), "my work\n")

    def test_refreshed_commits_are_saved_work(self):
        self.ensure()
        (self.made / "one.c").write_text("my work\n")
        self.commit("one: My work", cwd=self.made)
        self.tree = self.made
        self.refresh()
        tree.mark_refreshed(self.made, self.series)
        wanted = self.tree_of(self.made)
        os.utime(self.made / "one.c", (1, 1))
        self.ensure()
        self.assertEqual(self.tree_of(self.made), wanted)
        self.assertEqual(os.stat(self.made / "one.c").st_mtime, 1)

    def test_another_work_tree_of_the_made_one(self):
        self.ensure()
        beside = self.folder / "beside"
        self.git("worktree", "add", "-q", "--detach", str(beside), cwd=self.made)
        (beside / "one.c").write_text("my work\n")
        self.commit("one: My work", cwd=beside)
        self.assertFalse(stale.is_stale(beside, self.series))
        self.tree = beside
        self.refresh()
        tree.mark_refreshed(beside, self.series)
        self.ensure()
        self.assertEqual((self.made / "one.c").read_text(), "my work\n")

    def test_stale(self):
        self.assertFalse(stale.is_stale(self.tree, self.series))   # not a made one
        self.ensure()
        self.assertFalse(stale.is_stale(self.made, self.series))
        (self.made / "drivers/mmm.c").write_text("int mine;\n")
        self.git("commit", "-q", "-a", "--fixup=HEAD~1", cwd=self.made)
        self.git("-c", "sequence.editor=true", "rebase", "-q", "-i", "--autosquash", "base",
                 cwd=self.made)
        self.tree = self.made
        self.refresh()
        self.assertTrue(stale.is_stale(self.made, self.series))
        tree.mark_refreshed(self.made, self.series)
        self.assertFalse(stale.is_stale(self.made, self.series))
        self.change_series()
        self.assertTrue(stale.is_stale(self.made, self.series))

    def move_base(self, lines):
        """A base in which everything in two.c stands some lines further down."""
        self.edit("two.c", "line 1\n", "new\n" * lines + "line 1\n")
        self.commit("Linux 9.9.5")

    def test_takes_a_small_offset(self):
        self.move_base(20)
        self.ensure()
        self.assertIn("line fifty", (self.made / "two.c").read_text())

    def test_refuses_a_large_offset(self):
        self.move_base(21)
        self.refused("two-Say-fifty.patch", "two.c", "21")

    def test_refuses_changed_context(self):
        self.edit("two.c", "line 49\n", "line forty-nine\n")
        self.commit("Linux 9.9.5")
        self.refused("two-Say-fifty.patch", "two.c")

    def test_refuses_a_file_that_is_there_already(self):
        self.write("drivers/mmm.c", "theirs\n")
        self.commit("Linux 9.9.5")
        self.refused("mmm-Add-a-driver.patch", "drivers/mmm.c")

    def test_refuses_another_version(self):
        self.edit("Makefile", "PATCHLEVEL = 9", "PATCHLEVEL = 8")
        self.commit("Linux 9.8.4")
        self.refused("9.8.4", "9.9")
        self.assertFalse(self.made.exists())

    def test_another_base_replaces_the_tree(self):
        self.ensure()
        self.edit("one.c", "one", "one\ntwo")
        self.commit("Linux 9.9.5")
        self.refused("mmm-Add-a-driver.patch", "one.c")
        self.git("reset", "-q", "--hard", "base")
        self.ensure()
        self.assertEqual(self.tree_of(self.made), self.wanted)

    def test_tarball(self):
        tarball = self.folder / "linux.tar.gz"
        self.git("archive", "--prefix=linux-9.9.4/", "-o", str(tarball), "base")
        self.settings.linux = str(tarball)
        self.ensure()
        self.assertEqual(self.tree_of(self.made), self.wanted)

    def test_plain_folder(self):
        plain = self.folder / "plain"
        shutil.copytree(self.tree, plain, ignore=shutil.ignore_patterns(".git"))
        self.settings.linux = str(plain)
        self.ensure()
        self.assertEqual(self.tree_of(self.made), self.wanted)

    def test_no_such_base(self):
        self.settings.linux = str(self.folder / "nothing")
        self.refused("nothing")
