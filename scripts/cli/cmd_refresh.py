# SPDX-License-Identifier: GPL-2.0-only
"""make refresh: the made tree's commits become overlay and patches."""

import pathlib

from common.gitrepo import Repo
from common.lock import exclusive
from common.ui import Failure, say
from series import diffs, refresh, stale, tree
from series.series import Series


def main(settings):
    path = pathlib.Path(settings.tree or settings.source).resolve()
    if Repo(path).run("rev-parse", "--verify", "HEAD").returncode if path.is_dir() else True:
        raise Failure(f"{path} is no git tree with commits; `make tree` makes one")
    series = Series(settings.top, settings.base)
    with exclusive(settings):
        tree.settle(Repo(path))
        tree.refuse_half(Repo(path))
        stale.refuse_overtaken(Repo(path), series)
        if stale.is_stale(path, series):
            say("note: the stored series has changed since this tree was made; what the tree "
                "has not is undone, or a difference if the file is another base's")
        patches, notes = refresh.refresh(series, path)
        tree.mark_refreshed(path, series)
    for note in notes:
        say(f"note: {note}")
    own = sum(series.is_own(patch.name) for patch in patches)
    folder = series.folder.parent
    say(f"{len(patches)} patches: {own} in {settings.relative(series.folder)}, and "
        f"{len(patches) - own} that other bases have too in {settings.relative(folder)}")
    say_differences(series)


def say_differences(series):
    """Which overlay files this base has otherwise, and where that stands."""
    for path, patch in series.differences().items():
        plus, minus = diffs.counts(patch.mail.diff)[path]
        say(f"  {path} differs from the overlay, +{plus} -{minus}: {patch.name}")
