// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reset of the bus, or of the slot, hits every device there. So one of them may
 * ask for it only if all belong to the same iommufd. Without an IOMMU there is no
 * group to tell that by, or one that means nothing.
 */
#include <linux/io.h>

#include <libvfio/noiommu.h>

#include "kselftest_harness.h"

/* Controller configuration of NVMe, and a value that it keeps until it is reset */
#define NVME_CC			0x14
#define   NVME_CC_QUEUES	0x00460000
#define NVME_CLASS		0x0108	/* in PCI_CLASS_DEVICE */

static struct noiommu_devices devices;

/* The one other device that is reset with devices.bdf */
static const char *other_bdf;

static bool shares_bus(const char *bdf)
{
	/* domain:bus: */
	return !strncmp(bdf, devices.bdf, 8) && strcmp(bdf, devices.bdf);
}

struct hot_reset_info {
	struct vfio_pci_hot_reset_info info;
	struct vfio_pci_dependent_device device[32];
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

/* The other device does not belong to the first one's iommufd */
static bool is_refused(int device_fd)
{
	struct hot_reset_info info;

	VFIO_ASSERT_EQ(hot_reset_info(device_fd, &info), 0);
	return info.info.flags == VFIO_PCI_HOT_RESET_FLAG_DEV_ID &&
	       (info.device[0].devid == VFIO_PCI_DEVID_NOT_OWNED ||
		info.device[1].devid == VFIO_PCI_DEVID_NOT_OWNED) &&
	       hot_reset(device_fd) == -EINVAL;
}

static void restore(void)
{
	if (other_bdf)
		device_bind_vfio(other_bdf);
}

FIXTURE(hot_reset) {
	struct noiommu_user user;
	int fd;
};

FIXTURE_SETUP(hot_reset)
{
	struct hot_reset_info info;

	user_init(&self->user, devices.bdf);
	self->fd = self->user.device->fd;
	if (!other_bdf || hot_reset_info(self->fd, &info) || info.info.count != 2)
		SKIP(return, "There are no two devices that are reset together");
}

FIXTURE_TEARDOWN_PARENT(hot_reset)
{
	restore();
}

TEST_F(hot_reset, refused)
{
	int iommufd = open("/dev/iommu", O_RDWR);
	int other_fd;

	/* The other one is not open, open, bound to another iommufd, and closed */
	ASSERT_TRUE(is_refused(self->fd));
	other_fd = device_open(other_bdf);
	ASSERT_TRUE(is_refused(self->fd));
	ASSERT_EQ(-EINVAL, hot_reset(other_fd));
	ASSERT_EQ(0, device_bind(other_fd, iommufd, NULL));
	ASSERT_TRUE(is_refused(self->fd));
	ASSERT_TRUE(is_refused(other_fd));
	ASSERT_EQ(0, close(other_fd));
	ASSERT_TRUE(is_refused(self->fd));

	/* It was one's own, but is no longer */
	other_fd = device_open(other_bdf);
	ASSERT_EQ(0, device_bind(other_fd, self->user.iommu->iommufd, NULL));
	ASSERT_EQ(0, hot_reset(self->fd));
	ASSERT_EQ(0, close(other_fd));
	ASSERT_TRUE(is_refused(self->fd));

	/* Nobody's */
	ASSERT_EQ(0, device_unbind(other_bdf));
	ASSERT_TRUE(is_refused(self->fd));
}

TEST_F(hot_reset, refused_for_group)
{
	char path[PATH_MAX];
	int group;

	if (!device_has_sysfs(other_bdf, "iommu_group"))
		SKIP(return, "The kernel has no noiommu groups");

	snprintf_assert(path, sizeof(path), "/dev/vfio/noiommu-%d",
			sysfs_iommu_group_get(other_bdf));
	group = open(path, O_RDWR);
	ASSERT_LE(0, group);
	ASSERT_TRUE(is_refused(self->fd));
}

TEST_F(hot_reset, one_iommufd)
{
	struct noiommu_user *user = &self->user;
	const s64 pinned = pinned_pages();
	struct vfio_pci_device *other;
	struct hot_reset_info info;
	void *cc = NULL;

	other = vfio_pci_device_init(other_bdf, user->iommu);
	ASSERT_EQ(0, hot_reset_info(self->fd, &info));
	ASSERT_EQ(VFIO_PCI_HOT_RESET_FLAG_DEV_ID |
		  VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED, info.info.flags);
	ASSERT_LT(0, (int)info.device[0].devid);
	ASSERT_LT(0, (int)info.device[1].devid);
	ASSERT_NE(info.device[0].devid, info.device[1].devid);

	/* If it is NVMe it can be seen that the reset takes place */
	if (vfio_pci_config_readw(other, PCI_CLASS_DEVICE) == NVME_CLASS &&
	    other->bars[0].vaddr) {
		vfio_pci_config_writew(other, PCI_COMMAND, PCI_COMMAND_MEMORY);
		cc = other->bars[0].vaddr + NVME_CC;
		writel(NVME_CC_QUEUES, cc);
		ASSERT_EQ(NVME_CC_QUEUES, readl(cc));
	}
	ASSERT_EQ(0, hot_reset(self->fd));
	if (cc)
		ASSERT_EQ(0, readl(cc));
	ASSERT_EQ(0, hot_reset(other->fd));

	/* Memory, registers and interrupts are what they were */
	ASSERT_PINNED(pinned);
	ASSERT_TRUE(user_finds_memory(user));
	if (user->device->driver.initialized) {
		struct pollfd pfd = {
			.fd = user->device->msi_eventfds[0],
			.events = POLLIN,
		};

		ASSERT_TRUE(user_copies(user, 7, 6));
		vfio_pci_driver_send_msi(user->device);
		ASSERT_EQ(1, poll(&pfd, 1, 10000));
	}
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	other_bdf = vfio_dev_find("noiommu-vfio", shares_bus);
	restore_afterwards(restore);
	return test_harness_run(argc, argv);
}
