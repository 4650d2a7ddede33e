/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

/* For tests that go on at random: how long, and the same numbers once more */

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <linux/types.h>

#include <libvfio.h>

static inline u64 now_ns(void)
{
	struct timespec ts;

	VFIO_ASSERT_EQ(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The same sequence on every machine and with every libc */
struct rng {
	u64 state;
};

static inline u64 rng_next(struct rng *rng)
{
	u64 z = (rng->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;

	return z ^ (z >> 31);
}

static inline void rng_init(struct rng *rng, u64 seed, u64 stream)
{
	rng->state = seed;
	rng->state = rng_next(rng) ^ stream;
	rng_next(rng);
}

static inline u64 rng_below(struct rng *rng, u64 end)
{
	return rng_next(rng) % end;
}

static inline bool rng_one_in(struct rng *rng, u64 n)
{
	return !rng_below(rng, n);
}

static inline u64 env_u64(const char *name, u64 value)
{
	const char *string = getenv(name);
	char *end;

	if (!string)
		return value;
	value = strtoull(string, &end, 0);
	VFIO_ASSERT_TRUE(*string && !*end, "%s=%s is no number\n", name, string);

	return value;
}

#endif /* TESTS_LIB_RANDOM_H */
