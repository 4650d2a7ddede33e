# SPDX-License-Identifier: GPL-2.0-only
"""Which tests of a collection run in which guest."""

import unittest

from checks import kselftest
from common import settings


class Parts(unittest.TestCase):
    listed = [f"vfio:{path.stem}" for path in sorted((settings.TOP / "tests/vfio").glob("*_test.c"))]

    def test_each_is_in_one_of_the_parts(self):
        parts = [kselftest.chosen(self.listed, lasting) for lasting in (False, True)]
        self.assertEqual(sorted(parts[0] + parts[1]), self.listed)
        self.assertFalse(set(parts[0]) & set(parts[1]))

    def test_what_takes_long_exists(self):
        self.assertEqual(kselftest.chosen(self.listed, True),
                         [f"vfio:{name}" for name in kselftest.LASTING])
