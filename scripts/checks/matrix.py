# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the series in the configs of matrixrows.py, one toolchain's rows
after the other in one build folder, so that each compiles what differs.

The compiler gets W=1e: all warnings that the kernel has for good, as errors.
"""

import re
import subprocess

from build import kconfig
from build.kernel import environment, make_objects
from checks import ktap
from checks.matrixrows import DIRECTORIES
from common.ui import Failure, Progress

# Kconfig says so and goes on
KCONFIG_TROUBLE = re.compile(r"^(?:WARNING: unmet direct dependencies.*(?:\n  .*)*|"
                             r".*recursive dependency.*|\S+:\d+:warning: .*)$", re.M)

# Division of 64-bit integers, for which the kernel has functions of its own: an
# object with one of libgcc's compiles and does not link
LIBGCC = re.compile(r"^ +U (__u?(?:div|mod|divmod)di[34]|__aeabi_u?ldivmod)$", re.M)


def options(text):
    """{option: value}, a later one over an earlier one."""
    return {f"CONFIG_{name}": value for name, _, value in
            (word.partition("=") for word in text.split())}


def mismatches(config, wanted, gives):
    """A line for each option of a .config that is not as it should be."""
    have = kconfig.parse(config)
    return [f"{option} is {have.get(option, 'n')}, expected {value}"
            for option, value in {**wanted, **gives}.items() if have.get(option, "n") != value]


def configure(tree, out, env, start, wanted, log, gives=None):
    """Makes a .config; returns what is wrong with it, and for a random one only
    what Kconfig has to say."""
    out.mkdir(parents=True, exist_ok=True)
    fragment = out / "wanted.config"
    fragment.write_text("".join(f"{option}={value}\n" for option, value in wanted.items()))
    command = ["make", f"O={out}", f"KCONFIG_ALLCONFIG={fragment}", start]
    done = subprocess.run(command, cwd=tree, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.write_text(done.stdout)
    if done.returncode:
        raise Failure(f"make {start} failed", log)
    found = [match.group(0) for match in KCONFIG_TROUBLE.finditer(done.stdout)]
    if gives is not None:
        found += mismatches((out / ".config").read_text(), wanted, gives)
    return found


class Matrix:
    """The rows of a toolchain."""

    def __init__(self, settings, toolchain, rows, tree=None):
        self.toolchain, self.rows = toolchain, rows
        self.tree = tree or settings.source
        self.folder = settings.work / "matrix" / toolchain.name
        self.env = {**environment(), **toolchain.variables}

    def run(self):
        """A KTAP document with a result for each row."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return ktap.document([(f"{self.toolchain.name}: {row.name}", self.result(row))
                              for row in self.rows])

    def result(self, row):
        """What is wrong with a row; or ''."""
        try:
            return "\n".join(self.problems(row))
        except Failure as failure:
            return failure.report()

    def problems(self, row):
        # A linked kernel is compiled without W=1, and often with modules
        out = self.folder / ("build" if row.goals == DIRECTORIES else "linked")
        log = self.folder / (re.sub(r"\W+", "-", row.name) + ".log")
        wanted = {**options(self.toolchain.options), **options(row.options)}
        found = configure(self.tree, out, self.env, row.start, wanted, log,
                          options(row.gives))
        if found:
            return found
        progress = Progress(f"{self.toolchain.name}: {row.name}")
        strict = ["W=1e"] if row.goals == DIRECTORIES else []
        make_objects(self.tree, self.env, log, progress, [f"O={out}", *strict, *row.goals])
        progress.clear()
        return self.divisions(out)

    def divisions(self, out):
        _, nm = self.toolchain.tools
        return [f"{path.relative_to(out)}: needs {', '.join(sorted(names))} of libgcc"
                for folder in DIRECTORIES for path in sorted((out / folder).rglob("*.o"))
                if (names := set(LIBGCC.findall(undefined(nm, path))))]


def undefined(nm, path):
    done = subprocess.run([nm, "-u", str(path)], capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{nm} does not read {path}: {done.stderr.strip()}")
    return done.stdout
