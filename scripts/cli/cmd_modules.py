# SPDX-License-Identifier: GPL-2.0-only
"""make modules: the series as modules for the kernel whose headers KDIR= names."""

from common.ui import say
from packages import modules

HOWTO = """
load them in this order, after those that the kernel has loaded itself are gone
(modprobe -r vfio-pci vfio_iommu_type1 vfio); irqbypass is the kernel's own
    modprobe irqbypass; for name in {names}; do insmod {folder}/$name.ko; done"""

ORDER = ("iommufd", "vfio", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci")


def main(settings):
    kdir = modules.folder_of(settings.kdir)
    files = modules.build(settings, kdir, settings.install)
    for file in files:
        say(str(settings.relative(file)))
    if not settings.install:
        have = [file.stem for file in files]
        say(HOWTO.format(folder=settings.relative(files[0].parent),
                         names=" ".join(name for name in ORDER if name in have)))
