# SPDX-License-Identifier: GPL-2.0-only
"""The test of `make deb`: its image package, installed in a Debian root made for
that, boots from the root's own /boot and reads the disk."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from base import aptsource
from build import kernel, programs
from checks import ktap
from common import step
from common.ui import Failure, Progress
from guest import accel, disk, diskread, guest, machine, vm
from guest.initramfs import ROOT
from packages import deb, root as debian_root

NAME = "deb"
PACKAGES = "initramfs-tools,kmod"
READS = ("", "--irq")
ROOT_SIZE = 1 << 30
LIMIT = 900  # seconds; udev takes its time in an emulated machine
APPEND = "root=/dev/vda rw init=/job/init"


def suite(settings, run_kernel):
    """KTAP of the whole way. `run_kernel` is there to build the driver with."""
    if problem := debian_root.problem():
        return ktap.skipped(NAME, problem)
    packages = deb.Packages(settings, settings.work / "deb-trial")
    packages.configure(user_config(settings))
    image = packages.build(kernel.Kernel(settings, "debian").set.objects)[0]
    with tempfile.TemporaryDirectory(dir=settings.work, prefix="debian.") as scratch:
        root = pathlib.Path(scratch, "root")
        unpack(base(settings), root)
        install(root, image, settings.work / f"{NAME}-install.log")
        add_job(root, programs.noiommu_nvme(run_kernel))
        file_system = pathlib.Path(scratch, "root.img")
        pack(root, file_system)
        result = boot(settings, run_kernel, NAME, root / "boot", packages.release(),
                      file_system)
    return document(result, packages.release())


def user_config(settings):
    """That of a user whose kernel has nothing of VFIO."""
    user = kernel.Kernel(settings, "debian")
    user.configure()
    return user.out / ".config"


def base(settings):
    """A tarball of a small Debian with what makes an initramfs, kept for the next
    time."""
    suite_name = release()
    tarball = settings.build / f"debian-{suite_name}.tar"
    log = settings.build / "debootstrap.log"
    if not tarball.exists():
        with tempfile.TemporaryDirectory(dir=settings.build) as scratch:
            run(f"fetch Debian {suite_name}", log, "debootstrap", "--variant=minbase",
                f"--include={PACKAGES}", f"--keyring={aptsource.KEYRING}", suite_name,
                f"{scratch}/root", aptsource.mirror())
            partial = tarball.with_suffix(".new")
            run("pack it", log, "tar", "-C", f"{scratch}/root", "-cf", str(partial), ".")
            partial.rename(tarball)
    return tarball


def release():
    """The Debian that the machine's apt uses."""
    return choose_release(aptsource.listing("RELEASE"))


def choose_release(listing):
    names = [name for name in aptsource.of_debian(listing) if "-" not in name]
    if not names:
        raise Failure("apt on this machine has no Debian archive")
    return names[0]


def unpack(tarball, root):
    root.mkdir()
    subprocess.run(["tar", "-C", str(root), "--numeric-owner", "-xf", str(tarball)], check=True)


def install(root, package, log):
    """As `apt install` would: the package's scripts make the initramfs."""
    shutil.copy(package, root / "tmp")
    run("install the image package", log, "chroot", str(root), "dpkg", "-i",
        f"/tmp/{package.name}")
    (root / "tmp" / package.name).unlink()


def add_job(root, driver):
    job = root / "job"
    job.mkdir()
    for source, name in ((ROOT / "debian-init", "init"),
                         (diskread.SCRIPT, "program"), (driver, "noiommu-nvme"),
                         ("/bin/busybox", "busybox")):
        shutil.copy(source, job / name)
        (job / name).chmod(0o755)


def pack(root, image, size=ROOT_SIZE):
    with open(image, "wb") as file:
        file.truncate(size)
    run("make the root file system", image.with_suffix(".log"), "mke2fs", "-q", "-t", "ext4",
        "-d", str(root), str(image))


def run(title, log, *command):
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
    step.run(title, log, command, f"cannot {title}", env={
        **kernel.environment(), "PATH": path, "DEBIAN_FRONTEND": "noninteractive"})


def boot(settings, run_kernel, name, folder, release, file_system, cpus=2):
    """What is in /boot of the root, with that root on a disk of its own."""
    with tempfile.TemporaryDirectory(dir=settings.work, prefix="guest.") as scratch:
        which = accel.choose(settings, guest.maker(settings, run_kernel, pathlib.Path(scratch)))
    hardware = machine.Machine(which, folder / f"vmlinuz-{release}",
                               folder / f"initrd.img-{release}",
                               disk.make(settings.build / "disk.img"), append=APPEND,
                               root=file_system, cpus=cpus)
    progress = Progress(name)
    result = vm.run(hardware, name, settings.work, LIMIT, lambda data: progress.update())
    progress.clear()
    return result


def document(result, name):
    """KTAP of a guest's result."""
    return ktap.document(results(result, name))


def results(result, name):
    output = result.output.decode(errors="replace").replace("\r", "")
    said = output.split("\n")[0]
    found = [("the package's kernel runs",
               "" if said == f"release: {name}" else f"expected {name}: {said}")]
    found += [(f"disk, noiommu-nvme {options}".strip(), diskread.problem(report))
              for options, report in zip(READS, diskread.reports(output, len(READS)))]
    return found + [("mode, status and kernel log",
                     result.trouble() or status_problem(result.status))]


def status_problem(status):
    return f"the guest's program ended with status {status}" if status else ""
