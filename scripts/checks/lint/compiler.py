# SPDX-License-Identifier: GPL-2.0-only
"""Compiles each commit that touches the kernel, in folders of objects that stay
between runs: with gcc and sparse, and with clang, W=1 and kbuild's other checks."""

import hashlib
import json
import pathlib
import re
import subprocess

from base import bases
from build import sparse
from build.kernel import first_error, Kernel, tool_version
from checks.lint import diagnostics, history, making
from common.ui import Failure, Progress

FOLDERS = ("drivers/iommu/", "drivers/vfio/")
WRAPPER = pathlib.Path(__file__).resolve().parent / "sparse.sh"
CONFIG = "lint"
NEWEST_CLANG = 30


class Objects(Kernel):
    """A folder of objects of the config set `lint`, or of another one, made of
    lint's work tree."""

    def __init__(self, settings, worktree, name, config=CONFIG, flags=()):
        super().__init__(settings, config)
        self.worktree = worktree
        self.tree = worktree.path
        self.out = worktree.folder / name
        self.image = self.out / "arch/x86/boot/bzImage"
        self.name = name
        self.flags = flags

    def log(self, step):
        return self.worktree.folder / f"{self.name}-{step}.log"

    def verify(self):
        """Of the series' commits only the last one has all that is asked for."""

    def configure(self):
        super().configure()
        if self.flags:
            _, status = self.make_here("olddefconfig", lambda: None, "olddefconfig")
            if status:
                raise Failure("cannot configure", self.log("olddefconfig"))

    def make_here(self, step, update, *targets, env=()):
        return making.run([f"O={self.out}", *self.flags, *targets], self.tree,
                          self.log(step), update, env)


class Walk:
    """The commits' objects by one compiler, compared with the commit before."""

    def __init__(self, objects, title, with_sparse=""):
        self.objects = objects
        self.title = title
        self.sparse = with_sparse   # the program
        self.known = diagnostics.Known()
        self.known_sparse = diagnostics.Known()
        self.log = objects.out / "sparse.log"

    def results(self, commits):
        commits = [commit for commit in commits if commit.touches_kernel()]
        progress = Progress(self.title)
        self.start(progress)
        results = []
        for number, commit in enumerate(commits, 1):
            problem, checked = self.at(
                commit.id, f"{commit.number:04d}",
                lambda: progress.update(f"{number} of {len(commits)}: {commit.subject}"),
                configure=any("Kconfig" in path for path in commit.files))
            results.append((f"{self.title} W=1: {commit.name}", problem))
            if self.sparse:
                results.append((f"sparse: {commit.name}", checked or self.unchecked(commit)))
        self.objects.worktree.check_out(commits[-1].id)
        Kernel.verify(self.objects)
        progress.clear()
        return results

    def start(self, progress):
        """The base. What it says from scratch is kept, for the next time only that
        is compiled again which the commits change."""
        kept = self.objects.out / "base.json"
        base = self.stamp()
        if not kept.exists() or json.loads(kept.read_text())["stamp"] != base:
            subprocess.run(["rm", "-rf", str(self.objects.out)], check=True)
        else:
            warnings = json.loads(kept.read_text())
            self.known = diagnostics.Known(warnings["compiler"])
            self.known_sparse = diagnostics.Known(warnings["sparse"])
        problem, _ = self.at(history.BASE, "base",
                             lambda: progress.update("the base"), judge=False)
        if problem:
            raise Failure(f"the base does not compile with {self.title}: {problem}",
                          self.objects.log("base"))
        kept.write_text(json.dumps({"stamp": base, "compiler": sorted(self.known.warnings),
                                    "sparse": sorted(self.known_sparse.warnings)}))

    def stamp(self):
        compiler = next((flag[3:] for flag in self.objects.flags if flag.startswith("CC=")),
                        "gcc")
        parts = [self.objects.worktree.repo.commit_id(history.BASE),
                 tool_version(compiler), self.sparse,
                 *(path.read_text() for path in self.objects.set.fragments)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def at(self, commit, step, update, judge=True, configure=True):
        """(problem of the compiler, of sparse) of a commit."""
        objects = self.objects
        objects.worktree.check_out(commit)
        if configure:
            objects.configure()
        self.log.unlink(missing_ok=True)
        targets = ["W=1", *FOLDERS]
        if self.sparse:
            targets += ["C=1", f"CHECK={WRAPPER}"]
        text, status = objects.make_here(step, update, *targets, env={
            "SPARSE": self.sparse, "SPARSE_LOG": str(self.log)})
        new = self.known.news(diagnostics.of_compiler(text, objects.tree))
        said = self.log.read_text(errors="replace") if self.log.exists() else ""
        new_sparse = self.known_sparse.news(diagnostics.of_compiler(said, objects.tree))
        self.checked = set(re.findall(r"^checked: (.*)$", said, re.M))
        lines = new if judge else []
        if status:
            lines = [f"does not compile: {first_error(objects.log(step))}", *lines]
        return "\n".join(lines), "\n".join(new_sparse)

    def unchecked(self, commit):
        """C files that the commit touches, and that the config does not compile."""
        checked = {diagnostics.shorten(path, self.objects.tree) for path in self.checked}
        elsewhere = bases.of(self.objects.settings.base).not_for_x86
        left = [path for path in commit.files
                if path.endswith(".c") and path.startswith(FOLDERS) and path not in checked
                and not path.startswith(elsewhere)]
        return "sparse has not seen " + ", ".join(left) if left else ""


def gcc(settings, worktree, commits):
    return Walk(Objects(settings, worktree, "gcc"), "gcc",
                str(sparse.find(settings))).results(commits)


def clang(settings, worktree, commits):
    objects = Objects(settings, worktree, "clang", flags=(f"CC={find_clang(worktree)}",))
    return Walk(objects, "clang").results(commits)


def find_clang(worktree):
    """A clang that is new enough for the tree."""
    wanted = subprocess.run(["sh", "scripts/min-tool-version.sh", "llvm"], cwd=worktree.repo.path,
                            capture_output=True, text=True).stdout.split(".")[0]
    for name in ("clang", *(f"clang-{number}" for number in range(NEWEST_CLANG, 10, -1))):
        try:
            version = re.search(r"version (\d+)", tool_version(name))
        except FileNotFoundError:
            continue
        if version and int(version[1]) >= int(wanted):
            return name
    raise Failure(f"no clang of version {wanted} or newer, which this kernel asks for")


def tip(settings, debug, commits):
    """[(name, problem)] of the last commit alone, with gcc: for make check. What
    is not to be compiled again comes from the debug kernel's folder."""
    out = settings.work / "lint-tip"
    log = settings.work / "lint-tip.log"
    prepare(debug.out, out)
    progress = Progress("gcc W=1")
    text, status = making.run([f"O={out}", "W=1", *targets(debug.tree, commits)], debug.tree, log,
                               progress.update)
    progress.clear()
    lines = sorted(diagnostics.of_compiler(text, debug.tree))
    if status:
        lines.insert(0, f"does not compile: {first_error(log)}")
    return [("gcc W=1: the whole series", "\n".join(lines))]


def targets(tree, commits):
    """The folders that the series touches. A subsystem's own is more than that,
    and of these there are only the touched objects; one that has only headers is
    included in those below it."""
    paths = [pathlib.PurePath(path) for path in history.files_of(commits)
             if path.startswith(FOLDERS) and path.endswith((".c", ".h"))]
    folders = {f"{path.parent}/" for path in paths} - {"drivers/iommu/"}
    below = {f"{makefile.parent.relative_to(tree)}/" for folder in folders
             if not (tree / folder / "Makefile").exists()
             for makefile in (tree / folder).glob("*/Makefile")}
    folders = {folder for folder in folders if (tree / folder / "Makefile").exists()} | below
    return sorted(folders | {f"{path.with_suffix('.o')}" for path in paths
                             if path.suffix == ".c" and f"{path.parent}/" not in folders})


# Of a built kernel, what goes into others' objects
KEPT = ("/scripts/***", "/tools/***", "/include/***", "/arch/", "/arch/x86/",
        "/arch/x86/include/***", "/arch/x86/tools/***", "/.config", "/Makefile", "/source")


def prepare(built, out):
    out.mkdir(exist_ok=True)
    done = subprocess.run(["rsync", "-a", *(f"--include={pattern}" for pattern in KEPT),
                           "--exclude=*", f"{built}/", f"{out}/"],
                          capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"cannot copy from {built}: {done.stderr.strip()}")
    for file in out.glob("tools/**/.*.cmd"):
        text = file.read_text()
        if f"{built}/" in text:
            file.write_text(text.replace(f"{built}/", f"{out}/"))
