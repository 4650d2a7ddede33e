# SPDX-License-Identifier: GPL-2.0-only
"""What make bench says, from two kernels' results to files and exit status."""

import contextlib
import io
from unittest import mock

from cli import cmd_bench
from common import settings
from tests.costs import our_values, peer_values
from tests.folder import FolderTest


class Report(FolderTest):
    """From two kernels' results to files and exit status."""

    def report(self, ours, **others):
        results = {which: {"name": which, "version": version, "instructions": values,
                           "differences": [], "same": "two runs give the same figures",
                           "lookups a second": {"parallel/1/1/1": 1000}, "text": {"all": 9},
                           "profile": {"walk": 99.6}}
                   for which, version, values in (("ours", "7.2.1", ours),
                                                  ("peer", "7.3.4", peer_values()),
                                                  *((base, base[1:] + ".9", values)
                                                    for base, values in others.items()))}
        with mock.patch("bench.costplot.draw"), contextlib.redirect_stdout(io.StringIO()) as said:
            status = cmd_bench.report(settings.Settings("v7.2"), self.folder, results,
                                      {"call/get_pa": 699})
        return status, said.getvalue()

    def test_good(self):
        status, said = self.report(our_values())
        self.assertEqual(status, 0)
        self.assertTrue(said.endswith("ok: within all budgets\n"))
        self.assertIn("this series on 7.2.1: two runs give the same", said)
        self.assertRegex(said, r"one page, one call +\| 699 +\| 700 ")
        self.assertRegex(said, r"`walk\(\)` +\| 100 ")
        self.assertTrue((self.folder / "bench.json").exists())
        self.assertIn((self.folder / "results.md").read_text(), said)

    def test_bases_side_by_side(self):
        _, said = self.report(our_values())
        self.assertNotIn("each base", said)
        _, said = self.report(our_values(), **{"v6.12": {**our_values(), "call/get_pa": 812}})
        table = said.partition("This series on each base:\n\n")[2]
        self.assertRegex(table, r"\| instructions +\| Linux 7.2.1 +\| Linux 6.12.9 +\|\n")
        self.assertRegex(table, rf"one page, one call +\| {our_values()['call/get_pa']} +\| 812 ")
        self.assertIn("- 6.12.9: two runs give the same figures.", table)

    def test_over_budget(self):
        status, said = self.report({**our_values(), "call/get_pa": 800})
        self.assertEqual(status, 1)
        self.assertTrue(said.endswith("FAILED: over budget: one page, one call\n"))
