# SPDX-License-Identifier: GPL-2.0-only
"""What lint makes of what the tools say."""

import types
import unittest

from checks.lint import (boot, checkpatch, cocci, compiler, diagnostics, docs, history,
                         maintainer, worktree)
from common.gitrepo import Repo
from common.ui import Failure
from tests import toy

TREE = "/b/lint/tree"
GCC = f"""\
  CC      drivers/vfio/group.o
In file included from {TREE}/drivers/vfio/vfio.h:1,
{TREE}/drivers/vfio/group.c: In function 'f':
{TREE}/drivers/vfio/group.c:12:6: warning: unused variable 'x' [-Wunused-variable]
   12 |  int x;
../tools/x.c:1:1: error: expected ';'
{TREE}/drivers/vfio/group.c:7: note: in expansion
Warning: {TREE}/drivers/vfio/group.c:3 function parameter 'a' not described in 'f'
drivers/vfio/group.o: warning: objtool: f+0x1c: unreachable instruction
make[1]: *** [Makefile:7: x.o] Error 1
"""


def commit(number, *files, added=()):
    return history.Commit(number, f"{number:040x}", f"x: {number}", list(files), list(added))


class Warnings(unittest.TestCase):
    def test_compiler_sparse_and_objtool(self):
        self.assertEqual(diagnostics.of_compiler(GCC, TREE), {
            "drivers/vfio/group.c: warning: unused variable 'x' [-Wunused-variable]",
            "tools/x.c: error: expected ';'",
            "drivers/vfio/group.o: warning: objtool: f+: unreachable instruction"})

    def test_kernel_doc(self):
        self.assertEqual(diagnostics.of_kernel_doc(
            "Warning: a/b.h:147 struct member 'x' not described in 's'\n"
            "Warning: a/b.h:297 bad line: \n2 warnings as errors\n"),
            {"a/b.h: struct member 'x' not described in 's'", "a/b.h: bad line: "})

    def test_kernel_doc_in_perl(self):
        self.assertEqual(diagnostics.of_kernel_doc(
            "a/b.c:12: warning: Function parameter or struct member 'x' not described\n"
            "a/b.c:7: error: Cannot parse typedef!\n1 warnings as Errors\n"),
            {"a/b.c: Function parameter or struct member 'x' not described",
             "a/b.c: Cannot parse typedef!"})

    def test_sphinx(self):
        self.assertEqual(diagnostics.of_sphinx(
            f"Using alabaster theme\nWARNING: dot(1) not found\n"
            f"{TREE}/Documentation/a/b.rst:7: WARNING: Unexpected indentation.\n"
            f"{TREE}/Documentation/a/b.rst: WARNING: document isn't included in any toctree\n"
            f"{TREE}/Documentation/a/b:7: {TREE}/x.h:3: WARNING: Block quote\n", TREE), {
                "WARNING: dot(1) not found",
                "Documentation/a/b.rst: WARNING: Unexpected indentation.",
                "Documentation/a/b.rst: WARNING: document isn't included in any toctree",
                "Documentation/a/b: x.h: WARNING: Block quote"})

    def test_the_line_that_it_is_on_makes_no_difference(self):
        known = diagnostics.Known()
        first = diagnostics.of_compiler("a.c:1:1: warning: w\n", TREE)
        self.assertEqual(known.news(first), ["a.c: warning: w"])
        moved = diagnostics.of_compiler("a.c:9:2: warning: w\nb.c:1: warning: w\n", TREE)
        self.assertEqual(known.news(moved), ["b.c: warning: w"])


class Checkpatch(unittest.TestCase):
    def problem(self, output, status=1, error=""):
        return checkpatch.problem((output + error).splitlines(), status)

    def test_accepted_only_where_it_is(self):
        line = "{}/x.h:22: CHECK:OPEN_ENDED_LINE: Lines should not end with a '('\n"
        self.assertEqual(self.problem(line.format("include/trace/events")), "")
        self.assertIn("drivers/x.h:22", self.problem(line.format("drivers")))

    def test_file_path_changes_anywhere(self):
        self.assertEqual(self.problem("a/x.c:18: WARNING:FILE_PATH_CHANGES: added file(s)\n"), "")

    def test_what_is_no_finding_is_trouble(self):
        self.assertIn("Traceback", self.problem("", 0, "Traceback (most recent call last):\n"))
        self.assertIn("status 2", self.problem("", 2))
        self.assertEqual(self.problem("", 0), "")

    def test_of_the_message(self):
        line = "WARNING:COMMIT_LOG_LONG_LINE: Prefer a maximum 75 chars per line"
        self.assertEqual(self.problem(line + "\n"), line)

    def test_reasons(self):
        for each in checkpatch.ACCEPTED:
            self.assertTrue(each.reason)


class Commits(toy.ToyTest):
    def setUp(self):
        super().setUp()
        self.make_series()
        self.repo = Repo(self.tree)

    def test_read(self):
        commits = history.read(self.repo)
        self.assertEqual([each.name for each in commits],
                         ["0001 two: Say fifty", "0002 mmm: Add a driver",
                          "0003 MAINTAINERS: Add mmm"])
        self.assertEqual(commits[1].added, ["drivers/mmm.c", "empty", "tools/mmm.sh"])
        self.assertEqual(commits[1].files, ["drivers/mmm.c", "empty", "one.c", "tools/mmm.sh"])
        self.assertEqual([each.touches_kernel() for each in commits], [True, True, False])

    def test_no_commits(self):
        self.git("reset", "-q", "--hard", "base")
        with self.assertRaisesRegex(Failure, "no commits"):
            history.read(self.repo)

    def test_occurrence_of_the_entry(self):
        self.assertEqual(maintainer.occurrence(self.repo, "MMM DRIVER"), "")
        self.assertIn("0 times", maintainer.occurrence(self.repo, "NNN DRIVER"))

    def test_documents(self):
        self.write("Documentation/a.rst", "A\n=\n\n.. kernel-doc:: drivers/mmm.c\n")
        self.write("Documentation/b.rst", ".. kernel-doc:: drivers/other.c\n")
        self.commit("docs: Add")
        self.edit("Documentation/b.rst", "other", "another")
        self.commit("docs: Edit")
        self.assertEqual(
            docs.documents_of(self.repo, "HEAD", ["drivers/mmm.c"]),
            ["Documentation/a.rst"])
        self.assertEqual(
            docs.documents_of(self.repo, "HEAD", ["Documentation/b.rst", "drivers/mmm.c"]),
            ["Documentation/a.rst", "Documentation/b.rst"])


class WorkTree(toy.ToyTest):
    def setUp(self):
        super().setUp()
        self.make_series()
        self.git("clone", "-q", str(self.tree), str(self.settings.source), cwd=self.folder)
        self.worktree = worktree.WorkTree(self.settings)

    def read(self, path):
        return (self.worktree.path / path).read_text()

    def test_from_commit_to_commit(self):
        self.worktree.check_out("refs/tags/base")
        self.assertEqual(self.read("one.c"), "one\n")
        untouched = (self.worktree.path / "Makefile").stat().st_mtime_ns
        self.worktree.check_out("HEAD")
        self.assertEqual(self.read("drivers/mmm.c"), "int mmm;\n\nint more;\n")
        self.assertEqual((self.worktree.path / "Makefile").stat().st_mtime_ns, untouched)
        self.worktree.check_out("refs/tags/base")
        self.assertFalse((self.worktree.path / "drivers/mmm.c").exists())

    def test_the_made_tree_stays_as_it_is(self):
        self.worktree.check_out("refs/tags/base")
        self.assertEqual(Repo(self.settings.source).changes(), [])

    def test_after_the_files_were_lost(self):
        self.worktree.check_out("HEAD")
        (self.worktree.path / "Makefile").unlink()
        self.worktree.check_out("HEAD")
        self.assertIn("VERSION", self.read("Makefile"))


class Boots(unittest.TestCase):
    def numbers(self, *kernel, of):
        commits = [commit(number, "drivers/x.c" if number in kernel else "tools/x.c")
                   for number in range(1, of + 1)]
        return [each.number for each in boot.stops(commits)]

    def test_every_fourth_and_the_last(self):
        self.assertEqual(self.numbers(*range(1, 11), of=10), [4, 8, 10])

    def test_the_same_kernel_boots_once(self):
        self.assertEqual(self.numbers(1, 2, 3, 9, of=20), [3, 9])

    def test_none(self):
        self.assertEqual(self.numbers(of=9), [])


class Compile(toy.ToyTest):
    def test_targets(self):
        for folder in ("iommu", "iommu/iommufd", "iommu/generic_pt/fmt", "vfio"):
            self.write(f"drivers/{folder}/Makefile", "")
        self.assertEqual(
            compiler.targets(self.tree, [
                commit(1, "drivers/iommu/iommu.c", "drivers/vfio/group.c",
                       "drivers/iommu/iommufd/x.h", "tools/vfio/x.c", "drivers/vfio/Kconfig",
                       "drivers/iommu/generic_pt/iommu_pt.h")]),
            ["drivers/iommu/generic_pt/fmt/", "drivers/iommu/iommu.o",
             "drivers/iommu/iommufd/", "drivers/vfio/"])


class Unchecked(unittest.TestCase):
    def said(self, base, *checked):
        objects = types.SimpleNamespace(tree=TREE, settings=types.SimpleNamespace(base=base))
        walk = types.SimpleNamespace(objects=objects, checked=set(checked))
        return compiler.Walk.unchecked(walk, commit(1, "drivers/vfio/cdx/main.c",
                                                    "drivers/vfio/main.c", "tools/x.c"))

    def test_what_the_config_does_not_compile_is_named(self):
        self.assertEqual(self.said("v7.2"), "sparse has not seen drivers/vfio/cdx/main.c, "
                                            "drivers/vfio/main.c")
        self.assertEqual(self.said("v7.2", f"{TREE}/drivers/vfio/cdx/main.c",
                                   f"{TREE}/drivers/vfio/main.c"), "")

    def test_but_for_what_the_base_has_for_no_x86(self):
        self.assertEqual(self.said("v6.12", f"{TREE}/drivers/vfio/main.c"), "")


class Reports(unittest.TestCase):
    def test_coccicheck(self):
        text = (f"/usr/bin/spatch -D report --cocci-file {TREE}/scripts/x.cocci {TREE}/a.c\n"
                f"{TREE}/a.c:7:2-9: WARNING: casting value\n{TREE}/a.c:9: ERROR: it\n")
        self.assertEqual(cocci.reports(text, TREE),
                         ["a.c:7: WARNING: casting value", "a.c:9: ERROR: it"])

    def test_why_coccicheck_failed(self):
        self.assertEqual(cocci.trouble("a\nspatch x.cocci\nNo compiler\ncoccicheck failed\n"),
                         ["a", "spatch x.cocci", "No compiler", "coccicheck failed"])
        self.assertEqual(cocci.trouble("make: *** Error 2\n"), [])
