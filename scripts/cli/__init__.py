# SPDX-License-Identifier: GPL-2.0-only
"""The command line: a module for each of the Makefile's commands, and what the user can say
to them."""
