# SPDX-License-Identifier: GPL-2.0-only
import subprocess
import threading
import time
import unittest

from checks import modules
from tests.folder import FolderTest


class Once(unittest.TestCase):
    def test_suites_beside_each_other_build_one_time(self):
        calls, answers = [], []

        def build():
            calls.append(1)
            time.sleep(0.05)
            return object()
        built = modules.once(build)
        threads = [threading.Thread(target=lambda: answers.append(built())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(calls), 1)
        self.assertEqual(len(set(map(id, answers))), 1)


class WithBtf(FolderTest):
    def compiled(self, name, *options):
        target = self.folder / f"{name}.ko"
        subprocess.run(["gcc", *options, "-x", "c", "-c", "-o", str(target), "-"],
                       input="int x;\n", text=True, check=True)
        return target

    def test_names_them(self):
        with_it, without = self.compiled("a", "-gbtf"), self.compiled("b", "-g0")
        self.assertEqual(modules.with_btf({"a": with_it, "b": without}), "with BTF: a")
        self.assertEqual(modules.with_btf({"b": without}), "")
