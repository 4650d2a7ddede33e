# SPDX-License-Identifier: GPL-2.0-only
"""Whether a made tree still says what the stored series does, before it is stored."""

from common.gitrepo import Repo
from common.ui import Failure
from series import maintainers, tree
from series.sharing import Sharing


def is_stale(path, stored):
    """Whether a made tree is neither of the series as it is stored now, nor what
    that was written from."""
    repo = Repo(path)
    if not repo.commit_id(tree.MADE):
        return False
    try:
        stamp = tree.fingerprint(repo, stored.with_older())
    except Failure:
        return True
    return stamp not in (tree.read_stamp(repo), tree.read_stamp(repo, "refreshed"))


def refuse_overtaken(repo, stored):
    """To store the tree would undo, for this base, what another has brought it."""
    tip = repo.commit_id(tree.REFRESHED) or repo.commit_id(tree.MADE)
    paths = overtaken(repo, tip, stored) if tip else []
    if not paths:
        return
    aside = (" (what you have committed there can wait on a branch: `git branch mine`, `git reset "
             f"--keep {tip[:12]}`)" if repo.commit_id("HEAD") != tip else "")
    raise Failure(f"{', '.join(paths)}: since {repo.path} was made, a refresh of another base has "
                  "changed this for all; stored from there, the change would be undone for this "
                  f"one. Run `make tree BASE={stored.base[1:]}` first{aside}")


def overtaken(repo, tip, stored):
    """The files of other bases that this one has otherwise by now than at the tip, which
    was made of the series or stored in it, and that the tree does not have so."""
    sharing = Sharing(stored)
    found = []
    for path, patch in sharing.before.items():
        if path != maintainers.NAME and not sharing.belongs(path):
            now = stored.resolve(patch, path)
            contents = file_in(repo, tip, path), file_in(repo, "HEAD", path)
            if all(content not in (None, now) for content in contents):
                found.append(path)
    return found


def file_in(repo, commit, path):
    """Its content, or None if the commit does not have it."""
    done = repo.run("cat-file", "blob", f"{commit}:{path}")
    return None if done.returncode else done.stdout
