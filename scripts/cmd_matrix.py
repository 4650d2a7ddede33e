# SPDX-License-Identifier: GPL-2.0-only
"""make matrix: the series in many kernel configs, by several compilers, for
several architectures."""

import tree
from suite import Suite
from cmd_check import run_all
from lock import exclusive
from matrix import Matrix
from matrixrows import ROWS
from randconfig import RandomConfigs
from symsizes import Sizes
from toolchains import TOOLCHAINS
from ui import Failure


def main(settings):
    with exclusive(settings):
        tree.ensure(settings)
        return run_all(settings, "matrix-results", chosen(suites(settings), settings.args))


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
