/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands before the tree's own: tests may take twenty times as long as the harness
 * lets them by default. Its 30 seconds are meant for a machine, not for an emulated
 * one with KASAN and kmemleak that shares its processors.
 */
#include_next "kselftest_harness.h"
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 600
