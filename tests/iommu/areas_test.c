// SPDX-License-Identifier: GPL-2.0-only
/* Mappings that are cut, shared with others, or left behind */
#include <time.h>

#include <linux/vfio.h>

#include <iommufd_noiommu.h>

#define HUGEPAGE_SIZE (2UL * 1024 * 1024)

static void *mmap_hugetlb(void)
{
	return mmap(0, HUGEPAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB |
			    MAP_POPULATE,
		    -1, 0);
}

TEST_F(noiommu, attach_misaligned)
{
	uint32_t ioas_id;
	__u64 iova;

	/* Fine as long as nothing has to map it */
	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_id(ioas_id, mfd_buffer + 512, PAGE_SIZE, &iova);
	test_err_mock_noiommu(EADDRINUSE, ioas_id);
	test_err_mock_domain_replace(EADDRINUSE, self->stdev_id, ioas_id);
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->hwpt_id));
}

/* Every alignment of the start and of the end, within a page and beyond */
TEST_F(noiommu, alignments)
{
	const size_t offsets[] = { 0, 1, 511, 512, PAGE_SIZE / 2 + 1,
				   PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 8,
				   BUFFER_SIZE - 1 };
	const size_t lengths[] = { 1, 8, 512, PAGE_SIZE - 1, PAGE_SIZE,
				   PAGE_SIZE + 1, BUFFER_SIZE,
				   BUFFER_SIZE * 4 };
	const struct area area = { TEST_IOVA, buffer, BUFFER_SIZE };
	size_t i, j;
	__u32 room;

	for (i = 0; i != ARRAY_SIZE(offsets); i++)
		for (j = 0; j != ARRAY_SIZE(lengths); j++)
			for (room = 0; room != 4; room++)
				check_lookup(&area, 1, TEST_IOVA + offsets[i],
					     lengths[j], room);
}

static void unmap_by_container(struct __test_metadata *_metadata, int fd,
			       __u64 iova, __u64 size, int error)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = iova,
		.size = size,
	};

	if (error) {
		EXPECT_ERRNO(error, ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &cmd));
		return;
	}
	ASSERT_EQ(0, ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &cmd));
	ASSERT_EQ(size, cmd.size);
}

/* VFIO's container may unmap a part, what is left are mappings */
TEST_F(noiommu, split)
{
	struct iommu_vfio_ioas vfio_ioas_cmd = {
		.size = sizeof(vfio_ioas_cmd),
		.op = IOMMU_VFIO_IOAS_SET,
	};
	struct iommu_option option_cmd = {
		.size = sizeof(option_cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = 0,
	};
	const size_t quarter = HUGEPAGE_SIZE / 4;
	void *buf = mmap_hugetlb();
	struct area areas[] = {
		{ TEST_IOVA, buf, quarter },
		{ TEST_IOVA + quarter, buf, 2 * quarter },
		{ TEST_IOVA + 3 * quarter, buf + 3 * quarter,
		  quarter - PAGE_SIZE },
	};
	uint32_t hwpt_id;

	if (buf == MAP_FAILED)
		SKIP(return, "No huge page of 2 MiB");
	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);
	vfio_ioas_cmd.ioas_id = self->ioas_id;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VFIO_IOAS, &vfio_ioas_cmd));

	/* A HWPT that may have large pages cannot be split */
	test_ioctl_ioas_map_fixed(buf, HUGEPAGE_SIZE, TEST_IOVA);
	unmap_by_container(_metadata, self->fd, areas[1].iova, 2 * quarter,
			   ENOENT);
	check_pa(self->ioas_id, TEST_IOVA, buf, HUGEPAGE_SIZE);
	test_ioctl_ioas_unmap(TEST_IOVA, HUGEPAGE_SIZE);

	/* A hole in the middle, and the last page */
	option_cmd.object_id = self->ioas_id;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_OPTION, &option_cmd));
	test_ioctl_ioas_map_fixed(buf, HUGEPAGE_SIZE, TEST_IOVA);
	unmap_by_container(_metadata, self->fd, areas[1].iova, 2 * quarter, 0);
	unmap_by_container(_metadata, self->fd,
			   TEST_IOVA + HUGEPAGE_SIZE - PAGE_SIZE, PAGE_SIZE, 0);
	check_windows(areas, 1);
	check_windows(areas + 2, 1);
	test_err_get_pa(ENOENT, .iova = areas[1].iova);
	test_err_get_pa(ENOENT, .iova = areas[2].iova - 1, .length = 2);

	/* Fill the hole, and from the parts another HWPT */
	test_ioctl_ioas_map_fixed(buf, 2 * quarter, areas[1].iova);
	check_windows(areas, 3);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	check_windows(areas, 3);
}

static __u64 cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/*
 * Buffers of several sizes in turn, as drivers have them. The search for an IOVA goes on
 * where the last one for that size has ended: the last quarter of all takes as long as
 * the first. If it passed all that are there, it would take seven times as long.
 */
TEST_F(noiommu, many_of_several_sizes)
{
	const size_t sizes[] = { HUGEPAGE_SIZE, PAGE_SIZE, PAGE_SIZE * 16 };
	const size_t quarter = 6000;
	__u64 ns[5], iova;
	uint32_t ioas_id;
	size_t i;
	char *buf;

	buf = mmap(0, HUGEPAGE_SIZE * 2, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	buf += -(uintptr_t)buf % HUGEPAGE_SIZE;
	/* Of nothing that has to map it */
	test_ioctl_ioas_alloc(&ioas_id);
	for (i = 0; i != quarter * 4; i++) {
		if (i % quarter == 0)
			ns[i / quarter] = cpu_ns();
		test_ioctl_ioas_map_id(ioas_id, buf, sizes[i % ARRAY_SIZE(sizes)],
				       &iova);
	}
	ns[4] = cpu_ns();
	EXPECT_GT(4 * (ns[1] - ns[0]), ns[4] - ns[3]);
	test_ioctl_destroy(ioas_id);
}

TEST_F(noiommu, fork_gone)
{
	const __u64 iova = TEST_IOVA + BUFFER_SIZE;
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
		test_ioctl_ioas_map_fixed(buf, PAGE_SIZE, iova);
		cpu_pages(buf, 1, &expected_phys);
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
	ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id, iova,
					     &length, &phys, NULL, NULL));
	ASSERT_EQ(expected_phys, phys);
	ASSERT_EQ(PAGE_SIZE, length);

	/* A HWPT can be filled from another, but no longer from the memory */
	test_cmd_mock_domain_replace(self->stdev_id, self->ioas_id);
	ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id, iova,
					     &length, &phys, NULL, NULL));
	ASSERT_EQ(expected_phys, phys);
	test_ioctl_destroy(self->stdev_id);
	test_err_mock_noiommu(EFAULT, self->ioas_id);
	test_ioctl_ioas_unmap(iova, PAGE_SIZE);
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

	test_cmd_create_access(self->ioas_id, &access_id,
			       MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES);
	access_cmd.id = access_id;
	/* Compares the pages with what is at uptr */
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_TEST_CMD, &access_cmd));
	check_refs(buffer, BUFFER_SIZE, 1);

	/* It does not pin for the device, and takes over if that leaves */
	test_ioctl_destroy(self->stdev_id);
	test_err_get_pa(EOPNOTSUPP);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL, NULL);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	access_pages_id = access_cmd.access_pages.out_access_pages_id;
	test_cmd_destroy_access_pages(access_id, access_pages_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);
	test_cmd_destroy_access(access_id);
}

/* Devices of both kinds move between IOASs, each by itself */
TEST_F(noiommu, replace_mixed)
{
	uint32_t mock_stdev_id;
	uint32_t mock_hwpt_id;
	uint32_t device_id;
	uint32_t hwpt_id[2];
	uint32_t ioas_id;

	test_cmd_mock_domain(self->ioas_id, &mock_stdev_id, NULL, &device_id);
	test_cmd_hwpt_alloc(device_id, self->ioas_id, 0, &mock_hwpt_id);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id[0]);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id[0]);
	test_cmd_mock_domain_replace(mock_stdev_id, mock_hwpt_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	check_refs(buffer, BUFFER_SIZE, 1);

	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, mfd_buffer, BUFFER_SIZE,
				     TEST_IOVA);
	test_cmd_mock_domain_replace(self->stdev_id, ioas_id);
	test_cmd_mock_domain_replace(mock_stdev_id, ioas_id);
	check_pa(ioas_id, TEST_IOVA, mfd_buffer, BUFFER_SIZE);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	test_ioctl_destroy(hwpt_id[0]);
	test_err_get_pa(EOPNOTSUPP);
	check_refs(buffer, BUFFER_SIZE, 1);

	test_cmd_mock_domain_replace(self->stdev_id, self->ioas_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
	test_err_get_pa(EOPNOTSUPP, .ioas_id = ioas_id);
	check_refs(mfd_buffer, BUFFER_SIZE, 1);
	test_cmd_mock_domain_replace(mock_stdev_id, self->ioas_id);
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
	test_ioctl_destroy(mock_hwpt_id);
	test_ioctl_destroy(ioas_id);
}

TEST_HARNESS_MAIN
