// SPDX-License-Identifier: GPL-2.0-only
/* Lookups in dma-bufs: as a device sees them, and while they are revoked */
#include <pthread.h>
#include <time.h>

#include <iommufd_noiommu.h>

#include "waiting.h"

/* Memory has an address for the device, what comes after it in the IOAS has none */
TEST_F(noiommu, dmabuf_as_device_sees_it)
{
	const __u64 iova = TEST_IOVA + BUFFER_SIZE;
	struct iommu_pa_extent found[2] = {};
	struct iommu_ioas_get_pa cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_GET_PA_DEVICE,
		.ioas_id = self->ioas_id,
		.dev_id = self->device_id,
		.iova = iova - 1,
		.num_extents = 2,
		.extents_uptr = (uintptr_t)found,
	};
	int dfd;

	test_cmd_get_dmabuf(PAGE_SIZE * 4, &dfd);
	test_ioctl_ioas_map_fixed_file(dfd, 0, PAGE_SIZE * 4, iova);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));
	EXPECT_EQ(1, cmd.num_extents);
	EXPECT_EQ(1, cmd.length);
	EXPECT_EQ(1, found[0].length);

	test_err_get_pa(EOPNOTSUPP, .flags = IOMMU_IOAS_GET_PA_DEVICE,
			.dev_id = self->device_id, .iova = iova);
	cmd.flags = 0;
	cmd.dev_id = 0;
	cmd.iova = iova;
	cmd.length = 0;
	cmd.num_extents = 2;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));
	EXPECT_EQ(PAGE_SIZE * 4, cmd.length);
	test_cmd_dmabuf_check_pa(dfd, 0, cmd.out_phys);
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
					    &length, &phys, NULL, NULL)) {
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
		ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id,
						     race.iova, &length,
						     &race.phys, NULL, NULL));
		test_cmd_dmabuf_check_pa(dfd, 0, race.phys);

		ASSERT_EQ(0, pthread_create(&thread, NULL, race_revoke, &race));
		while (!__atomic_load_n(&race.found, __ATOMIC_RELAXED) &&
		       !__atomic_load_n(&race.error, __ATOMIC_RELAXED))
			;
		test_cmd_revoke_dmabuf(dfd, true);
		/* Not even once after the revoke has returned */
		test_err_get_pa(EINVAL, .iova = race.iova);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(EINVAL, race.error);
		test_ioctl_ioas_unmap(race.iova, PAGE_SIZE * 4);
		close(dfd);
	}
}

static void *race_revoke_extents(void *arg)
{
	struct race_revoke *race = arg;
	struct iommu_pa_extent found[2];
	__u64 length;
	__u64 phys;
	__u32 num;

	/* A byte that stays, and then the dma-buf until it is gone */
	do {
		length = 0;
		num = 2;
		if (_test_ioctl_ioas_get_pa(race->fd, race->ioas_id,
					    race->iova - 1, &length, &phys,
					    found, &num)) {
			__atomic_store_n(&race->error, errno, __ATOMIC_RELAXED);
			return NULL;
		}
		__atomic_add_fetch(&race->found, 1, __ATOMIC_RELAXED);
	} while (num == 2 && length == PAGE_SIZE * 4 + 1 &&
		 found[0].length == 1 && found[1].phys == race->phys &&
		 found[1].length == PAGE_SIZE * 4);
	if (num != 1 || length != 1 || found[0].length != 1)
		__atomic_store_n(&race->error, EILSEQ, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(noiommu, extents_revoke_race)
{
	const __u64 iova = TEST_IOVA + BUFFER_SIZE;
	const struct area areas[] = { { TEST_IOVA, buffer, BUFFER_SIZE } };
	int i;

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
		ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id,
						     iova, &length, &race.phys,
						     NULL, NULL));
		test_cmd_dmabuf_check_pa(dfd, 0, race.phys);

		ASSERT_EQ(0, pthread_create(&thread, NULL, race_revoke_extents,
					    &race));
		while (!__atomic_load_n(&race.found, __ATOMIC_RELAXED) &&
		       !__atomic_load_n(&race.error, __ATOMIC_RELAXED))
			;
		test_cmd_revoke_dmabuf(dfd, true);
		/* Not even once after the revoke has returned */
		check_lookup(areas, 1, iova - 1, 0, 2);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(0, race.error);
		test_ioctl_ioas_unmap(iova, PAGE_SIZE * 4);
		close(dfd);
	}
}

/* The second of two that adjoin each other, and then both */
TEST_F(noiommu, two_dmabufs)
{
	const size_t size = PAGE_SIZE * 4;
	const __u64 iova = TEST_IOVA + BUFFER_SIZE;
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		{ iova + size * 2, mfd_buffer, BUFFER_SIZE },
	};
	struct iommu_pa_extent found[3];
	__u32 room, num;
	__u64 length;
	__u64 phys;
	int dfd[2];
	int i;

	for (i = 0; i != 2; i++) {
		test_cmd_get_dmabuf(size, &dfd[i]);
		test_ioctl_ioas_map_fixed_file(dfd[i], 0, size,
					       iova + i * size);
	}
	test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE, areas[1].iova);

	test_cmd_revoke_dmabuf(dfd[1], true);
	length = size * 2;
	num = ARRAY_SIZE(found);
	ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id, iova - 1,
					     &length, &phys, found, &num));
	ASSERT_EQ(2, num);
	ASSERT_EQ(size + 1, length);
	ASSERT_EQ(1, found[0].length);
	ASSERT_EQ(size, found[1].length);
	test_cmd_dmabuf_check_pa(dfd[0], 0, found[1].phys);
	length = 0;
	num = ARRAY_SIZE(found);
	ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id,
					     iova + size - 1, &length, &phys,
					     found, &num));
	ASSERT_EQ(1, num);
	ASSERT_EQ(1, length);
	test_cmd_dmabuf_check_pa(dfd[0], size - 1, phys);

	test_cmd_revoke_dmabuf(dfd[0], true);
	for (room = 1; room != NR_PAGES + 3; room++) {
		check_lookup(areas, 1, TEST_IOVA + 513, BUFFER_SIZE * 2, room);
		check_lookup(areas, 1, iova - 1, 2, room);
		check_lookup(areas + 1, 1, areas[1].iova, 0, room);
		test_err_get_pa(EINVAL, .iova = iova + size - 1, .length = 2,
				.num_extents = room);
		test_err_get_pa(EINVAL, .iova = areas[1].iova - 1,
				.num_extents = room);
	}

	/* A new mapping is good, and goes no further than the other */
	test_ioctl_ioas_unmap(iova, size);
	test_cmd_revoke_dmabuf(dfd[0], false);
	test_ioctl_ioas_map_fixed_file(dfd[0], 0, size, iova);
	length = 0;
	num = ARRAY_SIZE(found);
	ASSERT_EQ(0, _test_ioctl_ioas_get_pa(self->fd, self->ioas_id, iova,
					     &length, &phys, found, &num));
	ASSERT_EQ(1, num);
	ASSERT_EQ(size, length);
	test_cmd_dmabuf_check_pa(dfd[0], 0, phys);
	for (i = 0; i != 2; i++)
		close(dfd[i]);
}

/*
 * A dma-buf is revoked while it is being copied together with memory that makes the
 * copy wait. It is in the page table by then, and not yet in the IOAS.
 */
TEST_F(noiommu, revoke_in_a_copy)
{
	const __u64 size = PAGE_SIZE * 4, iova = TEST_IOVA + BUFFER_SIZE;
	struct iommu_ioas_copy args = {
		.size = sizeof(args),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.dst_ioas_id = self->ioas_id,
		.length = size + PAGE_SIZE,
		.dst_iova = iova,
		.src_iova = TEST_IOVA,
	};
	struct waiting_call copy = {
		.fd = self->fd,
		.request = IOMMU_IOAS_COPY,
		.args = &args,
	};
	__u64 src_iova = TEST_IOVA;
	struct missing_page page;
	int dfd;

	missing_page_init(_metadata, &page);
	test_ioctl_ioas_alloc(&args.src_ioas_id);
	test_cmd_get_dmabuf(size, &dfd);
	ASSERT_EQ(0, _test_ioctl_ioas_map_file(self->fd, args.src_ioas_id,
					       dfd, 0, size, &src_iova,
					       args.flags));
	test_ioctl_ioas_map_fixed_id(args.src_ioas_id, page.va, PAGE_SIZE,
				     TEST_IOVA + size);
	waiting_call_start(_metadata, &copy);
	missing_page_wait(_metadata, &page);
	test_cmd_revoke_dmabuf(dfd, true);

	missing_page_give(_metadata, &page);
	waiting_call_join(_metadata, &copy);
	EXPECT_EQ(0, copy.ret);
	test_err_get_pa(EINVAL, .iova = iova);
	check_pa(self->ioas_id, iova + size, page.va, PAGE_SIZE);
	close(dfd);
	close(page.fd);
}

#define LOG_SECONDS 20

/* How many of the records since the last call have this text? */
static unsigned int log_count(int kmsg, const char *text)
{
	char record[8192];
	unsigned int count = 0;
	ssize_t length;

	while (true) {
		length = read(kmsg, record, sizeof(record) - 1);
		/* Records were overwritten before they were read */
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			return count;
		record[length] = 0;
		if (strstr(record, text))
			count++;
	}
}

/* What the log says then of a device without an IOMMU, in text if there is one */
static void revoke_once(struct __test_metadata *_metadata, int fd,
			__u32 ioas_id, __u64 iova, char *text)
{
	const __u64 size = PAGE_SIZE * 4;
	__u64 length = size, phys;
	int dfd;

	ASSERT_EQ(0, _test_cmd_get_dmabuf(fd, PAGE_SIZE + size, &dfd));
	ASSERT_EQ(0, _test_ioctl_ioas_map_file(fd, ioas_id, dfd, PAGE_SIZE,
					       size, &iova,
					       IOMMU_IOAS_MAP_FIXED_IOVA |
						       IOMMU_IOAS_MAP_READABLE |
						       IOMMU_IOAS_MAP_WRITEABLE));
	if (text) {
		ASSERT_EQ(0, _test_ioctl_ioas_get_pa(fd, ioas_id, iova, &length,
						     &phys, NULL, NULL));
		ASSERT_EQ(size, length);
		sprintf(text, "0x%llx-0x%llx (IOVA 0x%llx-0x%llx)\n",
			(unsigned long long)phys,
			(unsigned long long)phys + size - 1,
			(unsigned long long)iova,
			(unsigned long long)iova + size - 1);
	}
	ASSERT_EQ(0, _test_cmd_revoke_dmabuf(fd, dfd, true));
	ASSERT_EQ(0, _test_ioctl_ioas_unmap(fd, ioas_id, iova, size, NULL));
	close(dfd);
}

/*
 * The log says what a device may still reach, where that device has no IOMMU,
 * and nothing where an IOMMU keeps it from that. The line is ratelimited, so the
 * first one that comes shows that there is room for the others.
 */
TEST_F(noiommu, revoke_is_logged)
{
	const __u64 iova = TEST_IOVA + BUFFER_SIZE;
	time_t deadline = time(NULL) + LOG_SECONDS;
	unsigned int seen;
	uint32_t ioas_id;
	char text[128];
	int kmsg;

	test_ioctl_ioas_alloc(&ioas_id);
	test_cmd_mock_domain(ioas_id, NULL, NULL, NULL);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_NE(-1, kmsg);
	ASSERT_NE(-1, lseek(kmsg, 0, SEEK_END));

	do {
		revoke_once(_metadata, self->fd, self->ioas_id, iova, text);
		seen = log_count(kmsg, text);
	} while (!seen && time(NULL) < deadline);
	ASSERT_EQ(1, seen);

	revoke_once(_metadata, self->fd, ioas_id, iova, NULL);
	ASSERT_EQ(0, log_count(kmsg, "a dma-buf was revoked"));
	revoke_once(_metadata, self->fd, self->ioas_id, iova, text);
	ASSERT_EQ(1, log_count(kmsg, text));
	close(kmsg);
}

TEST_HARNESS_MAIN
