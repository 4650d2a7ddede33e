# SPDX-License-Identifier: GPL-2.0-only
"""What is compiled of the made tree: kernels by config set, programs for the guest, and
the compilers for that."""
