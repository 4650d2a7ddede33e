# SPDX-License-Identifier: GPL-2.0-only
"""Boots the kernel as it is after every fourth patch."""

from checks.lint.compiler import Objects
from common.ui import Failure
from guest import guest
from guest.initramfs import Job, ROOT

STEP = 4
LIMIT = 300  # seconds


def stops(commits):
    """The commits to boot: the last one that touches the kernel up to each fourth
    of the series, and up to its end. Later ones up to there make the same kernel."""
    found = []
    for end in [*range(STEP, len(commits), STEP), len(commits)]:
        before = [commit for commit in commits[:end] if commit.touches_kernel()]
        if before and before[-1] not in found:
            found.append(before[-1])
    return found


def results(settings, worktree, commits):
    kernel = Objects(settings, worktree, "boot", config="run")
    return [(f"boot: {commit.name}", boot(settings, kernel, commit))
            for commit in stops(commits)]


def boot(settings, kernel, commit):
    """Builds and boots one; the problem that there was, or ''."""
    kernel.worktree.check_out(commit.id)
    job = Job(program=ROOT / "lint-boot.sh")
    try:
        kernel.configure()
        kernel.make(f"{commit.number:04d}", f"build the kernel of patch {commit.number}",
                    0 if kernel.image.exists() else kernel.set.objects, "bzImage")
        result = guest.run(settings, kernel, job, f"lint-boot-{commit.number:04d}", LIMIT)
        guest.require_sound(result)
    except Failure as failure:
        return failure.report()
    said = result.output.decode(errors="replace").strip()
    return "" if result.status == 0 else f"status {result.status}: {said}"
