// SPDX-License-Identifier: GPL-2.0-only
/* Tests of devices that have no IOMMU, with memory that is mapped by file */
#include <linux/udmabuf.h>

#include "iommufd_noiommu.h"

#define DMABUF_SIZE (PAGE_SIZE * 4)

/* Between memory that is mapped by address, at once and a few pages at a time */
TEST_F(noiommu, memfd)
{
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ TEST_IOVA + BUFFER_SIZE, mfd_buffer + PAGE_SIZE * 3,
		  BUFFER_SIZE - PAGE_SIZE * 3 },
		{ TEST_IOVA + BUFFER_SIZE * 2 - PAGE_SIZE * 3, mfd_buffer,
		  PAGE_SIZE * 5 },
	};
	int i;

	for (i = 0; i != 2; i++) {
		test_ioctl_ioas_map_fixed_file(mfd, PAGE_SIZE * 3,
					       areas[1].length, areas[1].iova);
		test_ioctl_ioas_map_fixed(mfd_buffer, areas[2].length,
					  areas[2].iova);
		check_windows(areas, ARRAY_SIZE(areas));
		test_ioctl_ioas_unmap(areas[1].iova, areas[1].length);
		test_ioctl_ioas_unmap(areas[2].iova, areas[2].length);
		check_refs(mfd_buffer, BUFFER_SIZE, 0);
		test_err_get_pa(ENOENT, .iova = areas[1].iova);
		test_ioctl_set_temp_memory_limit(32);
	}
	test_ioctl_set_default_memory_limit();
}

/* The buffer, a dma-buf, memory, and a part of the dma-buf */
TEST_F(noiommu, dmabuf)
{
	const __u64 dma_iova = TEST_IOVA + BUFFER_SIZE;
	const __u64 mid_iova = dma_iova + DMABUF_SIZE;
	const __u64 part_iova = mid_iova + PAGE_SIZE;
	const struct area mid = { mid_iova, mfd_buffer, PAGE_SIZE };
	__u32 stdev_id = 0;
	__u64 length;
	__u64 phys;
	__u32 num;
	int dfd;
	int i;

	test_cmd_get_dmabuf(DMABUF_SIZE, &dfd);
	test_ioctl_ioas_map_fixed_file(dfd, 0, DMABUF_SIZE, dma_iova);
	test_ioctl_ioas_map_fixed(mfd_buffer, PAGE_SIZE, mid_iova);
	test_ioctl_ioas_map_fixed_file(dfd, PAGE_SIZE, PAGE_SIZE * 2,
				       part_iova);

	/* Filled when it was mapped, later, and where an IOMMU has it too */
	for (i = 0; i != 3; i++) {
		length = 0;
		num = EXTENTS_ROOM;
		ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id,
						     dma_iova + 513, &length,
						     &phys, extents, &num));
		ASSERT_EQ(3, num);
		ASSERT_EQ(DMABUF_SIZE + PAGE_SIZE * 3 - 513, length);
		ASSERT_EQ(extents[0].phys, phys);
		ASSERT_EQ(DMABUF_SIZE - 513, extents[0].length);
		test_cmd_dmabuf_check_pa(dfd, 513, phys);
		EXPECT_ERRNO(EINVAL, _test_cmd_dmabuf_check_pa(self->fd, dfd,
							       512, phys));
		ASSERT_EQ(PAGE_SIZE, extents[1].length);
		ASSERT_EQ(PAGE_SIZE * 2, extents[2].length);
		test_cmd_dmabuf_check_pa(dfd, PAGE_SIZE, extents[2].phys);
		check_lookup(&mid, 1, mid_iova, PAGE_SIZE, 2);

		/* Without an array it ends with the mapping as well */
		length = DMABUF_SIZE * 2;
		ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id,
						     dma_iova, &length, &phys,
						     NULL, NULL));
		ASSERT_EQ(DMABUF_SIZE, length);
		test_cmd_dmabuf_check_pa(dfd, 0, phys);

		if (i)
			test_cmd_mock_domain(self->ioas_id, &stdev_id, NULL,
					     NULL);
		test_ioctl_destroy(self->stdev_id);
		test_err_get_pa(EOPNOTSUPP, .iova = dma_iova);
		test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL,
				      NULL);
		if (i)
			test_ioctl_destroy(stdev_id);
	}
	close(dfd);
}

/* What is revoked has no address, and after a good byte is like a hole */
TEST_F(noiommu, dmabuf_revoke)
{
	const __u64 dma_iova = TEST_IOVA + BUFFER_SIZE;
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ dma_iova + DMABUF_SIZE, mfd_buffer, BUFFER_SIZE },
	};
	uint32_t hwpt_id;
	__u64 length = 0;
	__u64 iova;
	__u64 phys;
	int dfd;
	int i;

	test_cmd_get_dmabuf(DMABUF_SIZE, &dfd);
	test_ioctl_ioas_map_fixed_file(dfd, 0, DMABUF_SIZE, dma_iova);
	test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE, areas[1].iova);
	test_cmd_revoke_dmabuf(dfd, true);
	test_err_ioctl_ioas_map_file(ENODEV, dfd, 0, DMABUF_SIZE, &iova);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);

	/* A new HWPT has nothing to show for it either */
	for (i = 0; i != 2; i++) {
		check_windows(areas, 1);
		check_windows(areas + 1, 1);
		check_lookup(areas, 1, dma_iova - 1, PAGE_SIZE, 2);
		test_err_get_pa(EINVAL, .iova = dma_iova);
		test_err_get_pa(EINVAL, .iova = areas[1].iova - 1, .length = 2);
		test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	}

	/* The mapping remains revoked, only a new one is good */
	test_cmd_revoke_dmabuf(dfd, false);
	test_err_get_pa(EINVAL, .iova = dma_iova);
	test_ioctl_ioas_unmap(dma_iova, DMABUF_SIZE);
	test_err_get_pa(ENOENT, .iova = dma_iova);
	test_ioctl_ioas_map_fixed_file(dfd, 0, DMABUF_SIZE, dma_iova);
	close(dfd);
	ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id, dma_iova,
					     &length, &phys, NULL, NULL));
	ASSERT_EQ(DMABUF_SIZE, length);
}

/* A dma-buf that is memory, of which its exporter knows where it is */
TEST_F(noiommu, dmabuf_memory)
{
	struct udmabuf_create create = { .size = BUFFER_SIZE };
	struct area area = {
		.iova = TEST_IOVA + BUFFER_SIZE,
		.length = BUFFER_SIZE,
	};
	int udmabuf, dfd;
	__u64 iova;

	udmabuf = open("/dev/udmabuf", O_RDWR);
	if (udmabuf == -1 && errno == ENOENT)
		SKIP(return, "No udmabuf");
	ASSERT_NE(-1, udmabuf);
	create.memfd = memfd_create("udmabuf", MFD_ALLOW_SEALING);
	ASSERT_EQ(0, ftruncate(create.memfd, BUFFER_SIZE));
	ASSERT_EQ(0, fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	area.ptr = mmap(0, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			create.memfd, 0);
	ASSERT_NE(MAP_FAILED, area.ptr);
	dfd = ioctl(udmabuf, UDMABUF_CREATE, &create);
	ASSERT_NE(-1, dfd);

	/* For devices without an IOMMU, and no others */
	test_ioctl_ioas_map_fixed_file(dfd, 0, BUFFER_SIZE, area.iova);
	check_windows(&area, 1);
	test_err_mock_domain(EINVAL, self->ioas_id, NULL, NULL);
	test_ioctl_destroy(self->stdev_id);
	test_err_get_pa(EOPNOTSUPP, .iova = area.iova);
	test_err_ioctl_ioas_map_file(EOPNOTSUPP, dfd, 0, BUFFER_SIZE, &iova);
	test_ioctl_ioas_unmap(area.iova, BUFFER_SIZE);

	/* Some of it, which the file need not be open for */
	test_cmd_mock_noiommu(self->ioas_id, NULL, NULL, NULL);
	test_ioctl_ioas_map_fixed_file(dfd, PAGE_SIZE, PAGE_SIZE * 5,
				       area.iova);
	close(dfd);
	close(create.memfd);
	area.ptr += PAGE_SIZE;
	area.length = PAGE_SIZE * 5;
	check_windows(&area, 1);
}

TEST_HARNESS_MAIN
