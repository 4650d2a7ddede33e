# SPDX-License-Identifier: GPL-2.0-only
"""The series' entry in the tree's MAINTAINERS.

The entry stands once, in the MAINTAINERS at the top of this repository. The
stored patch only says where it goes: a hunk of six context lines, whose middle
the entry fills when the patch is applied or mailed.
"""

import re

from common.ui import Failure

NAME = "MAINTAINERS"
AROUND = 3  # context lines on each side


def place(line, context):
    """The stored form: where in the file, and what stands around."""
    assert len(context) == 2 * AROUND
    return (f"diff --git a/{NAME} b/{NAME}\n--- a/{NAME}\n+++ b/{NAME}\n"
            f"@@ -{line},{2 * AROUND} +{line},{2 * AROUND} @@\n"
            + "".join(f" {text}\n" for text in context))


def fill(part, entry):
    """The stored part with the entry in the middle: a diff that applies."""
    head, hunk, rest = part.partition("@@ -")
    match = re.match(r"(\d+),6 \+\d+,6 @@.*\n", rest)
    lines = rest[match.end():].splitlines() if match else []
    if len(lines) != 2 * AROUND or any(not re.match(" |$", line) for line in lines):
        raise Failure(f"the hunk for {NAME} must be six context lines")
    added = ["+" + line for line in entry.rstrip("\n").split("\n")] + ["+"]
    body = lines[:AROUND] + added + lines[AROUND:]
    start = match.group(1)
    return (head + f"@@ -{start},{2 * AROUND} +{start},{2 * AROUND + len(added)} @@\n"
            + "".join(line + "\n" for line in body))


def extract(old, new):
    """(entry, stored part) of a commit that adds one entry, from the file's
    text before and after it."""
    old, new = old.split("\n"), new.split("\n")
    count = len(new) - len(old)
    for at in range(AROUND, len(old) - AROUND):
        # An entry follows a blank line and ends with one
        if old[at - 1] == "" and count > 1 and new[:at] + new[at + count:] == old:
            entry = new[at:at + count]
            if entry[-1] == "":
                context = old[at - AROUND:at + AROUND]
                return "\n".join(entry), place(at - AROUND + 1, context)
    raise Failure(f"{NAME}: a commit may only add one entry and the blank line after it")
