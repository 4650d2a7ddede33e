# SPDX-License-Identifier: GPL-2.0-only
"""Topics: in the series file, what a refresh makes of them, and as mails."""

import unittest

from common.ui import Failure
from series import export, topics
from tests import topical
from tests.topical import FILE, LETTER


class Topics(topical.TopicalTest):
    def redo(self, *order):
        """The commits in another order: how far each is from the last one."""
        commits = [self.git("rev-parse", f"HEAD~{back}") for back in order]
        self.git("reset", "-q", "--hard", "base")
        for commit in commits:
            self.git("cherry-pick", commit)

    def test_a_refresh_keeps_them(self):
        self.refresh()
        self.assertEqual(self.series.file.read_text(), FILE)
        self.assertEqual(self.notes, [])

    def test_a_series_without_any(self):
        self.series.file.write_text(FILE.replace("topic: ", "# "))
        self.refresh()
        self.assertNotIn("topic", self.series.file.read_text())
        self.assertEqual(topics.names(self.series), [])

    def test_topics_in_another_order(self):
        self.redo(1, 2, 0)
        self.refresh()
        self.assertEqual(topics.names(self.series), ["mmm", "fixes", "people"])

    def test_a_new_patch_is_of_the_topic_that_it_stands_in(self):
        self.edit("one.c", "mmm\n", "mmm\nnew\n")
        self.commit("one: Say new")
        self.redo(3, 2, 0, 1)
        self.refresh()
        self.assertEqual(self.series.topics()["one-Say-new.patch"], "mmm")
        self.assertEqual(self.notes, ["one-Say-new.patch is new, in the topic mmm"])

    def test_a_patch_with_another_subject_stays_in_its_topic(self):
        self.git("commit", "-q", "--amend", "-m", "MAINTAINERS: Add mmm and more")
        self.refresh()
        self.assertEqual(self.series.topics()["MAINTAINERS-Add-mmm-and-more.patch"], "people")

    def test_a_patch_among_those_of_another_topic(self):
        self.series.file.write_text(FILE.replace("topic: people", "topic: fixes"))
        before = self.stored()
        with self.assertRaisesRegex(Failure, "MAINTAINERS-Add-mmm.patch is of the topic fixes"):
            self.refresh()
        self.assertEqual(self.stored(), before)

    def test_a_base_takes_them_from_another_one(self):
        with self.on(self.old):
            self.make_series()
            self.refresh()
        self.assertEqual(self.old[1].topics(), self.series.topics())

    def subjects(self, topic):
        return [text.partition("\nSubject: ")[2].partition("\n")[0]
                for text in export.mails_of(self.series, topic).values()]

    def test_mails_are_numbered_by_topic(self):
        self.assertEqual(self.subjects("mmm"), ["[PATCH mmm 0/1] mmm: A topic",
                                                "[PATCH mmm 1/1] mmm: Add a driver"])

    def test_a_letter_says_what_it_stands_on(self):
        cover = export.mails_of(self.series, "people")[export.COVER]
        self.assertIn("\n\nWhat people is for.\n\nThis is part 3 of 3 of\n\n  all: A topic\n\n"
                      "and stands on\n\n  [PATCH mmm] mmm: A topic\n\n", cover)
        cover = export.mails_of(self.series, "mmm")[export.COVER]
        self.assertIn("and stands by itself.\n\n", cover)
        self.assertIn(" 4 files changed, 5 insertions(+)\n", cover)

    def test_a_base_can_have_a_letter_of_its_own(self):
        (self.series.folder / "cover-letter-mmm").write_text(LETTER.format("own", ""))
        self.assertEqual(self.subjects("mmm")[0], "[PATCH mmm 0/1] own: A topic")

    def test_no_letter(self):
        (self.top / "patches/cover-letter-mmm").unlink()
        with self.assertRaisesRegex(Failure, "cover-letter-mmm is missing"):
            export.mails_of(self.series, "mmm")


class Assign(unittest.TestCase):
    KNOWN = {"a": "A", "b": "B", "b2": "B", "c": "C"}

    def topic_of_x(self, *names):
        return topics.assign(self.KNOWN, {}, names)[0]["x"]

    def test_a_new_patch(self):
        for wanted, names in (("A", "x a b b2 c"), ("A", "a x b b2 c"), ("B", "a b x b2 c"),
                              ("B", "a b b2 x c"), ("C", "a b b2 c x")):
            self.assertEqual(self.topic_of_x(*names.split()), wanted, names)

    def test_one_in_place_of_another(self):
        for wanted, names in (("A", "x b b2 c"), ("B", "a x b2 c"), ("B", "a b x c"),
                              ("C", "a b b2 x"), ("B", "a x c")):
            self.assertEqual(self.topic_of_x(*names.split()), wanted, names)

    def test_a_name_that_another_base_knows(self):
        self.assertEqual(topics.assign(self.KNOWN, {"x": "C", "a": "C"}, ["a", "x"]),
                         ({"a": "A", "x": "C"}, []))

    def test_without_topics(self):
        self.assertEqual(topics.assign({"a": None}, {}, ["a", "b"]), ({"a": None, "b": None}, []))
