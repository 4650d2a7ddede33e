# SPDX-License-Identifier: GPL-2.0-only
"""make tree: the kernel tree with the series as commits, for editing."""

import tree
from lock import exclusive
from ui import say


def main(settings):
    with exclusive(settings):
        repo = tree.ensure(settings)
    say(f"{settings.relative(repo.path)}: " + repo.text("log", "-1", "--format=%h %s"))
