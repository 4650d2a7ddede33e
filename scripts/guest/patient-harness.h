/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Put before a selftest with -include: tests may take twenty times as long as the
 * harness lets them by default. Its 30 seconds are meant for a machine, not for
 * an emulated one with KASAN and kmemleak that shares its processors.
 */
/* A program that has several files, or no tests of the harness, leaves some unused */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "kselftest_harness.h"
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 600
