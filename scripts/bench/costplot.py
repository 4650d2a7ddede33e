# SPDX-License-Identifier: GPL-2.0-only
"""The plot of `make bench`: instructions a page against the size of the buffer,
a line for each way to the address list. gnuplot draws it."""

import subprocess

from common.ui import Failure

PANELS = (("scattered", "scattered pages of 4 KiB"), ("hugetlb2m", "huge pages of 2 MiB"))
WAYS = (  # whose figures, which, and how the line looks: colour, dash, point
    ("peer", "pagemap", "/proc/self/pagemap, one read", "#7f7f7f", 1, 4),
    ("peer", "page", "Linux {peer}, a call for each page", "#d62728", 1, 6),
    ("peer", "run", "Linux {peer}, a call for each run", "#d62728", 2, 8),
    ("ours", "page", "this series, a call for each page", "#1f77b4", 1, 6),
    ("ours", "run", "this series, a call for each run", "#1f77b4", 2, 8),
    ("ours", "extents", "this series, extents in one call", "#2ca02c", 1, 7),
)
HEAD = """\
set terminal svg size 1000,560 font "sans-serif,13" background "white"
set output "{output}"
set multiplot layout 1,{panels} margins 0.07,0.985,0.34,0.92 spacing 0.07,0
set logscale xy
set xrange [2896:1518500249]
set yrange [{low}:{high}]
set xtics ({tics}) rotate by 35 right
set grid xtics ytics lt 1 lw 0.5 lc rgb "#dddddd"
set xlabel "size of the buffer"
set key at screen 0.5,0.015 center bottom horizontal maxcols 2 width 2
"""


def size_name(size):
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >> shift:
            return f"{size >> shift} {unit}"
    return f"{size} B"


def lines_of(kind, kernels):
    """[(way, [(bytes, instructions a page)])] of the ways that have figures."""
    found = []
    for way in WAYS:
        figures = kernels[way[0]]
        points = [(size, figures.per_page(kind, size, way[1])) for size in figures.sizes(kind)]
        points = [(size, value) for size, value in points if value]
        if points:
            found.append((way, points))
    return found


def script(kernels, peer, output):
    """gnuplot's commands, data included."""
    panels = [(title, lines_of(kind, kernels)) for kind, title in PANELS]
    points = [point for _, lines in panels for _, found in lines for point in found]
    if not points:
        raise Failure("there are no figures to plot")
    sizes = sorted({size for size, _ in points})
    text = HEAD.format(output=output, panels=len(panels),
                       tics=", ".join(f'"{size_name(size)}" {size}' for size in sizes),
                       low=10 ** exponent(min(value for _, value in points)),
                       high=10 ** (exponent(max(value for _, value in points)) + 1))
    for number, (title, lines) in enumerate(panels):
        text += panel(title, lines, peer, number)
    return text + "unset multiplot\n"


def exponent(value):
    power = 0
    while 10 ** power > value:
        power -= 1
    while 10 ** (power + 1) <= value:
        power += 1
    return power


def panel(title, lines, peer, number):
    """The first one has the key and the axis' name for all."""
    text = f'set title "{title}"\n'
    text += 'set ylabel "instructions a page"\n' if not number else 'unset ylabel\nunset key\n'
    plots = []
    for index, ((_, _, name, colour, dash, point), points) in enumerate(lines):
        block = f"$line{number}_{index}"
        text += f"{block} << END\n" + "".join(f"{size} {value}\n" for size, value in points)
        text += "END\n"
        plots.append(f'{block} with linespoints lw 2 lc rgb "{colour}" dt {dash} pt {point} '
                     f'title "{name.format(peer=peer)}"')
    return text + "plot " + ", \\\n     ".join(plots) + "\n"


def draw(kernels, peer, target):
    commands = target.with_suffix(".gnuplot")
    commands.write_text(script(kernels, peer, target.name))
    try:
        done = subprocess.run(["gnuplot", commands.name], cwd=target.parent,
                              capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure("there is no gnuplot (Debian's package gnuplot-nox)")
    if done.returncode:
        raise Failure(f"gnuplot failed: {done.stderr.strip()}")
