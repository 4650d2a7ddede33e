# SPDX-License-Identifier: GPL-2.0-only
"""What the test of make deb makes of a guest's output."""

from checks import debtrial
from common.ui import Failure
from guest import disk, machine, vm
from tests.folder import FolderTest


class Trial(FolderTest):
    READ = (f"serial: {machine.SERIAL}\nbytes: {disk.SIZE}\nsha256: {disk.sha256()}\n"
            "addresses looked up: 2069\nlookups: 5\n")
    GOOD = f"release: 7.2.9-x\noptions: \n{READ}options: --irq\n{READ}"

    def failed(self, output, status=0, log="fine\n"):
        result = vm.Result(status, output.encode(), self.file("log", log.encode()), True, False, 9)
        lines = debtrial.document(result, "7.2.9-x").splitlines()
        self.assertEqual(lines[1], "1..4")
        return [line for line in lines if line.startswith("not ok")]

    def test_good(self):
        self.assertEqual(self.failed(self.GOOD), [])

    def test_another_kernel(self):
        self.assertEqual(self.failed(self.GOOD.replace("7.2.9-x", "6.1")),
                         ["not ok 1 the package's kernel runs"])

    def test_only_half_is_read(self):
        self.assertEqual(self.failed(self.GOOD.partition("options: --irq")[0], 1),
                         ["not ok 3 disk, noiommu-nvme --irq",
                          "not ok 4 mode, status and kernel log"])

    def test_kernel_log(self):
        self.assertEqual(len(self.failed(self.GOOD, log="WARNING: x at y.c:1 z\n")), 1)

    def test_it_did_not_boot(self):
        self.assertEqual(len(self.failed("", None)), 4)

    def test_release(self):
        self.assertEqual(debtrial.choose_release("Debian|Debian-Security|bookworm-security\n"
                                                 "Debian|Debian|bookworm-updates\n"
                                                 "Debian|Debian|bookworm\n"), "bookworm")
        with self.assertRaises(Failure):
            debtrial.choose_release("Other|Other|x\n")

    def test_root_disk(self):
        parts = machine.Machine("tcg", "k", "i", "d", root="/a,b/root.img").command("l", "s", 3)
        self.assertIn("if=none,id=root,format=raw,snapshot=on,file=/a,,b/root.img", parts)
        self.assertNotIn("virtio-blk-pci,drive=root",
                         machine.Machine("tcg", "k", "i", "d").command("l", "s", 3))
