# SPDX-License-Identifier: GPL-2.0-only
"""Builds the documents that the series is in, on the base and on its last commit,
by the tree's own configuration of sphinx. A whole folder of them takes minutes,
so only those are read which the series touches or whose kernel-doc it does."""

import json
import re
import shutil
import subprocess

from build.kernel import environment, tool_version
from checks.lint import diagnostics, history, kerneldoc
from common.ui import Failure, Progress

ABI = "Documentation/ABI/"


def results(worktree, commits):
    """[(name, problem)] of the documents together, and of each ABI file."""
    if not shutil.which("sphinx-build"):
        raise Failure("sphinx-build is missing (Debian: python3-sphinx)")
    repo = worktree.repo
    last, files = commits[-1].id, history.files_of(commits)
    documents = documents_of(repo, last, files)
    progress = Progress("docs")
    known = base_warnings(worktree, documents)
    progress.update("the base is done")
    worktree.check_out(last)
    found = build(worktree, [path for path in documents])
    new = [line for line in sorted(found - known) if not is_elsewhere(worktree.path, line)]
    progress.clear()
    return [(f"docs: {', '.join(documents)}", "\n".join(new)),
            *((f"docs: {path}", abi(worktree, path)) for path in files if path.startswith(ABI))]


def documents_of(repo, commit, files):
    """Touched documents, and those that take kernel-doc from touched files."""
    touched = {path for path in files if re.fullmatch(r"Documentation/.*\.rst", path)}
    listing = repo.run("grep", "-h", "-o", "--full-name", "-E", "--name-only",
                       "|".join(f"kernel-doc:: +{re.escape(path)}" for path in files
                                if path.endswith((".c", ".h"))),
                       commit, "--", "Documentation/*.rst")
    included = {line.split(":", 1)[1] for line in listing.stdout.decode().splitlines()
                if ":" in line and "/translations/" not in line}
    return sorted(touched | included)


def base_warnings(worktree, documents):
    """Kept between runs."""
    stamp = [worktree.repo.commit_id(history.BASE), tool_version("sphinx-build"), documents]
    kept = worktree.folder / "docs-base.json"
    if kept.exists():
        before = json.loads(kept.read_text())
        if before["stamp"] == stamp:
            return set(before["warnings"])
    worktree.check_out(history.BASE)
    warnings = build(worktree, [path for path in documents if (worktree.path / path).exists()])
    kept.write_text(json.dumps({"stamp": stamp, "warnings": sorted(warnings)}))
    return warnings


def build(worktree, documents):
    """The warnings of some documents of what is checked out."""
    tree, out = worktree.path, worktree.folder / "docs"
    names = [path.removeprefix("Documentation/") for path in documents]
    shutil.rmtree(out, ignore_errors=True)
    command = ["sphinx-build", "-q", "-b", "html", "-d", f"{out}/doctrees",
               "-D", f"kerneldoc_srctree={tree}", "-D", f"include_patterns={','.join(names)}",
               "-D", "exclude_patterns=netlink/**",
               "-D", f"root_doc={names[0].removesuffix('.rst')}",
               *kerneldoc_option(tree),
               "-c", f"{tree}/Documentation", f"{tree}/Documentation", f"{out}/html"]
    env = {**environment(), "srctree": str(tree), "KERNELVERSION": "", "KERNELRELEASE": "",
           "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=tree, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    log = worktree.folder / "docs.log"
    log.write_text(done.stdout + done.stderr)
    made = [(out / "html" / name).with_suffix(".html") for name in names]
    if done.returncode or not all(path.exists() for path in made):
        raise Failure("cannot build the documents", log)
    return diagnostics.of_sphinx(done.stdout + done.stderr, tree)


def kerneldoc_option(tree):
    """Sphinx runs the script of Linux 6.12, and imports later ones."""
    interpreter, script = kerneldoc.program(tree)
    return ["-D", f"kerneldoc_bin={script}"] if interpreter == "perl" else []


def is_elsewhere(tree, line):
    """A reference to a document that is there, but was not read with the others."""
    match = re.search(r"unknown document: '?([^' ]+?)'?$|nonexisting document '([^']+)'", line)
    if not match:
        return "document isn't included in any toctree" in line
    name = match[1] or match[2]
    here = line.split(":", 1)[0]
    near = (tree / here).parent / name
    far = tree / "Documentation" / name.lstrip("/")
    return any(path.with_name(path.name + ".rst").exists() for path in (near, far))


def abi(worktree, path):
    """What the tree's own reader of ABI files says of one, which is checked out."""
    command = kerneldoc.tool(worktree.path, "tools/docs/get_abi.py", "scripts/get_abi.pl")
    done = subprocess.run([*command, "--dir", ABI.rstrip("/"), "validate"], cwd=worktree.path,
                          env=environment(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if path in line]
    if done.returncode:
        lines.append(f"{' '.join(command)} ended with status {done.returncode}")
    return "\n".join(lines)
