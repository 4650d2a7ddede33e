# SPDX-License-Identifier: GPL-2.0-only
"""Runs a job in a QEMU guest: the machine, the initramfs and what is in it, the disk, and
the watch over the run. `root/` holds the files that go into the guest as they are."""
