# SPDX-License-Identifier: GPL-2.0-only
import importlib
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from packages import modsource

KERNEL = """
struct other;
struct ops { int (*call)(struct other *, unsigned long); void (*more)(void); };
struct shared {
	const struct ops *ops;
	union { unsigned int a; char b[4]; };
	unsigned int flag : 1, rest : 7;
	enum { X, Y } state;
};
struct pt_iommu_ops { int (*map_range)(int); int (*unmap_range)(int); int (*get_info)(int); };
struct pt_iommu_map_args { int of_the_kernel; };
struct theirs { long x; };
struct shared a; struct pt_iommu_ops b; struct pt_iommu_map_args c; struct theirs d;
struct ops e;
"""
OURS = KERNEL.replace("struct theirs { long x; };", "").replace("struct theirs d;", "")


class Layout(unittest.TestCase):
    """The comparison of structs, of files that gcc makes BTF of."""

    @classmethod
    def setUpClass(cls):
        with mock.patch.object(sys, "path", [str(modsource.DKMS), *sys.path]):
            cls.layout = importlib.import_module("layout")
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)

    def compiled(self, text, name):
        target = self.folder / name
        subprocess.run(["gcc", "-gbtf", "-x", "c", "-c", "-o", str(target), "-"],
                       input=text.encode(), check=True)
        return target

    def compare(self, ours, kernel=KERNEL):
        self.compiled(kernel, "vmlinux")
        module = self.compiled(ours, "ours.ko")
        with mock.patch.object(self.layout, "encode",
                               lambda module, _: self.layout.section(pathlib.Path(module))), \
             mock.patch("builtins.print"):
            return self.layout.compare(self.folder, [str(module)])

    def test_the_same(self):
        self.assertEqual(self.compare(OURS), [])

    def test_a_member_more(self):
        found, = self.compare(OURS.replace("} state;", "} state; int more;"))
        self.assertIn("`more` at 20 (int32) here, nothing there", found)
        found, = self.compare(OURS.replace("} state;", "} state; long more[2];"))
        self.assertIn("struct shared: 40 bytes here, 24 in the kernel", found)

    def test_a_member_that_moved(self):
        found, = self.compare(OURS.replace("flag : 1, rest : 7", "rest : 7, flag : 1"))
        self.assertIn("first `rest` at 12 (int32, 7 bits) here, `flag` at 12", found)

    def test_another_type_of_the_same_size(self):
        found, = self.compare(OURS.replace("const struct ops *ops", "struct other *ops"))
        self.assertIn("`ops` at 0 (struct other*) here", found)

    def test_another_signature(self):
        found, = self.compare(OURS.replace("struct other *, unsigned long", "struct other *, int"))
        self.assertIn("struct ops: not as in the kernel; first `call` at 0", found)

    def test_a_part_without_a_name(self):
        found, = self.compare(OURS.replace("char b[4]", "char b[3]"))
        self.assertIn("struct shared", found)

    def test_what_only_ours_are_read_of(self):
        more = "int (*unmap_range)(int); int (*read_range)(int);"
        self.assertEqual(self.compare(OURS.replace("int (*unmap_range)(int);", more)), [])
        found, = self.compare(OURS.replace("int (*map_range)(int);",
                                           "int (*read_range)(int); int (*map_range)(int);"))
        self.assertIn("struct pt_iommu_ops", found)

    def test_what_each_has_of_its_own(self):
        self.assertEqual(self.compare(OURS.replace("of_the_kernel", "of_ours")), [])

    def test_a_kernel_without_btf(self):
        (self.folder / "vmlinux").write_bytes(b"")
        found, = self.layout.compare(self.folder, [])
        self.assertIn("there is no BTF of the kernel", found)


if __name__ == "__main__":
    unittest.main()
