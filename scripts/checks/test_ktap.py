# SPDX-License-Identifier: GPL-2.0-only
import unittest
from unittest import mock

from checks import ktap
from tests.made import TREE

HARNESS = """\
TAP version 13
1..3
# Starting 3 tests from 1 test cases.
#  RUN           global.one ...
#            OK  global.one
ok 1 global.one
#  RUN           global.two ...
ok 2 global.two # SKIP no hugepages
#  RUN           global.three ...
{third}
# FAILED: 2 / 3 tests passed.
"""
GOOD = HARNESS.format(third="ok 3 global.three")


@unittest.skipUnless((TREE / "tools/testing/kunit/kunit_parser.py").exists(),
                     "there is no made tree whose parser could count")
class Ktap(unittest.TestCase):
    def parse(self, output, status, log=""):
        return ktap.Parser(TREE).parse(ktap.of_program("toy", output, status, log))

    def count(self, *arguments):
        return str(self.parse(*arguments)[0])

    def test_all_well(self):
        counts, failed, skips = self.parse(GOOD, 0)
        self.assertEqual(str(counts), "3 passed, 0 failed, 1 skipped")
        self.assertEqual((failed, skips), ([], {"global.two": "no hugepages"}))

    def test_a_skip_that_is_not_ok(self):
        self.assertEqual(self.parse(GOOD.replace("ok 2", "not ok 2"), 0)[2],
                         {"global.two": "no hugepages"})

    def test_a_failed_test(self):
        counts, failed, _ = self.parse(HARNESS.format(third="not ok 3 global.three"), 1)
        self.assertEqual(str(counts), "2 passed, 1 failed, 1 skipped")
        self.assertIn("global.three", failed)

    def test_a_splat(self):
        counts, failed, _ = self.parse(GOOD, 0, "WARNING\nnot ok 1 trap")
        self.assertEqual(str(counts), "2 passed, 1 failed, 1 skipped")
        self.assertEqual(failed, ["kernel log of toy"])

    def test_status_without_a_failed_test(self):
        self.assertEqual(self.count(GOOD, 1), "3 passed, 1 failed, 1 skipped")

    def test_killed(self):
        self.assertEqual(self.count(GOOD, 139), "3 passed, 1 failed, 1 skipped")

    def test_fewer_tests_than_planned(self):
        for status in (0, 1, 139, None):
            counts = self.parse(HARNESS.format(third=""), status)[0]
            self.assertEqual((counts.passed, counts.failed > 0), (2, True), status)

    def test_no_plan(self):
        for output in ("", "hello\n", "TAP version 13\n", "TAP version 13\nok 1 one\n"):
            for status in (0, 1, 139, None):
                self.assertGreater(self.parse(output, status)[0].failed, 0, (output, status))

    def test_no_tests(self):
        self.assertGreater(self.parse("TAP version 13\n1..0\n", 0)[0].failed, 0)

    def test_document(self):
        text = ktap.document([("one", ""), ("two", "line 1\nnot ok 2"), ("three # x", "")])
        counts, failed, _ = ktap.Parser(TREE).parse(text)
        self.assertEqual(str(counts), "2 passed, 1 failed, 0 skipped")
        self.assertEqual(failed, ["two"])


class Quiet(unittest.TestCase):
    def test_a_parser_that_is_given_a_printer(self):
        parser = mock.Mock()
        ktap.quiet(parser, mock.Mock(null_printer="null"))(["line"])
        parser.parse_run_tests.assert_called_once_with(["line"], "null")

    def test_a_parser_that_has_a_printer_of_its_own(self):
        parser, printer = mock.Mock(), mock.Mock(spec=["Printer"])
        ktap.quiet(parser, printer)(["line"])
        parser.parse_run_tests.assert_called_once_with(["line"])
        self.assertIs(parser.stdout, printer.Printer.return_value)


class Counts(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(str(ktap.Counts(1, 2, 3) + ktap.Counts(10, 20, 30)),
                         "11 passed, 22 failed, 33 skipped")


class Meter(unittest.TestCase):
    def test_counts_lines_that_come_in_pieces(self):
        meter = ktap.Meter(mock.Mock())
        for piece in (b"TAP version 13\n1..3\nok 1 a\nn", b"ot ok 2 b\n", b"", b"# ok 3\nok 3"):
            meter(piece)
        self.assertEqual(meter.results, 2)
        meter.progress.update.assert_called_with("2 results")
