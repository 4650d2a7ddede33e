# SPDX-License-Identifier: GPL-2.0-only
"""make kernel: builds one kernel."""

from build.kernel import Kernel
from common.ui import say


def main(settings):
    kernel = Kernel(settings, settings.config or "run").build()
    say(f"kernel: {settings.relative(kernel.image)}")
