# SPDX-License-Identifier: GPL-2.0-only
"""The whole disk, read in the guest by the userspace driver, compared here."""

import re

from build import programs
from guest import disk, guest, machine
from guest.initramfs import Job, ROOT

SCRIPT = ROOT / "read-disk.sh"
LIMIT = 600  # seconds


def run(settings, kernel, name, variants=("",), output=None, program=programs.noiommu_nvme,
        shape="plain"):
    """Reads once for each variant, which is options of noiommu-nvme; returns the
    guest's vm.Result and a report for each variant."""
    job = Job(program=SCRIPT, args=tuple(variants),
              files={"noiommu-nvme": program(kernel)})
    result = guest.run(settings, kernel, job, name, LIMIT, output=output, shape=shape)
    return result, reports(result.output.decode(errors="replace"), len(variants))


def reports(output, count):
    """[{key: value}] of what was printed for each variant."""
    parts = re.split(r"^options: .*\n", output, flags=re.M)[1:]
    found = [dict(re.findall(r"^([a-z0-9 ]+): (.*)$", part, re.M)) for part in parts]
    return found + [{}] * (count - len(found))


def problem(report, extents=True, translated=False):
    """Why a report is no success: how it differs from what is known of the
    disk; or ''. A kernel without extents is asked for each piece of memory, and where
    an IOMMU translates nothing is asked."""
    if not report:
        return "the driver printed nothing"
    if "status" in report:
        return f"noiommu-nvme ended with status {report['status']}"
    expected = {"serial": machine.SERIAL, "bytes": str(disk.SIZE), "sha256": disk.sha256()}
    lookups, addresses = (int(report.get(key, -1))
                          for key in ("lookups", "addresses looked up"))
    if addresses < 1 or lookups < (0 if translated else 1):
        return "it does not say that it looked up addresses"
    if extents and lookups * 100 > addresses:
        return f"it took {lookups} lookups to have {addresses} addresses"
    return "; ".join(f"{key} is {report.get(key, 'missing')}, expected {value}"
                     for key, value in expected.items() if report.get(key) != value)
