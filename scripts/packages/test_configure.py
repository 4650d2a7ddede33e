# SPDX-License-Identifier: GPL-2.0-only
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from packages import modsource, options

VFIO = "CONFIG_VFIO=m\n"
CONFIG = ("CONFIG_MODULES=y\nCONFIG_IOMMU_SUPPORT=y\nCONFIG_IOMMU_API=y\nCONFIG_PCI=y\n"
          "CONFIG_INTERVAL_TREE=y\nCONFIG_EVENTFD=y\nCONFIG_IRQ_BYPASS_MANAGER=m\n"
          "CONFIG_DEBUG_INFO_BTF=y\n")
AMDV1 = "0x0\tpt_iommu_amdv1_init\tvmlinux\tEXPORT_SYMBOL_GPL\tGENERIC_PT_IOMMU\n"
SPAN = "0x0\tinterval_tree_span_iter_first\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
DRIVER = "0x0\t_iommufd_object_depend\tvmlinux\tEXPORT_SYMBOL_GPL\tIOMMUFD\n"


class MadeUp(unittest.TestCase):
    """The package's configure, and headers of kernels that are made up."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top, self.kdir = (pathlib.Path(scratch.name, name) for name in ("top", "kdir"))
        self.top.mkdir()
        for name in ("configure", "adapt"):
            shutil.copy(modsource.DKMS / name, self.top / name)
        self.write("options", options.text(options.chosen()))
        self.write("bases", "v6.12 6.12.107\nv6.12 6.12.95\nv7.2 7.2.13\n")
        self.write("version", "1.5+edits\n")
        self.write("kbuild.list", "")
        for path in ("generic_pt/x.h", "iommufd/driver.c"):
            self.write(f"src/7.2.13/drivers/iommu/{path}", "")

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def kernel(self, version="7.2.13", config="", symbols=""):
        numbers = zip(("MAJOR", "PATCHLEVEL", "SUBLEVEL"), version.split("."))
        for name, text in (
                ("include/generated/uapi/linux/version.h",
                 "".join(f"#define LINUX_VERSION_{name} {value}\n" for name, value in numbers)),
                ("include/config/auto.conf", CONFIG + VFIO + config),
                ("include/config/kernel.release", f"{version}+deb-amd64\n"),
                ("Module.symvers", symbols), ("vmlinux", "")):
            path = self.kdir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run_it(self, command="base", **environment):
        return subprocess.run(["sh", str(self.top / "configure"), command, str(self.kdir)],
                              capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", **environment})


class Configure(MadeUp):
    def refusal(self):
        done = self.run_it()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        return done.stderr

    def test_the_kernels_own_version(self):
        self.kernel()
        self.assertEqual(self.run_it().stdout, "7.2.13\n")

    def test_the_next_older_version(self):
        for version, base in (("6.12.95", "6.12.95"), ("6.12.106", "6.12.95"),
                              ("6.12.107", "6.12.107")):
            self.kernel(version)
            self.assertEqual(self.run_it().stdout, f"{base}\n")

    def test_versions_out_of_range_are_refused(self):
        for version in ("6.12.94", "6.12.108", "7.2.14", "7.4.0", "6.1.5"):
            self.kernel(version)
            said = self.refusal()
            self.assertIn(f"not for Linux {version}+deb-amd64", said)
            self.assertIn(f"install linux-source-{version.rpartition('.')[0]} ", said)

    def test_what_is_built_in_is_refused(self):
        for name in ("VFIO", "IOMMUFD"):
            self.kernel(config=f"CONFIG_{name}=y\n")
            (self.kdir / "include/config/auto.conf").write_text(CONFIG + f"CONFIG_{name}=y\n")
            self.assertIn(f"it has CONFIG_{name}=y", self.refusal())

    def test_what_is_lacking_is_named(self):
        self.kernel()
        (self.kdir / "include/config/auto.conf").write_text(
            VFIO + CONFIG.replace("CONFIG_IOMMU_API=y\n", ""))
        self.assertIn("it has no CONFIG_IOMMU_API", self.refusal())

    def test_structs_have_to_be_known(self):
        self.kernel()
        (self.kdir / "vmlinux").unlink()
        self.assertIn("there is no vmlinux", self.refusal())
        (self.kdir / "include/config/auto.conf").write_text(
            VFIO + CONFIG.replace("CONFIG_DEBUG_INFO_BTF=y\n", ""))
        self.assertIn("it has no CONFIG_DEBUG_INFO_BTF", self.refusal())

    def test_no_headers(self):
        self.assertIn("are its headers installed", self.refusal())

    def test_namespaces_have_to_count(self):
        self.kernel(config="CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y\n")
        self.assertIn("without the namespaces", self.refusal())

    def written(self, **kernel):
        self.kernel(**kernel)
        done = self.run_it("write")
        self.assertEqual(done.returncode, 0, done.stderr)
        return [(self.top / "generated" / name).read_text()
                for name in ("options.h", "options.mk")]

    def test_what_the_kernel_lacks_is_carried(self):
        header, make = self.written()
        for name in ("AMDV1", "SPAN", "DRIVER"):
            self.assertIn(f"#define NOIOMMU_CARRY_{name} 1\n", header)
            self.assertIn(f"OPTIONS += NOIOMMU_{name}=y\n", make)

    def test_what_it_has_is_not_but_for_the_page_table(self):
        header, make = self.written(symbols=AMDV1 + SPAN + DRIVER)
        self.assertIn("#define NOIOMMU_CARRY_AMDV1 1\n", header)
        for name in ("SPAN", "DRIVER"):
            self.assertNotIn(f"NOIOMMU_CARRY_{name}", header)
            self.assertNotIn(f"NOIOMMU_{name}=y", make)

    def test_the_kernels_own_options_do_not_count(self):
        header, make = self.written(config="CONFIG_VFIO_NOIOMMU=n\nCONFIG_IOMMUFD=n\n")
        for line in ("#undef CONFIG_VFIO_NOIOMMU\n", "#define CONFIG_VFIO_NOIOMMU 1\n",
                     "#define CONFIG_IOMMUFD_MODULE 1\n", "#undef CONFIG_IOMMUFD_TEST\n"):
            self.assertIn(line, header)
        self.assertNotIn("#define CONFIG_IOMMUFD_TEST", header)
        self.assertIn("OPTIONS += CONFIG_IOMMUFD=m\n", make)

    def test_versions_of_the_package_do_not_mix(self):
        header, _ = self.written()
        self.assertIn("#define NOIOMMU_MARKER vfio_noiommu_1_5_edits\n", header)
        self.assertIn('#define DEFAULT_SYMBOL_NAMESPACE "VFIO_NOIOMMU_1_5_edits"\n', header)

    def modules(self, **kernel):
        self.kernel(**kernel)
        return self.run_it("modules").stdout.split()

    def test_the_modules(self):
        few = ["iommufd", "vfio", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci"]
        self.assertEqual(self.modules(), few)
        self.assertEqual(self.modules(config="CONFIG_VFIO_MDEV=m\nCONFIG_QAT_VFIO_PCI=m\n"),
                         few + ["mdev", "qat_vfio_pci"])
        self.assertIn("vfio-platform", self.modules(config="CONFIG_ARM64=y\n"))
        self.write("options", options.text({**options.chosen(),
                                            "CONFIG_MODULES_VFIO_CONTAINER": "n"}))
        self.assertEqual(self.modules(), [name for name in few if name != "vfio_iommu_type1"])


class Options(unittest.TestCase):
    def test_all_are_on(self):
        found = options.chosen()
        self.assertIn("CONFIG_MODULES_IOMMUFD", found)
        self.assertEqual(set(found.values()), {"y"})
        self.assertEqual(len(found), options.FILE.read_text().count("\nconfig "))

    def test_what_depends_on_an_option_that_is_off(self):
        on = "".join(f"{name}=y\n" for name in options.chosen()
                     if name != "CONFIG_MODULES_VFIO_DEVICE_CDEV")
        config = on.replace("CONFIG_MODULES_IOMMUFD=y", "# CONFIG_MODULES_IOMMUFD is not set")
        self.assertEqual([name for name, value in options.chosen(config).items() if value == "n"],
                         ["CONFIG_MODULES_IOMMUFD", "CONFIG_MODULES_VFIO_DEVICE_CDEV"])

    def test_a_config_that_does_not_ask_for_them(self):
        self.assertEqual(options.chosen('CONFIG_BASE="7.2"\n'), options.chosen())


class Adapt(MadeUp):
    """Sources for a version that there are none for, out of the kernel's own."""

    NEW = "--- /dev/null\n+++ b/drivers/vfio/new.c\n@@ -0,0 +1 @@\n+new\n"
    EDIT = ("--- a/drivers/vfio/old.c\n+++ b/drivers/vfio/old.c\n@@ -1,3 +1,3 @@\n"
            " one\n-two\n+second\n three\n")

    def setUp(self):
        super().setUp()
        self.write("src/v7.2.patch", "diff --git a/drivers/vfio/new.c b/drivers/vfio/new.c\n"
                   "new file mode 100644\n" + self.NEW + self.EDIT)
        self.write("src/v7.2.paths", "drivers/vfio/old.c\ndrivers/vfio/new.c\n")
        self.write("kbuild.list", "options drivers/vfio/Kbuild\noptions drivers/none/Kbuild\n")
        self.source("7.4.1", "one\ntwo\nthree\n")
        self.kernel("7.4.1")

    def source(self, version, content):
        numbers = zip(("VERSION", "PATCHLEVEL", "SUBLEVEL"), version.split("."))
        self.write("tree/Makefile", "".join(f"{name} = {value}\n" for name, value in numbers))
        self.write("tree/drivers/vfio/old.c", content)
        self.write("tree/drivers/vfio/other.c", "other\n")

    def adapt(self, source="tree"):
        return self.run_it(KERNEL_SOURCE=str(self.top / source))

    def check(self, done):
        self.assertEqual((done.returncode, done.stdout), (0, "7.4.1\n"), done.stderr)
        made = self.top / "adapted/7.4.1"
        self.assertEqual((made / "drivers/vfio/old.c").read_text(), "one\nsecond\nthree\n")
        self.assertEqual((made / "drivers/vfio/new.c").read_text(), "new\n")
        self.assertTrue((made / "drivers/vfio/Kbuild").exists())
        self.assertFalse((made / "Makefile").exists())

    def test_a_tree_that_takes_the_patches(self):
        self.check(self.adapt())

    def test_a_tarball_that_does(self):
        subprocess.run(["tar", "-C", str(self.top), "-cJf", str(self.top / "linux.tar.xz"),
                        "tree"], check=True)
        self.check(self.adapt("linux.tar.xz"))

    def test_one_that_does_not(self):
        self.source("7.4.1", "one\n2\nthree\n")
        done = self.adapt()
        self.assertEqual(done.returncode, 1)
        self.assertIn("the patches for 7.2 do not go onto", done.stderr)
        self.assertFalse((self.top / "adapted/7.4.1").exists())

    def test_one_of_another_version(self):
        self.source("7.4.2", "one\ntwo\nthree\n")
        self.assertIn("is Linux 7.4.2, not 7.4.1", self.adapt().stderr)

    def test_what_later_versions_have_themselves(self):
        self.write("src/v7.2.older-x.patch", "--- a/drivers/vfio/old.c\n"
                   "+++ b/drivers/vfio/old.c\n@@ -1,3 +1,3 @@\n-1\n+one\n two\n three\n")
        self.check(self.adapt())
        shutil.rmtree(self.top / "adapted")
        self.source("7.4.1", "1\ntwo\nthree\n")
        self.check(self.adapt())


if __name__ == "__main__":
    unittest.main()
