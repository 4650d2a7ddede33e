# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own kconfig, built of a made tree, for the Kconfig at the top."""

import os
import subprocess

from base import bases
from build.kernel import make
from common.lock import exclusive, shared
from common.ui import Failure
from series import tree

TARGETS = {"mconf": "build_menuconfig", "conf": "build_config"}


def run(settings, name, *options):
    """Lets one of its programs write .config."""
    program = built(having_tree(settings), name)
    folder = settings.build / "kconfig"
    folder.mkdir(exist_ok=True)
    done = call([program, *options], settings.top, settings.top / ".config", folder)
    if done.returncode:
        raise Failure(f"{name} ended with status {done.returncode}")


def call(command, top, config, folder, **more):
    """The program also writes headers, as for a kernel, to where it is run."""
    env = {**os.environ, "srctree": str(top), "KCONFIG_CONFIG": str(config)}
    return subprocess.run([*command, "Kconfig"], cwd=folder, env=env, **more)


def having_tree(settings):
    """The settings of a base whose tree is there: kconfig is the same in each."""
    for some in (settings, *map(settings.on, bases.stored(settings.top))):
        if (some.source / "scripts/kconfig/mconf.c").exists():
            return some
    with exclusive(settings):
        tree.ensure(settings)
    return settings


def built(settings, name):
    out = settings.work / "kconfig"
    with shared(settings), exclusive(settings, "kconfig.lock"):
        out.mkdir(exist_ok=True)
        make(settings.source, out, settings.work / "kconfig.log", f"build {name}",
             [TARGETS[name]])
    return out / "scripts/kconfig" / name
