# SPDX-License-Identifier: GPL-2.0-only
"""The kernel that the series is for: which ones there are, which versions of each, and
where its source comes from."""
