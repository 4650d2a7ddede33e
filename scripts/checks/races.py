# SPDX-License-Identifier: GPL-2.0-only
"""Which of KCSAN's reports are about the series: the rest of the kernel has races of
its own, which many think harmless."""

import re
import subprocess

from guest import splat

# Where the series' code lies, and what it is built into
OBJECTS = ("drivers/iommu/iommufd/*.o", "drivers/iommu/generic_pt/fmt/*.o",
           "drivers/vfio/*.o", "drivers/vfio/pci/*.o")
ACCESS = re.compile(r"(?:read|write|read-write|race at unknown origin)\b.* on cpu \d+:$|assert no ")
FRAME = re.compile(r"(?:\? )?([A-Za-z_][\w.]*)\+0x[0-9a-f]+/0x[0-9a-f]+")
INTERRUPT = re.compile(r"asm_(?:sysvec_|common_interrupt|exc_nmi)")
RULE = "=" * 20
LONGEST = 200   # lines of a report


def concerns(kernel):
    """Tells of a log and a report in it whether it is one of the series."""
    names = set()

    def counts(log, report):
        kind, number, _ = report
        if kind != "KCSAN":
            return True
        if not names:
            names.update(functions(kernel.out))
        return is_ours(stacks(log.splitlines()[number:number + LONGEST]), names)
    return counts


def unwatched(log):
    """Why no report means nothing, or ''."""
    return "" if "kcsan: enabled" in log else "the kernel did not watch for races"


def functions(out):
    """The names of the functions in our object files."""
    files = [str(path) for pattern in OBJECTS for path in out.glob(pattern)
             if not path.name.endswith(".mod.o")]
    listed = subprocess.run(["nm", "--defined-only", *files], capture_output=True, text=True,
                            check=True).stdout
    return {words[2] for line in listed.splitlines()
            if len(words := line.split()) == 3 and words[1] in "tTwW"}


def stacks(lines):
    """Of a report, from the line after its first: a list of functions, innermost
    first, for each access. What an interrupt does is not what it has interrupted
    calls."""
    found, interrupt = [], False
    for line in lines:
        line = re.sub(splat.STAMP, "", line)
        if line.startswith(RULE):
            break
        if ACCESS.match(line):
            found.append([])
            interrupt = False
        elif found and (frame := FRAME.match(line.strip())):
            interrupt = interrupt or bool(INTERRUPT.match(frame[1]))
            if not interrupt:
                found[-1].append(frame[1])
    return found


def is_ours(accesses, names):
    """One access is in a function of ours, or all are in what functions of ours call."""
    return (any(stack and stack[0] in names for stack in accesses)
            or bool(accesses) and all(names.intersection(stack) for stack in accesses))
