# SPDX-License-Identifier: GPL-2.0-only
import pathlib
import re
import types
import unittest

from packages import libdeb

TOP = pathlib.Path(__file__).resolve().parents[2]


class Library(unittest.TestCase):
    def test_the_examples_are_whole(self):
        files = libdeb.sources(types.SimpleNamespace(source=TOP))
        names = {file.name for file in files} | {"vfiodma.h"}
        self.assertIn("noiommu-nvme.c", names)
        for file in files:
            wanted = re.findall(r'^#include "(.+)"', file.read_text(), re.MULTILINE)
            self.assertEqual(set(wanted) - names, set(), file.name)

    def test_the_c_library(self):
        symbols = """
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.2.5) free
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.33) fstat
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.4) __stack_chk_fail
0000000000001234 g    DF .text\t0000000000000056  VFIODMA_1   vfiodma_addr
"""
        self.assertEqual(libdeb.libc_of(symbols), "2.33")


if __name__ == "__main__":
    unittest.main()
