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

#include "dma.h"
#include "mem.h"
#include "quarantine.h"
#include "utils.h"

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

/* A register that keeps its value, unless there is a reset */
TEST_F(hot_reset, registers)
{
	struct bound *b = &self->b;
	struct bound other;
	void *vaddr;

	if (!device_is_nvme(other_bdf))
		SKIP(return, "The second device is not NVMe");

	bound_init(&other, other_bdf);
	vaddr = bar_map(other.device_fd, PCI_COMMAND_MEMORY);
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
 * The memory of a user that is gone is held until then. The other device is open when
 * the user goes, or closing would have caused a reset.
 */
TEST_F(hot_reset, quarantine)
{
	struct bound *b = &self->b;
	struct bound other;
	struct mem mem;
	s64 pinned;

	bound_init(&other, other_bdf);
	bound_cleanup(b);
	pinned = pinned_pages();
	if (pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");

	bound_init_flags(b, devices.bdf, QUARANTINE);
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, mem.vaddr, mem.size,
				    IOVA));
	bound_cleanup(b);
	mem_free(&mem);
	ASSERT_PINNED(pinned + SZ_64K / getpagesize());

	/* It is a reset of both, whoever asks for it */
	b->device_fd = device_open(devices.bdf);
	ASSERT_EQ(0, device_bind(b->device_fd, other.iommufd, &b->dev_id));
	ASSERT_PINNED(pinned + SZ_64K / getpagesize());
	ASSERT_EQ(0, hot_reset(other.device_fd));
	ASSERT_PINNED(pinned);

	/* Nothing is left of it, and a live user keeps what it has asked for */
	ASSERT_EQ(0, close(b->device_fd));
	ASSERT_FALSE(is_held(devices.bdf));
	b->device_fd = device_open(devices.bdf);
	ASSERT_EQ(0, device_bind_flags(b->device_fd, other.iommufd, QUARANTINE, NULL));
	ASSERT_LT(0, device_attach_to(b->device_fd, other.ioas_id));
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(other.iommufd, other.ioas_id, mem.vaddr,
				    mem.size, IOVA));
	ASSERT_EQ(0, hot_reset(other.device_fd));
	ASSERT_EQ(0, close(b->device_fd));
	ASSERT_TRUE(is_held(devices.bdf));

	/* When both are closed, that is a reset */
	bound_cleanup(&other);
	mem_free(&mem);
	ASSERT_PINNED(pinned);
	ASSERT_FALSE(is_held(devices.bdf));

	bound_init(b, devices.bdf);
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
