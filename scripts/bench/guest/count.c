// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting. With QEMU's -icount shift=0 an instruction takes a nanosecond, and
 * the processor's time stamp counts these. The stamp is what is read here:
 * clock_gettime() scales it by what the kernel found its rate to be, and is
 * wrong in the fifth digit.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"

static __u64 overhead;

/* What is counted if nothing happens in between */
void count_init(void)
{
	__u64 best = ~0ULL, start;
	int i;

	for (i = 0; i < 16; i++) {
		start = now();
		least(&best, now() - start);
	}
	overhead = best;
}

__u64 since(__u64 start)
{
	__u64 count = now() - start;

	return count > overhead ? count - overhead : 0;
}

/* What disturbs a count, as the timer does, adds to it. */
void least(__u64 *best, __u64 value)
{
	if (value < *best)
		*best = value;
}

/*
 * What is still on its way out of the serial port would interrupt what is
 * counted next.
 */
static void drain(void)
{
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
}

/* "key value" */
void report(__u64 value, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" %llu\n", (unsigned long long)value);
	drain();
}

/* This kernel, or this machine, does not have it. */
void report_none(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" none\n");
	drain();
}

static void say(const char *fmt, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, fmt, args);
}

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	fputc('\n', stderr);
	exit(1);
}

void die_errno(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}
