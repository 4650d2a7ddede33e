# SPDX-License-Identifier: GPL-2.0-only
"""The test suites of `make check`: each gives a KTAP document."""

import dataclasses
import subprocess
import sys
from typing import Callable

import diskread
import guest
import kselftest
import ktap
import machine
import programs
from initramfs import Job
from ui import Failure, Progress

MEMORY = 1536  # MiB: what the tests map, and KASAN's shadow


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
        refusals("refusals-run", settings, plain),
        *(noiommu(name, "run", settings, plain) for name in NOIOMMU),
        read("disk-debug", settings, debug),
        *(noiommu(name, "debug", settings, debug) for name in NOIOMMU),
        *(program(name, settings, debug, "iommu", name, limit=1200, patient=True)
          for name in ("iommufd_noiommu", "iommufd", "iommufd_fail_nth")),
        installed("vfio", settings, debug),
    ]


def scripts(settings):
    """The unit tests of these scripts, in a process of their own."""
    command = [sys.executable, "-B", str(settings.top / "scripts/tests/run.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return ktap.of_program("scripts", result.stdout, result.returncode,
                           "" if result.returncode == 0 else result.stderr[-2000:])


READS = {  # how, and the options of noiommu-nvme for it
    "scattered pages, polling": "",
    "scattered pages, interrupts": "--irq",
    "huge pages, polling": "--memory=hugetlb",
    "huge pages, interrupts": "--memory=hugetlb --irq",
}


def read(name, settings, kernel):
    def run():
        progress = Progress(name)
        result, reports = diskread.run(settings, kernel, name, READS.values(),
                                       lambda data: progress.update())
        progress.clear()
        results = [(f"{name}: {how}", diskread.problem(report))
                   for how, report in zip(READS, reports)]
        return ktap.document(results + [(f"kernel log of {name}", result.trouble())])
    return Suite(name, run, name)


def refusals(name, settings, kernel):
    """What the driver says of devices that it cannot drive."""
    def make_job():
        return Job(program=programs.GUEST / "refusals.sh",
                   files={"noiommu-nvme": programs.noiommu_nvme(kernel)})
    return guest_suite(name, settings, kernel, make_job, 300)


NOIOMMU = {  # our own tests: suite and program
    "noiommu": "vfio_iommufd_noiommu_test",
    "lifetime": "vfio_iommufd_noiommu_lifetime_test",
}


def noiommu(name, config, settings, kernel):
    return program(f"{name}-{config}", settings, kernel, "vfio", NOIOMMU[name],
                   args=(machine.EDU,))


def program(name, settings, kernel, suite, test, args=(), limit=600, patient=False):
    """A test program of the tree's selftests."""
    def make_job():
        return Job(program=programs.selftest(kernel, suite, test, patient), args=args)
    return guest_suite(name, settings, kernel, make_job, limit)


def installed(collection, settings, kernel):
    """All of a kselftest collection, from an install and by its own runner."""
    return guest_suite(f"kselftest-{collection}", settings, kernel,
                       lambda: kselftest.job(kernel, collection), 1200)


def guest_suite(name, settings, kernel, make_job, limit):
    def run():
        job = make_job()
        progress = Progress(name)
        result = guest.run(settings, kernel, job, name, limit, MEMORY, ktap.Meter(progress))
        progress.clear()
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
