# SPDX-License-Identifier: GPL-2.0-only
"""make matrix: the series in many kernel configs, by several compilers, for
several architectures."""

import shutil

from build.toolchains import TOOLCHAINS
from checks import ktap
from checks.matrix import Matrix
from checks.matrixrows import ROWS
from checks.randconfig import RandomConfigs
from checks.suite import Suite
from checks.symsizes import Sizes
from cli.cmd_check import run_all
from common.lock import exclusive, shared
from common.ui import Failure
from series import tree


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
