# SPDX-License-Identifier: GPL-2.0-only
import os

from common.ui import Failure
from series import mails
from tests import toy


class Refresh(toy.ToyTest):
    def test_stores_edits_and_overlay_apart(self):
        self.make_series()
        self.assertEqual(len(self.refresh()), 3)
        self.assertEqual(self.series.entries(), [
            ("two-Say-fifty.patch", []),
            ("mmm-Add-a-driver.patch", ["drivers/mmm.c", "empty", "tools/mmm.sh"]),
            ("MAINTAINERS-Add-mmm.patch", ["MAINTAINERS"]),
        ])
        self.assertEqual((self.top / "drivers/mmm.c").read_text(), "int mmm;\n\nint more;\n")
        self.assertTrue(os.access(self.top / "tools/mmm.sh", os.X_OK))
        self.assertEqual((self.top / "MAINTAINERS").read_text(), toy.ENTRY)
        patch = (self.series.folder / "mmm-Add-a-driver.patch").read_text()
        self.assertIn("+mmm\n", patch)
        self.assertNotIn("int mmm", patch)
        self.assertNotIn("\nindex ", patch)
        place = (self.series.folder / "MAINTAINERS-Add-mmm.patch").read_text()
        self.assertIn("@@ -4,6 +4,6 @@\n", place)
        self.assertNotIn("MMM", place)

    def test_headers(self):
        self.make_series()
        self.refresh()
        lines = (self.series.folder / "two-Say-fifty.patch").read_text().split("\n")
        self.assertEqual(lines[:8], [
            "From: Jöe Dóe <joe@example.org>", "Date: Fri, 2 Jan 2026 03:04:05 +0200",
            "Subject: [PATCH] two: Say fifty", "", "A reason.", "",
            "More of it, with an ü.", "---"])

    def test_second_refresh_changes_nothing(self):
        self.make_series()
        self.refresh()
        before = self.stored()
        self.refresh()
        self.assertEqual(self.stored(), before)

    def test_a_new_date_alone_changes_nothing(self):
        self.make_series()
        self.refresh()
        before = self.stored()
        self.git("commit", "-q", "--amend", "--no-edit", "--date=2030-01-01T00:00:00+0000")
        self.refresh()
        self.assertEqual(self.stored(), before)

    def test_removes_what_the_series_no_longer_has(self):
        self.make_series()
        self.refresh()
        (self.series.folder / "cover-letter").write_text("stays\n")
        self.git("reset", "-q", "--hard", "HEAD~2")
        self.refresh()
        self.assertEqual(list(self.stored()), [
            "MAINTAINERS", "patches/v9.9/cover-letter", "patches/v9.9/series",
            "patches/v9.9/two-Say-fifty.patch"])

    def test_keeps_a_file_that_another_base_uses(self):
        self.make_series()
        self.refresh()
        other = self.top / "patches/v9.8"
        other.mkdir()
        (other / "series").write_text("x.patch drivers/mmm.c\n")
        (other / "x.patch").write_text(mails.Mail("X <x@example.org>", "now", "x").store())
        self.git("reset", "-q", "--hard", "HEAD~2")
        self.refresh()
        self.assertTrue((self.top / "drivers/mmm.c").exists())
        self.assertFalse((self.top / "tools").exists())

    def refused(self, *words):
        before = self.stored()
        with self.assertRaises(Failure) as caught:
            self.refresh()
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertEqual(self.stored(), before)

    def test_refuses_a_file_that_arrives_in_parts(self):
        self.make_series()
        self.edit("drivers/mmm.c", "more", "less")
        self.commit("mmm: Change the driver")
        self.refused("drivers/mmm.c", "mmm: Change the driver", "mmm: Add a driver")

    def test_refuses_edits_without_a_commit(self):
        self.make_series()
        self.edit("one.c", "mmm", "nnn")
        self.refused("one.c")

    def test_refuses_new_files_without_a_commit(self):
        self.make_series()
        self.write("stray.c", "x\n")
        self.refused("stray.c")

    def test_refuses_blanks_in_an_edit(self):
        self.edit("one.c", "one\n", "one \n")
        self.commit("one: Add a blank")
        self.refused("one.c:1")

    def test_refuses_blanks_in_a_new_file(self):
        self.write("new.c", "x\n\t\n")
        self.commit("new: Add a blank")
        self.refused("new.c:2")

    def test_refuses_an_empty_line_at_the_end_of_a_file(self):
        self.write("new.c", "x\n\n")
        self.commit("new: Add an empty line")
        self.refused("new.c")

    def test_refuses_a_merge(self):
        self.git("checkout", "-q", "-b", "side")
        self.edit("two.c", "line 9\n", "")
        self.commit("side")
        self.git("checkout", "-q", "main")
        self.edit("one.c", "one", "uno")
        self.commit("main")
        self.git("merge", "-q", "--no-edit", "side")
        self.refused("merge")

    def test_refuses_a_link(self):
        (self.tree / "link").symlink_to("one.c")
        self.commit("link: Add one")
        self.refused("link", "no plain file")

    def test_refuses_other_changes_of_maintainers(self):
        self.edit("MAINTAINERS", "AAA", "BBB")
        self.commit("MAINTAINERS: Rename")
        self.refused("MAINTAINERS", "one entry")


class NoTag(toy.ToyTest):
    def test_starts_at_the_root_commit(self):
        self.git("tag", "-d", "base")
        self.make_series()
        self.assertEqual(len(self.refresh()), 3)
