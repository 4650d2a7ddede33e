# SPDX-License-Identifier: GPL-2.0-only
"""The kernel as packages that can be installed."""
