# SPDX-License-Identifier: GPL-2.0-only
import unittest

from checks import races
from guest import splat

REPORT = """\
[    9.000001] ==================================================================
[    9.000002] BUG: KCSAN: data-race in {0} / {1}
[    9.000003]
[    9.000004] write to 0xffff888003b2d018 of 8 bytes by task 81 on cpu 0:
[    9.000005]  {0}+0x1d/0x30
[    9.000006]  {2}+0x89/0xd0
[    9.000007]  do_syscall_64+0x1/0x2
[    9.000008]
[    9.000009] read to 0xffff888003b2d018 of 8 bytes by task 82 on cpu 1:
[    9.000010]  {1}+0x10/0x30
[    9.000011]  {3}+0x89/0xd0
[    9.000012]
[    9.000013] value changed: 0x0000000000000000 -> 0x0000000000000001
[    9.000014]
[    9.000015] Reported by Kernel Concurrency Sanitizer on:
[    9.000016] CPU: 1 UID: 0 PID: 82 Comm: program
[    9.000017] ==================================================================
[    9.000018] something+0x1/0x2
"""
OURS = {"iopt_map", "iommufd_ioas_get_pa"}


def counted(*functions):
    log = REPORT.format(*functions)
    (report,) = splat.find(log)
    accesses = races.stacks(log.splitlines()[report[1]:])
    assert len(accesses) == 2, accesses
    return races.is_ours(accesses, OURS)


class Races(unittest.TestCase):
    def test_an_access_in_a_function_of_ours(self):
        self.assertTrue(counted("iopt_map", "folio_add", "other", "other"))
        self.assertTrue(counted("folio_add", "iopt_map", "other", "other"))

    def test_two_calls_of_ours_meet_elsewhere(self):
        self.assertTrue(counted("xa_store", "xa_load", "iopt_map", "iommufd_ioas_get_pa"))

    def test_a_call_of_ours_meets_another_user(self):
        self.assertFalse(counted("folio_add", "folio_put", "iopt_map", "shrink_list"))

    def test_an_interrupt_is_not_called_by_what_it_interrupts(self):
        log = REPORT.format("xa_store", "xa_load", "iopt_map", "asm_sysvec_apic_timer_interrupt")
        lines = log.splitlines()
        lines.insert(11, "[    9.000011]  iommufd_ioas_get_pa+0x1/0x2")
        accesses = races.stacks(lines[2:])
        self.assertEqual(accesses[1], ["xa_load"])
        self.assertFalse(races.is_ours(accesses, OURS))

    def test_others(self):
        self.assertFalse(counted("folio_add", "folio_put", "a", "b"))

    def test_a_race_of_unknown_origin(self):
        log = REPORT.format("iopt_map", "b", "c", "d").splitlines()
        lines = [line.replace("write to", "race at unknown origin, with write to")
                 for line in log[2:8] + log[12:]]
        accesses = races.stacks(lines)
        self.assertEqual(len(accesses), 1)
        self.assertTrue(races.is_ours(accesses, OURS))

    def test_a_kernel_that_does_not_watch_is_no_proof(self):
        self.assertEqual(races.unwatched("[    0.1] kcsan: enabled early\n"), "")
        self.assertTrue(races.unwatched("[    0.1] kcsan: strict mode configured\n"))

    def test_other_kinds_of_reports_always_count(self):
        log = "[    1.000000] UBSAN: shift-out-of-bounds in x.c:1:2\n"
        (report,) = splat.find(log)
        self.assertTrue(races.concerns(None)(log, report))
