# SPDX-License-Identifier: GPL-2.0-only
"""make drift: which versions of each base that Debian offers take the series."""

import shutil

from checks import drift, ktap
from cli import cmd_check
from common.lock import exclusive
from series import tree


def main(settings):
    with exclusive(settings):
        parser = ktap.Parser(tree.ensure(settings).path)
    folder = settings.build / "drift"
    shutil.rmtree(folder, ignore_errors=True)
    return cmd_check.run_all(settings, drift.suites(settings), parser, folder)
