# SPDX-License-Identifier: GPL-2.0-only
"""Kernel config sets: which fragments make one, and whether a made .config has
what they ask for. Options that are not there after all come as one error, not
as a kernel that lacks something."""

import dataclasses
import pathlib
import re

from common.ui import Failure

LINE = re.compile(r"(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set")


@dataclasses.dataclass
class ConfigSet:
    name: str
    objects: int      # roughly; what a build from scratch makes
    fragments: list   # paths
    base: str = ""    # the set whose objects the build starts from


def load(folder, name, base=""):
    """The set of that name, with the fragment of the base, if there is one, over all
    others."""
    sets = all_of(folder)
    more = [file for file in [folder / f"{base}.config"] if file.exists()]
    if name not in sets:
        raise Failure(f"CONFIG={name}: no such set; there are {', '.join(sets)}")
    return dataclasses.replace(sets[name], fragments=sets[name].fragments + more)


def names(folder):
    return list(all_of(folder))


def all_of(folder):
    """{name: set} of configs/sets."""
    sets = {}
    for line in (folder / "sets").read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        fragments = [folder / word for word in words[2:]]
        if words[1].isdigit():
            sets[words[0]] = ConfigSet(words[0], int(words[1]), fragments)
        else:
            base = sets[words[1]]
            sets[words[0]] = ConfigSet(words[0], base.objects, base.fragments + fragments,
                                       base.name)
    return sets


def parse(text):
    """{option: value}; an option that is off has the value n."""
    found = {}
    for match in map(LINE.match, text.splitlines()):
        if match:
            found[match[1] or match[3]] = match[2] if match[1] else "n"
    return found


def wanted(fragments):
    """{option: (value, fragment)} where a later fragment wins."""
    return {option: (value, pathlib.Path(fragment).name) for fragment in fragments
            for option, value in parse(pathlib.Path(fragment).read_text()).items()}


def lacking(folder, base):
    """The options that a base does not have, of those that fragments ask for:
    configs/<base>.lacking, if there is one."""
    file = folder / f"{base}.lacking"
    return set(re.findall(r"^CONFIG_\w+", file.read_text(), re.M)) if file.exists() else set()


def unmet(fragments, config, known, absent=frozenset()):
    """A line for each option that did not come out as asked for, or that is
    `absent` and there after all; `known` tells whether the tree has an option of
    that name."""
    have = parse(config)
    lines = [f"{option} is listed as lacking, but this tree has it"
             for option in sorted(absent) if known(option)]
    for option, (value, fragment) in wanted(fragments).items():
        if have.get(option, "n") == value or option in absent:
            continue
        if not known(option):
            reason = "which this tree does not have"
        elif option in have:
            reason = f"but it came out as {have[option]}"
        else:
            reason = "but something that it depends on is off"
        lines.append(f"{fragment} asks for {option}={value}, {reason}")
    return lines


def options_of(tree):
    """Every option that the tree's Kconfig files define."""
    found = set()
    for path in pathlib.Path(tree).rglob("Kconfig*"):
        if path.is_file():
            found.update(re.findall(r"^\s*(?:menu)?config (\w+)",
                                    path.read_text(errors="replace"), re.M))
    return found
