# SPDX-License-Identifier: GPL-2.0-only
"""The variables of the command line."""

import unittest

from base import bases
from cli.variables import from_environment
from common import settings
from common.ui import Failure


class Settings(unittest.TestCase):
    def test_base_with_and_without_v(self):
        for text in ("7.3", "v7.3"):
            self.assertEqual(from_environment({"BASE": text}).base, "v7.3")
        self.assertEqual(from_environment({"BASE": ""}).version, "7.2")

    def test_wrong_values(self):
        for wrong in ({"BASE": "../x"}, {"BASE": "7"}, {"ACCEL": "xen"}, {"TIMEOUT": "1m"},
                      {"MACHINE": "toaster"}):
            with self.assertRaises(Failure):
                from_environment(wrong)

    def test_fallbacks_are_those_with_a_series(self):
        chosen = from_environment({})
        self.assertEqual([chosen.base, *chosen.fallbacks], bases.stored(settings.TOP))
        self.assertEqual(from_environment({"BASE": "7.2"}).fallbacks, ())
