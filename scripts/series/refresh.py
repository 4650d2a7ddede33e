# SPDX-License-Identifier: GPL-2.0-only
"""Writes the commits of a git tree back as overlay files and patches."""

import os
import pathlib

from base import versions
from common.gitrepo import DIFF, Repo
from common.ui import Failure
from series import applying, difference, diffs, mails, maintainers, topics
from series.series import Patch, all_of
from series.sharing import Sharing
from series.stock import Stock

BASE_REF = "refs/tags/base"  # what the first patch is applied to


def refresh(series, tree):
    """Makes the stored series say what base..HEAD of the tree says; returns the
    patches, and notes on what became of other bases. Nothing is written before
    every commit was found fit."""
    repo = Repo(tree)
    base = repo.commit_id(BASE_REF) or root_of(repo)
    refuse_edits(repo)
    names = series.older_names() if series.file.exists() else []
    older, patches, files, bringer, made = {}, [], {}, {}, {}
    for commit in commits(repo, base):
        patch, overlay = read_commit(repo, commit, bringer)
        if older_name(patch) in names:
            refuse_files(patch, overlay)
            older[older_name(patch)] = patch.mail
        else:
            refuse_same_name(repo, made, patch.name, commit)
            made[patch.name] = commit
            patches.append(patch)
            files.update(overlay)
    refuse_blanks([*patches, *(Patch(name, [], mail) for name, mail in older.items())], files)
    sharing = Sharing(series)
    own = sharing.share(patches, files)
    carried, notes = sharing.carry(own)
    version = version_of(repo, base)
    known = extended(series.range() if series.file.exists() else (), version)
    stock = Stock(series)
    stock.carry(carried)
    older = {name: stock.adopt(name, mail, fits=lambda _: False) for name, mail in older.items()}
    for patch in patches:
        patch.mail = stock.adopt(
            patch.name, patch.mail, newest=not known or version == known[1],
            fits=lambda mail, patch=patch: fits(series, repo, made[patch.name], patch, mail, files))
    topic_of, new = topics.assign(series.topics() if series.file.exists() else {},
                                  topics_elsewhere(series), list(made))
    write(series, patches, own, head(known, names), topic_of)
    mine = {patch.name: patch.mail for patch in patches}
    return patches, [*new, *notes, *stock.write({**stock.of(names), **older, **mine})]


def fits(series, repo, commit, patch, mail, files):
    """Whether a mail, which has other line numbers than the patch, does what the commit
    does."""
    parts = diffs.split(mail.diff)
    try:
        for path in {*parts} & {*patch.added} - {maintainers.NAME}:
            content, _ = series.overlay(path)
            if difference.apply(parts.pop(path), path, content) != files[path][0]:
                return False
        if maintainers.NAME in parts:
            parts[maintainers.NAME] = maintainers.fill(parts[maintainers.NAME],
                                                       files[maintainers.NAME][0].decode())
    except Failure:
        return False
    return applying.makes(repo, commit, diffs.join(parts))


def refuse_same_name(repo, made, name, commit):
    if name in made:
        raise Failure(f"{describe(repo, commit)} would be stored as {name}, as "
                      f"{describe(repo, made[name])} is: give it another subject")


def older_name(patch):
    """What a patch is called that later versions of the base have themselves. One
    becomes that when the series file names it in an `older:` line."""
    return f"older-{mails.slug(patch.mail.subject)}.patch"


def refuse_files(patch, files):
    if files:
        raise Failure(f"{older_name(patch)} adds {', '.join(files)}: a patch for older versions "
                      "only edits")


def version_of(repo, commit):
    """The kernel's, or '' if it is none."""
    try:
        makefile = repo.blob(commit, "Makefile").decode(errors="replace")
    except Failure:
        return ""
    return versions.of_makefile(makefile)


def extended(known, version):
    """The range with a version in it."""
    if not version or (known and versions.within(version, known)):
        return known
    ordered = sorted({*known, version}, key=versions.key)
    return ordered[0], ordered[-1]


def head(known, older):
    """The first lines of the series file, which name no patch of the series."""
    return ([f"range: {' '.join(known)}"] if known else []) + [f"older: {name}" for name in older]


def root_of(repo):
    roots = repo.text("rev-list", "--max-parents=0", "HEAD").split()
    if len(roots) != 1:
        raise Failure(f"{repo.path}: tag the commit that the series starts from as `base`")
    return roots[0]


def refuse_edits(repo):
    changed = repo.changes()
    if changed:
        shown = "\n  ".join(changed[:10])
        raise Failure(f"{repo.path} has edits that no commit holds; commit or drop "
                      f"them first:\n  {shown}")


def commits(repo, base):
    found = repo.text("rev-list", "--reverse", "--topo-order", f"{base}..HEAD").split()
    for commit in found:
        if len(repo.text("rev-parse", f"{commit}^@").split()) != 1:
            raise Failure(f"{describe(repo, commit)} is a merge; a series is a straight line")
    return found


def describe(repo, commit):
    return repo.text("log", "-1", "--format=%h (\"%s\")", commit)


def read_commit(repo, commit, bringer):
    """(patch, {path: (content, executable)}) of one commit; `bringer` remembers
    which commit brought which file."""
    added, edited = touched(repo, commit)
    for path in edited:
        if path in bringer:
            raise Failure(f"{describe(repo, commit)} edits {path}, which "
                          f"{describe(repo, bringer[path])} adds: a file of the series "
                          "arrives whole with one patch")
    mail = read_message(repo, commit)
    parts = edits(repo, commit, [path for path in edited if path != maintainers.NAME])
    files = {path: (repo.blob(commit, path), mode == "100755")
             for path, mode in added.items()}
    if maintainers.NAME in edited:
        entry, part = maintainers.extract(*(repo.blob(name, maintainers.NAME).decode()
                                            for name in (commit + "^", commit)))
        parts[maintainers.NAME] = part
        files[maintainers.NAME] = entry.encode(), False
    mail.diff = diffs.join(parts)
    for path in files:
        bringer[path] = commit
    return Patch(f"{mails.slug(mail.subject)}.patch", sorted(files), mail), files


def touched(repo, commit):
    """({added path: mode}, [edited or removed path])."""
    fields = repo.bytes("diff-tree", "-r", "-z", "--raw", "--no-renames",
                        commit + "^", commit).decode().split("\0")
    added, edited = {}, []
    for info, path in zip(fields[::2], fields[1::2]):
        mode, kind = info.split()[1], info.split()[-1]
        if kind == "A" and mode not in ("100644", "100755"):
            raise Failure(f"{describe(repo, commit)} adds {path}, which is no plain file")
        if kind == "A":
            added[path] = mode
        else:
            edited.append(path)
    return added, edited


def read_message(repo, commit):
    author, date, message = repo.text("log", "-1", "--format=%an <%ae>%x00%aD%x00%B",
                                      commit).split("\0")
    subject, _, body = message.strip().partition("\n\n")
    if "\n" in subject or not subject:
        raise Failure(f"{describe(repo, commit)}: the message needs one line of subject "
                      "and a blank line")
    return mails.Mail(author, date, subject, body.strip("\n"))


def edits(repo, commit, paths):
    if not paths:
        return {}
    text = repo.bytes("diff-tree", "-p", *DIFF, commit + "^", commit, "--", *paths)
    return diffs.split(diffs.without_index(text.decode()))


def refuse_blanks(patches, files):
    bad = [place for patch in patches for place in diffs.trailing_blanks(patch.mail.diff)]
    for path, (content, executable) in files.items():
        if path != maintainers.NAME:
            bad += diffs.trailing_blanks(diffs.new_file(path, content, executable))
            bad += [f"{path}: empty line at the end"] * content.endswith(b"\n\n")
    if bad:
        raise Failure("blanks at the end of added lines or files:\n  " + "\n  ".join(bad[:20]))


def write(series, patches, files, first, topic_of):
    """The overlay and the series file."""
    old = dict(series.entries()) if series.file.exists() else {}
    series.folder.mkdir(parents=True, exist_ok=True)
    for path, (content, executable) in files.items():
        write_overlay(series.top / path, content, executable)
    line = {patch.name: " ".join([patch.name, *patch.added]) for patch in patches}
    lines = [*first, *topics.lines(topic_of, line.get)]
    series.file.write_text("".join(f"{line}\n" for line in lines))
    brought = {path for patch in patches for path in patch.added}
    gone = {path for added in old.values() for path in added} - brought
    for path in gone - used_elsewhere(series) - {maintainers.NAME}:
        remove_overlay(series.top, path)


def write_overlay(file, content, executable):
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_bytes() != content:
        file.write_bytes(content)
    if os.access(file, os.X_OK) != executable:
        file.chmod(0o755 if executable else 0o644)


def elsewhere(series):
    """The series of other bases."""
    return [other for other in all_of(series.top) if other.base != series.base]


def used_elsewhere(series):
    """Overlay files that the series of another base brings."""
    return {path for other in elsewhere(series) for _, added in other.entries()
            for path in added}


def topics_elsewhere(series):
    """{patch name: topic}; of a patch that several have, the topic of the first base."""
    return {name: topic for other in reversed(elsewhere(series))
            for name, topic in other.topics().items() if topic}


def remove_overlay(top, path):
    (top / path).unlink(missing_ok=True)
    for folder in pathlib.PurePath(path).parents:
        if str(folder) == "." or any((top / folder).iterdir()):
            break
        (top / folder).rmdir()
