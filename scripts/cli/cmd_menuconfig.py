# SPDX-License-Identifier: GPL-2.0-only
"""make menuconfig: choices for the tools themselves, kept in .config."""

import sys

from build import menu
from common.ui import Failure


def main(settings):
    if not sys.stdin.isatty():
        raise Failure("make menuconfig needs a terminal; `make olddefconfig` asks nothing")
    menu.run(settings, "mconf")
