#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the unit tests of all rooms and prints the results as KTAP."""

import pathlib
import sys
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]


class KtapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0

    def print(self, test, ok, notes="", skip=""):
        self.number += 1
        for line in notes.splitlines():
            print(f"# {line}")
        name = test.id().replace("#", "")
        print(f"{'ok' if ok else 'not ok'} {self.number} {name}{skip}", flush=True)

    def addSuccess(self, test):
        self.print(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.print(test, False, self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self.print(test, False, self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        self.print(test, True, skip=f" # SKIP {reason}")


def main():
    sys.path[0] = str(SCRIPTS)
    suite = unittest.defaultTestLoader.discover(str(SCRIPTS))
    print(f"KTAP version 1\n1..{suite.countTestCases()}", flush=True)
    result = KtapResult()
    suite.run(result)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
