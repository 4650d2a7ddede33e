# SPDX-License-Identifier: GPL-2.0-only
"""What deps.sh wants of a machine that has next to nothing."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from checks import check
from common import settings

HAS = ("sh", "cat", "cut", "dirname", "grep", "ls", "mktemp", "rm", "sed", "seq", "sort", "tail",
       "tr")
ARM64 = ("gcc-aarch64-linux-gnu", "qemu-system-arm")


class Packages(unittest.TestCase):
    def wanted(self, *commands, user):
        """The packages that it would have apt install."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            for name in HAS:
                (path / name).symlink_to(shutil.which(name))
            for name, text in (("id", f"echo {user}"), ("apt-get", "exit 1"),
                               ("apt-cache", "exit 1")):
                (path / name).write_text(f"#!/bin/sh\n{text}\n")
                (path / name).chmod(0o755)
            script = settings.TOP / "scripts/cli/deps.sh"
            # Its own PATH, but for the folder of the administrator, is all that it looks at
            text = script.read_text().replace(":/usr/sbin:/sbin", "")
            done = subprocess.run(["sh", "-s", *commands], input=text, env={"PATH": folder, "CONFIG": "run"},
                                  cwd=script.parent, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stdout)
        return (done.stdout + done.stderr).split()

    def test_the_basics(self):
        for user in (0, 1000):
            self.assertIn("qemu-system-x86", self.wanted(user=user))

    def test_kernels_of_another_architecture(self):
        for command, kernels in (("check", check.KERNELS), ("check-long", check.LONG_KERNELS)):
            self.assertTrue(any(name.startswith("arm64") for name in kernels))
            for name in (*ARM64, "debootstrap"):
                self.assertIn(name, self.wanted(command, user=0), command)
        for name in (*ARM64, "debootstrap"):
            self.assertNotIn(name, self.wanted("check", user=1000))

    def test_the_packages(self):
        for command in ("dkms", "check-long"):
            self.assertIn("help2man", self.wanted(command, user=0), command)


if __name__ == "__main__":
    unittest.main()
