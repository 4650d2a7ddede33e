# SPDX-License-Identifier: GPL-2.0-only
"""The test of `make dkms`: the package in a Debian root with dkms, which builds for the
kernel there and for the one that the kernel's packages are upgraded to, and is removed
again. The upgraded kernel boots with the root, and reads the disk."""

import pathlib
import shutil
import tempfile

from checks import debtrial, ktap
from packages import debfile, dkmsdeb, libdeb, root, stock
from packages.root import Root

NAME = "dkms"
SUITE = "trixie"
BEFORE, AFTER = ("v6.12", "trixie"), ("v7.3", "trixie-backports")
FLAVOUR = next(iter(stock.FLAVOURS))
TOOLS = ("initramfs-tools", "dkms", "openssl")
MODULES = ("iommufd", "vfio", "vfio_iommu_type1", "vfio_pci", "vfio_pci_core")
ROOT_SIZE = 6 << 30

# The larger examples of the library, and what they are made of
DRIVERS = {"noiommu-nvme": "noiommu-nvme.c nvme*.c", "noiommu-eth": "noiommu-eth.c e1000e.c"}


def suite(settings, run_kernel):
    """KTAP of the whole way."""
    if problem := root.problem():
        return ktap.skipped(NAME, problem)
    package = dkmsdeb.build(settings)
    pristine = Root(settings, SUITE).ensure()
    with tempfile.TemporaryDirectory(dir=settings.build, prefix="dkms.") as scratch:
        trial = Trial(settings, pristine.copy(pathlib.Path(scratch, "root")), package)
        trial.clean()
        library = libdeb.build(settings, package.parent)
        results = trial.lintian([package, *library]) + trial.library(library)
        results += trial.install() + trial.upgrade()
        result = trial.boot(run_kernel, pathlib.Path(scratch, "root.img"))
        results += debtrial.results(result, trial.after)
        return ktap.document(results + trial.purge())


class Trial:
    def __init__(self, settings, folder, package):
        self.settings, self.root, self.package = settings, folder, package
        self.before, self.after = (
            stock.Stock(settings.on(base), suite, FLAVOUR, None).newest(folder)
            for base, suite in (BEFORE, AFTER))

    def clean(self):
        """Of what other tests have built in the root that this is a copy of."""
        for file in (self.root.folder / "root").glob("modules-*"):
            shutil.rmtree(file)
        have = self.root.ask("dpkg-query", "-W", "-f", "${Package}\n").split()
        kernels = [name for name in have if name.startswith(("linux-headers-", "linux-image-",
                                                             "linux-modules-", "linux-binary-",
                                                             "linux-base-", "linux-kbuild-"))]
        if kernels:
            self.step("remove kernels", "apt-get", "purge", "-q", "-y", *kernels)

    def step(self, title, *command):
        self.root.run(title, *command, log="dkms-trial")

    def apt(self, title, *packages):
        self.step(title, "apt-get", "install", "-q", "-y", "--no-install-recommends", *packages)

    def kernel(self, release, suite):
        self.apt(f"install Linux {release}", "-t", suite, f"linux-image-{release}",
                 f"linux-headers-{release}", *TOOLS)

    def install(self):
        self.kernel(self.before, BEFORE[1])
        self.apt("install the package", *self.bring([self.package]))
        program = self.root.folder / "usr/bin/noiommu-nvme"
        return [(f"installed for {self.before}", self.ours(self.before)),
                ("noiommu-nvme is built", "" if self.root.ask("noiommu-nvme", "--help")
                 else f"{program} does not run"),
                ("the modules are signed", self.unsigned(self.before))]

    def bring(self, packages):
        """Their paths in the root."""
        for file in packages:
            shutil.copy(file, self.root.folder / "tmp" / file.name)
        return [f"/tmp/{file.name}" for file in packages]

    def lintian(self, packages):
        """What Debian's own checker has to say of the packages."""
        self.apt("install lintian", "lintian")
        files = self.bring(packages)
        *found, status = self.root.ask(
            "sh", "-c", 'lintian --allow-root --fail-on error,warning "$@"; echo $?', "lintian",
            *files).splitlines()
        return [("lintian has no error and no warning",
                 "" if status == "0" else "\n".join([*found, f"status {status}"]))]

    def older_library(self):
        """The package as it was up to this version, with the shared library in it."""
        folder = self.root.folder / "tmp/older"
        debfile.write(folder / "usr/lib/x86_64-linux-gnu/libvfiodma.so.1.0", "")
        debfile.write(folder / "DEBIAN/control",
                      f"Package: {libdeb.NAME}\nVersion: 1.204\nArchitecture: amd64\n"
                      f"Multi-Arch: same\nMaintainer: {debfile.MAINTAINER}\n"
                      "Description: the library before it was two packages\n")
        return debfile.pack(folder, folder.with_name("older.deb"), folder.with_name("older.log"))

    def library(self, packages):
        """Its examples are built as their reader would, with nothing else of the series
        there."""
        self.apt("install the library as it was", f"/tmp/{self.older_library().name}")
        self.apt("install the library", *self.bring(packages), "gcc", "libc6-dev", "pkgconf")
        self.step("build the library's example", "sh", "-c",
                  f"cc /usr/share/doc/{libdeb.NAME}/examples/vfiodma-identify.c "
                  "$(pkg-config --cflags --libs vfiodma) -o /tmp/identify")
        linked = self.root.ask("ldd", "/tmp/identify")
        for name, files in DRIVERS.items():
            self.step(f"build the library's {name}", "sh", "-c",
                      f"cd /usr/share/doc/{libdeb.NAME}/examples && "
                      f"cc {files} example*.c $(pkg-config --cflags --libs vfiodma) "
                      f"-o /tmp/{name}")
        self.step("purge the library", "apt-get", "purge", "-q", "-y",
                  *(file.name.partition("_")[0] for file in packages))
        left = [str(path) for path in self.root.folder.glob("usr/**/*vfiodma*")]
        return [("the library's examples are built",
                 "" if "libvfiodma.so.1 => /" in linked else f"ldd says: {linked}"),
                ("nothing of the library is left", ", ".join(left))]

    def upgrade(self):
        self.kernel(self.after, AFTER[1])
        return [(f"built for {self.after} when that is installed", self.ours(self.after)),
                (f"still there for {self.before}", self.ours(self.before))]

    def purge(self):
        self.step("purge the package", "apt-get", "purge", "-q", "-y", dkmsdeb.NAME)
        left = [str(path.relative_to(self.root.folder)) for pattern in (
            "usr/src/vfio-noiommu*", "var/lib/dkms/vfio-noiommu*", "usr/bin/noiommu-nvme",
            "usr/include/vfio-noiommu", "usr/lib/modules/*/updates/dkms/vfio*")
            for path in self.root.folder.glob(pattern)]
        return [(f"{release} has its own modules again", self.own(release))
                for release in (self.before, self.after)] + [
                    ("nothing is left", ", ".join(left))]

    def found(self, release):
        """{module: the file that modprobe takes}"""
        return {name: self.root.ask("modinfo", "-k", release, "-n", name).strip()
                for name in MODULES}

    def ours(self, release):
        return ", ".join(f"{name} is {file or 'not there'}"
                         for name, file in self.found(release).items()
                         if f"/{release}/updates/dkms/" not in file)

    def own(self, release):
        return ", ".join(f"{name} is {file}" for name, file in self.found(release).items()
                         if f"/{release}/kernel/" not in file and name != "iommufd"
                         or file and name == "iommufd")

    def unsigned(self, release):
        return ", ".join(name for name in MODULES
                         if not self.root.ask("modinfo", "-k", release, "-F", "signer", name))

    def boot(self, run_kernel, image):
        debtrial.add_job(self.root.folder,
                         self.root.folder / "usr/bin/noiommu-nvme")
        debtrial.pack(self.root.folder, image, ROOT_SIZE)
        return debtrial.boot(self.settings, run_kernel, NAME, self.root.folder / "boot",
                             self.after, image, cpus=1)
