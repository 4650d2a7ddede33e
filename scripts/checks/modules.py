# SPDX-License-Identifier: GPL-2.0-only
"""The modules on Debian's own kernels, which are booted without being changed: they are
built in a root of the kernel's suite, loaded, and used."""

import functools
import threading

from base import bases
from build import programs
from build.arch import ARM64, X86_64
from build.kernel import Kernel
from checks import ktap
from checks.suite import Suite
from common.ui import Progress
from guest import diskread, guest, machine
from guest.initramfs import Job, ROOT
from packages import root, stock
from packages.dkms import btf

LIMIT = 900
READS = ("", "--irq", "--memory=hugetlb")
LOADED = ("vfio_iommu_type1", "vfio_pci")
ELSEWHERE = "kvmgt"   # uses vfio, and is not built with it
SELFTEST = "vfio_iommufd_noiommu_test"
MIXED = "vfio_iommufd_noiommu_mixed_test"   # with devices that an IOMMU stands behind

# QEMU 7.2 crashes Debian's 7.2 kernel with a second processor, when that changes its own
# code (int3)
CPUS = 1

ON_ARM64 = "cloud-arm64"


def suites(settings, run, arm64):
    """Of make check: one kernel, and one for arm64. That has nothing of ours built in, so
    the arm64 kernel does not have to be built for it."""
    return [*of(stock.default(settings, run)),
            *several(stock.default(settings, arm64, ON_ARM64, run), disk=disk, extents=extents)]


def long_suites(settings, run, arm64):
    """Of make check-long: all others, or those of the base that the user chose."""
    first = stock.default(settings, None).name
    names = [settings.base] if settings.chosen else bases.stored(settings.top)
    found = []
    for base in names:
        kernels = {X86_64: run, ARM64: arm64}
        if base != settings.base and run:
            kernels = {arch: Kernel(settings.on(base), kernel.set.name)
                       for arch, kernel in kernels.items()}
        found += stock.every(settings.on(base) if base != settings.base else settings, kernels)
    before = {suite.name for suite in suites(settings, None, None)}
    return [suite for each in found for suite in
            (mixed(each) if each.name == first else of(each)) if suite.name not in before]


def of(kernel):
    return several(kernel, disk=disk, others=others,
                   noiommu=functools.partial(selftest, SELFTEST, machine.EDU, "plain"))


def mixed(kernel):
    return several(kernel, mixed=functools.partial(selftest, MIXED, machine.BYPASS_EDU, "mixed"))


def several(kernel, **runs):
    built = once(kernel.build)
    return [suite(f"modules-{what}-{kernel.name}", kernel, run, built)
            for what, run in runs.items()]


def once(function):
    """The same function, which runs one time: suites run beside each other, and who comes
    second waits for the first and has its answer."""
    lock, cached = threading.Lock(), functools.lru_cache(function)

    def call():
        with lock:
            return cached()
    return call


def suite(name, kernel, run, built):
    def document():
        if problem := root.problem():
            return ktap.skipped(name, problem)
        return run(name, kernel, built())
    return Suite(name, document, kernel.built, kernel.settings.work / f"{name}.log")


def boot(name, kernel, modules, progress, before=(), shape="plain", **job):
    loaded = dict.fromkeys((*before, *kernel.in_order(LOADED, modules)))
    job = Job(modules=tuple(loaded), **job)
    return guest.run(kernel.settings, kernel, job, name, LIMIT, cpus=CPUS, output=progress,
                     shape=shape)


def disk(name, kernel, modules):
    """The whole disk, by scattered and by huge pages."""
    progress = Progress(name)
    result = boot(name, kernel, modules, lambda data: progress.update(),
                  program=diskread.SCRIPT, args=READS,
                  files={"noiommu-nvme": programs.noiommu_nvme(kernel.kernel)})
    progress.clear()
    reports = diskread.reports(result.output.decode(errors="replace"), len(READS))
    results = [(f"{kernel.release}: disk, noiommu-nvme {options}".strip(),
                diskread.problem(report)) for options, report in zip(READS, reports)]
    return ktap.document(results + [("modules without BTF", with_btf(modules)),
                                    ("kernel log", result.trouble())])


def with_btf(modules):
    """Names the modules that a kernel may refuse for their BTF, or is empty."""
    found = sorted(name for name, file in modules.items() if btf.section(file.read_bytes()))
    return f"with BTF: {', '.join(found)}" if found else ""


def selftest(test, device, shape, name, kernel, modules):
    """One of the series' own."""
    return program(name, kernel, modules, shape=shape, args=(device,),
                   program=programs.selftest(kernel.kernel, "vfio", test))


def extents(name, kernel, modules):
    """Addresses, as the device sees them too."""
    return program(name, kernel, modules, args=(machine.EDU,),
                   program=programs.own_test(kernel.kernel, "vfio", "extents_test"),
                   environment={"NOIOMMU_WINDOWS": "10000"})


def others(name, kernel, modules):
    """That none of the kernel's own modules is loaded beside these, nor the other way
    round."""
    files = {"stock-vfio.ko": kernel.module("vfio"),
             "stock-vfio-pci-core.ko": kernel.module("vfio-pci-core")}
    before = []
    if kernel.has(ELSEWHERE):
        *before, files[f"{ELSEWHERE}.ko"] = kernel.in_order([ELSEWHERE], modules)
    users = [file for file in files if file != "stock-vfio.ko"]
    return program(name, kernel, modules, before=before, program=ROOT / "modules.sh", files=files,
                   args=(modules["vfio_pci_core"].name, modules["vfio_iommu_type1"].name),
                   environment={"USERS": " ".join(users)})


def program(name, kernel, modules, **job):
    progress = Progress(name)
    result = boot(name, kernel, modules, ktap.Meter(progress), **job)
    progress.clear()
    return ktap.of_program(name, result.output.decode(errors="replace").replace("\r", ""),
                           result.status, result.trouble())
