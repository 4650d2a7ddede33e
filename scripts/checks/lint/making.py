# SPDX-License-Identifier: GPL-2.0-only
"""One run of make, whose output is what counts and not only whether it fails."""

import os

from build.kernel import environment
from common import step


def run(arguments, cwd, log, update, env=()):
    """Runs make on as many targets as can be made; returns (output, status)."""
    command = ["make", "-k", f"-j{os.cpu_count()}", *map(str, arguments)]
    status = step.watch(command, log, update, cwd=cwd, env={**environment(), **dict(env)})
    return log.read_text(errors="replace"), status
