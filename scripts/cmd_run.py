# SPDX-License-Identifier: GPL-2.0-only
"""make run: the whole path, from nothing to a disk that was read."""

import diskread
import vm
from kernel import Kernel
from ui import say


def main(settings):
    kernel = Kernel(settings, settings.config or "run").build()
    name = f"read-{kernel.set.name}"
    read = diskread.run(settings, kernel, name, output=vm.to_stdout)
    for problem in read.problems:
        say(problem)
    if read.problems:
        say(f"kernel log: {settings.relative(read.result.log)}")
        say("FAILED: " + read.problems[0].split("\n")[0])
        return 1
    mib = int(read.report["bytes"]) >> 20
    say(f"ok: {mib} MiB read through the noiommu cdev without an IOMMU, sha256 as expected")
    return 0
