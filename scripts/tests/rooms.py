# SPDX-License-Identifier: GPL-2.0-only
"""The rooms of scripts/."""

import pathlib

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]

# From the bottom up. Tests are run from the top one, and may use what it has for them.
ROOMS = ("common", "base", "series", "build", "guest", "packages", "bench", "checks", "cli",
         "tests")
