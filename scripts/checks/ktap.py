# SPDX-License-Identifier: GPL-2.0-only
"""Test results as KTAP: put together here, counted by the kernel tree's own
parser (tools/testing/kunit/kunit_parser.py)."""

import dataclasses
import importlib
import io
import re
import sys

HEADER = re.compile(r"^(?:K?TAP) version \d+\s*$", re.M)
PLAN = re.compile(r"^1\.\.\d+", re.M)
SKIPPED = re.compile(r"^\s*(?:not )?ok \d+ (?:- )?(.*?) # SKIP ?(.*)$", re.M)


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Counts(self.passed + other.passed, self.failed + other.failed,
                      self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def document(results, skipped=()):
    """A document of plain results: [(name, problem or '')], and of what is skipped:
    [(name, reason)]."""
    lines = ["KTAP version 1", f"1..{len(results) + len(skipped)}"]
    for number, (name, problem) in enumerate(results, 1):
        lines += ["# " + line for line in problem.splitlines()]
        lines.append(f"{'not ok' if problem else 'ok'} {number} {clean(name)}")
    for number, (name, reason) in enumerate(skipped, len(results) + 1):
        lines.append(f"ok {number} {clean(name)} # SKIP {clean(reason)}")
    return "\n".join(lines) + "\n"


def skipped(name, reason):
    """A document of a suite that cannot be run here."""
    return document([], [(name, reason)])


def of_program(name, output, status, log_problem):
    """A document of what a test program printed, with two results of ours: that
    it ended as its results say, and that the kernel has nothing to report."""
    name = clean(name)
    problem = program_problem(output, status)
    body = HEADER.sub("", output).strip("\n")
    if not PLAN.search(body):
        body = "1..1\n" + f"{body}\n".lstrip("\n") + "not ok 1 plan"
    return ("KTAP version 1\n1..2\n"
            f"KTAP version 1\n# Subtest: {name}\n{body}\n"
            + "".join(f"# {line}\n" for line in problem.splitlines())
            + f"{'not ok' if problem else 'ok'} 1 {name}\n"
            + "".join(f"# {line}\n" for line in log_problem.splitlines())
            + f"{'not ok' if log_problem else 'ok'} 2 kernel log of {name}\n")


def program_problem(output, status):
    if status is None:
        return "the program did not end"
    if status > 128:
        return f"the program was killed by signal {status - 128}"
    if not PLAN.search(output):
        return f"the program printed no plan, and ended with status {status}"
    if status:
        return f"the program ended with status {status}"
    return ""


class Meter:
    """Shows how far a test program is, from its output as it comes."""

    def __init__(self, progress):
        self.progress = progress
        self.results = 0
        self.rest = b""

    def __call__(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.results += sum(line.startswith((b"ok ", b"not ok ")) for line in lines)
        self.progress.update(f"{self.results} results")


def clean(name):
    """A name that neither ends in a blank nor starts a directive."""
    return re.sub(r"[#\s]+", " ", name).strip()


class Parser:
    """The tree's parser. It is loaded from there, so that what is counted here
    is what the kernel's own tool would count."""

    def __init__(self, tree):
        sys.path.insert(0, f"{tree}/tools/testing/kunit")
        try:
            parser = importlib.import_module("kunit_parser")
            printer = importlib.import_module("kunit_printer")
        finally:
            sys.path.pop(0)
        self.read = quiet(parser, printer)

    def parse(self, text):
        """(Counts, [failed names], {skipped name: reason}) of a document. What
        crashed, is missing or makes no sense counts as failed."""
        test = self.read(text.splitlines())
        counts = test.counts
        failed = counts.failed + counts.crashed
        leaves = list(leaves_of(test))
        names = [leaf.name for leaf in leaves
                 if not leaf.ok_status() and leaf.status.name != "NO_TESTS"]
        # Linux 6.12 does not count what failed although all in it passed
        failed = failed or len(names)
        if counts.errors and not failed:
            failed = counts.errors
            names.append("results that are missing or out of order")
        reasons = dict(SKIPPED.findall(text))
        skips = {leaf.name: reasons.get(leaf.name, "") for leaf in leaves
                 if leaf.status.name == "SKIPPED"}
        return Counts(counts.passed, failed, counts.skipped), names, skips


def quiet(parser, printer):
    """parse_run_tests() of lines, without what it prints meanwhile."""
    if hasattr(printer, "null_printer"):
        return lambda lines: parser.parse_run_tests(lines, printer.null_printer)
    # That of Linux 6.12 has a printer of its own
    parser.stdout = printer.Printer(io.StringIO())
    return parser.parse_run_tests


def leaves_of(test):
    for subtest in test.subtests:
        if subtest.subtests:
            yield from leaves_of(subtest)
            if subtest.status.name == "FAILURE":
                yield subtest
        else:
            yield subtest
