# SPDX-License-Identifier: GPL-2.0-only
"""Which of what a document shows is C, and what becomes of it."""

import unittest

from checks.lint import guide

TEXT = """\
Step by step
============

These variables::

\tint device;

Turn it on::

\t# echo 1 > it; echo 2 > it;
\t$ cat it

A note is none::

\tit has no statement

Nor is a devicetree::

\tdma-ranges = <0x0 0x80000000>;

.. code-block:: c

\tdevice = open(WHAT, O_RDWR);

Later
=====
::

\tlong device = 2; /* another one */
\tdevice++;

.. literalinclude:: ../x/a.c
   :language: c
.. literalinclude:: ../x/a.sh
"""


class Guide(unittest.TestCase):
    def test_fragments(self):
        found = guide.by_chapter(TEXT)
        self.assertEqual([(title, [number for number, _ in blocks]) for title, blocks in found],
                         [("Step by step", [5, 22]), ("Later", [28])])

    def test_files(self):
        self.assertEqual(guide.included(TEXT), ["../x/a.c"])

    def test_what_does_not_compile_is_told_by_its_line(self):
        lines = guide.program(TEXT).split("\n")
        source = "\n".join(line for line in lines if "vfiodma" not in line and "iommufd" not in line)
        said = guide.compiled(guide.FLAGS, "-xc", "-", source=source)
        self.assertIn("vfio-noiommu.rst:23:", said)
        self.assertIn("WHAT", said)
        self.assertEqual(guide.compiled(guide.FLAGS, "-xc", "-", source=source.replace("WHAT", '""')), "")
