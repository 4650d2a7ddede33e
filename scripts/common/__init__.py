# SPDX-License-Identifier: GPL-2.0-only
"""What every room stands on: what is said to the user, the settings, locks, and git."""
