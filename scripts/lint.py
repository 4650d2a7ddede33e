# SPDX-License-Identifier: GPL-2.0-only
"""The checks of `make lint`, and the quick ones of them that make check has time
for. Each gives a KTAP document."""

import itertools

import ktap
import lint_boot
import lint_checkpatch
import lint_cocci
import lint_commits
import lint_compile
import lint_docs
import lint_kerneldoc
import lint_maintainer
import lint_userspace
from gitrepo import Repo
from lint_tree import WorkTree
from suite import Suite


def suites(settings):
    """Of make lint, the quick ones first."""
    worktree = WorkTree(settings)

    def suite(name, function):
        return Suite(name, lambda: ktap.document(function(commits(settings))))
    return [
        suite("checkpatch", lambda each: checkpatch(settings, each)),
        suite("kernel-doc", lambda each: lint_kerneldoc.results(source(settings), each)),
        suite("get_maintainer", lambda each: maintainer(settings, each)),
        suite("docs", lambda each: lint_docs.results(worktree, each)),
        suite("userspace", lambda each: lint_userspace.Userspace(worktree).results(each)),
        suite("gcc-sparse", lambda each: lint_compile.gcc(settings, worktree, each)),
        suite("coccicheck", lambda each: lint_cocci.results(settings, worktree, each)),
        suite("clang", lambda each: lint_compile.clang(settings, worktree, each)),
        suite("boot", lambda each: lint_boot.results(settings, worktree, each)),
    ]


def quick(settings, debug):
    """Of make check: what needs neither another tree nor tools of its own."""
    def run():
        series = commits(settings)
        return ktap.document(list(itertools.chain(
            checkpatch(settings, series),
            lint_kerneldoc.results(source(settings), series),
            maintainer(settings, series),
            lint_compile.tip(settings, debug, series))))
    return Suite("lint", run, debug)


def source(settings):
    return Repo(settings.source)


def commits(settings):
    return lint_commits.read(source(settings))


def checkpatch(settings, series):
    return lint_checkpatch.results(source(settings), series, settings.work / "checkpatch")


def maintainer(settings, series):
    entry = (settings.top / "MAINTAINERS").read_text()
    return lint_maintainer.results(source(settings), series, entry)
