# SPDX-License-Identifier: GPL-2.0-only
"""make check-long: the tests that make check has no time for."""

import dataclasses

from checks import check
from cli.cmd_check import check_all


def main(settings):
    settings = dataclasses.replace(settings, threads=True)
    left = check.suites(settings, *[None] * len(check.KERNELS))
    return check_all(settings, "check-long", check.LONG_KERNELS, check.long_suites, "check",
                     left)
