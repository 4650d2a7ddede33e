// SPDX-License-Identifier: GPL-2.0-only
/* Tests of devices that have no IOMMU, with memory that is mapped by file */
#include <pthread.h>

#include "iommufd_noiommu.h"

TEST_F(noiommu, memfd)
{
	const size_t offset = PAGE_SIZE * 3;

	/* The file has the pages that the CPU sees in it */
	test_ioctl_ioas_map_fixed_file(mfd, 0, BUFFER_SIZE, TEST_IOVA);
	check_pa(self->ioas_id, TEST_IOVA, mfd_buffer, BUFFER_SIZE);

	/* A part of it, and once more by address */
	test_ioctl_ioas_map_fixed_file(mfd, offset, BUFFER_SIZE - offset,
				       TEST_IOVA + BUFFER_SIZE);
	test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE,
				  TEST_IOVA + BUFFER_SIZE * 2);
	check_pa(self->ioas_id, TEST_IOVA + BUFFER_SIZE, mfd_buffer + offset,
		 BUFFER_SIZE - offset);
	check_pa(self->ioas_id, TEST_IOVA + BUFFER_SIZE * 2, mfd_buffer,
		 BUFFER_SIZE);

	test_ioctl_ioas_unmap(0, UINT64_MAX);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, TEST_IOVA, 0);
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
}

TEST_F(noiommu, change_process)
{
	struct iommu_ioas_change_process cmd = {
		.size = sizeof(cmd),
	};
	pid_t parent = getpid();
	int status;
	pid_t child;
	__u64 iova;

	/* Without it nothing is accounted for */
	drop_cap(_metadata, CAP_IPC_LOCK);

	test_ioctl_ioas_map(buffer, PAGE_SIZE, &iova);
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
	check_pa(self->ioas_id, iova, buffer, PAGE_SIZE);
	test_ioctl_ioas_unmap(iova, PAGE_SIZE);

	test_ioctl_ioas_map_file(mfd, PAGE_SIZE, 2 * PAGE_SIZE, &iova);
	check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
	check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE);

	child = fork();
	if (!child) {
		long npin = 2 * PAGE_SIZE / 1024;

		ASSERT_EQ(npin, get_vm_pinned(parent));
		ASSERT_EQ(0, get_vm_pinned(getpid()));

		ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));

		ASSERT_EQ(0, get_vm_pinned(parent));
		ASSERT_EQ(npin, get_vm_pinned(getpid()));
		check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE,
			 2 * PAGE_SIZE);
		exit(0);
	}
	ASSERT_NE(-1, child);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);

	/* The new owner is dead, the memory is still where the device has it */
	check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE);
	check_refs(mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE, 1);
	test_ioctl_ioas_unmap(iova, 2 * PAGE_SIZE);
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
}

/* Between user memory, at once and with pages that arrive a few at a time */
TEST_F(noiommu, extents_memfd)
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
		test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, areas[0].iova);
		test_ioctl_ioas_map_fixed_file(mfd, PAGE_SIZE * 3,
					       areas[1].length, areas[1].iova);
		test_ioctl_ioas_map_fixed(mfd_buffer, areas[2].length,
					  areas[2].iova);
		check_all_extents(self->ioas_id, areas, ARRAY_SIZE(areas));
		test_ioctl_ioas_unmap(0, UINT64_MAX);
		test_ioctl_set_temp_memory_limit(32);
	}
}

TEST_F(noiommu, dmabuf)
{
	size_t buf_size = PAGE_SIZE * 4;
	__u64 iova2;
	__u64 iova;
	__u64 length;
	__u64 phys;
	int dfd;
	int i;

	test_cmd_get_dmabuf(buf_size, &dfd);
	test_ioctl_ioas_map_file(dfd, 0, buf_size, &iova);
	test_ioctl_ioas_map_file(dfd, PAGE_SIZE, PAGE_SIZE * 2, &iova2);

	/* Filled when it was mapped, and then by a HWPT that came later */
	for (i = 0; i != 2; i++) {
		length = 0;
		test_ioctl_ioas_get_pa(self->ioas_id, iova, &length, &phys);
		ASSERT_EQ(buf_size, length);
		test_cmd_dmabuf_check_pa(dfd, 0, phys);
		test_err_dmabuf_check_pa(EINVAL, dfd, 1, phys);

		length = buf_size * 2;
		test_ioctl_ioas_get_pa(self->ioas_id, iova + 513, &length,
				       &phys);
		ASSERT_EQ(buf_size - 513, length);
		test_cmd_dmabuf_check_pa(dfd, 513, phys);

		length = 0;
		test_ioctl_ioas_get_pa(self->ioas_id, iova2, &length, &phys);
		ASSERT_EQ(PAGE_SIZE * 2, length);
		test_cmd_dmabuf_check_pa(dfd, PAGE_SIZE, phys);

		test_ioctl_destroy(self->stdev_id);
		test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, iova, 0);
		test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL,
				      NULL);
	}

	/* The mapping keeps the memory */
	close(dfd);
	length = 0;
	test_ioctl_ioas_get_pa(self->ioas_id, iova, &length, &phys);
	test_ioctl_ioas_unmap(iova, buf_size);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, iova, 0);
}

TEST_F(noiommu, dmabuf_revoke)
{
	size_t buf_size = PAGE_SIZE * 4;
	uint32_t hwpt_id;
	__u64 iova2;
	__u64 iova;
	__u64 length;
	__u64 phys;
	int dfd;

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_cmd_get_dmabuf(buf_size, &dfd);
	test_ioctl_ioas_map_file(dfd, 0, buf_size, &iova);

	test_cmd_revoke_dmabuf(dfd, true);
	test_err_ioctl_ioas_get_pa(EINVAL, self->ioas_id, iova, 0);
	test_err_ioctl_ioas_get_pa(EINVAL, self->ioas_id, iova + 513, 1);
	test_err_ioctl_ioas_map_file(ENODEV, dfd, 0, buf_size, &iova2);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	/* A new HWPT has nothing to show for it either */
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mock_domain_replace(self->stdev_id, hwpt_id);
	test_err_ioctl_ioas_get_pa(EINVAL, self->ioas_id, iova, 0);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);

	/* The mapping remains revoked, only a new one is good */
	test_cmd_revoke_dmabuf(dfd, false);
	test_err_ioctl_ioas_get_pa(EINVAL, self->ioas_id, iova, 0);
	test_ioctl_ioas_map_file(dfd, 0, buf_size, &iova2);
	length = 0;
	test_ioctl_ioas_get_pa(self->ioas_id, iova2, &length, &phys);
	ASSERT_EQ(buf_size, length);
	test_cmd_dmabuf_check_pa(dfd, 0, phys);

	/* No address at all is the first thing to report */
	test_ioctl_destroy(self->stdev_id);
	test_ioctl_destroy(hwpt_id);
	test_err_ioctl_ioas_get_pa(EOPNOTSUPP, self->ioas_id, iova, 0);
	test_cmd_mock_noiommu(self->ioas_id, NULL, NULL, NULL);
	test_err_ioctl_ioas_get_pa(EINVAL, self->ioas_id, iova, 0);
	test_ioctl_ioas_unmap(iova, buf_size);
	test_err_ioctl_ioas_get_pa(ENOENT, self->ioas_id, iova, 0);
	close(dfd);
}

/* Does the extent have the dma-buf at this place in it? */
static void __check_dmabuf_extent(struct __test_metadata *_metadata, int fd,
				  int dfd, __u64 offset,
				  const struct iommu_pa_extent *extent,
				  __u64 length)
{
	ASSERT_EQ(length, extent->length);
	ASSERT_EQ(0, _test_cmd_dmabuf_check_pa(fd, dfd, offset, extent->phys));
}

#define check_dmabuf_extent(dfd, offset, extent, length) \
	__check_dmabuf_extent(_metadata, self->fd, dfd, offset, extent, length)

/* User memory, a dma-buf, user memory and a part of the dma-buf, adjacent */
TEST_F(noiommu, extents_dmabuf)
{
	const __u64 dma_iova = TEST_IOVA + PAGE_SIZE;
	size_t buf_size = PAGE_SIZE * 4;
	const __u64 mid_iova = dma_iova + buf_size;
	const __u64 part_iova = mid_iova + PAGE_SIZE;
	struct iommu_pa_extent extents[8];
	__u64 length;
	__u64 phys;
	__u32 num;
	int dfd;
	int i;

	test_cmd_get_dmabuf(buf_size, &dfd);
	test_ioctl_ioas_map_fixed(buffer, PAGE_SIZE, TEST_IOVA);
	test_ioctl_ioas_map_fixed_file(dfd, 0, buf_size, dma_iova);
	test_ioctl_ioas_map_fixed(mfd_buffer, PAGE_SIZE, mid_iova);
	test_ioctl_ioas_map_fixed_file(dfd, PAGE_SIZE, PAGE_SIZE * 2,
				       part_iova);

	for (i = 0; i != 2; i++) {
		memset(extents, EXTENTS_UNTOUCHED, sizeof(extents));
		length = 0;
		num = ARRAY_SIZE(extents);
		ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd,
							  self->ioas_id,
							  TEST_IOVA + 5,
							  &length, &phys,
							  extents, &num));
		ASSERT_EQ(4, num);
		ASSERT_EQ(PAGE_SIZE * 8 - 5, length);
		ASSERT_EQ(cpu_phys(buffer) + 5, phys);
		ASSERT_EQ(cpu_phys(buffer) + 5, extents[0].phys);
		ASSERT_EQ(PAGE_SIZE - 5, extents[0].length);
		check_dmabuf_extent(dfd, 0, &extents[1], buf_size);
		ASSERT_EQ(cpu_phys(mfd_buffer), extents[2].phys);
		ASSERT_EQ(PAGE_SIZE, extents[2].length);
		check_dmabuf_extent(dfd, PAGE_SIZE, &extents[3], PAGE_SIZE * 2);
		ASSERT_TRUE(extents_untouched(extents, 4, ARRAY_SIZE(extents)));

		/* From within the dma-buf to one byte past it */
		length = buf_size - 512;
		num = ARRAY_SIZE(extents);
		ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd,
							  self->ioas_id,
							  dma_iova + 513,
							  &length, &phys,
							  extents, &num));
		ASSERT_EQ(2, num);
		ASSERT_EQ(buf_size - 512, length);
		check_dmabuf_extent(dfd, 513, &extents[0], buf_size - 513);
		ASSERT_EQ(extents[0].phys, phys);
		ASSERT_EQ(cpu_phys(mfd_buffer), extents[1].phys);
		ASSERT_EQ(1, extents[1].length);

		/* Filled when it was mapped, and then by a HWPT that came later */
		test_ioctl_destroy(self->stdev_id);
		test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL,
				      NULL);
	}
	close(dfd);
}

/* After a good byte, what is revoked is like what is not mapped */
TEST_F(noiommu, extents_dmabuf_revoke)
{
	const size_t buf_size = PAGE_SIZE * 4;
	const __u64 dma_iova = TEST_IOVA + BUFFER_SIZE;
	const __u64 dma2_iova = dma_iova + buf_size;
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ dma2_iova + buf_size, mfd_buffer, BUFFER_SIZE },
	};
	struct iommu_pa_extent extents[NR_PAGES + 2];
	__u64 length;
	__u64 phys;
	__u32 num;
	int dfd[2];
	int i;

	for (i = 0; i != 2; i++)
		test_cmd_get_dmabuf(buf_size, &dfd[i]);
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	test_ioctl_ioas_map_fixed_file(dfd[0], 0, buf_size, dma_iova);
	test_ioctl_ioas_map_fixed_file(dfd[1], 0, buf_size, dma2_iova);
	test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE, areas[1].iova);

	/* The second of them: everything up to it remains */
	test_cmd_revoke_dmabuf(dfd[1], true);
	length = buf_size * 2;
	num = ARRAY_SIZE(extents);
	ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd, self->ioas_id,
						  dma_iova - 1, &length, &phys,
						  extents, &num));
	ASSERT_EQ(2, num);
	ASSERT_EQ(buf_size + 1, length);
	ASSERT_EQ(cpu_phys(buffer + BUFFER_SIZE - 1), extents[0].phys);
	ASSERT_EQ(1, extents[0].length);
	check_dmabuf_extent(dfd[0], 0, &extents[1], buf_size);
	length = 0;
	num = 2;
	ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd, self->ioas_id,
						  dma2_iova - 1, &length, &phys,
						  extents, &num));
	ASSERT_EQ(1, num);
	ASSERT_EQ(1, length);
	test_cmd_dmabuf_check_pa(dfd[0], buf_size - 1, phys);

	/* Then both, from each first byte on */
	test_cmd_revoke_dmabuf(dfd[0], true);
	memset(extents, EXTENTS_UNTOUCHED, sizeof(extents));
	for (i = 1; i <= ARRAY_SIZE(extents); i++) {
		check_extents(self->ioas_id, areas, 1, TEST_IOVA, 0, i);
		check_extents(self->ioas_id, areas, 1, TEST_IOVA + 513,
			      BUFFER_SIZE * 2, i);
		check_extents(self->ioas_id, areas, 1, dma_iova - 1, 2, i);
		check_extents(self->ioas_id, areas + 1, 1, areas[1].iova, 0, i);
		test_err_ioctl_ioas_get_extents(EINVAL, self->ioas_id, dma_iova,
						0, extents, i);
		test_err_ioctl_ioas_get_extents(EINVAL, self->ioas_id,
						dma2_iova - 1, 2, extents, i);
		test_err_ioctl_ioas_get_extents(EINVAL, self->ioas_id,
						areas[1].iova - 1, BUFFER_SIZE,
						extents, i);
	}
	ASSERT_TRUE(extents_untouched(extents, 0, ARRAY_SIZE(extents)));

	/* A new mapping is good again, but goes no further than the other */
	test_ioctl_ioas_unmap(dma_iova, buf_size);
	check_extents(self->ioas_id, areas, 1, TEST_IOVA, 0, NR_PAGES + 1);
	test_cmd_revoke_dmabuf(dfd[0], false);
	test_ioctl_ioas_map_fixed_file(dfd[0], 0, buf_size, dma_iova);
	length = 0;
	num = 2;
	ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd, self->ioas_id,
						  dma_iova, &length, &phys,
						  extents, &num));
	ASSERT_EQ(1, num);
	ASSERT_EQ(buf_size, length);
	check_dmabuf_extent(dfd[0], 0, &extents[0], buf_size);

	for (i = 0; i != 2; i++)
		close(dfd[i]);
}

TEST_F(noiommu_mixed, dmabuf)
{
	size_t buf_size = PAGE_SIZE * 4;
	__u64 length = 0;
	__u64 iova;
	__u64 phys;
	int dfd;

	test_cmd_get_dmabuf(buf_size, &dfd);
	test_ioctl_ioas_map_file(dfd, 0, buf_size, &iova);
	test_ioctl_ioas_get_pa(self->ioas_id, iova, &length, &phys);
	ASSERT_EQ(buf_size, length);
	test_cmd_dmabuf_check_pa(dfd, 0, phys);

	test_ioctl_destroy(self->mock_stdev_id);
	test_ioctl_ioas_get_pa(self->ioas_id, iova, &length, &phys);
	test_cmd_dmabuf_check_pa(dfd, 0, phys);
	test_cmd_revoke_dmabuf(dfd, true);
	test_err_ioctl_ioas_get_pa(EINVAL, self->ioas_id, iova, 0);
	close(dfd);
}

TEST_F(noiommu_mixed, extents_dmabuf)
{
	const __u64 iova = TEST_IOVA + BUFFER_SIZE;
	const size_t buf_size = PAGE_SIZE * 4;
	struct iommu_pa_extent extents[2];
	__u64 length = 0;
	__u64 phys;
	__u32 num = 2;
	int dfd;

	test_cmd_get_dmabuf(buf_size, &dfd);
	test_ioctl_ioas_map_fixed_file(dfd, 0, buf_size, iova);
	ASSERT_EQ(0, _test_ioctl_ioas_get_extents(self->fd, self->ioas_id,
						  iova - 1, &length, &phys,
						  extents, &num));
	ASSERT_EQ(2, num);
	ASSERT_EQ(buf_size + 1, length);
	ASSERT_EQ(cpu_phys(buffer + BUFFER_SIZE - 1), phys);
	ASSERT_EQ(phys, extents[0].phys);
	ASSERT_EQ(1, extents[0].length);
	check_dmabuf_extent(dfd, 0, &extents[1], buf_size);
	test_ioctl_ioas_unmap(iova, buf_size);
	close(dfd);
}

struct race_revoke {
	int fd;
	__u32 ioas_id;
	__u64 iova;
	__u64 phys;
	unsigned long found;
	int error;
};

static void *race_revoke(void *arg)
{
	struct race_revoke *race = arg;
	__u64 length;
	__u64 phys;

	/* The same answer each time, until the dma-buf is gone */
	do {
		length = 0;
		if (_test_ioctl_ioas_get_pa(race->fd, race->ioas_id, race->iova,
					    &length, &phys)) {
			__atomic_store_n(&race->error, errno, __ATOMIC_RELAXED);
			return NULL;
		}
		__atomic_add_fetch(&race->found, 1, __ATOMIC_RELAXED);
	} while (phys == race->phys && length == PAGE_SIZE * 4);
	__atomic_store_n(&race->error, EILSEQ, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(noiommu, dmabuf_revoke_race)
{
	int i;

	for (i = 0; i != 20; i++) {
		struct race_revoke race = {
			.fd = self->fd,
			.ioas_id = self->ioas_id,
		};
		__u64 length = 0;
		pthread_t thread;
		int dfd;

		test_cmd_get_dmabuf(PAGE_SIZE * 4, &dfd);
		test_ioctl_ioas_map_file(dfd, 0, PAGE_SIZE * 4, &race.iova);
		test_ioctl_ioas_get_pa(self->ioas_id, race.iova, &length,
				       &race.phys);
		test_cmd_dmabuf_check_pa(dfd, 0, race.phys);

		ASSERT_EQ(0, pthread_create(&thread, NULL, race_revoke, &race));
		while (!__atomic_load_n(&race.found, __ATOMIC_RELAXED) &&
		       !__atomic_load_n(&race.error, __ATOMIC_RELAXED))
			;
		test_cmd_revoke_dmabuf(dfd, true);
		/* Not even once after the revoke has returned */
		test_err_ioctl_ioas_get_pa(EINVAL, self->ioas_id, race.iova, 0);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(EINVAL, race.error);
		test_ioctl_ioas_unmap(race.iova, PAGE_SIZE * 4);
		close(dfd);
	}
}

static void *race_revoke_extents(void *arg)
{
	struct race_revoke *race = arg;
	struct iommu_pa_extent extents[2];
	__u64 length;
	__u64 phys;
	__u32 num;

	/* A byte that stays, and then the dma-buf until it is gone */
	do {
		length = 0;
		num = 2;
		if (_test_ioctl_ioas_get_extents(race->fd, race->ioas_id,
						 race->iova - 1, &length, &phys,
						 extents, &num)) {
			__atomic_store_n(&race->error, errno, __ATOMIC_RELAXED);
			return NULL;
		}
		__atomic_add_fetch(&race->found, 1, __ATOMIC_RELAXED);
	} while (num == 2 && length == PAGE_SIZE * 4 + 1 &&
		 extents[0].length == 1 && extents[1].phys == race->phys &&
		 extents[1].length == PAGE_SIZE * 4);
	if (num != 1 || length != 1 || extents[0].length != 1)
		__atomic_store_n(&race->error, EILSEQ, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(noiommu, extents_revoke_race)
{
	const __u64 iova = TEST_IOVA + PAGE_SIZE;
	const struct area areas[] = { { TEST_IOVA, buffer, PAGE_SIZE } };
	int i;

	test_ioctl_ioas_map_fixed(buffer, PAGE_SIZE, TEST_IOVA);
	for (i = 0; i != 20; i++) {
		struct race_revoke race = {
			.fd = self->fd,
			.ioas_id = self->ioas_id,
			.iova = iova,
		};
		__u64 length = 0;
		pthread_t thread;
		int dfd;

		test_cmd_get_dmabuf(PAGE_SIZE * 4, &dfd);
		test_ioctl_ioas_map_fixed_file(dfd, 0, PAGE_SIZE * 4, iova);
		test_ioctl_ioas_get_pa(self->ioas_id, iova, &length,
				       &race.phys);
		test_cmd_dmabuf_check_pa(dfd, 0, race.phys);

		ASSERT_EQ(0, pthread_create(&thread, NULL, race_revoke_extents,
					    &race));
		while (!__atomic_load_n(&race.found, __ATOMIC_RELAXED) &&
		       !__atomic_load_n(&race.error, __ATOMIC_RELAXED))
			;
		test_cmd_revoke_dmabuf(dfd, true);
		/* Not even once after the revoke has returned */
		check_extents(self->ioas_id, areas, 1, TEST_IOVA, 0, 2);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(0, race.error);
		test_ioctl_ioas_unmap(iova, PAGE_SIZE * 4);
		close(dfd);
	}
}

TEST_HARNESS_MAIN
