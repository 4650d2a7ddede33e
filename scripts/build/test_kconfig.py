# SPDX-License-Identifier: GPL-2.0-only
"""Config sets, and whether a made config has what they ask for."""

from build import kconfig
from common import settings
from common.ui import Failure
from tests.folder import FolderTest


class Config(FolderTest):
    def setUp(self):
        super().setUp()
        self.fragment = self.folder / "my.config"

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
