# SPDX-License-Identifier: GPL-2.0-only
import pathlib
import subprocess
import tempfile
import unittest
from unittest import mock

from common.settings import Settings
from common.ui import Failure
from packages import modules, stock

SEARCH = """\
linux-headers-7.2.9+deb13-cloud-amd64 - Linux 7.2.9 for x86-64 cloud (module development)
linux-headers-7.2.12+deb13-cloud-amd64 - Linux 7.2.12 for x86-64 cloud (module development)
linux-headers-7.2.6+deb13-cloud-amd64 - Linux 7.2.6 for x86-64 cloud (module development)
"""


class Made(unittest.TestCase):
    """A kernel whose packages are made up: its modules need each other."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = pathlib.Path(scratch.name)
        settings = Settings("v7.2", top=self.top)
        self.stock = stock.Stock(settings, "sid", "cloud-amd64", None, "7.2.13+deb14-cloud-amd64")
        self.modules = self.stock.folder / "usr/lib/modules/7.2.13"
        self.modules.mkdir(parents=True)
        (self.modules / "modules.builtin").write_text("kernel/drivers/irq/irq-bypass.ko\n")

    def module(self, name, depends, folder=None):
        path = (folder or self.modules) / f"{name}.ko"
        path.write_bytes(b"license=GPL\0depends=" + ",".join(depends).encode() + b"\0name=x\0")
        return path

    def names(self, *names, ours=None):
        return [file.name for file in self.stock.in_order(names, ours or {})]


class Headers(unittest.TestCase):
    NATIVE = """\
linux-headers-6.12.117+deb13-cloud-arm64:arm64
  Depends: <linux-base:arm64>
    linux-base
  Depends: <linux-headers-6.12.117+deb13-common:arm64>
    linux-headers-6.12.117+deb13-common
 |Depends: linux-image-6.12.117+deb13-cloud-arm64:arm64
  Depends: linux-image-6.12.117+deb13-cloud-arm64-unsigned:arm64
  Depends: linux-kbuild-6.12.117+deb13:arm64
    linux-kbuild-6.12.117+deb13
  Depends: gcc-14:arm64
"""
    CROSS = """\
linux-headers-7.2.13+deb14-cloud-arm64:arm64
  Depends: gcc-16-for-host:arm64
  Depends: <linux-headers-7.2.13+deb14-common:arm64>
  Depends: linux-kbuild-7.2.13+deb14:arm64
"""

    def test_compiler_that_runs_elsewhere(self):
        self.assertEqual(stock.native_compiler(self.NATIVE),
                         ("gcc-14", ["linux-headers-6.12.117+deb13-common",
                                     "linux-kbuild-6.12.117+deb13"]))

    def test_compiler_for_other_machines(self):
        self.assertEqual(stock.native_compiler(self.CROSS)[0], "")


class Order(Made):
    def test_what_is_needed_comes_before(self):
        self.module("vfio", [])
        self.module("vfio-pci-core", ["vfio", "irq_bypass"])
        self.module("vfio-pci", ["vfio-pci-core", "vfio"])
        self.assertEqual(self.names("vfio_pci"), ["vfio.ko", "vfio-pci-core.ko", "vfio-pci.ko"])

    def test_ours_are_taken(self):
        self.module("vfio", [])
        self.module("other", ["vfio"])
        ours = self.top / "ours"
        ours.mkdir()
        mine = {name: self.module(name, depends, ours)
                for name, depends in (("vfio", ["iommufd"]), ("iommufd", []))}
        self.assertEqual(self.names("other", ours=mine), ["iommufd.ko", "vfio.ko", "other.ko"])
        self.assertEqual(self.stock.in_order(["vfio"], mine), [mine["iommufd"], mine["vfio"]])

    def test_packed_modules_are_unpacked(self):
        subprocess.run(["xz", str(self.module("vfio", []))], check=True)
        self.assertTrue(self.stock.module("vfio").read_bytes().startswith(b"license=GPL"))

    def test_who_reads_a_module_sees_all_of_it(self):
        self.module("vfio", [])
        target = self.stock.module("vfio")
        before = target.read_bytes()

        def unpack(command, stdout, check):
            self.assertEqual(target.read_bytes(), before)
            stdout.write(b"anew")
        with mock.patch.object(stock.subprocess, "run", side_effect=unpack):
            self.assertEqual(self.stock.module("vfio"), target)
        self.assertEqual(target.read_bytes(), b"anew")
        self.assertEqual(list(target.parent.iterdir()), [target])

    def test_a_module_that_is_not_there(self):
        self.assertFalse(self.stock.has("kvmgt"))
        with self.assertRaisesRegex(Failure, "has no module kvmgt"):
            self.names("kvmgt")


class Newest(Made):
    def newest(self, said):
        root = mock.Mock()
        root.ask.return_value = said
        return self.stock.newest(root)

    def test_by_number_and_not_by_name(self):
        self.assertEqual(self.newest(SEARCH), "7.2.12+deb13-cloud-amd64")

    def test_a_suite_that_has_none(self):
        with self.assertRaisesRegex(Failure, "Debian's sid has no Linux 7.2 of flavour cloud-"):
            self.newest("")


class Reason(unittest.TestCase):
    """Why modules could not be built."""

    def reason(self, text):
        with tempfile.TemporaryDirectory() as scratch:
            log = pathlib.Path(scratch, "log")
            log.write_text(text)
            return modules.reason(log)

    def test_a_refusal(self):
        said = "vfio-noiommu: not for Linux 7.2.13: it has CONFIG_VFIO=y"
        self.assertEqual(self.reason(f"make[1]: x\n{said}\nmake: *** Error 1\n"), said)

    def test_structs(self):
        said = "layout: struct device: 8 bytes here, 16 in the kernel"
        self.assertEqual(self.reason(f"layout: x.ko has no BTF to compare with\n{said}\n"
                                     "make: *** Error 1\n"), said)

    def test_the_compiler(self):
        self.assertEqual(self.reason("x.c:1: error: no\nmake: *** Error 1\n"), "x.c:1: error: no")


if __name__ == "__main__":
    unittest.main()
