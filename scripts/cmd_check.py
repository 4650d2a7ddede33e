# SPDX-License-Identifier: GPL-2.0-only
"""make check: the tests; the last line counts them."""

import shutil
import time

import check
import ktap
from kernel import Kernel
from ui import say


def main(settings):
    left = check.long_suites(settings, *[None] * len(check.LONG_KERNELS))
    more = [] if settings.chosen else check.of_other_bases(settings)
    return check_all(settings, "check", check.KERNELS, check.suites, "check-long", left, more)


def check_all(settings, command, names, suites, other, left, more=()):
    """Runs the suites of one of the two commands and some more, and says what is
    left to the other one."""
    kernels = [Kernel(settings, settings.config if name == "debug" and settings.config
                      else name) for name in names]
    chosen, left_out = check.offered(settings, suites(settings, *kernels))
    for kernel in kernels:
        if any(suite.kernel is kernel for suite in chosen):
            kernel.build()
    left, _ = check.offered(settings, left)
    return run_all(settings, command, (*chosen, *more),
                   [*(f"{name}: {reason}" for name, reason in left_out.items()),
                    f"left to make {other}: {', '.join(suite.name for suite in left)}"])


def run_all(settings, command, suites, left=()):
    """Runs suites and counts their results; the exit status."""
    folder = settings.work / command
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    parser = ktap.Parser(settings.source)
    total = ktap.Counts()
    for suite in suites:
        total += run(settings, suite, parser, folder)
    for line in left:
        say(f"not run, {line}")
    say(f"results: {settings.relative(folder)}")
    say(str(total))
    return 1 if total.failed or not total.passed else 0


def run(settings, suite, parser, folder):
    start = time.monotonic()
    counts, failed, skips = check.result_of(suite, parser, folder)
    say(f"{suite.name}: {counts} ({time.monotonic() - start:.0f} s)")
    for name, reason in skips.items():
        say(f"  skipped: {name}: {reason}")
    for name in failed:
        say(f"  failed: {name}")
    if failed:
        explain(settings, suite, folder)
    return counts


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
