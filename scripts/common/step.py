# SPDX-License-Identifier: GPL-2.0-only
"""Programs that take their time: what they say goes to a log, and it is shown that they
are alive."""

import subprocess

from common.ui import Failure, Progress

TICK = 0.2  # seconds


def run(title, log, command, failed="", **more):
    """One that has to succeed. The rest is for Popen."""
    progress = Progress(title)
    status = watch(command, log, progress.update, **more)
    progress.clear()
    if status:
        raise Failure(failed or f"{title} failed", log)


def watch(command, log, update, mode="wb", **more):
    """Returns its status; none is left behind by an interrupt."""
    with open(log, mode) as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                   **more)
        try:
            while True:
                try:
                    return process.wait(TICK)
                except subprocess.TimeoutExpired:
                    update()
        finally:
            process.terminate()  # not if it has ended
            process.wait()
