# SPDX-License-Identifier: GPL-2.0-only
"""A collection of the tree's selftests, installed and packed for the guest as
anybody would install them on a machine of their own."""

import shutil
import subprocess

from build import programs
from common.ui import Failure
from guest.initramfs import Job, ROOT


def job(kernel, collection, own=False):
    """What runs it in the guest: guest/root/kselftest.sh."""
    pack = packed_own if own else packed
    return Job(program=ROOT / "kselftest.sh", args=(collection,),
               files={"kselftest.tar": pack(kernel, collection)})


def packed(kernel, collection):
    """That of the tree."""
    folder = kernel.settings.work / f"kselftest-{collection}"
    with programs.building(kernel):
        headers = programs.install_headers(kernel)
        install(kernel, collection, folder,
                ["-C", str(kernel.tree / "tools/testing/selftests"),
                 f"O={programs.built(kernel, 'selftests')}",
                 f"KHDR_INCLUDES=-isystem {headers}/include", "FORCE_TARGETS=1"])
        return archive(folder)


def packed_own(kernel, collection):
    """That of tests/, with the tree's runner."""
    folder = kernel.settings.work / f"tests-{collection}"
    with programs.building(kernel):
        programs.install_headers(kernel)
        install(kernel, collection, folder,
                ["-C", str(programs.TESTS), f"OUTPUT={programs.built(kernel, 'tests')}",
                 *programs.tests_arguments(kernel)])
        return archive(folder)


def install(kernel, collection, folder, arguments):
    shutil.rmtree(folder, ignore_errors=True)
    programs.run_make(kernel, folder.name, f"install tests of {collection}",
                      ["install", f"TARGETS={collection}", f"INSTALL_PATH={folder}", *arguments],
                      programs.patient_flags(kernel, collection))


def archive(folder):
    target = folder.with_suffix(".tar")
    done = subprocess.run(["tar", "-C", str(folder), "-cf", str(target), "."],
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"cannot pack {folder}: {done.stderr.strip()}")
    return target
