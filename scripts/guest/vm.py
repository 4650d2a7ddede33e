# SPDX-License-Identifier: GPL-2.0-only
"""Runs a guest to its end: passes on what the program prints, watches the
kernel's log, and ends a machine that hangs."""

import dataclasses
import json
import os
import pathlib
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from common.ui import Failure, say
from guest import splat

BOOT = 300      # seconds until init has to run, whatever the program may take then
TICK = 1        # seconds after which `output` is called, if only with nothing
TRACED = 0.5    # seconds for which instructions are written down
NMI_GRACE = 20  # seconds for a hanging kernel to print its trace


@dataclasses.dataclass
class Result:
    status: int | None    # the program's exit status; None if it never ended
    output: bytes         # what the program printed
    log: pathlib.Path     # the kernel's log
    booted: bool
    timed_out: bool
    seconds: float

    def log_text(self):
        return self.log.read_text(errors="replace").replace("\r", "")

    def trouble(self, counts=None):
        """Why this run is no success, whatever the program said; or ''. `counts`
        tells of a log and a report in it whether it is one that matters."""
        text = self.log_text()
        found = [report for report in splat.find(text) if not counts or counts(text, report)]
        if self.timed_out:
            # The panic is of our own making; it shows where the processors were
            what = "end" if self.booted else "boot"
            return "\n".join([f"the guest did not {what} within {self.seconds:.0f} seconds",
                              *quote(splat.excerpt(text, found[0][1]) if found else []),
                              *quote(splat.task(text, "program"))])
        if found:
            more = f" (and {len(found) - 1} more reports)" if len(found) > 1 else ""
            return "\n".join([f"the guest's kernel reported a problem: {found[0][0]}{more}",
                              *quote(splat.excerpt(text, found[0][1]))])
        if self.status is None:
            return ("the guest stopped before the program ended" if self.booted
                    else "the guest did not boot")
        return ""


def quote(lines):
    return ["  | " + line for line in lines]


def run(machine, name, work, limit, output=None, interactive=False, boot=BOOT, tries=2):
    """Boots a machine and returns its Result. The kernel's log is kept as
    <name>.log in `work`; `output` gets the program's bytes as they come, and an
    empty string now and then, so that it can tell that time passes. The program may
    take `limit` seconds. A boot that does not come to init in its own time is tried
    once more, and so is a guest whose QEMU crashed; the log of the lost one is kept as
    <name>.lost.log."""
    try:
        result = run_once(machine, name, work, limit, output, interactive, boot)
    except Crashed as crash:
        if tries == 1:
            raise
        LOST[name] = crash.cause
    else:
        if result.booted or tries == 1:
            return result
        LOST[name] = result.trouble()
    say(f"{name}: a guest is lost and tried once more: " + LOST[name].split("\n")[0])
    log_of(work, name).rename(work / f"{name}.lost.log")
    return run(machine, name, work, limit, output, interactive, boot, tries - 1)


LOST = {}   # guests of this command, and why the first attempt came to nothing


class Crashed(Failure):
    """QEMU itself was ended by a signal that was not ours."""


def log_of(work, name):
    return work / f"{name}.log"


def run_once(machine, name, work, limit, output, interactive, boot):
    log = log_of(work, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as scratch, Monitor() as monitor:
        status = pathlib.Path(scratch, "status") if machine.board.status_port else log
        messages = pathlib.Path(scratch, "qemu")
        log.unlink(missing_ok=True)   # that of an earlier run tells nothing of this one
        command = machine.command(log, status, monitor.far.fileno(), interactive)
        start = time.monotonic()
        with open(messages, "wb") as errors:
            process = subprocess.Popen(
                command, stdin=None if interactive else subprocess.DEVNULL,
                stdout=None if interactive else subprocess.PIPE, stderr=errors,
                pass_fds=[monitor.far.fileno()])
        requests = Requests(status, machine.hotplug, monitor, machine.trace)
        try:
            collected, timed_out = follow(process, monitor, output, requests,
                                          Deadline(boot, limit))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        seconds = time.monotonic() - start
        if process.returncode not in (0, -9):
            shutil.copy(messages, work / f"{name}.qemu")
            if process.returncode < 0:
                raise Crashed(f"QEMU was ended by signal {-process.returncode}",
                              work / f"{name}.qemu")
            raise Failure("QEMU failed", work / f"{name}.qemu")
        booted, exit_status = read_status(status)
    return Result(exit_status, collected, log, booted, timed_out, seconds)


class Deadline:
    """First the kernel has to boot, then the program has to end, each in its time;
    at last a hanging kernel has to print its trace."""

    def __init__(self, boot, limit):
        self.limit, self.booted = limit, False
        self.end = time.monotonic() + boot

    def left(self):
        return self.end - time.monotonic()

    def has_booted(self):
        if not self.booted:
            self.booted = True
            self.end = time.monotonic() + self.limit

    def has_passed(self):
        self.booted = True   # it is too late for that
        self.end = time.monotonic() + NMI_GRACE


def follow(process, monitor, output, requests, deadline):
    """Passes the output on until the machine is off: (output, timed out)."""
    if process.stdout is None:
        while not ended(process):
            requests.serve()
        return b"", False
    collected, timed_out = [], False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline.left()
            if left <= 0 and timed_out:
                process.kill()
                break
            if left <= 0:
                timed_out = True
                monitor.send("inject-nmi")
                deadline.has_passed()
                continue
            data = b""
            if selector.select(min(left, TICK)):
                data = os.read(process.stdout.fileno(), 65536)
                if not data:
                    break
                collected.append(data)
            if output:
                output(data)
            requests.serve()
            if requests.booted:
                deadline.has_booted()
    process.wait()
    return b"".join(collected), timed_out


def ended(process):
    """Whether it has, after waiting for that for a moment."""
    try:
        process.wait(TICK)
    except subprocess.TimeoutExpired:
        return False
    return True


# How the guest of a board without a port for the status says it in the kernel's log
LOGGED = re.compile(r"^.*\[ *\d+\.\d+\] status: ")


def status_lines(path):
    """The whole lines that the guest wrote to its status port; or the kernel's log,
    with such lines in it."""
    try:
        lines = path.read_text(errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [LOGGED.sub("", line.rstrip("\r")) for line in lines]


def read_status(path):
    """(booted, exit status) from what init wrote."""
    lines = status_lines(path)
    codes = [line[5:] for line in lines if line.startswith("exit ")]
    return "booted" in lines, int(codes[0]) if codes and codes[0].isdigit() else None


class Requests:
    """What a guest asks of its machine by a line on the status port: `unplug` or
    `plug`, and the name of a device that the machine's shape has for that. It
    gets no answer, it has to look at its bus. Or `trace`: to write down what it
    does for a moment. `booted` tells whether it has said that it is up."""

    def __init__(self, path, hotplug, monitor, trace=""):
        self.path, self.hotplug, self.monitor, self.trace = path, hotplug, monitor, trace
        self.seen = 0
        self.booted = False

    def serve(self):
        lines = status_lines(self.path)[self.seen:]
        self.seen += len(lines)
        self.booted = self.booted or "booted" in lines
        for verb, _, name in (line.partition(" ") for line in lines):
            device = self.hotplug.get(name)
            if device and verb == "unplug":
                self.monitor.send("device_del", id=name)
            elif device and verb == "plug":
                self.monitor.send("device_add", **device.qmp())
            elif self.trace and verb == "trace":
                self.monitor.send("human-monitor-command",
                                  **{"command-line": "log exec,nochain"})
                time.sleep(TRACED)
                self.monitor.send("human-monitor-command", **{"command-line": "log none"})


class Monitor:
    """QEMU's control socket, handed over as a descriptor."""

    def __enter__(self):
        self.near, self.far = socket.socketpair()
        return self

    def __exit__(self, *_):
        self.near.close()
        self.far.close()

    def send(self, command, **arguments):
        for name, values in (("qmp_capabilities", {}), (command, arguments)):
            message = {"execute": name, **({"arguments": values} if values else {})}
            self.near.sendall(json.dumps(message).encode() + b"\n")


def to_stdout(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
