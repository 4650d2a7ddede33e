# SPDX-License-Identifier: GPL-2.0-only
"""A toy series in topics, with their cover letters."""

from tests import several

FILE = """range: 9.9.4 9.9.4

topic: fixes
two-Say-fifty.patch

topic: mmm
mmm-Add-a-driver.patch drivers/mmm.c empty tools/mmm.sh

topic: people
MAINTAINERS-Add-mmm.patch MAINTAINERS
"""
LETTER = "From: A <a@example.org>\nSubject: {0}: A topic\n{1}\nWhat {0} is for.\n"


class TopicalTest(several.SeveralTest):
    def setUp(self):
        super().setUp()
        self.make_series()
        self.refresh()
        self.series.file.write_text(FILE)
        for name, on in (("", ""), ("-fixes", ""), ("-mmm", ""), ("-people", "On: mmm\n")):
            (self.top / f"patches/cover-letter{name}").write_text(
                LETTER.format(name[1:] or "all", on))
