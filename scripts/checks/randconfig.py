# SPDX-License-Identifier: GPL-2.0-only
"""What Kconfig makes of random configs, on architectures that matrixrows.py has
no compiler for as well: nothing is compiled, but options must fit together.

The seeds are always the same ones: what fails does so again.
"""

import dataclasses
import re

from build import kconfig
from build.kernel import environment
from checks import ktap, matrix
from common.ui import Failure, Progress

ARCHITECTURES = ("x86", "arm", "arm64", "riscv", "powerpc", "mips", "s390", "sparc",
                 "loongarch", "parisc", "m68k", "um")
SEEDS = range(1, 5)

# Of the choices half would be made for VFIO, and half of those for what it takes
FORCED = {"CONFIG_MMU": "y", "CONFIG_PCI": "y", "CONFIG_IOMMU_SUPPORT": "y"}
PROBABILITY = "70"

# The base breaks dependencies of its own, in configs that nobody has
OURS = re.compile(r"VFIO|IOMMUFD|GENERIC_PT|IOMMU_PT|recursive")


def broken(config):
    """The rules that a .config breaks."""
    have = kconfig.parse(config)

    def on(option):
        return {"y": 2, "m": 1}.get(have.get(f"CONFIG_{option}"), 0)

    way_in = on("VFIO_CONTAINER") or on("IOMMUFD_VFIO_CONTAINER") or on("VFIO_DEVICE_CDEV")
    rules = {
        "VFIO_NOIOMMU leaves a way in": not on("VFIO_NOIOMMU") or way_in,
        "VFIO_NOIOMMU with the cdev is known to iommufd":
            not (on("VFIO_NOIOMMU") and on("VFIO_DEVICE_CDEV"))
            or on("IOMMUFD_NOIOMMU") or on("GENERIC_ATOMIC64"),
        "nothing but VFIO and the selftests turns IOMMUFD_NOIOMMU on":
            not on("IOMMUFD_NOIOMMU") or on("IOMMUFD_TEST")
            or on("VFIO_NOIOMMU") and on("VFIO_DEVICE_CDEV"),
        "IOMMUFD_NOIOMMU has its page table, built in if iommufd is":
            not on("IOMMUFD_NOIOMMU")
            or min(on("GENERIC_PT"), on("IOMMU_PT"), on("IOMMU_PT_AMDV1")) >= on("IOMMUFD"),
        "IOMMUFD_NOIOMMU has cmpxchg64": not (on("IOMMUFD_NOIOMMU") and on("GENERIC_ATOMIC64")),
    }
    return [f"not so: {rule}" for rule, holds in rules.items() if not holds]


@dataclasses.dataclass
class RandomConfigs:
    settings: object

    def run(self):
        """A KTAP document with a result for each architecture."""
        folder = self.settings.work / "matrix/kconfig"
        folder.mkdir(parents=True, exist_ok=True)
        return ktap.document([(f"{arch}: {len(SEEDS)} random configs",
                               "\n".join(self.problems(folder, arch)))
                              for arch in ARCHITECTURES])

    def problems(self, folder, arch):
        progress = Progress(f"kconfig: {arch}")
        found = []
        for seed in SEEDS:
            progress.update(f"seed {seed}")
            found += [f"seed {seed}: {problem}" for problem in self.one(folder, arch, seed)]
        progress.clear()
        return found

    def one(self, folder, arch, seed):
        out = folder / arch
        # Kconfig asks the compiler what it knows; whose it is does not matter
        env = {**environment(), "ARCH": arch, "KCONFIG_SEED": str(seed),
               "KCONFIG_PROBABILITY": PROBABILITY}
        try:
            said = matrix.configure(self.settings.source, out, env, "randconfig", FORCED,
                                    folder / f"{arch}-{seed}.log")
        except Failure as failure:
            return [failure.report()]
        said = [problem for problem in said if OURS.search(problem)]
        return said + broken((out / ".config").read_text())
