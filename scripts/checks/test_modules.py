# SPDX-License-Identifier: GPL-2.0-only
import threading
import time
import unittest

from checks import modules


class Once(unittest.TestCase):
    def test_suites_beside_each_other_build_one_time(self):
        calls, answers = [], []

        def build():
            calls.append(1)
            time.sleep(0.05)
            return object()
        built = modules.once(build)
        threads = [threading.Thread(target=lambda: answers.append(built())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(calls), 1)
        self.assertEqual(len(set(map(id, answers))), 1)
