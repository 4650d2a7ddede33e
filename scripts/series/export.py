# SPDX-License-Identifier: GPL-2.0-only
"""The mailable form of a series, and of each of its topics. It needs no base: patches
and overlay hold every line of it."""

import email.utils

from series import diffs, mails, topics

COVER = "0000-cover-letter.patch"
SIGNATURE = "-- \n"  # keeps git am from taking what follows in a mailbox


def mails_of(series, topic=""):
    """{file name: complete mail} with the cover letter first; of the whole series, or of
    one topic."""
    topic_of = series.topics()
    full = [each for each in series.full() if topic in ("", topic_of[each[0].name])]
    tags = [f"[PATCH {topic + ' ' if topic else ''}{number:0{len(str(len(full)))}d}/{len(full)}]"
            for number in range(len(full) + 1)]
    result = {COVER: cover(series, full, tags[0], topic)}
    for number, (patch, diff) in enumerate(full, 1):
        mail = mails.Mail(patch.mail.author, patch.mail.date, patch.mail.subject,
                          patch.mail.body, diff)
        result[f"{number:04d}-{patch.name}"] = (
            mails.render(mail, tags[number], diffs.stat(diff)) + SIGNATURE)
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


def cover(series, full, tag, topic):
    """The cover letter: the stored text, what a topic stands on, then who wrote what, then
    the stat of all. Its date is that of the newest patch."""
    letter = topics.letter(series, topic)
    newest = max((patch.mail.date for patch, _ in full), key=email.utils.parsedate_to_datetime)
    body = letter.body + (topics.place(series, topic, letter) if topic else "")
    mail = mails.Mail(letter.author, newest, letter.subject, body + "\n"
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
