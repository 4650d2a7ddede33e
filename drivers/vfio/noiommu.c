// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a driver has to know about the DMA of a device without an IOMMU
 *
 * With an IOMMU, VFIO makes sure that DMA is coherent, and addresses are IOVAs.
 * Without one all of it is as the hardware has it, and a driver that does not
 * know has its data corrupted. The kernel knows it for its own drivers.
 */
#include <linux/cc_platform.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/noiommu_dma.h>
#include <linux/vfio.h>

#include "vfio.h"

static bool vfio_noiommu_is_translated(struct device *dev)
{
	const struct bus_dma_region *region = dev->dma_range_map;

	/* Not every address tells, where the architecture does it its own way */
	if (IS_ENABLED(CONFIG_ARCH_HAS_PHYS_TO_DMA) ||
	    !noiommu_phys_to_dma_known(dev))
		return true;
	/* What lies in no region is out of reach */
	if (region && (region->cpu_start || region[1].size))
		return true;
	return noiommu_phys_to_dma(dev, 0);
}

static u32 vfio_noiommu_dma_flags(struct device *dev)
{
	u32 flags = 0;

	if (dev_is_dma_coherent(dev))
		flags |= VFIO_DEVICE_NOIOMMU_DMA_COHERENT;
	if (vfio_noiommu_is_translated(dev))
		flags |= VFIO_DEVICE_NOIOMMU_DMA_TRANSLATED;
	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		flags |= VFIO_DEVICE_NOIOMMU_DMA_ENCRYPTED;
	return flags;
}

/**
 * vfio_noiommu_log_dma() - Log what can corrupt data of an unaware driver
 * @device: Device that is being registered, without an IOMMU
 *
 * Context: May sleep.
 */
void vfio_noiommu_log_dma(struct vfio_device *device)
{
	struct device *dev = device->dev;
	u32 flags = vfio_noiommu_dma_flags(dev);

	if (!(flags & VFIO_DEVICE_NOIOMMU_DMA_COHERENT))
		dev_warn(dev, "DMA is not coherent, the user has to maintain caches\n");
	if (flags & VFIO_DEVICE_NOIOMMU_DMA_TRANSLATED)
		dev_warn(dev, "DMA addresses differ from physical addresses, or do not reach all memory\n");
	if (flags & VFIO_DEVICE_NOIOMMU_DMA_ENCRYPTED)
		dev_warn(dev, "DMA reaches only memory that is shared with the host\n");
	if (dev->bus_dma_limit)
		dev_warn(dev, "DMA reaches no address above 0x%llx\n",
			 dev->bus_dma_limit);
}

/**
 * vfio_info_add_noiommu_cap() - Add what is to be known of the device's DMA
 * @device: Device that the user asks about
 * @caps: Capabilities of VFIO_DEVICE_GET_INFO to add to
 *
 * Nothing is added for a device that has an IOMMU: its DMA is coherent, and
 * iommufd tells the IOVAs that it can use.
 *
 * Context: May sleep.
 * Return: 0, or -ENOMEM with @caps empty.
 */
int vfio_info_add_noiommu_cap(struct vfio_device *device,
			      struct vfio_info_cap *caps)
{
	struct vfio_device_info_cap_noiommu_dma cap = {
		.header.id = VFIO_DEVICE_INFO_CAP_NOIOMMU_DMA,
		.header.version = 1,
	};

	if (!vfio_device_is_noiommu(device))
		return 0;
	cap.flags = vfio_noiommu_dma_flags(device->dev);
	cap.last_addr = device->dev->bus_dma_limit ?: U64_MAX;
	return vfio_info_add_capability(caps, &cap.header, sizeof(cap));
}
EXPORT_SYMBOL_GPL(vfio_info_add_noiommu_cap);
