# SPDX-License-Identifier: GPL-2.0-only
"""make refresh of a base after that of another, from made trees."""

import contextlib
import io

from cli import cmd_refresh
from common.ui import Failure
from series import tree
from tests import several, toy


class Refresh(several.SeveralTest):
    def setUp(self):
        super().setUp()
        for base in (self.new, self.old):
            with self.on(base):
                self.write("drivers/mmm.c", "".join(f"int mmm{n};\n" for n in range(30)))
                self.write(f"drivers/{self.series.base}.c", "int own;\n")
                self.commit("mmm: Add a driver")
                self.edit("MAINTAINERS", "ZZZ", toy.ENTRY + "\nZZZ")
                self.commit("MAINTAINERS: Add mmm")
                self.refresh()
                self.git("checkout", "-q", "--detach", "base")
                self.settings.linux = str(self.tree)
        self.made(self.new)
        self.made(self.old)

    def made(self, base):
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            return tree.ensure(base[2])

    def change(self, base, old, new, path="drivers/mmm.c"):
        """In the commit that brings the driver, in the made tree."""
        with self.on((base[2].source, *base[1:])):
            self.amend(1, path, old, new)

    def refresh_made(self, base):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            cmd_refresh.main(base[2])
        return said.getvalue()

    def driver(self, base):
        patch = base[1].patches()[0]
        return base[1].resolve(patch, "drivers/mmm.c").decode()

    def refused(self):
        before = self.stored()
        with self.assertRaisesRegex(Failure, "drivers/mmm.c.*make tree BASE=9.8") as caught:
            self.refresh_made(self.old)
        self.assertEqual(self.stored(), before)
        return caught.exception.cause

    def test_a_tree_from_before_would_undo_the_change(self):
        self.change(self.new, "mmm3;", "changed;")
        self.refresh_made(self.new)
        self.assertIn("changed;", self.driver(self.old))
        self.assertNotIn("git branch", self.refused())

        self.made(self.old)
        said = self.refresh_made(self.old)
        self.assertIn("changed;", self.driver(self.old))
        self.assertNotIn("differs from the overlay", said)

    def test_the_way_out_with_work_of_ones_own(self):
        self.change(self.old, "mmm20;", "mine;")
        self.change(self.new, "mmm3;", "changed;")
        self.refresh_made(self.new)
        said = self.refused()
        with self.assertRaises(Failure):
            self.made(self.old)
        for step in said.split("`")[-4:-1:2]:
            self.git(*step.split()[1:], cwd=self.old[2].source)
        self.made(self.old)
        self.assertEqual(self.git("log", "-1", "--format=%s", "mine", cwd=self.old[2].source),
                         "MAINTAINERS: Add mmm")
        self.refresh_made(self.old)
        self.assertIn("changed;", self.driver(self.old))

    def test_a_refreshed_tree_is_overtaken_too(self):
        self.change(self.old, "mmm20;", "mine;")
        self.refresh_made(self.old)
        self.refresh_made(self.old)
        self.change(self.new, "mmm3;", "changed;")
        self.refresh_made(self.new)
        self.assertIn("changed;", self.driver(self.old))
        self.refused()

    def test_a_change_that_was_taken_back(self):
        self.refresh_made(self.old)
        for old, new in (("mmm3;", "changed;"), ("changed;", "mmm3;")):
            self.change(self.new, old, new)
            self.refresh_made(self.new)
            self.refused()
            self.made(self.old)

    def test_others_are_not_refused(self):
        self.change(self.old, "mmm3;", "mine;")     # its own, and what it has otherwise
        self.change(self.old, "own;", "mine;", "drivers/v9.8.c")
        self.refresh_made(self.old)
        self.change(self.new, "mmm3;", "changed;")
        self.assertIn("v9.8 keeps its drivers/mmm.c", self.refresh_made(self.new))
        self.refresh_made(self.old)
        self.assertIn("mine;", self.driver(self.old))

    def test_the_same_change_made_there(self):
        for base in (self.new, self.old):
            self.change(base, "mmm3;", "changed;")
            self.refresh_made(base)
        self.assertEqual(self.old[1].differences(), {})
