# SPDX-License-Identifier: GPL-2.0-only
"""The mailable form of a series. It needs no base: patches and overlay hold
every line of it."""

import email.utils

from common.ui import Failure
from series import diffs, mails

COVER = "0000-cover-letter.patch"
SIGNATURE = "-- \n"  # keeps git am from taking what follows in a mailbox


def mails_of(series):
    """{file name: complete mail} with the cover letter first."""
    full = series.full()
    width = len(str(len(full)))
    result = {COVER: cover(series, full, f"[PATCH {0:0{width}d}/{len(full)}]")}
    for number, (patch, diff) in enumerate(full, 1):
        mail = mails.Mail(patch.mail.author, patch.mail.date, patch.mail.subject,
                          patch.mail.body, diff)
        tag = f"[PATCH {number:0{width}d}/{len(full)}]"
        result[f"{number:04d}-{patch.name}"] = mails.render(mail, tag, diffs.stat(diff)) + SIGNATURE
    return result


def older_mails_of(series):
    """[complete mail] of the patches for versions that have not yet what they bring."""
    older = series.older()
    return [mails.render(patch.mail, f"[PATCH older {number}/{len(older)}]",
                         diffs.stat(patch.mail.diff)) + SIGNATURE
            for number, patch in enumerate(older, 1)]


def mbox(texts):
    """One file of many mails, for git am."""
    return "".join(text + "\n" for text in texts)


def cover(series, full, tag):
    """The cover letter: the stored text, then who wrote what, then the stat of
    the whole. Its date is that of the newest patch."""
    file = series.folder / "cover-letter"
    try:
        head, _, body = file.read_text().partition("\n\n")
    except FileNotFoundError:
        raise Failure(f"no cover letter: {file} is missing")
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    if not {"From", "Subject"} <= headers.keys():
        raise Failure(f"{file} must start with From: and Subject:")
    newest = max((patch.mail.date for patch, _ in full), key=email.utils.parsedate_to_datetime)
    mail = mails.Mail(headers["From"], newest, headers["Subject"], body.strip("\n") + "\n\n"
                      + shortlog(full) + diffs.stat("".join(diff for _, diff in full)))
    return mails.render(mail, tag, "") + SIGNATURE


def shortlog(full):
    """As git shortlog: the subjects by author, in order."""
    subjects = {}
    for patch, _ in full:
        name = mails.split_author(patch.mail.author)[0]
        subjects.setdefault(name, []).append(patch.mail.subject)
    return "".join(f"{name} ({len(lines)}):\n" + "".join(f"  {line}\n" for line in lines) + "\n"
                   for name, lines in subjects.items())
