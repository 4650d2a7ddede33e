// SPDX-License-Identifier: GPL-2.0-only
/* The noiommu cdev, step by step, so that each can be counted. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "bench.h"

/* The node of a PCI device that is bound to vfio-pci */
void device_find(struct device *dev, const char *bdf)
{
	char path[256];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	dir = opendir(path);
	if (!dir)
		die_errno("opendir %s", path);
	dev->node[0] = '\0';
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "noiommu-vfio", 12))
			snprintf(dev->node, sizeof(dev->node),
				 "/dev/vfio/devices/%.40s", entry->d_name);
	closedir(dir);
	if (!dev->node[0])
		die("%s has no noiommu-vfio node", bdf);
}

void device_open(struct device *dev)
{
	dev->fd = open(dev->node, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		die_errno("open %s", dev->node);
	dev->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (dev->iommufd < 0)
		die_errno("open /dev/iommu");
}

void device_bind(struct device *dev)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = dev->iommufd,
	};

	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		die_errno("VFIO_DEVICE_BIND_IOMMUFD");
	dev->dev_id = bind.out_devid;
}

void device_attach(struct device *dev)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};

	if (ioctl(dev->iommufd, IOMMU_IOAS_ALLOC, &alloc))
		die_errno("IOMMU_IOAS_ALLOC");
	dev->ioas_id = alloc.out_ioas_id;
	attach.pt_id = alloc.out_ioas_id;
	if (ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		die_errno("VFIO_DEVICE_ATTACH_IOMMUFD_PT");
}

/* All of it; the device's node must be known. */
void device_start(struct device *dev)
{
	device_open(dev);
	device_bind(dev);
	device_attach(dev);
}

/* The same device with another IOAS, for lookups only: the HWPT is enough */
void device_add_ioas(struct device *other, const struct device *dev)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.dev_id = dev->dev_id,
	};

	if (ioctl(dev->iommufd, IOMMU_IOAS_ALLOC, &alloc))
		die_errno("IOMMU_IOAS_ALLOC");
	hwpt.pt_id = alloc.out_ioas_id;
	if (ioctl(dev->iommufd, IOMMU_HWPT_ALLOC, &hwpt))
		die_errno("IOMMU_HWPT_ALLOC");
	*other = *dev;
	other->ioas_id = alloc.out_ioas_id;
}

void device_close(struct device *dev)
{
	close(dev->fd);
	close(dev->iommufd);
}

static int map_memfd(struct device *dev, const struct buffer *buf, size_t size)
{
	struct map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = dev->ioas_id,
		.fd = buf->fd,
		.length = size,
		.iova = (unsigned long)buf->va,
	};
	int ret = ioctl(dev->iommufd, MAP_FILE_CMD, &cmd);

	dev->iova = cmd.iova;
	return ret;
}

static int map_memory(struct device *dev, const struct buffer *buf, size_t size)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = dev->ioas_id,
		.user_va = (unsigned long)buf->va,
		.length = size,
		.iova = (unsigned long)buf->va,
	};
	int ret = ioctl(dev->iommufd, IOMMU_IOAS_MAP, &cmd);

	dev->iova = cmd.iova;
	return ret;
}

/*
 * Maps the first bytes of a buffer at its virtual address, as drivers do that come
 * from pagemap, so that the page table has the same depth on every kernel.
 * Automatic IOVAs differ: they lie above memory on those that let them miss it.
 */
void map(struct device *dev, const struct buffer *buf, size_t size)
{
	if (buf->kind == MEMFD ? map_memfd(dev, buf, size) :
				 map_memory(dev, buf, size))
		die_errno("mapping %zu bytes of %s", size,
			  kind_names[buf->kind]);
}

void unmap(struct device *dev, size_t size)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = dev->ioas_id,
		.iova = dev->iova,
		.length = size,
	};

	if (ioctl(dev->iommufd, IOMMU_IOAS_UNMAP, &cmd))
		die_errno("IOMMU_IOAS_UNMAP of %zu bytes", size);
}

void look_up(struct device *dev, struct get_pa *get)
{
	if (ioctl(dev->iommufd, GET_PA, get))
		die_errno("GET_PA at %#llx", (unsigned long long)get->iova);
}

/*
 * Asks for extents where nothing is mapped. A kernel that does not know them
 * finds that the struct has something at its end.
 */
bool has_extents(struct device *dev)
{
	struct run run;
	struct get_pa get = {
		.size = GET_PA_EXTENTS_SIZE,
		.ioas_id = dev->ioas_id,
		.length = PAGE,
		.num_extents = 1,
		.extents_uptr = (unsigned long)&run,
	};

	if (!ioctl(dev->iommufd, GET_PA, &get))
		die("GET_PA found an address where nothing is mapped");
	if (errno != E2BIG && errno != ENOENT)
		die_errno("GET_PA with extents");
	return errno == ENOENT;
}

bool has_map_file(struct device *dev)
{
	struct map_file cmd = { .size = sizeof(cmd), .fd = -1 };

	return !ioctl(dev->iommufd, MAP_FILE_CMD, &cmd) || errno != ENOTTY;
}
