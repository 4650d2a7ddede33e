// SPDX-License-Identifier: GPL-2.0
/* Regions: parts of the cdev's file, which are BARs, ROM and configuration space */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "abi.h"
#include "internal.h"

static int get_info(struct vfiodma_device *dev, unsigned int region,
		    struct vfio_region_info *info)
{
	*info = (struct vfio_region_info) {
		.argsz = sizeof(*info),
		.index = region,
	};
	if (region > VFIODMA_CONFIG)
		return -EINVAL;
	return ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

int vfiodma_region_size(struct vfiodma_device *dev, unsigned int region,
			uint64_t *size)
{
	struct vfio_region_info info;
	int err = get_info(dev, region, &info);

	if (!err)
		*size = info.size;
	return err;
}

/* Notes what is mapped, so that it can be undone. */
static int map_registers(struct vfiodma_device *dev,
			 const struct vfio_region_info *info, void **va)
{
	struct mapped_region *region = calloc(1, sizeof(*region));
	int err;

	if (!region)
		return -ENOMEM;
	region->size = info->size;
	region->va = mmap(NULL, info->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  dev->fd, info->offset);
	if (region->va == MAP_FAILED) {
		err = -errno;
		free(region);
		return err;
	}
	pthread_mutex_lock(&dev->lock);
	region->next = dev->regions;
	dev->regions = region;
	pthread_mutex_unlock(&dev->lock);
	*va = region->va;
	return 0;
}

int vfiodma_region_map(struct vfiodma_device *dev, unsigned int region,
		       void **va, size_t *size)
{
	struct vfio_region_info info;
	int err;

	err = get_info(dev, region, &info);
	if (err)
		return err;
	if (!info.size)
		return -ENXIO;
	if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return -EOPNOTSUPP;
	err = map_registers(dev, &info, va);
	if (!err && size)
		*size = info.size;
	return err;
}

static void drop(struct mapped_region **link)
{
	struct mapped_region *region = *link;

	*link = region->next;
	munmap(region->va, region->size);
	free(region);
}

int vfiodma_region_unmap(struct vfiodma_device *dev, void *va)
{
	struct mapped_region **link;
	int err = -ENOENT;

	pthread_mutex_lock(&dev->lock);
	link = &dev->regions;
	while (*link && (*link)->va != va)
		link = &(*link)->next;
	if (*link) {
		drop(link);
		err = 0;
	}
	pthread_mutex_unlock(&dev->lock);
	return err;
}

void region_unmap_all(struct vfiodma_device *dev)
{
	while (dev->regions)
		drop(&dev->regions);
}

/* Where in the file it is, if the region has that much there */
static int find_bytes(struct vfiodma_device *dev, unsigned int region,
		      uint64_t offset, size_t size, off_t *position)
{
	struct vfio_region_info info;
	int err;

	err = get_info(dev, region, &info);
	if (err)
		return err;
	if (offset > info.size || size > info.size - offset)
		return -EINVAL;
	*position = info.offset + offset;
	return 0;
}

int vfiodma_region_read(struct vfiodma_device *dev, unsigned int region,
			uint64_t offset, void *data, size_t size)
{
	off_t position;
	int err;

	err = find_bytes(dev, region, offset, size, &position);
	if (err)
		return err;
	return pread(dev->fd, data, size, position) == (ssize_t)size ? 0 : -EIO;
}

int vfiodma_region_write(struct vfiodma_device *dev, unsigned int region,
			 uint64_t offset, const void *data, size_t size)
{
	off_t position;
	int err;

	err = find_bytes(dev, region, offset, size, &position);
	if (err)
		return err;
	return pwrite(dev->fd, data, size, position) == (ssize_t)size ? 0 : -EIO;
}

/* Bits of the PCI command register */
int region_set_command(struct vfiodma_device *dev, uint16_t clear, uint16_t set)
{
	uint16_t command;
	int err;

	pthread_mutex_lock(&dev->lock);
	err = vfiodma_region_read(dev, VFIODMA_CONFIG, PCI_COMMAND, &command,
				  sizeof(command));
	if (!err) {
		command = htole16((le16toh(command) & ~clear) | set);
		err = vfiodma_region_write(dev, VFIODMA_CONFIG, PCI_COMMAND,
					   &command, sizeof(command));
	}
	pthread_mutex_unlock(&dev->lock);
	return err;
}
