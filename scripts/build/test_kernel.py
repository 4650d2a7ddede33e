# SPDX-License-Identifier: GPL-2.0-only
"""Kernel builds, without building one."""

from build.kernel import Kernel
from tests import toy


class Copy(toy.ToyTest):
    """A config set that starts from what another one has built."""

    def setUp(self):
        super().setUp()
        self.make_series()
        self.refresh()
        (self.top / "configs").mkdir()
        (self.top / "configs/sets").write_text("big 7 x.config\nsmall big y.config\n")
        self.base, self.kernel = (Kernel(self.settings, name) for name in ("big", "small"))
        self.put(self.base, "built-from", "stamp")
        self.put(self.base, "vmlinux.o", "objects")
        self.put(self.base, "tools/objtool/.check.o.cmd", f"gcc -o {self.base.out}/check.o")

    def put(self, kernel, path, text):
        file = kernel.out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def made(self, path):
        return (self.kernel.out / path).read_text()

    def test_everything_but_the_stamp(self):
        self.put(self.kernel, "left-over", "")
        self.kernel.copy(self.base)
        self.assertEqual(self.made("vmlinux.o"), "objects")
        self.assertFalse((self.kernel.out / "built-from").exists())
        self.assertFalse((self.kernel.out / "left-over").exists())

    def test_paths_are_those_of_the_copy(self):
        self.kernel.copy(self.base)
        self.assertEqual(self.made("tools/objtool/.check.o.cmd"),
                         f"gcc -o {self.kernel.out}/check.o")
