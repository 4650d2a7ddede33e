# SPDX-License-Identifier: GPL-2.0-only
"""make tree: the kernel tree with the series as commits, for editing."""

from common.lock import exclusive
from common.ui import say
from series import tree


def main(settings):
    with exclusive(settings):
        repo = tree.ensure(settings)
    say(f"{settings.relative(repo.path)}: " + repo.text("log", "-1", "--format=%h %s"))
