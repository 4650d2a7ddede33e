# SPDX-License-Identifier: GPL-2.0-only
"""Bases that move: which version is taken, and patches that only older ones need."""

import contextlib
import dataclasses
import io
import shutil
import unittest

from base import source, versions
from common.ui import Failure
from series import applying, export, series, tree
from tests import moving, toy


class Order(unittest.TestCase):
    def test_by_number(self):
        self.assertEqual(sorted(["6.12.9", "6.12.117", "6.12.95-1~bpo12+1"], key=versions.key),
                         ["6.12.9", "6.12.95-1~bpo12+1", "6.12.117"])

    def test_within(self):
        known = ("6.12.95", "6.12.117")
        self.assertEqual([version for version in ("6.12.9", "6.12.95", "6.12.100", "6.12.118")
                          if versions.within(version, known)], ["6.12.95", "6.12.100"])
        self.assertTrue(versions.within("6.12.9", ()))

    def test_words(self):
        self.assertEqual(versions.words(("7.2.6", "7.2.13")), "Linux 7.2.6 to 7.2.13")
        self.assertEqual(versions.words(("7.3.4", "7.3.4")), "Linux 7.3.4")


class Choice(moving.Moving):
    def test_stored(self):
        self.assertEqual(self.series.file.read_text(),
                         "range: 9.9.4 9.9.4\n" + moving.OLDER + "two-Say-fifty.patch\n")
        self.assertIn("+uno", (self.series.folder / "older-one-Say-uno.patch").read_text())
        self.assertEqual([patch.name for patch in self.series.patches()],
                         ["two-Say-fifty.patch"])

    def test_an_older_version_gets_the_patch_in_front(self):
        self.ensure(4)
        self.assertEqual(self.made(), ("9.9.4", "uno\n", True,
                                       ["one: Say uno", "two: Say fifty"]))

    def test_a_later_one_has_it(self):
        said = self.ensure(4, 5)
        self.assertEqual(self.made(), ("9.9.5", "uno\n", True, ["two: Say fifty"]))
        self.assertIn("known to be good for Linux 9.9.4; this is 9.9.5", said)
        self.assertEqual(tree.passed_over(self.settings), {})

    def test_one_that_does_not_take_the_series_is_passed_over(self):
        said = self.ensure(4, 5, 6)
        self.assertEqual(self.made()[0], "9.9.5")
        self.assertRegex(said, r"Linux 9\.9\.6 is passed over: two-Say-fifty\.patch .*two\.c")
        self.assertEqual(list(tree.passed_over(self.settings)), ["9.9.6"])

    def test_none_takes_it(self):
        with self.assertRaisesRegex(Failure, r"no Linux 9\.9 .*; 9\.9\.6: two-Say-fifty"
                                    r"\.patch does not apply: .*two\.c"):
            self.ensure(6)
        self.assertFalse(self.settings.source.exists())

    def test_made(self):
        self.assertIsNone(tree.made(self.settings))
        self.ensure(4)
        self.assertEqual(tree.version(tree.made(self.settings)), "9.9.4")
        self.series.file.write_text("")
        self.assertIsNone(tree.made(self.settings))

    def test_a_tree_stays_when_a_newer_version_appears(self):
        self.ensure(4)
        self.ensure(4, 5)
        self.assertEqual(self.made()[0], "9.9.4")

    def test_a_series_that_has_moved_on_chooses_again(self):
        self.ensure(4, 5)
        patch = self.series.folder / "two-Say-fifty.patch"
        patch.write_text(patch.read_text().replace("-line 50\n", "-line 5O\n"))
        self.ensure(4, 5, 6)
        self.assertEqual(self.made()[0], "9.9.6")

    def test_refresh_on_a_later_version_keeps_the_patch_for_older_ones(self):
        before = self.stored()
        self.ensure(5)
        self.tree = self.settings.source
        self.refresh()
        after = self.stored()
        self.assertEqual({path for path in after if after[path] != before[path]},
                         {"patches/v9.9/series"})
        self.assertEqual(self.series.range(), ("9.9.4", "9.9.5"))

    def test_line_numbers_are_those_of_the_newest_version(self):
        lower = "".join(f"above {number}\n" for number in range(9)) + toy.TWO
        (self.offered[1].folder / "two.c").write_text(lower)
        for number, line in ((5, 56), (4, 56)):
            self.ensure(number)
            self.tree = self.settings.source
            self.refresh()
            patch = (self.series.folder / "two-Say-fifty.patch").read_text()
            self.assertIn(f"\n@@ -{line},7 +{line},7 @@", patch, number)
            shutil.rmtree(self.settings.source)

    def test_a_patch_for_older_versions_brings_no_file(self):
        self.git("reset", "-q", "--hard", "base")
        self.write("new.c", "x\n")
        self.commit("one: Say uno")
        with self.assertRaisesRegex(Failure, "new.c"):
            self.refresh()

    def test_a_users_tree_outside_the_range(self):
        self.settings.linux = str(self.offered[2].folder)
        with self.assertRaisesRegex(Failure, r"two\.c.*this is Linux 9\.9\.6; the series is "
                                    r"for Linux 9\.9\.4\)"), \
             contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            tree.ensure(self.settings)

    def test_a_users_tree_of_another_base(self):
        makefile = self.offered[0].folder / "Makefile"
        makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 9", "PATCHLEVEL = 8"))
        self.settings.linux = str(self.offered[0].folder)
        with self.assertRaisesRegex(Failure, r"is Linux 9\.8\.4, the series is for Linux 9\.9\.4"):
            source.choose(self.settings, self.series.range())

    def test_refusal_needs_no_repository(self):
        self.assertEqual([bool(applying.refusal(candidate.folder, self.series.with_older()))
                          for candidate in self.offered], [False, False, True])

    def test_mails_leave_it_out(self):
        (self.series.folder / "cover-letter").write_text("From: A <a@x>\nSubject: s\n\nb\n")
        self.assertEqual(list(export.mails_of(self.series))[1:], ["0001-two-Say-fifty.patch"])
        older, = export.older_mails_of(self.series)
        self.assertIn("Subject: [PATCH older 1/1] one: Say uno\n", older)
        self.git("reset", "-q", "--hard", "base")
        self.git("am", "-q", "-", input=export.mbox([older]))
        self.assertEqual((self.tree / "one.c").read_text(), "uno\n")

    def test_the_series_of_the_plain_base_takes_everything(self):
        self.assertEqual(series.of(dataclasses.replace(self.settings, plain=True)).range(), ())
