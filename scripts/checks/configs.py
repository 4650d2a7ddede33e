# SPDX-License-Identifier: GPL-2.0-only
"""That config sets come out as their fragments ask, for a base of which only BUILT is built:
a fragment serves all bases, and what one of them lacks shows when the set is made. Those that
differ from another set by a few options are left out, each takes seconds."""

import shutil

from build import kconfig
from build.kernel import Kernel
from checks import ktap
from checks.suite import Suite
from common.lock import exclusive, shared
from common.ui import Failure
from series import tree


BUILT = "run"


class Config(Kernel):
    """A set's config, and nothing that is built with it. All are made in one folder, one
    after the other, since the program that makes them is built there."""

    def __init__(self, settings, name, options):
        super().__init__(settings, name)
        self.out = settings.work / "configs"
        self._options = options   # of the tree, for which all of its Kconfig files are read

    def log(self, step):
        return self.out / f"{self.set.name}-{step}.log"

    def problem(self):
        try:
            self.configure()
        except Failure as failure:
            return failure.report()
        return ""


def suite(settings):
    name = f"configs-{settings.base}"

    def run():
        with exclusive(settings):
            tree.ensure(settings)
        with shared(settings), exclusive(settings, "configs.lock"):
            options = kconfig.options_of(settings.source)
            sets = [Config(settings, each.name, options)
                    for each in kconfig.all_of(settings.top / "configs").values()
                    if not each.base and each.name != BUILT]
            made = [each for each in sets if shutil.which(f"{each.arch.cross}gcc")]
            return ktap.document([(each.set.name, each.problem()) for each in made],
                                 [(each.set.name, f"there is no {each.arch.cross}gcc")
                                  for each in sets if each not in made])
    return Suite(name, run)
