# SPDX-License-Identifier: GPL-2.0-only
"""What QEMU has to be told of a machine, whatever is plugged into it: processors,
memory, serial ports."""

import dataclasses

from build.arch import ARM64, X86_64

# Where the host is busy, an emulated timer comes too late for the kernel's test
# of it, which ends in a panic. And without tsc=reliable Linux 7.2 may stop before
# init: its clocksource watchdog waits for another processor with interrupts off, and
# holds the lock that this one may be after to register a clocksource. It gives up
# after 50 us of a clock, which until then is jiffies, and these stand still meanwhile.
X86_APPEND = "unknown_nmi_panic no_timer_check tsc=reliable"

# With five levels of page tables, KASAN takes an interrupt that comes while the
# kernel finds out about its processor for a wild access
#
# Hardware with erms and fsrm is quick at `rep movsb`. QEMU does each byte by itself, and
# counts it: the kernel must not take it for such hardware.
X86_EMULATED = "max,la57=off,erms=off,fsrm=off"

X86_ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", "host,la57=off"],
    "tcg": ["-accel", "tcg,thread=multi", "-cpu", X86_EMULATED],

    # Time is the number of instructions, a nanosecond each; idle, it leaps to
    # the next timer. Nothing that the guest sees is the host's: not the date,
    # and no random number. For one processor: more would share the count.
    "icount": ["-accel", "tcg,thread=single", "-cpu", X86_EMULATED,
               "-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm",
               "-seed", "1"],
}

# The processors of a board are what they are
TCG = ("-accel", "tcg,thread=multi")


@dataclasses.dataclass(frozen=True)
class Board:
    """The guest finds the program's port as ttyS1 and that of the status as ttyS2,
    unless it is told otherwise. A board without a port for the status has it in the
    kernel's log."""
    machine: str
    accelerators: dict
    ports: tuple
    append: str = ""    # to the kernel's command line; names in capitals are for init
    console: str = ""   # instead of the architecture's
    cpus: int = 0       # instead of what was asked for, as is
    memory: int = 0     # MiB
    status_port: bool = True


Q35 = Board("q35", X86_ACCELERATORS, (
    "-serial", "chardev:log", "-serial", "chardev:program", "-serial", "chardev:status"),
    X86_APPEND)

# It has one port of its own. There is no SMMU unless one is asked for.
VIRT = Board("virt,gic-version=3", {"tcg": [*TCG, "-cpu", "cortex-a72"]}, (
    "-serial", "chardev:log", "-chardev", "null,id=first", "-chardev", "null,id=last",
    "-device", "pci-serial-4x,bus=pcie.0,addr=03.0,chardev1=first,chardev2=program,"
    "chardev3=status,chardev4=last"))

# 256 MiB of it have addresses of more than 32 bits; roots.dtso knows of them
LARGE_VIRT = dataclasses.replace(VIRT, memory=3328)

# Its last 128 MiB have addresses of more than 32 bits; zcu102.dts knows of them
ZCU102 = Board("xlnx-zcu102", {"tcg": TCG},
               ("-serial", "chardev:log", "-serial", "chardev:program"),
               "vfio_platform.reset_required=0 PROGRAM_PORT=ttyPS1 STATUS_PORT=kmsg",
               console="ttyPS0", cpus=2, memory=2176, status_port=False)

# The divisor that a driver sets in QEMU's second port comes out of it as a byte: that does
# no harm in the log. QEMU takes a moment to turn it off, in which the kernel goes on and
# complains; after a reset it waits.
RASPI3B = Board("raspi3b", {"tcg": TCG},
                ("-serial", "chardev:program", "-serial", "chardev:log"),
                "vfio_platform.reset_required=0 PROGRAM_PORT=ttyAMA0 STATUS_PORT=kmsg "
                "LAST=reboot",
                console="ttyS1,115200", cpus=4, memory=1024, status_port=False)

OF = {X86_64: Q35, ARM64: VIRT}
