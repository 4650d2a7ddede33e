# SPDX-License-Identifier: GPL-2.0-only
"""What in a kernel's log says that the kernel itself found something wrong."""

import re

STAMP = r"^(?:<\d+>)?(?:\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?)?"

# The first line of each kind of report, after the time stamp
KINDS = {
    "panic": r"Kernel panic - not syncing",
    "oops": r"Oops(?::| \d| - )|general protection fault|double fault:|divide error:"
            r"|int3: |invalid opcode:|kernel BUG at|Unable to handle kernel",
    "KCSAN": r".*BUG: KCSAN:",
    "KASAN": r".*BUG: (?:KASAN|KFENCE|KMSAN):",
    "BUG": r".*\bBUG: ",
    "WARNING": r"WARNING: ",
    "lockdep": r".*(?:possible (?:recursive|circular|irq) lock|inconsistent lock state|"
               r"suspicious RCU usage|Invalid wait context|bad unlock balance|"
               r"lock held when returning to user ?space|INFO: trying to register "
               r"non-static key|DEBUG_LOCKS_WARN_ON)",
    "UBSAN": r".*UBSAN: ",
    "kmemleak": r".*kmemleak: [1-9]\d* new suspected memory leaks",
    "refcount": r".*refcount_t: ",
    "list": r".*list_(?:add|del) corruption",
    "ODEBUG": r".*ODEBUG: ",
    "RCU stall": r".*(?:rcu: INFO: .*detected (?:stalls|expedited stalls)|"
                 r"self-detected stall|rcu_\w+ detected)",
    "hung task": r".*INFO: task .* blocked for more than",
    "lockup": r".*(?:soft lockup|hard LOCKUP)",
    "page": r".*(?:BUG: Bad page|Bad page state|Bad rss-counter|page_table_check)",
    "sleep": r".*sleeping function called from invalid context",
    "scheduling": r".*scheduling while atomic",
}
PATTERNS = {kind: re.compile(f"{STAMP}(?:{pattern})") for kind, pattern in KINDS.items()}

def kind_of(line):
    """The kind of report that a line starts, or None."""
    return next((kind for kind, pattern in PATTERNS.items() if pattern.match(line)), None)


def find(log):
    """[(kind, line number from 1, line)] of the reports in a log."""
    return [(kind, number, line) for number, line in enumerate(log.splitlines(), 1)
            if (kind := kind_of(line))]


def excerpt(log, number, length=40):
    """The lines of a report: from its first line to the end of its trace."""
    lines = log.splitlines()[number - 1:number - 1 + length]
    for index, line in enumerate(lines):
        if "---[ end " in line or "</TASK>" in line:
            return lines[:index + 1]
    return lines


def task(log, name, length=25):
    """The stack of the first task of a name, where the kernel listed its tasks."""
    lines = log.splitlines()
    pattern = re.compile(STAMP + rf"task:{re.escape(name)} ")
    start = next((index for index, line in enumerate(lines) if pattern.match(line)), None)
    if start is None:
        return []
    stack = lines[start:start + length]
    ends = [index for index, line in enumerate(stack) if "</TASK>" in line]
    return stack[:ends[0] + 1] if ends else stack
