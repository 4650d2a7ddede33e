# SPDX-License-Identifier: GPL-2.0-only
import unittest

from guest import splat

SPLATS = {
    "[    1.000000] Kernel panic - not syncing: Attempted to kill init!": "panic",
    "[    1.000000] Oops: general protection fault, probably for non-canonical": "oops",
    "[    1.000000][  T1] Oops: 0000 [#1] SMP KASAN NOPTI": "oops",
    "[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000008": "BUG",
    "[   12.345678] BUG: KASAN: slab-use-after-free in iommufd_fops_release+0x1/0x2": "KASAN",
    "[    1.000000] kernel BUG at mm/slub.c:563!": "oops",
    "[    1.000000] BUG: KCSAN: data-race in a / b": "KCSAN",
    "[    1.000000] WARNING: CPU: 1 PID: 7 at drivers/vfio/group.c:5 f+0x1/0x2": "WARNING",
    "[    1.000000] WARNING: drivers/vfio/group.c:5 at f+0x1/0x2, CPU#1: t/7": "WARNING",
    "[    1.000000] WARNING: possible circular locking dependency detected": "WARNING",
    "[    1.000000] WARNING: possible recursive locking detected": "WARNING",
    "[    1.000000] WARNING: inconsistent lock state": "WARNING",
    "[    1.000000] WARNING: suspicious RCU usage": "WARNING",
    "[    1.000000] WARNING: lock held when returning to user space!": "WARNING",
    "[    1.000000] UBSAN: shift-out-of-bounds in drivers/iommu/x.c:1:2": "UBSAN",
    "[    1.000000] kmemleak: 3 new suspected memory leaks (see /sys/...)": "kmemleak",
    "[    1.000000] refcount_t: underflow; use-after-free.": "refcount",
    "[    1.000000] list_del corruption. prev->next should be x": "list",
    "[    1.000000] ODEBUG: free active (active state 0) object: x": "ODEBUG",
    "[    1.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:": "RCU stall",
    "[    1.000000] rcu: INFO: rcu_preempt self-detected stall on CPU": "RCU stall",
    "[    1.000000] INFO: task init:1 blocked for more than 120 seconds.": "hung task",
    "[    1.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [x:1]": "BUG",
    "[    1.000000] BUG: Bad page state in process x  pfn:12345": "BUG",
    "[    1.000000] BUG: sleeping function called from invalid context at x.c:1": "BUG",
    "[    1.000000] BUG: scheduling while atomic: x/1/0x00000002": "BUG",
    "[    1.000000] INFO: trying to register non-static key.": "lockdep",
}
HARMLESS = """\
[    0.000000] Linux version 7.2.13 (build@host)
[    0.000000] Command line: console=ttyS0 oops=panic panic=-1
[    0.100000] kmemleak: Kernel memory leak detector initialized
[    0.100000] vfio-pci 0000:00:04.0: Adding kernel taint for vfio-noiommu group
[    0.100000] vfio-pci 0000:00:04.0: vfio-noiommu device opened by user (x:1)
[    0.200000] FAULT_INJECTION: forcing a failure.
[    0.200000] clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable
[    0.200000] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
[    0.300000] rcu: Hierarchical RCU implementation.
"""
LOG = """\
[    1.0] fine
[    2.0] ------------[ cut here ]------------
[    2.0] WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2
[    2.0] Call Trace:
[    2.0]  f+0x1/0x2
[    2.0] ---[ end trace 0000000000000000 ]---
[    3.0] fine
"""


class Splat(unittest.TestCase):
    def test_every_kind(self):
        for line, kind in SPLATS.items():
            self.assertEqual(splat.kind_of(line), kind, line)

    def test_harmless_lines(self):
        self.assertEqual(splat.find(HARMLESS), [])

    def test_where_it_starts_and_ends(self):
        (kind, number, _), = splat.find(LOG)
        self.assertEqual((kind, number), ("WARNING", 3))
        lines = splat.excerpt(LOG, number)
        self.assertEqual((len(lines), lines[-1]), (4, LOG.splitlines()[5]))

    def test_task(self):
        log = ("[ 1.0] task:init state:S\n[ 1.0]  <TASK>\n[ 1.0]  </TASK>\n"
               "[ 1.0] task:program         state:D stack:0\n[ 1.0]  <TASK>\n[ 1.0]  f+0x1/0x2\n"
               "[ 1.0]  </TASK>\n[ 1.0] task:other state:S\n")
        lines = splat.task(log, "program")
        self.assertEqual((len(lines), lines[0][7:19], lines[-1]), (4, "task:program", "[ 1.0]  </TASK>"))
        self.assertEqual(splat.task("", "program"), [])
