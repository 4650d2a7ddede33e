# SPDX-License-Identifier: GPL-2.0-only
"""make shell: a shell in the guest, devices bound."""

import sys

from build.kernel import Kernel
from common.ui import Failure, say
from guest import guest
from guest.initramfs import Job


def main(settings):
    if not sys.stdin.isatty():
        raise Failure("make shell needs a terminal; make vm RUN=file runs a script")
    kernel = Kernel(settings, settings.config or "run").build()
    say("the shell's `exit` turns the guest off; so does Ctrl-A x, at once")
    result = guest.run(settings, kernel, Job(shell=True), f"shell-{kernel.set.name}",
                       interactive=True, shape=settings.machine)
    guest.require_sound(result)
    return result.status
