# SPDX-License-Identifier: GPL-2.0-only
"""What .config is asked for, and the Kconfig that it is made by."""

import contextlib
import io
import re
import unittest
from unittest import mock

from build import menu
from cli import dotconfig, main
from cli.variables import from_environment
from common.settings import TOP
from common.ui import Failure
from tests.folder import FolderTest
from tests.made import SETTINGS, TREE

WRITTEN = """\
CONFIG_BASE_7_3=y
CONFIG_BASE="7.3"
# CONFIG_SET_ANY is not set
CONFIG_SET="debug"
CONFIG_MACHINE="plain"
CONFIG_MODULES_VFIO_GROUP=y
"""


class DotConfig(FolderTest):
    def setUp(self):
        super().setUp()
        for name in ("patches", "configs"):
            (self.folder / name).symlink_to(TOP / name)

    def not_said(self, text, **env):
        self.file(".config", text.encode())
        return dotconfig.not_said(env, self.folder)

    def test_what_is_chosen(self):
        self.assertEqual(self.not_said(WRITTEN),
                         {"BASE": "7.3", "CONFIG": "debug", "MACHINE": "plain"})
        self.assertEqual(self.not_said(""), {})

    def test_there_need_be_none(self):
        self.assertEqual(dotconfig.not_said({}, self.folder), {})

    def test_the_command_line_wins(self):
        self.assertEqual(self.not_said(WRITTEN, BASE="7.2", MACHINE="mixed"), {"CONFIG": "debug"})
        # make exports what nobody has named as well
        self.assertEqual(self.not_said(WRITTEN, BASE="", CONFIG="run")["BASE"], "7.3")

    def test_settings_of_both(self):
        with mock.patch("cli.dotconfig.not_said", lambda _: {"BASE": "7.3", "CONFIG": "debug"}), \
             mock.patch.dict("os.environ", {"MACHINE": "mixed", "BASE": ""}, clear=True), \
             mock.patch("cli.main.say") as say:
            chosen = main.settings_of("run")
        self.assertEqual((chosen.base, chosen.config, chosen.machine, chosen.chosen,
                          chosen.fallbacks), ("v7.3", "debug", "mixed", True, ()))
        say.assert_called_once_with("from .config: BASE=7.3 CONFIG=debug")

    def test_what_there_is_not_is_refused_with_words(self):
        for wrong, right in (('CONFIG_BASE="9.9"', "7.2"), ('CONFIG_SET="fast"', "debug"),
                             ('CONFIG_MACHINE="toaster"', "mixed"), ('CONFIG_ACCEL="xen"', "tcg")):
            with self.assertRaisesRegex(Failure, rf"\.config says {wrong}, .*{right}.*menuconfig"):
                self.not_said(wrong)
        self.assertEqual(self.not_said('CONFIG_BASE="9.9"', BASE="7.2"), {})

    def test_menuconfig_mends_it(self):
        refuse = mock.Mock(side_effect=Failure("no such base"))
        with mock.patch("cli.dotconfig.not_said", refuse):
            for command in main.CONFIGURING:
                main.settings_of(command)
            with self.assertRaises(Failure):
                main.settings_of("run")

    def test_what_is_as_usual_is_not_worth_a_word(self):
        self.assertEqual(dotconfig.words({"MACHINE": "plain", "ACCEL": "auto"}), "")


def results():
    """{option: {the choice's option: value}} of the Kconfig at the top."""
    text = (TOP / "Kconfig").read_text()
    return {f"CONFIG_{option}": {f"CONFIG_{choice}": value for value, choice in
                                 re.findall(r'^\tdefault "(.*)" if (\w+)$', lines, re.M)}
            for option, lines in re.findall(r"^config (\w+)\n\tstring\n((?:\t.*\n)+)", text, re.M)}


class Kconfig(FolderTest):
    def test_there_is_a_choice_of_all_that_there_is(self):
        self.assertEqual({option: sorted(found.values()) for option, found in results().items()},
                         {dotconfig.OPTIONS[name]: sorted(values)
                          for name, values in dotconfig.allowed().items()})

    def test_what_rooms_have_to_configure_is_asked(self):
        text = (TOP / "Kconfig").read_text()
        for file in (TOP / "scripts").rglob("Kconfig"):
            self.assertIn(f'\nsource "{file.relative_to(TOP)}"\n', text)

    def conf(self, program, text):
        """What becomes of a .config."""
        config = self.file("config", text.encode())
        menu.call([program, "--olddefconfig"], TOP, config, self.folder, capture_output=True,
                  check=True)
        return dotconfig.read(config)

    @unittest.skipUnless((TREE / "scripts/kconfig/conf.c").exists(), "there is no made tree")
    def test_each_choice_is_written_and_read(self):
        usual = dotconfig.USUAL
        with contextlib.redirect_stderr(io.StringIO()):
            program = menu.built(SETTINGS, "conf")
        self.assertEqual(self.conf(program, ""), usual)
        for name, option in dotconfig.OPTIONS.items():
            for choice, value in results()[option].items():
                found = self.conf(program, f"{choice}=y\n")
                self.assertEqual(found, {**usual, name: value})
                from_environment(found)
