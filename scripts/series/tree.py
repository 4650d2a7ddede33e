# SPDX-License-Identifier: GPL-2.0-only
"""The made tree: the base as one commit, then one commit a patch.

It is put together in a temporary index, so that the work tree is written once
and only where a file differs: what a build made stays up to date. The same
base and series give the same commit ids.

Refs of the made tree: the tag `base`; branch `series`, checked out;
refs/project/made, the tip that was made last; refs/project/refreshed, the tip
that `make refresh` has stored since. A HEAD that is neither holds someone's work. While
`make rebase` moves the series, refs/project/next is the version that it moves to.
"""

import hashlib
import json
import pathlib
import shutil
import tempfile

from base import source, versions
from common.gitrepo import Repo
from common.ui import Failure, Progress, say
from series import applying, mails, series
from series.applying import Refused

BASE = "refs/tags/base"
MADE = "refs/project/made"
REFRESHED = "refs/project/refreshed"
NEXT = "refs/project/next"
BASE_AUTHOR = ("Linux", "base@localhost", "2000-01-01T00:00:00+0000")


def ensure(settings):
    """Brings the made tree up to date with base and series; returns its Repo."""
    if settings.source.exists():
        settle(Repo(settings.source))
        if moving(Repo(settings.source)):
            refuse_half(Repo(settings.source))
    repo = made(settings)
    if not repo:
        return make(settings)
    note_work(repo, settings)
    return repo


def made(settings):
    """The Repo of a made tree that is up to date, or None."""
    stored = series.of(settings)
    if not source.choose(settings, stored.range()).is_in(settings.source):
        return None
    repo = Repo(settings.source)
    if moving(repo) or not repo.commit_id(MADE):
        return None
    return repo if fingerprint(repo, stored.with_older()) == read_stamp(repo) else None


def make(settings):
    """Makes the tree, or what of it is not up to date; returns its Repo."""
    stored = series.of(settings)
    patches = stored.with_older()
    base = source.choose(settings, stored.range())
    fresh = not base.is_in(settings.source)
    if fresh:
        if settings.source.exists():
            refuse_to_lose_work(Repo(settings.source))
        make_base(settings, base, patches, stored.range())
    repo = Repo(settings.source)
    refuse_to_lose_work(repo)
    try:
        tip = apply_all(settings, repo, patches)
    except Refused as refused:
        if fresh or not base.choice:
            raise outside(refused, repo, stored.range())
        # The series has moved on since this version was chosen
        source.forget(settings.source)
        return make(settings)
    check_out(repo, tip)
    stamp_file(repo).write_text(fingerprint(repo, patches))
    return repo


def make_base(settings, base, patches, known):
    """Unpacks the base and commits it. The commit is tagged last, and the
    folder renamed after that, so that half a tree is never taken for a whole."""
    fresh = settings.source.with_name("linux.new")
    with base.candidates() as candidates:
        passed = unpack_best(candidates, fresh, patches if base.choice else [], settings)
    version = source.check_version(fresh, settings.version, known)
    shutil.rmtree(settings.source, ignore_errors=True)
    progress = Progress(f"commit Linux {version}")
    repo = Repo(fresh)
    repo.bytes("init", "-q", "-b", "series")
    for key, value in (("gc.auto", "0"), ("core.untrackedCache", "true"),
                       ("core.compression", "1")):
        repo.bytes("config", key, value)
    # A threshold of nothing sends all blobs into one pack instead of 90,000 files
    repo.bytes("-c", "core.bigFileThreshold=0", "add", "-A", "-f")
    commit = commit_tree(repo, repo.text("write-tree"), None, f"Linux {version}\n",
                         *BASE_AUTHOR)
    for ref in ("refs/heads/series", BASE, MADE):
        repo.bytes("update-ref", ref, commit)
    (source.git_folder(fresh) / "passed-over").write_text(json.dumps(passed))
    base.record(fresh)
    fresh.rename(settings.source)
    progress.done()
    if not versions.within(version, known):
        say(f"note: the series is known to be good for {versions.words(known)}; this is {version}")


REFUSED = {}   # folders, and why this command could not make a tree there


def unpack_best(candidates, folder, patches, settings):
    """Unpacks the first candidate that takes the patches; returns {version: why}
    of those passed over."""
    if folder in REFUSED:
        raise REFUSED[folder]
    passed = {}
    for candidate in candidates:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        candidate.unpack(folder)
        refusal = applying.refusal(folder, patches)
        if not refusal:
            for version, reason in passed.items():
                say(f"Linux {version} is passed over: {reason}")
            return passed
        passed[candidate.version] = refusal
    shutil.rmtree(folder)
    REFUSED[folder] = Failure(
        f"no Linux {settings.version} that Debian offers takes the series; "
        + "; ".join(f"{version}: {reason}" for version, reason in passed.items()))
    raise REFUSED[folder]


def settle(repo):
    """Ends what `make rebase` began, unless git still waits for somebody: the version
    that the series was moved to is the base, or is forgotten if that was given up."""
    if not moving(repo) or rebasing(repo):
        return
    if not repo.run("merge-base", "--is-ancestor", NEXT, "HEAD").returncode:
        repo.bytes("update-ref", BASE, NEXT)
        (source.git_folder(repo.path) / "passed-over").unlink(missing_ok=True)
    repo.bytes("update-ref", "-d", NEXT)


def moving(repo):
    """Whether `make rebase` has brought a version that is not settled yet."""
    return bool(repo.commit_id(NEXT))


def rebasing(repo):
    """Whether git is in the middle of a rebase, of this tree or of the one that it is a
    second work tree of."""
    own = pathlib.Path(repo.path, repo.text("rev-parse", "--git-dir"))
    return any((folder / name).exists() for folder in (own, source.git_folder(repo.path))
               for name in ("rebase-merge", "rebase-apply"))


def passed_over(settings):
    """{version: why} of what is newer than the base that was taken."""
    try:
        return json.loads((source.git_folder(settings.source) / "passed-over").read_text())
    except FileNotFoundError:
        return {}


def version(repo):
    """The base's, from its commit."""
    return repo.text("log", "-1", "--format=%s", BASE).removeprefix("Linux ")


def outside(refused, repo, known):
    """The error, with the range of the series if this version is not in it."""
    if versions.within(version(repo), known):
        return refused
    return Failure(f"{refused.cause} (this is Linux {version(repo)}; the series is for "
                   f"{versions.words(known)})")


def commit_tree(repo, tree, parent, message, name, address, date):
    """A commit whose id depends on nothing but the arguments."""
    env = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", name), ("EMAIL", address), ("DATE", date))}
    parents = ["-p", parent] if parent else []
    return repo.text("commit-tree", *parents, "-F", "-", tree,
                     input=message.encode(), env=env)


def fingerprint(repo, patches):
    """Stands for the base and all that the series does and says."""
    digest = hashlib.sha256(str(repo.commit_id(BASE)).encode())
    for patch, diff in patches:
        for text in (patch.name, patch.mail.author, patch.mail.date,
                     patch.mail.message(), diff):
            digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def stamp_file(repo, what="made"):
    return source.git_folder(repo.path) / f"series-{what}"


def read_stamp(repo, what="made"):
    try:
        return stamp_file(repo, what).read_text()
    except FileNotFoundError:
        return ""


def unsaved(repo):
    """What in the tree would be lost if it were made anew: a text, or ''."""
    changed = repo.changes()
    if changed:
        return f"edits that no commit holds ({', '.join(changed[:5])})"
    head = repo.commit_id("HEAD")
    if head not in (repo.commit_id(MADE), repo.commit_id(REFRESHED)):
        return "commits that `make refresh` has not stored"
    return ""


def content(repo):
    """Stands for all files of the tree; empty if it has edits."""
    return "" if repo.changes() else repo.text("rev-parse", "HEAD^{tree}")


def refuse_to_lose_work(repo):
    work = unsaved(repo)
    if work:
        raise Failure(f"{repo.path} has {work}, and the base or the series has changed "
                      "since it was made: commit and `make refresh` first, or drop that work")


def refuse_half(repo):
    """HEAD has but the first part of the series."""
    if rebasing(repo):
        raise Failure(f"{repo.path} is in the middle of a rebase: `git rebase --continue` there "
                      "until git says that it is done, or `git rebase --abort`")


def note_work(repo, settings):
    work = unsaved(repo)
    if work:
        say(f"note: using {settings.relative(repo.path)} with {work}")


def apply_all(settings, repo, patches):
    """Commits the patches one by one; returns the last commit."""
    progress = Progress("apply series")
    count = 0
    with tempfile.TemporaryDirectory(dir=settings.work) as scratch:
        staged = Repo(repo.path, index=f"{scratch}/index")
        parent = repo.commit_id(BASE)
        staged.bytes("read-tree", parent)
        for patch, diff in applying.each(staged, patches):
            progress.update(patch.name)
            count += 1
            parent = commit_tree(staged, staged.text("write-tree"), parent,
                                 patch.mail.message(),
                                 *mails.split_author(patch.mail.author), patch.mail.date)
    progress.done(f"{count} patches")
    return parent


def check_out(repo, commit):
    """Moves branch, index and files; git rewrites only files that differ."""
    head = repo.run("symbolic-ref", "-q", "HEAD").stdout.decode().strip()
    if head != "refs/heads/series":
        repo.bytes("update-ref", "refs/heads/series", repo.commit_id("HEAD"))
        repo.bytes("symbolic-ref", "HEAD", "refs/heads/series")
    repo.bytes("reset", "-q", "--keep", commit)
    repo.bytes("update-ref", MADE, commit)
    repo.bytes("update-ref", "-d", REFRESHED)
    stamp_file(repo, "refreshed").unlink(missing_ok=True)


def mark_refreshed(path, stored):
    """Remembers that the series holds HEAD."""
    repo = Repo(path)
    if repo.commit_id(MADE):
        repo.bytes("update-ref", REFRESHED, "HEAD")
        stamp_file(repo, "refreshed").write_text(fingerprint(repo, stored.with_older()))
