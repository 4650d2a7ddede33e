# SPDX-License-Identifier: GPL-2.0-only
"""make rebase, with toy trees."""

import contextlib
import io
from unittest import mock

from cli import cmd_rebase, cmd_refresh
from common.gitrepo import Repo
from common.ui import Failure
from series import rebase
from tests import moving, toy


class Rebase(moving.Moving):
    """Two patches, without one for older versions; the series is on 9.9.4."""

    def setUp(self):
        super().setUp()
        self.series.file.unlink()
        self.refresh()
        self.ensure(4)

    def rebase(self, number):
        """What was said."""
        with mock.patch("series.rebase.target",
                        lambda *_: contextlib.nullcontext([self.offered[number - 4]])), \
             contextlib.redirect_stderr(io.StringIO()), \
             contextlib.redirect_stdout(io.StringIO()) as said:
            cmd_rebase.main(self.settings)
        return said.getvalue()

    def refresh_made(self):
        with contextlib.redirect_stdout(io.StringIO()):
            cmd_refresh.main(self.settings)

    def stored_subjects(self):
        return [patch.mail.subject for patch in self.series.patches()]

    def two(self):
        return (self.settings.source / "two.c").read_text()

    def test_a_clean_move(self):
        # 9.9.7 has nothing of the series, and other lines above it
        makefile = self.offered[0].folder / "Makefile"
        makefile.write_text(makefile.read_text().replace("SUBLEVEL = 4", "SUBLEVEL = 7"))
        (self.offered[0].folder / "two.c").write_text("".join(
            f"above {number}\n" for number in range(50)) + toy.TWO)
        said = self.rebase(4)
        self.assertIn("on Linux 9.9.7", said)
        self.assertNotIn("dropped", said)
        self.assertEqual(self.made(), ("9.9.7", "uno\n", True, ["one: Say uno", "two: Say fifty"]))
        self.refresh_made()
        self.assertEqual(self.stored_subjects(), ["one: Say uno", "two: Say fifty"])
        self.assertEqual(self.series.range(), ("9.9.4", "9.9.7"))
        self.ensure(4)      # goes on with the version that it was moved to
        self.assertEqual(self.made()[0], "9.9.7")
        self.assertEqual(Repo(self.settings.source).changes(), [])

    def test_a_patch_that_has_become_empty(self):
        self.assertIn("dropped, as Linux 9.9.5 has it: one: Say uno\n", self.rebase(5))
        self.refresh_made()
        self.assertEqual(self.stored_subjects(), ["two: Say fifty"])

    def conflict(self):
        with self.assertRaises(rebase.Conflict) as caught:
            self.rebase(6)
        return str(caught.exception)

    def test_a_conflict(self):
        said = self.conflict()
        for words in ('"two: Say fifty" does not go onto Linux 9.9.6', "two.c",
                      "git rebase --continue", "git rebase --abort", "make refresh BASE=9.9"):
            self.assertIn(words, said)
        self.assertIn("<<<<<<<", self.two())

        (self.settings.source / "two.c").write_text(toy.TWO.replace("line 50", "line fifty"))
        self.git("add", "two.c", cwd=self.settings.source)
        self.git("-c", "core.editor=true", "rebase", "--continue", cwd=self.settings.source)
        self.refresh_made()
        self.assertEqual(self.stored_subjects(), ["two: Say fifty"])
        self.assertIn("-line 5O\n+line fifty\n",
                      (self.series.folder / "two-Say-fifty.patch").read_text())
        self.ensure(4)
        self.assertEqual(self.made()[0], "9.9.6")

    def test_a_conflict_that_is_left(self):
        before = self.made()
        self.conflict()
        self.git("rebase", "--abort", cwd=self.settings.source)
        self.assertEqual(self.made(), before)
        self.ensure(4)
        self.assertEqual(self.git("for-each-ref", "refs/project/next", cwd=self.settings.source), "")
        stored = self.stored()
        self.refresh_made()
        self.assertEqual(self.stored(), stored)
        self.ensure(4)
        self.assertEqual(self.made(), before)

    def test_nothing_is_built_in_the_middle(self):
        before = self.made()
        self.conflict()
        for step in (lambda: self.rebase(5), lambda: self.ensure(4)):
            with self.assertRaisesRegex(Failure, "middle of .*--continue.*--abort"):
                step()
        self.assertIn("<<<<<<<", self.two())
        self.git("rebase", "--abort", cwd=self.settings.source)
        self.assertEqual(self.made(), before)

    def test_half_a_series_is_not_stored(self):
        stored = self.stored()
        self.git("-c", "sequence.editor=sed -i s/pick/edit/", "rebase", "-i", "base",
                 cwd=self.settings.source)
        self.ensure(4)   # is built
        with self.assertRaisesRegex(Failure, "middle of"):
            self.refresh_made()
        self.assertEqual(self.stored(), stored)

    def test_work_that_is_not_stored_is_refused(self):
        (self.settings.source / "one.c").write_text("mine\n")
        with self.assertRaisesRegex(Failure, "one.c"):
            self.rebase(5)
