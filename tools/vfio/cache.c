// SPDX-License-Identifier: GPL-2.0
/*
 * Caches that a device does not see. On arm64 a program can maintain them by itself;
 * on x86 there is nothing to maintain, also where the kernel does not say so. Memory
 * that needs none of it is still to be seen in the right order.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dma.h"
#include "internal.h"

static bool is_coherent(const struct vfiodma_device *dev)
{
	if (dev->has_iommu)
		return true;
	return dev->reach.known ? dev->reach.coherent :
				  DMA_COHERENT_UNLESS_KNOWN;
}

#if defined(__aarch64__)

/* Of the smallest data cache line: CTR_EL0.DminLine, the log2 of 4-byte words */
static size_t line_size(void)
{
	uint64_t ctr;

	__asm__("mrs %0, ctr_el0" : "=r" (ctr));
	return (size_t)4 << (ctr >> 16 & 0xf);
}

/*
 * Each line that has some of the range: written to memory, so that no later eviction
 * can write it over what the device has written, or discarded as well. A program may
 * not discard without writing, so a line must not have been changed meanwhile. All
 * that the caller did before comes before, and is followed by all that he does then.
 */
static int maintain(const void *va, size_t size, bool discard)
{
	uintptr_t line = (uintptr_t)va, end = line + size;
	size_t step = line_size();

	__asm__ __volatile__("dsb sy" : : : "memory");
	for (line &= -step; size && line < end; line += step) {
		if (discard)
			__asm__ __volatile__("dc civac, %0" : : "r" (line) : "memory");
		else
			__asm__ __volatile__("dc cvac, %0" : : "r" (line) : "memory");
	}
	__asm__ __volatile__("dsb sy" : : : "memory");
	return 0;
}

#else

static int maintain(const void *va, size_t size, bool discard)
{
	(void)va;
	(void)size;
	(void)discard;
	return -EOPNOTSUPP;
}

#endif

int vfiodma_sync_for_device(const struct vfiodma_device *dev, const void *va,
			    size_t size)
{
	if (!is_coherent(dev))
		return maintain(va, size, false);
	dma_barrier();
	return 0;
}

int vfiodma_sync_for_cpu(const struct vfiodma_device *dev, const void *va,
			 size_t size)
{
	if (!is_coherent(dev))
		return maintain(va, size, true);
	dma_read_barrier();
	return 0;
}
