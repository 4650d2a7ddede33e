# SPDX-License-Identifier: GPL-2.0-only
"""Which suites `make check` runs on which base, without running one."""

from unittest import mock

from base import aptsource, bases
from checks import check, ktap
from common import settings
from common.ui import Failure
from tests.folder import FolderTest

NOTHING = [None] * len(check.KERNELS), [None] * len(check.LONG_KERNELS)


def names(suites):
    return [suite.name for suite in suites]


class Suites(FolderTest):
    def setUp(self):
        super().setUp()
        self.top = self.folder
        (self.top / "configs").symlink_to(settings.TOP / "configs")
        for base in ("v7.2", "v7.3", "v6.12"):
            (self.top / "patches" / base).mkdir(parents=True)
            (self.top / "patches" / base / "series").touch()
        self.settings = settings.Settings(base="v7.2", top=self.top)

    def base_without(self, tests):
        return mock.patch.dict(bases.BASES, {"v7.2": bases.Base((), tests)})

    def test_names_are_used_once(self):
        every = names(check.suites(self.settings, *NOTHING[0]))
        self.assertEqual(len(every), len(set(every)))

    def test_the_default_base_has_all(self):
        self.assertEqual(bases.of(bases.DEFAULT).without, {})

    def test_what_bases_are_without_exists(self):
        suites = check.suites(self.settings, *NOTHING[0])
        programs = {name for name in names(suites) if "-" not in name}
        for name, base in bases.BASES.items():
            self.assertLessEqual(set(base.without), {*check.NOIOMMU, *check.OWN} | programs)
            offered, _ = check.offered(self.settings.on(name), suites)
            self.assertLessEqual(set(base.brief), set(names(offered)))
            self.assertTrue(base.brief)

    def test_programs_of_a_base_that_has_the_ioctl(self):
        for base, there in (("v7.2", False), ("v7.3", True), ("v6.12", False)):
            found = names(check.suites(self.settings.on(base), *NOTHING[0]))
            self.assertEqual("disk-plain-run" in found, there, base)

    def test_left_out_with_a_reason(self):
        found = check.suites(self.settings, *NOTHING[0])
        with self.base_without({"extents": "no lists"}):
            offered, left_out = check.offered(self.settings, found)
        gone = ["extents-run", "extents-iommu"]
        self.assertEqual(left_out, dict.fromkeys(gone, "no lists"))
        self.assertEqual(names(offered), [name for name in names(found) if name not in gone])

    def test_series_have_the_tests_that_their_bases_are_not_without(self):
        for base in bases.BASES:
            series = (settings.TOP / "patches" / base / "series").read_text()
            there = {name for name, test in check.NOIOMMU.items() if f"/{test}.c" in series}
            self.assertEqual(there, set(check.NOIOMMU) - set(bases.of(base).without), base)

    def test_own_tests_are_there(self):
        there = {file.stem.removesuffix("_test")
                 for file in (settings.TOP / "tests/vfio").glob("*_test.c")}
        self.assertEqual(there, set(check.OWN))

    def test_other_bases_are_those_with_a_series(self):
        wanted = [f"{name.removesuffix('-run')}-{base}" for base in ("v7.3", "v6.12")
                  for name in ("base", "configs", *bases.of(base).brief)]
        self.assertEqual(sorted(names(check.of_other_bases(self.settings))), sorted(wanted))
        (self.top / "patches/v6.12/series").unlink()
        self.assertEqual(names(check.of_other_bases(self.settings)),
                         ["base-v7.3", "configs-v7.3", "disk-v7.3", "library-v7.3",
                          "noiommu-v7.3"])

    def test_logs_are_in_the_folder_of_their_base(self):
        for suite in filter(lambda suite: suite.log, check.of_other_bases(self.settings)):
            self.assertEqual(suite.log.parent, self.top / "build" / suite.name.split("-")[-1])

    def result(self, error):
        return check.document_of(check.Suite("disk-v7.3", mock.Mock(side_effect=error)))

    def test_a_base_that_is_not_to_be_had_is_skipped(self):
        text = self.result(aptsource.NotOffered("7.3", ("sid",), None))
        self.assertRegex(text, r"(?m)^ok 1 disk-v7.3 # SKIP linux-source-7.3 is in none")

    def test_a_base_that_does_not_build_has_failed(self):
        self.assertEqual(self.result(Failure("cannot build")),
                         ktap.document([("disk-v7.3", "error: cannot build")]))

    def test_suites_of_a_kernel_that_does_not_build_have_failed(self):
        kernel = mock.Mock()
        kernel.ready.side_effect = Failure("cannot build")
        suite = check.Suite("a", mock.Mock(), kernel)
        self.assertEqual(check.document_of(suite), ktap.document([("a", "error: cannot build")]))
        suite.run.assert_not_called()

    def test_a_fault_of_the_tools_is_a_failure_that_shows_where(self):
        text = self.result(FileNotFoundError("no such module"))
        self.assertIn("not ok", text)
        self.assertIn("Traceback", text)
        self.assertIn("no such module", text)

    def test_a_lost_boot_is_in_the_results(self):
        suite = check.Suite("a", lambda: ktap.document([("x", "")]))
        with mock.patch.dict(check.vm.LOST, {"a": "why\ntrace", "b": "other"}):
            self.assertEqual(check.document_of(suite), ktap.document([("x", "")])
                             + "# a guest was lost: why\n# a guest was lost: trace\n")
            self.assertEqual(list(check.vm.LOST), ["b"])


class Versions(Suites):
    """What make check says of the version of a base."""

    def document(self, ensure, passed=()):
        with mock.patch("series.tree.ensure", ensure), \
             mock.patch("series.tree.made", lambda settings: None), \
             mock.patch("series.tree.version", lambda repo: "7.2.12"), \
             mock.patch("series.tree.passed_over", lambda settings: dict(passed)):
            return check.document_of(check.version(self.settings))

    def test_the_newest(self):
        self.assertEqual(self.document(mock.Mock()), ktap.document([("Linux 7.2.12", "")]))

    def test_one_that_is_passed_over_is_skipped(self):
        text = self.document(mock.Mock(), {"7.2.13": "x.patch does not apply: y.c:1"}.items())
        self.assertEqual(text, ktap.document([("Linux 7.2.12", "")], [
            ("Linux 7.2.13", "passed over: x.patch does not apply: y.c:1")]))
        self.assertIn("ok 2 Linux 7.2.13 # SKIP passed over", text)

    def test_none_is_a_failure(self):
        self.assertIn("not ok 1 base-v7.2",
                      self.document(mock.Mock(side_effect=Failure("no Linux 7.2"))))
