// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quarantine: when it begins and what ends it
 *
 * Closing a device without an IOMMU is to stop its DMA, by taking bus mastering away
 * or by a reset. A device that has neither, or does not heed it, goes on after its
 * user is gone. If the user has asked for it, such a device keeps the memory that
 * it was attached to, see drivers/iommu/iommufd/noiommu_quarantine.c, until there
 * was a reset after all, or the next user says that the device is quiet.
 *
 * It is of one user at most. The next one can be held only once the last one's
 * memory is released, so a device never keeps more than a process could map.
 *
 * A device that is taken from its VFIO driver ends it, too. If it is gone from the
 * bus there is no more DMA. If it is only unbound, that is by an administrator,
 * whom remove() cannot refuse, and the next driver has no way to say that it is
 * quiet: it would be kept until the next boot. So that is in the log.
 */
#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include "vfio.h"

static void vfio_quarantine_release(struct vfio_device *device, const char *why)
{
	struct iommufd_device *idev = device->quarantined;
	u64 bytes;

	lockdep_assert_held(&device->dev_set->lock);

	if (!idev)
		return;
	device->quarantined = NULL;
	bytes = iommufd_device_release_noiommu(idev, why);
	dev_info(device->dev, "vfio-noiommu quarantine ends (%s), %llu KiB are released\n",
		 why, bytes / SZ_1K);
}

/**
 * vfio_quarantine_check() - See whether a user can bind the device as it wants to
 * @device: Device that has been opened, which may have reset it
 * @flags: Flags of VFIO_DEVICE_BIND_IOMMUFD, valid for @device
 *
 * Context: struct vfio_device_set::lock is held.
 * Return: 0, -EBUSY if the memory of an earlier user is held and @flags ask for
 *         more of that.
 */
int vfio_quarantine_check(struct vfio_device *device, u32 flags)
{
	lockdep_assert_held(&device->dev_set->lock);

	if (device->quarantined &&
	    flags & VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUARANTINE &&
	    !(flags & VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUIET))
		return -EBUSY;
	return 0;
}

/**
 * vfio_quarantine_bind() - Heed what a user that has bound the device says of it
 * @device: Device that is bound now, nothing can fail any more
 * @flags: Flags that vfio_quarantine_check() has allowed
 *
 * Context: May sleep. struct vfio_device_set::lock is held.
 */
void vfio_quarantine_bind(struct vfio_device *device, u32 flags)
{
	if (flags & VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUIET)
		vfio_quarantine_release(device, "quiet");
	device->quarantine_wanted =
		!!(flags & VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUARANTINE);
}

/**
 * vfio_quarantine_hold() - Keep the memory of a user that is gone, if need be
 * @device: Device that has been closed and is to be detached and unbound
 *
 * Context: May sleep. struct vfio_device_set::lock is held.
 * Return: True if the device is left to its user, false if it has to be detached
 *         and unbound as ever.
 */
bool vfio_quarantine_hold(struct vfio_device *device)
{
	bool wanted = device->quarantine_wanted;
	u64 bytes;

	lockdep_assert_held(&device->dev_set->lock);

	device->quarantine_wanted = false;
	if (!wanted || device->was_reset)
		return false;
	bytes = iommufd_device_quarantine_noiommu(device->iommufd_device);
	if (!bytes)
		return false;

	device->quarantined = device->iommufd_device;
	device->iommufd_device = NULL;
	device->iommufd_attached = false;
	dev_warn(device->dev, "vfio-noiommu device closed without a reset, %llu KiB of memory are in quarantine\n",
		 bytes / SZ_1K);
	return true;
}

/**
 * vfio_device_was_reset() - Tell that a driver has reset a device
 * @device: Device that was reset, and does no more DMA of what it was told before
 *
 * For drivers, when they open or close the device, and after a reset of several
 * devices. VFIO_DEVICE_RESET is known without it. What is held of the memory of an
 * earlier user is released, and the user that is being closed leaves none.
 *
 * Context: May sleep. struct vfio_device_set::lock is held, and no lock that is
 * taken below mmap_lock.
 */
void vfio_device_was_reset(struct vfio_device *device)
{
	device->was_reset = true;
	vfio_quarantine_release(device, "reset");
}
EXPORT_SYMBOL_GPL(vfio_device_was_reset);

/**
 * vfio_quarantine_ioctl_reset() - Tell that VFIO_DEVICE_RESET was successful
 * @device: Device of the user that did that
 *
 * Context: May sleep. Takes struct vfio_device_set::lock.
 */
void vfio_quarantine_ioctl_reset(struct vfio_device *device)
{
	/* It begins when the last user is gone, so not while this one is there */
	if (!vfio_device_is_noiommu(device) || !READ_ONCE(device->quarantined))
		return;
	mutex_lock(&device->dev_set->lock);
	vfio_quarantine_release(device, "reset");
	mutex_unlock(&device->dev_set->lock);
}

/**
 * vfio_quarantine_unregister() - End the quarantine of a device that goes
 * @device: Device that nobody has open any more
 *
 * Context: May sleep. Takes struct vfio_device_set::lock.
 */
void vfio_quarantine_unregister(struct vfio_device *device)
{
	if (!vfio_device_is_noiommu(device))
		return;
	mutex_lock(&device->dev_set->lock);
	if (device->quarantined)
		dev_warn(device->dev, "vfio-noiommu device is taken from its driver, DMA that it still does can hit any memory\n");
	vfio_quarantine_release(device, "unbind");
	mutex_unlock(&device->dev_set->lock);
}
