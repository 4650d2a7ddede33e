# SPDX-License-Identifier: GPL-2.0-only
"""Which suites make matrix runs."""

import unittest

from checks.suite import Suite
from cli import cmd_matrix
from common.ui import Failure


class Chosen(unittest.TestCase):
    SUITES = [Suite("sizes", None), Suite("arm64-gcc", None)]

    def test_all_or_some(self):
        self.assertEqual(cmd_matrix.chosen(self.SUITES, ""), self.SUITES)
        self.assertEqual(cmd_matrix.chosen(self.SUITES, "arm64-gcc"), self.SUITES[1:])

    def test_unknown(self):
        with self.assertRaises(Failure) as caught:
            cmd_matrix.chosen(self.SUITES, "vax-gcc")
        self.assertIn("vax-gcc", caught.exception.cause)
