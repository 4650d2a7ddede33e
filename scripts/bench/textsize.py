# SPDX-License-Identifier: GPL-2.0-only
"""How much machine code a feature is, from the objects of a built kernel.

That is the files that are there for nothing else, and beside it the folders that
they and the hooks into other files are in. To build the base once more without
the feature would be exact, but takes as long as the whole bench.
"""

import re
import subprocess

from common.ui import Failure

# No other user of a page table in software is in the config set `run`
FILES = ("drivers/iommu/iommufd/*noiommu*.o", "drivers/iommu/generic_pt/fmt/iommu_*.o")
FOLDERS = ("drivers/iommu/iommufd", "drivers/iommu/generic_pt", "drivers/vfio")


def measure(kernel):
    """{what: bytes}."""
    own = [path for pattern in FILES for path in kernel.out.glob(pattern)]
    folders = [path for folder in FOLDERS for path in (kernel.out / folder).rglob("*.o")]
    return {"noiommu's own files": sum_of(own),
            "iommufd, generic_pt and vfio": sum_of(folders)}


def sum_of(objects):
    done = subprocess.run(["size", "-A", *map(str, sorted(objects))],
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"cannot read the size of the kernel's objects: {done.stderr.strip()}")
    return text_bytes(done.stdout)


def text_bytes(listing):
    """All of the text sections in the output of `size -A`."""
    return sum(map(int, re.findall(r"^\.(?!rela)(?:\w+\.)?text(?:\.\S+)?\s+(\d+)", listing, re.M)))
