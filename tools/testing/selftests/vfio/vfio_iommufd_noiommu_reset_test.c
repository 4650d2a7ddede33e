// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot reset of VFIO devices without an IOMMU.
 *
 * A reset of the bus, or of the slot, hits every device there. So one of them
 * may ask for it only if all belong to the same iommufd. A device with an IOMMU
 * may also belong to it by way of its group. Without one there is no such group,
 * or one that means nothing, and no device may pass for another's because of
 * that.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <linux/io.h>
#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "noiommu_devices.h"
#include "noiommu_dma.h"
#include "noiommu_driver.h"
#include "noiommu_host.h"
#include "noiommu_mem.h"
#include "noiommu_utils.h"

#define IOVA			SZ_4G

/* Class, subclass and interface of NVMe, and its configuration register */
#define NVME_CLASS		0x010802
#define NVME_CC			0x14
#define   NVME_CC_QUEUES	0x00460000

/* No device has as many functions that share a reset */
#define MAX_AFFECTED		32

static struct noiommu_devices devices;

/* The other device that is reset with devices.bdf */
static const char *other_bdf;

struct hot_reset_info {
	struct vfio_pci_hot_reset_info info;
	struct vfio_pci_dependent_device device[MAX_AFFECTED];
};

static int hot_reset_info(int device_fd, struct hot_reset_info *info)
{
	memset(info, 0, sizeof(*info));
	info->info.argsz = sizeof(*info);

	return ioctl_errno(device_fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
			   &info->info);
}

/* A reset of all that belongs to the iommufd of the device */
static int hot_reset(int device_fd)
{
	struct vfio_pci_hot_reset args = {
		.argsz = sizeof(args),
	};

	return ioctl_errno(device_fd, VFIO_DEVICE_PCI_HOT_RESET, &args);
}

/* What @info says of a device, which must be in there once */
static u32 info_devid(const struct hot_reset_info *info, const char *bdf)
{
	const struct vfio_pci_dependent_device *device;
	unsigned int domain, bus, slot, function;
	u32 devid = 0;
	int found = 0;
	u32 i;

	i = sscanf(bdf, "%x:%x:%x.%x", &domain, &bus, &slot, &function);
	VFIO_ASSERT_EQ(i, 4);

	for (i = 0; i < info->info.count; i++) {
		device = &info->device[i];
		if (device->segment != domain || device->bus != bus ||
		    device->devfn != (slot << 3 | function))
			continue;
		devid = device->devid;
		found++;
	}
	VFIO_ASSERT_EQ(found, 1, "%s is not in the info once\n", bdf);

	return devid;
}

/* Below a port, where there is one slot on a bus */
static u32 count_on_bus(const char *bdf)
{
	struct dirent *entry;
	u32 count = 0;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	VFIO_ASSERT_NOT_NULL(dir);
	while ((entry = readdir(dir)) != NULL) {
		/* domain:bus: */
		if (!strncmp(entry->d_name, bdf, 8))
			count++;
	}
	VFIO_ASSERT_EQ(closedir(dir), 0);

	return count;
}

/*
 * Who may
 */

FIXTURE(hot_reset) {
	struct bound b;
	int other_fd;
	u32 other_id;
};

FIXTURE_SETUP(hot_reset)
{
	if (!other_bdf)
		SKIP(return, "No second device is reset with the first");

	bound_init(&self->b, devices.bdf);
	self->other_fd = -1;
}

FIXTURE_TEARDOWN(hot_reset)
{
	if (self->other_fd >= 0)
		ASSERT_EQ(0, close(self->other_fd));
	bound_cleanup(&self->b);
	if (!device_has_vfio(other_bdf))
		ASSERT_EQ(0, device_bind_vfio(other_bdf));
}

/* The other device does not belong to the first one's iommufd */
static bool is_refused(int device_fd)
{
	struct hot_reset_info info;
	u32 devid;

	VFIO_ASSERT_EQ(hot_reset_info(device_fd, &info), 0);
	VFIO_ASSERT_TRUE(info.info.flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID);

	devid = info_devid(&info, other_bdf);

	return devid == VFIO_PCI_DEVID_NOT_OWNED &&
	       !(info.info.flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED) &&
	       hot_reset(device_fd) == -EINVAL;
}

TEST_F(hot_reset, one_iommufd)
{
	struct hot_reset_info info;
	struct bound *b = &self->b;

	self->other_fd = device_open(other_bdf);
	ASSERT_EQ(0, device_bind(self->other_fd, b->iommufd, &self->other_id));

	ASSERT_EQ(0, hot_reset_info(b->device_fd, &info));
	ASSERT_EQ(VFIO_PCI_HOT_RESET_FLAG_DEV_ID |
		  VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED, info.info.flags);
	ASSERT_EQ(count_on_bus(devices.bdf), info.info.count);
	ASSERT_EQ(b->dev_id, info_devid(&info, devices.bdf));
	ASSERT_EQ(self->other_id, info_devid(&info, other_bdf));

	ASSERT_EQ(0, hot_reset(b->device_fd));
	ASSERT_EQ(0, hot_reset(self->other_fd));

	/* Attached or not makes no difference */
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(0, hot_reset(b->device_fd));
	ASSERT_EQ(0, hot_reset(self->other_fd));
}

TEST_F(hot_reset, bad_arguments)
{
	struct {
		struct vfio_pci_hot_reset reset;
		__s32 fd;
	} args = {
		.reset.argsz = sizeof(args),
		.reset.count = 1,
	};
	struct vfio_pci_hot_reset_info info = {
		.argsz = sizeof(info),
	};
	struct bound *b = &self->b;

	self->other_fd = device_open(other_bdf);
	ASSERT_EQ(0, device_bind(self->other_fd, b->iommufd, NULL));

	/* Only the size that it takes */
	ASSERT_EQ(-ENOSPC, ioctl_errno(b->device_fd,
				       VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
				       &info));
	ASSERT_EQ(count_on_bus(devices.bdf), info.count);

	/* A list of groups is for devices that were opened through theirs */
	args.fd = self->other_fd;
	ASSERT_EQ(-EINVAL, ioctl_errno(b->device_fd, VFIO_DEVICE_PCI_HOT_RESET,
				       &args));

	args.reset.count = 0;
	args.reset.flags = 1;
	ASSERT_EQ(-EINVAL, ioctl_errno(b->device_fd, VFIO_DEVICE_PCI_HOT_RESET,
				       &args));
	ASSERT_EQ(0, hot_reset(b->device_fd));
}

TEST_F(hot_reset, other_not_open)
{
	ASSERT_TRUE(is_refused(self->b.device_fd));
}

TEST_F(hot_reset, other_not_bound)
{
	self->other_fd = device_open(other_bdf);
	ASSERT_TRUE(is_refused(self->b.device_fd));

	/* Nor may who has not bound it */
	ASSERT_EQ(-EINVAL, hot_reset(self->other_fd));
}

TEST_F(hot_reset, other_iommufd)
{
	struct bound other;

	/* Ids start anew in each iommufd, so they are no proof of anything */
	bound_init(&other, other_bdf);
	ASSERT_TRUE(is_refused(self->b.device_fd));
	ASSERT_EQ(-EINVAL, hot_reset(other.device_fd));

	/* Until it comes over */
	ASSERT_EQ(0, close(other.device_fd));
	ASSERT_TRUE(is_refused(self->b.device_fd));
	self->other_fd = device_open(other_bdf);
	ASSERT_EQ(0, device_bind(self->other_fd, self->b.iommufd, NULL));
	ASSERT_EQ(0, hot_reset(self->b.device_fd));

	ASSERT_EQ(0, close(other.iommufd));
}

TEST_F(hot_reset, other_has_been_closed)
{
	self->other_fd = device_open(other_bdf);
	ASSERT_EQ(0, device_bind(self->other_fd, self->b.iommufd, NULL));
	ASSERT_EQ(0, hot_reset(self->b.device_fd));

	ASSERT_EQ(0, close(self->other_fd));
	self->other_fd = -1;
	ASSERT_TRUE(is_refused(self->b.device_fd));
}

TEST_F(hot_reset, other_has_no_driver)
{
	ASSERT_EQ(0, device_unbind(other_bdf));
	ASSERT_TRUE(is_refused(self->b.device_fd));

	ASSERT_EQ(0, device_bind_vfio(other_bdf));
	ASSERT_TRUE(is_refused(self->b.device_fd));
}

TEST_F(hot_reset, other_in_group)
{
	unsigned long type = VFIO_NOIOMMU_IOMMU;
	char path[PATH_MAX];
	int container, group;

	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0 || !device_has_sysfs(other_bdf, "iommu_group"))
		SKIP(return, "The kernel has no noiommu groups");

	snprintf_assert(path, sizeof(path), "/dev/vfio/noiommu-%d",
			sysfs_iommu_group_get(other_bdf));
	group = open(path, O_RDWR);
	ASSERT_LE(0, group);
	ASSERT_EQ(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	ASSERT_EQ(0, ioctl(container, VFIO_SET_IOMMU, type));
	ASSERT_TRUE(is_refused(self->b.device_fd));

	self->other_fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, other_bdf);
	ASSERT_LE(0, self->other_fd);
	ASSERT_TRUE(is_refused(self->b.device_fd));

	ASSERT_EQ(0, close(self->other_fd));
	ASSERT_EQ(0, close(group));
	ASSERT_EQ(0, close(container));
	self->other_fd = device_open(other_bdf);
	ASSERT_EQ(0, device_bind(self->other_fd, self->b.iommufd, NULL));
	ASSERT_EQ(0, hot_reset(self->b.device_fd));
}

static bool device_is_nvme(const char *bdf)
{
	unsigned int class = 0;
	char path[PATH_MAX];
	FILE *file;
	int nr;

	snprintf_assert(path, sizeof(path), "/sys/bus/pci/devices/%s/class", bdf);
	file = fopen(path, "r");
	VFIO_ASSERT_NOT_NULL(file);
	nr = fscanf(file, "%x", &class);
	VFIO_ASSERT_EQ(nr, 1);
	VFIO_ASSERT_EQ(fclose(file), 0);

	return class == NVME_CLASS;
}

/* mmap() the start of BAR 0 and make it respond */
static void *bar_map(int device_fd)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	u16 command = PCI_COMMAND_MEMORY;
	void *vaddr;

	ioctl_assert(device_fd, VFIO_DEVICE_GET_REGION_INFO, &config);
	ioctl_assert(device_fd, VFIO_DEVICE_GET_REGION_INFO, &bar);
	VFIO_ASSERT_EQ(pwrite(device_fd, &command, sizeof(command),
			      config.offset + PCI_COMMAND),
		       (ssize_t)sizeof(command));
	vaddr = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED,
		     device_fd, bar.offset);
	VFIO_ASSERT_NE(vaddr, MAP_FAILED);

	return vaddr;
}

/* A register that keeps its value, unless there is a reset */
TEST_F(hot_reset, registers)
{
	struct bound *b = &self->b;
	struct bound other;
	void *vaddr;

	if (!device_is_nvme(other_bdf))
		SKIP(return, "The second device is not NVMe");

	bound_init(&other, other_bdf);
	vaddr = bar_map(other.device_fd);
	writel(NVME_CC_QUEUES, vaddr + NVME_CC);
	ASSERT_EQ(NVME_CC_QUEUES, readl(vaddr + NVME_CC));

	/* Who is refused does not cause one */
	ASSERT_TRUE(is_refused(b->device_fd));
	ASSERT_EQ(NVME_CC_QUEUES, readl(vaddr + NVME_CC));

	/* The reset took place, and the registers are back behind the mmap() */
	ASSERT_EQ(0, close(b->device_fd));
	b->device_fd = device_open(devices.bdf);
	ASSERT_EQ(0, device_bind(b->device_fd, other.iommufd, NULL));
	ASSERT_EQ(NVME_CC_QUEUES, readl(vaddr + NVME_CC));
	ASSERT_EQ(0, hot_reset(b->device_fd));
	ASSERT_EQ(0, readl(vaddr + NVME_CC));

	ASSERT_EQ(0, munmap(vaddr, getpagesize()));
	bound_cleanup(&other);
}

/*
 * What it leaves alone
 */

FIXTURE(hot_reset_attached) {
	struct dma dma;
	int other_fd;
};

FIXTURE_SETUP(hot_reset_attached)
{
	struct dma *dma = &self->dma;

	if (!other_bdf)
		SKIP(return, "No second device is reset with the first");
	if (!device_is_edu(devices.bdf))
		SKIP(return, "The first device is not edu");

	ASSERT_TRUE(dma_init(dma, devices.bdf, MEM_SCATTERED, SZ_64K));
	mem_read_pagemap(&dma->src);
	mem_read_pagemap(&dma->dst);

	self->other_fd = device_open(other_bdf);
	ASSERT_EQ(0, device_bind(self->other_fd, dma->iommu->iommufd, NULL));
	ASSERT_LT(0, device_attach_to(self->other_fd, dma->iommu->ioas_id));
}

FIXTURE_TEARDOWN(hot_reset_attached)
{
	ASSERT_EQ(0, close(self->other_fd));
	dma_cleanup(&self->dma);
}

TEST_F(hot_reset_attached, dma_goes_on)
{
	struct dma *dma = &self->dma;
	struct bound b = {
		.iommufd = dma->iommu->iommufd,
		.ioas_id = dma->iommu->ioas_id,
	};
	const u64 page_size = getpagesize();
	s64 pinned = pinned_pages_lowest();
	u64 nr;

	dma_copy(dma, 2 * page_size, 5 * page_size, EDU_DMA_MAX);
	ASSERT_EQ(0, hot_reset(dma->device->fd));

	/* The memory is where it was, and stays there */
	ASSERT_PINNED(pinned);
	ASSERT_TRUE(pa_each_page(&b, dma->src_iova, &dma->src));
	ASSERT_TRUE(pa_each_page(&b, dma->dst_iova, &dma->dst));

	/* The registers are there again, behind the same mmap() */
	dma_copy(dma, 7 * page_size, 6 * page_size, EDU_DMA_MAX);
	ASSERT_EQ(0, memcmp(dma->dst.vaddr, dma->dst_bytes, dma->dst.size));
	ASSERT_EQ(0, memcmp(dma->src.vaddr, dma->src_bytes, dma->src.size));

	fcntl_set_nonblock(dma->device->msi_eventfds[0]);
	ASSERT_GE(0, read(dma->device->msi_eventfds[0], &nr, sizeof(nr)));
	vfio_pci_driver_send_msi(dma->device);
	usleep(100000);
	ASSERT_EQ(sizeof(nr), read(dma->device->msi_eventfds[0], &nr,
				   sizeof(nr)));
	ASSERT_EQ(1, nr);

	/* So are they if it is the other device that asks for it */
	ASSERT_EQ(0, hot_reset(self->other_fd));
	dma_copy(dma, 8 * page_size, page_size, EDU_DMA_MAX);
	ASSERT_EQ(0, memcmp(dma->dst.vaddr, dma->dst_bytes, dma->dst.size));
}

/* The tests know one other device, so there has to be exactly one */
static void other_find(void)
{
	struct vfio_pci_dependent_device *device;
	struct hot_reset_info info;
	struct bound b;
	char bdf[16];
	u32 i;

	bound_init(&b, devices.bdf);
	if (hot_reset_info(b.device_fd, &info) || info.info.count != 2)
		goto out;

	for (i = 0; i < info.info.count; i++) {
		device = &info.device[i];
		snprintf_assert(bdf, sizeof(bdf), "%04x:%02x:%02x.%x",
				device->segment, device->bus,
				device->devfn >> 3, device->devfn & 7);
		if (strcmp(bdf, devices.bdf) && device_has_vfio(bdf))
			other_bdf = strdup(bdf);
	}
out:
	bound_cleanup(&b);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	other_find();
	return test_harness_run(argc, argv);
}
