# SPDX-License-Identifier: GPL-2.0-only
"""A collection of the tree's selftests, installed and packed for the guest as
anybody would install them on a machine of their own."""

import functools
import shutil
import subprocess

from build import programs
from common.ui import Failure
from guest.initramfs import Job, ROOT


# Of tests/vfio, those that take half of the time: they run in a guest of their own
LASTING = ("extents_test", "kill_test", "memory_test")


def job(kernel, collection):
    """What runs it in the guest: guest/root/kselftest.sh."""
    folder = packed(kernel, collection)
    return of_archive(folder, "-c", collection)


def own_job(kernel, collection, lasting=False):
    """The same of a folder of tests/: what is of LASTING, or the rest."""
    folder = packed_own(kernel, collection)
    listed = (folder / "kselftest-list.txt").read_text().split()
    return of_archive(folder, *(option for test in chosen(listed, lasting)
                                for option in ("-t", test)))


def chosen(listed, lasting):
    return [test for test in listed if (test.partition(":")[2] in LASTING) == lasting]


def of_archive(folder, *options):
    return Job(program=ROOT / "kselftest.sh", args=options,
               files={"kselftest.tar": folder.with_suffix(".tar")})


def packed(kernel, collection):
    """That of the tree."""
    folder = kernel.settings.work / f"kselftest-{collection}"
    with programs.building(kernel):
        headers = programs.install_headers(kernel)
        install(kernel, collection, folder,
                ["-C", str(kernel.tree / "tools/testing/selftests"),
                 f"O={programs.built(kernel, 'selftests')}",
                 f"KHDR_INCLUDES=-isystem {headers}/include", "FORCE_TARGETS=1"])
        archive(folder)
    return folder


def packed_own(kernel, collection):
    """That of tests/, with the tree's runner."""
    with programs.building(kernel):
        return installed_own(kernel, collection)


@functools.cache   # several guests use one install
def installed_own(kernel, collection):
    folder = kernel.settings.work / f"tests-{collection}"
    programs.install_headers(kernel)
    install(kernel, collection, folder,
            ["-C", str(programs.TESTS), f"OUTPUT={programs.built(kernel, 'tests')}",
             *programs.tests_arguments(kernel)])
    archive(folder)
    return folder


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
