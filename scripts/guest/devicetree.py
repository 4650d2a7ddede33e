# SPDX-License-Identifier: GPL-2.0-only
"""The devicetree of a guest, where it is not the one that QEMU makes: one of trees/, one
of the kernel's, or changes to QEMU's own, which are an overlay in trees/."""

import pathlib
import subprocess

from common.ui import Failure

TREES = pathlib.Path(__file__).parent / "trees"


def make(kernel, name, machine, folder):
    """The devicetree of that name for a machine, made in the folder of a run."""
    target = folder / "devicetree.dtb"
    if name.endswith(".dts"):
        compile_source(kernel, TREES / name, target)
    elif name.endswith(".dtso"):
        changes, base = folder / "changes.dtbo", folder / "base.dtb"
        compile_source(kernel, TREES / name, changes)
        run(machine.bare(f"dumpdtb={base}"))
        run([tool(kernel, "fdtoverlay"), "-i", base, "-o", target, changes])
    else:
        kernel.make("devicetree", f"build {name}", 0, name)
        return kernel.out / "arch" / kernel.arch.name / "boot/dts" / name
    return target


def tool(kernel, name):
    """One that the kernel's build has made."""
    return kernel.out / "scripts/dtc" / name


def compile_source(kernel, source, target):
    """A warning is an error: the compiler has good reasons for it."""
    said = run([tool(kernel, "dtc"), "-I", "dts", "-O", "dtb", "-o", target, source])
    if said:
        raise Failure(f"{source.name} does not compile cleanly:\n{said}")


def run(command):
    """Runs it; what it says."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=60)
    if done.returncode:
        raise Failure(f"{pathlib.Path(command[0]).name} failed: {done.stderr.strip()}")
    return done.stderr.strip()
