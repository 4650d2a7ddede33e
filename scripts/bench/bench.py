# SPDX-License-Identifier: GPL-2.0-only
"""Runs the bench program on a kernel, in a guest that counts instructions or in
one that keeps to the clock."""

import dataclasses
import re

from bench import figures
from common.ui import Failure, Progress
from guest import guest
from guest.initramfs import Job

MEMORY = 4608          # MiB: three buffers of 1 GiB, and what they cost
HUGEPAGES = 512        # of 2 MiB: one of the buffers
APPEND_SMALL = "norandmaps"  # programs lie alike on all kernels
APPEND = f"hugepagesz=1G hugepages=1 {APPEND_SMALL}"
SMALL = 16             # MiB
LIMIT = 1800           # seconds


@dataclasses.dataclass
class Counted:
    """A kernel's figures, from two runs."""
    first: dict
    second: dict


def require_memory(meminfo="/proc/meminfo"):
    """QEMU would be killed in the middle for want of it."""
    with open(meminfo) as file:
        available = re.search(r"^MemAvailable: +(\d+) kB", file.read(), re.M)
    if available and int(available[1]) < (MEMORY + 512) << 10:
        raise Failure(f"make bench needs {MEMORY + 512 >> 10} GiB of free memory for its guest, "
                      f"and {int(available[1]) >> 10} MiB are available")


def count(settings, kernel, program, name):
    """Two runs that count instructions."""
    return Counted(*(run(settings, kernel, f"{name}-{number}",
                         Job(program=program, args=("cost",), hugepages=HUGEPAGES),
                         memory=MEMORY, shape="diskless", counting=True, append=APPEND)
                     for number in (1, 2)))


def count_small(settings, kernel, program, name):
    """One run, of what is no larger than SMALL."""
    return run(settings, kernel, name,
               Job(program=program, args=("cost", str(SMALL)), hugepages=64),
               memory=1024, shape="diskless", counting=True, append=APPEND_SMALL)


def parallel(settings, kernel, program, name):
    """Lookups a second, by the clock."""
    return run(settings, kernel, name, Job(program=program, args=("parallel",)), memory=1024)


def run(settings, kernel, name, job, **hardware):
    progress = Progress(name)
    received = []

    def output(data):
        received.append(data)
        progress.update(position(b"".join(received)))

    result = guest.run(settings, kernel, job, name, LIMIT, output=output, **hardware)
    progress.clear()
    guest.require_sound(result)
    found, other = figures.parse(result.output.decode(errors="replace"))
    if result.status or not found:
        said = other[-1] if other else "it said nothing"
        raise Failure(f"the bench program failed in {name}, status {result.status}: {said}",
                      result.log)
    progress.done(f"{len(found)} figures")
    return found


def position(output):
    """How far it has come: the last figure's name."""
    lines = output.decode(errors="replace").split("\n")
    return f"{len(lines) - 1} figures, {lines[-2].split(' ')[0]}" if len(lines) > 1 else "boots"
