# SPDX-License-Identifier: GPL-2.0-only
"""The map in the README: nothing at the top, and no room, that is not in it."""

import re
import unittest

from cli.main import COMMANDS
from common.gitrepo import Repo
from common.settings import TOP
from tests.rooms import ROOMS


def section(title):
    return re.search(rf"^## {title}\n(.*?)^## ", (TOP / "README.md").read_text(), re.M | re.S)[1]


def places():
    """What stands in the first column."""
    rows = re.findall(r"^\| (`.*?) \|", section("Map"), re.M)
    return [place for row in rows for place in re.findall(r"`(.*?)`", row)]


class Map(unittest.TestCase):
    @unittest.skipUnless((TOP / ".git").exists(), "git knows here what belongs to the project")
    def test_all_at_the_top_is_in_it(self):
        tracked = {path.partition("/")[0] for path in Repo(TOP).text("ls-files").splitlines()}
        self.assertEqual(tracked, {place.partition("/")[0] for place in places()}
                         - {"build", ".config"})

    def test_what_is_in_it_is_there(self):
        for place in set(places()) - {"build/", ".config"}:
            path = TOP / place
            self.assertTrue(path.is_dir() if place.endswith("/") else path.is_file(), place)

    def test_each_room_and_each_series_has_a_line(self):
        self.assertEqual({place for place in places() if re.match("scripts/.", place)},
                         {f"scripts/{room}/" for room in ROOMS})
        self.assertEqual({place for place in places() if re.match("patches/.", place)},
                         {f"patches/{file.parent.name}/" for file in TOP.glob("patches/*/series")})

    def test_each_command_is_told_of(self):
        help_text = (TOP / "scripts/cli/help.txt").read_text()
        for command in COMMANDS:
            self.assertRegex(section("Commands"), rf"\| `make {command}\b")
            self.assertRegex(help_text, rf"(?m)^make {command}\b")
