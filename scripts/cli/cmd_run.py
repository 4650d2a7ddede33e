# SPDX-License-Identifier: GPL-2.0-only
"""make run: the whole path, from nothing to a disk that was read."""

from build.kernel import Kernel
from common.ui import say
from guest import diskread, vm


def main(settings):
    kernel = Kernel(settings, settings.config or "run").build()
    result, (report,) = diskread.run(settings, kernel, f"read-{kernel.set.name}",
                                     output=vm.to_stdout)
    problem = result.trouble() or diskread.problem(report)
    if problem:
        say(problem)
        say(f"kernel log: {settings.relative(result.log)}")
        say("FAILED: " + problem.split("\n")[0])
        return 1
    say(f"ok: {int(report['bytes']) >> 20} MiB read through the noiommu cdev without an "
        "IOMMU, sha256 as expected")
    return 0
