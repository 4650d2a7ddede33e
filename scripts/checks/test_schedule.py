# SPDX-License-Identifier: GPL-2.0-only
"""Suites and builds beside each other, and the locks between them."""

import tempfile
import threading
import unittest
from unittest import mock

from checks import schedule
from checks.suite import Suite
from common.ui import Failure

SOON = 10   # seconds; what takes longer hangs


class Kernel:
    """Is built when it is told to be."""

    def __init__(self, failure=None):
        self.failure = failure
        self.go = threading.Event()

    def ready(self):
        assert self.go.wait(SOON)
        if self.failure:
            raise self.failure


class Schedule(unittest.TestCase):
    def results(self, suites, workers=2, run=lambda suite: suite.run()):
        return schedule.Schedule(suites, run, workers).results()

    def test_a_suite_waits_for_its_kernel_and_others_do_not(self):
        kernel = Kernel()
        found = self.results([Suite("late", lambda: "late", kernel), Suite("a", lambda: "a"),
                              Suite("b", lambda: "b")], workers=1)
        self.assertEqual([next(found)[0].name for _ in range(2)], ["a", "b"])
        kernel.go.set()
        self.assertEqual([suite.name for suite, _, _ in found], ["late"])

    def test_the_first_of_several_goes_first(self):
        names = [str(number) for number in range(6)]
        found = self.results([Suite(name, lambda: "") for name in names], workers=1)
        self.assertEqual([suite.name for suite, _, _ in found], names)

    def test_two_at_a_time(self):
        both = threading.Barrier(2, timeout=SOON)
        found = self.results([Suite("a", both.wait), Suite("b", both.wait)])
        self.assertEqual(len(list(found)), 2)

    def test_kernels_are_built_in_order_and_a_failure_does_not_stop_the_next(self):
        first, second = Kernel(Failure("x")), Kernel()
        first.go.set()
        second.go.set()
        found = list(self.results([Suite("a", lambda: "a", first), Suite("b", lambda: "b", second),
                                   Suite("c", lambda: "c", first)]))
        self.assertEqual(sorted(suite.name for suite, _, _ in found), ["a", "b", "c"])

    def test_a_fault_of_our_own_is_not_lost(self):
        def fault():
            raise ValueError("ours")
        with self.assertRaisesRegex(ValueError, "ours"):
            list(self.results([Suite("a", fault)]))
        kernel = mock.Mock()
        kernel.ready.side_effect = ValueError("of the build")
        with self.assertRaisesRegex(ValueError, "of the build"):
            list(self.results([Suite("a", lambda: "", kernel)], workers=0))

    def places(self, available, cpus=8):
        with tempfile.NamedTemporaryFile("w") as file, mock.patch("os.cpu_count", lambda: cpus):
            file.write(f"MemTotal: 1 kB\nMemAvailable: {available << 20} kB\n")
            file.flush()
            return schedule.places(file.name)

    def test_places(self):
        self.assertEqual([self.places(gib) for gib in (1, 4, 5, 6, 8, 24)], [1, 1, 1, 2, 3, 3])
        self.assertEqual(self.places(24, cpus=1), 2)
