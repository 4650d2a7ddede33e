# SPDX-License-Identifier: GPL-2.0-only
"""libvfiodma on this machine: its table, and the whole of it beside a kernel that is
played; that it compiles as it promises to; and what an install of it has."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from common.settings import TOP

LIBRARY = TOP / "tools/vfio"
TESTS = TOP / "tests/vfiodma"
PARTS = ("ctx", "sysfs", "device", "reach", "region", "irq", "memory", "heap", "map", "lookup",
         "table", "sg", "cache")
KERNEL_PARTS = ("ctx", "reach", "map", "lookup", "memory", "heap", "table", "sg", "cache")
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}


def run(*command, timeout=200, **more):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          timeout=timeout, env=ENVIRONMENT, stdin=subprocess.DEVNULL, **more)


def present(*compilers):
    return [compiler for compiler in compilers if shutil.which(compiler)]


class Library(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def expect(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def compilers(self, *names):
        """Those that are there; without any the test says so."""
        found = present(*names)
        if not found:
            self.skipTest(f"none of {', '.join(names)}")
        return found

    def program(self, test, *parts, sanitizer):
        """Builds a test with the parts of the library that it needs, and runs it."""
        program = self.folder / test
        self.expect(run("gcc", "-g", "-O1", f"-fsanitize={sanitizer}", "-D_GNU_SOURCE", *STRICT,
                        "-Wno-pedantic", f"-I{LIBRARY}", TESTS / f"{test}.c",
                        *(LIBRARY / f"{part}.c" for part in parts), "-pthread", "-o", program))
        said = self.expect(run(program))
        self.assertIn("\nok ", said)

    def test_table(self):
        self.program("table-test", "table", sanitizer="address,undefined")

    def test_readers_of_the_table_beside_a_writer(self):
        self.program("table-test", "table", sanitizer="thread")

    def test_beside_a_kernel_that_is_played(self):
        self.program("kernel-test", *KERNEL_PARTS, sanitizer="address,undefined")

    def test_on_arm64(self):
        """The same, with instructions for caches that no other architecture lets a
        program use."""
        compiler, emulator = "aarch64-linux-gnu-gcc", "qemu-aarch64"
        if not present(compiler):
            self.skipTest(f"no {compiler}")
        program = self.folder / "kernel-test"
        self.expect(run(compiler, "-static", "-O2", "-D_GNU_SOURCE", *STRICT, "-Wno-pedantic",
                        f"-I{LIBRARY}", TESTS / "kernel-test.c",
                        *(LIBRARY / f"{part}.c" for part in KERNEL_PARTS), "-pthread", "-o", program))
        code = self.expect(run("aarch64-linux-gnu-objdump", "-d", program))
        for instruction in (r"dc\s+cvac", r"dc\s+civac"):
            self.assertRegex(code, instruction)
        if not present(emulator):
            self.skipTest(f"no {emulator} to run it: it compiles, and has the instructions")
        self.assertIn("\nok ", self.expect(run(emulator, program)))

    def test_compiles_without_a_warning(self):
        for compiler in self.compilers("gcc", "clang", "aarch64-linux-gnu-gcc"):
            for part in PARTS:
                self.expect(run(compiler, "-std=gnu11", "-O2", "-D_GNU_SOURCE", *STRICT, "-fPIC",
                                "-c", LIBRARY / f"{part}.c", "-o", self.folder / "part.o"))

    def test_header_is_c_and_cplusplus(self):
        for kinds, languages in ((("gcc", "clang"), ("c99", "gnu17")),
                                 (("g++", "clang++"), ("c++11", "c++17"))):
            for compiler in self.compilers(*kinds):
                for language in languages:
                    source = self.folder / ("x.cc" if "+" in language else "x.c")
                    source.write_text("#include <vfiodma.h>\n#include <vfiodma.h>\n"
                                      "const char *version(void);\n"
                                      "const char *version(void) { return vfiodma_version(); }\n")
                    self.expect(run(compiler, f"-std={language}", *STRICT, f"-I{LIBRARY}", "-c",
                                    source, "-o", self.folder / "x.o"))

    def test_every_function_is_documented_and_versioned(self):
        header = (LIBRARY / "vfiodma.h").read_text()
        objects = []
        for part in PARTS:
            objects.append(self.folder / f"{part}.o")
            self.expect(run("gcc", "-O2", "-D_GNU_SOURCE", "-fPIC", "-fvisibility=hidden", "-c",
                            LIBRARY / f"{part}.c", "-o", objects[-1]))
        shared = self.folder / "libvfiodma.so"
        self.expect(run("gcc", "-shared", f"-Wl,--version-script,{LIBRARY}/libvfiodma.map",
                        *objects, "-pthread", "-o", shared))
        found = self.expect(run("nm", "-D", "--defined-only", shared)).split("\n")
        names = [line.split()[2].partition("@") for line in found if " T " in line]
        self.assertGreater(len(names), 25)
        for name, _, version in names:
            self.assertEqual(version, "@VFIODMA_1.0", name)
            self.assertIn(f" * {name}() - ", header)
            self.assertTrue(name.startswith("vfiodma_"), name)
