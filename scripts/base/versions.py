# SPDX-License-Identifier: GPL-2.0-only
"""Versions of a base, like 6.12.117, in order, and the range of them that a series
is known to be good for."""

import re


def of_makefile(text):
    """The version that a kernel's Makefile names, or ''."""
    numbers = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL)\s*=\s*(\d+)", text, re.M))
    return ".".join(numbers.values()) if len(numbers) == 3 else ""


def key(version):
    """Sorts versions, of Debian's packages too: 6.12.95-1~bpo12+1."""
    return [int(number) for number in version.partition("-")[0].split(".")]


def upstream(version):
    """The kernel's version of a package's."""
    return version.partition("-")[0]


def within(version, known):
    """Whether it is in a range of (first, last)."""
    return not known or key(known[0]) <= key(version) <= key(known[1])


def words(known):
    """A range as a text."""
    return "Linux " + " to ".join(dict.fromkeys(known)) if known else "no version in particular"
