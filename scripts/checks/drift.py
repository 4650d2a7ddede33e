# SPDX-License-Identifier: GPL-2.0-only
"""Which of the versions that Debian offers take the series: for each, whether it
applies and compiles, and whether the newest that does boots and reads the disk."""

import dataclasses
import shutil

from base import bases, source, versions
from build import programs
from build.kernel import Kernel, make_objects
from checks import ktap
from checks.lint.compiler import CONFIG
from checks.suite import Suite
from common.lock import exclusive
from common.ui import Failure, Progress, say
from guest import diskread
from series import tree
from series.series import Series

FOLDERS = ("drivers/iommu/iommufd/", "drivers/iommu/generic_pt/", "drivers/vfio/")


@dataclasses.dataclass
class Row:
    """What became of a version: '' where all is well, None where nothing was
    tried."""
    version: str
    applies: str = ""
    compiles: str | None = None
    reads: str | None = None

    def results(self):
        """[(name, problem)] of what was tried."""
        return [(f"Linux {self.version}: {what}", problem) for what, problem in (
            ("applies", self.applies), ("compiles", self.compiles),
            ("reads the disk", self.reads)) if problem is not None]

    def good(self):
        return not any(problem for _, problem in self.results())


def suites(settings):
    """Of the base that the user named, or of all."""
    found = [settings] if settings.chosen else [settings.on(base) for base
                                                in bases.stored(settings.top)]
    return [Suite(f"drift-{each.base}", lambda each=each: document(each)) for each in found]


def document(settings):
    rows = rows_of(settings)
    say(table(rows))
    note_range(settings, rows)
    return ktap.document([result for row in rows for result in row.results()])


def rows_of(settings):
    """Of each version that is offered, the newest first."""
    with source.offers(settings) as offers:
        found = list(offers.versions())
    rows = []
    for version in found:
        newest = not any(row.good() for row in rows)
        rows.append(row_of(settings.at(version), newest))
    return rows


def row_of(settings, newest):
    """Of one version, in a folder of its own. What is good is not kept."""
    row = Row(settings.exact)
    try:
        with exclusive(settings):
            tree.ensure(settings)
    except Failure as failure:
        row.applies = failure.cause
        return row
    row.compiles = problem(compile_all, settings)
    if newest and not row.compiles:
        row.reads = problem(read, settings)
    if row.good():
        shutil.rmtree(settings.work)
    return row


def problem(step, settings):
    try:
        return step(settings)
    except Failure as failure:
        return failure.report()


def compile_all(settings):
    """All that the series touches, unit tests and iommufd's mock device too: W=1,
    and warnings are errors."""
    kernel = Kernel(settings, CONFIG)
    kernel.configure()
    progress = Progress(f"compile for Linux {settings.exact}")
    there = [folder for folder in FOLDERS if (settings.source / folder / "Makefile").exists()]
    make_objects(kernel.tree, kernel.environment(), kernel.log("build"), progress,
                 [f"O={kernel.out}", "W=1e", *there])
    progress.done()
    return ""


def read(settings):
    kernel = Kernel(settings, "run").build()
    result, (report,) = diskread.run(settings, kernel, "disk-run",
                                     program=programs.noiommu_nvme)
    return result.trouble() or diskread.problem(report)


def table(rows):
    words = {"": "yes", None: "-"}
    lines = [f"{'version':12} {'applies':8} {'compiles':9} reads the disk"]
    for row in rows:
        applies, compiles, reads = (words.get(cell, "NO") for cell in (
            row.applies, row.compiles, row.reads))
        lines.append(f"{row.version:12} {applies:8} {compiles:9} {reads}")
    return "\n".join(lines)


def note_range(settings, rows):
    """Where the range that is written down is not what was found."""
    known = Series(settings.top, settings.base).range()
    beyond = [row.version for row in rows
              if row.good() and not versions.within(row.version, known)]
    if beyond:
        say(f"note: also good for {', '.join(beyond)}, which the range in "
            f"patches/{settings.base}/series does not have")
