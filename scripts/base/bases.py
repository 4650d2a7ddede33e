# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that a series may be for: where Debian has the source of each, and
which of the tests have nothing to test there."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Base:
    archive: tuple      # the suites of Debian's archive that have linux-source
    without: dict = dataclasses.field(default_factory=dict)  # test of the series: why
    brief: tuple = ("disk-run", "noiommu-run", "library-run")  # suites, when another base is tested
    knows_get_pa: bool = False  # has the ioctl itself, and programs that use it
    not_for_x86: tuple = ()  # folders that it can compile, but make lint cannot
    leeway: float = 1   # how many times the budgets of make bench it may cost


# The first is the default. Where Debian no longer has it, the next one is.
BASES = {
    "v7.2": Base(("sid", "forky", "trixie-backports")),
    "v7.3": Base(("sid", "forky", "trixie-backports"), knows_get_pa=True, without={
        "absent": "without the feature 7.3 knows the ioctl, and 7.2 does not",
    }),
    "v6.12": Base(("trixie", "bookworm-backports"), leeway=1.5,
                  not_for_x86=("drivers/vfio/cdx/",), without={
        "iommufd_noiommu_file": "it maps files, which iommufd of 6.12 cannot",
        "heap": "it maps files, which iommufd of 6.12 cannot",
    }),
}
DEFAULT = next(iter(BASES))


def of(name):
    """A base of no entry is looked for wherever there are newer kernels."""
    return BASES.get(name) or Base(("sid", "forky", "trixie-backports"))


def stored(top):
    """Those that there is a series for."""
    return in_order({file.parent.name for file in pathlib.Path(top).glob("patches/*/series")})


def in_order(names):
    """Those that have an entry as they stand there, then the others, the newest
    first."""
    def rank(name):
        numbers = [-int(number) for number in name.removeprefix("v").split(".")]
        return (list(BASES).index(name), []) if name in BASES else (len(BASES), numbers)
    return sorted(names, key=rank)
