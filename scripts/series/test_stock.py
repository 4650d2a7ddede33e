# SPDX-License-Identifier: GPL-2.0-only
"""Patches that several bases have: where they stand, and what each base gets."""

import unittest

from common.ui import Failure
from series import stock
from series.mails import Mail
from tests import several, toy

FIFTY = "two-Say-fifty.patch"


class Stock(several.SeveralTest):
    def fifty(self, word="fifty"):
        self.edit("two.c", "line 50\n", f"line {word}\n")
        self.commit("two: Say fifty\n\nA reason.")

    def lower(self, base, lines):
        """Has everything in two.c stand so much further down, in the base itself."""
        with self.on(base):
            self.edit("two.c", "line 1\n", "above\n" * lines + "line 1\n")
            self.commit("Linux")
            self.git("tag", "-f", "base")

    def refresh_all(self, *of):
        for base in of or (self.new, self.old):
            with self.on(base):
                self.refresh()

    def both(self):
        for base in (self.new, self.old):
            with self.on(base):
                self.fifty()
                self.refresh()

    def change(self, base, old="fifty", new="L"):
        with self.on(base):
            self.amend(0, "two.c", f"line {old}\n", f"line {new}\n")
            self.refresh()

    def places(self):
        """Where patches stand, and a word for what is in them."""
        return {path.removeprefix("patches/"): content.decode().split("\n+line ")[1].split()[0]
                for path, content in self.stored().items() if path.endswith(".patch")}

    def test_the_same_patch_stands_once(self):
        self.both()
        self.assertEqual(self.places(), {FIFTY: "fifty"})
        for base in (self.new, self.old):
            self.assertEqual(base[1].file.read_text().split("\n")[1], FIFTY)
        self.require_same()

    def test_another_author_is_another_patch(self):
        self.both()
        with self.on(self.old):
            self.git("commit", "-q", "--amend", "--no-edit", "--author=Ann <ann@example.org>")
            self.refresh()
        self.assertEqual(self.places(), {f"v9.9/{FIFTY}": "fifty", f"v9.8/{FIFTY}": "fifty"})
        self.require_same()

    def test_another_date_is_the_same_patch(self):
        with self.on(self.old):
            self.fifty()
            self.git("commit", "-q", "--amend", "--no-edit", "--date=2030-01-01T00:00:00+0000")
            self.refresh()
        self.fifty()
        self.refresh()
        self.assertEqual(self.places(), {FIFTY: "fifty"})
        before = self.stored()
        self.refresh_all()
        self.assertEqual(self.stored(), before)

    def test_other_line_numbers_are_those_of_the_first_base(self):
        for lines in (1, 20):
            with self.subTest(lines):
                self.setUp()
                self.lower(self.old, lines)
                self.both()
                self.assertEqual(self.places(), {FIFTY: "fifty"})
                self.assertIn("\n@@ -47,7 ", self.new[1].place(FIFTY).read_text())
                self.require_same()

    def test_whichever_base_comes_first(self):
        self.lower(self.old, 9)
        for base in (self.old, self.new):
            with self.on(base):
                self.fifty()
        self.refresh_all(self.old, self.new, self.old)
        self.assertEqual(self.places(), {FIFTY: "fifty"})
        self.assertIn("\n@@ -47,7 ", self.new[1].place(FIFTY).read_text())
        self.require_same()

    def test_lines_too_far_apart(self):
        self.lower(self.old, 21)
        self.both()
        self.assertEqual(self.places(), {f"v9.9/{FIFTY}": "fifty", f"v9.8/{FIFTY}": "fifty"})
        self.require_same()

    def test_a_place_that_is_nearer_and_wrong(self):
        """With the numbers of the first base the second of two alike would be edited."""
        block = "".join(f"block {number}\n" for number in range(7))
        for base, above in ((self.new, 10), (self.old, 0)):
            with self.on(base):
                self.write("three.c", "above\n" * above + block + block)
                self.commit("Linux")
                self.git("tag", "-f", "base")
                text = (self.tree / "three.c").read_text()
                self.write("three.c", text.replace("block 3", "line x", 1))
                self.commit("three: Say x")
                self.refresh()
        self.assertEqual(set(self.places()), {"v9.9/three-Say-x.patch", "v9.8/three-Say-x.patch"})
        self.require_same()

    def test_the_owner_changes_it(self):
        self.both()
        with self.on(self.old):
            before = self.made_again()
        self.change(self.new)
        self.assertEqual(self.places(), {f"v9.9/{FIFTY}": "L", f"v9.8/{FIFTY}": "fifty"})
        self.assertEqual(self.notes, [f"{FIFTY} is no longer that of v9.8, where it stays as it "
                                      "was"])
        with self.on(self.old):
            self.assertEqual(self.made_again(), before)

    def test_until_the_other_follows(self):
        self.both()
        self.change(self.new)
        self.change(self.old)
        self.assertEqual(self.places(), {FIFTY: "L"})
        self.assertEqual(self.notes, [])
        self.require_same()

    def test_another_base_changes_it(self):
        self.both()
        self.change(self.old)
        self.assertEqual(self.places(), {f"v9.9/{FIFTY}": "fifty", f"v9.8/{FIFTY}": "L"})
        self.change(self.old, "L", "fifty")
        self.assertEqual(self.places(), {FIFTY: "fifty"})
        self.require_same()

    def test_three_bases(self):
        oldest = self.another(7)
        self.both()
        with self.on(oldest):
            self.fifty()
            self.refresh()
        self.assertEqual(self.places(), {FIFTY: "fifty"})
        self.change(self.new)
        self.assertEqual(self.places(), {f"v9.9/{FIFTY}": "L", FIFTY: "fifty"})
        self.require_same(self.new, self.old, oldest)
        self.change(oldest)
        self.assertEqual(self.places(), {FIFTY: "L", f"v9.8/{FIFTY}": "fifty"})
        self.change(self.old)
        self.assertEqual(self.places(), {FIFTY: "L"})
        self.require_same(self.new, self.old, oldest)

    def move(self, lines):
        """An earlier patch of the first base comes to add lines."""
        with self.on(self.new):
            self.git("reset", "-q", "--hard", "base")
            self.edit("two.c", "line 1\n", "line more\n" * lines + "line 1\n")
            self.commit("two: Say more")
            self.fifty()
            self.refresh()

    def test_the_owner_moves_its_lines_a_little(self):
        self.both()
        before = self.new[1].place(FIFTY).read_text()
        self.move(20)
        self.assertEqual(self.new[1].place(FIFTY).read_text(), before)
        self.assertEqual(self.new[1].place(FIFTY), self.old[1].place(FIFTY))
        self.require_same()

    def test_the_owner_moves_its_lines_far(self):
        self.both()
        before = self.old[1].place(FIFTY).read_text()
        self.move(21)
        self.assertEqual(self.old[1].place(FIFTY).read_text(), before)
        self.assertIn("\n@@ -68,7 ", self.new[1].place(FIFTY).read_text())
        self.require_same()

    def test_on_a_version_that_is_not_the_newest_numbers_stay(self):
        self.both()
        before = self.new[1].place(FIFTY).read_text()
        self.git("reset", "-q", "--hard", "base")
        self.edit("Makefile", "SUBLEVEL = 4", "SUBLEVEL = 3")
        self.lower(self.new, 30)
        self.fifty()
        self.refresh()
        self.assertEqual(self.places(), {FIFTY: "fifty"})
        self.assertEqual(self.new[1].place(FIFTY).read_text(), before)

    def test_one_base_drops_it(self):
        for owner in (True, False):
            self.setUp()
            base, other = (self.new, self.old) if owner else (self.old, self.new)
            self.both()
            with self.on(base):
                self.git("reset", "-q", "--hard", "base")
                self.refresh()
            self.assertEqual(self.places(), {f"{other[1].base}/{FIFTY}": "fifty"})
            self.require_same()

    def test_the_entry_in_maintainers(self):
        with self.on(self.old):
            self.edit("MAINTAINERS", "List of", "A\nlist of")
            self.commit("Linux")
            self.git("tag", "-f", "base")
        for base in (self.new, self.old):
            with self.on(base):
                self.edit("MAINTAINERS", "ZZZ", toy.ENTRY + "\nZZZ")
                self.commit("MAINTAINERS: Add mmm")
                self.refresh()
        self.assertEqual([path for path in self.stored() if path.endswith(".patch")],
                         ["patches/MAINTAINERS-Add-mmm.patch"])
        self.require_same()

    def test_a_file_that_differs_makes_a_patch_of_its_own(self):
        for base, word in ((self.new, "new"), (self.old, "old")):
            with self.on(base):
                self.fifty()
                self.write("drivers/mmm.c", f"line {word}\n" + toy.TWO)
                self.git("add", "-A")
                self.git("commit", "-q", "--amend", "--no-edit")
                self.refresh()
        self.assertEqual(set(self.places()), {f"v9.9/{FIFTY}", f"v9.8/{FIFTY}"})
        self.require_same()

    def test_two_patches_of_one_name(self):
        self.fifty()
        self.edit("one.c", "one", "uno")
        self.commit("two: Say fifty")
        with self.assertRaisesRegex(Failure, f"{FIFTY}.*give it another subject"):
            self.refresh()
        self.assertEqual(self.stored(), {})

    def test_a_line_that_stands_twice(self):
        self.both()
        self.new[1].file.write_text(f"{FIFTY}\n{FIFTY}\n")
        with self.assertRaisesRegex(Failure, "twice"):
            self.new[1].patches()

    def test_stray_files_go(self):
        self.both()
        for name in ("patches/stray.patch", "patches/v9.9/stray.patch"):
            (self.top / name).write_text(Mail("A <a@example.org>", "now", "stray").store())
        self.refresh()
        self.assertEqual(self.places(), {FIFTY: "fifty"})


class Places(unittest.TestCase):
    def place(self, **contents):
        mails = {base: {"x": Mail("A <a@b>", date, "x", diff=diff)}
                 for base, (diff, date) in contents.items()}
        return {path: mail.date for path, mail in stock.place(
            {base.replace("_", "."): mail for base, mail in mails.items()}).items()}

    def test_the_date_is_the_first_ones(self):
        self.assertEqual(self.place(v9_7=("d", "7"), v9_9=("d", "9"), v9_8=("d", "8")), {"x": "9"})

    def test_of_two_kinds_the_first_is_shared(self):
        self.assertEqual(self.place(v9_9=("d", "9"), v9_8=("e", "8"), v9_7=("e", "7"),
                                    v9_6=("d", "6")),
                         {"x": "9", "v9.8/x": "8", "v9.7/x": "7"})

    def test_two_that_have_it_before_one_that_has_not(self):
        self.assertEqual(self.place(v9_9=("d", "9"), v9_8=("e", "8"), v9_7=("e", "7")),
                         {"x": "8", "v9.9/x": "9"})
