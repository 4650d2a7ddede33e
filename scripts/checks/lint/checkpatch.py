# SPDX-License-Identifier: GPL-2.0-only
"""The tree's checkpatch --strict on each commit."""

import dataclasses
import json
import re
import subprocess

from build.kernel import environment
from checks.lint import history
from common.ui import Progress

FINDING = re.compile(r"(?:(\S*?):)?(?:(\d+): )?(?:ERROR|WARNING|CHECK):(\w+): .*")


@dataclasses.dataclass(frozen=True)
class Accepted:
    """A type of finding that the series may have in some files, and why."""
    type: str
    path: str    # what the path starts with
    reason: str


ACCEPTED = (
    Accepted("FILE_PATH_CHANGES", "",
             "the entry in MAINTAINERS comes once, with all that it names"),
    Accepted("MISSING_FIXES_TAG", "",
             "the sender completes it: the source has no history to name a commit from"),
    Accepted("PARENTHESIS_ALIGNMENT", "include/trace/events/",
             "TP_STRUCT__entry() and its like are laid out as in every header there"),
    Accepted("OPEN_ENDED_LINE", "include/trace/events/",
             "TP_STRUCT__entry( ends its line, as in every header there"),
    Accepted("ENOSYS", "tools/vfio/",
             "of a library in userspace: the kernel does not have what it takes"),
    Accepted("PREFER_DEFINED_ATTRIBUTE_MACRO", "tools/vfio/",
             "userspace has no __printf(), and the library's users have no header of ours"),
    Accepted("VOLATILE", "tools/vfio/vfiodma-identify.c",
             "a first driver has registers and memory of a device, and no accessors"),
    Accepted("AVOID_EXTERNS", "tools/testing/selftests/vfio/lib/vfio_pci_driver.c",
             "every driver's ops are declared there, and nowhere else"),
    Accepted("SPACING", "tools/testing/selftests/iommu/iommufd_fail_nth.c",
             "FIXTURE_DATA() is a type, which checkpatch takes for a function"),
)


def results(repo, commits, folder):
    """[(name, problem)] of each commit. What was said of one is kept in a folder,
    for to read long patches takes seconds each."""
    script = repo.text("rev-parse", "HEAD:scripts/checkpatch.pl")

    def check(commit):
        kept = folder / f"{commit.id}-{script[:12]}.json"
        try:
            said = json.loads(kept.read_text())
        except (FileNotFoundError, ValueError):
            said = run(repo, commit)
            kept.write_text(json.dumps(said))
        return f"checkpatch: {commit.name}", problem(*said)

    folder.mkdir(parents=True, exist_ok=True)
    found = history.each(check, commits, Progress("checkpatch"))
    ids = {commit.id for commit in commits}
    for old in folder.glob("*.json"):
        if old.name.partition("-")[0] not in ids:
            old.unlink()
    return found


def run(repo, commit):
    """(lines, status). No sign-off is asked for: the sender adds it."""
    done = subprocess.run(
        ["perl", "scripts/checkpatch.pl", "--strict", "--no-signoff", "--show-types",
         "--terse", "--showfile", "--no-summary", "-g", commit.id],
        cwd=repo.path, env={**environment(), **path_of_modules()}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True)
    return done.stdout.splitlines() + done.stderr.splitlines(), done.returncode


def path_of_modules():
    """checkpatch runs spdxcheck.py, which needs modules that Debian installs for
    its own python, not for one that comes before it in PATH."""
    return {"PATH": "/usr/bin:" + environment().get("PATH", "/bin")}


def problem(lines, status):
    """What it found that is not accepted. A line that is no finding is trouble
    that checkpatch itself has, and one that it does not say is as well."""
    bad = [line for line in filter(None, lines) if not is_accepted(line)]
    if status and not lines:
        bad.append(f"checkpatch ended with status {status} and no word")
    return "\n".join(bad)


def is_accepted(line):
    match = FINDING.fullmatch(line.strip())
    return bool(match) and any(match[3] == each.type and (match[1] or "").startswith(each.path)
                               for each in ACCEPTED)
