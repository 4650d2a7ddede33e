# SPDX-License-Identifier: GPL-2.0-only
"""What the bench program printed: a figure a line, its name and a number or
`none`. Names are like scattered/16777216/map: kind of memory, bytes, what."""

import re

LINE = re.compile(r"([\w/]+) (\d+|none)")
PAGE = 4096


def parse(output):
    """({name: number or None}, other lines)."""
    found, other = {}, []
    for line in output.replace("\r", "").splitlines():
        match = LINE.fullmatch(line)
        if match:
            found[match[1]] = None if match[2] == "none" else int(match[2])
        elif line.strip():
            other.append(line)
    return found, other


def differences(first, second):
    """The names whose numbers are not the same in two runs."""
    return sorted(name for name in first.keys() | second.keys()
                  if first.get(name, "") != second.get(name, ""))


def say_same(first, second):
    """The sentence about two runs."""
    names = differences(first, second)
    if not names:
        return f"two runs give the same figures, all {len(first)}"
    shown = ", ".join(f"{name} ({first.get(name)} and {second.get(name)})" for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"two runs differ in {len(names)} of {len(first)} figures: {shown}{more}"


class Figures:
    """The figures of a kernel."""

    def __init__(self, values):
        self.values = values

    def get(self, name):
        return self.values.get(name)

    def per_page(self, kind, size, what):
        value = self.get(f"{kind}/{size}/{what}")
        return None if value is None else value / (size // PAGE)

    def least_per_page(self, kind, size, *ways):
        """Of the ways that the kernel has, the cheapest; None if it has none."""
        found = [self.per_page(kind, size, way) for way in ways]
        return min((value for value in found if value is not None), default=None)

    def per_gib(self, kind, size, what):
        value = self.get(f"{kind}/{size}/{what}")
        return None if value is None else value * (1 << 30) // size

    def sizes(self, kind):
        return sorted({int(match[1]) for match in (re.match(rf"{kind}/(\d+)/", name)
                                                   for name in self.values) if match})
