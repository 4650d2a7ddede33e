# SPDX-License-Identifier: GPL-2.0-only
"""Programs that take their time."""

import contextlib
import io
import os
from unittest import mock

from common import step
from common.ui import Failure
from tests.folder import FolderTest


class Step(FolderTest):
    def setUp(self):
        super().setUp()
        self.log = self.folder / "log"

    def test_its_status_and_what_it_said(self):
        self.assertEqual(step.watch(["sh", "-c", "echo out; echo err >&2; exit 3"], self.log, None), 3)
        self.assertEqual(self.log.read_text(), "out\nerr\n")
        step.watch(["echo", "more"], self.log, None, mode="ab")
        self.assertEqual(self.log.read_text(), "out\nerr\nmore\n")

    def test_it_is_alive(self):
        update = mock.Mock()
        with mock.patch.object(step, "TICK", 0.01):
            step.watch(["sleep", "0.2"], self.log, update)
        self.assertGreater(update.call_count, 1)

    def test_an_interrupt_leaves_none_behind(self):
        with mock.patch.object(step, "TICK", 0.01), self.assertRaises(KeyboardInterrupt):
            step.watch(["sh", "-c", "echo $$; exec sleep 100"], self.log, self.interrupt)
        with self.assertRaises(ProcessLookupError):
            os.kill(int(self.log.read_text()), 0)

    def interrupt(self):
        if self.log.stat().st_size:
            raise KeyboardInterrupt

    def test_one_that_fails(self):
        with contextlib.redirect_stderr(io.StringIO()):
            step.run("try", self.log, ["true"])
            with self.assertRaisesRegex(Failure, "^try failed$") as caught:
                step.run("try", self.log, ["false"])
            self.assertEqual(caught.exception.log, self.log)
            with self.assertRaisesRegex(Failure, "^it cannot$"):
                step.run("try", self.log, ["false"], "it cannot")
