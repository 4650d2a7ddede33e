// SPDX-License-Identifier: GPL-2.0-only
/* Tests of devices that have no IOMMU, with memory that is mapped by address */
#include <limits.h>
#include <pthread.h>
#include <time.h>

#include <linux/vfio.h>

#include "iommufd_noiommu.h"

#define HUGEPAGE_SIZE (2UL * 1024 * 1024)

/* For lookups of which the answer is an error */
static struct iommu_pa_extent unused_extents[EXTENTS_ROOM];

/* Have the kernel check the page table of a mock IOMMU */
#define check_mock_map(_hwpt_id, _iova, _ptr, _length)                         \
	({                                                                     \
		struct iommu_test_cmd check_map_cmd = {                        \
			.size = sizeof(check_map_cmd),                         \
			.op = IOMMU_TEST_OP_MD_CHECK_MAP,                      \
			.id = _hwpt_id,                                        \
			.check_map = { .iova = _iova,                          \
				       .length = _length,                      \
				       .uptr = (uintptr_t)(_ptr) },            \
		};                                                             \
		ASSERT_EQ(0, ioctl(self->fd,                                   \
				   _IOMMU_TEST_CMD(IOMMU_TEST_OP_MD_CHECK_MAP),\
				   &check_map_cmd));                           \
	})

#define test_ioctl_ioas_huge_pages(_ioas_id, _enable)                 \
	({                                                            \
		struct iommu_option option_cmd = {                    \
			.size = sizeof(option_cmd),                   \
			.option_id = IOMMU_OPTION_HUGE_PAGES,         \
			.op = IOMMU_OPTION_OP_SET,                    \
			.object_id = _ioas_id,                        \
			.val64 = _enable,                             \
		};                                                    \
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_OPTION,            \
				   &option_cmd));                     \
	})

static void *mmap_hugetlb(size_t length)
{
	return mmap(0, length, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB |
			    MAP_POPULATE,
		    -1, 0);
}

/*
 * Pages of the file that are contiguous when mapped in order cannot be when
 * mapped in reverse
 */
static void *mmap_reversed(int fd, size_t length)
{
	size_t offset;
	void *buf;

	buf = mmap(0, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(buf != MAP_FAILED);
	for (offset = 0; offset != length; offset += PAGE_SIZE) {
		void *ptr = buf + length - PAGE_SIZE - offset;
		void *vrc = mmap(ptr, PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, fd, offset);

		assert(vrc == ptr);
	}
	return buf;
}

/* The buffer is mapped, and the device attached, like before a refused ioctl */
#define check_unchanged()                                                    \
	({                                                                   \
		check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);     \
		check_refs(buffer, BUFFER_SIZE, 1);                          \
		EXPECT_ERRNO(EBUSY,                                          \
			     _test_ioctl_destroy(self->fd, self->hwpt_id));  \
		test_cmd_mock_domain_replace(self->stdev_id, self->hwpt_id); \
	})

TEST_F(noiommu, auto_destroy)
{
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	check_refs(buffer, BUFFER_SIZE, 1);
}

TEST_F(noiommu, bind)
{
	/* iommufd does not choose between the two ways to bind */
	test_err_mock_domain_flags(EINVAL, self->ioas_id,
				   MOCK_FLAGS_DEVICE_NO_IOMMU, NULL, NULL);
	test_err_mock_domain_flags(EINVAL, self->ioas_id,
				   MOCK_FLAGS_DEVICE_BIND_NOIOMMU, NULL, NULL);
}

TEST_F(noiommu, attach_ioas)
{
	uint32_t stdev_id;
	uint32_t hwpt_id;

	/* Devices without an IOMMU share the automatic HWPT */
	test_cmd_mock_noiommu(self->ioas_id, &stdev_id, &hwpt_id, NULL);
	ASSERT_EQ(self->hwpt_id, hwpt_id);

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->ioas_id));

	/* The last device to leave takes the HWPT along, which unpins */
	test_ioctl_destroy(self->stdev_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_ioctl_destroy(stdev_id);
	EXPECT_ERRNO(ENOENT, _test_ioctl_destroy(self->fd, hwpt_id));
	check_refs(buffer, BUFFER_SIZE, 0);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, TEST_IOVA, 0);

	/* Attach to what is mapped already */
	test_cmd_mock_noiommu(self->ioas_id, &stdev_id, NULL, NULL);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 0);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, TEST_IOVA, 0);

	test_ioctl_destroy(stdev_id);
	test_ioctl_destroy(self->ioas_id);
}

TEST_F(noiommu, attach_misaligned)
{
	uint32_t ioas_id;
	__u64 iova;

	/* Fine as long as nothing has to map it */
	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_id(ioas_id, buffer + 512, PAGE_SIZE, &iova);
	test_err_mock_noiommu(EADDRINUSE, ioas_id);
	test_err_mock_domain_replace(EADDRINUSE, self->stdev_id, ioas_id);
	check_refs(buffer, BUFFER_SIZE, 0);

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	check_unchanged();
}

TEST_F(noiommu, attach_hwpt)
{
	uint32_t stdev_id[2];
	uint32_t ioas_id;
	uint32_t hwpt_id;
	uint32_t out_id;
	int i;

	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, buffer, BUFFER_SIZE, TEST_IOVA);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, ioas_id, TEST_IOVA, 0);

	/* The HWPT pins, no matter if a device is attached */
	test_cmd_hwpt_alloc(self->device_id, ioas_id, 0, &hwpt_id);
	check_pa(ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	for (i = 0; i != ARRAY_SIZE(stdev_id); i++) {
		test_cmd_mock_noiommu(hwpt_id, &stdev_id[i], &out_id, NULL);
		ASSERT_EQ(hwpt_id, out_id);
		EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id));
	}

	/* Attaching to the IOAS does not choose it */
	test_cmd_mock_domain_replace(self->stdev_id, ioas_id);
	test_ioctl_destroy(stdev_id[0]);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id));
	test_ioctl_destroy(stdev_id[1]);
	test_ioctl_destroy(hwpt_id);
	check_pa(ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	test_cmd_mock_domain_replace(self->stdev_id, self->ioas_id);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, ioas_id, TEST_IOVA, 0);
	check_refs(buffer, BUFFER_SIZE, 0);
	test_ioctl_destroy(ioas_id);
}

TEST_F(noiommu, replace)
{
	uint32_t hwpt_id[2];
	uint32_t stdev_id;
	uint32_t ioas_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, mfd_buffer, BUFFER_SIZE,
				     TEST_IOVA);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id[0]);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id[1]);

	/* The automatic HWPT is gone once it is replaced */
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id[0]);
	EXPECT_ERRNO(ENOENT, _test_ioctl_destroy(self->fd, self->hwpt_id));
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id[0]));
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	/* Every device is alone in its group, the others stay where they are */
	test_cmd_mock_noiommu(hwpt_id[0], &stdev_id, NULL, NULL);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id[1]);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id[1]);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id[0]));
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id[1]));
	test_ioctl_destroy(stdev_id);
	test_ioctl_destroy(hwpt_id[0]);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	test_err_mock_domain_replace(ENOENT, self->stdev_id, hwpt_id[0]);
	test_err_mock_domain_replace(EINVAL, self->stdev_id, self->device_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id[1]));

	/* Move to another IOAS, and back */
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, ioas_id, TEST_IOVA, 0);
	test_cmd_mock_domain_replace(self->stdev_id, ioas_id);
	test_ioctl_destroy(hwpt_id[1]);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, TEST_IOVA, 0);
	check_refs(buffer, BUFFER_SIZE, 0);
	check_pa(ioas_id, TEST_IOVA, mfd_buffer, BUFFER_SIZE);
	check_refs(mfd_buffer, BUFFER_SIZE, 1);

	test_cmd_mock_domain_replace(self->stdev_id, self->ioas_id);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, ioas_id, TEST_IOVA, 0);
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_ioctl_destroy(ioas_id);
}

TEST_F(noiommu, no_pasid)
{
	const uint32_t pasid = 100;
	uint32_t stdev_id;
	uint32_t hwpt_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_err_hwpt_alloc(EOPNOTSUPP, self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_PASID, &hwpt_id);
	test_err_pasid_attach(EINVAL, pasid, self->hwpt_id);
	test_err_pasid_attach(EINVAL, pasid, self->ioas_id);
	test_err_pasid_replace(EINVAL, pasid, self->hwpt_id);
	test_err_pasid_replace(EINVAL, pasid, self->ioas_id);
	ASSERT_EQ(0, test_cmd_pasid_check_hwpt(self->fd, self->stdev_id, pasid,
					       0));
	test_cmd_pasid_detach(pasid);
	check_unchanged();

	/* Nor does it help that the device itself knows PASIDs */
	test_cmd_mock_domain_flags(self->ioas_id,
				   MOCK_FLAGS_DEVICE_NOIOMMU |
					   MOCK_FLAGS_DEVICE_PASID,
				   &stdev_id, NULL, NULL);
	EXPECT_ERRNO(EINVAL, _test_cmd_pasid_attach(self->fd, stdev_id, pasid,
						    self->hwpt_id));
	test_ioctl_destroy(stdev_id);

	/* A device with an IOMMU cannot have it as the HWPT of a PASID */
	test_cmd_mock_domain_flags(self->ioas_id, MOCK_FLAGS_DEVICE_PASID,
				   &stdev_id, &hwpt_id, NULL);
	EXPECT_ERRNO(EINVAL, _test_cmd_pasid_attach(self->fd, stdev_id, pasid,
						    self->hwpt_id));
	ASSERT_EQ(0, test_cmd_pasid_check_hwpt(self->fd, stdev_id, pasid, 0));
	test_ioctl_destroy(stdev_id);
	check_unchanged();
}

TEST_F(noiommu, no_nesting)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	struct iommu_hwpt_invalidate_selftest inv_req = {};
	uint32_t parent_hwpt_id;
	uint32_t num_inv = 1;
	uint32_t device_id;
	uint32_t stdev_id;
	uint32_t hwpt_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_err_hwpt_alloc(EOPNOTSUPP, self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt_id);
	/* There is no driver that could know the data */
	test_err_hwpt_alloc_nested(EOPNOTSUPP, self->device_id, self->ioas_id,
				   0, &hwpt_id, IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
	test_err_hwpt_alloc_nested(EOPNOTSUPP, self->device_id, self->hwpt_id,
				   0, &hwpt_id, IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
	check_unchanged();

	/* Neither kind of device nests on the HWPT of the other */
	test_cmd_mock_domain(self->ioas_id, &stdev_id, NULL, &device_id);
	test_cmd_hwpt_alloc(device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &parent_hwpt_id);
	test_err_hwpt_alloc_nested(EOPNOTSUPP, self->device_id, parent_hwpt_id,
				   0, &hwpt_id, IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
	test_err_hwpt_alloc_nested(EINVAL, device_id, self->hwpt_id, 0,
				   &hwpt_id, IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));

	/* A nested HWPT does not take it either */
	test_cmd_hwpt_alloc_nested(device_id, parent_hwpt_id, 0, &hwpt_id,
				   IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
	test_err_mock_domain_replace(EINVAL, self->stdev_id, hwpt_id);
	test_err_mock_noiommu(EINVAL, hwpt_id);
	test_ioctl_destroy(hwpt_id);
	test_ioctl_destroy(parent_hwpt_id);

	/* There is no cache, and no user page table that it could hold */
	test_err_hwpt_invalidate(EINVAL, self->hwpt_id, &inv_req,
				 IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
				 sizeof(inv_req), &num_inv);
	check_unchanged();
}

TEST_F(noiommu, no_dirty_tracking)
{
	__u64 bitmap[1] = {};
	uint32_t hwpt_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_err_hwpt_alloc(EOPNOTSUPP, self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &hwpt_id);
	ASSERT_EQ(-EOPNOTSUPP,
		  _test_cmd_set_dirty_tracking(self->fd, self->hwpt_id, true));
	ASSERT_EQ(-EOPNOTSUPP,
		  _test_cmd_set_dirty_tracking(self->fd, self->hwpt_id, false));
	EXPECT_ERRNO(EOPNOTSUPP,
		     _test_cmd_get_dirty_bitmap(self->fd, self->hwpt_id,
						BUFFER_SIZE, TEST_IOVA,
						PAGE_SIZE, bitmap, 0));
	check_unchanged();
}

TEST_F(noiommu, no_fault_queue)
{
	struct iommu_test_cmd trigger_cmd = {
		.size = sizeof(trigger_cmd),
		.op = IOMMU_TEST_OP_TRIGGER_IOPF,
		.trigger_iopf = { .dev_id = self->device_id },
	};
	uint32_t fault_id;
	uint32_t fault_fd;
	uint32_t hwpt_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_ioctl_fault_alloc(&fault_id, &fault_fd);
	test_err_hwpt_alloc_iopf(EOPNOTSUPP, self->device_id, self->ioas_id,
				 fault_id, IOMMU_HWPT_FAULT_ID_VALID, &hwpt_id,
				 IOMMU_HWPT_DATA_NONE, NULL, 0);
	EXPECT_ERRNO(EINVAL,
		     ioctl(self->fd,
			   _IOMMU_TEST_CMD(IOMMU_TEST_OP_TRIGGER_IOPF),
			   &trigger_cmd));
	close(fault_fd);
	test_ioctl_destroy(fault_id);
	check_unchanged();
}

TEST_F(noiommu, no_viommu)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	uint32_t parent_hwpt_id;
	uint32_t viommu_id;
	uint32_t device_id;
	uint32_t stdev_id;
	uint32_t hwpt_id;
	uint32_t vdev_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_err_viommu_alloc(EOPNOTSUPP, self->device_id, self->hwpt_id,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu_id);

	/* The HWPT is no parent for the vIOMMU of another device */
	test_cmd_mock_domain(self->ioas_id, &stdev_id, NULL, &device_id);
	test_err_viommu_alloc(EINVAL, device_id, self->hwpt_id,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu_id);

	/* The device has no place behind the vIOMMU of another device */
	test_cmd_hwpt_alloc(device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &parent_hwpt_id);
	test_err_viommu_alloc(EOPNOTSUPP, self->device_id, parent_hwpt_id,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu_id);
	test_cmd_viommu_alloc(device_id, parent_hwpt_id,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu_id);
	test_err_vdevice_alloc(EINVAL, viommu_id, self->device_id, 0x99,
			       &vdev_id);
	test_err_hwpt_alloc_nested(EINVAL, self->device_id, viommu_id, 0,
				   &hwpt_id, IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
	test_ioctl_destroy(viommu_id);
	test_ioctl_destroy(parent_hwpt_id);
	check_unchanged();
}

TEST_F(noiommu, no_hw_info)
{
	struct iommu_test_hw_info info;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_err_get_hw_info(EOPNOTSUPP, self->device_id,
			     IOMMU_HW_INFO_TYPE_DEFAULT, NULL, 0);
	test_err_get_hw_info(EOPNOTSUPP, self->device_id,
			     IOMMU_HW_INFO_TYPE_DEFAULT, &info, sizeof(info));
	test_err_get_hw_info(EOPNOTSUPP, self->device_id,
			     IOMMU_HW_INFO_TYPE_SELFTEST, &info, sizeof(info));
	check_unchanged();
}

/* Each kind of device attaches to HWPTs of its kind only */
TEST_F(noiommu, wrong_hwpt)
{
	uint32_t mock_manual_id;
	uint32_t mock_stdev_id;
	uint32_t mock_hwpt_id;
	uint32_t device_id;
	uint32_t hwpt_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_err_mock_domain(EINVAL, self->hwpt_id, NULL, NULL);
	test_err_mock_domain(EINVAL, hwpt_id, NULL, NULL);
	check_unchanged();

	test_cmd_mock_domain(self->ioas_id, &mock_stdev_id, &mock_hwpt_id,
			     &device_id);
	test_cmd_hwpt_alloc(device_id, self->ioas_id, 0, &mock_manual_id);
	test_err_mock_domain_replace(EINVAL, mock_stdev_id, self->hwpt_id);
	test_err_mock_domain_replace(EINVAL, mock_stdev_id, hwpt_id);
	check_mock_map(mock_hwpt_id, TEST_IOVA, buffer, BUFFER_SIZE);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, mock_hwpt_id));
	/* Nothing holds on to the one that was refused */
	test_ioctl_destroy(hwpt_id);

	test_err_mock_noiommu(EINVAL, mock_hwpt_id);
	test_err_mock_noiommu(EINVAL, mock_manual_id);
	test_err_mock_domain_replace(EINVAL, self->stdev_id, mock_hwpt_id);
	test_err_mock_domain_replace(EINVAL, self->stdev_id, mock_manual_id);
	test_ioctl_destroy(mock_manual_id);
	check_unchanged();
}

TEST_F(noiommu, iova_ranges)
{
	struct iommu_iova_range range;
	struct iommu_ioas_iova_ranges ranges_cmd = {
		.size = sizeof(ranges_cmd),
		.ioas_id = self->ioas_id,
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};
	uint32_t stdev_id;

	/* Nothing is reserved, an IOVA is never seen by the device */
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_IOVA_RANGES, &ranges_cmd));
	EXPECT_EQ(1, ranges_cmd.num_iovas);
	EXPECT_EQ(0, range.start);
	EXPECT_EQ(ULONG_MAX, range.last);
	EXPECT_EQ(PAGE_SIZE, ranges_cmd.out_iova_alignment);

	/* Out of reach of the IOMMU, which then can't be attached */
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, 0);
	test_err_mock_domain(EADDRINUSE, self->ioas_id, NULL, NULL);
	check_pa(self->ioas_id, 0, buffer, BUFFER_SIZE);
	test_ioctl_ioas_unmap(0, BUFFER_SIZE);

	/* It is the IOMMU that narrows the range while it is there */
	test_cmd_mock_domain(self->ioas_id, &stdev_id, NULL, NULL);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_IOVA_RANGES, &ranges_cmd));
	EXPECT_EQ(1, ranges_cmd.num_iovas);
	EXPECT_EQ(MOCK_APERTURE_START, range.start);
	EXPECT_EQ(MOCK_APERTURE_LAST, range.last);
	test_err_ioctl_ioas_map_fixed(EINVAL, buffer, BUFFER_SIZE, 0);
	test_ioctl_destroy(stdev_id);
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, 0);
	check_pa(self->ioas_id, 0, buffer, BUFFER_SIZE);
}

/* Fails without output, the arguments are the fields that matter */
#define test_err_get_pa_cmd(_errno, ...)                                     \
	({                                                                   \
		struct iommu_ioas_get_pa cmd = {                             \
			.size = sizeof(cmd),                                 \
			.ioas_id = self->ioas_id,                            \
			.iova = TEST_IOVA,                                   \
			.length = PAGE_SIZE,                                 \
			.out_phys = 0x5a5a,                                  \
			__VA_ARGS__                                          \
		};                                                           \
		struct iommu_ioas_get_pa old = cmd;                          \
									     \
		EXPECT_ERRNO(_errno,                                         \
			     ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));      \
		EXPECT_EQ(0, memcmp(&old, &cmd, sizeof(cmd)));               \
	})

TEST_F(noiommu, get_pa_fail)
{
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);

	test_err_get_pa_cmd(EOPNOTSUPP, .flags = 1);
	test_err_get_pa_cmd(EOPNOTSUPP, .__reserved = 1);
	test_err_get_pa_cmd(EOPNOTSUPP, .__reserved2 = 1);

	/* Not an IOAS */
	test_err_get_pa_cmd(ENOENT, .ioas_id = self->hwpt_id);
	test_err_get_pa_cmd(ENOENT, .ioas_id = UINT32_MAX);

	/* Not mapped */
	test_err_get_pa_cmd(ENOENT, .iova = TEST_IOVA - 1);
	test_err_get_pa_cmd(ENOENT, .iova = TEST_IOVA + BUFFER_SIZE);
	test_err_get_pa_cmd(ENOENT, .iova = 0, .length = 0);

	/* The range may go past the last IOVA, it must not start there */
	test_err_get_pa_cmd(ENOENT, .iova = -(__u64)PAGE_SIZE);
	test_err_get_pa_cmd(ENOENT, .iova = -(__u64)PAGE_SIZE,
			    .length = PAGE_SIZE + 1);
	test_err_get_pa_cmd(ENOENT, .iova = UINT64_MAX - 1,
			    .length = UINT64_MAX);
	test_err_get_pa_cmd(EOVERFLOW, .iova = ULONG_MAX);
	test_err_get_pa_cmd(EOVERFLOW, .iova = UINT64_MAX, .length = 0);

	/* Addresses are for those who may use them */
	drop_cap(_metadata, CAP_SYS_RAWIO);
	test_err_get_pa_cmd(EPERM);
}

TEST_F(noiommu, get_pa_length)
{
	const size_t offsets[] = { 0, 1, 511, 512, PAGE_SIZE / 2 + 1,
				   PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 8,
				   BUFFER_SIZE - 1 };
	const size_t lengths[] = { 1, 8, 512, PAGE_SIZE - 1, PAGE_SIZE,
				   PAGE_SIZE + 1, BUFFER_SIZE, BUFFER_SIZE * 4 };
	__u64 length;
	__u64 phys;
	int i, j;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	for (i = 0; i != ARRAY_SIZE(offsets); i++) {
		for (j = 0; j != ARRAY_SIZE(lengths); j++) {
			size_t left = BUFFER_SIZE - offsets[i];

			length = lengths[j];
			test_ioctl_ioas_get_pa(self->ioas_id,
					       TEST_IOVA + offsets[i], &length,
					       &phys);
			ASSERT_EQ(cpu_phys(buffer + offsets[i]), phys);
			ASSERT_EQ(cpu_contig(buffer + offsets[i],
					     lengths[j] < left ? lengths[j] :
								 left),
				  length);
		}
	}
}

TEST_F(noiommu, get_pa_scattered)
{
	void *buf = mmap_reversed(mfd, BUFFER_SIZE);

	test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE, TEST_IOVA);
	test_ioctl_ioas_map_fixed(buf, BUFFER_SIZE, TEST_IOVA + BUFFER_SIZE);
	check_pa(self->ioas_id, TEST_IOVA, mfd_buffer, BUFFER_SIZE);
	check_pa(self->ioas_id, TEST_IOVA + BUFFER_SIZE, buf, BUFFER_SIZE);
	ASSERT_EQ(cpu_phys(buf), cpu_phys(mfd_buffer + BUFFER_SIZE - PAGE_SIZE));
}

/* The pages arrive in the HWPT a few at a time */
TEST_F(noiommu, get_pa_batches)
{
	size_t length = HUGEPAGE_SIZE;
	uint32_t hwpt_id;
	void *buf;

	test_ioctl_set_temp_memory_limit(32);
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	/* Fill another HWPT from this one, then from the user memory again */
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	test_ioctl_destroy(self->stdev_id);
	test_ioctl_destroy(hwpt_id);
	check_refs(buffer, BUFFER_SIZE, 0);
	test_cmd_mock_noiommu(self->ioas_id, NULL, NULL, NULL);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	buf = mmap_hugetlb(length);
	if (buf == MAP_FAILED)
		SKIP(return, "No huge page of 2 MiB");
	test_ioctl_ioas_map_fixed(buf, length, TEST_IOVA + BUFFER_SIZE);
	check_pa(self->ioas_id, TEST_IOVA + BUFFER_SIZE, buf, length);
}

TEST_F(noiommu, get_pa_adjacent)
{
	size_t half = HUGEPAGE_SIZE / 2;
	__u64 length;
	__u64 phys;
	void *buf;

	buf = mmap_hugetlb(HUGEPAGE_SIZE);
	if (buf == MAP_FAILED)
		SKIP(return, "No huge page of 2 MiB");

	/* Contiguous in memory and in IOVA, but it is two mappings */
	test_ioctl_ioas_map_fixed(buf, half, TEST_IOVA);
	test_ioctl_ioas_map_fixed(buf + half, half, TEST_IOVA + half);
	ASSERT_EQ(HUGEPAGE_SIZE, cpu_contig(buf, HUGEPAGE_SIZE));
	check_pa(self->ioas_id, TEST_IOVA, buf, half);
	check_pa(self->ioas_id, TEST_IOVA + half, buf + half, half);
	length = HUGEPAGE_SIZE;
	test_ioctl_ioas_get_pa(self->ioas_id, TEST_IOVA, &length, &phys);
	ASSERT_EQ(half, length);
	length = PAGE_SIZE * 2;
	test_ioctl_ioas_get_pa(self->ioas_id, TEST_IOVA + half - PAGE_SIZE,
			       &length, &phys);
	ASSERT_EQ(PAGE_SIZE, length);
	ASSERT_EQ(cpu_phys(buf + half - PAGE_SIZE), phys);

	/* Neither side depends on the other */
	test_ioctl_ioas_unmap(TEST_IOVA, half);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, TEST_IOVA + half - 1,
				   2);
	check_pa(self->ioas_id, TEST_IOVA + half, buf + half, half);

	/* The same memory, in the wrong order */
	test_ioctl_ioas_map_fixed(buf, half, TEST_IOVA + 2 * half);
	check_pa(self->ioas_id, TEST_IOVA + half, buf + half, half);
	check_pa(self->ioas_id, TEST_IOVA + 2 * half, buf, half);
}

TEST_F(noiommu, no_large_pages)
{
	size_t length = HUGEPAGE_SIZE * 2;
	void *buf;

	test_ioctl_ioas_huge_pages(self->ioas_id, 0);
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	/* How the HWPT stores it makes no difference to the answer */
	buf = mmap_hugetlb(length);
	if (buf == MAP_FAILED)
		SKIP(return, "No huge pages of 2 MiB");
	test_ioctl_ioas_map_fixed(buf, length, TEST_IOVA + length);
	check_pa(self->ioas_id, TEST_IOVA + length, buf, length);
}

TEST_F(noiommu, split)
{
	struct iommu_vfio_ioas vfio_ioas_cmd = {
		.size = sizeof(vfio_ioas_cmd),
		.op = IOMMU_VFIO_IOAS_SET,
		.ioas_id = self->ioas_id,
	};
	struct vfio_iommu_type1_dma_unmap unmap_cmd = {
		.argsz = sizeof(unmap_cmd),
		.iova = TEST_IOVA + HUGEPAGE_SIZE / 4,
		.size = HUGEPAGE_SIZE / 2,
	};
	size_t quarter = HUGEPAGE_SIZE / 4;
	__u64 last_iova = TEST_IOVA + HUGEPAGE_SIZE - PAGE_SIZE;
	uint32_t hwpt_id;
	void *buf;

	buf = mmap_hugetlb(HUGEPAGE_SIZE);
	if (buf == MAP_FAILED)
		SKIP(return, "No huge page of 2 MiB");
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VFIO_IOAS, &vfio_ioas_cmd));

	/* A HWPT that may have large pages cannot be split */
	test_ioctl_ioas_map_fixed(buf, HUGEPAGE_SIZE, TEST_IOVA);
	EXPECT_ERRNO(ENOENT, ioctl(self->fd, VFIO_IOMMU_UNMAP_DMA, &unmap_cmd));
	check_pa(self->ioas_id, TEST_IOVA, buf, HUGEPAGE_SIZE);
	test_ioctl_ioas_unmap(TEST_IOVA, HUGEPAGE_SIZE);

	test_ioctl_ioas_huge_pages(self->ioas_id, 0);
	test_ioctl_ioas_map_fixed(buf, HUGEPAGE_SIZE, TEST_IOVA);
	check_pa(self->ioas_id, TEST_IOVA, buf, HUGEPAGE_SIZE);

	/* Punch a hole into the middle */
	unmap_cmd.size = 2 * quarter;
	ASSERT_EQ(0, ioctl(self->fd, VFIO_IOMMU_UNMAP_DMA, &unmap_cmd));
	ASSERT_EQ(2 * quarter, unmap_cmd.size);
	check_pa(self->ioas_id, TEST_IOVA, buf, quarter);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, TEST_IOVA + quarter,
				   0);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id,
				   TEST_IOVA + 3 * quarter - 1, 2);
	check_pa(self->ioas_id, TEST_IOVA + 3 * quarter, buf + 3 * quarter,
		 quarter);

	/* Take the last page, and fill the hole with a mapping of its own */
	unmap_cmd.iova = last_iova;
	unmap_cmd.size = PAGE_SIZE;
	ASSERT_EQ(0, ioctl(self->fd, VFIO_IOMMU_UNMAP_DMA, &unmap_cmd));
	test_ioctl_ioas_map_fixed(buf, 2 * quarter, TEST_IOVA + quarter);
	check_pa(self->ioas_id, TEST_IOVA, buf, quarter);
	check_pa(self->ioas_id, TEST_IOVA + quarter, buf, 2 * quarter);
	check_pa(self->ioas_id, TEST_IOVA + 3 * quarter, buf + 3 * quarter,
		 quarter - PAGE_SIZE);

	/* The parts of a split mapping fill other HWPTs like any mapping */
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	check_pa(self->ioas_id, TEST_IOVA, buf, quarter);
	check_pa(self->ioas_id, TEST_IOVA + quarter, buf, 2 * quarter);
	check_pa(self->ioas_id, TEST_IOVA + 3 * quarter, buf + 3 * quarter,
		 quarter - PAGE_SIZE);
}

FIXTURE(noiommu_last_iova)
{
	int fd;
	uint32_t ioas_id;
	uint32_t stdev_id;
	uint32_t device_id;
	void *buf;
	size_t length;
	__u64 iova;
};

FIXTURE_VARIANT(noiommu_last_iova)
{
	unsigned int memory_limit;
	bool no_large_pages;
	bool hugetlb;
	bool reversed;
};

FIXTURE_SETUP(noiommu_last_iova)
{
	self->fd = -1;
	if (variant->hugetlb) {
		self->length = HUGEPAGE_SIZE;
		self->buf = mmap_hugetlb(self->length);
		if (self->buf == MAP_FAILED)
			SKIP(return, "No huge page of 2 MiB");
	} else {
		self->length = BUFFER_SIZE;
		self->buf = variant->reversed ? mmap_reversed(mfd, BUFFER_SIZE) :
						buffer;
	}
	self->iova = -(__u64)self->length;

	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);
	if (variant->memory_limit)
		test_ioctl_set_temp_memory_limit(variant->memory_limit);
	test_ioctl_ioas_alloc(&self->ioas_id);
	if (variant->no_large_pages)
		test_ioctl_ioas_huge_pages(self->ioas_id, 0);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL,
			      &self->device_id);
}

FIXTURE_TEARDOWN(noiommu_last_iova)
{
	if (self->fd != -1)
		test_ioctl_set_default_memory_limit();
	teardown_iommufd(self->fd, _metadata);
}

FIXTURE_VARIANT_ADD(noiommu_last_iova, pages)
{
};

FIXTURE_VARIANT_ADD(noiommu_last_iova, reversed)
{
	.reversed = true,
};

FIXTURE_VARIANT_ADD(noiommu_last_iova, batches)
{
	.memory_limit = 32,
};

FIXTURE_VARIANT_ADD(noiommu_last_iova, no_large_pages)
{
	.no_large_pages = true,
};

FIXTURE_VARIANT_ADD(noiommu_last_iova, hugetlb)
{
	.hugetlb = true,
};

FIXTURE_VARIANT_ADD(noiommu_last_iova, hugetlb_no_large_pages)
{
	.hugetlb = true,
	.no_large_pages = true,
};

TEST_F(noiommu_last_iova, map)
{
	/* Lengths that go up to the last IOVA, and past it */
	const __u64 beyond[] = { 0, PAGE_SIZE, PAGE_SIZE + 1, UINT64_MAX };
	uint32_t hwpt_id;
	unsigned int i;
	__u64 length;
	__u64 phys;

	test_ioctl_ioas_map_fixed(self->buf, self->length, self->iova);
	check_pa(self->ioas_id, self->iova, self->buf, self->length);
	if (!variant->hugetlb)
		check_refs(self->buf, self->length, 1);

	length = 1;
	test_ioctl_ioas_get_pa(self->ioas_id, ULONG_MAX - 1, &length, &phys);
	ASSERT_EQ(1, length);
	for (i = 0; i != ARRAY_SIZE(beyond); i++) {
		length = beyond[i];
		test_ioctl_ioas_get_pa(self->ioas_id, ULONG_MAX - 1, &length,
				       &phys);
		ASSERT_EQ(cpu_phys(self->buf + self->length - 2), phys);
		ASSERT_EQ(2, length);
		length = beyond[i];
		test_ioctl_ioas_get_pa(self->ioas_id, -(__u64)PAGE_SIZE,
				       &length, &phys);
		ASSERT_EQ(PAGE_SIZE, length);
	}
	test_err_ioctl_ioas_get_pa(EOVERFLOW, self->ioas_id, ULONG_MAX, 1);

	/* Fill a HWPT from the one before, from memory, and empty both */
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	check_pa(self->ioas_id, self->iova, self->buf, self->length);
	test_ioctl_destroy(self->stdev_id);
	test_ioctl_destroy(hwpt_id);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, ULONG_MAX - 1, 1);
	if (!variant->hugetlb)
		check_refs(self->buf, self->length, 0);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL, NULL);
	check_pa(self->ioas_id, self->iova, self->buf, self->length);

	test_ioctl_ioas_unmap(self->iova, self->length);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, ULONG_MAX - 1, 1);
	if (!variant->hugetlb)
		check_refs(self->buf, self->length, 0);

	/* The range is free for use again */
	test_ioctl_ioas_map_fixed(self->buf, PAGE_SIZE, -(__u64)PAGE_SIZE);
	check_pa(self->ioas_id, -(__u64)PAGE_SIZE, self->buf, PAGE_SIZE);
}

TEST_F(noiommu_last_iova, copy)
{
	struct iommu_ioas_copy copy_cmd = {
		.size = sizeof(copy_cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.src_ioas_id = self->ioas_id,
		.src_iova = self->iova,
		.dst_ioas_id = self->ioas_id,
		.dst_iova = TEST_IOVA,
		.length = self->length,
	};

	/* From the end of the address space, and to it */
	test_ioctl_ioas_map_fixed(self->buf, self->length, self->iova);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	check_pa(self->ioas_id, TEST_IOVA, self->buf, self->length);
	test_ioctl_ioas_unmap(self->iova, self->length);

	copy_cmd.src_iova = TEST_IOVA;
	copy_cmd.dst_iova = self->iova;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	check_pa(self->ioas_id, self->iova, self->buf, self->length);
	test_ioctl_ioas_unmap(0, UINT64_MAX);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, ULONG_MAX - 1, 1);
}

TEST_F(noiommu, copy)
{
	struct iommu_ioas_copy copy_cmd = {
		.size = sizeof(copy_cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.src_ioas_id = self->ioas_id,
		.src_iova = TEST_IOVA,
		.dst_ioas_id = self->ioas_id,
		.dst_iova = TEST_IOVA + BUFFER_SIZE,
		.length = BUFFER_SIZE,
	};
	uint32_t stdev_id;
	uint32_t ioas_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);

	/* Inside the IOAS */
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_pa(self->ioas_id, TEST_IOVA + BUFFER_SIZE, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_ioctl_ioas_unmap(TEST_IOVA + BUFFER_SIZE, BUFFER_SIZE);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	/* A part of it, to an IOAS where no device is */
	test_ioctl_ioas_alloc(&ioas_id);
	copy_cmd.src_iova += PAGE_SIZE;
	copy_cmd.dst_ioas_id = ioas_id;
	copy_cmd.dst_iova = 0;
	copy_cmd.length = 2 * PAGE_SIZE;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, ioas_id, 0, 0);
	test_cmd_mock_noiommu(ioas_id, &stdev_id, NULL, NULL);
	check_pa(ioas_id, 0, buffer + PAGE_SIZE, 2 * PAGE_SIZE);

	/* The copy stays when the source is gone */
	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);
	check_refs(buffer, PAGE_SIZE, 0);
	check_refs(buffer + PAGE_SIZE, 2 * PAGE_SIZE, 1);
	check_pa(ioas_id, 0, buffer + PAGE_SIZE, 2 * PAGE_SIZE);

	/* And back again */
	copy_cmd.src_ioas_id = ioas_id;
	copy_cmd.src_iova = 0;
	copy_cmd.dst_ioas_id = self->ioas_id;
	copy_cmd.dst_iova = TEST_IOVA;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	test_ioctl_destroy(stdev_id);
	test_ioctl_destroy(ioas_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer + PAGE_SIZE, 2 * PAGE_SIZE);
}

TEST_F(noiommu, fork_gone)
{
	__u64 expected_phys;
	int pipefds[2];
	int status;
	pid_t child;
	__u64 length;
	__u64 phys;

	/* Memory of a process that dies stays pinned where it was */
	ASSERT_EQ(0, pipe(pipefds));
	child = fork();
	if (!child) {
		void *buf = mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE(MAP_FAILED, buf);
		memset(buf, 0x5a, PAGE_SIZE);
		test_ioctl_ioas_map_fixed(buf, PAGE_SIZE, TEST_IOVA);
		expected_phys = cpu_phys(buf);
		ASSERT_EQ(sizeof(expected_phys),
			  write(pipefds[1], &expected_phys,
				sizeof(expected_phys)));
		exit(0);
	}
	ASSERT_NE(-1, child);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(sizeof(expected_phys),
		  read(pipefds[0], &expected_phys, sizeof(expected_phys)));

	length = 0;
	test_ioctl_ioas_get_pa(self->ioas_id, TEST_IOVA, &length, &phys);
	ASSERT_EQ(expected_phys, phys);
	ASSERT_EQ(PAGE_SIZE, length);

	/* A HWPT can be filled from another, but no longer from the memory */
	test_cmd_mock_domain_replace(self->stdev_id, self->ioas_id);
	test_ioctl_ioas_get_pa(self->ioas_id, TEST_IOVA, &length, &phys);
	ASSERT_EQ(expected_phys, phys);
	test_ioctl_destroy(self->stdev_id);
	test_err_mock_noiommu(EFAULT, self->ioas_id);
	test_ioctl_ioas_unmap(TEST_IOVA, PAGE_SIZE);
	test_cmd_mock_noiommu(self->ioas_id, NULL, NULL, NULL);
}

/* An access takes the pages from the HWPT where they are already pinned */
TEST_F(noiommu, access)
{
	struct iommu_test_cmd access_cmd = {
		.size = sizeof(access_cmd),
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.access_pages = { .iova = TEST_IOVA,
				  .length = BUFFER_SIZE,
				  .uptr = (uintptr_t)buffer },
	};
	uint32_t access_pages_id;
	uint32_t access_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_cmd_create_access(self->ioas_id, &access_id,
			       MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES);
	access_cmd.id = access_id;
	/* Compares the pages with what is at uptr */
	ASSERT_EQ(0, ioctl(self->fd,
			   _IOMMU_TEST_CMD(IOMMU_TEST_OP_ACCESS_PAGES),
			   &access_cmd));
	check_refs(buffer, BUFFER_SIZE, 1);

	/* It does not pin for the device, and takes over if that leaves */
	test_ioctl_destroy(self->stdev_id);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, TEST_IOVA, 0);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL, NULL);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	access_pages_id = access_cmd.access_pages.out_access_pages_id;
	test_cmd_destroy_access_pages(access_id, access_pages_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_cmd_destroy_access(access_id);
}

TEST_F(noiommu, extents_fail)
{
	static struct iommu_pa_extent extents[NR_PAGES];
	uintptr_t uptr = (uintptr_t)extents;
	struct {
		struct iommu_ioas_get_pa cmd;
		__u64 future;
	} longer = {
		.cmd = {
			.size = sizeof(longer),
			.ioas_id = self->ioas_id,
			.iova = TEST_IOVA,
			.num_extents = NR_PAGES,
			.extents_uptr = uptr,
		},
		.future = 1,
	};
	uint32_t ioas_id;
	void *buf;

	memset(extents, EXTENTS_UNTOUCHED, sizeof(extents));
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);

	test_err_get_pa_cmd(EOPNOTSUPP, .flags = 1, .num_extents = NR_PAGES,
			    .extents_uptr = uptr);
	test_err_get_pa_cmd(EOPNOTSUPP, .__reserved = 1,
			    .num_extents = NR_PAGES, .extents_uptr = uptr);
	test_err_get_pa_cmd(EOPNOTSUPP, .__reserved2 = 1,
			    .num_extents = NR_PAGES, .extents_uptr = uptr);
	test_err_get_pa_cmd(ENOENT, .ioas_id = self->hwpt_id,
			    .num_extents = NR_PAGES, .extents_uptr = uptr);
	test_err_get_pa_cmd(ENOENT, .iova = TEST_IOVA - 1, .num_extents = 1,
			    .extents_uptr = uptr);
	test_err_get_pa_cmd(ENOENT, .iova = TEST_IOVA + BUFFER_SIZE,
			    .length = 0, .num_extents = 1,
			    .extents_uptr = uptr);
	test_err_get_pa_cmd(ENOENT, .iova = TEST_IOVA - 1,
			    .length = UINT64_MAX, .num_extents = 1,
			    .extents_uptr = uptr);
	test_err_get_pa_cmd(EOVERFLOW, .iova = UINT64_MAX, .length = 1,
			    .num_extents = 1, .extents_uptr = uptr);
	EXPECT_ERRNO(E2BIG, ioctl(self->fd, IOMMU_IOAS_GET_PA, &longer));

	/* Mapped, also where a device could not use it, but without a HWPT */
	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, buffer, BUFFER_SIZE, TEST_IOVA);
	test_ioctl_ioas_map_fixed_id(ioas_id, buffer + 512, PAGE_SIZE,
				     TEST_IOVA + BUFFER_SIZE + 512);
	test_err_ioctl_ioas_get_extents(EOPNOTSUPP, ioas_id, TEST_IOVA, 0,
					extents, NR_PAGES);
	test_err_ioctl_ioas_get_extents(EOPNOTSUPP, ioas_id,
					TEST_IOVA + BUFFER_SIZE + 700, 0,
					extents, NR_PAGES);
	test_err_ioctl_ioas_get_extents(ENOENT, ioas_id,
					TEST_IOVA + BUFFER_SIZE + 511, 0,
					extents, NR_PAGES);

	/* No array there */
	test_err_get_pa_cmd(EFAULT, .num_extents = 1);
	test_err_get_pa_cmd(EFAULT, .num_extents = NR_PAGES,
			    .extents_uptr = UINT64_MAX - 7);
	buf = mmap(0, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	test_err_get_pa_cmd(EFAULT, .num_extents = NR_PAGES,
			    .extents_uptr = (uintptr_t)buf);
	ASSERT_EQ(0, munmap(buf, PAGE_SIZE));
	test_err_get_pa_cmd(EFAULT, .num_extents = NR_PAGES,
			    .extents_uptr = (uintptr_t)buf);

	drop_cap(_metadata, CAP_SYS_RAWIO);
	test_err_get_pa_cmd(EPERM, .num_extents = NR_PAGES,
			    .extents_uptr = uptr);
	ASSERT_TRUE(extents_untouched(extents, 0, NR_PAGES));
}

/* Without room it is the first run, whatever the pointer */
TEST_F(noiommu, extents_none)
{
	struct iommu_ioas_get_pa cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->ioas_id,
		.extents_uptr = 1,
	};
	struct iommu_pa_extent extent;
	__u64 offset;
	__u64 length;
	__u64 phys;
	__u32 num;

	test_ioctl_ioas_map_fixed(mmap_reversed(mfd, BUFFER_SIZE), BUFFER_SIZE,
				  TEST_IOVA);
	for (offset = 0; offset < BUFFER_SIZE; offset += PAGE_SIZE / 2 + 7) {
		cmd.iova = TEST_IOVA + offset;
		cmd.length = 0;
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));
		ASSERT_EQ(0, cmd.num_extents);

		/* The answer is the same with the short struct, and an array */
		num = 1;
		length = 0;
		ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd,
							  self->ioas_id,
							  cmd.iova, &length,
							  &phys, &extent,
							  &num));
		ASSERT_EQ(1, num);
		ASSERT_EQ(cmd.length, length);
		ASSERT_EQ(cmd.length, extent.length);
		ASSERT_EQ(cmd.out_phys, phys);
		ASSERT_EQ(cmd.out_phys, extent.phys);

		cmd.size = offsetof(struct iommu_ioas_get_pa, num_extents);
		cmd.num_extents = 9;
		cmd.length = 0;
		cmd.out_phys = 0;
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));
		ASSERT_EQ(extent.length, cmd.length);
		ASSERT_EQ(extent.phys, cmd.out_phys);
		ASSERT_EQ(9, cmd.num_extents);
		ASSERT_EQ(1, cmd.extents_uptr);
		cmd.size = sizeof(cmd);
		cmd.num_extents = 0;
	}
}

TEST_F(noiommu, extents_adjacent)
{
	void *buf = mmap_reversed(mfd, BUFFER_SIZE);
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ TEST_IOVA + BUFFER_SIZE, buf, PAGE_SIZE * 3 },
		/* Of the file, of which the mapping above has the end */
		{ TEST_IOVA + BUFFER_SIZE + PAGE_SIZE * 3, mfd_buffer,
		  PAGE_SIZE * 5 },
		{ TEST_IOVA + BUFFER_SIZE + PAGE_SIZE * 8, buffer, PAGE_SIZE },
		{ TEST_IOVA + BUFFER_SIZE + PAGE_SIZE * 9, buffer + PAGE_SIZE,
		  PAGE_SIZE * 7 },
	};
	uint32_t hwpt_id;
	size_t i;

	for (i = 0; i != ARRAY_SIZE(areas); i++)
		test_ioctl_ioas_map_fixed((void *)areas[i].ptr, areas[i].length,
					  areas[i].iova);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));

	/* Filled by another HWPT, and by none before it */
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
	test_ioctl_destroy(self->stdev_id);
	test_ioctl_destroy(hwpt_id);
	test_err_ioctl_ioas_get_extents(EOPNOTSUPP, self->ioas_id, TEST_IOVA, 0,
					unused_extents, 1);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL, NULL);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));

	/* A hole ends the answer, what is behind it has one of its own */
	test_ioctl_ioas_unmap(areas[2].iova, areas[2].length);
	for (i = 1; i != EXTENTS_ROOM; i *= 2) {
		check_extents(self->ioas_id, areas, 2, areas[0].iova, 0, i);
		check_extents(self->ioas_id, areas, 2, areas[1].iova - 1,
			      BUFFER_SIZE * 4, i);
		check_extents(self->ioas_id, areas, 2, areas[2].iova - 1, 2, i);
		check_extents(self->ioas_id, areas + 3, 2, areas[3].iova, 0, i);
		test_err_ioctl_ioas_get_extents(ENOENT, self->ioas_id,
						areas[2].iova, 0, unused_extents, i);
		test_err_ioctl_ioas_get_extents(ENOENT, self->ioas_id,
						areas[3].iova - 1, 2, unused_extents, i);
	}
}

/* The border of two mappings shows, where nothing else makes one */
TEST_F(noiommu, extents_hugetlb)
{
	size_t half = HUGEPAGE_SIZE / 2;
	struct iommu_pa_extent extents[3];
	struct area areas[3];
	__u64 length;
	__u64 phys;
	__u32 num;
	void *buf;
	int i;

	buf = mmap_hugetlb(HUGEPAGE_SIZE);
	if (buf == MAP_FAILED)
		SKIP(return, "No huge page of 2 MiB");

	areas[0] = (struct area){ TEST_IOVA, buf, half };
	areas[1] = (struct area){ TEST_IOVA + half, buf + half, half };
	areas[2] = (struct area){ TEST_IOVA + HUGEPAGE_SIZE, buf,
				  HUGEPAGE_SIZE };

	for (i = 0; i != 2; i++) {
		/* How the HWPT stores it makes no difference to the answer */
		test_ioctl_ioas_huge_pages(self->ioas_id, i);
		test_ioctl_ioas_map_fixed(buf, half, TEST_IOVA);
		test_ioctl_ioas_map_fixed(buf + half, half, TEST_IOVA + half);
		test_ioctl_ioas_map_fixed(buf, HUGEPAGE_SIZE,
					  TEST_IOVA + HUGEPAGE_SIZE);

		num = ARRAY_SIZE(extents);
		length = 0;
		ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd,
							  self->ioas_id,
							  TEST_IOVA, &length,
							  &phys, extents,
							  &num));
		ASSERT_EQ(3, num);
		ASSERT_EQ(HUGEPAGE_SIZE * 2, length);
		ASSERT_EQ(cpu_phys(buf), extents[0].phys);
		ASSERT_EQ(half, extents[0].length);
		ASSERT_EQ(cpu_phys(buf) + half, extents[1].phys);
		ASSERT_EQ(half, extents[1].length);
		ASSERT_EQ(cpu_phys(buf), extents[2].phys);
		ASSERT_EQ(HUGEPAGE_SIZE, extents[2].length);

		check_extents(self->ioas_id, areas, ARRAY_SIZE(areas),
			      TEST_IOVA + half - 1, 2, 2);
		check_extents(self->ioas_id, areas, ARRAY_SIZE(areas),
			      TEST_IOVA + half - 513, half + 1024, 9);
		test_ioctl_ioas_unmap(0, UINT64_MAX);
	}
}

/* The parts that are left of a mapping are mappings */
TEST_F(noiommu, extents_split)
{
	struct iommu_vfio_ioas vfio_ioas_cmd = {
		.size = sizeof(vfio_ioas_cmd),
		.op = IOMMU_VFIO_IOAS_SET,
		.ioas_id = self->ioas_id,
	};
	struct vfio_iommu_type1_dma_unmap unmap_cmd = {
		.argsz = sizeof(unmap_cmd),
		.iova = TEST_IOVA + PAGE_SIZE * 5,
		.size = PAGE_SIZE * 2,
	};
	const struct area areas[] = {
		{ TEST_IOVA, buffer, PAGE_SIZE * 5 },
		{ TEST_IOVA + PAGE_SIZE * 5, mfd_buffer, PAGE_SIZE * 2 },
		{ TEST_IOVA + PAGE_SIZE * 7, buffer + PAGE_SIZE * 7,
		  BUFFER_SIZE - PAGE_SIZE * 7 },
	};

	test_ioctl_ioas_huge_pages(self->ioas_id, 0);
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VFIO_IOAS, &vfio_ioas_cmd));
	ASSERT_EQ(0, ioctl(self->fd, VFIO_IOMMU_UNMAP_DMA, &unmap_cmd));
	check_extents(self->ioas_id, areas, 1, TEST_IOVA, BUFFER_SIZE, 64);
	check_extents(self->ioas_id, areas + 2, 1, areas[2].iova, 0, 64);
	test_err_ioctl_ioas_get_extents(ENOENT, self->ioas_id, areas[1].iova, 0,
					unused_extents, 64);

	test_ioctl_ioas_map_fixed(mfd_buffer, PAGE_SIZE * 2, areas[1].iova);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
}

TEST_F(noiommu, extents_copy)
{
	struct iommu_ioas_copy copy_cmd = {
		.size = sizeof(copy_cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.src_ioas_id = self->ioas_id,
		.src_iova = TEST_IOVA,
		.dst_ioas_id = self->ioas_id,
		.dst_iova = TEST_IOVA + BUFFER_SIZE,
		.length = BUFFER_SIZE,
	};
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ TEST_IOVA + BUFFER_SIZE, buffer, BUFFER_SIZE },
		{ TEST_IOVA + BUFFER_SIZE * 2, buffer + PAGE_SIZE * 3,
		  PAGE_SIZE * 2 },
	};
	uint32_t ioas_id;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));

	/* By way of an IOAS that goes away */
	test_ioctl_ioas_alloc(&ioas_id);
	copy_cmd.dst_ioas_id = ioas_id;
	copy_cmd.dst_iova = 0;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	copy_cmd.src_ioas_id = ioas_id;
	copy_cmd.src_iova = PAGE_SIZE * 3;
	copy_cmd.dst_ioas_id = self->ioas_id;
	copy_cmd.dst_iova = areas[2].iova;
	copy_cmd.length = areas[2].length;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	test_ioctl_destroy(ioas_id);

	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
	check_refs(buffer, BUFFER_SIZE, 1);

	/* A copy needs the original no more */
	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);
	check_extents(self->ioas_id, areas + 1, 2, areas[1].iova, 0, 64);
}

/* The pages arrive in the HWPT a few at a time, which must not show */
TEST_F(noiommu, extents_batches)
{
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ TEST_IOVA + BUFFER_SIZE, mfd_buffer, BUFFER_SIZE },
	};

	test_ioctl_set_temp_memory_limit(32);
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE,
				  TEST_IOVA + BUFFER_SIZE);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
}

TEST_F(noiommu_last_iova, extents)
{
	const struct area areas[] = {
		{ self->iova - PAGE_SIZE * 2, mfd_buffer, PAGE_SIZE * 2 },
		{ self->iova, self->buf, self->length },
	};
	__u64 iova;

	test_ioctl_ioas_map_fixed(mfd_buffer, PAGE_SIZE * 2, areas[0].iova);
	test_ioctl_ioas_map_fixed(self->buf, self->length, self->iova);

	/* Up to the last IOVA, asked for and not */
	for (iova = areas[0].iova; iova < self->iova; iova += 1000) {
		check_extents(self->ioas_id, areas, 2, iova, 0, 1);
		check_extents(self->ioas_id, areas, 2, iova, -iova, 2);
		check_extents(self->ioas_id, areas, 2, iova, 0, EXTENTS_ROOM);
		check_extents(self->ioas_id, areas, 2, iova, -iova + 1, 2);
		check_extents(self->ioas_id, areas, 2, iova, UINT64_MAX,
			      EXTENTS_ROOM);
	}
	check_extents(self->ioas_id, areas, 2, UINT64_MAX - 1, 0, 2);
	check_extents(self->ioas_id, areas, 2, UINT64_MAX - 1, 1, 1);
	check_extents(self->ioas_id, areas, 2, UINT64_MAX - 1, UINT64_MAX, 2);
	test_err_ioctl_ioas_get_extents(EOVERFLOW, self->ioas_id, UINT64_MAX,
					1, unused_extents, 1);
	check_extents(self->ioas_id, areas, 2, -(__u64)PAGE_SIZE, PAGE_SIZE, 2);
}

#define check_mixed()                                                         \
	({                                                                    \
		check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);      \
		check_mock_map(self->mock_hwpt_id, TEST_IOVA, buffer,         \
			       BUFFER_SIZE);                                  \
		check_refs(buffer, BUFFER_SIZE, 1);                           \
	})

TEST_F(noiommu_mixed, attach)
{
	uint32_t hwpt_id;

	ASSERT_NE(self->hwpt_id, self->mock_hwpt_id);
	check_mixed();

	/* Each finds its own in the list of HWPTs */
	test_cmd_mock_noiommu(self->ioas_id, NULL, &hwpt_id, NULL);
	ASSERT_EQ(self->hwpt_id, hwpt_id);
	test_cmd_mock_domain(self->ioas_id, NULL, &hwpt_id, NULL);
	ASSERT_EQ(self->mock_hwpt_id, hwpt_id);
	check_mixed();
}

TEST_F(noiommu_mixed, noiommu_leaves)
{
	test_ioctl_destroy(self->stdev_id);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, TEST_IOVA, 0);
	check_mock_map(self->mock_hwpt_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	test_cmd_mock_noiommu(self->ioas_id, NULL, NULL, NULL);
	check_mixed();
	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 0);
}

TEST_F(noiommu_mixed, iommu_leaves)
{
	test_ioctl_destroy(self->mock_stdev_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	test_cmd_mock_domain(self->ioas_id, NULL, &self->mock_hwpt_id, NULL);
	check_mixed();
	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 0);
}

TEST_F(noiommu_mixed, replace)
{
	uint32_t mock_hwpt_id;
	uint32_t ioas_id;
	uint32_t hwpt_id;

	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_hwpt_alloc(self->mock_device_id, self->ioas_id, 0,
			    &mock_hwpt_id);
	check_mixed();
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	check_mixed();
	test_cmd_mock_domain_replace(self->mock_stdev_id, mock_hwpt_id);
	self->mock_hwpt_id = mock_hwpt_id;
	check_mixed();

	/* Both leave for another IOAS, and each comes back by itself */
	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, mfd_buffer, BUFFER_SIZE,
				     TEST_IOVA);
	test_cmd_mock_domain_replace(self->stdev_id, ioas_id);
	test_cmd_mock_domain_replace(self->mock_stdev_id, ioas_id);
	check_pa(ioas_id, TEST_IOVA, mfd_buffer, BUFFER_SIZE);
	check_mixed();
	test_ioctl_destroy(hwpt_id);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, TEST_IOVA, 0);
	test_cmd_mock_domain_replace(self->stdev_id, self->ioas_id);
	check_mixed();
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, ioas_id, TEST_IOVA, 0);
	test_cmd_mock_domain_replace(self->mock_stdev_id, self->ioas_id);
	check_mixed();
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
	test_ioctl_destroy(mock_hwpt_id);
	test_ioctl_destroy(ioas_id);
}

TEST_F(noiommu_mixed, extents)
{
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ TEST_IOVA + BUFFER_SIZE, mmap_reversed(mfd, BUFFER_SIZE),
		  BUFFER_SIZE },
	};
	struct iommu_pa_extent extents[2];

	test_ioctl_ioas_map_fixed((void *)areas[1].ptr, BUFFER_SIZE,
				  areas[1].iova);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));

	/* Each leaves and comes back, the other notices nothing of it */
	test_ioctl_destroy(self->stdev_id);
	test_err_ioctl_ioas_get_extents(EOPNOTSUPP, self->ioas_id, TEST_IOVA, 0,
					extents, 2);
	check_mock_map(self->mock_hwpt_id, TEST_IOVA, buffer, BUFFER_SIZE);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL, NULL);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
	test_ioctl_destroy(self->mock_stdev_id);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
	test_cmd_mock_domain(self->ioas_id, NULL, &self->mock_hwpt_id, NULL);
	check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
	check_mixed();
}

/*
 * Have GET_PA meet mappings and devices that come and go. It may find a mapping
 * or not, but whatever it returns has to be right. A second IOAS keeps the
 * memory pinned so that there is only one right answer.
 */
#define RACE_NSEC 1000000000ULL
#define RACE_SLOTS 4

struct race {
	int fd;
	__u32 ioas_id;
	__u64 phys[NR_PAGES];
	bool stop;
};

struct race_thread {
	struct race *race;
	pthread_t thread;
	unsigned int seed;
	unsigned long found;
	unsigned long done;
	int error;
};

static __u64 race_iova(unsigned int slot)
{
	/* Adjacent, so that a lookup could run over into the next one */
	return TEST_IOVA + slot * BUFFER_SIZE;
}

static bool race_stop(struct race_thread *t)
{
	return t->error || __atomic_load_n(&t->race->stop, __ATOMIC_RELAXED);
}

static void *race_map(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;

	for (; !race_stop(t); t->done++) {
		__u64 iova = race_iova(rand_r(&t->seed) % RACE_SLOTS);

		if (_test_ioctl_ioas_map(race->fd, race->ioas_id, buffer,
					 BUFFER_SIZE, &iova,
					 IOMMU_IOAS_MAP_FIXED_IOVA |
						 IOMMU_IOAS_MAP_READABLE |
						 IOMMU_IOAS_MAP_WRITEABLE) &&
		    errno != EEXIST)
			t->error = errno;

		/* EBUSY is for two threads that unmap the same */
		iova = race_iova(rand_r(&t->seed) % RACE_SLOTS);
		if (_test_ioctl_ioas_unmap(race->fd, race->ioas_id, iova,
					   BUFFER_SIZE, NULL) &&
		    errno != ENOENT && errno != EBUSY)
			t->error = errno;
	}
	return NULL;
}

static void *race_attach(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;
	__u32 stdev_id;
	__u32 hwpt_id;

	for (; !race_stop(t); t->done++) {
		/* Every other time it is a device with an IOMMU */
		__u32 flags = t->done % 2 ? 0 : MOCK_FLAGS_DEVICE_NOIOMMU;
		__u32 idev_id;

		if (_test_cmd_mock_domain_flags(race->fd, race->ioas_id, flags,
						&stdev_id, NULL, &idev_id) ||
		    _test_cmd_hwpt_alloc(race->fd, idev_id, race->ioas_id, 0, 0,
					 &hwpt_id, IOMMU_HWPT_DATA_NONE, NULL,
					 0) ||
		    _test_cmd_mock_domain_replace(race->fd, stdev_id, hwpt_id,
						  NULL) ||
		    _test_ioctl_destroy(race->fd, stdev_id) ||
		    _test_ioctl_destroy(race->fd, hwpt_id))
			t->error = errno;
	}
	return NULL;
}

static void *race_get_pa(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;

	for (; !race_stop(t); t->done++) {
		unsigned int page = rand_r(&t->seed) % NR_PAGES;
		__u64 iova = race_iova(rand_r(&t->seed) % RACE_SLOTS);
		__u64 length = 0;
		unsigned int i;
		__u64 phys;

		if (_test_ioctl_ioas_get_pa(race->fd, race->ioas_id,
					    iova + page * PAGE_SIZE, &length,
					    &phys)) {
			if (errno != ENOENT)
				t->error = errno;
			continue;
		}

		t->found++;
		if (!length || length % PAGE_SIZE ||
		    length > (NR_PAGES - page) * PAGE_SIZE) {
			t->error = ERANGE;
			continue;
		}
		for (i = 0; i != length / PAGE_SIZE; i++)
			if (race->phys[page + i] != phys + i * PAGE_SIZE)
				t->error = EILSEQ;
	}
	return NULL;
}

/* From one mapping into the next, any of which may be missing at any time */
static void *race_get_extents(void *arg)
{
	struct race_thread *t = arg;
	struct race *race = t->race;
	struct iommu_pa_extent extents[NR_PAGES * RACE_SLOTS];

	for (; !race_stop(t); t->done++) {
		__u32 room = 1 + rand_r(&t->seed) % ARRAY_SIZE(extents);
		unsigned int page = rand_r(&t->seed) % ARRAY_SIZE(extents);
		__u64 length = 0;
		__u32 num = room;
		__u64 sum = 0;
		__u64 phys;
		__u64 done;
		__u32 i;

		if (_test_ioctl_ioas_get_extents(race->fd, race->ioas_id,
						 race_iova(0) + page * PAGE_SIZE,
						 &length, &phys, extents,
						 &num)) {
			if (errno != ENOENT)
				t->error = errno;
			continue;
		}

		t->found++;
		if (!num || num > room || extents[0].phys != phys) {
			t->error = ERANGE;
			continue;
		}
		for (i = 0; i != num; i++) {
			/* At least a page, and no mapping is left by one */
			if (!extents[i].length ||
			    extents[i].length % PAGE_SIZE ||
			    extents[i].length / PAGE_SIZE >
				    NR_PAGES - page % NR_PAGES) {
				t->error = ERANGE;
				break;
			}
			for (done = 0; done != extents[i].length;
			     done += PAGE_SIZE, page++)
				if (race->phys[page % NR_PAGES] !=
				    extents[i].phys + done)
					t->error = EILSEQ;
			sum += extents[i].length;
		}
		if (!t->error && sum != length)
			t->error = EBADMSG;
	}
	return NULL;
}

TEST_F(noiommu, race)
{
	void *(*const fns[])(void *) = { race_map, race_map, race_attach,
					 race_get_pa, race_get_pa,
					 race_get_extents, race_get_extents };
	struct race_thread threads[ARRAY_SIZE(fns)] = {};
	struct timespec ts = {
		.tv_sec = RACE_NSEC / 1000000000,
		.tv_nsec = RACE_NSEC % 1000000000,
	};
	struct race race = {
		.fd = self->fd,
		.ioas_id = self->ioas_id,
	};
	unsigned long found = 0;
	uint32_t ioas_id;
	int i;

	test_ioctl_ioas_alloc(&ioas_id);
	test_cmd_mock_noiommu(ioas_id, NULL, NULL, NULL);
	test_ioctl_ioas_map_fixed_id(ioas_id, buffer, BUFFER_SIZE, TEST_IOVA);
	for (i = 0; i != NR_PAGES; i++)
		race.phys[i] = cpu_phys(buffer + i * PAGE_SIZE);

	for (i = 0; i != ARRAY_SIZE(fns); i++) {
		threads[i].race = &race;
		threads[i].seed = i;
		ASSERT_EQ(0, pthread_create(&threads[i].thread, NULL, fns[i],
					    &threads[i]));
	}
	nanosleep(&ts, NULL);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i != ARRAY_SIZE(fns); i++)
		ASSERT_EQ(0, pthread_join(threads[i].thread, NULL));

	for (i = 0; i != ARRAY_SIZE(fns); i++) {
		EXPECT_EQ(0, threads[i].error);
		EXPECT_NE(0, threads[i].done);
		found += threads[i].found;
	}
	EXPECT_NE(0, found);

	test_ioctl_ioas_unmap(0, UINT64_MAX);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_ioctl_ioas_unmap_id(ioas_id, TEST_IOVA, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 0);
}

TEST_HARNESS_MAIN
