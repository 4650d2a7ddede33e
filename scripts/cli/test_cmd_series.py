# SPDX-License-Identifier: GPL-2.0-only
"""make series, of a toy series in topics."""

import contextlib
import io
import shutil

from cli import cmd_series
from tests import topical


class Mails(topical.TopicalTest):
    def setUp(self):
        super().setUp()
        self.wanted = self.state(self.tree)
        self.git("reset", "-q", "--hard", "base")
        self.folder_of_mails = self.top / "build/series"
        self.said = self.make()

    def make(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            cmd_series.main(self.settings)
        return said.getvalue()

    def am(self, *mboxes):
        """The tree and the messages that git am makes of them on the pristine tree."""
        self.git("reset", "-q", "--hard", "base")
        for mbox in mboxes:
            self.git("am", "-q", str(self.folder_of_mails / mbox))
        return self.state(self.tree)

    def test_topics_in_order_make_what_the_whole_makes(self):
        mboxes = sorted(file.name for file in self.folder_of_mails.glob("v9.9-*.mbox"))
        self.assertEqual(mboxes, ["v9.9-1-fixes.mbox", "v9.9-2-mmm.mbox", "v9.9-3-people.mbox"])
        self.assertEqual(self.am(*mboxes), self.wanted)
        self.assertEqual(self.am("v9.9.mbox"), self.wanted)

    def test_a_topic_needs_only_what_it_stands_on(self):
        self.am("v9.9-2-mmm.mbox", "v9.9-3-people.mbox")
        self.assertEqual((self.tree / "one.c").read_text(), "one\nmmm\n")
        self.assertNotIn("fifty", (self.tree / "two.c").read_text())
        self.assertIn("1 of them, on mmm\n", self.said)
        self.assertIn("1 of them, by themselves\n", self.said)

    def test_a_folder_for_each_to_send(self):
        folder = self.folder_of_mails / "v9.9-2-mmm"
        self.assertEqual(sorted(file.name for file in folder.iterdir()),
                         ["0000-cover-letter.patch", "0001-mmm-Add-a-driver.patch"])

    def test_topics_that_are_gone_are_removed(self):
        other = self.folder_of_mails / "v9.90"
        shutil.copytree(self.folder_of_mails / "v9.9", other)
        self.series.file.write_text(topical.FILE.replace("topic: mmm\n", ""))
        self.make()
        self.assertEqual(sorted(path.name for path in self.folder_of_mails.iterdir()), sorted(
            ["v9.9", "v9.9.mbox", "v9.90", *(name + end for end in ("", ".mbox") for name in
                                             ("v9.9-1-fixes", "v9.9-2-people"))]))
