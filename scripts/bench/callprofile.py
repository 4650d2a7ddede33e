# SPDX-License-Identifier: GPL-2.0-only
"""Where the instructions of a call go, by function of the kernel: QEMU writes
down each instruction of a guest that makes the same call over and over."""

import bisect
import collections
import re
import tempfile

from bench import bench
from bench.costtable import markdown, text
from common.ui import Failure
from guest.initramfs import Job

STEP = re.compile(r"Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")
KERNEL = 1 << 63      # addresses from here on are the kernel's
LEAST = 5             # instructions a call; what has less is summed up


def measure(settings, kernel, program, name, entry="iommufd_ioas_get_pa"):
    """{function: instructions a call} of a lookup of one page."""
    with tempfile.NamedTemporaryFile(dir=settings.work, prefix="trace.", mode="r") as trace:
        bench.run(settings, kernel, name, Job(program=program, args=("profile",)),
                  memory=1024, shape="diskless", counting=True, append=bench.APPEND_SMALL,
                  trace=trace.name)
        return per_call(steps(trace), Symbols((kernel.out / "System.map").read_text()), entry)


def steps(lines):
    """The addresses of the instructions in QEMU's log."""
    return [int(match[1], 16) for match in map(STEP.match, lines) if match]


class Symbols:
    """Functions of the kernel by their addresses."""

    def __init__(self, system_map):
        found = sorted((int(address, 16), name) for address, kind, name
                       in map(str.split, system_map.splitlines()) if kind in "tTwW")
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    def name(self, address):
        if address < KERNEL:
            return "the program itself"
        return self.names[max(bisect.bisect_right(self.addresses, address) - 1, 0)]

    def address(self, name):
        return self.addresses[self.names.index(name)] if name in self.names else None


def per_call(addresses, symbols, entry):
    """From one entry of that function to its last: whole calls only."""
    entries = [index for index, address in enumerate(addresses)
               if address == symbols.address(entry)]
    if len(entries) < 2:
        raise Failure(f"{entry}() was not seen to be called twice in "
                      f"{len(addresses)} instructions")
    counts = collections.Counter(map(symbols.name, addresses[entries[0]:entries[-1]]))
    return {name: count / (len(entries) - 1) for name, count in counts.most_common()}


def table(counts):
    shown = [(f"`{name}()`" if name.isidentifier() else name, text(count))
             for name, count in counts.items() if count >= LEAST]
    rest = sum(count for count in counts.values() if count < LEAST)
    return markdown(["function", "instructions"],
                    [*shown, ("others", text(rest)), ("all", text(sum(counts.values())))])
