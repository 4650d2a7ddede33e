# SPDX-License-Identifier: GPL-2.0-only
"""DPDK as Debian has it, for guests: installed in a root of its own, never on the machine,
and packed with the libraries that it needs."""

import re
import subprocess

from common.ui import Failure

TESTPMD = "/usr/bin/dpdk-testpmd"
DRIVERS = ("librte_net_e1000", "librte_mempool_ring")   # of QEMU's e1000e, and of its memory
CANCEL = "libgcc_s.so.1"   # what libc loads when a thread ends another


def archive(root, target):
    """A tar of testpmd, its drivers, the libraries, and the loader, at their own paths."""
    root.install("dpdk-dev", *(package(root, driver) for driver in DRIVERS))
    drivers = [find(root, f"usr/lib/*/dpdk/pmds-*/{driver}.so.*.*") for driver in DRIVERS]
    files = [TESTPMD, *drivers, find(root, f"lib/*/{CANCEL}"),
             *libraries(root.ask("ldd", TESTPMD, *drivers))]
    # Links as what they lead to
    done = subprocess.run(["tar", "-C", str(root.folder), "-chf", str(target),
                           *sorted({file.lstrip("/") for file in files})],
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"cannot pack DPDK: {done.stderr.strip()}")
    return target


def version(root):
    return root.ask("dpkg-query", "-W", "-f", "${Version}", "dpdk-dev")


def package(root, driver):
    """Of a driver: its name ends in the version of the ABI, after a digit with a hyphen."""
    name = driver.replace("_", "-")
    found = root.ask("apt-cache", "search", "--names-only", f"^{name}-?[0-9]+$").split()
    if not found:
        raise Failure(f"Debian {root.release} has no package of {driver}")
    return found[0]


def find(root, pattern):
    """The file, as it is called in the root."""
    found = sorted(root.folder.glob(pattern))
    if not found:
        raise Failure(f"the packages of DPDK hold no {pattern}")
    return "/" + str(found[0].relative_to(root.folder))


def libraries(said):
    """What ldd names, the loader too."""
    lacking = re.findall(r"(\S+) => not found", said)
    if lacking or not said:
        raise Failure(f"DPDK lacks {', '.join(lacking) or 'a loader'}")
    return re.findall(r"(/\S+) \(0x", said)
