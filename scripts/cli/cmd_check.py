# SPDX-License-Identifier: GPL-2.0-only
"""make check: the tests; the last line counts them."""

import dataclasses
import shutil

from base.aptsource import NotOffered
from build.kernel import Kernel
from checks import check, ktap, schedule
from common.lock import exclusive
from common.ui import Failure, say
from series import tree


def main(settings):
    settings = dataclasses.replace(settings, threads=True)
    left = check.long_suites(settings, *[None] * len(check.LONG_KERNELS))
    more = [] if settings.chosen else check.of_other_bases(settings)
    return check_all(settings, "check", check.KERNELS, check.suites, "check-long", left, more)


def check_all(settings, command, names, suites, other, left, more=()):
    """Runs the suites of one of the two commands and some more, and says what is
    left to the other one."""
    kernels = [Kernel(settings, settings.config if name == "debug" and settings.config
                      else name) for name in names]
    chosen, left_out = check.offered(settings, suites(settings, *kernels))
    left, _ = check.offered(settings, left)
    folder = settings.work / command
    shutil.rmtree(folder, ignore_errors=True)
    every = (*chosen, *more)
    return run_all(settings, every, parser_of(settings, every), folder, schedule.places(),
                   [*(f"{name}: {reason}" for name, reason in left_out.items()),
                    f"left to make {other}: {', '.join(suite.name for suite in left)}"])


def run_all(settings, suites, parser, folder, workers=1, left=()):
    """Runs suites and counts their results; the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    total, failures = ktap.Counts(), []
    plan = schedule.Schedule(suites, check.document_of, workers)
    for suite, text, seconds in plan.results():
        counts, failed = report(settings, suite, parser, folder, text, seconds)
        total += counts
        failures += [(suite.name, name) for name in failed]
    for line in left:
        say(f"not run, {line}")
    say(f"results: {settings.relative(folder)}")
    again(failures)
    say(str(total))
    return 1 if total.failed or not total.passed else 0


def parser_of(settings, suites):
    """That of the made tree, or of another base's if no version takes the series:
    the suites of the one fail, and not those of the other."""
    found = {settings.base: settings}
    for suite in suites:
        if suite.kernel:
            found.setdefault(suite.kernel.settings.base, suite.kernel.settings)
    refusals = []
    for each in found.values():
        try:
            with exclusive(each):
                return ktap.Parser(tree.ensure(each).path)
        except NotOffered as missing:
            if each is settings:
                raise
            refusals.append(missing)
        except Failure as failure:
            refusals.append(failure)
    raise refusals[0]


def report(settings, suite, parser, folder, text, seconds):
    """Keeps a suite's document, and says what came of it; its counts, and what failed."""
    (folder / f"{suite.name}.ktap").write_text(text)
    counts, failed, skips = parser.parse(text)
    say(f"{suite.name}: {counts} ({seconds:.0f} s)")
    for line in text.splitlines():
        if line.startswith("# a guest was lost: "):
            say("  " + line.removeprefix("# "))
    for name, reason in skips.items():
        say(f"  skipped: {name}: {reason}")
    for name in failed:
        say(f"  failed: {name}")
    if failed:
        explain(settings, suite, folder)
    return counts, failed


def again(failures, most=40):
    """What failed, in the last lines: some logs keep only these."""
    for suite, name in failures[:most]:
        say(f"failed: {suite}: {name}")
    if len(failures) > most:
        say(f"failed: {len(failures) - most} more")


def explain(settings, suite, folder):
    """The diagnostics before each result that is not ok, and where to look."""
    lines = (folder / f"{suite.name}.ktap").read_text().splitlines()
    shown = 0
    for index, line in enumerate(lines):
        if line.lstrip().startswith("not ok") and shown < 200:
            first = index
            while first and lines[first - 1].lstrip().startswith("#") and index - first < 45:
                first -= 1
            for text in lines[first:index + 1]:
                say("  | " + text)
                shown += 1
    say(f"  results: {settings.relative(folder / suite.name)}.ktap")
    if suite.log:
        say(f"  kernel log: {settings.relative(suite.log)}")
