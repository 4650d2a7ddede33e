# SPDX-License-Identifier: GPL-2.0-only
"""Who keeps whom out."""

import fcntl
from unittest import mock

from common import lock
from tests.folder import FolderTest


class Locks(FolderTest):
    def setUp(self):
        super().setUp()
        self.settings = mock.Mock(work=self.folder, threads=True)

    def free(self, kind, name="lock"):
        with open(self.settings.work / name, "w") as file:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def test_who_reads_lets_others_read(self):
        with lock.shared(self.settings):
            self.assertTrue(self.free(fcntl.LOCK_SH))
            self.assertFalse(self.free(fcntl.LOCK_EX))
        self.assertTrue(self.free(fcntl.LOCK_EX))

    def test_who_writes_is_alone(self):
        with lock.exclusive(self.settings):
            self.assertFalse(self.free(fcntl.LOCK_SH))
            self.assertTrue(self.free(fcntl.LOCK_EX, "run.lock"))
