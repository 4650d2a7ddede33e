# SPDX-License-Identifier: GPL-2.0-only
"""The modules of the series, built for a kernel whose headers are in some folder."""

import os
import pathlib
import re

from base import bases, source
from build.kernel import environment, first_error
from common import step
from common.lock import exclusive
from common.ui import Failure, Progress
from packages import modsource
from series import tree

VERSION = "include/generated/uapi/linux/version.h"


def build(settings, kdir, install=""):
    """Has them built, and installed below `install` if that is given: their files."""
    found = version(kdir)
    folder = settings.build / "modules" / release(kdir)
    with exclusive(settings, "modules.lock"):
        modsource.make(folder, for_version(settings, found), modsource.version(settings))
        run(folder, kdir, f"build modules for Linux {release(kdir)}", "modules")
        if install:
            run(folder, kdir, f"install them below {install}", "modules_install",
                f"INSTALL_MOD_PATH={pathlib.Path(install).expanduser().resolve()}")
    return sorted((folder / "modules").glob("*.ko"))


def folder_of(text):
    """The one that KDIR= names."""
    if not text:
        raise Failure("KDIR= has to name the headers of a kernel, like "
                      f"/lib/modules/{os.uname().release}/build")
    path = pathlib.Path(text).expanduser().resolve()
    if not (path / VERSION).exists():
        raise Failure(f"KDIR={text}: no headers of a kernel that is configured (it has no "
                      f"{VERSION}); Debian's are in linux-headers-…")
    return path


def version(kdir):
    """Like 7.2.13."""
    return ".".join(re.findall(r"^#define LINUX_VERSION_(?:MAJOR|PATCHLEVEL|SUBLEVEL) (\d+)",
                               (kdir / VERSION).read_text(), re.M))


def release(kdir):
    """What `uname -r` says of that kernel."""
    try:
        return (kdir / "include/config/kernel.release").read_text().strip()
    except OSError:
        return version(kdir)


def for_version(settings, found):
    """[(base, versions)] of the sources that may be for a kernel: its own, if Debian has
    them, or else those of the made trees."""
    base = "v" + found.rpartition(".")[0]
    stored = bases.stored(settings.top)
    if base not in stored:
        return [(settings.on(each), None) for each in stored]
    settings = settings.on(base)
    with exclusive(settings):
        made = tree.version(tree.ensure(settings))
    if found == made:
        return [(settings, None)]
    with source.offers(settings) as offers:
        return [(settings, [found] if found in offers.versions() else None)]


def run(folder, kdir, title, *arguments):
    log = folder / f"{arguments[0]}.log"
    progress = Progress(title)
    status = step.watch(["make", "-C", str(folder), f"-j{os.cpu_count()}", f"KDIR={kdir}",
                         *arguments], log, progress.update, env=environment())
    progress.done("failed" if status else "done")
    if status:
        raise Failure(reason(log), log)


def reason(log):
    """What the package's own tools have to say, or else the compiler."""
    said = re.findall(r"^(?:vfio-noiommu: not for|layout: (?:struct|pahole|there is)) .*$",
                      log.read_text(errors="replace"), re.M)
    return "; ".join(said) or first_error(log)
