# SPDX-License-Identifier: GPL-2.0-only
import email
import email.header

from series import export
from tests import toy

COVER = "From: A <a@example.org>\nSubject: mmm: A driver\n\nWhat it is for.\n"


class Export(toy.ToyTest):
    def setUp(self):
        super().setUp()
        self.make_series()
        self.refresh()
        (self.series.folder / "cover-letter").write_text(COVER)
        self.mails = export.mails_of(self.series)

    def test_git_am_makes_the_same_tree(self):
        wanted = self.tree_of(self.tree)
        log = self.git("log", "--format=%an <%ae> %ad%n%B")
        self.git("reset", "-q", "--hard", "base")
        mbox = "".join(text + "\n" for name, text in self.mails.items() if name != export.COVER)
        self.git("am", "-q", "-", input=mbox)
        self.assertEqual(self.tree_of(self.tree), wanted)
        self.assertEqual(self.git("log", "--format=%an <%ae> %ad%n%B"), log)

    def test_git_am_takes_the_single_files(self):
        wanted = self.tree_of(self.tree)
        self.git("reset", "-q", "--hard", "base")
        files = []
        for name, text in self.mails.items():
            files.append(self.folder / name)
            files[-1].write_text(text)
        self.git("am", "-q", "--empty=drop", *map(str, files))
        self.assertEqual(self.tree_of(self.tree), wanted)

    def test_names_and_numbers(self):
        self.assertEqual(list(self.mails), [
            "0000-cover-letter.patch", "0001-two-Say-fifty.patch",
            "0002-mmm-Add-a-driver.patch", "0003-MAINTAINERS-Add-mmm.patch"])
        subjects = [str(email.header.make_header(email.header.decode_header(
            email.message_from_string(text.split("\n", 1)[1])["Subject"])))
            for text in self.mails.values()]
        self.assertEqual(subjects, [
            "[PATCH 0/3] mmm: A driver", "[PATCH 1/3] two: Say fifty",
            "[PATCH 2/3] mmm: Add a driver", "[PATCH 3/3] MAINTAINERS: Add mmm"])

    def test_stat(self):
        self.assertIn("---\n drivers/mmm.c | 3 +++\n empty         | 0\n one.c         | 1 +\n"
                      " tools/mmm.sh  | 1 +\n 4 files changed, 5 insertions(+)\n"
                      " create mode 100644 drivers/mmm.c\n create mode 100644 empty\n"
                      " create mode 100755 tools/mmm.sh\n\ndiff --git",
                      self.mails["0002-mmm-Add-a-driver.patch"])

    def test_cover_letter(self):
        cover = self.mails[export.COVER]
        self.assertIn("What it is for.\n\nJöe Dóe (3):\n  two: Say fifty\n", cover)
        self.assertIn(" 6 files changed, 10 insertions(+), 1 deletion(-)\n", cover)

    def test_headers_are_ascii(self):
        for text in self.mails.values():
            self.assertTrue(text.partition("\n\n")[0].isascii())
        self.assertIn("charset=UTF-8", self.mails["0001-two-Say-fifty.patch"])

    def test_no_sign_off_is_made_up(self):
        self.assertNotIn("Signed-off-by", "".join(self.mails.values()))
