# SPDX-License-Identifier: GPL-2.0-only
"""The series in what can be installed: a kernel as packages (make deb), and modules for a
kernel that is there already (make modules, make dkms)."""
