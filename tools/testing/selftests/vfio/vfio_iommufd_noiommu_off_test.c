// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel without CONFIG_VFIO_NOIOMMU. It must hand out no device that has no
 * IOMMU, neither by cdev nor by group, and know nothing of physical addresses:
 * to userspace it is one that is older than all that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "noiommu_devices.h"
#include "noiommu_driver.h"
#include "noiommu_utils.h"

#define IOVA			SZ_4G

static const char *bdf;

FIXTURE(get_pa) {
	int iommufd;
	u32 ioas_id;
	void *buf;
};

FIXTURE_SETUP(get_pa)
{
	self->buf = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	self->iommufd = iommufd_open();
	self->ioas_id = ioas_alloc(self->iommufd);
	ASSERT_EQ(0, ioas_map_fixed(self->iommufd, self->ioas_id, self->buf,
				    getpagesize(), IOVA));
}

FIXTURE_TEARDOWN(get_pa)
{
	ASSERT_EQ(0, close(self->iommufd));
	ASSERT_EQ(0, munmap(self->buf, getpagesize()));
}

/* The size does not matter for an ioctl that is not there */
FIXTURE_VARIANT(get_pa) {
	u32 size;
};

FIXTURE_VARIANT_ADD(get_pa, without_extents) {
	.size = GET_PA_SIZE,
};

FIXTURE_VARIANT_ADD(get_pa, with_extents) {
	.size = GET_PA_EXTENTS_SIZE,
};

FIXTURE_VARIANT_ADD(get_pa, too_small) {
	.size = GET_PA_SIZE - 1,
};

FIXTURE_VARIANT_ADD(get_pa, no_size) {
	.size = 0,
};

TEST_F(get_pa, is_unknown)
{
	struct iommu_pa_extent extent = { .phys = 1, .length = 2 };
	struct iommu_ioas_get_pa args = {
		.size = variant->size,
		.ioas_id = self->ioas_id,
		.iova = IOVA,
		.length = getpagesize(),
		.out_phys = 3,
		.num_extents = 1,
		.extents_uptr = (uintptr_t)&extent,
	};
	struct iommu_ioas_get_pa before = args;

	ASSERT_EQ(-ENOTTY, ioctl_errno(self->iommufd, IOMMU_IOAS_GET_PA, &args));
	ASSERT_EQ(0, memcmp(&before, &args, sizeof(args)));
	ASSERT_EQ(1, extent.phys);
	ASSERT_EQ(2, extent.length);
}

/* The capability is not asked for either */
TEST_F(get_pa, is_unknown_to_anybody)
{
	struct iommu_ioas_get_pa args = {
		.size = variant->size,
		.ioas_id = self->ioas_id,
		.iova = IOVA,
	};

	cap_sys_rawio_set(false);
	ASSERT_EQ(-ENOTTY, ioctl_errno(self->iommufd, IOMMU_IOAS_GET_PA, &args));
	cap_sys_rawio_set(true);
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
	int container;

	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0)
		SKIP(return, "The kernel has no container");

	ASSERT_EQ(0, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU));
	ASSERT_EQ(1, ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, close(container));
}

int main(int argc, char *argv[])
{
	bdf = vfio_selftests_get_bdf(&argc, argv);
	if (!access(NOIOMMU_MODE, F_OK) || sysfs_has_iommu(bdf)) {
		fprintf(stderr, "%s can be used, skipping test.\n", bdf);
		exit(KSFT_SKIP);
	}

	return test_harness_run(argc, argv);
}
