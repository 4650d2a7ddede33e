# SPDX-License-Identifier: GPL-2.0-only
"""The guest's initramfs, made with the tree's own gen_initramfs.

It is two cpio archives, one after the other: the system, which is kept, and
the job, which is made for each run.
"""

import dataclasses
import os
import pathlib
import shlex
import subprocess

from build.foreign import BUSYBOX
from common.ui import Failure

ROOT = pathlib.Path(__file__).parent / "root"   # what goes into guests as it is
SYSTEM = """\
dir /bin 0755 0 0
dir /dev 0755 0 0
dir /proc 0755 0 0
dir /sys 0755 0 0
dir /tmp 1777 0 0
nod /dev/console 0600 0 0 c 5 1
file /bin/busybox {busybox} 0755 0 0
slink /bin/sh busybox 0777 0 0
file /init {init} 0755 0 0
"""


@dataclasses.dataclass
class Job:
    """What the guest does: a program with arguments, or a shell."""

    program: str = ""
    args: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)  # of the program
    files: dict = dataclasses.field(default_factory=dict)  # name in /job: host file
    modules: tuple = ()   # host files of what is not in the kernel, in the order of loading
    hugepages: int = 64
    shell: bool = False


def make(tree, out, job, folder, busybox=BUSYBOX):
    """The initramfs for a job, in a folder of that run."""
    system = folder / "system.cpio"
    text = SYSTEM.format(busybox=busybox, init=ROOT / "init")
    pack(tree, out, text, system)
    job_cpio = folder / "job.cpio"
    pack(tree, out, job_list(job, folder), job_cpio)
    result = folder / "initramfs.cpio"
    result.write_bytes(system.read_bytes() + job_cpio.read_bytes())
    system.unlink()
    job_cpio.unlink()
    return result


def job_list(job, folder):
    start, settings = folder / "start", folder / "settings"
    exports = "".join(f"export {name}={shlex.quote(value)}\n"
                      for name, value in job.environment.items())
    start.write_text(exports + (f"/job/program {shlex.join(job.args)}\n" if job.program
                                else "true\n"))
    modules = {pathlib.Path(path).name: path for path in job.modules}
    settings.write_text(f"HUGEPAGES={job.hugepages or ''}\n"
                        f"MODULES={shlex.quote(' '.join(modules))}\n"
                        f"SHELL_WANTED={'y' if job.shell else ''}\n"
                        f"SIZE={shlex.quote(terminal_size()) if job.shell else ''}\n")
    files = {"start": start, "settings": settings, **modules, **job.files}
    if job.program:
        files["program"] = job.program
    return "dir /job 0755 0 0\n" + "".join(
        f"file /job/{name} {quote(path)} 0755 0 0\n" for name, path in files.items())


def quote(path):
    """gen_init_cpio reads words; it knows no way to write a blank."""
    path = str(pathlib.Path(path).resolve())
    if any(character.isspace() for character in path):
        raise Failure(f"{path}: a path with blanks cannot go into the guest")
    return path


def terminal_size():
    try:
        size = os.get_terminal_size()
    except OSError:
        return ""
    return f"rows {size.lines} cols {size.columns}"


def pack(tree, out, listing, target):
    source = target.with_suffix(".list")
    source.write_text(listing)
    # It looks for gen_init_cpio in usr/ of where it runs: the build folder
    result = subprocess.run(["sh", str(tree / "usr/gen_initramfs.sh"), "-o", str(target),
                             str(source)], cwd=out, capture_output=True, text=True)
    if result.returncode:
        raise Failure(f"cannot pack the initramfs: {result.stderr.strip()}")
    source.unlink()
