# SPDX-License-Identifier: GPL-2.0-only
"""The settings in .config, which `make menuconfig` writes: what the command line does not
say is taken from there."""

from base import bases
from build import kconfig
from cli.variables import ACCELERATORS
from common.settings import Settings, TOP
from common.ui import Failure
from guest import machine

# Variables of the command line, and the options of the Kconfig at the top
OPTIONS = {"BASE": "CONFIG_BASE", "CONFIG": "CONFIG_SET", "MACHINE": "CONFIG_MACHINE",
           "ACCEL": "CONFIG_ACCEL"}
USUAL = {"MACHINE": Settings.machine, "ACCEL": Settings.accel}


def allowed(top=TOP):
    """{variable: its values}."""
    return {"BASE": [base[1:] for base in bases.stored(top)],
            "CONFIG": kconfig.names(top / "configs"),
            "MACHINE": list(machine.SHAPES), "ACCEL": list(ACCELERATORS)}


def read(file):
    """{variable: value} of those that are chosen."""
    try:
        found = kconfig.parse(file.read_text())
    except FileNotFoundError:
        return {}
    values = {name: found.get(option, "").strip('"') for name, option in OPTIONS.items()}
    return {name: value for name, value in values.items() if value}


def not_said(env, top=TOP):
    """{variable: value} of what the environment, and so the command line, leaves open."""
    found = {name: value for name, value in read(top / ".config").items() if not env.get(name)}
    for name, values in allowed(top).items():
        if found.get(name, values[0]) not in values:
            raise Failure(f".config says {OPTIONS[name]}=\"{found[name]}\", and there are "
                          f"{', '.join(values)}: choose by `make menuconfig`, or by {name}= here "
                          "and now")
    return found


def words(found):
    """What is not as it would be without the file."""
    return " ".join(f"{name}={value}" for name, value in found.items()
                    if value != USUAL.get(name))
