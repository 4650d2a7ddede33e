# SPDX-License-Identifier: GPL-2.0-only
"""The test suites of `make check` and `make check-long`: each gives a KTAP
document."""

import dataclasses
import subprocess
import sys
import traceback

from base import bases
from base.aptsource import NotOffered
from build import programs
from build.kernel import Kernel
from checks import (configs, debtrial, dkmstrial, dpdktrial, drift, kselftest, ktap, modules,
                    races)
from checks.lint import lint
from checks.suite import Suite
from common.lock import exclusive, shared
from common.ui import Failure, Progress
from guest import diskread, guest, machine, vm
from guest.initramfs import Job, ROOT
from series import tree

MEMORY = 1536  # MiB: what the tests map, and KASAN's shadow
LIMIT = 1800   # seconds after which a guest hangs: ten times what the longest takes alone


# The kernel config sets that they need, in the order of the functions' arguments
KERNELS = ("run", "debug", "kunit", "iommu", "nullgroup", "off", "arm64")
LONG_KERNELS = ("run", "debug", "kunit", "iommu", "nullgroup", "nogroup", "compat", "kcsan",
                "arm64", "arm64-64k")


def suites(settings, run, debug, kunit, iommu, nullgroup, off, arm64):
    """Of make check. What takes longest comes first, as the rest can run beside it."""
    return [
        version(settings),
        Suite("scripts", lambda: scripts(settings)),
        installed("vfio", settings, debug),
        installed_own("vfio", settings, debug, "tests-vfio-lasting", lasting=True),
        installed_own("vfio", settings, debug, "tests-vfio"),
        installed_own("iommu", settings, debug, "tests-iommu"),
        *(program(name, settings, debug, "iommu", name)
          for name in ("iommufd", "iommufd_fail_nth", "iommufd_noiommu",
                       "iommufd_noiommu_file")),
        lint.quick(settings, debug),
        read("disk-debug", settings, debug),
        *noiommu(settings, nullgroup, "nullgroup", "mode", "reset", "hotreset", "removal",
                 shape="ports"),
        *noiommu(settings, run, "run", "kill", NOIOMMU_ROUNDS="100"),
        *noiommu(settings, run, "run", "extents", NOIOMMU_WINDOWS="1000000"),
        read("disk-run", settings, run),
        *as_it_is("disk-plain-run", settings, run),
        library("library-run", settings, run, "physical"),
        refusals("refusals-run", settings, run),
        write("write-run", settings, run),
        ethernet("ethernet-run", settings, run),
        tutorial("tutorial-run", settings, run),
        *noiommu(settings, run, "run", "noiommu", "lifetime", "device", "trace", "privilege",
                 "memory", "quarantine"),
        *noiommu(settings, debug, "debug", "heap", shape="contiguous", HEAP_CMA="y"),
        library("heap-library", settings, debug, "heap", "contiguous", hugepages=0),
        *noiommu(settings, iommu, "iommu", "mixed", "two_kinds", "extents", "heap", shape="mixed"),
        library("library-iommu", settings, iommu, "mixed", "mixed"),
        read("disk-iommu", settings, iommu, shape="mixed"),
        *modules.suites(settings, run, arm64),
        skips("skips-off", settings, off),
        *noiommu(settings, off, "off", "absent"),
        unit_tests("kunit", settings, kunit),
    ]


def long_suites(settings, run, debug, kunit, iommu, nullgroup, nogroup, compat, kcsan, arm64,
                arm64_64k):
    """Of make check-long: what make check has no time for."""
    return [
        unit_tests("kunit-all", settings, kunit, "unfiltered"),
        *noiommu(settings, debug, "debug", "noiommu", "lifetime", "device", "group", "extents",
                 "trace", "privilege", "memory", "quarantine"),
        *noiommu(settings, run, "long", "kill", NOIOMMU_ROUNDS="1000"),
        *noiommu(settings, debug, "debug", "kill", shape="unleaky", NOIOMMU_ROUNDS="300"),
        *noiommu(settings, debug, "debug", "mode", "reset", "hotreset", "removal", shape="ports"),
        *noiommu(settings, run, "slots", "reset", "hotreset", "removal", shape="slots"),
        *noiommu(settings, nullgroup, "nullgroup", "noiommu", "lifetime", "device", "extents",
                 "client", "own_memory"),
        *noiommu(settings, nogroup, "nogroup", "noiommu", "lifetime", "device"),
        *noiommu(settings, nogroup, "nogroup", "mode", "reset", "hotreset", "removal", shape="ports"),
        *noiommu(settings, compat, "compat", "noiommu", "lifetime", "device", "group"),
        *noiommu(settings, compat, "compat", "mode", "reset", "hotreset", "removal", shape="ports"),
        *noiommu(settings, iommu, "iommu", "noiommu", "lifetime", "device", "mode",
                 "group", "trace", shape="mixed"),
        *noiommu(settings, debug, "debug", "mixed", "two_kinds", shape="mixed"),
        *noiommu(settings, debug, "debug", "fuzz", options=("--seconds", "600"), limit=2 * LIMIT),
        *noiommu(settings, kcsan, "kcsan", "noiommu", "extents", "fuzz"),
        *(mock(f"{name}-kcsan", settings, kcsan, f"{name}_test") for name in ("race", "revoke")),
        read("disk-arm64", settings, arm64),
        refusals("refusals-arm64", settings, arm64),
        library("library-arm64", settings, arm64, "physical", "plain"),
        *noiommu(settings, arm64, "arm64", "noiommu", "lifetime", "device", "extents",
                 "trace"),
        *noiommu(settings, arm64_64k, "arm64-64k", "noiommu"),
        # What of it does not count on pages of 4 KiB
        *noiommu(settings, arm64_64k, "arm64-64k", "extents",
                 options=("-f", "noiommu_args", "-f", "noiommu_extents",
                          "-t", "other_place_in_page")),
        read("disk-arm64-64k", settings, arm64_64k),
        *(on_board(name, settings, arm64) for name in ("zcu102", "raspi3b", "roots")),
        *dpdktrial.suites(settings, run),
        Suite("deb", lambda: debtrial.suite(settings, run), run, settings.work / "deb.log"),
        *modules.long_suites(settings, run, arm64),
        Suite("dkms", lambda: dkmstrial.suite(settings, run), run, settings.work / "dkms.log"),
        *drift.suites(settings),
    ]


def offered(settings, found):
    """Of these suites, those that the base's series has the test of, and
    {name: why} of the others. A suite is called like the test, and the kernel."""
    reasons = bases.of(settings.base).without
    left_out = {suite.name: reasons[test] for suite in found
                if (test := suite.name.partition("-")[0]) in reasons}
    return [suite for suite in found if suite.name not in left_out], left_out


def of_other_bases(settings):
    """That the other bases' series build, boot and work."""
    found = []
    for base in bases.stored(settings.top):
        if base != settings.base:
            found += brief(settings.on(base))
    return found


def brief(settings):
    """A few suites on a base that is not the one that is being tested."""
    kernels = [Kernel(settings, name) for name in KERNELS]
    chosen = bases.of(settings.base).brief
    return [version(settings), configs.suite(settings),
            *(dataclasses.replace(suite, name=f"{suite.name.removesuffix('-run')}-{settings.base}")
              for suite in suites(settings, *kernels) if suite.name in chosen)]


def version(settings):
    """That there is a version of the base which takes the series, and what was
    passed over for it."""
    name = f"base-{settings.base}"

    def run():
        with shared(settings):
            repo = tree.made(settings)
        if not repo:
            with exclusive(settings):
                repo = tree.ensure(settings)
        return ktap.document([(f"Linux {tree.version(repo)}", "")],
                             [(f"Linux {newer}", f"passed over: {reason}")
                              for newer, reason in tree.passed_over(settings).items()])
    return Suite(name, run)


def scripts(settings):
    """The unit tests of these scripts, in a process of their own."""
    command = [sys.executable, "-B", str(settings.top / "scripts/tests/run.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=900)
    return ktap.of_program("scripts", result.stdout, result.returncode,
                           "" if result.returncode == 0 else result.stderr[-2000:])


READS = {  # how, and the options of noiommu-nvme for it
    "scattered pages, polling": "",
    "scattered pages, interrupts": "--irq",
    "huge pages, polling": "--memory=hugetlb",
    "huge pages, interrupts": "--memory=hugetlb --irq",
}


def as_it_is(name, settings, kernel):
    """That a driver runs on a base which has the ioctl itself, but no extents."""
    if not bases.of(settings.base).knows_get_pa:
        return []
    plain = Kernel(settings.without_series(settings.base), "run")
    return [read(name, settings, plain, lambda _: programs.noiommu_nvme(kernel), extents=False)]


def read(name, settings, kernel, program=programs.noiommu_nvme, extents=True, shape="plain"):
    def run():
        progress = Progress(name)
        result, reports = diskread.run(settings, kernel, name, READS.values(),
                                       lambda data: progress.update(), program, shape)
        progress.clear()
        results = [(f"{name}: {how}", diskread.problem(report, extents,
                                                        translated=shape == "mixed"))
                   for how, report in zip(READS, reports)]
        return ktap.document(results + [(f"kernel log of {name}", result.trouble())])
    return Suite(name, run, kernel, settings.work / f"{name}.log")


def library(name, settings, kernel, kind, shape="gigantic", **more):
    """libvfiodma, beside pagemap and the DMA of devices."""
    def make_job():
        return Job(program=programs.TESTS / "vfiodma/guest.sh", args=(kind,),
                   files={"guest-test": programs.library_test(kernel)}, **more)
    return guest_suite(name, settings, kernel, make_job, shape)


KTAP = {"ktap.sh": ROOT / "ktap.sh"}   # for scripts that are tests


def refusals(name, settings, kernel):
    """What the driver says of devices that it cannot drive."""
    def make_job():
        return Job(program=ROOT / "refusals.sh",
                   files={**KTAP, "noiommu-nvme": programs.noiommu_nvme(kernel)})
    return guest_suite(name, settings, kernel, make_job, "single")


def write(name, settings, kernel):
    """What the driver writes to the disk, and what not."""
    def make_job():
        return Job(program=ROOT / "write-disk.sh",
                   files={**KTAP, "noiommu-nvme": programs.noiommu_nvme(kernel)})
    return guest_suite(name, settings, kernel, make_job)


def ethernet(name, settings, kernel):
    """Frames from one port to another and back."""
    def make_job():
        return Job(program=ROOT / "ethernet.sh",
                   files={**KTAP, "noiommu-eth": programs.tools_vfio(kernel) / "noiommu-eth"})
    return guest_suite(name, settings, kernel, make_job, "net")


def tutorial(name, settings, kernel):
    """The first driver of the guide, built against an install of the library."""
    def make_job():
        return Job(program=ROOT / "tutorial.sh", files=programs.tutorial(kernel))
    return guest_suite(name, settings, kernel, make_job)


def skips(name, settings, kernel):
    """The tests on a kernel without what they test: none of them may fail, or
    pass."""
    def make_job():
        without = {"absent", *bases.of(settings.base).without}
        files = [of_devices(kernel, name) for name in (*NOIOMMU, *OWN) if name not in without]
        return Job(program=ROOT / "skips.sh", args=tuple(file.name for file in files),
                   files={file.name: file for file in files})
    return guest_suite(name, settings, kernel, make_job)


def unit_tests(name, settings, kernel, shape="plain"):
    """The kernel's unit tests, of the IO page tables."""
    def make_job():
        return Job(program=ROOT / "kunit.sh")
    return guest_suite(name, settings, kernel, make_job, shape)


NOIOMMU = {  # tests of the series: suite and program
    "noiommu": "vfio_iommufd_noiommu_test",
    "lifetime": "vfio_iommufd_noiommu_lifetime_test",
    "mode": "vfio_iommufd_noiommu_mode_test",
    "reset": "vfio_iommufd_noiommu_reset_test",
    "removal": "vfio_iommufd_noiommu_removal_test",
    "mixed": "vfio_iommufd_noiommu_mixed_test",
    "absent": "vfio_iommufd_noiommu_off_test",
}
OWN = ("client", "device", "extents", "fuzz", "group", "heap", "hotreset", "kill", "memory",
       "own_memory", "privilege", "quarantine", "trace", "two_kinds")  # of tests/vfio


def of_devices(kernel, name):
    """The program of one of these."""
    if name in OWN:
        return programs.own_test(kernel, "vfio", f"{name}_test")
    return programs.selftest(kernel, "vfio", NOIOMMU[name])


# How the test that unplugs a device has the machine do it, see vm.Requests
HOTPLUG = {f"NOIOMMU_{verb.upper()}": f"echo {verb} hot >/dev/ttyS2"
           for verb in ("plug", "unplug")}


def noiommu(settings, kernel, suffix, *names, shape="plain", options=(), limit=LIMIT,
            **environment):
    """A suite for each of some of these tests."""
    if machine.SHAPES[shape].hotplug:
        environment.update(HOTPLUG)

    def suite(name):
        def make_job():
            return Job(program=of_devices(kernel, name),
                       args=(*options, bdf(name, shape)), environment=environment)
        return guest_suite(f"{name}-{suffix}", settings, kernel, make_job, shape, limit)
    return [suite(name) for name in names]


def bdf(name, shape):
    """The device that a test is about; all of them are edu."""
    if shape == "mixed":
        return machine.BYPASS_EDU
    return {"reset": machine.PAIR_EDU, "hotreset": machine.PAIR_EDU,
            "removal": machine.HOT_EDU}.get(name, machine.EDU)


def on_board(shape, settings, kernel):
    """The test of tests/boards for a machine: of its DMA engine, or of what devices on
    its buses see of memory."""
    # The one makes huge pages of most of the memory, the other takes a few
    test, hugepages = ("roots_test", 0) if shape == "roots" else ("engine_test", 16)

    def make_job():
        return Job(program=programs.own_test(kernel, "boards", test), hugepages=hugepages)
    return guest_suite(f"board-{shape}", settings, kernel, make_job, shape)


def program(name, settings, kernel, suite, test, args=()):
    """A test program of the tree's selftests."""
    def make_job():
        return Job(program=programs.selftest(kernel, suite, test), args=args)
    return guest_suite(name, settings, kernel, make_job)


def mock(name, settings, kernel, test):
    """A test of tests/iommu."""
    return guest_suite(name, settings, kernel,
                       lambda: Job(program=programs.own_test(kernel, "iommu", test)))


def installed(collection, settings, kernel):
    """All of a kselftest collection, from an install and by its own runner."""
    return guest_suite(f"kselftest-{collection}", settings, kernel,
                       lambda: kselftest.job(kernel, collection))


def installed_own(collection, settings, kernel, name, **part):
    """The same with a folder of tests/, or a part of it."""
    return guest_suite(name, settings, kernel,
                       lambda: kselftest.own_job(kernel, collection, **part))


def guest_suite(name, settings, kernel, make_job, shape="plain", limit=LIMIT):
    counts = races.concerns(kernel) if kernel and kernel.set.name == "kcsan" else None

    def run():
        job = make_job()
        progress = Progress(name)
        result = guest.run(settings, kernel, job, name, limit, MEMORY, ktap.Meter(progress),
                           shape=shape)
        progress.clear()
        return ktap.of_program(name, result.output.decode(errors="replace").replace("\r", ""),
                               result.status, result.trouble(counts)
                               or (races.unwatched(result.log_text()) if counts else ""))
    return Suite(name, run, kernel, settings.work / f"{name}.log")


def document_of(suite):
    """Runs a suite: its document. A suite that cannot run has failed, whatever the
    reason."""
    try:
        if suite.kernel:
            suite.kernel.ready()
        text = suite.run()
    except NotOffered as missing:
        text = ktap.skipped(suite.name, missing.cause)
    except Failure as failure:
        text = ktap.document([(suite.name, failure.report())])
    except subprocess.TimeoutExpired as late:
        text = ktap.document([(suite.name, str(late))])
    except Exception:   # a fault of these tools, which must not take the other results along
        text = ktap.document([(suite.name, traceback.format_exc())])
    lost = vm.LOST.pop(suite.name, "")
    return text + "".join(f"# a guest was lost: {line}\n" for line in lost.splitlines())
