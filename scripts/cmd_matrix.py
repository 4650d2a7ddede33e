# SPDX-License-Identifier: GPL-2.0-only
"""make matrix: the series in many kernel configs, by several compilers, for
several architectures."""

import shutil

import ktap
import tree
from cmd_check import run_all
from lock import exclusive, shared
from matrix import Matrix
from matrixrows import ROWS
from randconfig import RandomConfigs
from suite import Suite
from symsizes import Sizes
from toolchains import TOOLCHAINS
from ui import Failure


def main(settings):
    with exclusive(settings):
        tree.ensure(settings)
    folder = settings.work / "matrix-results"
    shutil.rmtree(folder, ignore_errors=True)
    with shared(settings), exclusive(settings, "matrix.lock"):
        return run_all(settings, chosen(suites(settings), settings.args),
                       ktap.Parser(settings.source), folder)


def suites(settings):
    """What is quick comes first."""
    return [
        Suite("kconfig", RandomConfigs(settings).run),
        Suite("sizes", Sizes(settings).run),
        *(Suite(toolchain.name, Matrix(settings, toolchain, ROWS[toolchain.name]).run)
          for toolchain in TOOLCHAINS),
    ]


def chosen(available, names):
    """Those that ARGS= names, or all."""
    wanted = names.split()
    unknown = set(wanted) - {suite.name for suite in available}
    if unknown:
        raise Failure(f"ARGS='{names}': there is no {', '.join(sorted(unknown))}, only "
                      + ", ".join(suite.name for suite in available))
    return [suite for suite in available if not wanted or suite.name in wanted]
