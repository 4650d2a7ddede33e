# SPDX-License-Identifier: GPL-2.0-only
"""Unified diffs: taken apart by file, and made for a file that is new."""

import hashlib
import re

from common.ui import Failure

MAX_OFFSET = 20  # lines; further away a hunk may have found the wrong place


def split(diff):
    """{path: that file's part of the diff}, in the diff's order."""
    parts = {}
    for part in re.split(r"^(?=diff --git )", diff, flags=re.M):
        if part:
            parts[path_of(part)] = part
    return parts


def path_of(part):
    match = re.match(r"diff --git a/(.+) b/\1\n", part)
    if not match:
        raise Failure("cannot read the diff line: " + part.split("\n", 1)[0])
    return match.group(1)


def join(parts):
    """One diff of many parts, in git's order."""
    return "".join(parts[path] for path in sorted(parts, key=str.encode))


def without_index(diff):
    """Drops the blob ids, which change with every sublevel of the base."""
    return re.sub(r"^index [0-9a-f]+\.\.[0-9a-f]+.*\n", "", diff, flags=re.M)


def without_numbers(diff):
    """Drops where hunks start, and what function they are in."""
    return re.sub(r"^@@ -\d+(,\d+)? \+\d+(,\d+)? @@.*$", r"@@ -\1 +\2 @@", diff, flags=re.M)


def added(diff):
    """(path, line number in the new file, text) of every added line."""
    path, number, in_hunk = None, 0, False
    for line in diff.split("\n"):
        hunk = re.match(r"@@ -\d+(?:,\d+)? \+(\d+)", line)
        if line.startswith("diff --git "):
            path, in_hunk = path_of(line + "\n"), False
        elif hunk:
            number, in_hunk = int(hunk.group(1)), True
        elif in_hunk and line.startswith("+"):
            yield path, number, line[1:]
            number += 1
        elif in_hunk and not line.startswith(("-", "\\")):
            number += 1


def trailing_blanks(diff):
    return [f"{path}:{number}" for path, number, text in added(diff)
            if text != text.rstrip(" \t\r")]


def new_file(path, data, executable=False):
    """The diff that creates a file."""
    mode = "100755" if executable else "100644"
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()[:12]
    head = (f"diff --git a/{path} b/{path}\nnew file mode {mode}\n"
            f"index {'0' * 12}..{blob}\n")
    if not data:
        return head
    if not data.endswith(b"\n"):
        raise Failure(f"{path}: the last line has no newline")
    try:
        lines = data.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        raise Failure(f"{path}: not a text file")
    count = f"+1,{len(lines)}" if len(lines) > 1 else "+1"
    return (head + f"--- /dev/null\n+++ b/{path}\n@@ -0,0 {count} @@\n"
            + "".join(f"+{line}\n" for line in lines))


def counts(diff):
    """{path: [lines added, lines removed]}, over all parts of a path."""
    result = {}
    for part in re.split(r"^(?=diff --git )", diff, flags=re.M)[1:]:
        count = result.setdefault(path_of(part), [0, 0])
        body = "@@" + part.partition("\n@@")[2]
        count[0] += len(re.findall(r"^\+", body, re.M))
        count[1] += len(re.findall(r"^-", body, re.M))
    return result


def stat(diff, width=72):
    """The diffstat that stands between message and diff of a mail, in the form
    of git format-patch."""
    table = counts(diff)
    names = {path: shorten(path, width - 22) for path in sorted(table, key=str.encode)}
    name_width = max(map(len, names.values()))
    most = max(map(sum, table.values()))
    digits = len(str(most))
    room = min(most, width - name_width - digits - 5)
    lines = []
    for path, name in names.items():
        plus, minus = (bar(count, most, room) for count in table[path])
        graph = "+" * plus + "-" * minus
        lines.append(f" {name:{name_width}} | {sum(table[path]):{digits}} {graph}".rstrip())
    return "\n".join(lines + [summary(table)] + new_files(diff)) + "\n"


def bar(count, most, room):
    return max(1, count * room // most) if count else 0


def shorten(path, width):
    """A long path loses its front, as in git's stat."""
    if len(path) <= width:
        return path
    tail = path[-(width - 3):]
    return "..." + tail[max(tail.find("/"), 0):]


def summary(table):
    plus, minus = (sum(column) for column in zip(*table.values()))
    text = f" {len(table)} file{'s' * (len(table) != 1)} changed"
    if plus or not minus:
        text += f", {plus} insertion{'s' * (plus != 1)}(+)"
    if minus or not plus:
        text += f", {minus} deletion{'s' * (minus != 1)}(-)"
    return text


def new_files(diff):
    return [f" create mode {mode} {path}" for path, mode in
            re.findall(r"^diff --git a/.+ b/(.+)\nnew file mode (\d+)$", diff, re.M)]


def far_hunks(said):
    """The hunks that git apply --verbose placed too far away."""
    path, far = "?", []
    for line in said.splitlines():
        checking = re.match(r"Checking patch (.*)\.\.\.$", line)
        path = checking.group(1) if checking else path
        hunk = re.search(r"Hunk #(\d+) succeeded at \d+ \(offset (-?\d+) lines?\)", line)
        if hunk and abs(int(hunk.group(2))) > MAX_OFFSET:
            far.append(f"{path} hunk {hunk.group(1)}, {hunk.group(2)} lines off")
    return far
