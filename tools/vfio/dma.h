/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that a device without an IOMMU may read and write.
 */
#ifndef DMA_H
#define DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct noiommu_device;

/**
 * enum dma_kind - where the memory comes from
 * @DMA_SCATTERED: ordinary pages, in no order: nearly every page has an
 *		   address of its own. This is what a driver must cope with.
 * @DMA_HUGETLB: huge pages: contiguous over megabytes, few addresses
 */
enum dma_kind {
	DMA_SCATTERED,
	DMA_HUGETLB,
};

/**
 * struct dma_memory - memory mapped into the IOAS of a device
 * @va: where this process sees it
 * @size: of all of it, in bytes; a multiple of the page size
 * @iova: what iommufd calls it
 * @mapped: @iova is valid
 * @page_size: the CPU's, and the unit of @pages
 * @pages: the physical address of each page
 */
struct dma_memory {
	char *va;
	size_t size;
	__u64 iova;
	bool mapped;
	size_t page_size;
	__u64 *pages;
};

int dma_memory_alloc(struct noiommu_device *dev, struct dma_memory *mem,
		     size_t size, enum dma_kind kind);
void dma_memory_free(struct noiommu_device *dev, struct dma_memory *mem);

/* What to tell the device. Good as far as the end of the page, no farther. */
static inline __u64 dma_address(const struct dma_memory *mem, size_t offset)
{
	return mem->pages[offset / mem->page_size] + offset % mem->page_size;
}

#endif /* DMA_H */
