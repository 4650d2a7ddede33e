# SPDX-License-Identifier: GPL-2.0-only
"""The options of the modules: what Kconfig beside this has as defaults, or a .config that
was made from it."""

import pathlib
import re

from build import kconfig

FILE = pathlib.Path(__file__).parent / "Kconfig"


def defaults(text):
    """{option: value} of a Kconfig of nothing but bools, each with a default."""
    names = re.findall(r"^config (\w+)\n\tbool .*\n(?:\t(?!default).*\n)*\tdefault ([yn])$",
                       text, re.M)
    return {f"CONFIG_{name}": value for name, value in names}


def chosen(config=""):
    """The options, with the values that a .config gives them. In one that has some, those
    that it does not have depend on others that are off."""
    found = defaults(FILE.read_text())
    have = {name: value for name, value in kconfig.parse(config).items() if name in found}
    return {name: have.get(name, "n") for name in found} if have else found


def of(settings):
    """Those that `make menuconfig` wrote, if it did."""
    file = settings.top / ".config"
    return chosen(file.read_text() if file.exists() else "")


def text(found):
    """For the package's configure."""
    return "".join(f"{name}={value}\n" for name, value in found.items())
