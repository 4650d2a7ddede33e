// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory as a device without an IOMMU sees it
 *
 * The address that such a device puts on its bus is not always the one that the
 * processor has for the same memory. A bridge may add an offset (dma-ranges of
 * the firmware), a board may connect only part of the memory, and with memory
 * encryption a bit of the address says that the data is encrypted. What is true
 * of a device is in its struct device already, for the kernel's own drivers.
 */
#include <linux/device.h>
#include <linux/minmax.h>
#include <linux/noiommu_dma.h>
#include <linux/sizes.h>

#include "iommufd_private.h"

/* Bytes to ask an architecture about, which is for a page at a time */
#define NOIOMMU_VIEW_PROBE SZ_1M

/*
 * The architecture has a translation of its own and does not say where it
 * changes.
 */
static bool noiommu_view_probe(struct noiommu_view *view, phys_addr_t phys)
{
	u64 length = PAGE_SIZE;

	view->phys = PAGE_ALIGN_DOWN(phys);
	view->dma = noiommu_phys_to_dma(view->dev, view->phys);
	while (length < NOIOMMU_VIEW_PROBE &&
	       noiommu_phys_to_dma(view->dev, view->phys + length) ==
	       view->dma + length)
		length += PAGE_SIZE;
	view->length = length;
	return true;
}

static bool noiommu_view_region(struct noiommu_view *view, phys_addr_t phys)
{
	const struct bus_dma_region *region = view->dev->dma_range_map;

	view->phys = 0;
	view->length = U64_MAX;
	if (region) {
		while (region->size && (phys < region->cpu_start ||
					phys - region->cpu_start >= region->size))
			region++;
		if (!region->size)
			return false;
		view->phys = region->cpu_start;
		view->length = region->size;
	}
	view->dma = noiommu_phys_to_dma(view->dev, view->phys);
	return true;
}

/* The bus has fewer address lines than the region has addresses */
static bool noiommu_view_limit(struct noiommu_view *view, phys_addr_t phys)
{
	u64 limit = view->dev->bus_dma_limit ?: U64_MAX;

	if (view->dma > limit)
		return false;
	if (limit - view->dma < view->length - 1)
		view->length = limit - view->dma + 1;
	return phys - view->phys < view->length;
}

/**
 * noiommu_view_find() - Find how a device sees an address
 * @view: Its dev is the device. Outputs the stretch of memory around @phys whose
 *        addresses all differ by the same from those of the device, as far as the
 *        device reaches it, with a length of 0 if there is none.
 * @phys: Physical address of the processor
 *
 * Context: The device has to stay bound to iommufd.
 * Return: True if the device can reach @phys.
 */
bool noiommu_view_find(struct noiommu_view *view, phys_addr_t phys)
{
	bool found;

	if (IS_ENABLED(CONFIG_ARCH_HAS_PHYS_TO_DMA))
		found = noiommu_view_probe(view, phys);
	else
		found = noiommu_view_region(view, phys);
	if (found && noiommu_view_limit(view, phys))
		return true;
	view->length = 0;
	return false;
}
