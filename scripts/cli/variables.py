# SPDX-License-Identifier: GPL-2.0-only
"""The variables of the command line, made into settings."""

import os
import re

from base import bases
from common.settings import Settings, TOP
from common.ui import Failure
from guest import machine

ACCELERATORS = ("auto", "kvm", "tcg")


def from_environment(env=os.environ):
    base = "v" + env["BASE"].lstrip("v") if env.get("BASE") else bases.DEFAULT
    named = re.fullmatch(r"(v\d+\.\d+)(\.\d+)?", base)
    if not named:
        raise Failure(f"BASE={env['BASE']}: not a kernel version like {bases.DEFAULT[1:]} or "
                      f"{bases.DEFAULT[1:]}.1")
    base, exact = named[1], base[1:] if named[2] else ""
    if exact and env.get("LINUX"):
        raise Failure(f"BASE={env['BASE']}: with LINUX= the version is the tree's; "
                      f"BASE={base[1:]} is enough")
    accel = env.get("ACCEL") or "auto"
    if accel not in ACCELERATORS:
        raise Failure(f"ACCEL={accel}: one of {', '.join(ACCELERATORS)}")
    shape = env.get("MACHINE") or "plain"
    if shape not in machine.SHAPES:
        raise Failure(f"MACHINE={shape}: one of {', '.join(machine.SHAPES)}")
    timeout = env.get("TIMEOUT") or "0"
    if not timeout.isdigit():
        raise Failure(f"TIMEOUT={timeout}: not a number of seconds")
    return Settings(base=base, exact=exact, config=env.get("CONFIG", ""), accel=accel,
                    linux=env.get("LINUX", ""), run=env.get("RUN", ""),
                    args=env.get("ARGS", ""), machine=shape, timeout=int(timeout),
                    tree=env.get("TREE", ""), to=env.get("TO", ""),
                    config_from=env.get("CONFIG_FROM", ""),
                    kdir=env.get("KDIR", ""), install=env.get("INSTALL_MOD_PATH", ""),
                    chosen=bool(env.get("BASE")),
                    fallbacks=() if env.get("BASE") else others(base))


def others(base):
    return tuple(name for name in bases.stored(TOP) if name != base)
