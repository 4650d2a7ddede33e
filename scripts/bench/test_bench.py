# SPDX-License-Identifier: GPL-2.0-only
"""What make bench makes of figures, without a guest."""

import contextlib
import io
import unittest
from unittest import mock

from bench import bench, callprofile, costplot, costtable, figures, textsize
from bench.costtable import Row
from bench.figures import Figures
from common import settings
from common.ui import Failure
from guest import machine, vm
from series import series
from tests.costs import MIB, made, our_values, peer_values
from tests.folder import FolderTest


class Parse(unittest.TestCase):
    def test_lines(self):
        self.assertEqual(figures.parse("call/get_pa 977\r\nmemfd none\nbench: no\n\n"),
                         ({"call/get_pa": 977, "memfd": None}, ["bench: no"]))

    def test_a_line_that_was_cut(self):
        found, other = figures.parse("call/get_pa 977\ncall/pagemap")
        self.assertEqual(list(found), ["call/get_pa"])
        self.assertEqual(other, ["call/pagemap"])

    def test_same(self):
        self.assertIn("same figures, all 2", figures.say_same({"a": 1, "b": None},
                                                              {"a": 1, "b": None}))

    def test_different(self):
        self.assertEqual(figures.differences({"a": 1, "b": 2, "c": None}, {"a": 1, "b": 3}),
                         ["b", "c"])
        text = figures.say_same({str(n): n for n in range(9)}, {})
        self.assertIn("differ in 9 of 9", text)
        self.assertIn("and 4 more", text)


class PerPage(unittest.TestCase):
    figures = Figures(peer_values())

    def test_values(self):
        self.assertEqual(self.figures.per_page("scattered", 16 * MIB, "map"), 588)
        self.assertIsNone(self.figures.per_page("scattered", 16 * MIB, "extents"))
        self.assertIsNone(self.figures.per_page("scattered", MIB, "map"))
        self.assertEqual(self.figures.sizes("scattered"), [16 * MIB])

    def test_least(self):
        memory = ("hugetlb2m", 64 * MIB)
        self.assertEqual(self.figures.least_per_page(*memory, "extents", "run", "page"), 175)
        self.assertIsNone(self.figures.least_per_page(*memory, "extents"))

    def test_per_gib(self):
        self.assertEqual(self.figures.per_gib("scattered", 16 * MIB, "page_tables"),
                         8 * 4096 * 64)


class Table(unittest.TestCase):
    def rows(self, leeway=1, **changes):
        ours = Figures({**our_values(), **changes})
        return {row.name: row
                for row in costtable.rows(ours, Figures(peer_values()), leeway)}

    def over(self, **changes):
        return [name for name, row in self.rows(**changes).items() if row.over()]

    def test_values(self):
        row = self.rows()["address list, scattered, a page"]
        self.assertEqual((row.pagemap, row.peer, row.ours, row.budget), (91, 1155, 35, 40))
        row = self.rows()["the same as the device sees it, scattered, a page"]
        self.assertEqual((row.pagemap, row.peer, row.ours, row.budget), (91, None, 38, 40))
        row = self.rows()["address list, hugetlb, a page"]
        self.assertEqual((row.pagemap, row.peer, row.ours, row.budget), (24, 175, 0.5, 1))

    def test_within_budgets_as_shown(self):
        self.assertEqual(self.over(), [])

    def test_over_budget(self):
        self.assertEqual(self.over(**{"call/get_pa": 751}), ["one page, one call"])
        self.assertEqual(self.over(**made("scattered", 16 * MIB, map=589)),
                         ["map, scattered, a page"])
        self.assertEqual(self.over(**made("scattered", 16 * MIB, device=41)),
                         ["the same as the device sees it, scattered, a page"])
        self.assertEqual(self.over(**made("hugetlb2m", 64 * MIB, extents=1.01, run=2)),
                         ["address list, hugetlb, a page"])
        self.assertEqual(self.over(**made("hugetlb2m", 64 * MIB, unmap=1.01)),
                         ["unmap, hugetlb, a page"])
        self.assertEqual(self.over(**made("scattered", 16 * MIB, run=1701)),
                         ["one contiguous piece a call, scattered, a page"])

    def test_a_base_that_may_cost_more(self):
        self.assertEqual(self.over(leeway=1.5, **{"call/get_pa": 1125}), [])
        self.assertEqual(self.over(leeway=1.5, **{"call/get_pa": 1126}),
                         ["one page, one call"])
        self.assertIsNone(self.rows(leeway=1.5)["an ioctl that is refused"].budget)

    def test_without_extents(self):
        row = self.rows(**made("scattered", 16 * MIB, extents=None))[
            "address list, scattered, a page"]
        self.assertEqual(row.ours, 720)
        self.assertTrue(row.over())

    def test_no_figure_is_over_a_budget(self):
        self.assertTrue(Row("x", None, 1, None, 5).over())
        self.assertFalse(Row("x", None, 1, None).over())

    def test_ratios(self):
        cells = Row("x", 91, 1155, 35, 40).cells()
        self.assertEqual(cells, ("x", "91", "1,155", "35", "≤ 40", "2.6×", "33×"))
        self.assertEqual(Row("x", None, 5, 0).cells()[-2:], ("", ""))

    def test_marked(self):
        self.assertIn("**over budget**", Row("x", None, 1, 6, 5).cells()[3])

    def test_columns_are_in_line(self):
        lines = costtable.table(self.rows().values(), "7.3.4").splitlines()
        self.assertEqual(len({len(line) for line in lines}), 1)
        self.assertIn("Linux 7.3.4", lines[0])

    def test_parallel_counts_the_other_way(self):
        ours, peer = (Figures({"parallel/1/1/1": one, "parallel/2/1/1": one,
                               "parallel/2/2/1": two, "parallel/2/2/2": two})
                      for one, two in ((100, 200), (100, 80)))
        text = costtable.parallel_table(costtable.parallel_rows(ours, peer), "7.3.4")
        self.assertIn("1 thread, 1 processor ", text)
        self.assertRegex(text, r"2 threads, 2 processors .*\| 2.5× *\|")
        self.assertIn("2 threads, 2 processors, 2 IOASs", text)


class Plot(unittest.TestCase):
    def script(self):
        kernels = {"ours": Figures(our_values()), "peer": Figures(peer_values())}
        return costplot.script(kernels, "7.3.4", "cost.svg")

    def test_a_line_for_each_way_that_there_is(self):
        text = self.script()
        self.assertEqual(text.count("<< END"), 2 * 6)
        self.assertIn("Linux 7.3.4, a call for each run", text)
        self.assertIn("16777216 1155.0\n", text)
        self.assertIn('"16 MiB" 16777216', text)

    def test_range(self):
        self.assertIn("set yrange [0.1:10000]", self.script())

    def test_no_figures(self):
        with self.assertRaisesRegex(Failure, "no figures"):
            costplot.script({"ours": Figures({}), "peer": Figures({})}, "7.3", "x")

    def test_sizes(self):
        self.assertEqual([costplot.size_name(4096 << shift) for shift in (0, 8, 18)],
                         ["4 KiB", "1 MiB", "1 GiB"])


class Text(unittest.TestCase):
    def test_every_text_section_and_no_other(self):
        self.assertEqual(textsize.text_bytes(
            "a.o  :\nsection size addr\n.text 100 0\n.text.unlikely 20 0\n.init.text 3 0\n"
            ".data 5000 0\n.rela.text 900 0\n.context 7 0\nTotal 9999\n"), 123)


class Profile(unittest.TestCase):
    symbols = callprofile.Symbols("ffffffff81000000 T entry\nffffffff81000100 t walk.part.0\n"
                                  "ffffffff81000200 D data\nffffffff82000000 T later\n")

    def trace(self, *addresses):
        return [f"Trace 0: 0x7f [0000/{address:016x}/00c0b2b3/ff000000] name\n"
                for address in addresses]

    def test_whole_calls_only(self):
        entry, walk = 0xffffffff81000000, 0xffffffff81000104
        lines = ["Linking TBs\n", *self.trace(walk, entry, entry + 4, walk, 0x401000, entry, walk,
                                              walk, 0x401004, entry, walk)]
        self.assertEqual(callprofile.per_call(callprofile.steps(lines), self.symbols, "entry"),
                         {"entry": 1.5, "walk.part.0": 1.5, "the program itself": 1})

    def test_too_short(self):
        with self.assertRaisesRegex(Failure, "not seen to be called twice in 1 instr"):
            callprofile.per_call([0xffffffff81000000], self.symbols, "entry")

    def test_table(self):
        text = callprofile.table({"walk": 99.6, "later.part.0": 7, "entry": 3, "data": 1})
        self.assertRegex(text, r"\| others +\| 4 ")
        self.assertRegex(text, r"\| all +\| 111 ")


class Runs(FolderTest):
    def run_with(self, output, status=0):
        log = self.folder / "log"
        log.write_text("fine\n")
        result = vm.Result(status, output, log, True, False, 9.0)
        with mock.patch("guest.guest.run", return_value=result), \
             contextlib.redirect_stderr(io.StringIO()):
            return bench.run(None, None, "bench", None)

    def test_figures(self):
        self.assertEqual(self.run_with(b"call/get_pa 977\r\n"), {"call/get_pa": 977})

    def test_the_program_says_why(self):
        with self.assertRaisesRegex(Failure, "status 1: bench: no node"):
            self.run_with(b"call/get_pa 977\nbench: no node\n", 1)
        with self.assertRaisesRegex(Failure, "it said nothing"):
            self.run_with(b"")

    def test_memory(self):
        meminfo = self.folder / "meminfo"
        meminfo.write_text("MemTotal: 1 kB\nMemAvailable:    2097152 kB\n")
        with self.assertRaisesRegex(Failure, "2048 MiB are available"):
            bench.require_memory(meminfo)
        meminfo.write_text("MemAvailable:   99999999 kB\n")
        bench.require_memory(meminfo)

    def test_position(self):
        self.assertEqual(bench.position(b""), "boots")
        self.assertEqual(bench.position(b"a 1\nb/map 2\nb/unm"), "2 figures, b/map")

    def test_counting_machine(self):
        words = machine.Machine("icount", "bzImage", "cpio", "disk", cpus=1).command(
            "log", "status", 5)
        self.assertEqual(words[words.index("-icount") + 1], "shift=0,sleep=off")
        self.assertEqual(words[words.index("-smp") + 1], "1")


class WithoutSeries(unittest.TestCase):
    def test_a_folder_of_its_own(self):
        ours = settings.Settings("v7.3", linux="/some/tree")
        plain = ours.without_series("v7.3")
        self.assertEqual(plain.linux, "")
        self.assertNotEqual(plain.work, ours.work)
        self.assertEqual(series.of(plain).patches(), [])
        self.assertIsInstance(series.of(ours), series.Series)
