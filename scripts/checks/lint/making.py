# SPDX-License-Identifier: GPL-2.0-only
"""One run of make, whose output is what counts and not only whether it fails."""

import os
import subprocess

from build.kernel import environment


def run(arguments, cwd, log, update, env=()):
    """Runs make on as many targets as can be made; returns (output, status)."""
    command = ["make", "-k", f"-j{os.cpu_count()}", *map(str, arguments)]
    with open(log, "wb") as file:
        process = subprocess.Popen(command, cwd=cwd, env={**environment(), **dict(env)},
                                   stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            while process.poll() is None:
                update()
                try:
                    process.wait(0.5)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            process.terminate()  # not if it has ended: an interrupt leaves none behind
            process.wait()
    return log.read_text(errors="replace"), process.returncode
