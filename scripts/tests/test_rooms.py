# SPDX-License-Identifier: GPL-2.0-only
"""The rooms of scripts/: what each imports comes from itself or from a room below."""

import ast
import unittest

from tests.rooms import ROOMS, SCRIPTS


def modules():
    """{name: file} of all modules in rooms."""
    return {".".join(file.relative_to(SCRIPTS).with_suffix("").parts): file
            for room in ROOMS for file in (SCRIPTS / room).rglob("*.py")}


def imports(file, known):
    """The modules of rooms that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in names]
        else:
            continue
        yield from (name for name in names if room_of(name) in ROOMS)


def room_of(module):
    return module.partition(".")[0]


class Rooms(unittest.TestCase):
    def setUp(self):
        self.modules = modules()
        self.imports = {name: set(imports(file, self.modules))
                        for name, file in self.modules.items()}

    def test_every_folder_is_one(self):
        folders = {file.parent.relative_to(SCRIPTS).parts[0]
                   for file in SCRIPTS.rglob("*.py") if file.parent != SCRIPTS}
        self.assertEqual(folders, set(ROOMS))
        self.assertEqual([file.name for file in SCRIPTS.glob("*.py")], ["project.py"])

    def test_each_says_what_lives_there(self):
        for folder in {file.parent for file in self.modules.values()}:
            tree = ast.parse((folder / "__init__.py").read_text())
            self.assertTrue((ast.get_docstring(tree) or "").endswith("."), folder)

    def test_imports_are_known(self):
        for name, found in self.imports.items():
            self.assertLessEqual(found, set(self.modules), name)

    def test_imports_go_down(self):
        for name, found in self.imports.items():
            test = name.rpartition(".")[2].startswith("test_")
            for other in found:
                down = ROOMS.index(room_of(other)) <= ROOMS.index(room_of(name))
                self.assertTrue(down or (test and room_of(other) == "tests"),
                                f"{name} imports {other}")

    def test_no_module_imports_itself_by_way_of_others(self):
        left = dict(self.imports)
        while ends := [name for name, found in left.items() if not found & set(left)]:
            for name in ends:
                del left[name]
        self.assertEqual(sorted(left), [])

    def test_no_test_is_used_by_another(self):
        for name, found in self.imports.items():
            used = [other for other in found if other.rpartition(".")[2].startswith("test_")]
            self.assertEqual(used, [], name)
