# SPDX-License-Identifier: GPL-2.0-only
"""make series: the series as mails, for git am and git send-email, whole and by topic."""

import shutil

from base import versions
from common.ui import say
from series import export, topics
from series.series import Series


def main(settings):
    series = Series(settings.top, settings.base)
    target = settings.build / "series" / settings.base
    remove_old(target)
    mails = write(target, export.mails_of(series))
    say(f"{len(mails) - 1} patches and a cover letter in {settings.relative(target)}, "
        f"the patches in one file for git am: {settings.relative(target)}.mbox")
    for number, topic in enumerate(topics.names(series), 1):
        part = target.with_name(f"{target.name}-{number}-{topic}")
        mails = write(part, export.mails_of(series, topic))
        say(f"  {settings.relative(part)}, and .mbox: {len(mails) - 1} of them, {stand(series, topic)}")
    say(f"for {versions.words(series.range())}")
    write_older(settings, series, target)


def remove_old(target):
    """Of this base, also of topics that there are no longer."""
    for path in target.parent.glob("*"):
        if path.name.removesuffix(".mbox") == target.name or \
           path.name.startswith(f"{target.name}-"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def write(folder, mails):
    """A folder of mails, and beside it the patches in one file."""
    folder.mkdir(parents=True)
    for name, text in mails.items():
        (folder / name).write_text(text)
    folder.with_name(f"{folder.name}.mbox").write_text(
        export.mbox(text for name, text in mails.items() if name != export.COVER))
    return mails


def stand(series, topic):
    on = topics.letter(series, topic).on
    return f"on {', '.join(on)}" if on else "by themselves"


def write_older(settings, series, target):
    """What versions of the base need first that lack something of the later ones."""
    file = target.with_name(f"{target.name}-older.mbox")
    older = export.older_mails_of(series)
    if not older:
        return
    file.write_text(export.mbox(older))
    say(f"older ones of these need {settings.relative(file)} first: git am refuses it on a "
        "tree that needs it not")
