# SPDX-License-Identifier: GPL-2.0-only
"""make series: the series as mails, for git am and git send-email."""

import shutil

from base import versions
from common.ui import say
from series import export
from series.series import Series


def main(settings):
    series = Series(settings.top, settings.base)
    mails = export.mails_of(series)
    folder = settings.build / "series" / settings.base
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in mails.items():
        (folder / name).write_text(text)
    mbox = folder.with_name(f"{settings.base}.mbox")
    mbox.write_text(export.mbox(text for name, text in mails.items() if name != export.COVER))
    say(f"{len(mails) - 1} patches and a cover letter in {settings.relative(folder)}, "
        f"the patches in one file for git am: {settings.relative(mbox)}")
    say(f"for {versions.words(series.range())}")
    write_older(settings, series, mbox)


def write_older(settings, series, mbox):
    """What versions of the base need first that lack something of the later ones."""
    file = mbox.with_name(f"{series.base}-older.mbox")
    older = export.older_mails_of(series)
    if not older:
        file.unlink(missing_ok=True)
        return
    file.write_text(export.mbox(older))
    say(f"older ones of these need {settings.relative(file)} first: git am refuses it on a "
        "tree that needs it not")
