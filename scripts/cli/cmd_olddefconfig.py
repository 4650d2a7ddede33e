# SPDX-License-Identifier: GPL-2.0-only
"""make olddefconfig: what .config leaves open gets its default, without a question."""

from build import menu


def main(settings):
    menu.run(settings, "conf", "--olddefconfig")
