/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_EDU_H
#define TESTS_LIB_EDU_H

/* Transfers by edu one by one, of which libvfio's driver does two for each copy */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/io.h>
#include <linux/types.h>

#include <libvfio/noiommu.h>

#include "mem.h"

/* What libvfio's driver has no use for */
#define EDU_FACTORIAL		0x08
#define EDU_STATUS		0x20
#define   EDU_STATUS_IRQ	0x80
#define EDU_IRQ_STATUS		0x24
#define   EDU_IRQ_DMA		0x100

static inline void edu_start(void *bar, u64 src, u64 dst, u64 count, u64 flags)
{
	writeq(src, bar + EDU_DMA_SRC);
	writeq(dst, bar + EDU_DMA_DST);
	writeq(count, bar + EDU_DMA_COUNT);
	writeq(EDU_DMA_RUN | flags, bar + EDU_DMA_CMD);
}

static inline void edu_wait(void *bar)
{
	int ms;

	for (ms = 0; readq(bar + EDU_DMA_CMD) & EDU_DMA_RUN; ms++) {
		VFIO_ASSERT_LT(ms, 10000);
		usleep(1000);
	}
}

static inline void edu_copy(void *bar, u64 dst, u64 src, u64 count)
{
	edu_start(bar, src, EDU_BUF, count, 0);
	edu_wait(bar);
	edu_start(bar, EDU_BUF, dst, count, EDU_DMA_TO_RAM);
	edu_wait(bar);
}

/*
 * Have edu copy from @nr places all over @src to as many of @dst, which may be the same,
 * by the addresses that pagemap gave. Is that what has changed in @dst, and all? A copy
 * takes a fifth of a second.
 */
static inline bool edu_copies(void *bar, const struct mem *dst,
			      const struct mem *src, u64 nr)
{
	const u64 count = 1000, src_offset = 64, dst_offset = getpagesize() / 2;
	const u64 page_size = getpagesize();
	char *bytes = malloc(dst->size);
	u64 i, from, to;
	bool same;

	VFIO_ASSERT_NOT_NULL(bytes);
	memcpy(bytes, dst->vaddr, dst->size);
	for (i = 0; i < nr; i++) {
		from = i * (src->size / nr);
		to = (i * 7 + 3) % nr * (dst->size / nr);
		edu_copy(bar, dst->phys[to / page_size] + dst_offset,
			 src->phys[from / page_size] + src_offset, count);
		memcpy(bytes + to + dst_offset, src->vaddr + from + src_offset, count);
	}
	same = !memcmp(bytes, dst->vaddr, dst->size);
	free(bytes);

	return same;
}

#endif /* TESTS_LIB_EDU_H */
