// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random legal and illegal use of devices without an IOMMU in iommufd
 *
 * Rounds of a serial phase, where a model predicts the outcome of each step, and
 * of a parallel one, where threads and processes that are killed share files and
 * nothing may crash, hang, or give away an address of memory that is not theirs.
 * After each of them nothing may be pinned any more, and the devices have to be
 * as good as new.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <libvfio.h>

#include "kselftest.h"

#include "fuzz/memory.h"
#include "fuzz/model.h"
#include "fuzz/parallel.h"
#include "fuzz/serial.h"
#include "utils.h"

#define SERIAL_STEPS		3000
#define PARALLEL_MILLISECONDS	1500

/* No round takes as long, not even on a slow machine with all of debugging */
#define HANG_SECONDS		300

static struct noiommu_devices devices;

static struct {
	u64 seed;
	u64 seconds;
	u64 first_round;
} options = {
	.seed = 1,
	.seconds = 60,
};

static void usage(const char *name)
{
	fprintf(stderr,
		"Usage: %s [--seed N] [--seconds N] [--round N] bdf...\n",
		name);
	exit(KSFT_FAIL);
}

static u64 parse_number(const char *name, const char *arg)
{
	char *end;
	u64 value;

	errno = 0;
	value = strtoull(arg, &end, 0);
	if (errno || !*arg || *end)
		usage(name);

	return value;
}

static void parse_options(int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "round", required_argument, NULL, 'r' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = parse_number(argv[0], optarg);
			break;
		case 't':
			options.seconds = parse_number(argv[0], optarg);
			break;
		case 'r':
			options.first_round = parse_number(argv[0], optarg);
			break;
		default:
			usage(argv[0]);
		}
	}
	if (optind != argc)
		usage(argv[0]);
}

static time_t now(void)
{
	struct timespec ts;

	VFIO_ASSERT_EQ(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return ts.tv_sec;
}

/*
 * Afterwards
 */

static bool pins_are_gone(s64 pinned)
{
	const s64 pinned_now = pinned_pages_wait(pinned);

	if (pinned_now != pinned)
		ksft_print_msg("%ld pages are still pinned\n",
			       pinned_now - pinned);

	return pinned_now == pinned;
}

/* Is everything as it was before the round? */
static bool clean_afterwards(s64 pinned)
{
	if (!pins_are_gone(pinned))
		return false;
	if (!device_works(devices.bdf) ||
	    (devices.other_bdf && !device_works(devices.other_bdf)) ||
	    (devices.edu_bdf && !device_works(devices.edu_bdf))) {
		ksft_print_msg("A device does not work any more\n");
		return false;
	}

	return true;
}

static struct results {
	bool serial;
	bool parallel;
	bool clean;
} results = { true, true, true };

static bool results_good(void)
{
	return results.serial && results.parallel && results.clean;
}

static void hung(int signal)
{
	static const char text[] = "# A round takes too long, something hangs\n";

	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(KSFT_FAIL + 1);
	_exit(KSFT_FAIL);
}

static void round_run(struct serial *s, struct parallel *p, u32 round)
{
	const s64 pinned = pinned_pages();

	alarm(HANG_SECONDS);
	results.serial = serial_run(s, options.seed, round, SERIAL_STEPS);
	if (results.serial)
		results.clean = clean_afterwards(pinned);
	if (results_good()) {
		results.parallel = parallel_run(p, options.seed, round,
						PARALLEL_MILLISECONDS);
		results.clean = clean_afterwards(pinned);
	}

	if (!results.clean)
		ksft_print_msg("--seed %lu --round %u\n", options.seed, round);
}

/* After at least one round: where none was done, nothing has been verified */
static bool parallel_looked_up(const struct parallel *p)
{
	ksft_print_msg("parallel: %lu operations, %lu lookups with success\n",
		       p->shared->ops, p->shared->lookups);

	return p->shared->lookups;
}

static void report_clean(void)
{
	/* A device that does not work is a failure even so */
	if (results.clean && pinned_pages() < 0)
		ksft_test_result_skip("clean_afterwards: The kernel does not count pinned pages\n");
	else
		ksft_test_result(results.clean, "clean_afterwards\n");
}

int main(int argc, char *argv[])
{
	static struct parallel parallel;
	static struct serial serial;
	u32 round;
	time_t end;

	devices_find(&devices, &argc, argv);
	parse_options(argc, argv);
	setbuf(stdout, NULL);

	ksft_print_header();
	ksft_set_plan(3);

	mem_init();
	serial_init(&serial, devices.bdf, devices.other_bdf);
	parallel_init(&parallel, devices.cdev_path, devices.other_bdf);
	VFIO_ASSERT_NE(signal(SIGALRM, hung), SIG_ERR);

	end = now() + options.seconds;
	round = options.first_round;
	do {
		round_run(&serial, &parallel, round++);
	} while (results_good() && now() < end);

	ksft_print_msg("seed %lu, rounds %lu to %u\n", options.seed,
		       options.first_round, round - 1);
	serial_print_statistics(&serial);
	if (!parallel_looked_up(&parallel) && results_good())
		results.parallel = false;
	ksft_test_result(results.serial, "serial\n");
	ksft_test_result(results.parallel, "parallel\n");
	report_clean();
	ksft_finished();
}
