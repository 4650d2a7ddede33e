# SPDX-License-Identifier: GPL-2.0-only
"""make lint: what the kernel tree's own checkers say of each patch, at its place
in the series; the last line counts."""

from checks import ktap
from checks.lint import history, lint
from cli.cmd_check import run_all
from common.lock import exclusive, shared
from common.ui import Failure, say
from series import tree


def main(settings):
    with exclusive(settings):
        repo = tree.ensure(settings)
    folder = settings.work / "lint/results"
    chosen = choose(lint.suites(settings), settings.args.split())
    say(f"{len(history.read(repo))} patches, as commits in "
        f"{settings.relative(settings.source)}")
    with shared(settings), exclusive(settings, "lint/lock"):
        return run_all(settings, chosen, ktap.Parser(settings.source), folder)


def choose(suites, names):
    """All of them, or those that the user named."""
    known = [suite.name for suite in suites]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f"ARGS={' '.join(unknown)}: make lint knows {', '.join(known)}")
    return [suite for suite in suites if not names or suite.name in names]
