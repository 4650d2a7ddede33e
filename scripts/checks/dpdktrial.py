# SPDX-License-Identifier: GPL-2.0-only
"""DPDK of Debian's with two ports of a network that no IOMMU stands behind: by the group,
on the project's kernel, and with the modules on Debian's own."""

from checks import debtrial, ktap, modules
from checks.suite import Suite
from common.lock import exclusive
from common.ui import Progress
from guest import guest
from guest.initramfs import Job, ROOT
from packages import dpdk, root, stock

SHAPE = "net"
LIMIT = 900


def suites(settings, kernel):
    return [suite(settings, "dpdk-run", kernel, lambda name, job, output: guest.run(
                settings, kernel, Job(**job), name, LIMIT, output=output, shape=SHAPE)),
            suite(settings, "dpdk-modules", kernel, on_stock(stock.default(settings, kernel)))]


def on_stock(kernel):
    """Debian's kernel, as it is, with the modules of the series."""
    def run(name, job, output):
        return modules.boot(name, kernel, kernel.build(), output, shape=SHAPE, **job)
    return run


def suite(settings, name, kernel, run):
    """`run` boots a guest with a job."""
    def document():
        if problem := root.problem():
            return ktap.skipped(name, problem)
        progress = Progress(name)
        result = run(name, job(settings, name), ktap.Meter(progress))
        progress.clear()
        return ktap.of_program(name, result.output.decode(errors="replace").replace("\r", ""),
                               result.status, result.trouble())
    return Suite(name, document, kernel, settings.work / f"{name}.log")


def job(settings, name):
    debian = root.Root(settings, debtrial.release())
    with exclusive(settings, f"stock-{debian.release}.lock"):
        archive = dpdk.archive(debian.ensure(), settings.work / f"{name}.tar")
    return {"program": ROOT / "dpdk.sh", "files": {"ktap.sh": ROOT / "ktap.sh",
                                                   "dpdk.tar": archive}}
