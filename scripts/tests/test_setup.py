# SPDX-License-Identifier: GPL-2.0-only
"""Settings, configs, where the base comes from, what is said."""

import io
import os
import pathlib
import tempfile
import unittest

import aptsource
import kconfig
import settings
import source
import ui
from ui import Failure


class Settings(unittest.TestCase):
    def test_base_with_and_without_v(self):
        for text in ("7.3", "v7.3"):
            self.assertEqual(settings.from_environment({"BASE": text}).base, "v7.3")
        self.assertEqual(settings.from_environment({"BASE": ""}).version, "7.2")

    def test_wrong_values(self):
        for wrong in ({"BASE": "../x"}, {"BASE": "7"}, {"ACCEL": "xen"}, {"TIMEOUT": "1m"},
                      {"MACHINE": "toaster"}):
            with self.assertRaises(Failure):
                settings.from_environment(wrong)


class Config(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.fragment = pathlib.Path(folder.name) / "my.config"

    def unmet(self, fragment, config, known=True, absent=()):
        self.fragment.write_text(fragment)
        return kconfig.unmet([self.fragment], config, lambda option: known, set(absent))

    def test_met(self):
        self.assertEqual(self.unmet("# why\nCONFIG_A=y\nCONFIG_B=n\nCONFIG_C=7\n",
                                    "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=7\n"), [])
        self.assertEqual(self.unmet("CONFIG_A=n\n", ""), [])

    def test_unmet_says_why(self):
        self.assertEqual(self.unmet("CONFIG_A=y\n", "CONFIG_A=m\n"),
                         ["my.config asks for CONFIG_A=y, but it came out as m"])
        self.assertIn("depends on", self.unmet("CONFIG_A=y\n", "")[0])
        self.assertIn("does not have", self.unmet("CONFIG_A=y\n", "", known=False)[0])

    def test_options_that_a_base_lacks(self):
        folder = self.fragment.parent
        (folder / "v9.9.lacking").write_text("# why\nCONFIG_A  since 9.10\n")
        absent = kconfig.lacking(folder, "v9.9")
        self.assertEqual(absent, {"CONFIG_A"})
        self.assertEqual(kconfig.lacking(folder, "v9.10"), set())
        self.assertEqual(self.unmet("CONFIG_A=y\n", "", known=False, absent=absent), [])
        self.assertTrue(self.unmet("CONFIG_B=y\n", "", known=False, absent=absent))
        self.assertIn("listed as lacking",
                      self.unmet("CONFIG_A=y\n", "CONFIG_A=y\n", absent=absent)[0])

    def test_sets(self):
        folder = settings.TOP / "configs"
        for name in ("run", "debug"):
            for fragment in kconfig.load(folder, name).fragments:
                self.assertTrue(kconfig.parse(fragment.read_text()), fragment)
        with self.assertRaisesRegex(Failure, "run, debug"):
            kconfig.load(folder, "nothing")

    def test_set_that_differs_from_another(self):
        folder = self.fragment.parent
        (folder / "sets").write_text("a 7 x.config\nb a y.config\n")
        made = kconfig.load(folder, "b")
        self.assertEqual((made.base, made.objects), ("a", 7))
        self.assertEqual([path.name for path in made.fragments], ["x.config", "y.config"])
        self.assertEqual(kconfig.load(folder, "a").base, "")

    def test_fragment_of_a_base_is_over_all_others(self):
        folder = self.fragment.parent
        (folder / "sets").write_text("a 7 x.config\nb a y.config\n")
        (folder / "v9.9.config").write_text("CONFIG_A=y\n")
        names = {base: [path.name for path in kconfig.load(folder, "b", base).fragments]
                 for base in ("v9.9", "v9.8")}
        self.assertEqual(names, {"v9.9": ["x.config", "y.config", "v9.9.config"],
                                 "v9.8": ["x.config", "y.config"]})


class Debian(unittest.TestCase):
    def test_mirror(self):
        self.assertEqual(aptsource.choose_mirror(
            "Debian|Debian-Security|http://s/\nOther|Debian|http://o/\n"
            "Debian|Debian|http://m/debian/\n"), "http://m/debian/")
        with self.assertRaises(Failure):
            aptsource.choose_mirror("Other|Other|http://o/\n")

    def test_newest_by_number(self):
        listing = (" linux-source-7.2 | 7.2.9-1 | http://m sid/main amd64 Packages\n"
                   " linux-source-7.2 | 7.2.13-1~bpo13+1 | http://m x/main amd64 Packages\n"
                   " linux-source-7.2 | 7.20.1-1 | http://m x/main amd64 Packages\n")
        self.assertEqual(aptsource.offered(listing, "7.2"), ["7.2.13-1~bpo13+1", "7.2.9-1"])
        self.assertEqual(aptsource.offered("", "7.2"), [])


class Version(unittest.TestCase):
    def test_check(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            with self.assertRaisesRegex(Failure, "no Makefile"):
                source.check_version(folder, "7.2")
            (folder / "Makefile").write_text("all:\n")
            with self.assertRaisesRegex(Failure, "no version"):
                source.check_version(folder, "7.2")
            (folder / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 0\n")
            self.assertEqual(source.check_version(folder, "7.2"), "7.2.0")
            with self.assertRaisesRegex(Failure, "7.2.0.*7.3"):
                source.check_version(folder, "7.3")


class Clock:
    now = 0

    def __call__(self):
        return self.now


class Progress(unittest.TestCase):
    def test_lines_where_nobody_watches(self):
        clock, stream = Clock(), io.StringIO()
        progress = ui.Progress("build", stream, clock)
        for clock.now in range(0, 100):
            progress.update(f"{clock.now} objects")
        progress.done("100 objects")
        self.assertEqual(stream.getvalue().splitlines(), [
            "build: 30 objects 0:30", "build: 60 objects 1:00", "build: 90 objects 1:30",
            "build: 100 objects (1:39)"])

    def test_failure_shows_the_end_of_its_log(self):
        with tempfile.NamedTemporaryFile("w") as log:
            log.write("".join(f"{number}\n" for number in range(100)))
            log.flush()
            text = Failure("it broke", log.name, tail=2).report()
            bare = Failure("it broke", log.name, tail=0).report()
        where = f"  full log: {os.path.relpath(log.name)}"
        self.assertEqual(text, f"error: it broke\n  | 98\n  | 99\n{where}")
        self.assertEqual(bare, f"error: it broke\n{where}")
