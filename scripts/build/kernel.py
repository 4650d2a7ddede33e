# SPDX-License-Identifier: GPL-2.0-only
"""Configures and builds the made tree's kernel, out of tree and only when
something that goes into it has changed."""

import hashlib
import os
import re
import shutil
import subprocess

from build import arch, kconfig
from common.lock import exclusive, shared
from common.settings import TOP
from common.ui import Failure, Progress
from series import series, tree

CCACHE = "/usr/lib/ccache"   # Debian's: the names of all compilers that are installed
STEP = re.compile(rb"^  (?:CC|AS|AR|LD|HOSTCC|HOSTLD|UPD|VDSO|OBJCOPY|SYSTBL|GEN|LDS) ")


class Kernel:
    """A config set's build of the made tree."""

    def __init__(self, settings, name):
        series.of(settings).entries()  # before any folder is made
        self.settings = settings
        self.set = kconfig.load(settings.top / "configs", name, settings.base)
        self.tree = settings.source
        self.out = settings.work / name
        self.arch = arch.of(self.set.fragments)
        self.image = self.out / self.arch.image
        self.attempt = None   # at building it, by ready()

    def environment(self):
        # ccache makes paths relative, so that another checkout has the same objects;
        # what the kernel says of itself stays the file's name in the tree
        names = f"-fmacro-prefix-map=../{self.tree.name}/="
        return {**environment(), **self.arch.variables, "KCPPFLAGS": names}

    def log(self, step):
        return self.settings.work / f"{self.set.name}-{step}.log"

    def ready(self):
        """Builds it the first time; what came of that is the answer ever after."""
        if not self.attempt:
            try:
                self.build()
                self.attempt = "built"
            except Failure as failure:
                self.attempt = failure
        if isinstance(self.attempt, Failure):
            raise self.attempt

    def build(self):
        """Makes tree, config and kernel current."""
        base = Kernel(self.settings, self.set.base).build() if self.set.base else None
        with exclusive(self.settings):
            stamp = self.stamp(tree.ensure(self.settings))
        with shared(self.settings), exclusive(self.settings, f"{self.set.name}.lock"):
            if not stamp or stamp != self.read_stamp() or not self.image.exists():
                if base:
                    self.copy(base)
                self.configure()
                self.compile()
                (self.out / "built-from").write_text(stamp)
        return self

    def copy(self, base):
        """Starts from what another config set has built. That is anew each time,
        so that what has changed in the tree is compiled once, there."""
        shutil.rmtree(self.out, ignore_errors=True)
        with exclusive(self.settings, f"{base.set.name}.lock"):
            subprocess.run(["cp", "-a", str(base.out), str(self.out)], check=True)
        (self.out / "built-from").unlink(missing_ok=True)
        # objtool knows its objects by their whole paths, and what it has checked
        # is made again whenever it is
        for file in self.out.glob("tools/**/.*.cmd"):
            file.write_text(file.read_text().replace(f"{base.out}/", f"{self.out}/"))

    def stamp(self, repo):
        """Stands for all that the build depends on; empty if the tree has edits,
        of which only make can tell."""
        source = tree.content(repo)
        if not source:
            return ""
        parts = [source, tool_version(self.arch.cross + "gcc"),
                 tool_version(self.arch.cross + "ld")]
        parts += [path.read_text() for path in self.set.fragments]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def read_stamp(self):
        try:
            return (self.out / "built-from").read_text()
        except FileNotFoundError:
            return ""

    def configure(self):
        self.out.mkdir(parents=True, exist_ok=True)
        log = self.log("config")
        command = ["bash", "scripts/kconfig/merge_config.sh", "-n", "-Q", "-O", str(self.out),
                   *map(str, self.set.fragments)]
        with open(log, "wb") as file:
            status = subprocess.run(command, cwd=self.tree,
                                    env=self.environment(), stdin=subprocess.DEVNULL,
                                    stdout=file, stderr=file)
        if status.returncode:
            raise Failure(f"cannot configure the {self.set.name} kernel", log)
        self.verify()

    def verify(self):
        config = (self.out / ".config").read_text()
        lines = kconfig.unmet(self.set.fragments, config, self.knows, self.absent())
        if lines:
            raise Failure(f"the {self.set.name} config is not what was asked for:\n  "
                          + "\n  ".join(lines))

    def absent(self):
        """The options that this tree need not have. A base without the series has
        none of its options, and is there only to compare with."""
        if self.settings.plain:
            return {option for option in kconfig.wanted(self.set.fragments)
                    if not self.knows(option)}
        return kconfig.lacking(self.settings.top / "configs", self.settings.base)

    def knows(self, option):
        if not hasattr(self, "_options"):
            self._options = kconfig.options_of(self.tree)
        return option.removeprefix("CONFIG_") in self._options

    def compile(self):
        fresh = not self.image.exists()
        plain = f" of plain Linux {self.settings.version}" if self.settings.plain else ""
        self.make("build", f"build {self.set.name} kernel{plain}",
                  self.set.objects if fresh else 0, self.arch.target)

    def make(self, step, title, total, *targets):
        """Runs the kernel's make; returns how many objects it made."""
        return make(self.tree, self.out, self.log(step), title, targets, total,
                    self.environment())


def make(tree, out, log, title, targets, total=0, variables=None):
    """Runs a tree's make for some out folder, with more in its environment, and
    shows how many of about `total` objects it has made; returns how many."""
    progress = Progress(title)
    count = make_objects(tree, {**environment(), **(variables or {})}, log, progress,
                         [f"O={out}", *targets], total)
    progress.done(f"{count} objects")
    return count


def make_objects(tree, env, log, progress, arguments, total=0):
    """Runs the make of a kernel tree; returns how many objects it made."""
    count = 0
    with open(log, "wb") as file, \
         subprocess.Popen(["make", f"-j{os.cpu_count()}", *arguments], cwd=tree, env=env,
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            file.write(line)
            count += bool(STEP.match(line))
            progress.update(f"{count} of about {max(total, count)} objects" if total
                            else f"{count} objects")
    if process.returncode:
        progress.clear()
        raise Failure(f"{progress.title} failed: {first_error(log)}", log)
    return count


def environment():
    """The same kernel wherever it is built: nothing of the user's environment
    that kbuild would take as a setting. Compilers are those of ccache, whose cache
    is where the user has it."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR", "TERM",
                                             "XDG_CACHE_HOME", "CCACHE_DIR", "CCACHE_DISABLE",
                                             "CCACHE_MAXSIZE") if key in os.environ}
    return {**kept, "PATH": f"{CCACHE}:{kept.get('PATH', os.defpath)}",
            "CCACHE_BASEDIR": str(TOP / "build"),
            "LC_ALL": "C", "LOCALVERSION": "", "KBUILD_BUILD_USER": "build",
            "KBUILD_BUILD_HOST": "host", "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
            "GIT_OPTIONAL_LOCKS": "0"}


def tool_version(tool):
    return subprocess.run([tool, "--version"], capture_output=True, text=True,
                          env=environment()).stdout.split("\n")[0]


def first_error(log):
    """The line that says why: with several jobs it is seldom the last."""
    text = log.read_text(errors="replace")
    match = re.search(r"^.*\b(?:error|Error|undefined reference|No rule to make)\b.*$",
                      text, re.M)
    return match.group(0).strip() if match else "make gave no reason"
