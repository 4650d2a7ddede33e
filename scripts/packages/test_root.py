# SPDX-License-Identifier: GPL-2.0-only
import dataclasses
import pathlib
import tempfile
import threading
import unittest
from unittest import mock

from packages import root


@dataclasses.dataclass
class Settings:
    build: pathlib.Path
    threads: bool = True

    def relative(self, path):
        return path


class ScriptTest(unittest.TestCase):
    def test_younger_than_debootstrap(self):
        with tempfile.TemporaryDirectory() as folder:
            scripts = pathlib.Path(folder)
            for name in ("sid", "trixie"):
                (scripts / name).touch()
            self.assertEqual(root.script("trixie", scripts), scripts / "trixie")
            self.assertEqual(root.script("forky", scripts), scripts / "sid")


class RootTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.settings = Settings(pathlib.Path(folder.name))

    def test_two_at_once(self):
        """Who comes second finds it made, and does not make it once more."""
        made, both = [], threading.Barrier(2, timeout=10)
        names = ("trixie", "trixie-backports")

        def take(title, log, command):
            made.append(title)
            if title.startswith("fetch"):
                fresh = self.settings.build / "roots/trixie.new"
                (fresh / "etc/apt/sources.list.d").mkdir(parents=True)
                (fresh / "etc/apt/apt.conf.d").mkdir(parents=True)
                (fresh / root.LISTS).mkdir(parents=True)

        def ensure(name):
            both.wait()
            root.Root(self.settings, name).ensure()

        with mock.patch.object(root, "take", take), \
                mock.patch.object(root.aptsource, "mirror", lambda: "http://archive"), \
                mock.patch.object(root, "apt_settings", str):
            threads = [threading.Thread(target=ensure, args=(name,)) for name in names]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(made, ["fetch Debian trixie", "read package lists"])


if __name__ == "__main__":
    unittest.main()
