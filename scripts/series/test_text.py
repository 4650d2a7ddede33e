# SPDX-License-Identifier: GPL-2.0-only
"""Mails, diffs, the MAINTAINERS entry: text in, text out."""

import unittest

from common.ui import Failure
from series import diffs, mails, maintainers

STORED = """\
From: A <a@example.org>
Date: Fri, 2 Jan 2026 03:04:05 +0200
Subject: [PATCH] one: Do it

A reason.
---
diff --git a/one.c b/one.c
--- a/one.c
+++ b/one.c
@@ -1,2 +1,3 @@
 one
--- not a header
++++ neither
+ three
"""
LINES = [f"line {number}" for number in range(1, 9)]


class Mails(unittest.TestCase):
    def test_parse_and_store(self):
        mail = mails.parse(STORED)
        self.assertEqual((mail.author, mail.subject, mail.body),
                         ("A <a@example.org>", "one: Do it", "A reason."))
        self.assertEqual(mail.message(), "one: Do it\n\nA reason.\n")
        self.assertEqual(mail.store(), STORED)

    def test_no_body(self):
        text = STORED.replace("A reason.\n", "")
        self.assertEqual(mails.parse(text).store(), text)
        self.assertEqual(mails.parse(text).message(), "one: Do it\n")

    def test_errors_name_the_patch(self):
        for text in (STORED.replace("Date:", "When:"), STORED.replace("\n---\n", "\n")):
            with self.assertRaisesRegex(Failure, "0001-x.patch"):
                mails.parse(text, "0001-x.patch")

    def test_slug(self):
        self.assertEqual(mails.slug("vfio/pci: Don't, ever"), "vfio-pci-Don-t-ever")
        self.assertEqual(len(mails.slug("x" * 100)), 52)

    def test_long_subject_is_folded(self):
        folded = mails.encode_subject("word " * 30)
        self.assertTrue(all(len(line) < 80 for line in folded.split("\n")))


class Diffs(unittest.TestCase):
    def setUp(self):
        self.diff = mails.parse(STORED).diff

    def test_split_and_join(self):
        other = diffs.new_file("a.c", b"x\n")
        parts = diffs.split(self.diff + other)
        self.assertEqual(list(parts), ["one.c", "a.c"])
        self.assertEqual(diffs.join(parts), other + self.diff)

    def test_counts_take_no_content_for_a_header(self):
        self.assertEqual(diffs.counts(self.diff), {"one.c": [2, 1]})

    def test_trailing_blanks(self):
        self.assertEqual(diffs.trailing_blanks(self.diff), [])
        self.assertEqual(diffs.trailing_blanks(self.diff.replace("three", "three\t")),
                         ["one.c:3"])

    def test_new_file(self):
        diff = diffs.new_file("x.sh", b"a\nb\n", executable=True)
        self.assertIn("new file mode 100755\n", diff)
        self.assertTrue(diff.endswith("@@ -0,0 +1,2 @@\n+a\n+b\n"))
        # The blob id that git gives to "a\nb\n"
        self.assertIn("index 000000000000..422c2b7ab3b3\n", diff)

    def test_new_file_must_be_text_with_an_end(self):
        for content in (b"no newline", b"\xff\xfe\n"):
            with self.assertRaisesRegex(Failure, "x.bin"):
                diffs.new_file("x.bin", content)

    def test_index_lines_go(self):
        text = "index 0123456..789abcd 100644\n"
        self.assertEqual(diffs.without_index(text + "+" + text), "+" + text)

    def test_long_names_are_cut_at_a_slash(self):
        name = "drivers/" + "long/" * 20 + "file.c"
        short = diffs.shorten(name, 50)
        self.assertLessEqual(len(short), 50)
        self.assertTrue(short.startswith(".../") and short.endswith("/file.c"), short)


class Maintainers(unittest.TestCase):
    OLD = "A\nF:\ta\n\nB\nF:\tb\n\nC\nF:\tc\n\n"
    ENTRY = "AA\nF:\taa\n"

    def test_extract_is_the_reverse_of_fill(self):
        new = self.OLD.replace("B\n", self.ENTRY + "\nB\n")
        entry, place = maintainers.extract(self.OLD, new)
        self.assertEqual(entry, self.ENTRY)
        filled = maintainers.fill(place, entry)
        self.assertIn("@@ -1,6 +1,9 @@\n A\n F:\ta\n \n+AA\n+F:\taa\n+\n B\n F:\tb\n \n", filled)

    def test_place_holds_nothing_but_context(self):
        with self.assertRaises(Failure):
            maintainers.fill(maintainers.place(3, LINES[:6]).replace(" line 3", "+line 3"), "X\n")

    def test_two_changes_are_refused(self):
        with self.assertRaises(Failure):
            maintainers.extract(self.OLD, self.OLD.replace("B\n", "X\n\nB\n").replace("A", "Y"))
