# SPDX-License-Identifier: GPL-2.0-only
"""The tree's kernel-doc on the C files that each commit touches."""

import pathlib
import subprocess
import tempfile

from build.kernel import environment
from checks.lint import diagnostics, history
from common.ui import Failure, Progress


def results(repo, commits):
    """[(name, problem)]: what kernel-doc says of a file as the commit has it and
    did not say before."""
    known = diagnostics.Known(base_warnings(repo, history.files_of(commits)))
    found = history.each(lambda commit: warnings(repo, commit.id, commit.files), commits,
                         Progress("kernel-doc"))
    return [(f"kernel-doc: {commit.name}", "\n".join(known.news(lines)))
            for commit, lines in zip(commits, found)]


def base_warnings(repo, files):
    there = set(repo.text("ls-tree", "-r", "--name-only", history.BASE, "--",
                          *files).split("\n"))
    return warnings(repo, history.BASE, [path for path in files if path in there])


def warnings(repo, commit, files):
    """Of the files' content in a commit; the tree itself need not have it."""
    files = [path for path in files if path.endswith((".c", ".h"))]
    if not files:
        return set()
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            copy = pathlib.Path(folder, path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(repo.blob(commit, path))
        done = subprocess.run(
            [*program(repo.path), "-none", "-Werror", *files], cwd=folder,
            env={**environment(), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = diagnostics.of_kernel_doc(done.stdout + done.stderr)
    if bool(done.returncode) != bool(found):
        raise Failure(f"cannot read what kernel-doc says, status {done.returncode}: "
                      + (done.stderr or done.stdout)[-500:])
    return found


def program(tree):
    return tool(tree, "tools/docs/kernel-doc", "scripts/kernel-doc")


def tool(tree, python, perl):
    """(interpreter, path) of a tool for documents, which are in Perl in Linux 6.12."""
    new, old = pathlib.Path(tree, python), pathlib.Path(tree, perl)
    return ("python3", str(new)) if new.exists() else ("perl", str(old))
