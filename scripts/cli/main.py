# SPDX-License-Identifier: GPL-2.0-only
"""Finds the command's module and runs it, and makes of what comes of it an exit status."""

import importlib
import os
import sys

from base.aptsource import NotOffered
from base.source import fall_back
from cli import dotconfig
from cli.variables import from_environment
from common.ui import Failure, say

COMMANDS = ("run", "check", "check-long", "kernel", "shell", "vm", "series", "refresh", "tree",
            "rebase", "drift", "bench", "matrix", "deb", "lint", "modules", "dkms", "menuconfig",
            "olddefconfig")
CONFIGURING = ("menuconfig", "olddefconfig")   # write .config, and so do not stumble over it


def run(command, settings):
    """With the first base that is to be had."""
    while True:
        try:
            return command.main(settings) or 0
        except NotOffered as missing:
            settings = fall_back(settings, missing)


def settings_of(command):
    found = {} if command in CONFIGURING else dotconfig.not_said(os.environ)
    if dotconfig.words(found):
        say(f"from .config: {dotconfig.words(found)}")
    return from_environment({**os.environ, **found})


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: project.py {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    command = importlib.import_module("cli.cmd_" + arguments[0].replace("-", "_"))
    try:
        return run(command, settings_of(arguments[0]))
    except Failure as failure:
        print(failure.report(), file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stdout = None   # nobody reads on: nothing to flush at the end
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
