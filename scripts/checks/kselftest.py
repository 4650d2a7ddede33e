# SPDX-License-Identifier: GPL-2.0-only
"""A collection of the tree's selftests, installed and packed for the guest as
anybody would install them on a machine of their own."""

import shutil
import subprocess

from build import programs
from common.ui import Failure
from guest.initramfs import Job, ROOT


def job(kernel, collection):
    """What runs it in the guest: guest/root/kselftest.sh."""
    return Job(program=ROOT / "kselftest.sh", args=(collection,),
               files={"kselftest.tar": packed(kernel, collection)})


def packed(kernel, collection):
    folder = kernel.settings.work / f"kselftest-{collection}"
    archive = folder.with_suffix(".tar")
    with programs.building(kernel):
        headers = programs.install_headers(kernel)
        shutil.rmtree(folder, ignore_errors=True)
        programs.run_make(kernel, f"kselftest-{collection}", f"install selftests of {collection}",
                          ["-C", str(kernel.tree / "tools/testing/selftests"), "install",
                           f"TARGETS={collection}", f"INSTALL_PATH={folder}",
                           f"OUTPUT={folder}-build", f"KHDR_INCLUDES=-isystem {headers}/include",
                           "FORCE_TARGETS=1"], programs.patient_flags(kernel, collection))
        done = subprocess.run(["tar", "-C", str(folder), "-cf", str(archive), "."],
                              capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"cannot pack {folder}: {done.stderr.strip()}")
    return archive
