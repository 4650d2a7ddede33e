# SPDX-License-Identifier: GPL-2.0-only
"""Which base it is, where Debian has them, and where it has not."""

import contextlib
import io
import subprocess
import types
from unittest import mock

from base import aptsource, source
from cli.main import run
from common import settings
from common.ui import Failure
from tests.folder import FolderTest


class Archive(FolderTest):
    """apt as it is, but for what it answers."""

    def setUp(self):
        super().setUp()
        self.updates = 0
        for target, replacement in (
                ("base.aptsource.mirror", lambda: "http://m/debian/"),
                ("base.aptsource.Apt.run", lambda apt, *words: self.answer(apt, *words)),
                ("base.aptsource.Apt.download", lambda apt, package: package),
                ("base.aptsource.unpack", lambda deb, member, target: target.write_text(deb))):
            patch = mock.patch(target, replacement)
            patch.start()
            self.addCleanup(patch.stop)

    def answer(self, apt, tool, *arguments):
        """Of an archive that has `self.packages`, or cannot be reached."""
        said = ""
        if arguments[0] == "update":
            self.updates += 1
            if self.packages is not None:
                (apt.folder / "lists/m_debian_dists_sid_main_binary-amd64_Packages").touch()
        elif arguments[0] == "madison":
            said = "".join(f" linux-source-{version.rpartition('.')[0]} | {version}-1 | http://m "
                           "sid/main amd64 Packages\n" for version in self.packages
                           if arguments[1] == f"linux-source-{version.rpartition('.')[0]}")
        return subprocess.CompletedProcess([tool], 0 if self.packages else 100, said, "")

    def run_command(self, *packages, base="v7.2", exact="", fallbacks=("v7.3", "v6.12")):
        """(tarball, what was said) of a command that does nothing but fetch the
        first candidate."""
        self.packages = packages or None
        chosen = settings.Settings(base=base, exact=exact, top=self.folder, fallbacks=fallbacks)

        def fetch(its_settings):
            with source.Debian(its_settings).candidates() as candidates:
                first = candidates[0]
                self.fetched = first.offers.fetch(first.version, first.package)
        with contextlib.redirect_stdout(io.StringIO()) as said, \
             contextlib.redirect_stderr(io.StringIO()):
            run(types.SimpleNamespace(main=fetch), chosen)
        return self.fetched.read_text(), said.getvalue()

    def test_the_default_is_there(self):
        self.assertEqual(self.run_command("7.2.9", "7.2.13", "7.3.4"),
                         ("linux-source-7.2=7.2.13-1", ""))
        self.assertEqual(self.updates, 1)
        self.assertEqual(self.fetched.name, "linux-7.2.13.tar.xz")

    def test_one_is_fetched_once(self):
        self.run_command("7.2.13")
        with mock.patch("base.aptsource.Apt.download", None):
            self.run_command("7.2.13")

    def test_out_of_reach_the_newest_that_was_fetched(self):
        self.run_command("7.2.9")
        self.run_command("7.2.13")
        fetched, said = self.run_command()
        self.assertEqual(fetched, "linux-source-7.2=7.2.13-1")
        self.assertIn("cannot be asked", said)

    def test_a_version_by_name(self):
        self.assertEqual(self.run_command("7.2.9", "7.2.13", exact="7.2.9")[0],
                         "linux-source-7.2=7.2.9-1")
        with self.assertRaisesRegex(Failure, "does not offer Linux 7.2.8, but 7.2.13, 7.2.9"):
            self.run_command("7.2.9", "7.2.13", exact="7.2.8")

    def test_lists_do_not_stay(self):
        self.run_command("7.2.13")
        self.assertEqual([path.name for path in self.fetched.parent.iterdir()],
                         ["linux-7.2.13.tar.xz", "apt.log"])

    def test_the_next_one_is(self):
        fetched, said = self.run_command("6.12.95", "7.3.4")
        self.assertEqual(fetched, "linux-source-7.3=7.3.4-1")
        self.assertEqual(said, "Debian does not have Linux 7.2: going on with 7.3\n")

    def test_the_last_one_is(self):
        fetched, said = self.run_command("6.12.95")
        self.assertEqual(fetched, "linux-source-6.12=6.12.95-1")
        self.assertEqual(said.count("\n"), 2)

    def test_none_is(self):
        with self.assertRaisesRegex(aptsource.NotOffered, "linux-source-6.12.*LINUX="):
            self.run_command("5.10.1")

    def test_the_users_choice_is_kept(self):
        with self.assertRaisesRegex(aptsource.NotOffered, "linux-source-7.2"):
            self.run_command("7.3.4", fallbacks=())

    def versions(self):
        with aptsource.Offers("7.2", self.folder, ("sid",)) as offers:
            return offers.versions()

    def test_an_archive_out_of_reach_is_another_matter(self):
        self.packages = None
        with contextlib.redirect_stderr(io.StringIO()), \
             self.assertRaisesRegex(Failure, "cannot read") as caught:
            self.versions()
        self.assertNotIsInstance(caught.exception, aptsource.NotOffered)

    def test_lists_are_of_what_is_asked_for(self):
        for kind, wanted, other in (("deb", "Packages", "Sources"),
                                    ("deb-src", "Sources", "Packages")):
            apt = aptsource.Apt(self.folder / kind / "apt", "m", ("sid",), kind=kind)
            done = subprocess.CompletedProcess([], 0, "", "")
            with mock.patch.object(apt, "run", return_value=done), \
                 contextlib.redirect_stderr(io.StringIO()):
                (apt.folder / f"lists/m_dists_sid_main_{other}").touch()
                with self.assertRaisesRegex(Failure, "cannot read"):
                    apt.update()
                (apt.folder / f"lists/m_dists_sid_main_{wanted}").touch()
                apt.update()

    def test_a_kernel_to_compare_with_is_another_matter(self):
        chosen = settings.Settings(base="v7.2", fallbacks=("v7.3",))
        missing = aptsource.NotOffered("7.3", ("sid",), None)
        with self.assertRaises(aptsource.NotOffered):
            source.fall_back(chosen, missing)
