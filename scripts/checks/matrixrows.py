# SPDX-License-Identifier: GPL-2.0-only
"""The table of `make matrix`: kernel configs, and what has to come of each.

Options are written like `VFIO=m VFIO_GROUP=n`, later ones over earlier ones, on
top of allnoconfig. They have to come out as asked for, but for those that `gives`
has a value of its own for: what Kconfig selects, or refuses.
"""

import dataclasses

DIRECTORIES = ("drivers/iommu/", "drivers/vfio/")
LINKED = ("vmlinux", "modules")   # needs more time, and finds what does not link

PCI = "PCI=y PCI_MSI=y IOMMU_SUPPORT=y"
X86_IOMMUS = "ACPI=y AMD_IOMMU=y INTEL_IOMMU=y IRQ_REMAP=y"
BOTH = (f"{PCI} IOMMUFD=y VFIO=y VFIO_GROUP=y VFIO_CONTAINER=y VFIO_DEVICE_CDEV=y "
        "VFIO_NOIOMMU=y VFIO_PCI=y")
MODULES = f"MODULES=y {BOTH} IOMMUFD=m VFIO=m VFIO_PCI=m"
NO_CONTAINER = "VFIO_CONTAINER=n IOMMUFD_VFIO_CONTAINER=n"
TESTS = ("DEBUG_KERNEL=y DEBUG_FS=y FAULT_INJECTION=y RUNTIME_TESTING_MENU=y "
         "IOMMUFD_TEST=y")
HEAPS = "DMABUF_HEAPS=y"
TRACING = "FTRACE=y ENABLE_DEFAULT_TRACERS=y"

# What brings the feature into iommufd, and what leaves it out
ON = "IOMMUFD_NOIOMMU=y GENERIC_PT=y IOMMU_PT=y IOMMU_PT_AMDV1=y"
ON_MODULE = "IOMMUFD_NOIOMMU=y GENERIC_PT=y IOMMU_PT=m IOMMU_PT_AMDV1=m"
OFF = "IOMMUFD_NOIOMMU=n GENERIC_PT=n IOMMU_PT=n IOMMU_PT_AMDV1=n"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    options: str
    gives: str = ""
    goals: tuple = DIRECTORIES
    start: str = "allnoconfig"


def link(name, options, gives=""):
    return Row(name, options, gives, LINKED)


# What VFIO_NOIOMMU gives by what else is on, as the documentation has it. The
# names have VFIO_GROUP, the container and VFIO_DEVICE_CDEV.
WAYS = (
    Row("yyn: group", f"{BOTH} VFIO_DEVICE_CDEV=n", OFF),
    Row("yyy: group and cdev", BOTH, ON),
    Row("yyn: group, container of iommufd",
        f"{BOTH} VFIO_CONTAINER=n IOMMUFD_VFIO_CONTAINER=y VFIO_DEVICE_CDEV=n", OFF),
    Row("yyy: group and cdev, container of iommufd",
        f"{BOTH} VFIO_CONTAINER=n IOMMUFD_VFIO_CONTAINER=y", ON),
    Row("yny: cdev, null group", f"{BOTH} {NO_CONTAINER}", ON),
    Row("nny: cdev", f"{BOTH} {NO_CONTAINER} VFIO_GROUP=n", ON),
    Row("ynn: no way in", f"{BOTH} {NO_CONTAINER} VFIO_DEVICE_CDEV=n",
        f"VFIO_NOIOMMU=n {OFF}"),
)

UNIT_TESTS = Row("unit tests", f"{BOTH} KUNIT=y IOMMU_PT_KUNIT_TEST=y IOMMU_PT_VTDSS=y "
                 "IOMMU_PT_X86_64=y IOMMU_PT_RISCV64=y", ON)

X86_64 = (
    *WAYS,
    Row("off", f"{BOTH} VFIO_NOIOMMU=n", OFF),
    Row("off, with IO page tables", f"{BOTH} VFIO_NOIOMMU=n {X86_IOMMUS}",
        "IOMMUFD_NOIOMMU=n IOMMU_PT_AMDV1=y IOMMU_PT_VTDSS=y"),
    Row("no iommufd", f"{BOTH} IOMMUFD=n VFIO_DEVICE_CDEV=n", OFF),
    Row("no IOMMU support", f"{BOTH} IOMMU_SUPPORT=n IOMMUFD=n VFIO_DEVICE_CDEV=n", OFF),
    Row("no VFIO", f"{BOTH} VFIO=n VFIO_GROUP=n VFIO_CONTAINER=n VFIO_DEVICE_CDEV=n "
        "VFIO_NOIOMMU=n VFIO_PCI=n", OFF),
    Row("IOMMU drivers", f"{BOTH} {X86_IOMMUS}", ON),
    Row("trace events", f"{BOTH} {TRACING}", f"TRACEPOINTS=y {ON}"),
    Row("debugging", f"{BOTH} {TRACING} DEBUG_KERNEL=y DEBUG_FS=y VFIO_DEBUGFS=y "
        "DEBUG_GENERIC_PT=y PROVE_LOCKING=y KASAN=y KASAN_GENERIC=y UBSAN=y", ON),
    Row("selftests", f"{BOTH} {TESTS}", ON),
    Row("selftests, no VFIO", f"{PCI} IOMMUFD=y {TESTS}", ON),
    Row("selftests, off", f"{BOTH} {TESTS} VFIO_NOIOMMU=n", ON),
    UNIT_TESTS,
    Row("modules", MODULES, ON_MODULE),
    Row("iommufd built in, VFIO a module", f"{MODULES} IOMMUFD=y", ON),
    Row("VFIO built in, iommufd a module", f"{MODULES} VFIO=y", "VFIO=m " + ON_MODULE),
    Row("modules, off", f"{MODULES} VFIO_NOIOMMU=n", OFF),
    Row("modules, cdev", f"{MODULES} {NO_CONTAINER} VFIO_GROUP=n", ON_MODULE),
    Row("modules, no iommufd", f"{MODULES} IOMMUFD=n VFIO_DEVICE_CDEV=n", OFF),
    Row("everything, modules", "", "IOMMUFD_NOIOMMU=y VFIO_NOIOMMU=y", start="allmodconfig"),
    link("link: built in", f"{BOTH} {TRACING} {TESTS} {X86_IOMMUS}", ON),
    link("link: modules", f"{MODULES} MODVERSIONS=y", ON_MODULE),
    link("link: modules, selftests", f"{MODULES} MODVERSIONS=y {TESTS} KUNIT=m "
         "IOMMU_PT_KUNIT_TEST=m", ON_MODULE),
    link("link: modules, AMD's driver built in", f"{MODULES} MODVERSIONS=y {X86_IOMMUS}", ON),
    link("link: modules, off", f"{MODULES} MODVERSIONS=y VFIO_NOIOMMU=n", OFF),
)

# Where cmpxchg64 is missing the cdev is not for noiommu devices, but goes on to
# be there for others
NO_CMPXCHG64 = (
    Row("group", BOTH, f"GENERIC_ATOMIC64=y {OFF}"),
    Row("cdev: not selectable", f"{BOTH} {NO_CONTAINER} VFIO_GROUP=n",
        f"GENERIC_ATOMIC64=y VFIO_NOIOMMU=n {OFF}"),
    Row("off", f"{BOTH} VFIO_NOIOMMU=n", OFF),
)

FEW = (
    Row("group and cdev", f"{BOTH} {TRACING}", ON),
    Row("cdev", f"{BOTH} {NO_CONTAINER} VFIO_GROUP=n", ON),
    Row("off", f"{BOTH} VFIO_NOIOMMU=n", OFF),
)
SELFTESTS = Row("selftests", f"{BOTH} {TESTS}", ON)
MODULAR = Row("modules", MODULES, ON_MODULE)

ROWS = {
    "x86_64-gcc": X86_64,
    "x86_64-clang": (*FEW, SELFTESTS, MODULAR),
    "i386-gcc": (*FEW, SELFTESTS, MODULAR, UNIT_TESTS,
                 Row("PAE", f"{BOTH} M686=y X86_PAE=y HIGHMEM4G=y", ON)),
    "i386-clang": (*FEW, SELFTESTS),
    "arm64-gcc": (*FEW, SELFTESTS, MODULAR,
                  Row("64 KiB pages", f"{BOTH} ARM64_64K_PAGES=y", ON),
                  Row("SMMU", f"{BOTH} ARM_SMMU_V3=y ARM_SMMU_V3_IOMMUFD=y", ON)),
    "arm64-clang": (*FEW, SELFTESTS),
    "armv7-gcc": (*FEW, SELFTESTS, UNIT_TESTS, Row("LPAE", f"{BOTH} ARM_LPAE=y", ON)),
    "armv7-clang": FEW,
    "armv5-gcc": NO_CMPXCHG64,
    "riscv32-gcc": NO_CMPXCHG64,
    "riscv64-gcc": (*FEW, SELFTESTS, Row("IOMMU", f"{BOTH} RISCV_IOMMU=y", ON)),
    "mips64-gcc": (*FEW, link("link: modules", f"{MODULES} {HEAPS} ARCH_HAS_PHYS_TO_DMA=y",
                              ON_MODULE)),
}
