# SPDX-License-Identifier: GPL-2.0-only
"""The guest's hardware: a q35 without an IOMMU, with an nvme and an edu device,
and the serial ports that keep kernel log, program output and status apart."""

import dataclasses
import pathlib

# Panics end the machine. An NMI panics as well and prints every task: that is
# how a hang gets to show its trace.
COMMAND_LINE = ("console=ttyS0,115200 loglevel=7 panic=-1 oops=panic unknown_nmi_panic "
                "panic_print=0x1 hung_task_panic=1 softlockup_panic=1")


NVME = "0000:00:04.0"
EDU = "0000:00:05.0"
SERIAL = "noiommu-0"   # the disk's


@dataclasses.dataclass
class Machine:
    accel: str            # kvm or tcg
    kernel: pathlib.Path
    initramfs: pathlib.Path
    disk: pathlib.Path
    memory: int = 2048    # MiB
    cpus: int = 2
    append: str = ""

    def command(self, log, status, monitor, interactive=False):
        """`log` and `status` are files, `monitor` a socket's number; the
        program's output is QEMU's."""
        # Without a terminal's user there is no escape key: the bytes pass as they are
        program = "stdio,id=program,signal=off" + (",mux=on" if interactive else "")
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", "q35", *ACCELERATORS[self.accel],
            "-smp", str(self.cpus), "-m", str(self.memory),
            "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
            "-append", f"{COMMAND_LINE} {self.append}".strip(),
            "-chardev", f"file,id=log,path={escape(log)}", "-serial", "chardev:log",
            "-chardev", program, "-serial", "chardev:program",
            "-chardev", f"file,id=status,path={escape(status)}", "-serial", "chardev:status",
            "-chardev", f"socket,id=monitor,fd={monitor}",
            "-mon", "chardev=monitor,mode=control",
            "-drive", f"if=none,id=disk,format=raw,snapshot=on,file={escape(self.disk)}",
            "-device", f"nvme,drive=disk,serial={SERIAL},bus=pcie.0,addr=04.0",
            "-device", "edu,dma_mask=0xffffffffffffffff,bus=pcie.0,addr=05.0",
        ]


ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    "tcg": ["-accel", "tcg,thread=multi", "-cpu", "max"],
}


def escape(path):
    """A comma separates QEMU's options; two stand for one."""
    return str(path).replace(",", ",,")
