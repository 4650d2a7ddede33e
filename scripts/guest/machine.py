# SPDX-License-Identifier: GPL-2.0-only
"""The guest's hardware: a q35 in one of several shapes, or the machine virt of
arm64 in the plainest of them, and the serial ports that keep kernel log, program
output and status apart."""

import dataclasses
import pathlib
import re
import subprocess

from build.arch import Arch, ARM64, X86_64

# Panics end the machine. An NMI panics as well and prints every task and timer:
# that is how a hang gets to show its trace.
COMMAND_LINE = ("console={console} loglevel=7 panic=-1 oops=panic panic_print=0x5 "
                "hung_task_panic=1 softlockup_panic=1")

# Where the host is busy, an emulated timer comes too late for the kernel's test
# of it, which ends in a panic. And without tsc=reliable Linux 7.2 may stop before
# init: its clocksource watchdog waits for another processor with interrupts off, and
# holds the lock that this one may be after to register a clocksource. It gives up
# after 50 us of a clock, which until then is jiffies, and these stand still meanwhile.
X86_APPEND = "unknown_nmi_panic no_timer_check tsc=reliable"

NVME = "0000:00:04.0"
EDU = "0000:00:05.0"
BYPASS_EDU = "0000:81:00.0"   # of the shape mixed: without an IOMMU
PAIR_EDU = "0000:01:00.0"     # of the shapes with ports: reset with an nvme
HOT_EDU = "0000:02:00.0"      # of the shapes with ports: can be unplugged
SERIAL = "noiommu-0"   # the disk's


@dataclasses.dataclass(frozen=True)
class Device:
    """One that QEMU has, or that it can be told to plug."""
    driver: str
    properties: dict

    def option(self):
        return ",".join([self.driver] + [f"{key}={value}" for key, value
                                         in self.properties.items()])

    def qmp(self):
        return {"driver": self.driver, **self.properties}


@dataclasses.dataclass(frozen=True)
class Shape:
    devices: tuple
    options: tuple = ()  # more of QEMU's
    append: str = ""     # to the kernel's command line
    disks: int = 1
    hotplug: dict = dataclasses.field(default_factory=dict)  # name: one of the devices


def device(driver, **properties):
    return Device(driver, properties)


def nvme(disk, **where):
    """They all have the same blocks."""
    return device("nvme", drive=f"disk{disk}", serial=f"noiommu-{disk}", **where)


def edu(**where):
    return device("edu", dma_mask=0xffffffffffffffff, **where)


def ethernet(number, **where):
    """A port of a network, by Intel's 82574L. Nothing boots from it."""
    return device("e1000e", netdev=f"port{number}", mac=f"52:54:00:00:00:0{number}", romfile="",
                  **where)


def port(name, slot, **options):
    """A PCIe root port, whose bus is called like it. QEMU does not bring a faster
    link up again after a reset if edu, which is no PCIe device, is behind it."""
    where = {"x-speed": "5", "bus": "pcie.0", "addr": f"{15 + slot:x}.0"}
    return device("pcie-root-port", id=name, chassis=slot, slot=slot, **{**where, **options})


PLAIN = (nvme(0, bus="pcie.0", addr="04.0"), edu(bus="pcie.0", addr="05.0"))
HOT = edu(id="hot", bus="hot-port")

# No IOMMU. A pair of functions that have a reset in common, and a device that
# comes and goes.
PORTS = Shape(
    (*PLAIN,
     port("pair-port", 1),
     edu(bus="pair-port", addr="00.0", multifunction="on"),
     nvme(1, bus="pair-port", addr="00.1"),
     port("hot-port", 2),
     HOT),
    disks=2, hotplug={"hot": HOT})

SHAPES = {
    # No IOMMU
    "plain": Shape(PLAIN),

    # No disk either: the host's takes its own time to answer, the firmware's
    # question already, and two runs would not be the same
    "diskless": Shape((edu(bus="pcie.0", addr="05.0"),), disks=0),

    # Two ports of one network, where nobody else is
    "net": Shape(
        (*PLAIN, ethernet(0, bus="pcie.0", addr="06.0"), ethernet(1, bus="pcie.0", addr="07.0")),
        options=("-netdev", "hubport,id=port0,hubid=0", "-netdev", "hubport,id=port1,hubid=0")),

    # A device that is unbound or reset while another processor uses it can crash
    # QEMU 7.2, by an access to a BAR that has just been moved
    "single": Shape(PLAIN, append="maxcpus=1"),

    # For the kernel with KUnit: not only the tests that its config names
    "unfiltered": Shape(PLAIN, append="kunit.filter_glob=*"),

    # With kmemleak each open and close of a device takes most of a second
    "unleaky": Shape(PLAIN, append="kmemleak=off"),

    # An IOMMU, and a root bus that bypasses it. The IOMMU does not remap
    # interrupts, for which KVM would have to be told; iommufd wants to know.
    # kmemleak makes QEMU's ACPI code for that root bus take seconds, each time
    # that one of its devices is opened.
    "mixed": Shape(
        (device("intel-iommu", intremap="off"),
         *PLAIN,
         device("pxb-pcie", id="bypass", bus="pcie.0", addr="10.0", bus_nr=0x80,
                bypass_iommu="on"),
         port("bypass-port", 1, bus="bypass", addr="00.0"),
         edu(bus="bypass-port", addr="00.0", multifunction="on"),
         nvme(1, bus="bypass-port", addr="00.1")),
        append="intel_iommu=on iommufd.allow_unsafe_interrupts=1 kmemleak=off", disks=2),

    # The pair is on a bus that is reset, the other is unplugged by ACPI
    "ports": PORTS,

    # The pair is in a slot that is reset, the other is unplugged by its port
    "slots": dataclasses.replace(
        PORTS, append="pcie_ports=native",
        options=("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")),
}


@dataclasses.dataclass
class Machine:
    accel: str            # of ACCELERATORS or ARM64_ACCELERATORS
    kernel: pathlib.Path
    initramfs: pathlib.Path
    disk: pathlib.Path
    memory: int = 2048    # MiB
    cpus: int = 2
    append: str = ""
    shape: str = "plain"
    arch: Arch = X86_64
    trace: str = ""       # file to write instructions to, when told
    root: pathlib.Path = None   # a file system, on a disk of its own

    @property
    def hotplug(self):
        return SHAPES[self.shape].hotplug

    def command(self, log, status, monitor, interactive=False):
        """`log` and `status` are files, `monitor` a socket's number; the
        program's output is QEMU's."""
        shape = SHAPES[self.shape]
        board = BOARDS[self.arch]
        line = COMMAND_LINE.format(console=self.arch.console)
        # Without a terminal's user there is no escape key: the bytes pass as they are
        program = "stdio,id=program,signal=off" + (",mux=on" if interactive else "")
        return [
            self.arch.qemu, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", board.machine, *board.accelerators[self.accel],
            "-smp", str(self.cpus), "-m", str(self.memory),
            "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
            "-append", " ".join(filter(None, [line, board.append, shape.append,
                                              self.append])),
            "-chardev", f"file,id=log,path={escape(log)}",
            "-chardev", program,
            "-chardev", f"file,id=status,path={escape(status)}",
            *board.ports,
            "-chardev", f"socket,id=monitor,fd={monitor}",
            "-mon", "chardev=monitor,mode=control",
            *shape.options,
            *single_steps(self.trace),
            *disks(self.disk, shape.disks),
            *(word for each in shape.devices for word in ("-device", each.option())),
            *root_disk(self.root),
        ]


# With five levels of page tables, KASAN takes an interrupt that comes while the
# kernel finds out about its processor for a wild access
ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", "host,la57=off"],
    "tcg": ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"],

    # Time is the number of instructions, a nanosecond each; idle, it leaps to
    # the next timer. Nothing that the guest sees is the host's: not the date,
    # and no random number. For one processor: more would share the count. QEMU
    # counts each byte of `rep movsb`, which hardware that has it is quick at: the
    # kernel must not take it for that.
    "icount": ["-accel", "tcg,thread=single", "-cpu", "max,la57=off,erms=off,fsrm=off",
               "-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm",
               "-seed", "1"],
}

ARM64_ACCELERATORS = {
    "tcg": ["-accel", "tcg,thread=multi", "-cpu", "cortex-a72"],
}


@dataclasses.dataclass(frozen=True)
class Board:
    """What an architecture's machine is to QEMU. The guest finds the program's
    port as ttyS1 and that of the status as ttyS2 on each."""
    machine: str
    accelerators: dict
    ports: tuple
    append: str = ""   # to the kernel's command line


BOARDS = {
    X86_64: Board("q35", ACCELERATORS, (
        "-serial", "chardev:log", "-serial", "chardev:program", "-serial", "chardev:status"),
        X86_APPEND),

    # It has one port of its own. There is no SMMU unless one is asked for.
    ARM64: Board("virt,gic-version=3", ARM64_ACCELERATORS, (
        "-serial", "chardev:log", "-chardev", "null,id=first", "-chardev", "null,id=last",
        "-device", "pci-serial-4x,bus=pcie.0,addr=03.0,chardev1=first,chardev2=program,"
        "chardev3=status,chardev4=last")),
}


def disks(path, count):
    """Each has the file's content, and forgets what is written to it."""
    for number in range(count):
        yield from ("-drive", f"if=none,id=disk{number},format=raw,snapshot=on,"
                              f"file={escape(path)}")


def single_steps(trace):
    """An instruction at a time, for a log of them."""
    if not trace:
        return ()
    said = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True,
                          text=True).stdout
    version = re.search(r"version (\d+)\.(\d+)", said)
    if version and tuple(map(int, version.groups())) < (8, 1):
        return ("-singlestep", "-D", trace)
    return ("-accel", "tcg,one-insn-per-tb=on,thread=single", "-D", trace)


def root_disk(path):
    if path:
        yield from ("-drive", f"if=none,id=root,format=raw,snapshot=on,file={escape(path)}",
                    "-device", "virtio-blk-pci,drive=root")


def escape(path):
    """A comma separates QEMU's options; two stand for one."""
    return str(path).replace(",", ",,")
