// SPDX-License-Identifier: GPL-2.0-only
/*
 * Binding of devices that have no IOMMU
 *
 * The usual bind trusts the IOMMU: it takes the DMA ownership of the
 * iommu_group and refuses a device whose DMA or interrupts are not isolated.
 * There is nothing to trust here, so this is a separate entry point. A device
 * comes through it because its driver decided that it may be used without an
 * IOMMU, never because iommufd found that an IOMMU is missing.
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>

#define CREATE_TRACE_POINTS
#include <trace/events/iommufd_noiommu.h>

#include "iommufd_private.h"

/**
 * iommufd_device_bind_noiommu - Bind a physical device without an IOMMU
 * @ictx: iommufd file descriptor
 * @dev: Pointer to a physical device struct
 * @id: Output ID number to return to userspace for this device
 *
 * Like iommufd_device_bind(), for a device that no IOMMU translates. It can be
 * attached to an IOAS and to noiommu HWPTs, which pins the memory of the IOAS,
 * but the device goes on using physical addresses and can reach all of the
 * memory. The caller must have established that the user is allowed to control
 * such a device.
 *
 * The device is alone in its igroup and does not need an iommu_group. If it has
 * one, it is ignored: no DMA ownership is taken.
 *
 * The caller must undo this with iommufd_device_unbind()
 *
 * Context: May sleep.
 * Return: The device, ERR_PTR(-EINVAL) if an IOMMU driver knows @dev,
 *         ERR_PTR(-EOPNOTSUPP) if the kernel is built without
 *         CONFIG_IOMMUFD_NOIOMMU, ERR_PTR(-ENOMEM).
 */
struct iommufd_device *iommufd_device_bind_noiommu(struct iommufd_ctx *ictx,
						   struct device *dev, u32 *id)
{
	struct iommufd_device *idev;
	struct iommufd_group *igroup;

	/*
	 * An IOMMU driver has the device, or is probing it. Do not look further:
	 * what this points to can be freed at any time.
	 */
	if (READ_ONCE(dev->iommu))
		return ERR_PTR(-EINVAL);

	igroup = iommufd_alloc_group(ictx, NULL);
	if (!igroup)
		return ERR_PTR(-ENOMEM);

	idev = iommufd_device_create(ictx, igroup, dev, id);
	if (IS_ERR(idev)) {
		iommufd_put_group(igroup);
		return idev;
	}

	trace_iommufd_noiommu_bind(dev, idev->obj.id);
	return idev;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind_noiommu, "IOMMUFD");

/* There is no IOMMU to program, these are for the trace */

void iommufd_noiommu_unbind(struct iommufd_device *idev)
{
	trace_iommufd_noiommu_unbind(idev->dev, idev->obj.id);
}

void iommufd_noiommu_attach(struct iommufd_hw_pagetable *hwpt,
			    struct iommufd_device *idev)
{
	trace_iommufd_noiommu_attach(idev->dev,
				     to_hwpt_paging(hwpt)->ioas->obj.id,
				     hwpt->obj.id);
}

void iommufd_noiommu_detach(struct iommufd_hw_pagetable *hwpt,
			    struct iommufd_device *idev)
{
	trace_iommufd_noiommu_detach(idev->dev,
				     to_hwpt_paging(hwpt)->ioas->obj.id,
				     hwpt->obj.id);
}
