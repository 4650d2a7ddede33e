# SPDX-License-Identifier: GPL-2.0-only
"""What make check counts its results with."""

import contextlib
import io
import unittest
from unittest import mock

from base import aptsource
from cli import cmd_check
from common.settings import Settings
from common.ui import Failure


class LastLines(unittest.TestCase):
    def lines(self, failures):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            cmd_check.again(failures)
        return said.getvalue().splitlines()

    def test_what_failed_is_told_again_at_the_end(self):
        self.assertEqual(self.lines([]), [])
        self.assertEqual(self.lines([("disk", "read"), ("kunit", "amdv1.map")]),
                         ["failed: disk: read", "failed: kunit: amdv1.map"])

    def test_many_failures_leave_the_last_lines_readable(self):
        lines = self.lines([("kunit", str(number)) for number in range(100)])
        self.assertEqual((len(lines), lines[-1]), (41, "failed: 60 more"))


class Parser(unittest.TestCase):
    settings = Settings(base="v7.2")

    def parser(self, **refusals):
        """The tree whose parser is used where these bases cannot be made."""
        def ensure(its_settings):
            if its_settings.base in refusals:
                raise refusals[its_settings.base]
            return mock.Mock(path=its_settings.base)
        suites = [mock.Mock(kernel=None), *(mock.Mock(kernel=mock.Mock(
            settings=self.settings.on(base))) for base in ("v7.2", "v7.3", "v6.12"))]
        with mock.patch("series.tree.ensure", ensure), mock.patch("checks.ktap.Parser", str):
            return cmd_check.parser_of(self.settings, suites)

    def test_results_are_counted_with_the_tree_of_a_base_that_there_is(self):
        gone = aptsource.NotOffered("7.3", (), None)
        refused = Failure("no Linux 7.2")
        self.assertEqual(self.parser(), "v7.2")
        self.assertEqual(self.parser(**{"v7.2": refused, "v7.3": gone}), "v6.12")
        with self.assertRaises(aptsource.NotOffered):
            self.parser(**{"v7.2": aptsource.NotOffered("7.2", (), None)})
        with self.assertRaisesRegex(Failure, "no Linux 7.2"):
            self.parser(**{"v7.2": refused, "v7.3": gone, "v6.12": Failure("nor 6.12")})
