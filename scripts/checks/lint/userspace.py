# SPDX-License-Identifier: GPL-2.0-only
"""Builds the selftests and tools as each commit that touches them has them, by
their own Makefiles and with the headers of that commit."""

import re
import shutil
import subprocess

from build.kernel import environment, first_error
from checks.lint import diagnostics, history, making
from common.ui import Failure, Progress

UAPI = "include/uapi/"
FOLDERS = ("tools/testing/selftests/iommu", "tools/testing/selftests/vfio", "tools/vfio")


class Userspace:
    def __init__(self, worktree):
        self.worktree = worktree
        self.folder = worktree.folder / "userspace"
        self.headers = self.folder / "headers"
        self.known = diagnostics.Known()
        self.broken = set()   # folders that did not build at the last look

    def results(self, commits):
        commits = [commit for commit in commits if commit.touches(UAPI, *FOLDERS)]
        progress = Progress("userspace")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.worktree.check_out(history.BASE)
        self.install_headers(lambda: progress.update("the base"))
        self.build(FOLDERS, "base", lambda: progress.update("the base"))
        results = []
        for number, commit in enumerate(commits, 1):
            problem = self.at(commit, lambda: progress.update(
                f"{number} of {len(commits)}: {commit.subject}"))
            results.append((f"userspace: {commit.name}", problem))
        progress.clear()
        return results + [("userspace: after the last patch all of it builds",
                           ", ".join(sorted(self.broken)))]

    def at(self, commit, update):
        self.worktree.check_out(commit.id)
        step = f"{commit.number:04d}"
        folders = [folder for folder in FOLDERS if commit.touches(folder + "/")]
        problems = []
        if commit.touches(UAPI):
            self.install_headers(update)
            folders = FOLDERS
            problems = [said for path in commit.files if path.startswith(UAPI)
                        if (said := self.header(path.removeprefix(UAPI)))]
        return "\n".join(problems + self.build(folders, step, update))

    def build(self, folders, step, update):
        """Lines on what is new, of folders that the commit has. One that does not
        build is no news if it did not before, for the same reason."""
        lines = []
        for folder in folders:
            if not (self.worktree.path / folder / "Makefile").exists():
                continue
            name = folder.replace("/", "-")
            out = self.folder / name
            if folder.endswith("selftests/iommu"):
                shutil.rmtree(out, ignore_errors=True)  # its Makefile knows no headers
            out.mkdir(exist_ok=True)
            log = self.folder / f"{step}-{name}.log"
            # tools/ takes the folder as a prefix, the selftests as a folder
            output = f"OUTPUT={out}/" if folder == "tools/vfio" else f"OUTPUT={out}"
            text, status = making.run(
                ["-C", self.worktree.path / folder, output,
                 f"KHDR_INCLUDES=-isystem {self.headers}/include"],
                self.worktree.path, log, update)
            new = self.known.news(diagnostics.of_compiler(text, self.worktree.path / folder))
            lines += new
            if not status:
                self.broken.discard(folder)
            elif new or folder not in self.broken:
                self.broken.add(folder)
                lines.append(f"{folder} does not build: {first_error(log)}")
        return lines

    def install_headers(self, update):
        log = self.folder / "headers.log"
        _, status = making.run(
            [f"O={self.folder}/headers-build", "headers_install",
             f"INSTALL_HDR_PATH={self.headers}"], self.worktree.path, log, update)
        if status:
            raise Failure("cannot install the headers", log)

    def header(self, path):
        """What the compiler says of a UAPI header by itself, included twice, as
        usr/include/Makefile asks for it and then some."""
        include = f"#include <{path}>\n"
        done = subprocess.run(
            ["gcc", "-x", "c", "-std=c90", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
             "-I", str(self.headers / "include"), "-"], input=include * 2,
            capture_output=True, text=True, env=environment())
        said = re.sub(r"^In file included.*\n", "", done.stderr, flags=re.M)
        return f"{UAPI}{path} by itself: {said.strip()}" if done.returncode else ""
