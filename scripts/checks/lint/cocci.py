# SPDX-License-Identifier: GPL-2.0-only
"""The tree's coccicheck on the C files that the series adds to the kernel. Some of
its semantic patches are partly in OCaml, for which spatch needs the compiler."""

import re
import shutil

from checks.lint import diagnostics, history
from checks.lint.compiler import FOLDERS, Objects
from common.ui import Failure, Progress

REPORT = re.compile(r"^(\S+\.[ch]):(\d+)(?::\d+(?:-\d+)?)?: (.*)$")


def results(settings, worktree, commits):
    if not shutil.which("spatch"):
        raise Failure("spatch is missing (Debian: coccinelle)")
    objects = Objects(settings, worktree, "gcc")
    worktree.check_out(commits[-1].id)
    objects.configure()
    progress = Progress("coccicheck")
    results = []
    for path in history.added_by(commits):
        if path.startswith(FOLDERS) and path.endswith(".c"):
            results.append((f"coccicheck: {path}", check(objects, path, progress)))
    progress.clear()
    if not results:
        raise Failure("the series adds no C file that coccicheck could look at")
    return results


def check(objects, path, progress):
    """The reports on one file. The script prints each of its commands, and a
    semantic patch that does not work is named by spatch."""
    step = "cocci-" + path.rpartition("/")[2]
    made = path.removesuffix(".c") + ".o"
    (objects.out / made).unlink(missing_ok=True)  # for only what is compiled gets checked
    text, status = objects.make_here(
        step, lambda: progress.update(path), "C=1", "MODE=report",
        f"CHECK={objects.tree}/scripts/coccicheck", made)
    lines = reports(text, objects.tree)
    if status:
        lines += trouble(text) or [f"coccicheck failed: {objects.log(step)}"]
    if "--cocci-file" not in text:
        lines.append("no semantic patch was run")
    return "\n".join(lines)


def trouble(text):
    """What spatch said before the script gave up."""
    lines = text.splitlines()
    return lines[max(0, lines.index("coccicheck failed") - 3):] \
        if "coccicheck failed" in lines else []


def reports(text, tree):
    found = []
    for line in text.splitlines():
        match = REPORT.match(line)
        if match:
            found.append(f"{diagnostics.shorten(match[1], tree)}:{match[2]}: {match[3]}")
    return found
