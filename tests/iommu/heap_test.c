// SPDX-License-Identifier: GPL-2.0-only
/* dma-bufs that are memory: no IOMMU, no access, and nothing left of a failure */
#include <iommufd_noiommu.h>

#include "heap.h"

#define HEAP_IOVA (TEST_IOVA + BUFFER_SIZE)

/* A dma-buf of scattered pages beside the buffer, and the memory in it */
FIXTURE(heap)
{
	int fd;
	uint32_t ioas_id;
	uint32_t stdev_id;
	uint32_t device_id;
	struct area area;
	int dfd;
	int dma_bufs;
};

FIXTURE_SETUP(heap)
{
	size_t length = PAGE_SIZE * 64;
	void *ptr;
	int memfd;
	size_t i;

	self->dma_bufs = dma_bufs();
	ASSERT_LE(0, self->dma_bufs);
	memfd = memfd_sealed(length, 0);
	ASSERT_LE(0, memfd);
	ptr = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	ASSERT_NE(MAP_FAILED, ptr);
	for (i = 0; i != 64; i++)
		((char *)ptr)[i * 37 % 64 * PAGE_SIZE] = 1;
	self->dfd = udmabuf_create(memfd, 0, length);
	ASSERT_LE(0, self->dfd);
	close(memfd);
	self->area = (struct area){ HEAP_IOVA, ptr, length };

	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);
	test_ioctl_set_default_memory_limit();
	test_ioctl_ioas_alloc(&self->ioas_id);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL,
			      &self->device_id);
}

FIXTURE_TEARDOWN(heap)
{
	close(self->dfd);
	munmap((void *)self->area.ptr, self->area.length);
	teardown_iommufd(self->fd, _metadata);
	EXPECT_EQ(self->dma_bufs, dma_bufs_wait(self->dma_bufs));
}

/* Returns 0 or the errno */
static int map_id(int fd, __u32 ioas_id, int dfd, size_t start, size_t length,
		  __u64 iova)
{
	return _test_ioctl_ioas_map_file(fd, ioas_id, dfd, start, length, &iova,
					 IOMMU_IOAS_MAP_FIXED_IOVA |
						 IOMMU_IOAS_MAP_WRITEABLE |
						 IOMMU_IOAS_MAP_READABLE) ?
		       errno :
		       0;
}

#define map_heap(ioas_id)                                          \
	map_id(self->fd, ioas_id, self->dfd, 0, self->area.length, \
	       self->area.iova)

static int copy_id(int fd, __u32 dst_ioas_id, __u32 src_ioas_id, __u64 iova,
		   size_t length)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.dst_ioas_id = dst_ioas_id,
		.src_ioas_id = src_ioas_id,
		.length = length,
		.dst_iova = iova,
		.src_iova = iova,
	};

	return ioctl(fd, IOMMU_IOAS_COPY, &cmd) ? errno : 0;
}

TEST_F(heap, windows)
{
	const struct area *heap = &self->area;
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		*heap,
		{ heap->iova + heap->length, heap->ptr + PAGE_SIZE * 7,
		  PAGE_SIZE * 30 },
		{ areas[2].iova + areas[2].length, mfd_buffer, BUFFER_SIZE },
	};
	int i;

	/* A batch of a few pages at a time must do, too */
	for (i = 0; i != 2; i++) {
		test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
		ASSERT_EQ(0, map_heap(self->ioas_id));
		ASSERT_EQ(0, map_id(self->fd, self->ioas_id, self->dfd,
				    PAGE_SIZE * 7, areas[2].length,
				    areas[2].iova));
		test_ioctl_ioas_map_fixed(mfd_buffer, BUFFER_SIZE,
					  areas[3].iova);
		check_windows(areas, ARRAY_SIZE(areas));
		test_ioctl_ioas_unmap(TEST_IOVA, UINT64_MAX - TEST_IOVA);
		test_ioctl_set_temp_memory_limit(32);
	}
	test_ioctl_set_default_memory_limit();
}

/* Mapped before the devices come, while they are there, and copied */
TEST_F(heap, iommu_refused)
{
	const struct area areas[] = {
		{ TEST_IOVA, buffer, BUFFER_SIZE },
		self->area,
	};
	__u32 stdev_id, hwpt_id, device_id, other_id, mixed_id, no_id;

	/* A device with an IOMMU elsewhere */
	test_ioctl_ioas_alloc(&other_id);
	test_cmd_mock_domain(other_id, &stdev_id, &hwpt_id, &device_id);
	EXPECT_EQ(EOPNOTSUPP, map_heap(other_id));

	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	ASSERT_EQ(0, map_heap(self->ioas_id));
	EXPECT_EQ(EOPNOTSUPP, copy_id(self->fd, other_id, self->ioas_id,
				      self->area.iova, self->area.length));
	/* Together with what could be copied */
	EXPECT_EQ(EOPNOTSUPP, copy_id(self->fd, other_id, self->ioas_id,
				      TEST_IOVA,
				      BUFFER_SIZE + self->area.length));
	test_ioctl_ioas_map_id(other_id, buffer, PAGE_SIZE,
			       &(__u64){ TEST_IOVA });

	/* It cannot come, in any way */
	test_err_mock_domain(EINVAL, self->ioas_id, NULL, NULL);
	test_err_hwpt_alloc(EINVAL, device_id, self->ioas_id, 0, &no_id);
	test_err_hwpt_alloc(EINVAL, device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &no_id);
	test_err_mock_domain_replace(EINVAL, stdev_id, self->ioas_id);
	check_windows(areas, ARRAY_SIZE(areas));

	/* Without any HWPT the area is still in the IOAS */
	test_ioctl_destroy(self->stdev_id);
	test_err_mock_domain(EINVAL, self->ioas_id, NULL, NULL);
	test_err_mock_domain_replace(EINVAL, stdev_id, self->ioas_id);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, NULL, NULL);
	check_pa(self->ioas_id, self->area.iova, self->area.ptr,
		 self->area.length);

	/* Both in one IOAS */
	test_ioctl_ioas_alloc(&mixed_id);
	test_cmd_mock_noiommu(mixed_id, NULL, NULL, NULL);
	test_cmd_mock_domain_replace(stdev_id, mixed_id);
	EXPECT_EQ(EOPNOTSUPP, map_heap(mixed_id));
	EXPECT_EQ(EOPNOTSUPP, copy_id(self->fd, mixed_id, self->ioas_id,
				      self->area.iova, self->area.length));
	test_cmd_mock_domain_replace(stdev_id, other_id);
	EXPECT_EQ(0, copy_id(self->fd, mixed_id, self->ioas_id,
			     self->area.iova, self->area.length));
	check_pa(mixed_id, self->area.iova, self->area.ptr, self->area.length);

	/* Once it is unmapped the device is welcome */
	test_ioctl_ioas_unmap(self->area.iova, self->area.length);
	test_cmd_mock_domain_replace(stdev_id, self->ioas_id);
	check_pa(self->ioas_id, TEST_IOVA, buffer, BUFFER_SIZE);
}

TEST_F(heap, no_hwpt)
{
	__u32 ioas_id;

	test_ioctl_ioas_alloc(&ioas_id);
	EXPECT_EQ(EOPNOTSUPP, map_heap(ioas_id));
	ASSERT_EQ(0, map_heap(self->ioas_id));
	EXPECT_EQ(EOPNOTSUPP, copy_id(self->fd, ioas_id, self->ioas_id,
				      self->area.iova, self->area.length));
	test_cmd_mock_domain(ioas_id, NULL, NULL, NULL);
}

/* As in the dma-bufs of devices */
TEST_F(heap, access)
{
	struct iommu_test_cmd pin = {
		.size = sizeof(pin),
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.access_pages = { .iova = self->area.iova,
				  .length = PAGE_SIZE,
				  .uptr = (uintptr_t)self->area.ptr },
	};
	struct iommu_test_cmd rw = {
		.size = sizeof(rw),
		.op = IOMMU_TEST_OP_ACCESS_RW,
		.access_rw = { .iova = self->area.iova,
			       .length = 8,
			       .uptr = (uintptr_t)buffer },
	};

	ASSERT_EQ(0, map_heap(self->ioas_id));
	test_cmd_create_access(self->ioas_id, &pin.id,
			       MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES);
	EXPECT_ERRNO(EINVAL,
		     ioctl(self->fd,
			   _IOMMU_TEST_CMD(IOMMU_TEST_OP_ACCESS_PAGES), &pin));
	rw.id = pin.id;
	EXPECT_ERRNO(EINVAL,
		     ioctl(self->fd, _IOMMU_TEST_CMD(IOMMU_TEST_OP_ACCESS_RW),
			   &rw));
	test_cmd_destroy_access(pin.id);
	check_pa(self->ioas_id, self->area.iova, self->area.ptr,
		 self->area.length);
}

/* Not to be written by devices; what it says is what it says */
TEST_F(heap, read_only)
{
	__u64 iova = self->area.iova;
	__u32 ioas_id;

	ASSERT_EQ(0, _test_ioctl_ioas_map_file(self->fd, self->ioas_id,
					       self->dfd, 0, self->area.length,
					       &iova,
					       IOMMU_IOAS_MAP_FIXED_IOVA |
						       IOMMU_IOAS_MAP_READABLE));
	check_pa(self->ioas_id, iova, self->area.ptr, self->area.length);
	/* A copy cannot have more */
	test_ioctl_ioas_alloc(&ioas_id);
	test_cmd_mock_noiommu(ioas_id, NULL, NULL, NULL);
	EXPECT_EQ(EPERM, copy_id(self->fd, ioas_id, self->ioas_id, iova,
				 self->area.length));
}

static void write_fault(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	fd = open(path, O_WRONLY);
	assert(fd != -1);
	assert(write(fd, value, strlen(value)) == strlen(value));
	close(fd);
}

/* Each allocation of a map fails once, those of the exporter too */
TEST_F(heap, fail_nth)
{
	unsigned int nth, failed = 0;
	char text[16] = "";
	int proc, rc;

	write_fault("failslab/ignore-gfp-wait", "N");
	write_fault("fail_page_alloc/ignore-gfp-wait", "N");
	write_fault("fail_page_alloc/min-order", "0");
	write_fault("failslab/verbose", "0");
	write_fault("fail_page_alloc/verbose", "0");
	write_fault("fail_iommufd/verbose", "0");
	proc = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, proc);

	for (nth = 1; nth != 1000; nth++) {
		snprintf(text, sizeof(text), "%u", nth);
		ASSERT_EQ(strlen(text), pwrite(proc, text, strlen(text), 0));
		rc = map_heap(self->ioas_id);
		memset(text, 0, sizeof(text));
		ASSERT_LT(0, pread(proc, text, sizeof(text) - 1, 0));
		ASSERT_EQ(1, pwrite(proc, "0", 1, 0));
		if (!rc) {
			check_pa(self->ioas_id, self->area.iova,
				 self->area.ptr, self->area.length);
			test_ioctl_ioas_unmap(self->area.iova,
					      self->area.length);
		} else {
			failed++;
			/* The first one is made up, of the look for the IOAS */
			ASSERT_EQ(nth == 1 ? ENOENT : ENOMEM, rc)
				TH_LOG("Allocation %u", nth);
			test_err_get_pa(ENOENT, .iova = self->area.iova);
		}
		/* Not used up: there are no more */
		if (atoi(text))
			break;
	}
	ASSERT_GT(1000, nth);
	/* Pages, two attachments and the exporter's table; others have a way out */
	ASSERT_LE(4, failed);
	close(proc);
}

TEST_HARNESS_MAIN
