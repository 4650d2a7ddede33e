/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What address a device without an IOMMU has for memory. VFIO and iommufd tell it to
 * userspace drivers, which do DMA without the DMA API.
 */
#ifndef __LINUX_NOIOMMU_DMA_H
#define __LINUX_NOIOMMU_DMA_H

#include <linux/cc_platform.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/swiotlb.h>

/* MIPS has functions of its own for it, and exports none of them */
static inline bool noiommu_phys_to_dma_exported(void)
{
	return !(IS_ENABLED(CONFIG_MIPS) &&
		 IS_ENABLED(CONFIG_ARCH_HAS_PHYS_TO_DMA) &&
		 __is_defined(MODULE));
}

/**
 * noiommu_phys_to_dma_known() - Can the kernel tell addresses of a device?
 * @dev: Device without an IOMMU
 *
 * Where the platform translates DMA, the kernel's drivers get their addresses from
 * its own dma_map_ops. A PV domain of Xen has some: what it takes for physical
 * addresses are not those of the machine. And a device that the firmware restricts
 * to a pool of memory does not reach that of a process.
 *
 * Context: Any.
 * Return: True if noiommu_phys_to_dma() works for it.
 */
static inline bool noiommu_phys_to_dma_known(struct device *dev)
{
	return noiommu_phys_to_dma_exported() && !get_dma_ops(dev) &&
	       !is_swiotlb_for_alloc(dev);
}

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
 * Return: What the device puts on its bus, or DMA_MAPPING_ERROR if
 *         noiommu_phys_to_dma_known() says that this cannot be told.
 */
static inline dma_addr_t noiommu_phys_to_dma(struct device *dev,
					     phys_addr_t phys)
{
	if (!noiommu_phys_to_dma_known(dev))
		return DMA_MAPPING_ERROR;
	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		return phys_to_dma_unencrypted(dev, phys);
	return phys_to_dma(dev, phys);
}

#endif
