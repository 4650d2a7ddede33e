// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel without CONFIG_VFIO_NOIOMMU. It must hand out no device that has no
 * IOMMU, neither by cdev nor by group, and tell nobody a physical address.
 */
#include <libvfio/noiommu.h>

#include "kselftest_harness.h"

/* drivers/iommu/iommufd/iommufd_test.h */
#define IOMMU_TEST_CMD	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)

static const char *bdf;

/* As to an older kernel, whoever asks, and whatever the size is said to be */
TEST(get_pa_is_unknown)
{
	struct iommu *iommu = iommu_init(MODE_NOIOMMU);
	struct iommu_ioas_get_pa args = { .ioas_id = iommu->ioas_id };

	/* The mock devices of iommufd's own tests can be without an IOMMU */
	if (ioctl_errno(iommu->iommufd, IOMMU_TEST_CMD, NULL) != -ENOTTY)
		SKIP(return, "The kernel has CONFIG_IOMMUFD_TEST");

	ASSERT_EQ(-ENOTTY, ioctl_errno(iommu->iommufd, IOMMU_IOAS_GET_PA, &args));

	args.size = sizeof(args);
	ASSERT_EQ(-ENOTTY, ioctl_errno(iommu->iommufd, IOMMU_IOAS_GET_PA, &args));
	cap_set(CAP_SYS_RAWIO, false);
	ASSERT_EQ(-ENOTTY, ioctl_errno(iommu->iommufd, IOMMU_IOAS_GET_PA, &args));
}

TEST(device_is_refused)
{
	if (device_has_sysfs(bdf, "driver"))
		SKIP(return, "The device is in use by another driver");

	ASSERT_EQ(-EINVAL, device_bind_vfio(bdf));
	ASSERT_FALSE(device_has_vfio(bdf));
	ASSERT_FALSE(device_has_sysfs(bdf, "iommu_group"));
}

TEST(container_has_no_such_type)
{
	int container = open("/dev/vfio/vfio", O_RDWR);

	if (container < 0)
		SKIP(return, "The kernel has no container");

	ASSERT_EQ(0, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU));
	ASSERT_EQ(1, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU));
}

static void restore(void)
{
	if (device_has_vfio(bdf))
		device_unbind(bdf);
	if (!device_has_sysfs(bdf, "driver"))
		device_sysfs_write(bdf, "driver_override", "\n");
}

int main(int argc, char *argv[])
{
	bdf = vfio_selftests_get_bdf(&argc, argv);
	if (!access(NOIOMMU_MODE, F_OK) || sysfs_has_iommu(bdf)) {
		fprintf(stderr, "%s can be used, skipping test.\n", bdf);
		exit(KSFT_SKIP);
	}

	restore_afterwards(restore);
	return test_harness_run(argc, argv);
}
