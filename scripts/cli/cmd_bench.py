# SPDX-License-Identifier: GPL-2.0-only
"""make bench: what an address costs, beside Linux 7.3 and pagemap, and on each
base."""

import datetime
import json
import platform

from base import bases, source
from base.aptsource import NotOffered
from bench import bench, callprofile, costplot, costtable, figures, textsize
from bench.program import compiled
from build.kernel import Kernel
from common.ui import say

PEER = "v7.3"


def main(settings):
    bench.require_memory()
    kernels = {"ours": Kernel(settings, "run").build(),
               "peer": Kernel(settings.without_series(PEER), "run").build(),
               **on_other_bases(settings)}
    program = compiled(kernels["ours"])
    untraced = Kernel(settings, "untraced").build()
    folder = settings.build / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    results = {which: measure(settings, which, kernel, program)
               for which, kernel in kernels.items()}
    results["ours"]["profile"] = callprofile.measure(settings, kernels["ours"], program,
                                                     "bench-profile")
    for result in results.values():
        keep(folder / f"{result['name']}.json", result)
    without = bench.count_small(settings, untraced, program, "bench-untraced")
    return report(settings, folder, results, without)


def on_other_bases(settings):
    """{base: kernel}, without those that Debian does not have."""
    kernels = {}
    for base in bases.stored(settings.top):
        if base != settings.base and not settings.chosen:
            try:
                kernels[base] = Kernel(settings.on(base), "run").build()
            except NotOffered as missing:
                say(f"not measured: {missing.cause}")
    return kernels


def measure(settings, which, kernel, program):
    """All that there is to know of a kernel."""
    name = f"bench-{kernel.settings.work.name}"
    counted = bench.count(settings, kernel, program, name)
    say(f"{name}: " + figures.say_same(counted.first, counted.second))
    return {"name": kernel.settings.work.name, "which": which,
            "version": source.check_version(kernel.tree, kernel.settings.version),
            "instructions": counted.first,
            "differences": figures.differences(counted.first, counted.second),
            "same": figures.say_same(counted.first, counted.second),
            "lookups a second": bench.parallel(settings, kernel, program, f"{name}-parallel"),
            "text": textsize.measure(kernel)}


def report(settings, folder, results, without):
    """Table, plot and files; the exit status."""
    ours, peer = results["ours"], results["peer"]
    counts = {which: figures.Figures(result["instructions"])
              for which, result in results.items()}
    rows = costtable.rows(counts["ours"], counts["peer"], bases.of(settings.base).leeway)
    rows += costtable.text_rows(ours["text"], peer["text"])
    parallel = costtable.parallel_rows(*(figures.Figures(result["lookups a second"])
                                         for result in (ours, peer)))
    traced = costtable.trace_rows(counts["ours"], figures.Figures(without))
    text = page(settings, results, rows, parallel, traced) + side_by_side(results, counts)
    keep(folder / "bench.json", {"date": today(), "kernels": results,
                                 "rows": [vars(row) for row in rows],
                                 "without tracing": without,
                                 "lookups a second": [vars(row) for row in parallel]})
    (folder / "results.md").write_text(text)
    costplot.draw(counts, peer["version"], folder / "cost.svg")
    say("\n" + text)
    say(f"results: {settings.relative(folder)}: results.md, cost.svg, *.json")
    over = [row.name for row in rows if row.over()]
    if over:
        say(f"FAILED: over budget: {'; '.join(over)}")
        return 1
    say("ok: within all budgets")
    return 0


def side_by_side(results, counts):
    """This series on each base, if there is more than one."""
    columns = {result["version"]: costtable.ours(counts[which], counts["peer"], result["text"])
               for which, result in results.items() if which != "peer"}
    if len(columns) == 1:
        return ""
    same = "\n".join(f"- {result['version']}: {result['same']}." for which, result
                     in results.items() if which not in ("ours", "peer"))
    return f"\nThis series on each base:\n\n{costtable.bases_table(columns)}\n{same}\n"


def page(settings, results, rows, parallel, traced):
    """What is printed, and kept as results.md."""
    ours, peer = results["ours"], results["peer"]
    same = "\n".join(f"- {name}: {result['same']}." for name, result in (
        (f"this series on {ours['version']}", ours), (f"Linux {peer['version']}", peer)))
    return f"""\
Measured {today()}: this series on Linux {ours['version']}, beside Linux {peer['version']}, in QEMU
with `-icount shift=0`, where a nanosecond is an instruction of the guest.
Scattered is a buffer of 16 MiB in which at most one run in a hundred is longer
than a page, hugetlb is one of 64 MiB in huge pages of 2 MiB.

{costtable.table(rows, peer['version'])}
{same}

Single lookups on one buffer by the clock, not in instructions ({settings.accel}, two
processors of {platform.machine()}): more is better.

{costtable.parallel_table(parallel, peer['version'])}
What trace events cost while they are off, of the whole kernel:

{costtable.trace_table(traced)}
Where the instructions of a call for one page go on this series, by function of
the kernel:

{callprofile.table(ours['profile'])}"""


def today():
    return datetime.date.today().isoformat()


def keep(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")
