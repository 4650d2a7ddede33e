# SPDX-License-Identifier: GPL-2.0-only
"""What an address costs: the figures of `make bench`, measured in the guest by the program
in `guest/`, and their tables, profile and plot."""
