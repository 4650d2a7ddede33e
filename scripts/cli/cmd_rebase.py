# SPDX-License-Identifier: GPL-2.0-only
"""make rebase: the series on another version of its base, by git rebase."""

from common.lock import exclusive
from common.ui import say
from series import rebase
from series.series import Series


def main(settings):
    Series(settings.top, settings.base).entries()   # before anything is fetched
    with exclusive(settings), rebase.target(settings, settings.to) as candidates:
        version, gone = rebase.rebase(settings, candidates[0])
    for subject in gone:
        say(f"dropped, as Linux {version} has it: {subject}")
    say(f"the series is on Linux {version}, in {settings.relative(settings.source)}; "
        f"`make refresh BASE={settings.version}` stores it, and then `make check "
        f"BASE={settings.version}` tests it")
