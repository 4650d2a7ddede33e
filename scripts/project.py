#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Entry point of the Makefile's targets: project.py COMMAND."""

import sys

from cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
