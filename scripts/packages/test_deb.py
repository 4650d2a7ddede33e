# SPDX-License-Identifier: GPL-2.0-only
"""make deb, without a kernel: configs, what is said, what its test makes of a
guest's output."""

import gzip

from build import kconfig
from common import settings
from common.ui import Failure
from packages import deb, debconfig
from tests.folder import FolderTest

DISTRIBUTION = """\
CONFIG_MODULES=y
CONFIG_MODULE_SIG=y
CONFIG_MODULE_SIG_KEY=""
CONFIG_SYSTEM_TRUSTED_KEYS="debian/certs/a.pem"
CONFIG_SYSTEM_REVOCATION_KEYS=""
CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y
CONFIG_DEBUG_INFO_BTF=y
"""
FRAGMENT = settings.TOP / "configs/deb.config"


class Config(FolderTest):
    def test_the_users_choice(self):
        mine = self.file("config", b"CONFIG_A=y\n")
        self.assertEqual(debconfig.choose(str(mine), ()), mine.resolve())
        with self.assertRaisesRegex(Failure, "CONFIG_FROM=/nowhere"):
            debconfig.choose("/nowhere", (str(mine),))

    def test_that_of_the_running_kernel(self):
        mine = self.file("config", b"CONFIG_A=y\n")
        self.assertEqual(debconfig.choose("", ("/nowhere", str(mine))), mine)
        with self.assertRaisesRegex(Failure, "no /nowhere: .*CONFIG_FROM="):
            debconfig.choose("", ("/nowhere",))

    def test_read(self):
        text = b"# CONFIG_B is not set\nCONFIG_A=y\n"
        self.assertEqual(debconfig.read(self.file("plain", text)), text.decode())
        self.assertEqual(debconfig.read(self.file("packed", gzip.compress(text))), text.decode())
        for wrong in (b"hello\n", b"\xff\xfe", b"\x1f\x8b nothing"):
            with self.assertRaisesRegex(Failure, "wrong is no kernel config"):
                debconfig.read(self.file("wrong", wrong))

    def test_what_only_the_distributor_can_build_is_left_out(self):
        fragment, notes = debconfig.left_out(DISTRIBUTION)
        left = kconfig.parse(fragment)
        self.assertEqual(left["CONFIG_SYSTEM_TRUSTED_KEYS"], '""')
        self.assertEqual(left["CONFIG_DEBUG_INFO_NONE"], "y")
        self.assertEqual(left["CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT"], "n")
        self.assertNotIn("CONFIG_MODULE_SIG_KEY", left)
        self.assertNotIn("CONFIG_SYSTEM_REVOCATION_KEYS", left)
        self.assertEqual([note.split(" ")[0] for note in notes], ["what", "debug", "the"])

    def test_a_key_of_the_distributor_becomes_the_builds(self):
        fragment, _ = debconfig.left_out('CONFIG_MODULE_SIG_KEY="debian/certs/a.pem"\n')
        self.assertEqual(fragment, 'CONFIG_MODULE_SIG_KEY="certs/signing_key.pem"\n')
        self.assertEqual(debconfig.left_out(fragment), ("", []))

    def verify(self, **changes):
        wanted = {option: value for option, (value, _) in kconfig.wanted([FRAGMENT]).items()}
        wanted.update({f"CONFIG_{option}": value for option, value in changes.items()})
        self.file(".config", "".join(f"{option}={value}\n" for option, value in wanted.items()
                                     if value != "n").encode())
        debconfig.verify(self.folder, FRAGMENT)

    def test_the_feature_may_be_built_in(self):
        self.verify()
        self.verify(VFIO="y", IOMMUFD="y")
        with self.assertRaisesRegex(Failure, "CONFIG_VFIO_NOIOMMU=y"):
            self.verify(VFIO_NOIOMMU="n")
        with self.assertRaisesRegex(Failure, "CONFIG_VFIO=m"):
            self.verify(VFIO="n")

    def test_it_has_what_the_guests_have(self):
        guests = kconfig.wanted([settings.TOP / "configs/noiommu.config"])
        self.assertLessEqual(guests.keys() - {"CONFIG_VFIO_GROUP", "CONFIG_VFIO_CONTAINER"},
                             kconfig.wanted([FRAGMENT]).keys())


class Version(FolderTest):
    def test_higher_with_each_build(self):
        chosen = settings.Settings("v7.2", top=self.folder)
        chosen.source.mkdir(parents=True)
        (chosen.source / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 9\n"
                                                "EXTRAVERSION =\n")
        packages = deb.Packages(chosen, self.folder / "deb")
        self.assertEqual(packages.version(), "7.2.9-1")
        packages.out.mkdir(parents=True)
        (packages.out / ".version").write_text("4\n")  # as kbuild counts
        self.assertEqual(packages.version(), "7.2.9-5")
