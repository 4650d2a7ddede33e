# SPDX-License-Identifier: GPL-2.0-only
"""The test suites of `make check`: each gives a KTAP document."""

import dataclasses
import subprocess
import sys
from typing import Callable

import diskread
import guest
import ktap
import machine
import programs
from initramfs import Job
from ui import Failure

DEBUG_MEMORY = 3072  # MiB: KASAN's shadow and the tests' buffers


@dataclasses.dataclass
class Suite:
    name: str
    run: Callable   # () -> KTAP document
    log: str = ""   # of the guest's kernel, without folder and suffix


def suites(settings, plain, debug):
    """In the order of what is quick and what the rest builds on."""
    return [
        Suite("scripts", lambda: scripts(settings)),
        read("disk-run", settings, plain),
        noiommu("noiommu-run", settings, plain),
        read("disk-debug", settings, debug),
        noiommu("noiommu-debug", settings, debug),
        program("iommufd", settings, debug, "iommu", "iommufd", limit=1200),
        program("iommufd_fail_nth", settings, debug, "iommu", "iommufd_fail_nth",
                limit=1200),
    ]


def scripts(settings):
    """The unit tests of these scripts, in a process of their own."""
    command = [sys.executable, "-B", str(settings.top / "scripts/tests/run.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return ktap.of_program("scripts", result.stdout, result.returncode,
                           "" if result.returncode == 0 else result.stderr[-2000:])


READS = {  # how, and the options of noiommu-nvme for it
    "scattered pages, polling": (),
    "scattered pages, interrupts": ("--irq",),
    "huge pages, polling": ("--memory=hugetlb",),
    "huge pages, interrupts": ("--memory=hugetlb", "--irq"),
}


def read(name, settings, kernel):
    def run():
        results = []
        for number, (how, options) in enumerate(READS.items(), 1):
            done = diskread.run(settings, kernel, f"{name}-{number}", options)
            where = [f"kernel log: {settings.relative(done.result.log)}"]
            results.append((f"{name}: {how}", "\n".join(done.problems and done.problems + where)))
        return ktap.document(results)
    return Suite(name, run)


def noiommu(name, settings, kernel):
    return program(name, settings, kernel, "vfio", "vfio_iommufd_noiommu_test",
                   args=(machine.EDU,), limit=300)


def program(name, settings, kernel, suite, test, args=(), limit=600):
    """A test program of the tree's selftests."""
    def run():
        job = Job(program=programs.selftest(kernel, suite, test), args=args)
        result = guest.run(settings, kernel, job, name, limit, DEBUG_MEMORY)
        return ktap.of_program(name, result.output.decode(errors="replace").replace("\r", ""),
                               result.status, result.trouble())
    return Suite(name, run, name)


def result_of(suite, parser, folder):
    """Runs a suite and keeps its document: (counts, failed names, skips). A
    suite that cannot run has failed, whatever the reason."""
    try:
        text = suite.run()
    except Failure as failure:
        text = ktap.document([(suite.name, failure.report())])
    except subprocess.TimeoutExpired as late:
        text = ktap.document([(suite.name, str(late))])
    (folder / f"{suite.name}.ktap").write_text(text)
    return parser.parse(text)
