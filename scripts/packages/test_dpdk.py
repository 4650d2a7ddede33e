# SPDX-License-Identifier: GPL-2.0-only
import pathlib
import tempfile
import types
import unittest

from common.ui import Failure
from packages import dpdk

LDD = """/usr/bin/dpdk-testpmd:
\tlinux-vdso.so.1 (0x00007ffd3a5f2000)
\tlibrte_eal.so.23 => /lib/x86_64-linux-gnu/librte_eal.so.23 (0x00007f1d8a0f4000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f1d8a5d1000)
/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_e1000.so.23:
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1d89e00000)
"""


class Libraries(unittest.TestCase):
    def test_named(self):
        self.assertEqual(dpdk.libraries(LDD), ["/lib/x86_64-linux-gnu/librte_eal.so.23",
                                               "/lib64/ld-linux-x86-64.so.2",
                                               "/lib/x86_64-linux-gnu/libc.so.6"])

    def test_lacking(self):
        with self.assertRaisesRegex(Failure, "lacks libnuma.so.1"):
            dpdk.libraries(LDD + "\tlibnuma.so.1 => not found\n")

    def test_nothing(self):
        with self.assertRaisesRegex(Failure, "lacks a loader"):
            dpdk.libraries("")


class Find(unittest.TestCase):
    def test_by_its_abi(self):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch, "usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0")
            folder.mkdir(parents=True)
            root = types.SimpleNamespace(folder=pathlib.Path(scratch))
            pattern = "usr/lib/*/dpdk/pmds-*/librte_net_e1000.so.*.*"
            for suffix in ("a", "so", "so.23"):
                (folder / f"librte_net_e1000.{suffix}").touch()
            with self.assertRaisesRegex(Failure, "hold no usr/lib"):
                dpdk.find(root, pattern)
            (folder / "librte_net_e1000.so.23.0").touch()
            self.assertEqual(dpdk.find(root, pattern), "/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/"
                                                       "librte_net_e1000.so.23.0")


class Package(unittest.TestCase):
    def test_name(self):
        said = []

        def ask(*command):
            said.append(command)
            return "librte-net-e1000-23 - Data Plane Development Kit (runtime library)\n"
        root = types.SimpleNamespace(ask=ask, release="bookworm")
        self.assertEqual(dpdk.package(root, "librte_net_e1000"), "librte-net-e1000-23")
        self.assertEqual(said[0][-1], "^librte-net-e1000-?[0-9]+$")

    def test_none(self):
        root = types.SimpleNamespace(ask=lambda *_: "", release="bookworm")
        with self.assertRaisesRegex(Failure, "bookworm has no package of librte_net_e1000"):
            dpdk.package(root, "librte_net_e1000")
