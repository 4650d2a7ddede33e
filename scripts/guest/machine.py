# SPDX-License-Identifier: GPL-2.0-only
"""The guest's hardware: a q35 or the machine virt of arm64 in one of several shapes,
or a board, and the serial ports that keep kernel log, program output and status
apart."""

import dataclasses
import pathlib
import re
import subprocess

from build.arch import Arch, X86_64
from guest import boards

# Panics end the machine. An NMI panics as well and prints every task and timer:
# that is how a hang gets to show its trace. What only waits for a busy machine is no
# hang: the kernel's own limits, of 120, 20 and 21 seconds, are for one that is not
# emulated.
COMMAND_LINE = ("console={console} loglevel=7 panic=-1 oops=panic panic_print=0x5 "
                "hung_task_panic=1 sysctl.kernel.hung_task_timeout_secs=600 "
                "softlockup_panic=1 watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120")

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
    board: boards.Board = None   # instead of the architecture's
    devicetree: str = ""        # of devicetree.py; instead of the one that QEMU makes
    memory: int = 0      # MiB, at least
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


def root(number):
    """A root bus, 64 * number, with edu behind a port: QEMU plugs only bridges there."""
    bus, behind = f"root{number}", f"port{number}"
    return (device("pxb-pcie", id=bus, bus="pcie.0", addr=f"{15 + number:x}.0",
                   bus_nr=64 * number),
            port(behind, number, bus=bus, addr="00.0"),
            edu(bus=behind, addr="00.0"))


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

    # One huge page of 1 GiB is set aside, of the memory above 4 GiB: the kernel's own is
    # at the ends of both parts
    "gigantic": Shape(PLAIN, append="hugepagesz=1G hugepages=1", memory=4096),

    # Memory for a heap that is contiguous as long as it likes
    "contiguous": Shape(PLAIN, append="cma=64M"),

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

    # arm64, root buses that see memory each in its way
    "roots": Shape(
        (*PLAIN,
         *(each for number in range(1, 4) for each in root(number))),
        board=boards.LARGE_VIRT, devicetree="roots.dtso"),

    # arm64, boards with a DMA engine that is a platform device
    "zcu102": Shape((), disks=0, board=boards.ZCU102, devicetree="zcu102.dts"),
    "raspi3b": Shape((), disks=0, board=boards.RASPI3B,
                     devicetree="broadcom/bcm2837-rpi-3-b.dtb"),
}


@dataclasses.dataclass
class Machine:
    accel: str            # one of the board's
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
    devicetree: pathlib.Path = None

    @property
    def hotplug(self):
        return SHAPES[self.shape].hotplug

    @property
    def board(self):
        return SHAPES[self.shape].board or boards.OF[self.arch]

    def bare(self, *properties):
        """The command for a machine with processors and memory, and no more."""
        return [
            self.arch.qemu, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", ",".join([self.board.machine, *properties]),
            *self.board.accelerators[self.accel],
            "-smp", str(self.board.cpus or self.cpus),
            "-m", str(self.board.memory or max(self.memory, SHAPES[self.shape].memory)),
        ]

    def command(self, log, status, monitor, interactive=False):
        """`log` and `status` are files, `monitor` a socket's number; the
        program's output is QEMU's."""
        shape = SHAPES[self.shape]
        line = COMMAND_LINE.format(console=self.board.console or self.arch.console)
        # Without a terminal's user there is no escape key: the bytes pass as they are
        program = "stdio,id=program,signal=off" + (",mux=on" if interactive else "")
        return [
            *self.bare(),
            "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
            *(("-dtb", str(self.devicetree)) if self.devicetree else ()),
            "-append", " ".join(filter(None, [line, self.board.append, shape.append,
                                              self.append])),
            "-chardev", f"file,id=log,path={escape(log)}",
            "-chardev", program,
            *(("-chardev", f"file,id=status,path={escape(status)}")
              if self.board.status_port else ()),
            *self.board.ports,
            "-chardev", f"socket,id=monitor,fd={monitor}",
            "-mon", "chardev=monitor,mode=control",
            *shape.options,
            *single_steps(self.trace),
            *disks(self.disk, shape.disks),
            *(word for each in shape.devices for word in ("-device", each.option())),
            *root_disk(self.root),
        ]


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
