# SPDX-License-Identifier: GPL-2.0-only
"""What skips.sh makes of programs that end in one way or the other."""

import pathlib
import subprocess
import tempfile
import unittest

from guest import initramfs


class Skips(unittest.TestCase):
    def verdict(self, script):
        with tempfile.TemporaryDirectory() as folder:
            text = (initramfs.ROOT / "skips.sh").read_text().replace('"/job/', f'"{folder}/')
            program = pathlib.Path(folder, "test")
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
            done = subprocess.run(["sh", "-c", text, "sh", "test"], capture_output=True,
                                  text=True, env={"EDU": "0000:00:05.0", "PATH": "/bin:/usr/bin"})
        return done.stdout, done.returncode

    def test_skipped(self):
        said, status = self.verdict('echo "$1 has none, skipping test." >&2; exit 4')
        self.assertIn("\nok 1 test is skipped: 0000:00:05.0 has none, skipping test.\n", said)
        self.assertEqual(status, 0)

    def test_all_others_fail(self):
        for script, why in (("exit 0", "status 0"), ("exit 1", "status 1"),
                            ("exit 4", "no reason"),
                            ("echo ok 1 x; echo skipping test; exit 4", "results")):
            said, status = self.verdict(script)
            self.assertIn("\nnot ok 1 test", said, script)
            self.assertIn(why, said)
            self.assertEqual(status, 1)
