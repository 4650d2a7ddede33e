# SPDX-License-Identifier: GPL-2.0-only
"""KVM or TCG: KVM if a guest boots with it. That /dev/kvm can be opened says
little: in some virtual machines it is there and hangs."""

import dataclasses
import json
import os
import threading
import time

from common.ui import Failure, say
from guest import initramfs, vm

TRIAL = 10        # seconds that a boot with KVM gets
CHOICE = threading.Lock()   # of guests that start at the same time
REMEMBER = 3600   # seconds that the answer holds


def choose(settings, make_machine):
    """The accelerator to use, settled once for all guests of a command.
    `make_machine(accel, job)` makes the machine for the trial."""
    with CHOICE:
        if settings.accel == "auto":
            settings.accel = find(settings, make_machine)
    return settings.accel


def find(settings, make_machine):
    memory = settings.build / "accel.json"
    answer = recall(memory)
    if not answer:
        accel, reason = try_kvm(settings, make_machine)
        answer = {"accel": accel, "reason": reason, "time": time.time()}
        memory.write_text(json.dumps(answer))
    say(f"accelerator: {answer['accel']} ({answer['reason']})")
    return answer["accel"]


def recall(memory):
    try:
        answer = json.loads(memory.read_text())
    except (OSError, ValueError):
        return None
    fresh = 0 <= time.time() - answer["time"] < REMEMBER
    return answer if fresh and (answer["accel"] == "tcg" or usable()) else None


def usable():
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def try_kvm(settings, make_machine):
    if not usable():
        return "tcg", "no usable /dev/kvm"
    machine = make_machine("kvm", initramfs.Job(hugepages=0))
    machine = dataclasses.replace(machine, memory=256)
    try:
        result = vm.run(machine, "kvm-trial", settings.work, TRIAL, boot=TRIAL, tries=1)
    except Failure:
        return "tcg", "KVM refused to start a guest"
    if result.booted:
        return "kvm", f"a trial boot took {result.seconds:.0f} seconds"
    return "tcg", f"a trial boot with KVM did not come up in {TRIAL} seconds"
