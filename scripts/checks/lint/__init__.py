# SPDX-License-Identifier: GPL-2.0-only
"""The checks of `make lint`: the kernel tree's own checkers, on each patch at its place."""
