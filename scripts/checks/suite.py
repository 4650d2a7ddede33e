# SPDX-License-Identifier: GPL-2.0-only
"""What the commands that test are made of."""

import dataclasses
import pathlib
from typing import Callable


@dataclasses.dataclass
class Suite:
    name: str
    run: Callable   # () -> KTAP document
    kernel: object = None   # the kernel.Kernel that it runs on, built before
    log: pathlib.Path = None   # of the guest's kernel
