# SPDX-License-Identifier: GPL-2.0-only
"""Two bases, one overlay: v9.9, to which files of both belong, and v9.8."""

import contextlib
import io
import unittest

from common.gitrepo import Repo
from common.ui import Failure
from series import difference, tree
from tests import several, toy

DRIVER = "".join(f"int mmm{number};\n" for number in range(1, 41))


class Sharing(several.SeveralTest):
    def make_series(self, **replaced):
        text = DRIVER
        for old, new in replaced.items():
            self.assertIn(f"{old};", text)
            text = text.replace(f"{old};", f"{new};")
        self.write("drivers/mmm.c", text)
        self.edit("one.c", "one\n", "one\nmmm\n")
        self.commit("mmm: Add a driver")
        self.edit("MAINTAINERS", "ZZZ", toy.ENTRY + "\nZZZ")
        self.commit("MAINTAINERS: Add mmm")

    def amend(self, base, old, new):
        """A change in the patch that brings the driver, and the refresh."""
        with self.on(base):
            super().amend(1, "drivers/mmm.c", f"{old};", f"{new};")
            self.refresh()

    def both(self, **replaced):
        """v9.8 differs in what is named."""
        self.make_series()
        self.refresh()
        with self.on(self.old):
            self.make_series(**replaced)
            self.refresh()

    def patch(self, base):
        return base[1].place("mmm-Add-a-driver.patch").read_text()

    def overlay(self):
        return (self.top / "drivers/mmm.c").read_text()

    def driver(self, base):
        """What the series of the base would make of the driver."""
        stored = base[1]
        patch, = (patch for patch in stored.patches() if "drivers/mmm.c" in patch.added)
        return stored.resolve(patch, "drivers/mmm.c").decode()

    def test_the_same_file_stands_once(self):
        self.both()
        for base in (self.new, self.old):
            self.assertNotIn("drivers/mmm.c", self.patch(base))
            self.assertEqual(base[1].differences(), {})
        self.assertEqual(self.old[1].entries(), self.new[1].entries())

    def test_a_difference_is_a_hunk_in_the_patch(self):
        self.both(mmm20="old")
        self.assertEqual(self.overlay(), DRIVER)
        self.assertIn("--- a/drivers/mmm.c\n+++ b/drivers/mmm.c\n@@ -17,7 +17,7 @@ int mmm16;\n"
                      " int mmm17;\n int mmm18;\n int mmm19;\n-int mmm20;\n+int old;\n",
                      self.patch(self.old))
        self.assertNotIn("drivers/mmm.c", self.patch(self.new))
        self.assertEqual(list(self.old[1].differences()), ["drivers/mmm.c"])

    def test_round_trip(self):
        self.both(mmm3="old", mmm40="older")
        before = self.stored()
        for base in (self.new, self.old):
            with self.on(base):
                wanted = self.tree_of(self.tree)
                self.git("checkout", "-q", "--detach", "base")
                self.settings.linux = str(self.tree)
                with contextlib.redirect_stderr(io.StringIO()):
                    tree.ensure(self.settings)
                self.assertEqual(self.tree_of(self.settings.source), wanted)
                self.assertEqual(Repo(self.settings.source).changes(), [])
                self.tree = self.settings.source
                self.refresh()
        self.assertEqual(self.stored(), before)

    def test_a_change_goes_to_both(self):
        self.both(mmm20="old")
        self.amend(self.new, "mmm4", "changed")
        changed = DRIVER.replace("mmm4;", "changed;")
        self.assertEqual(self.overlay(), changed)
        self.assertEqual(self.driver(self.new), changed)
        self.assertEqual(self.driver(self.old), changed.replace("mmm20;", "old;"))
        self.assertEqual(self.notes, [])

    def test_a_change_goes_to_one_that_had_no_difference(self):
        self.both()
        self.amend(self.new, "mmm4", "changed")
        self.assertIn("changed;", self.driver(self.old))
        self.assertEqual(self.old[1].differences(), {})

    def test_the_same_change_ends_a_difference(self):
        self.both(mmm20="old")
        self.amend(self.new, "mmm20", "old")
        self.assertEqual(self.old[1].differences(), {})
        self.assertNotIn("drivers/mmm.c", self.patch(self.old))

    def test_a_change_of_what_differs_is_left_to_the_user(self):
        self.both(mmm20="old")
        before = self.driver(self.old)
        self.amend(self.new, "mmm20", "changed")
        self.assertIn("changed;", self.overlay())
        self.assertEqual(self.driver(self.old), before)
        self.assertRegex(self.notes[0], "v9.8 keeps its drivers/mmm.c")

    def test_a_change_for_the_other_base_stays_there(self):
        self.both()
        self.amend(self.old, "mmm4", "changed")
        self.assertEqual(self.overlay(), DRIVER)
        self.assertEqual(self.driver(self.old), DRIVER.replace("mmm4;", "changed;"))
        self.assertNotIn("drivers/mmm.c", self.patch(self.new))

    def test_a_file_of_one_base(self):
        with self.on(self.old):
            self.make_series(mmm1="old")
            self.refresh()
        self.assertEqual(self.overlay(), DRIVER.replace("mmm1;", "old;"))
        self.assertNotIn("drivers/mmm.c", self.patch(self.old))

    def test_a_file_that_another_base_comes_to_own(self):
        with self.on(self.old):
            self.make_series(mmm1="old")
            self.refresh()
        self.make_series()
        self.refresh()
        self.assertEqual(self.overlay(), DRIVER)
        self.assertEqual(self.driver(self.old), DRIVER.replace("mmm1;", "old;"))

    def test_a_file_that_its_base_drops(self):
        self.both(mmm20="old")
        self.git("reset", "-q", "--hard", "base")
        self.make_series()
        self.git("rm", "-q", "drivers/mmm.c")
        self.git("commit", "-q", "--fixup=HEAD~1")
        self.git("-c", "sequence.editor=true", "rebase", "-q", "-i", "--autosquash", "base")
        self.refresh()
        self.assertEqual(self.driver(self.old), DRIVER.replace("mmm20;", "old;"))
        with self.on(self.old):
            self.refresh()
        self.assertEqual(self.overlay(), DRIVER.replace("mmm20;", "old;"))
        self.assertEqual(self.old[1].differences(), {})

    def refused(self, base, *words):
        before = self.stored()
        with self.on(base), self.assertRaises(Failure) as caught:
            self.refresh()
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertEqual(self.stored(), before)

    def test_one_entry_in_maintainers_for_all(self):
        self.make_series()
        self.refresh()
        with self.on(self.old):
            self.make_series()
            self.edit("MAINTAINERS", "M <m@", "N <n@")
            self.git("commit", "-q", "-a", "--amend", "--no-edit")
        self.refused(self.old, "MAINTAINERS", "other bases")

    def test_one_mode_for_all(self):
        self.make_series()
        self.refresh()
        with self.on(self.old):
            self.make_series()
            (self.tree / "drivers/mmm.c").chmod(0o755)
            self.git("commit", "-q", "-a", "--fixup=HEAD~1")
            self.git("-c", "sequence.editor=true", "rebase", "-q", "-i", "--autosquash", "base")
        self.refused(self.old, "drivers/mmm.c", "executable")

    def test_a_difference_that_no_longer_fits(self):
        self.both(mmm20="old")
        (self.top / "drivers/mmm.c").write_text(DRIVER.replace("mmm21;", "by_hand;"))
        with self.assertRaisesRegex(Failure, "v9.8/mmm-Add.*drivers/mmm.c"):
            self.driver(self.old)

    def test_a_difference_that_has_moved(self):
        self.both(mmm20="old")
        for lines, fits in ((20, True), (21, False)):
            (self.top / "drivers/mmm.c").write_text("int more;\n" * lines + DRIVER)
            with contextlib.nullcontext() if fits else self.assertRaises(Failure):
                self.assertIn("int old;\n", self.driver(self.old))


class Difference(unittest.TestCase):
    def test_apply_is_the_reverse_of_make(self):
        for old, new in ((b"", b"a\n"), (b"a\nb\n", b"b\n"), (b"a\n" * 50, b"b\n" + b"a\n" * 50)):
            self.assertEqual(difference.apply(difference.make("x", old, new), "x", old), new)

    def test_no_difference(self):
        self.assertEqual(difference.make("x", b"a\n", b"a\n"), "")

    def test_a_whole_file_is_none(self):
        whole = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n"
        with self.assertRaises(Failure):
            difference.apply(whole, "x", b"a\n")

    def test_content_that_looks_like_a_hunk(self):
        old, new = b"@@ -1 +1 @@\nx\n", b"@@ -1 +1 @@\ny\n"
        self.assertEqual(difference.apply(difference.make("x", old, new), "x", old), new)
