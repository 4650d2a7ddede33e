// SPDX-License-Identifier: GPL-2.0-only
/* Tests of devices that have no IOMMU, with memory that is mapped by address */
#include <limits.h>
#include <sys/capability.h>

#include "iommufd_noiommu.h"

#define HUGEPAGE_SIZE (2UL * 1024 * 1024)

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
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_TEST_CMD, &check_map_cmd)); \
	})

/* Of a nested HWPT, what the driver of the mock IOMMU takes */
static struct iommu_hwpt_selftest nested = {
	.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
};

#define test_err_nested(_errno, device_id, pt_id)                        \
	test_err_hwpt_alloc_nested(_errno, device_id, pt_id, 0, NULL,    \
				   IOMMU_HWPT_DATA_SELFTEST, &nested,    \
				   sizeof(nested))

/* What was refused has changed nothing */
#define check_unchanged()                                                    \
	({                                                                   \
		check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);     \
		check_refs(buffer, BUFFER_SIZE, 1);                          \
		EXPECT_ERRNO(EBUSY,                                          \
			     _test_ioctl_destroy(self->fd, self->hwpt_id));  \
		test_cmd_mock_domain_replace(self->stdev_id, self->hwpt_id); \
	})

/* The layout is that of Linux 7.3's ioctl, and so are the names */
TEST(abi)
{
#define EXPECT_OFFSET(_offset, _field) \
	EXPECT_EQ(_offset, offsetof(struct iommu_ioas_noiommu_get_pa, _field))
	EXPECT_OFFSET(0, size);
	EXPECT_OFFSET(4, flags);
	EXPECT_OFFSET(8, ioas_id);
	EXPECT_OFFSET(12, __reserved);
	EXPECT_OFFSET(16, iova);
	EXPECT_OFFSET(24, length);
	EXPECT_OFFSET(32, out_phys);
	EXPECT_OFFSET(40, num_extents);
	EXPECT_OFFSET(44, dev_id);
	EXPECT_OFFSET(48, extents_uptr);
	EXPECT_EQ(56, sizeof(struct iommu_ioas_get_pa));
	EXPECT_EQ(8, offsetof(struct iommu_pa_extent, length));
	EXPECT_EQ(16, sizeof(struct iommu_pa_extent));
	EXPECT_EQ(_IO(';', 0x95), IOMMU_IOAS_NOIOMMU_GET_PA);
	EXPECT_EQ(_IO(';', 0x95), IOMMU_IOAS_GET_PA);
}

TEST_F(noiommu, bind)
{
	/* iommufd does not choose between the two ways to bind */
	test_err_mock_domain_flags(EINVAL, self->ioas_id,
				   MOCK_FLAGS_DEVICE_NO_IOMMU, NULL, NULL);
	test_err_mock_domain_flags(EINVAL, self->ioas_id,
				   MOCK_FLAGS_DEVICE_BIND_NOIOMMU, NULL, NULL);
	check_unchanged();
}

TEST_F(noiommu, attach_ioas)
{
	uint32_t stdev_id;
	uint32_t hwpt_id;

	/* Devices without an IOMMU share the automatic HWPT */
	test_cmd_mock_noiommu(self->ioas_id, &stdev_id, &hwpt_id, NULL);
	ASSERT_EQ(self->hwpt_id, hwpt_id);
	check_unchanged();
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->ioas_id));

	/* The last device to leave takes the HWPT along, which unpins */
	test_ioctl_destroy(self->stdev_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	test_ioctl_destroy(stdev_id);
	EXPECT_ERRNO(ENOENT, _test_ioctl_destroy(self->fd, hwpt_id));
	check_refs(buffer, BUFFER_SIZE, 0);
	test_err_get_pa(EOPNOTSUPP);

	/* Attach to what is mapped already */
	test_cmd_mock_noiommu(self->ioas_id, &stdev_id, NULL, NULL);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 0);
	test_err_get_pa(ENOENT);
	test_ioctl_destroy(stdev_id);
	test_ioctl_destroy(self->ioas_id);
}

TEST_F(noiommu, attach_hwpt)
{
	uint32_t hwpt_id[2];
	uint32_t stdev_id;
	uint32_t ioas_id;
	uint32_t out_id;

	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, mfd_buffer, BUFFER_SIZE,
				     TEST_IOVA);
	test_err_get_pa(EOPNOTSUPP, .ioas_id = ioas_id);

	/* The HWPT pins, no matter if a device is attached */
	test_cmd_hwpt_alloc(self->device_id, ioas_id, 0, &hwpt_id[0]);
	test_cmd_hwpt_alloc(self->device_id, ioas_id, 0, &hwpt_id[1]);
	check_pa(ioas_id, TEST_IOVA, mfd_buffer, BUFFER_SIZE);
	check_refs(mfd_buffer, BUFFER_SIZE, 1);

	/* Every device is alone in its group, the others stay where they are */
	test_cmd_mock_noiommu(hwpt_id[0], &stdev_id, &out_id, NULL);
	ASSERT_EQ(hwpt_id[0], out_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id[1]);
	EXPECT_ERRNO(ENOENT, _test_ioctl_destroy(self->fd, self->hwpt_id));
	test_err_get_pa(EOPNOTSUPP);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id[0]));
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id[1]));
	test_ioctl_destroy(stdev_id);
	test_ioctl_destroy(hwpt_id[0]);
	check_pa(ioas_id, TEST_IOVA, mfd_buffer, BUFFER_SIZE);

	/* What cannot be attached leaves the device where it is */
	test_err_mock_domain_replace(ENOENT, self->stdev_id, hwpt_id[0]);
	test_err_mock_domain_replace(EINVAL, self->stdev_id, self->device_id);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, hwpt_id[1]));

	/* To another IOAS, of which nothing was pinned meanwhile */
	check_refs(buffer, BUFFER_SIZE, 0);
	test_cmd_mock_domain_replace(self->stdev_id, self->ioas_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	test_ioctl_destroy(hwpt_id[1]);
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
	test_err_get_pa(EOPNOTSUPP, .ioas_id = ioas_id);
	test_ioctl_destroy(ioas_id);
}

/* Each kind of device attaches to HWPTs of its kind only */
TEST_F(noiommu, wrong_hwpt)
{
	uint32_t mock_manual_id;
	uint32_t mock_stdev_id;
	uint32_t mock_hwpt_id;
	uint32_t device_id;
	uint32_t hwpt_id;

	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_err_mock_domain(EINVAL, self->hwpt_id, NULL, NULL);
	test_err_mock_domain(EINVAL, hwpt_id, NULL, NULL);

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

TEST_F(noiommu, no_pasid)
{
	const uint32_t pasid = 100;
	uint32_t stdev_id;
	uint32_t hwpt_id;

	test_err_hwpt_alloc(EOPNOTSUPP, self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_PASID, &hwpt_id);
	test_err_pasid_attach(EINVAL, pasid, self->hwpt_id);
	test_err_pasid_attach(EINVAL, pasid, self->ioas_id);
	test_err_pasid_replace(EINVAL, pasid, self->hwpt_id);
	ASSERT_EQ(0, test_cmd_pasid_check_hwpt(self->fd, self->stdev_id, pasid,
					       0));
	test_cmd_pasid_detach(pasid);

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
	check_unchanged();
}

TEST_F(noiommu, no_nesting)
{
	struct iommu_hwpt_invalidate_selftest inv_req = {};
	uint32_t parent_hwpt_id;
	uint32_t num_inv = 1;
	uint32_t device_id;
	uint32_t hwpt_id;

	test_err_hwpt_alloc(EOPNOTSUPP, self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt_id);
	/* There is no driver that could know the data */
	test_err_nested(EOPNOTSUPP, self->device_id, self->ioas_id);
	test_err_nested(EOPNOTSUPP, self->device_id, self->hwpt_id);

	/* Neither kind of device nests on the HWPT of the other */
	test_cmd_mock_domain(self->ioas_id, NULL, NULL, &device_id);
	test_cmd_hwpt_alloc(device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &parent_hwpt_id);
	test_err_nested(EOPNOTSUPP, self->device_id, parent_hwpt_id);
	test_err_nested(EINVAL, device_id, self->hwpt_id);

	/* A nested HWPT does not take it either */
	test_cmd_hwpt_alloc_nested(device_id, parent_hwpt_id, 0, &hwpt_id,
				   IOMMU_HWPT_DATA_SELFTEST, &nested,
				   sizeof(nested));
	test_err_mock_domain_replace(EINVAL, self->stdev_id, hwpt_id);
	test_err_mock_noiommu(EINVAL, hwpt_id);

	/* There is no cache, and no user page table that it could hold */
	test_err_hwpt_invalidate(EINVAL, self->hwpt_id, &inv_req,
				 IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
				 sizeof(inv_req), &num_inv);
	check_unchanged();
}

TEST_F(noiommu, no_dirty_tracking)
{
	__u64 bitmap[1] = {};

	test_err_hwpt_alloc(EOPNOTSUPP, self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_DIRTY_TRACKING, NULL);
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
	uint32_t fault_id;
	uint32_t fault_fd;

	test_ioctl_fault_alloc(&fault_id, &fault_fd);
	test_err_hwpt_alloc_iopf(EOPNOTSUPP, self->device_id, self->ioas_id,
				 fault_id, IOMMU_HWPT_FAULT_ID_VALID, NULL,
				 IOMMU_HWPT_DATA_NONE, NULL, 0);
	close(fault_fd);
	test_ioctl_destroy(fault_id);
	check_unchanged();
}

TEST_F(noiommu, no_viommu)
{
	uint32_t parent_hwpt_id;
	uint32_t viommu_id;
	uint32_t device_id;
	uint32_t vdev_id;

	test_err_viommu_alloc(EOPNOTSUPP, self->device_id, self->hwpt_id,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu_id);

	/* The HWPT is no parent for the vIOMMU of another device */
	test_cmd_mock_domain(self->ioas_id, NULL, NULL, &device_id);
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
	test_err_nested(EINVAL, self->device_id, viommu_id);
	check_unchanged();
}

TEST_F(noiommu, no_hw_info)
{
	struct iommu_test_hw_info info;

	test_err_get_hw_info(EOPNOTSUPP, self->device_id,
			     IOMMU_HW_INFO_TYPE_DEFAULT, NULL, 0);
	test_err_get_hw_info(EOPNOTSUPP, self->device_id,
			     IOMMU_HW_INFO_TYPE_SELFTEST, &info, sizeof(info));
	check_unchanged();
}

/* The end of what /proc/iomem shows, the last physical address there is */
static __u64 last_phys(void)
{
	unsigned long long end, last = 0;
	char line[256];
	FILE *file = fopen("/proc/iomem", "r");

	assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*x-%llx", &end) == 1 && end > last)
			last = end;
	fclose(file);
	assert(last);
	return last;
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
	__u64 iova;

	/* Nothing is reserved, an IOVA is never seen by the device */
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_IOVA_RANGES, &ranges_cmd));
	EXPECT_EQ(1, ranges_cmd.num_iovas);
	EXPECT_EQ(0, range.start);
	EXPECT_EQ(ULONG_MAX, range.last);
	EXPECT_EQ(PAGE_SIZE, ranges_cmd.out_iova_alignment);

	/* If it is, by mistake, no memory is there */
	test_ioctl_ioas_map(mfd_buffer, BUFFER_SIZE, &iova);
	EXPECT_LT(last_phys(), iova);
	check_pa(self->ioas_id, iova, mfd_buffer, BUFFER_SIZE);

	/* Out of reach of an IOMMU, which then can't be attached */
	test_err_mock_domain(EADDRINUSE, self->ioas_id, NULL, NULL);
	test_ioctl_ioas_unmap(iova, BUFFER_SIZE);

	/* It is the IOMMU that narrows the range while it is there */
	test_cmd_mock_domain(self->ioas_id, &stdev_id, NULL, NULL);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_IOVA_RANGES, &ranges_cmd));
	EXPECT_EQ(1, ranges_cmd.num_iovas);
	EXPECT_EQ(MOCK_APERTURE_START, range.start);
	EXPECT_EQ(MOCK_APERTURE_LAST, range.last);
	test_err_ioctl_ioas_map_fixed(EINVAL, mfd_buffer, BUFFER_SIZE, 0);
	test_ioctl_ioas_map(mfd_buffer, BUFFER_SIZE, &iova);
	EXPECT_GT(MOCK_APERTURE_LAST, iova);
	test_ioctl_destroy(stdev_id);
	test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE, 0);
	check_pa(self->ioas_id, 0, mfd_buffer, BUFFER_SIZE);
}

TEST_F(noiommu, get_pa_fail)
{
	cap_value_t rawio = CAP_SYS_RAWIO;
	uint32_t ioas_id;
	cap_t caps;

	test_err_get_pa(EOPNOTSUPP, .flags = 1U << 31);
	test_err_get_pa(EOPNOTSUPP, .__reserved = 1);
	test_err_get_pa(EOPNOTSUPP, .dev_id = self->device_id);

	/* Not an IOAS */
	test_err_get_pa(ENOENT, .ioas_id = self->hwpt_id);
	test_err_get_pa(ENOENT, .ioas_id = UINT32_MAX);

	/* Not mapped, whatever comes after the first byte */
	test_err_get_pa(ENOENT, .iova = TEST_IOVA - 1);
	test_err_get_pa(ENOENT, .iova = TEST_IOVA - 1, .length = UINT64_MAX);
	test_err_get_pa(ENOENT, .iova = TEST_IOVA + BUFFER_SIZE, .length = 1);

	/* The range may go past the last IOVA, it must not start there */
	test_err_get_pa(ENOENT, .iova = -(__u64)PAGE_SIZE,
			.length = PAGE_SIZE + 1);
	test_err_get_pa(ENOENT, .iova = ULONG_MAX - 1, .length = UINT64_MAX);
	test_err_get_pa(EOVERFLOW, .iova = ULONG_MAX, .length = 1);
	test_err_get_pa(EOVERFLOW, .iova = UINT64_MAX);

	/* Mapped, also where a HWPT could not have it, but there is none */
	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, buffer + 512, PAGE_SIZE,
				     TEST_IOVA + 512);
	test_err_get_pa(EOPNOTSUPP, .ioas_id = ioas_id,
			.iova = TEST_IOVA + 700);
	test_err_get_pa(ENOENT, .ioas_id = ioas_id, .iova = TEST_IOVA + 511);

	/* No array there */
	test_err_get_pa(EFAULT, .num_extents = 1, .extents_uptr = 0);
	test_err_get_pa(EFAULT, .num_extents = NR_PAGES,
			.extents_uptr = UINT64_MAX - 7);
	ASSERT_EQ(0, mprotect(mfd_buffer, PAGE_SIZE, PROT_READ));
	test_err_get_pa(EFAULT, .num_extents = NR_PAGES,
			.extents_uptr = (uintptr_t)mfd_buffer);

	/* Addresses are for those who may use them */
	caps = cap_get_proc();
	ASSERT_NE(NULL, caps);
	ASSERT_EQ(0, cap_set_flag(caps, CAP_EFFECTIVE, 1, &rawio, CAP_CLEAR));
	ASSERT_EQ(0, cap_set_proc(caps));
	cap_free(caps);
	test_err_get_pa(EPERM);
}

/* For the device some of the first page is elsewhere, and the rest out of reach */
TEST_F(noiommu, get_pa_device)
{
	struct iommu_ioas_get_pa get_pa = {
		.size = sizeof(get_pa),
		.flags = IOMMU_IOAS_GET_PA_DEVICE,
		.ioas_id = self->ioas_id,
		.iova = TEST_IOVA + 1,
		.dev_id = self->device_id,
		.extents_uptr = (uintptr_t)extents,
	};
	struct iommu_test_cmd test_cmd = {
		.size = sizeof(test_cmd),
		.op = IOMMU_TEST_OP_DMA_RANGES,
		.id = self->device_id,
	};
	uint32_t mock_id;
	__u64 phys;

	test_cmd_mock_domain(self->ioas_id, NULL, NULL, &mock_id);
	test_err_get_pa(EINVAL, .flags = get_pa.flags, .dev_id = mock_id);
	test_err_get_pa(ENOENT, .flags = get_pa.flags, .dev_id = self->ioas_id);

	/* Nothing is said of its bus */
	cpu_pages(buffer, 1, &phys);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &get_pa));
	EXPECT_EQ(phys + 1, get_pa.out_phys);

	test_cmd.dma_ranges.last_addr = 0x70ff;
	test_cmd.dma_ranges.ranges[0].cpu_start = phys + 512;
	test_cmd.dma_ranges.ranges[0].dma_start = 0x7000;
	test_cmd.dma_ranges.ranges[0].size = PAGE_SIZE - 512;
	test_cmd.dma_ranges.ranges[1].cpu_start = phys;
	test_cmd.dma_ranges.ranges[1].dma_start = 0x5000;
	test_cmd.dma_ranges.ranges[1].size = 512;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_TEST_CMD, &test_cmd));

	get_pa.length = BUFFER_SIZE;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &get_pa));
	EXPECT_EQ(0x5001, get_pa.out_phys);
	EXPECT_EQ(511, get_pa.length);

	get_pa.length = 0;
	get_pa.num_extents = EXTENTS_ROOM;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &get_pa));
	EXPECT_EQ(511 + 256, get_pa.length);
	ASSERT_EQ(2, get_pa.num_extents);
	EXPECT_EQ(0x5001, extents[0].phys);
	EXPECT_EQ(511, extents[0].length);
	EXPECT_EQ(0x7000, extents[1].phys);
	EXPECT_EQ(256, extents[1].length);

	test_err_get_pa(ERANGE, .flags = get_pa.flags, .dev_id = get_pa.dev_id,
			.iova = TEST_IOVA + 512 + 256);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
}

/* Where the platform translates DMA, physical addresses are all there is */
TEST_F(noiommu, get_pa_device_ops)
{
	struct iommu_test_cmd test_cmd = {
		.size = sizeof(test_cmd),
		.op = IOMMU_TEST_OP_DMA_RANGES,
		.id = self->device_id,
		.dma_ranges = { .has_ops = 1 },
	};

	if (ioctl(self->fd, IOMMU_TEST_CMD, &test_cmd) && errno == EOPNOTSUPP)
		SKIP(return, "no device has operations for DMA here");
	EXPECT_ERRNO(EBUSY, ioctl(self->fd, IOMMU_TEST_CMD, &test_cmd));
	test_err_get_pa(EOPNOTSUPP, .flags = IOMMU_IOAS_GET_PA_DEVICE,
			.dev_id = self->device_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
}

/* The struct as it was without extents, of which the rest is not looked at */
TEST_F(noiommu, get_pa_short)
{
	struct iommu_ioas_get_pa cmd = {
		.size = offsetof(struct iommu_ioas_get_pa, num_extents),
		.ioas_id = self->ioas_id,
		.iova = TEST_IOVA + PAGE_SIZE + 5,
		.num_extents = 9,
		.extents_uptr = 1,
	};
	const struct area area = { TEST_IOVA, buffer, BUFFER_SIZE };

	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));
	EXPECT_EQ(cmd.length, check_lookup(&area, 1, cmd.iova, 0, 1));
	EXPECT_EQ(cmd.out_phys, extents[0].phys);
	EXPECT_EQ(9, cmd.num_extents);
	EXPECT_EQ(1, cmd.extents_uptr);
}

/* Three mappings that adjoin each other, the second and third of one memory */
FIXTURE(noiommu_map)
{
	int fd;
	uint32_t ioas_id;
	uint32_t stdev_id;
	uint32_t device_id;
	uint32_t mock_stdev_id;
	uint32_t mock_hwpt_id;
	struct area areas[3];
};

FIXTURE_VARIANT(noiommu_map)
{
	unsigned int memory_limit;
	bool no_large_pages;
	bool hugetlb;
	bool last_iova;
	/* Another device in the IOAS that has an IOMMU */
	bool iommu_first;
	bool iommu_last;
};

/* What is contiguous in the file cannot be when it is mapped in reverse */
static void *mmap_reversed(void)
{
	size_t offset;
	void *buf;

	buf = mmap(0, BUFFER_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	assert(buf != MAP_FAILED);
	for (offset = 0; offset != BUFFER_SIZE; offset += PAGE_SIZE)
		assert(mmap(buf + BUFFER_SIZE - PAGE_SIZE - offset, PAGE_SIZE,
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    mfd, offset) != MAP_FAILED);
	return buf;
}

FIXTURE_SETUP(noiommu_map)
{
	size_t length = variant->hugetlb ? HUGEPAGE_SIZE : BUFFER_SIZE;
	__u64 iova = variant->last_iova ? -(__u64)length :
					  TEST_IOVA + HUGEPAGE_SIZE;
	struct iommu_option option_cmd = {
		.size = sizeof(option_cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = !variant->no_large_pages,
	};
	void *buf;
	int i;

	if (variant->hugetlb)
		buf = mmap(0, length, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB |
				   MAP_HUGE_2MB | MAP_POPULATE,
			   -1, 0);
	else
		buf = mmap_reversed();
	if (buf == MAP_FAILED)
		SKIP(return, "No huge page of 2 MiB");

	self->areas[0] = (struct area){ iova - BUFFER_SIZE, buffer,
					BUFFER_SIZE };
	self->areas[1] = (struct area){ iova, buf, length / 2 };
	self->areas[2] = (struct area){ iova + length / 2, buf + length / 2,
					length / 2 };

	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);
	test_ioctl_set_default_memory_limit();
	if (variant->memory_limit)
		test_ioctl_set_temp_memory_limit(variant->memory_limit);
	test_ioctl_ioas_alloc(&self->ioas_id);
	option_cmd.object_id = self->ioas_id;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_OPTION, &option_cmd));
	if (variant->iommu_first)
		test_cmd_mock_domain(self->ioas_id, &self->mock_stdev_id,
				     &self->mock_hwpt_id, NULL);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL,
			      &self->device_id);
	if (variant->iommu_last)
		test_cmd_mock_domain(self->ioas_id, &self->mock_stdev_id,
				     &self->mock_hwpt_id, NULL);
	for (i = 0; i != ARRAY_SIZE(self->areas); i++)
		test_ioctl_ioas_map_fixed((void *)self->areas[i].ptr,
					  self->areas[i].length,
					  self->areas[i].iova);
}

FIXTURE_TEARDOWN(noiommu_map)
{
	test_ioctl_set_default_memory_limit();
	teardown_iommufd(self->fd, _metadata);
}

#define MAP_VARIANT(_name) FIXTURE_VARIANT_ADD(noiommu_map, _name)

MAP_VARIANT(pages) {};
MAP_VARIANT(batches) { .memory_limit = 32 };
MAP_VARIANT(no_large_pages) { .no_large_pages = true };
MAP_VARIANT(hugetlb) { .hugetlb = true };
MAP_VARIANT(hugetlb_batches) { .hugetlb = true, .memory_limit = 32 };
MAP_VARIANT(hugetlb_no_large_pages) { .hugetlb = true, .no_large_pages = true };
MAP_VARIANT(last_iova) { .last_iova = true };
MAP_VARIANT(last_iova_batches) { .last_iova = true, .memory_limit = 32 };
MAP_VARIANT(last_iova_no_large_pages) { .last_iova = true,
					.no_large_pages = true };
MAP_VARIANT(last_iova_hugetlb) { .last_iova = true, .hugetlb = true };
MAP_VARIANT(last_iova_hugetlb_no_large_pages) { .last_iova = true,
						.hugetlb = true,
						.no_large_pages = true };
MAP_VARIANT(iommu_first) { .iommu_first = true };
MAP_VARIANT(iommu_last) { .iommu_last = true };
MAP_VARIANT(iommu_last_batches) { .iommu_last = true, .memory_limit = 32 };

/* In the page table of each device, and pinned once */
#define check_areas()                                                         \
	({                                                                    \
		int _i;                                                       \
									      \
		check_windows(self->areas, 3);                                \
		for (_i = 0; self->mock_hwpt_id && _i != 3; _i++)             \
			check_mock_map(self->mock_hwpt_id,                    \
				       self->areas[_i].iova,                  \
				       self->areas[_i].ptr,                   \
				       self->areas[_i].length);               \
		check_refs(buffer, BUFFER_SIZE, 1);                           \
	})

TEST_F(noiommu_map, lookup)
{
	bool mixed = self->mock_hwpt_id;
	uint32_t hwpt_id;

	/* How the HWPT was filled makes no difference: by IOAS_MAP, ... */
	check_areas();

	/* ... from another one, ... */
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	check_areas();

	/* ... from the IOMMU's, if there is one, or else from memory */
	test_ioctl_destroy(self->stdev_id);
	test_ioctl_destroy(hwpt_id);
	check_refs(buffer, BUFFER_SIZE, mixed);
	test_err_get_pa(EOPNOTSUPP, .iova = self->areas[1].iova);
	test_cmd_mock_noiommu(self->ioas_id, NULL, &hwpt_id, NULL);
	check_areas();

	if (!mixed)
		return;
	ASSERT_NE(hwpt_id, self->mock_hwpt_id);
	test_ioctl_destroy(self->mock_stdev_id);
	check_windows(self->areas, 3);
	test_cmd_mock_domain(self->ioas_id, NULL, &self->mock_hwpt_id, NULL);
	check_areas();
}

TEST_F(noiommu_map, hole)
{
	const struct area *hole = &self->areas[1];

	/* Ends what comes before it, and what comes after starts anew */
	test_ioctl_ioas_unmap(hole->iova, hole->length);
	check_windows(self->areas, 1);
	check_windows(self->areas + 2, 1);
	check_lookup(self->areas, 1, hole->iova - 1, hole->length + 2, 2);
	test_err_get_pa(ENOENT, .iova = hole->iova);
	test_err_get_pa(ENOENT, .iova = hole->iova + hole->length - 1,
			.length = 2);

	/* Other memory in it, which the neighbours have too */
	test_ioctl_ioas_map_fixed((void *)self->areas[2].ptr, hole->length,
				  hole->iova);
	self->areas[1].ptr = self->areas[2].ptr;
	check_areas();

	test_ioctl_ioas_unmap(0, UINT64_MAX);
	check_refs(buffer, BUFFER_SIZE, 0);
	test_err_get_pa(ENOENT, .iova = self->areas[2].iova);
}

TEST_F(noiommu_map, copy)
{
	const __u64 start = self->areas[0].iova;
	struct iommu_ioas_copy copy_cmd = {
		.size = sizeof(copy_cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.src_ioas_id = self->ioas_id,
		.src_iova = start,
		.dst_iova = TEST_IOVA,
		.length = self->areas[2].iova + self->areas[2].length - start,
	};
	int i;

	/* By way of an IOAS that no device is in */
	test_ioctl_ioas_alloc(&copy_cmd.dst_ioas_id);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	test_err_get_pa(EOPNOTSUPP, .ioas_id = copy_cmd.dst_ioas_id);
	test_ioctl_ioas_unmap(0, UINT64_MAX);
	check_refs(buffer, BUFFER_SIZE, 0);

	copy_cmd.src_ioas_id = copy_cmd.dst_ioas_id;
	copy_cmd.src_iova = TEST_IOVA;
	copy_cmd.dst_ioas_id = self->ioas_id;
	for (i = 0; i != 2; i++) {
		copy_cmd.dst_iova = i ? start : TEST_IOVA + HUGEPAGE_SIZE * 4;
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_COPY, &copy_cmd));
	}
	test_ioctl_destroy(copy_cmd.src_ioas_id);
	check_areas();
}

TEST_HARNESS_MAIN
