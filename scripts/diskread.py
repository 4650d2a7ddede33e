# SPDX-License-Identifier: GPL-2.0-only
"""The whole disk, read in the guest by the userspace driver, compared here."""

import dataclasses
import re

import disk
import guest
import machine
import pathlib
import programs
import vm
from initramfs import Job

SCRIPT = pathlib.Path(__file__).parent / "guest/read-disk.sh"
LIMIT = 300  # seconds


@dataclasses.dataclass
class DiskRead:
    result: vm.Result
    report: dict      # what the driver printed: key, value
    problems: list    # why this is no success; empty if it is


def run(settings, kernel, name, options=(), output=None):
    job = Job(program=SCRIPT, args=tuple(options),
              files={"noiommu-nvme": programs.noiommu_nvme(kernel)})
    result = guest.run(settings, kernel, job, name, LIMIT, output=output)
    return judge(result)


def judge(result):
    text = result.output.decode(errors="replace")
    report = dict(re.findall(r"^([a-z0-9 ]+): (.*)$", text, re.M))
    trouble = result.trouble()
    problems = [trouble] if trouble else []
    if result.status:
        problems.append(f"the program in the guest ended with status {result.status}")
    if not problems:
        problems = compare(report)
    return DiskRead(result, report, problems)


def compare(report):
    """How the driver's report differs from what is known of the disk."""
    expected = {"serial": machine.SERIAL, "bytes": str(disk.SIZE), "sha256": disk.sha256()}
    return [f"{key} is {report.get(key, 'missing')}, expected {value}"
            for key, value in expected.items() if report.get(key) != value]
