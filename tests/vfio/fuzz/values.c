// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include "values.h"

/* Few places, so that much of what is done meets what has been done there */
u64 fuzz_iova(struct rng *rng)
{
	static const u64 bases[] = { 0, SZ_1M, SZ_4G, 1ULL << 47, -(u64)SZ_1M };
	const u64 page_size = getpagesize();
	u64 iova;

	if (rng_one_in(rng, 64))
		return UINT64_MAX - rng_below(rng, 4);
	if (rng_one_in(rng, 64))
		return rng_next(rng);

	iova = bases[rng_below(rng, ARRAY_SIZE(bases))];
	iova += rng_below(rng, SZ_1M / page_size) * page_size;
	if (rng_one_in(rng, 16))
		iova += rng_below(rng, page_size);

	return iova;
}

/*
 * About the most that iommufd maps from @offset in a page on: it adds them up and
 * rounds that up to pages, which must not overflow.
 */
u64 fuzz_longest(struct rng *rng, u64 offset)
{
	const u64 page_size = getpagesize();

	if (rng_one_in(rng, 2))
		return UINT64_MAX - page_size - offset + rng_below(rng, 3) - 1;

	return UINT64_MAX - rng_below(rng, 3 * page_size);
}

u64 fuzz_wild_length(struct rng *rng)
{
	switch (rng_below(rng, 8)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX - rng_below(rng, 16);
	case 2:
		return -(u64)SZ_1M;
	case 3:
		return (1ULL << 63) + rng_below(rng, 3) * getpagesize() - getpagesize();
	case 4:
		return rng_below(rng, getpagesize());
	case 5:
		return fuzz_longest(rng, rng_below(rng, getpagesize()));
	default:
		return 1ULL << rng_below(rng, 64);
	}
}

u64 fuzz_length(struct rng *rng)
{
	const u64 page_size = getpagesize();
	u64 length;

	if (rng_one_in(rng, 32))
		return fuzz_wild_length(rng);

	length = 1 + rng_below(rng, 8);
	if (rng_one_in(rng, 8))
		length = 1 + rng_below(rng, 300);
	length *= page_size;
	if (rng_one_in(rng, 24))
		length -= rng_below(rng, page_size);

	return length;
}

/* An ID that may well be one, of whatever type */
u32 fuzz_wild_id(struct rng *rng)
{
	static const u32 ids[] = { 0, 0x7fffffff, 0x80000000, 0xffffffff };

	if (rng_one_in(rng, 4))
		return ids[rng_below(rng, ARRAY_SIZE(ids))];

	return rng_below(rng, 32);
}

/* Where nothing can be read or written */
u64 fuzz_bad_pointer(struct rng *rng, const void *inaccessible)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return 0;
	case 1:
		return 1ULL << 63;
	case 2:
		return -(u64)getpagesize();
	default:
		return (uintptr_t)inaccessible;
	}
}
