# SPDX-License-Identifier: GPL-2.0-only
"""What a command says: progress, and failures without a traceback."""

import os
import sys
import threading
import time

QUIET_INTERVAL = 30  # seconds between lines when nobody looks at a terminal


class Failure(Exception):
    """A step could not be done, for a reason that the user can act on."""

    def __init__(self, cause, log=None, tail=12):
        super().__init__(cause)
        self.cause = cause
        self.log = log
        self.tail = tail

    def report(self):
        lines = [f"error: {self.cause}"]
        if self.log:
            lines += ["  | " + line for line in last_lines(self.log, self.tail)]
            lines.append(f"  full log: {os.path.relpath(self.log)}")
        return "\n".join(lines)


def last_lines(path, count):
    try:
        with open(path, errors="replace") as file:
            return file.read().splitlines()[-count:] if count else []
    except OSError:
        return []


def say(text):
    print(text, flush=True)


class Progress:
    """One step's progress: a line that is rewritten on a terminal, and one
    line every half minute elsewhere, so that a log shows it is alive."""

    def __init__(self, title, stream=None, clock=time.monotonic):
        self.title = title
        self.stream = stream or sys.stderr
        self.clock = clock
        # A line that several rewrite can be read by nobody
        self.terminal = self.stream.isatty() and threading.active_count() == 1
        self.start = clock()
        self.shown = self.start
        self.width = 0

    def elapsed(self):
        seconds = int(self.clock() - self.start)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def update(self, text=""):
        now = self.clock()
        if now - self.shown < (0.2 if self.terminal else QUIET_INTERVAL):
            return
        self.shown = now
        self._write(" ".join(filter(None, [f"{self.title}:", text, self.elapsed()])))

    def done(self, text="done"):
        self._write(f"{self.title}: {text} ({self.elapsed()})", last=True)

    def clear(self):
        """Leaves the line to whoever writes next."""
        if self.terminal and self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
            self.width = 0

    def _write(self, line, last=False):
        if not self.terminal:
            self.stream.write(line + "\n")
        else:
            self.stream.write("\r" + line.ljust(self.width) + ("\n" if last else ""))
            self.width = 0 if last else len(line)
        self.stream.flush()
