/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What address a device without an IOMMU has for memory. VFIO and iommufd tell it to
 * userspace drivers, which do DMA without the DMA API.
 */
#ifndef __LINUX_NOIOMMU_DMA_H
#define __LINUX_NOIOMMU_DMA_H

#include <linux/cc_platform.h>
#include <linux/dma-direct.h>

/**
 * noiommu_phys_to_dma() - The address that a device has for memory of a process
 * @dev: Device without an IOMMU
 * @phys: Physical address of the processor, in a range that the device reaches
 *
 * A guest whose memory is encrypted shares some of it with the host, and that is
 * all that a device can use. On a host whose memory is encrypted the device uses
 * encrypted memory, as the processes do.
 *
 * Context: Any.
 * Return: What the device puts on its bus.
 */
static inline dma_addr_t noiommu_phys_to_dma(struct device *dev,
					     phys_addr_t phys)
{
	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		return phys_to_dma_unencrypted(dev, phys);
	return phys_to_dma(dev, phys);
}

#endif
