# SPDX-License-Identifier: GPL-2.0-only
"""Which checks make lint runs."""

import types
import unittest

from cli import cmd_lint
from common.ui import Failure


class Chosen(unittest.TestCase):
    def test_chosen(self):
        suites = [types.SimpleNamespace(name=name) for name in "abc"]
        self.assertEqual(cmd_lint.choose(suites, []), suites)
        self.assertEqual(cmd_lint.choose(suites, ["c", "a"]), [suites[0], suites[2]])
        with self.assertRaisesRegex(Failure, "knows a, b, c"):
            cmd_lint.choose(suites, ["d"])
