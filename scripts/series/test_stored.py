# SPDX-License-Identifier: GPL-2.0-only
"""The series of this repository, of every base: what README.md says of them."""

import collections
import re
import unittest

from base import bases, versions
from common import settings
from series import diffs, mails, maintainers, series, stock, topics

# What is of this project, and not of the kernel tree
OWN = {"bench", "build", "configs", "patches", "scripts", "tests"}


def overlay_files():
    """Every file in the folders that are the kernel's."""
    folders = [folder for folder in settings.TOP.iterdir()
               if folder.is_dir() and folder.name not in OWN and not folder.name.startswith(".")]
    return {str(file.relative_to(settings.TOP)) for folder in folders
            for file in folder.rglob("*") if file.is_file()}


def names(stored):
    """Of all files in patches/ that a series is made of: patches and cover letters."""
    return [*stored.mails(), *map(topics.letter_name, ["", *topics.names(stored)])]


def essence(file):
    """What makes it another one."""
    if file.suffix != ".patch":
        return file.read_text()
    return stock.essence(mails.parse(file.read_text(), file.name))


class Stored(unittest.TestCase):
    def setUp(self):
        self.all = series.all_of(settings.TOP)

    def test_the_default_base_has_a_series(self):
        self.assertEqual(self.all[0].base, bases.DEFAULT)

    def test_every_patch_resolves(self):
        for stored in self.all:
            self.assertTrue(stored.patches())
            for patch in stored.patches():
                parts = diffs.split(stored.full_diff(patch))
                self.assertLessEqual(set(patch.added), set(parts), patch.name)
                self.assertEqual(diffs.trailing_blanks(diffs.join(parts)), [], patch.name)

    def test_no_patch_is_left_over(self):
        for stored in self.all:
            self.assertEqual({name for name in names(stored) if stored.is_own(name)},
                             {file.name for file in stored.folder.iterdir()} - {"series"})

    def test_what_is_shared_is_shared(self):
        """Two bases or more use what stands in patches/, and no base has a copy of it."""
        of = collections.Counter(name for stored in self.all for name in names(stored)
                                 if not stored.is_own(name))
        shared = {file.name: file for file in (settings.TOP / "patches").iterdir()
                  if file.is_file()}
        self.assertEqual(set(of), set(shared))
        self.assertEqual([name for name, count in of.items() if count < 2], [])
        for stored in self.all:
            for name in names(stored):
                if stored.is_own(name) and name in shared:
                    self.assertNotEqual(essence(stored.place(name)), essence(shared[name]),
                                        f"{stored.base}/{name}")

    def test_nothing_stands_with_two_bases(self):
        own = [(name, essence(stored.place(name))) for stored in self.all
               for name in names(stored) if stored.is_own(name)]
        self.assertEqual([each for each, count in collections.Counter(own).items()
                          if count > 1], [])

    def test_every_patch_has_a_topic(self):
        for stored in self.all:
            self.assertNotIn(None, stored.topics().values(), stored.base)
            topics.require_together(stored.topics())
            self.assertEqual(topics.names(stored)[0], "fixes")

    def test_a_topic_stands_on_some_that_come_before(self):
        for stored in self.all:
            before = []
            for topic in topics.names(stored):
                self.assertLessEqual(set(topics.letter(stored, topic).on), set(before),
                                     f"{stored.base}: {topic}")
                before.append(topic)

    def test_letters_name_topics(self):
        known = {topic for stored in self.all for topic in topics.names(stored)}
        for file in (settings.TOP / "patches").rglob("cover-letter-*"):
            on = re.search(r"^On: (.*)", file.read_text(), re.M)
            self.assertLessEqual(set(on[1].split() if on else ()), known, file)

    def test_patches_for_older_versions_only_edit(self):
        for stored in self.all:
            for patch in stored.older():
                self.assertEqual(diffs.new_files(patch.mail.diff), [], patch.name)
                self.assertEqual(diffs.trailing_blanks(patch.mail.diff), [], patch.name)

    def test_every_series_has_a_range_of_its_base(self):
        for stored in self.all:
            first, last = stored.range()
            self.assertLessEqual(versions.key(first), versions.key(last))
            for version in (first, last):
                self.assertEqual(version.rpartition(".")[0], stored.base[1:])

    def test_every_overlay_file_is_used(self):
        brought = {path for stored in self.all for _, added in stored.entries()
                   for path in added}
        self.assertEqual(overlay_files() | {maintainers.NAME}, brought)

    def test_nothing_is_in_two_places(self):
        """A patch has no whole file, of a file that it brings it has less than the
        overlay, and the base that a file belongs to has nothing of it."""
        for stored in self.all:
            for patch in stored.patches():
                self.assertEqual(diffs.new_files(patch.mail.diff), [], patch.name)
        for path, owner, patch, stored in self.differences():
            plus, _ = diffs.counts(patch.mail.diff)[path]
            whole = stored.resolve(patch, path).count(b"\n")
            self.assertLess(plus, whole, f"{stored.base}/{patch.name}: {path}")
            self.assertNotEqual(owner, stored.base, path)

    def differences(self):
        """(path, the base that it belongs to, patch, series)."""
        for stored in self.all:
            for path, patch in stored.differences().items():
                bringing = [other.base for other in self.all
                            if any(path in added for _, added in other.entries())]
                yield path, series.first(bringing), patch, stored
