/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_VFIO_FUZZ_VALUES_H
#define TESTS_VFIO_FUZZ_VALUES_H

/* Random numbers, and values that are worth trying more often than others */

#include <linux/types.h>

#include "random.h"

u64 fuzz_iova(struct rng *rng);
u64 fuzz_longest(struct rng *rng, u64 offset);
u64 fuzz_wild_length(struct rng *rng);
u64 fuzz_length(struct rng *rng);
u32 fuzz_wild_id(struct rng *rng);
u64 fuzz_bad_pointer(struct rng *rng, const void *inaccessible);

#endif /* TESTS_VFIO_FUZZ_VALUES_H */
