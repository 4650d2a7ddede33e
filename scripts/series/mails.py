# SPDX-License-Identifier: GPL-2.0-only
"""A patch as a mail: headers, message, `---`, diff.

Stored patches are plain UTF-8 with unfolded headers, so that they read and
diff well; what is sent gets encoded headers where a name needs them.
"""

import dataclasses
import email.header
import re
import textwrap

from common.ui import Failure

SLUG_LENGTH = 52  # as git format-patch cuts file names


@dataclasses.dataclass
class Mail:
    author: str
    date: str
    subject: str
    body: str = ""
    diff: str = ""

    def message(self):
        """The commit message."""
        return self.subject + "\n" + (f"\n{self.body}\n" if self.body else "")

    def store(self):
        return (f"From: {self.author}\nDate: {self.date}\n"
                f"Subject: [PATCH] {self.subject}\n\n"
                + (f"{self.body}\n" if self.body else "") + f"---\n{self.diff}")


def parse(text, name="patch"):
    """Reads a stored patch."""
    head, blank, rest = text.partition("\n\n")
    headers = dict(re.findall(r"^(\w+): (.*)$", head, re.M))
    missing = {"From", "Date", "Subject"} - headers.keys()
    if missing or not blank:
        raise Failure(f"{name}: no {'/'.join(sorted(missing)) or 'end of'} header")
    # The first line that is only `---` ends the message, as for git am
    body, cut, diff = ("\n" + rest).partition("\n---\n")
    if not cut:
        raise Failure(f"{name}: no line `---` between message and diff")
    start = re.search(r"^diff --git ", diff, re.M)
    subject = re.sub(r"^\[PATCH[^]]*\] *", "", headers["Subject"])
    return Mail(headers["From"], headers["Date"], subject, body.strip("\n"),
                diff[start.start():] if start else "")


def slug(subject):
    """The file name that git format-patch would make of a subject."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", subject).strip("-.")[:SLUG_LENGTH].rstrip("-.")


def split_author(author):
    match = re.fullmatch(r"(.*?)\s*<(.+)>", author)
    if not match:
        raise Failure(f"not a name and an address: {author}")
    return match.group(1).strip('"'), match.group(2)


def encode_author(author):
    if author.isascii():
        return author
    name, address = split_author(author)
    return f"{email.header.Header(name, 'utf-8').encode()} <{address}>"


def encode_subject(subject):
    if subject.isascii():
        return "\n ".join(textwrap.wrap(subject, 76, break_long_words=False,
                                        break_on_hyphens=False))
    return email.header.Header(subject, "utf-8", header_name="Subject").encode()


def render(mail, tag, stat):
    """The mail as it is sent; `tag` stands before the subject."""
    lines = ["From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001",
             f"From: {encode_author(mail.author)}", f"Date: {mail.date}",
             f"Subject: {encode_subject(f'{tag} {mail.subject}')}"]
    if not (mail.body + mail.diff).isascii():
        lines += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=UTF-8",
                  "Content-Transfer-Encoding: 8bit"]
    text = "\n".join(lines) + "\n\n" + (mail.body + "\n" if mail.body else "")
    if mail.diff:
        text += f"---\n{stat}\n{mail.diff}"
    return text
