# SPDX-License-Identifier: GPL-2.0-only
"""make series: the series as mails, for git am and git send-email."""

import shutil

import export
from series import Series
from ui import say


def main(settings):
    series = Series(settings.top, settings.base)
    mails = export.mails_of(series)
    folder = settings.build / "series" / settings.base
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in mails.items():
        (folder / name).write_text(text)
    mbox = folder.with_name(f"{settings.base}.mbox")
    mbox.write_text("".join(text + "\n" for name, text in mails.items()
                            if name != export.COVER))
    say(f"{len(mails) - 1} patches and a cover letter in {settings.relative(folder)}, "
        f"the patches in one file for git am: {settings.relative(mbox)}")
