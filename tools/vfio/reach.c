// SPDX-License-Identifier: GPL-2.0
/*
 * What the DMA of a device can reach, and how. VFIO tells it of a device without an
 * IOMMU. One behind an IOMMU has the IOVAs of its context, and VFIO takes none whose
 * DMA the IOMMU does not make coherent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "internal.h"

static void note(struct vfiodma_device *dev, const struct abi_cap_noiommu_dma *cap)
{
	dev->reach = (struct reach) {
		.known = true,
		.coherent = cap->flags & ABI_NOIOMMU_DMA_COHERENT,
		.translated = cap->flags & ABI_NOIOMMU_DMA_TRANSLATED,
		.encrypted = cap->flags & ABI_NOIOMMU_DMA_ENCRYPTED,
		.last_addr = cap->last_addr,
	};
}

/* The capabilities are a list, linked by offsets. */
static void find_cap(struct vfiodma_device *dev, const char *info, size_t size)
{
	struct abi_cap_noiommu_dma cap;
	struct vfio_device_info fixed;
	size_t at;

	memcpy(&fixed, info, sizeof(fixed));
	if (!(fixed.flags & VFIO_DEVICE_FLAGS_CAPS))
		return;
	for (at = fixed.cap_offset; at >= sizeof(fixed); at = cap.header.next) {
		memset(&cap, 0, sizeof(cap));
		if (at > size - sizeof(cap.header))
			return;
		memcpy(&cap, info + at,
		       size - at < sizeof(cap) ? size - at : sizeof(cap));
		if (cap.header.id == ABI_CAP_NOIOMMU_DMA && size - at >= sizeof(cap)) {
			note(dev, &cap);
			return;
		}
		/* The kernel has them in the order of their offsets. */
		if (cap.header.next <= at)
			return;
	}
}

static int read_caps(struct vfiodma_device *dev, size_t size)
{
	struct vfio_device_info *info = calloc(1, size);
	int err = 0;

	if (!info)
		return -ENOMEM;
	info->argsz = size;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, info))
		err = -errno;
	else
		find_cap(dev, (const char *)info, size);
	free(info);
	return err;
}

/* The first answer says how large one with all capabilities is. */
int reach_read(struct vfiodma_device *dev)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	dev->reach.last_addr = UINT64_MAX;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, &info))
		return -errno;
	dev->flags = info.flags;
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
		return -EINVAL;
	if (dev->has_iommu || !(info.flags & VFIO_DEVICE_FLAGS_CAPS) ||
	    info.argsz <= sizeof(info))
		return 0;
	return read_caps(dev, info.argsz);
}

/* Whether where memory is to it can be anything else than its physical address */
bool reach_is_special(const struct vfiodma_device *dev)
{
	const struct reach *reach = &dev->reach;

	return reach->known && (reach->translated || reach->encrypted ||
				reach->last_addr != UINT64_MAX);
}

/* The last IOVA that all devices of the context can be given */
static int last_iova(struct vfiodma_ctx *ctx, uint64_t *last)
{
	struct abi_ioas_iova_ranges get = {
		.size = sizeof(get),
		.ioas_id = ctx->ioas_id,
	};
	struct abi_iova_range *ranges;
	uint32_t i;
	int err = 0;

	/* Without room it says how much it takes. */
	if (ioctl(ctx->iommufd, ABI_IOAS_IOVA_RANGES, &get) && errno != EMSGSIZE)
		return -errno;
	ranges = calloc(get.num_iovas + 1, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	get.allowed_iovas = (uintptr_t)ranges;
	if (ioctl(ctx->iommufd, ABI_IOAS_IOVA_RANGES, &get))
		err = -errno;
	for (i = 0, *last = 0; !err && i < get.num_iovas; i++)
		if (ranges[i].last > *last)
			*last = ranges[i].last;
	free(ranges);
	return err;
}

int vfiodma_device_dma_info(struct vfiodma_device *dev,
			    struct vfiodma_dma_info *info)
{
	struct vfiodma_dma_info found = {
		.coherent = dev->has_iommu || dev->reach.coherent,
		.translated = dev->has_iommu || dev->reach.translated,
		.encrypted = dev->reach.encrypted,
		.last_addr = dev->reach.last_addr,
	};
	size_t size = info->size;
	int err = 0;

	if (size < sizeof(found))
		return -EINVAL;
	if (dev->has_iommu)
		err = last_iova(dev->ctx, &found.last_addr);
	else if (!dev->reach.known)
		err = -ENODATA;
	if (err)
		return err;
	/* What a later header has besides, this library does not know. */
	memset(info, 0, size);
	found.size = size;
	*info = found;
	return 0;
}
