/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_EDU_H
#define TESTS_LIB_EDU_H

/* One transfer by edu, of which libvfio's driver does two for each copy */

#include <unistd.h>

#include <linux/io.h>
#include <linux/types.h>

#include <libvfio/noiommu.h>

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

#endif /* TESTS_LIB_EDU_H */
