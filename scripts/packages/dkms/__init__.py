# SPDX-License-Identifier: GPL-2.0-only
"""What goes into the folder that modules are built from, as it is."""
