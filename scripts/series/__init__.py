# SPDX-License-Identifier: GPL-2.0-only
"""The series: how it is stored and shared between bases, and the ways between that form,
the commits of the made tree, and mails."""
