# SPDX-License-Identifier: GPL-2.0-only
"""A folder for a test to write to."""

import pathlib
import tempfile
import unittest


class FolderTest(unittest.TestCase):
    """`self.folder` is empty, and gone afterwards."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, content):
        (self.folder / name).write_bytes(content)
        return self.folder / name
