# SPDX-License-Identifier: GPL-2.0-only
"""The suites of the commands that test, and what their results are made of."""
