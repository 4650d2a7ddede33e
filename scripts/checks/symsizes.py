# SPDX-License-Identifier: GPL-2.0-only
"""What the series costs those who do not turn it on: each function of iommufd
and VFIO with VFIO_NOIOMMU=n, beside the same on the base.

A function that got another conditional branch, or is bigger by more than what
a compiler gives and takes, has to be named, with the reason, in configs/grown. So
do new ones: some function calls them.
"""

import dataclasses
import re
import subprocess

from build import toolchains
from build.kernel import make_objects
from checks import ktap, matrix, matrixrows
from common.gitrepo import Repo
from common.ui import Failure, Progress

DIRECTORIES = ("drivers/iommu/iommufd/", "drivers/vfio/")
TOOLCHAIN = next(each for each in toolchains.TOOLCHAINS if each.name == "x86_64-gcc")
ROWS = ("off", "off, with IO page tables")
NOISE = 8  # instructions: registers are given out anew

FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
INSTRUCTION = re.compile(r"^\s+[0-9a-f]+:\t(\S+)")
BRANCH = re.compile(r"j(?!mp)\w+$")

# What gcc puts behind the name of a part or copy of a function
PART = re.compile(r"\.(?:constprop|isra|part|cold|llvm)\b.*$")


@dataclasses.dataclass
class Cost:
    instructions: int = 0
    branches: int = 0

    def __add__(self, other):
        return Cost(self.instructions + other.instructions, self.branches + other.branches)


def functions(disassembly):
    """{function: Cost}, from objdump -d, its parts and copies included."""
    found, name = {}, None
    for line in disassembly.splitlines():
        start = FUNCTION.match(line)
        if start:
            name = PART.sub("", start[1])
            found.setdefault(name, Cost())
        elif name and (match := INSTRUCTION.match(line)):
            # What fills the space up to the next one is not run
            if match[1] not in ("nop", "nopw", "nopl", "int3", "xchg", "data16", "cs"):
                found[name] += Cost(1, bool(BRANCH.match(match[1])))
    return found


def grown(before, after):
    """{function: what it has more} of two {function: Cost}."""
    found = {}
    for name, cost in after.items():
        old = before.get(name)
        if not old:
            found[name] = f"is new: {cost.instructions} instructions"
        elif (cost.branches > old.branches
              or cost.instructions > old.instructions + NOISE):
            found[name] = (f"{cost.instructions - old.instructions:+d} instructions, "
                           f"{cost.branches - old.branches:+d} branches")
    return found


def explained(text):
    """{(object, function): reason} of configs/grown."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            path, function, reason = line.split(None, 2)
            found[path, function] = reason
    return found


class Sizes:
    def __init__(self, settings):
        self.settings = settings
        self.folder = settings.work / "matrix/sizes"

    def run(self):
        """A KTAP document with a result for each function that has grown. Not each
        compiler makes the same ones grow, so there can be reasons left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        reasons = explained((self.settings.top / "configs/grown").read_text())
        found = {}
        for row in matrixrows.X86_64:
            if row.name in ROWS:
                found.update(self.compare(row))
        results = [(f"{path} {name}: {found[path, name]}",
                    "" if (path, name) in reasons else "configs/grown does not say why")
                   for path, name in sorted(found)]
        return ktap.document(results or [("no function has grown", "")])

    def compare(self, row):
        """{(object, function): what it has more}."""
        before, after = (self.build(which, tree, row) for which, tree in (
            ("base", self.base()), ("series", self.settings.source)))
        found = {}
        paths = [path for path in sorted(after.rglob("*.o")) if is_object(path)
                 and path.name not in ("built-in.o", "iommufd.o", "vfio.o")]
        if not paths:
            raise Failure(f"no object was built in {after}")
        for path in paths:
            name = path.relative_to(after)
            old = disassemble(before / name) if (before / name).exists() else ""
            more = grown(functions(old), functions(disassemble(path)))
            found.update({(str(name), function): text for function, text in more.items()})
        return found

    def base(self):
        """The base, checked out beside the made tree."""
        path = self.settings.work / "base"
        repo = Repo(self.settings.source)
        if not path.exists() or Repo(path).commit_id("HEAD") != repo.commit_id("base"):
            progress = Progress("check out the base")
            subprocess.run(["rm", "-rf", str(path)], check=True)
            repo.bytes("worktree", "prune")
            repo.bytes("worktree", "add", "-q", "--detach", str(path), "base")
            progress.done()
        return path

    def build(self, which, tree, row):
        """The folder of the objects."""
        wanted = {**matrix.options(TOOLCHAIN.options), **matrix.options(row.options)}
        out = self.folder / which
        log = self.folder / f"{which}.log"
        env = {**matrix.environment(), **TOOLCHAIN.variables}
        # The base has no IOMMUFD_NOIOMMU, and a .config that does not name it
        problems = matrix.configure(tree, out, env, row.start, wanted, log,
                                    matrix.options(row.gives))
        if problems:
            raise Failure("; ".join(problems), log)
        progress = Progress(f"sizes: {row.name}: {which}")
        make_objects(tree, env, log, progress, [f"O={out}", *DIRECTORIES])
        progress.clear()
        kept = self.folder / f"{which}-objects"
        subprocess.run(["rm", "-rf", str(kept)], check=True)
        for directory in DIRECTORIES:
            target = kept / directory
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", str(out / directory), str(target)], check=True)
        return kept


def is_object(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def disassemble(path):
    done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)],
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"objdump: {done.stderr.strip()}")
    return done.stdout
