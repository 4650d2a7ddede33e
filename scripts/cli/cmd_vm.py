# SPDX-License-Identifier: GPL-2.0-only
"""make vm RUN=file: a program of the user's in the guest, its status ours."""

import os
import pathlib
import shlex

from build.kernel import Kernel
from common.ui import Failure
from guest import guest, vm
from guest.initramfs import Job


def main(settings):
    if not settings.run:
        raise Failure("name a static program or a script: make vm RUN=file [ARGS='...']")
    program = pathlib.Path(settings.run).resolve()
    if not program.is_file() or not os.access(program, os.R_OK):
        raise Failure(f"RUN={settings.run}: no such file")
    kernel = Kernel(settings, settings.config or "run").build()
    job = Job(program=program, args=tuple(shlex.split(settings.args)))
    result = guest.run(settings, kernel, job, f"vm-{kernel.set.name}",
                       limit=settings.timeout or guest.LIMIT, output=vm.to_stdout,
                       shape=settings.machine)
    guest.require_sound(result)
    return result.status
