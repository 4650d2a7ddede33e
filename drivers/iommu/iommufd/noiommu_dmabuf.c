// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs in the IOAS of devices without an IOMMU
 *
 * An IOMMU keeps devices from memory that the exporter took back. Without one
 * nothing does, and to refuse dma-bufs would not change that: such a device can
 * be told to access any address, and its user has the privilege to do so. So
 * they can be mapped as for every device. When one is revoked, lookups fail from
 * then on, and the log says what the device may still reach.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/lockdep.h>
#include <linux/printk.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/**
 * iommufd_noiommu_revoked() - A dma-buf in a noiommu HWPT was revoked
 * @pages: The dma-buf
 * @area: What of it is mapped, or is being mapped or unmapped and has no pages then
 *
 * Context: The caller holds the mutex of @pages.
 */
void iommufd_noiommu_revoked(struct iopt_pages *pages, struct iopt_area *area)
{
	struct iopt_pages_dmabuf *dmabuf = &pages->dmabuf;
	u64 start = dmabuf->phys.paddr + dmabuf->start;

	lockdep_assert_held(&pages->mutex);

	pr_warn_ratelimited("a dma-buf was revoked, devices without an IOMMU may still access %#llx-%#llx (IOVA %#lx-%#lx)\n",
			    start + (u64)iopt_area_index(area) * PAGE_SIZE,
			    start + ((u64)iopt_area_last_index(area) + 1) * PAGE_SIZE - 1,
			    iopt_area_iova(area), iopt_area_last_iova(area));
}
