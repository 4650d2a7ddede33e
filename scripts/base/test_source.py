# SPDX-License-Identifier: GPL-2.0-only
"""Where the base comes from."""

import unittest

from base import aptsource, source
from common.ui import Failure
from tests.folder import FolderTest


class Debian(unittest.TestCase):
    def test_mirror(self):
        self.assertEqual(aptsource.choose_mirror(
            "Debian|Debian-Security|http://s/\nOther|Debian|http://o/\n"
            "Debian|Debian|http://m/debian/\n"), "http://m/debian/")
        with self.assertRaises(Failure):
            aptsource.choose_mirror("Other|Other|http://o/\n")

    def test_newest_by_number(self):
        listing = (" linux-source-7.2 | 7.2.9-1 | http://m sid/main amd64 Packages\n"
                   " linux-source-7.2 | 7.2.13-1~bpo13+1 | http://m x/main amd64 Packages\n"
                   " linux-source-7.2 | 7.20.1-1 | http://m x/main amd64 Packages\n")
        self.assertEqual(aptsource.offered(listing, "7.2"), ["7.2.13-1~bpo13+1", "7.2.9-1"])
        self.assertEqual(aptsource.offered("", "7.2"), [])


class Version(FolderTest):
    def test_check(self):
        with self.assertRaisesRegex(Failure, "no Makefile"):
            source.check_version(self.folder, "7.2")
        (self.folder / "Makefile").write_text("all:\n")
        with self.assertRaisesRegex(Failure, "no version"):
            source.check_version(self.folder, "7.2")
        (self.folder / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 0\n")
        self.assertEqual(source.check_version(self.folder, "7.2"), "7.2.0")
        with self.assertRaisesRegex(Failure, "7.2.0.*7.3"):
            source.check_version(self.folder, "7.3")
