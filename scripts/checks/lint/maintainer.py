# SPDX-License-Identifier: GPL-2.0-only
"""The series' entry in MAINTAINERS by the tree's get_maintainer."""

import pathlib
import re
import subprocess
import tempfile

from build.kernel import environment
from checks.lint import history
from common.ui import Progress
from series import maintainers

SCRIPT = "scripts/get_maintainer.pl"
# What the script takes a kernel tree by, and where git has the list of files
LIKE_A_TREE = ("COPYING", "CREDITS", "Kbuild", "Makefile", "README", "Documentation", "arch",
               "include", "drivers", "fs", "init", "ipc", "kernel", "lib", "scripts", ".git")

# Added files that are another entry's: they are about all that is in their folder,
# which the second has where the first is not there yet
OTHERS = ("VFIO SELFTESTS", "KERNEL SELFTEST FRAMEWORK")
FOLDER = "tools/testing/selftests/vfio/"
OF_FOLDER = {FOLDER + name for name in (".gitignore", "Makefile", "config", "settings",
                                        "lib/include/libvfio.h", "lib/libvfio.c",
                                        "lib/libvfio.mk")}


def results(repo, commits, entry):
    """[(name, problem)] of the entry and of each file that the series adds."""
    title = entry.split("\n", 1)[0]
    added = history.added_by(commits)
    other = next(name for name in OTHERS if not occurrence(repo, name))
    progress = Progress("get_maintainer")
    return [("get_maintainer: self-test of the entry", self_test(repo, entry)),
            ("get_maintainer: the entry stands once", occurrence(repo, title)),
            *history.each(lambda path: (f"get_maintainer: {path}", unowned(
                repo, path, other if path in OF_FOLDER else title)), added, progress)]


def self_test(repo, entry):
    """On the entry alone: for all of MAINTAINERS the script takes minutes. Not the
    links, for which it would need a network."""
    with tempfile.TemporaryDirectory() as folder:
        for name in LIKE_A_TREE:
            pathlib.Path(folder, name).symlink_to(pathlib.Path(repo.path, name))
        pathlib.Path(folder, maintainers.NAME).write_text(
            f"Maintainers List\n----------------\n\n{entry.rstrip()}\n")
        done = run(folder, "--self-test=sections,patterns")
    return done.stdout + done.stderr or (f"status {done.returncode}" if done.returncode else "")


def occurrence(repo, title):
    text = repo.blob("HEAD", maintainers.NAME).decode(errors="replace")
    count = len(re.findall(f"^{re.escape(title)}$", text, re.M))
    return "" if count == 1 else f"{title} stands {count} times in {maintainers.NAME}"


def unowned(repo, path, title):
    """Why a file that the series adds is nobody's, or ''."""
    done = run(repo.path, "--sections", "--no-git", "--no-git-fallback", "-f", path)
    if done.returncode:
        return done.stderr.strip() or f"status {done.returncode}"
    return "" if title in done.stdout.split("\n") else f"{title} does not name it"


def run(folder, *arguments):
    return subprocess.run(["perl", SCRIPT, *arguments], cwd=folder, env=environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
