# SPDX-License-Identifier: GPL-2.0-only
"""git, as far as the tools need it: one repository, plumbing commands only."""

import os
import subprocess

from common.ui import Failure

# What the user's own configuration must not change in what we read or write
ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}

DIFF = ["--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "-U3",
        "--diff-algorithm=myers", "--src-prefix=a/", "--dst-prefix=b/"]


class Repo:
    def __init__(self, path, index=None):
        self.path = str(path)
        self.index = index

    def run(self, *args, input=None, env=None):
        """Runs git and returns the finished process, whatever its status."""
        full = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        full.update(ENVIRONMENT)
        if self.index:
            full["GIT_INDEX_FILE"] = str(self.index)
        full.update(env or {})
        return subprocess.run(["git", "-c", "safe.directory=*", *args],
                              cwd=self.path, env=full, input=input, capture_output=True)

    def bytes(self, *args, **kwargs):
        result = self.run(*args, **kwargs)
        if result.returncode:
            said = result.stderr.decode(errors="replace").strip()
            raise Failure(f"git {args[0]} failed in {self.path}: {said}")
        return result.stdout

    def text(self, *args, **kwargs):
        return self.bytes(*args, **kwargs).decode().strip()

    def commit_id(self, name):
        """The commit that a name stands for, or None."""
        result = self.run("rev-parse", "--verify", "--quiet", name + "^{commit}")
        return result.stdout.decode().strip() or None

    def changes(self):
        """Paths with edits that no commit holds, new files included."""
        listing = self.bytes("status", "--porcelain", "-z", "--untracked-files=normal",
                             env={"GIT_OPTIONAL_LOCKS": "1"})
        return [entry[3:].decode() for entry in listing.split(b"\0") if entry]

    def blob(self, commit, path):
        return self.bytes("cat-file", "blob", f"{commit}:{path}")
