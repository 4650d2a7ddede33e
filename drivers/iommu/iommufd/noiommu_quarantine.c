// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quarantine of the memory that a device without an IOMMU may still use
 *
 * When a user is gone its devices are detached, and the last one takes the pins
 * of its memory along. An IOMMU stops DMA before that. Without one nothing but
 * the device itself does, and where it has no reset that works, a transfer goes on
 * into pages that belong to somebody else by then.
 *
 * So such a device stays bound and attached, as it was while the user lived, until
 * it is known to be quiet. That needs no record of what is held, which would have
 * to be allocated when the user dies, and might fail. The pins are those that the
 * IOAS has in its HWPT anyway, and are charged to whom they were. They keep a page
 * where it is, and allocated, after its last mapping has gone and its file has been
 * truncated. References of its own on the pages would do that too, but migration
 * and the like would take them for references that are soon dropped, and try again
 * and again. Ending it is to detach and unbind, which allocates nothing.
 *
 * A bound device keeps its iommufd open. Therefore iommufd_fops_release() never
 * finds one in quarantine, and whatever else is in the iommufd stays, too. If
 * somebody else has it open, that is still an owner of the memory, and can unmap
 * it as before. An ioctl that uses the device by its ID gives ENOENT, since
 * releasing the memory would have to wait for that ioctl. A map or attach of the
 * same IOAS which takes long makes it wait, as it makes any detach wait.
 */
#include <linux/iommufd.h>

#define CREATE_TRACE_POINTS
#include <trace/events/iommufd_noiommu_quarantine.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

struct quarantine_size {
	u64 bytes;
	u64 pages;
};

/* What is mapped, but for MMIO, which cannot be given away */
static struct quarantine_size quarantine_size(struct io_pagetable *iopt)
{
	struct quarantine_size size = {};
	struct iopt_area *area;

	down_read(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		if (!area->pages || iopt_is_mmio(area->pages))
			continue;
		size.bytes += iopt_area_length(area);
		size.pages += iopt_area_last_index(area) -
			      iopt_area_index(area) + 1;
	}
	up_read(&iopt->iova_rwsem);
	return size;
}

/* NULL if the device is not attached */
static struct iommufd_ioas *quarantine_ioas(struct iommufd_device *idev)
{
	struct iommufd_hw_pagetable *hwpt = iommufd_device_hwpt(idev);

	return hwpt ? to_hwpt_paging(hwpt)->ioas : NULL;
}

/**
 * iommufd_device_quarantine_noiommu() - Leave a device to its user who is gone
 * @idev: Device from iommufd_device_bind_noiommu()
 *
 * Records that the device stays bound and attached, with the memory of its IOAS
 * pinned, because it may go on with DMA. If anything is held, no ioctl finds @idev
 * by its ID any more. The caller keeps @idev instead of detaching and unbinding it,
 * and passes it to iommufd_device_release_noiommu() once the device is known to be
 * quiet, or is about to go. Nothing is allocated.
 *
 * Context: May sleep, as iommufd_device_unbind() does. The caller keeps other
 * calls for @idev from running. Takes iova_rwsem of the IOAS for read.
 * Return: Bytes that are held, 0 if there are none, or the device is not attached.
 *         Memory that is mapped twice counts twice. MMIO does not count.
 */
u64 iommufd_device_quarantine_noiommu(struct iommufd_device *idev)
{
	struct iommufd_ioas *ioas = quarantine_ioas(idev);
	struct quarantine_size size = {};

	if (ioas)
		size = quarantine_size(&ioas->iopt);
	if (!size.bytes)
		return 0;

	/* If somebody does not let go of it, releasing it waits again */
	iommufd_object_dec_wait(idev->ictx, &idev->obj);
	trace_iommufd_noiommu_quarantine(idev->dev, idev->obj.id, ioas->obj.id,
					 size.pages, size.bytes);
	return size.bytes;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_quarantine_noiommu, "IOMMUFD");

/**
 * iommufd_device_release_noiommu() - End the quarantine of a device
 * @idev: Device that iommufd_device_quarantine_noiommu() has held memory of
 * @why: What is known of the device now, in a word, for the trace
 *
 * Detaches and unbinds the device, which frees @idev and unpins the memory, but
 * for what another device or HWPT of the iommufd uses. If nobody else has the
 * iommufd open, the rest of it goes as soon as the caller's task returns to
 * userspace.
 *
 * Context: May sleep. The caller keeps other calls for @idev from running, and
 * holds no lock that is taken below mmap_lock.
 * Return: Bytes that were still held.
 */
u64 iommufd_device_release_noiommu(struct iommufd_device *idev, const char *why)
{
	struct iommufd_ioas *ioas = quarantine_ioas(idev);
	struct quarantine_size size = quarantine_size(&ioas->iopt);

	trace_iommufd_noiommu_release(idev->dev, idev->obj.id, ioas->obj.id,
				      size.pages, size.bytes, why);
	iommufd_device_detach(idev, IOMMU_NO_PASID);
	iommufd_device_unbind(idev);
	return size.bytes;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_release_noiommu, "IOMMUFD");
