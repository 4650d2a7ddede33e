# SPDX-License-Identifier: GPL-2.0-only
"""The checks of `make lint`, and the quick ones of them that make check has time
for. Each gives a KTAP document."""

import itertools

from build.kernel import Kernel
from checks import ktap
from checks.lint import (boot, checkpatch, cocci, compiler, docs, guide, history, kerneldoc,
                         maintainer, userspace)
from checks.lint.worktree import WorkTree
from checks.suite import Suite
from common.gitrepo import Repo


def suites(settings):
    """Of make lint, the quick ones first."""
    worktree = WorkTree(settings)

    def suite(name, function):
        return Suite(name, lambda: ktap.document(function(commits(settings))))
    return [
        suite("checkpatch", lambda each: of_checkpatch(settings, each)),
        suite("kernel-doc", lambda each: kerneldoc.results(source(settings), each)),
        suite("get_maintainer", lambda each: of_maintainer(settings, each)),
        suite("guide", lambda each: guide.results(Kernel(settings, "debug"))),
        suite("docs", lambda each: docs.results(worktree, each)),
        suite("userspace", lambda each: userspace.Userspace(worktree).results(each)),
        suite("gcc-sparse", lambda each: compiler.gcc(settings, worktree, each)),
        suite("coccicheck", lambda each: cocci.results(settings, worktree, each)),
        suite("clang", lambda each: compiler.clang(settings, worktree, each)),
        suite("boot", lambda each: boot.results(settings, worktree, each)),
    ]


def quick(settings, debug):
    """Of make check: what needs neither another tree nor tools of its own."""
    def run():
        series = commits(settings)
        return ktap.document(list(itertools.chain(
            of_checkpatch(settings, series),
            kerneldoc.results(source(settings), series),
            of_maintainer(settings, series),
            guide.results(debug),
            compiler.tip(settings, debug, series))))
    return Suite("lint", run, debug)


def source(settings):
    return Repo(settings.source)


def commits(settings):
    return history.read(source(settings))


def of_checkpatch(settings, series):
    return checkpatch.results(source(settings), series, settings.work / "checkpatch")


def of_maintainer(settings, series):
    entry = (settings.top / "MAINTAINERS").read_text()
    return maintainer.results(source(settings), series, entry)
