# SPDX-License-Identifier: GPL-2.0-only
import pathlib
import re
import tempfile
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
        self.assertEqual(libdeb.libc_of("(GLIBC_2.34)"), "2.34")

    def test_what_runs_programs_is_a_package_of_its_own(self):
        with tempfile.TemporaryDirectory() as scratch:
            root, shared = pathlib.Path(scratch, "root"), pathlib.Path(scratch, "shared")
            folder = root / "usr/lib/an-arch"
            folder.mkdir(parents=True)
            for name in ("libvfiodma.a", "libvfiodma.so.3.14"):
                (folder / name).touch()
            (folder / "libvfiodma.so.3").symlink_to("libvfiodma.so.3.14")
            (folder / "libvfiodma.so").symlink_to("libvfiodma.so.3")
            self.assertEqual(libdeb.split(root, shared, "9.1"), "libvfiodma3")
            self.assertEqual({file.name for file in folder.iterdir()},
                             {"libvfiodma.a", "libvfiodma.so"})
            self.assertEqual({file.name for file in (shared / "usr/lib/an-arch").iterdir()},
                             {"libvfiodma.so.3", "libvfiodma.so.3.14"})
            self.assertEqual((shared / "DEBIAN/shlibs").read_text(),
                             "libvfiodma 3 libvfiodma3 (>= 9.1)\n")


if __name__ == "__main__":
    unittest.main()
