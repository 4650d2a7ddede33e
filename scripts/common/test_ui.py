# SPDX-License-Identifier: GPL-2.0-only
"""What is said."""

import io
import os
import tempfile
import unittest

from common import ui
from common.ui import Failure


class Clock:
    now = 0

    def __call__(self):
        return self.now


class Progress(unittest.TestCase):
    def test_lines_where_nobody_watches(self):
        clock, stream = Clock(), io.StringIO()
        progress = ui.Progress("build", stream, clock)
        for clock.now in range(0, 100):
            progress.update(f"{clock.now} objects")
        progress.done("100 objects")
        self.assertEqual(stream.getvalue().splitlines(), [
            "build: 30 objects 0:30", "build: 60 objects 1:00", "build: 90 objects 1:30",
            "build: 100 objects (1:39)"])

    def test_failure_shows_the_end_of_its_log(self):
        with tempfile.NamedTemporaryFile("w") as log:
            log.write("".join(f"{number}\n" for number in range(100)))
            log.flush()
            text = Failure("it broke", log.name, tail=2).report()
            bare = Failure("it broke", log.name, tail=0).report()
        where = f"  full log: {os.path.relpath(log.name)}"
        self.assertEqual(text, f"error: it broke\n  | 98\n  | 99\n{where}")
        self.assertEqual(bare, f"error: it broke\n{where}")
