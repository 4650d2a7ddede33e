// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookups a second, by one thread and by two, on one processor and on two, in one
 * IOAS and in one each. This is time by the clock, which depends on the machine
 * underneath and on what else it does: to be compared only with what was
 * measured beside it.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAX_THREADS	2
#define BUFFER		MIB(16UL)
#define SECONDS		2

struct worker {
	pthread_t thread;
	struct device *dev;
	int cpu;
	size_t page;
	unsigned long lookups;
} __attribute__((aligned(128)));

static volatile bool stop;

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die_errno("sched_setaffinity to processor %d", cpu);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct get_pa get;

	stay_on(worker->cpu);
	while (!stop) {
		get = (struct get_pa){
			.size = GET_PA_SIZE,
			.ioas_id = worker->dev->ioas_id,
			.iova = worker->dev->iova +
				worker->page * PAGE,
			.length = PAGE,
		};
		look_up(worker->dev, &get);
		worker->page = (worker->page + 13) % (BUFFER / PAGE);
		worker->lookups++;
	}
	return NULL;
}

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The n-th thread uses the n-th of the IOASs, as long as there are some */
static void measure(struct device *devs, int ioass, int threads, int cpus)
{
	struct worker workers[MAX_THREADS];
	unsigned long lookups = 0;
	double start;
	int i;

	stop = false;
	start = seconds();
	for (i = 0; i < threads; i++) {
		workers[i] = (struct worker){
			.dev = &devs[i % ioass],
			.cpu = i % cpus,
			.page = i * 7,
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("pthread_create failed");
	}
	sleep(SECONDS);
	stop = true;
	for (i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		lookups += workers[i].lookups;
	}
	report(lookups / (seconds() - start), "parallel/%d/%d/%d", threads,
	       cpus, ioass);
}

void parallel(struct device *dev)
{
	struct device devs[MAX_THREADS] = { *dev };
	struct buffer bufs[MAX_THREADS];
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		die("two processors are needed");
	device_add_ioas(&devs[1], dev);
	for (i = 0; i < MAX_THREADS; i++) {
		buffer_alloc(&bufs[i], SCATTERED, BUFFER);
		map(&devs[i], &bufs[i], bufs[i].size);
	}
	measure(devs, 1, 1, 1);
	measure(devs, 1, 2, 1);
	measure(devs, 1, 2, 2);
	measure(devs, 2, 2, 2);
	for (i = 0; i < MAX_THREADS; i++) {
		unmap(&devs[i], bufs[i].size);
		buffer_free(&bufs[i]);
	}
}
