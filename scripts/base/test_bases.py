# SPDX-License-Identifier: GPL-2.0-only
"""The order of bases."""

import unittest

from base import bases
from common import settings


class Order(unittest.TestCase):
    def test_entries_first_then_the_newest(self):
        self.assertEqual(bases.in_order(["v6.1", "v9.10", "v6.12", "v9.9", "v7.2"]),
                         ["v7.2", "v6.12", "v9.10", "v9.9", "v6.1"])

    def test_every_stored_series_has_an_entry(self):
        self.assertLessEqual(set(bases.stored(settings.TOP)), set(bases.BASES))
