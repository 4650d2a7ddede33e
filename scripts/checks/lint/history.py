# SPDX-License-Identifier: GPL-2.0-only
"""The commits of the made tree, as lint looks at them one by one."""

import concurrent.futures
import dataclasses
import os

from common.ui import Failure

BASE = "refs/tags/base"
NOT_KERNEL = ("tools/", "Documentation/", "MAINTAINERS")


@dataclasses.dataclass
class Commit:
    number: int
    id: str
    subject: str
    files: list   # paths that it touches and leaves there
    added: list   # those of them that it brings

    @property
    def name(self):
        return f"{self.number:04d} {self.subject}"

    def touches_kernel(self):
        return any(not path.startswith(NOT_KERNEL) for path in self.files)

    def touches(self, *prefixes):
        return any(path.startswith(prefixes) for path in self.files)


def read(repo):
    """All of base..HEAD, the first one first. What no commit holds is left out."""
    log = repo.text("log", "--reverse", "--no-renames", "--name-status",
                    "--format=%x00%H %s", f"{BASE}..HEAD")
    commits = [parse(number, text) for number, text in enumerate(log.split("\0")[1:], 1)]
    if not commits:
        raise Failure(f"{repo.path} has no commits on top of its tag `base`")
    return commits


def parse(number, text):
    head, *rows = filter(None, text.split("\n"))
    commit, subject = head.split(" ", 1)
    changes = [row.split("\t", 1) for row in rows]
    return Commit(number, commit, subject,
                  [path for kind, path in changes if kind != "D"],
                  [path for kind, path in changes if kind == "A"])


def files_of(commits):
    """Every file that some commit touches and the last one still has."""
    return sorted({path for commit in commits for path in commit.files})


def added_by(commits):
    return sorted({path for commit in commits for path in commit.added})


def each(function, items, progress):
    """The function's results for all items, of which several run at a time."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = []
        for result in pool.map(function, items):
            results.append(result)
            progress.update(f"{len(results)} of {len(items)}")
    progress.clear()
    return results
