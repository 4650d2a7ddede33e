# SPDX-License-Identifier: GPL-2.0-only
"""The tree of the base that the tests are run for, which need not have been made."""

from cli.variables import from_environment

TREE = from_environment().source
