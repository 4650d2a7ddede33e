# SPDX-License-Identifier: GPL-2.0-only
"""The table of `make bench`: what a driver in userspace pays for an address, in
instructions, by three ways side by side, and what it may pay at most."""

import dataclasses

SCATTERED = ("scattered", 16 << 20)
HUGETLB = ("hugetlb2m", 64 << 20)
HEADER = ("instructions", "pagemap + mlock", "Linux {peer}", "this series", "budget",
          "to pagemap", "to {peer}")


@dataclasses.dataclass
class Row:
    name: str
    pagemap: float | None
    peer: float | None
    ours: float | None
    budget: float | None = None   # that ours must not exceed
    note: str = ""                # what the peer's figure stands for

    def over(self):
        """Figures count as they are shown."""
        if self.budget is None:
            return False
        return self.ours is None or shown(self.ours) > shown(self.budget)

    def cells(self):
        peer = text(self.peer)
        return (self.name, text(self.pagemap), f"{self.note}{peer}" if self.peer else peer,
                text(self.ours) + (" **over budget**" if self.over() else ""),
                "" if self.budget is None else f"≤ {text(self.budget)}",
                ratio(self.pagemap, self.ours), ratio(self.peer, self.ours))


def shown(value):
    return round(value) if value >= 10 else round(value, 2)


def text(value):
    if value is None:
        return "–"
    return f"{shown(value):,}" if value >= 10 else f"{shown(value):g}"


def ratio(theirs, ours):
    """How many times as much theirs is."""
    if theirs is None or not ours:
        return ""
    times = theirs / ours
    if times < 1:
        return f"{times:.2g}×"
    return f"{times:,.0f}×" if times >= 10 else f"{times:.1f}×"


def rows(ours, peer, leeway=1):
    """Of two kernels' Figures, with so many times the budgets. What concerns pagemap
    is the peer's."""
    found = [*list_rows(ours, peer), *call_rows(ours, peer), *mapping_rows(ours, peer),
             *other_rows(ours, peer)]
    return [dataclasses.replace(row, budget=row.budget and row.budget * leeway)
            for row in found]


def list_rows(ours, peer):
    """The cheapest way each: the peer has no bulk call, and may be asked for one
    page a call or for all that is left."""
    ways = ("extents", "run", "page")
    found = [Row(f"address list, {name}, a page", peer.per_page(*memory, "pagemap"),
                peer.least_per_page(*memory, *ways), ours.least_per_page(*memory, *ways),
                budget, note)
            for name, memory, budget, note in (
                ("scattered", SCATTERED, 40, "one ioctl a page: "),
                ("hugetlb", HUGETLB, 1, ""))]
    return found + [Row("the same as the device sees it, scattered, a page",
                        peer.per_page(*SCATTERED, "pagemap"), None,
                        ours.per_page(*SCATTERED, "device"), 40)]


def call_rows(ours, peer):
    piece = peer.per_page(*SCATTERED, "run")
    return [Row("one page, one call", peer.get("call/pagemap"), peer.get("call/get_pa"),
                ours.get("call/get_pa"), 750),
            *(Row(f"the same, by the library's table, {name}", peer.get("call/pagemap"),
                  peer.get("call/get_pa"), ours.get(f"lookup/{kind}"), 20)
              for name, (kind, _) in (("scattered", SCATTERED), ("hugetlb", HUGETLB))),
            Row("one contiguous piece a call, scattered, a page", None, piece,
                ours.per_page(*SCATTERED, "run"), piece),
            Row("an ioctl that is refused", None, peer.get("call/refused"),
                ours.get("call/refused"))]


def mapping_rows(ours, peer):
    """mlock() stands beside mapping, though it does not pin."""
    found = []
    for what, lock, budgets in (("unmap", "munlock", (1, 250)), ("map", "mlock", None)):
        for index, (name, memory) in enumerate((("hugetlb", HUGETLB), ("scattered", SCATTERED))):
            theirs = peer.per_page(*memory, what)
            found.append(Row(f"{what}, {name}, a page", peer.per_page(*memory, lock), theirs,
                             ours.per_page(*memory, what),
                             budgets[index] if budgets else theirs))
    return found


def other_rows(ours, peer):
    found = [Row(f"open to first DMA started, {name}", None,
                 *(figures.get(f"first_dma/{key}/started") for figures in (peer, ours)))
             for name, key in (("the first time", "cold"), ("once more", "warm"))]
    largest = max(ours.sizes("scattered"), default=0)
    found += [Row(f"bytes of page tables a GiB, {name}", None,
                  *(figures.per_gib(kind, largest, "page_tables") for figures in (peer, ours)))
              for name, kind in (("hugetlb", "hugetlb2m"), ("scattered", "scattered"))]
    return found


def text_rows(ours, peer):
    """Of the two kernels' {what: bytes of machine code}."""
    return [Row(f"bytes of kernel text, {what}", None, peer.get(what), ours[what])
            for what in ours]


def trace_rows(ours, untraced):
    """What trace events cost that are off, beside a kernel without any."""
    return [(name, text(without), text(off)) for name, without, off in (
        ("address list, scattered, a page",
         *(figures.per_page(*SCATTERED, "extents") for figures in (untraced, ours))),
        ("one page, one call", untraced.get("call/get_pa"), ours.get("call/get_pa")))]


def trace_table(found):
    return markdown(["instructions", "kernel without tracing", "trace events off"], found)


def ours(figures, peer, sizes):
    """{row: figure} of this series on some base."""
    return {row.name: row.ours for row in rows(figures, peer) + text_rows(sizes, {})}


def bases_table(columns):
    """Of {version: {row: figure}}."""
    names = next(iter(columns.values()))
    return markdown(["instructions", *(f"Linux {version}" for version in columns)],
                    [(name, *(text(column.get(name)) for column in columns.values()))
                     for name in names])


PARALLEL = {"1/1/1": "1 thread, 1 processor", "2/1/1": "2 threads, 1 processor",
            "2/2/1": "2 threads, 2 processors", "2/2/2": "2 threads, 2 processors, 2 IOASs"}


def parallel_rows(ours, peer):
    return [Row(name, None, *(figures.get(f"parallel/{key}") for figures in (peer, ours)))
            for key, name in PARALLEL.items()]


def markdown(header, lines):
    """A table, its columns in line."""
    lines = [header, *lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    def row(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([row(lines[0]), rule, *map(row, lines[1:])]) + "\n"


def table(found, peer):
    return markdown([word.format(peer=peer) for word in HEADER], [row.cells() for row in found])


def parallel_table(found, peer):
    """More is better here."""
    return markdown(["lookups a second", f"Linux {peer}", "this series", f"to {peer}"],
                    [(row.name, text(row.peer), text(row.ours), ratio(row.ours, row.peer))
                     for row in found])
