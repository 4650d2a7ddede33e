# SPDX-License-Identifier: GPL-2.0-only
"""Runs suites while kernels are being built: one after the other is built, and a
suite starts when its kernel is there and a guest's place is free."""

import os
import queue
import re
import threading
import time

from common.ui import Failure

GUEST = 2 << 20   # KiB that a guest takes, with QEMU's own


def places(meminfo="/proc/meminfo"):
    """How many guests may run at a time: one more than processors, as a guest often
    waits, for a device of QEMU's above all."""
    with open(meminfo) as file:
        available = re.search(r"^MemAvailable: +(\d+) kB", file.read(), re.M)
    fitting = int(available[1]) // GUEST - 1 if available else 1
    return max(1, min(3, os.cpu_count() + 1, fitting))


class Schedule:
    """Some suites, in the order in which they are to start where there is a choice.
    Kernels are built in the order in which the suites name them."""

    def __init__(self, suites, run, workers):
        self.waiting, self.run = list(suites), run
        self.workers = workers
        self.changed = threading.Condition()
        self.settled = set()       # ids of kernels that are built, or cannot be
        self.finished = queue.Queue()

    def results(self):
        """(suite, what run() gave, seconds), as they come."""
        count = len(self.waiting)
        kernels = {id(suite.kernel): suite.kernel for suite in self.waiting if suite.kernel}
        threading.Thread(target=self.build, args=(kernels.values(),), daemon=True).start()
        for _ in range(self.workers):
            threading.Thread(target=self.work, daemon=True).start()
        for _ in range(count):
            suite, result, error, seconds = self.finished.get()
            if error:
                raise error
            yield suite, result, seconds

    def build(self, kernels):
        for kernel in kernels:
            try:
                kernel.ready()
            except Failure:
                pass   # its suites will say so
            except BaseException as error:
                self.finished.put((None, None, error, 0))
            with self.changed:
                self.settled.add(id(kernel))
                self.changed.notify_all()

    def work(self):
        while suite := self.next():
            start = time.monotonic()
            try:
                result, error = self.run(suite), None
            except BaseException as other:
                result, error = None, other
            self.finished.put((suite, result, error, time.monotonic() - start))

    def next(self):
        """The first suite that can start, after waiting for one; None at the end."""
        with self.changed:
            while self.waiting:
                for suite in self.waiting:
                    if not suite.kernel or id(suite.kernel) in self.settled:
                        self.waiting.remove(suite)
                        return suite
                self.changed.wait()
        return None
