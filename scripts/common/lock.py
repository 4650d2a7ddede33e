# SPDX-License-Identifier: GPL-2.0-only
"""Who may write what, among makes and among the threads of one: the made tree is
written by one and read by many, and a folder that is built in has one writer."""

import contextlib
import fcntl

from common.ui import say


def exclusive(settings, name="lock"):
    """Holds a lock in this base's folder alone, after waiting for it if need be.
    Without a name that of the made tree."""
    return held(settings, settings.work / name, fcntl.LOCK_EX)


def exclusive_file(settings, path):
    """The same for what no base has to itself."""
    return held(settings, path, fcntl.LOCK_EX)


def shared(settings):
    """Keeps the made tree as it is."""
    return held(settings, settings.work / "lock", fcntl.LOCK_SH)


@contextlib.contextmanager
def held(settings, path, kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if not settings.threads:
                say(f"another make builds in {settings.relative(path.parent)}; waiting for it")
            fcntl.flock(file, kind)
        yield
