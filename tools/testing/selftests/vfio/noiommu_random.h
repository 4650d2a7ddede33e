/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_NOIOMMU_RANDOM_H
#define SELFTESTS_VFIO_NOIOMMU_RANDOM_H

/* For tests that go on at random: how long, and the same numbers once more */

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

/* The same numbers everywhere, for which rand() is not good enough */
static inline u64 random_next(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

static inline u64 random_below(u64 *state, u64 limit)
{
	return (random_next(state) >> 16) % limit;
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

#endif /* SELFTESTS_VFIO_NOIOMMU_RANDOM_H */
