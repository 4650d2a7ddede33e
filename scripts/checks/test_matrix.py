# SPDX-License-Identifier: GPL-2.0-only
"""make matrix, without compiling anything."""

import re
import unittest

from build import toolchains
from checks import matrix, matrixrows, randconfig, symsizes
from common.settings import TOP


class Options(unittest.TestCase):
    def test_later_ones_win(self):
        self.assertEqual(matrix.options("A=y B=m A=n"), {"CONFIG_A": "n", "CONFIG_B": "m"})

    def test_mismatches(self):
        config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\n"
        wanted = matrix.options("A=y B=n C=m D=n")
        self.assertEqual(matrix.mismatches(config, wanted, {}), [])
        self.assertEqual(matrix.mismatches(config, wanted, matrix.options("A=n D=y")),
                         ["CONFIG_A is y, expected n", "CONFIG_D is n, expected y"])

    def test_what_is_refused_may_be_asked_for(self):
        self.assertEqual(matrix.mismatches("", matrix.options("A=y"), matrix.options("A=n")), [])


class Kconfig(unittest.TestCase):
    UNMET = ("\nWARNING: unmet direct dependencies detected for IOMMU_PT\n"
             "  Depends on [n]: IOMMU_SUPPORT [=n]\n  Selected by [y]:\n  - IOMMUFD [=y]\n")

    def found(self, text):
        return [match.group(0) for match in matrix.KCONFIG_TROUBLE.finditer(text)]

    def test_unmet_dependencies_with_who_selects(self):
        report, = self.found("#\n" + self.UNMET + "#\n# configuration written to .config\n")
        self.assertTrue(report.startswith("WARNING: unmet direct dependencies detected for IO"))
        self.assertTrue(report.endswith("- IOMMUFD [=y]"))

    def test_recursion_and_warnings(self):
        self.assertEqual(len(self.found("error: recursive dependency detected!\n")), 1)
        self.assertEqual(len(self.found("wanted.config:3:warning: symbol value '7' invalid\n")),
                         1)

    def test_nothing(self):
        self.assertEqual(self.found("  HOSTCC  scripts/kconfig/conf.o\n#\n# configuration "
                                    "written to .config\n#\n"), [])


class Divisions(unittest.TestCase):
    def test_those_of_libgcc(self):
        listing = ("                 U __udivdi3\n                 U __umoddi3\n"
                   "                 U __aeabi_uldivmod\n                 U __div64_32\n"
                   "                 U div64_u64\n")
        self.assertEqual(matrix.LIBGCC.findall(listing),
                         ["__udivdi3", "__umoddi3", "__aeabi_uldivmod"])


class Rows(unittest.TestCase):
    def test_each_toolchain_has_some(self):
        self.assertEqual({each.name for each in toolchains.TOOLCHAINS}, set(matrixrows.ROWS))
        self.assertTrue(all(matrixrows.ROWS.values()))

    def test_names_are_files(self):
        for rows in matrixrows.ROWS.values():
            logs = {re.sub(r"\W+", "-", row.name) for row in rows}
            self.assertEqual(len(logs), len(rows))

    def test_each_says_what_comes_of_the_feature(self):
        for toolchain, rows in matrixrows.ROWS.items():
            for row in rows:
                self.assertIn("CONFIG_IOMMUFD_NOIOMMU", matrix.options(row.gives),
                              f"{toolchain}: {row.name}")

    def test_compilers(self):
        for each in toolchains.TOOLCHAINS:
            self.assertEqual("LLVM" in each.variables, each.clang)
            self.assertEqual(each.tools[0].startswith("clang"), each.clang)

    def test_the_rows_for_sizes_are_there(self):
        names = [row.name for row in matrixrows.X86_64]
        self.assertTrue(set(symsizes.ROWS) <= set(names))
        for row in matrixrows.X86_64:
            if row.name in symsizes.ROWS:
                self.assertEqual(matrix.options(row.options)["CONFIG_VFIO_NOIOMMU"], "n")


class Random(unittest.TestCase):
    GOOD = ("CONFIG_VFIO_NOIOMMU=y\nCONFIG_VFIO_DEVICE_CDEV=y\nCONFIG_IOMMUFD=m\n"
            "CONFIG_IOMMUFD_NOIOMMU=y\nCONFIG_GENERIC_PT=y\nCONFIG_IOMMU_PT=m\n"
            "CONFIG_IOMMU_PT_AMDV1=m\n")

    def test_good(self):
        self.assertEqual(randconfig.broken(self.GOOD), [])
        self.assertEqual(randconfig.broken(""), [])

    def test_each_rule(self):
        for wrong, right, rule in (
                ("VFIO_DEVICE_CDEV=y", "VFIO_DEVICE_CDEV=n", "way in"),
                ("IOMMUFD_NOIOMMU=y", "IOMMUFD_NOIOMMU=n", "known to iommufd"),
                ("VFIO_NOIOMMU=y", "VFIO_NOIOMMU=n", "nothing but"),
                ("IOMMUFD=m", "IOMMUFD=y", "page table"),
                ("IOMMUFD=m", "IOMMUFD=m\nCONFIG_GENERIC_ATOMIC64=y", "cmpxchg64")):
            problems = randconfig.broken(self.GOOD.replace(f"CONFIG_{wrong}", f"CONFIG_{right}"))
            self.assertTrue(any(rule in problem for problem in problems), (right, problems))


class Sizes(unittest.TestCase):
    DUMP = """
0000000000000000 <batch_add>:
   0:\tendbr64
   4:\ttest   %rdi,%rdi
   7:\tje     12 <batch_add+0x12>
   9:\tjmp    20 <other>
   e:\txchg   %ax,%ax

0000000000000010 <batch_add.constprop.0>:
  10:\tjne    12 <batch_add+0x12>
"""

    def test_functions(self):
        found = symsizes.functions(self.DUMP)
        self.assertEqual(found, {"batch_add": symsizes.Cost(5, 2)})

    def test_grown(self):
        before = {"a": symsizes.Cost(9, 1), "b": symsizes.Cost(9, 1), "c": symsizes.Cost(9, 1)}
        after = {"a": symsizes.Cost(17, 1), "b": symsizes.Cost(8, 2), "c": symsizes.Cost(18, 0),
                 "d": symsizes.Cost(3, 0)}
        self.assertEqual(symsizes.grown(before, after), {
            "b": "-1 instructions, +1 branches", "c": "+9 instructions, -1 branches",
            "d": "is new: 3 instructions"})

    def test_reasons(self):
        text = "# why\n\ndrivers/vfio/a.o f it has to\n"
        self.assertEqual(symsizes.explained(text), {("drivers/vfio/a.o", "f"): "it has to"})

    def test_those_that_are_kept_are_readable(self):
        for path, _ in symsizes.explained((TOP / "configs/grown").read_text()):
            self.assertTrue(path.endswith(".o"), path)
