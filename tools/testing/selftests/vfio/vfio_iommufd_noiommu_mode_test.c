// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module parameter enable_unsafe_noiommu_mode says what becomes of devices that
 * are bound to VFIO from then on. When it is turned off, what has been a device
 * without an IOMMU stays one, and its group, where there is one, works as well.
 */
#include <libvfio/noiommu.h>

#include "kselftest_harness.h"

static struct noiommu_devices devices;

static void restore(void)
{
	noiommu_mode_set(true);
	device_bind_vfio(devices.bdf);
}

FIXTURE(mode) {
};

FIXTURE_SETUP(mode)
{
}

FIXTURE_TEARDOWN_PARENT(mode)
{
	restore();
}

TEST_F(mode, off_before_open)
{
	int fd = device_open(devices.bdf);
	struct iommu *iommu = iommu_init(MODE_NOIOMMU);

	noiommu_mode_set(false);
	ASSERT_EQ(0, device_bind(fd, iommu->iommufd, NULL));
	ASSERT_LT(0, device_attach_to(fd, iommu->ioas_id));
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(device_works(devices.bdf));

	/* It still takes the capability */
	cap_set(CAP_SYS_RAWIO, false);
	ASSERT_EQ(-1, open(devices.cdev_path, O_RDWR));
	ASSERT_EQ(EPERM, errno);
}

TEST_F(mode, off_while_attached)
{
	struct noiommu_user user;

	user_init(&user, devices.bdf);
	noiommu_mode_set(false);
	ASSERT_TRUE(user_finds_memory(&user));
	if (user.device->driver.initialized)
		ASSERT_TRUE(user_copies(&user, 30, 7));
	ASSERT_EQ(0, device_detach(user.device->fd));
	ASSERT_LT(0, device_attach_to(user.device->fd, user.iommu->ioas_id));
	ASSERT_TRUE(user_finds_memory(&user));
	user_cleanup(&user);
	ASSERT_TRUE(device_works(devices.bdf));
}

TEST_F(mode, off_before_unbind)
{
	noiommu_mode_set(false);
	ASSERT_EQ(0, device_unbind(devices.bdf));
	ASSERT_FALSE(device_has_vfio(devices.bdf));
	ASSERT_FALSE(device_has_sysfs(devices.bdf, "iommu_group"));

	/* Now the device may no longer be used so */
	ASSERT_EQ(-EINVAL, device_bind_vfio(devices.bdf));
	ASSERT_FALSE(device_has_vfio(devices.bdf));
	ASSERT_FALSE(device_has_sysfs(devices.bdf, "iommu_group"));
	ASSERT_FALSE(device_has_sysfs(devices.bdf, "driver"));

	/* And may again, whatever the mode becomes after that */
	noiommu_mode_set(true);
	ASSERT_EQ(0, device_bind_vfio(devices.bdf));
	noiommu_mode_set(false);
	ASSERT_TRUE(vfio_pci_has_noiommu_cdev(devices.bdf));
	ASSERT_TRUE(device_works(devices.bdf));
}

TEST_F(mode, off_group_excludes_cdev)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	unsigned long type = VFIO_NOIOMMU_IOMMU;
	int container, iommufd, cdev, group, fd;
	char path[PATH_MAX];

	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0) {
		ASSERT_FALSE(device_has_sysfs(devices.bdf, "iommu_group"));
		SKIP(return, "The kernel has no container");
	}
	noiommu_mode_set(false);
	cdev = device_open(devices.bdf);
	iommufd = open("/dev/iommu", O_RDWR);

	/* Through the group, even if it is only the group that is open */
	snprintf_assert(path, sizeof(path), "/dev/vfio/noiommu-%d",
			sysfs_iommu_group_get(devices.bdf));
	group = open(path, O_RDWR);
	ASSERT_LE(0, group);
	ASSERT_EQ(-EBUSY, device_bind(cdev, iommufd, NULL));

	ASSERT_EQ(0, ioctl(group, VFIO_GROUP_GET_STATUS, &status));
	ASSERT_TRUE(status.flags & VFIO_GROUP_FLAGS_VIABLE);
	ASSERT_EQ(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	ASSERT_EQ(1, ioctl(container, VFIO_CHECK_EXTENSION, type));
	ASSERT_EQ(0, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, ioctl(container, VFIO_SET_IOMMU, type));
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, devices.bdf);
	ASSERT_LE(0, fd);
	ASSERT_EQ(-EBUSY, device_bind(cdev, iommufd, NULL));
	ASSERT_EQ(0, device_get_info(fd));

	/* Through the cdev */
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, close(group));
	ASSERT_EQ(0, device_bind(cdev, iommufd, NULL));
	ASSERT_EQ(-1, open(path, O_RDWR));
	ASSERT_EQ(EBUSY, errno);

	/* And through the group again, for who has the capability */
	ASSERT_EQ(0, close(cdev));
	cap_set(CAP_SYS_RAWIO, false);
	ASSERT_EQ(-1, open(path, O_RDWR));
	ASSERT_EQ(EPERM, errno);
	cap_set(CAP_SYS_RAWIO, true);
	ASSERT_LE(0, open(path, O_RDWR));
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	restore_afterwards(restore);
	return test_harness_run(argc, argv);
}
