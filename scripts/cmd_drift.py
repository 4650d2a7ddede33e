# SPDX-License-Identifier: GPL-2.0-only
"""make drift: which versions of each base that Debian offers take the series."""

import shutil

import cmd_check
import drift
import ktap
import tree
from lock import exclusive


def main(settings):
    with exclusive(settings):
        parser = ktap.Parser(tree.ensure(settings).path)
    folder = settings.build / "drift"
    shutil.rmtree(folder, ignore_errors=True)
    return cmd_check.run_all(settings, drift.suites(settings), parser, folder)
