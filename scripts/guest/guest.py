# SPDX-License-Identifier: GPL-2.0-only
"""A job in a guest: kernel, initramfs, disk and machine put together."""

import tempfile
import pathlib

from build import foreign
from common.ui import Failure
from guest import accel, devicetree, disk, initramfs, machine, vm

LIMIT = 600  # seconds, for a program that the user gave


def run(settings, kernel, job, name, limit=LIMIT, memory=2048, output=None,
        interactive=False, shape="plain", counting=False, append="", trace="", cpus=2):
    """Runs a job on a built kernel; returns the vm.Result. With `counting`, time
    in the guest is the number of instructions. `trace` is a file for them, which
    the program can ask for (vm.Requests)."""
    with tempfile.TemporaryDirectory(dir=settings.work, prefix="guest.") as scratch:
        make_machine = maker(settings, kernel, pathlib.Path(scratch), memory=memory,
                             cpus=1 if counting else cpus, append=append, shape=shape, trace=trace)
        chosen = choose(settings, kernel, counting, make_machine)
        return vm.run(make_machine(chosen, job), name, settings.work, limit, output,
                      interactive)


def choose(settings, kernel, counting, make_machine):
    """The accelerator. KVM is for guests of this machine's architecture, and
    only for that is it worth a trial."""
    if counting:
        return "icount"
    return "tcg" if kernel.arch.debian else accel.choose(settings, make_machine)


def maker(settings, kernel, scratch, **hardware):
    """What makes the machine of an accelerator and a job."""
    image = disk.make(settings.build / "disk.img")
    shape = machine.SHAPES[hardware.get("shape", "plain")]
    if shape.devicetree and not kernel.arch.debian:
        raise Failure(f"MACHINE={hardware['shape']} takes a kernel for arm64: CONFIG=arm64")

    def make_machine(which, job):
        archive = initramfs.make(kernel.tree, kernel.out, job, scratch,
                                 foreign.busybox(settings, kernel.arch))
        made = machine.Machine(which, kernel.image, archive, image, arch=kernel.arch, **hardware)
        if shape.devicetree:
            made.devicetree = devicetree.make(kernel, shape.devicetree, made, scratch)
        return made
    return make_machine


def require_sound(result):
    """An error with the kernel's own words unless the guest ran to its end."""
    trouble = result.trouble()
    if trouble:
        raise Failure(trouble, result.log, tail=0 if "  | " in trouble else 25)
