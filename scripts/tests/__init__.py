# SPDX-License-Identifier: GPL-2.0-only
"""The unit tests of all rooms are run from here; what several of them share, and tests of
the rooms themselves. A test of one thing lies beside it."""
