# SPDX-License-Identifier: GPL-2.0-only
"""One build at a time: two that write the same folder spoil each other."""

import contextlib
import fcntl

from ui import say


@contextlib.contextmanager
def exclusive(settings, name="lock"):
    """Holds a lock in this base's folder, after waiting for it if need be."""
    settings.work.mkdir(parents=True, exist_ok=True)
    with open(settings.work / name, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another make builds in {settings.relative(settings.work)}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
