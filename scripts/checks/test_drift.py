# SPDX-License-Identifier: GPL-2.0-only
"""make drift, without a kernel."""

import contextlib
import io
from unittest import mock

from checks import drift
from common.ui import Failure
from tests import moving


class Drift(moving.Moving):
    """9.9.6 does not take the series, 9.9.5 does not compile, 9.9.4 does."""

    def rows(self, **refusals):
        def step(name):
            def run(its_settings):
                if its_settings.exact in refusals.get(name, ()):
                    raise Failure(f"{name} failed")
                return ""
            return run

        def candidates(debian):
            return contextlib.nullcontext([candidate for candidate in self.offered
                                           if candidate.version == debian.settings.exact])
        offers = mock.Mock(versions=lambda: {candidate.version: "" for candidate
                                             in reversed(self.offered)})
        with mock.patch("base.source.offers", lambda _: contextlib.nullcontext(offers)), \
             mock.patch("base.source.Debian.candidates", candidates), \
             mock.patch("checks.drift.compile_all", step("compile")), \
             mock.patch("checks.drift.read", step("read")), \
             contextlib.redirect_stdout(io.StringIO()) as said, \
             contextlib.redirect_stderr(io.StringIO()):
            text = drift.document(self.settings)
        return text, said.getvalue()

    def test_all_that_is_offered(self):
        text, said = self.rows()
        self.assertIn("9.9.6        NO       -         -\n"
                      "9.9.5        yes      yes       yes\n"
                      "9.9.4        yes      yes       -\n", said)
        self.assertRegex(text, r"(?m)^# .*two-Say-fifty\.patch does not apply: .*two\.c")
        self.assertIn("not ok 1 Linux 9.9.6: applies\nok 2 Linux 9.9.5: applies\n"
                      "ok 3 Linux 9.9.5: compiles\nok 4 Linux 9.9.5: reads the disk\n", text)
        self.assertIn("also good for 9.9.5, which the range in patches/v9.9/series does not", said)

    def test_the_newest_that_compiles_is_booted(self):
        text, said = self.rows(compile=("9.9.5",), read=("9.9.4",))
        self.assertIn("9.9.5        yes      NO        -\n"
                      "9.9.4        yes      yes       NO\n", said)
        self.assertIn("# error: compile failed\nnot ok 3 Linux 9.9.5: compiles", text)
        self.assertIn("not ok 6 Linux 9.9.4: reads the disk", text)

    def test_what_is_good_is_not_kept(self):
        self.rows(compile=("9.9.5",))
        self.assertEqual(sorted(path.name for path in (self.top / "build").glob("v9.9.?")),
                         ["v9.9.5", "v9.9.6"])
