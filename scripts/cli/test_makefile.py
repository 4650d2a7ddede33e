# SPDX-License-Identifier: GPL-2.0-only
"""The Makefile at the top."""

import pathlib
import subprocess
import tempfile
import unittest

from common import settings


class Paths(unittest.TestCase):
    def make(self, name, *goals):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder, name)
            (top / "scripts/cli").mkdir(parents=True)
            for path in ("Makefile", "scripts/cli/help.txt"):
                (top / path).write_text((settings.TOP / path).read_text())
            return subprocess.run(["make", "-n", *goals], cwd=top, capture_output=True, text=True)

    def test_the_kernel_builds_in_no_path_with_a_blank_or_a_colon(self):
        for name in ("a b", "a:b"):
            done = self.make(name, "run")
            self.assertNotEqual(done.returncode, 0, name)
            self.assertIn(f"/{name} has one: move or rename this folder", done.stderr)
            self.assertEqual(self.make(name, "help").returncode, 0, name)
        self.assertEqual(self.make("ab", "run").returncode, 0)
