// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookups of addresses as a device sees them, on a bus that has two ranges of memory
 * and a last address. What is expected is made of what pagemap says and of the ranges,
 * a page at a time.
 */
#include <iommufd_noiommu.h>

#include "trace.h"

#define VIEW_PAGES 768

/* The second ends at the last address, which is within a page */
#define LOW_DMA 0x100000000000ULL
#define HIGH_DMA 0x300000000000ULL
#define TAIL 520

struct range {
	__u64 cpu_start;
	__u64 dma_start;
	__u64 size;
};

struct view {
	struct range ranges[2];
	__u64 last_addr;
};

/* How many bytes from phys on are at addresses after dma, 0 if phys is nowhere */
static __u64 view_find(const struct view *view, __u64 phys, __u64 *dma)
{
	__u64 length, offset;
	size_t i;

	for (i = 0; i != ARRAY_SIZE(view->ranges); i++) {
		offset = phys - view->ranges[i].cpu_start;
		if (phys < view->ranges[i].cpu_start ||
		    offset >= view->ranges[i].size)
			continue;
		*dma = view->ranges[i].dma_start + offset;
		if (*dma > view->last_addr)
			return 0;
		length = view->ranges[i].size - offset;
		if (view->last_addr - *dma < length - 1)
			length = view->last_addr - *dma + 1;
		return length;
	}
	return 0;
}

/* The physical extents, cut and moved. Returns how many there are for the device. */
static __u32 view_extents(const struct view *view,
			  const struct iommu_pa_extent *from, __u32 nr,
			  __u32 room, struct iommu_pa_extent *to)
{
	__u64 done, length;
	__u32 i, num = 0;

	for (i = 0; i != nr; i++) {
		for (done = 0; done != from[i].length; done += length) {
			if (num == room)
				return num;
			length = view_find(view, from[i].phys + done,
					   &to[num].phys);
			if (!length)
				return num;
			if (length > from[i].length - done)
				length = from[i].length - done;
			to[num++].length = length;
		}
	}
	return num;
}

static int compare_u64(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

FIXTURE(view)
{
	int fd;
	uint32_t ioas_id;
	uint32_t device_id;
	struct area area;
	struct view view;
	__u64 phys[VIEW_PAGES];
	bool traced;
};

/*
 * Pages that are rarely neighbours. A sixteenth of them is below what the device
 * sees, half of the rest is in each range, and the highest are out of reach.
 */
FIXTURE_SETUP(view)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_DMA_RANGES,
	};
	static __u64 sorted[VIEW_PAGES];
	struct view *view = &self->view;
	__u64 first, middle, top;
	char *ptr;
	size_t i;

	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);
	test_ioctl_ioas_alloc(&self->ioas_id);
	test_cmd_mock_noiommu(self->ioas_id, NULL, NULL, &self->device_id);

	self->area.length = VIEW_PAGES * PAGE_SIZE;
	self->area.iova = TEST_IOVA;
	ptr = mmap(0, self->area.length, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, ptr);
	self->area.ptr = ptr;
	madvise(ptr, self->area.length, MADV_NOHUGEPAGE);
	for (i = 0; i != VIEW_PAGES; i++)
		ptr[i * 337 % VIEW_PAGES * PAGE_SIZE] = 1;
	test_ioctl_ioas_map_fixed(ptr, self->area.length, TEST_IOVA);

	cpu_pages(ptr, VIEW_PAGES, self->phys);
	memcpy(sorted, self->phys, sizeof(sorted));
	qsort(sorted, VIEW_PAGES, sizeof(*sorted), compare_u64);
	first = sorted[VIEW_PAGES / 16];
	middle = sorted[VIEW_PAGES / 2] + 1024;
	top = sorted[VIEW_PAGES - VIEW_PAGES / 16] + TAIL;

	view->ranges[0] = (struct range){ middle, HIGH_DMA, UINT32_MAX };
	view->ranges[1] = (struct range){ first, LOW_DMA, middle - first };
	view->last_addr = HIGH_DMA + (top - middle) - 1;

	cmd.id = self->device_id;
	cmd.dma_ranges.last_addr = view->last_addr;
	for (i = 0; i != ARRAY_SIZE(view->ranges); i++) {
		cmd.dma_ranges.ranges[i].cpu_start = view->ranges[i].cpu_start;
		cmd.dma_ranges.ranges[i].dma_start = view->ranges[i].dma_start;
		cmd.dma_ranges.ranges[i].size = view->ranges[i].size;
	}
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_TEST_CMD, &cmd));
	/* Once, it must not change under a lookup */
	EXPECT_ERRNO(EBUSY, ioctl(self->fd, IOMMU_TEST_CMD, &cmd));
}

FIXTURE_TEARDOWN(view)
{
	if (self->traced) {
		trace_write(GET_PA_EVENT "enable", "0");
		trace_cleanup();
	}
	munmap((void *)self->area.ptr, self->area.length);
	teardown_iommufd(self->fd, _metadata);
}

/* Look up as the device sees it, and compare. Returns the bytes that were found. */
static __u64 __check_view(struct __test_metadata *_metadata,
			  FIXTURE_DATA(view) *self, __u64 iova, __u64 length,
			  __u32 room)
{
	static struct iommu_pa_extent cpu[EXTENTS_ROOM], expected[EXTENTS_ROOM];
	struct iommu_ioas_get_pa cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_GET_PA_DEVICE,
		.ioas_id = self->ioas_id,
		.iova = iova,
		.length = length,
		.num_extents = room,
		.dev_id = self->device_id,
		.extents_uptr = (uintptr_t)extents,
	};
	__u64 covered = 0;
	__u32 nr, i;

	nr = cpu_extents(&self->area, 1, iova, length, EXTENTS_ROOM, cpu);
	nr = view_extents(&self->view, cpu, nr, room ?: 1, expected);
	memset(extents, EXTENTS_UNTOUCHED, sizeof(extents));
	if (!nr) {
		EXPECT_ERRNO(ERANGE, ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));
		EXPECT_TRUE(extents_untouched(0));
		return 0;
	}
	for (i = 0; i != nr; i++)
		covered += expected[i].length;

	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_GET_PA, &cmd));
	EXPECT_EQ(expected[0].phys, cmd.out_phys);
	EXPECT_EQ(covered, cmd.length);
	if (room) {
		EXPECT_EQ(nr, cmd.num_extents);
		EXPECT_EQ(0, memcmp(expected, extents, nr * sizeof(*extents)));
	}
	EXPECT_TRUE(extents_untouched(room ? nr : 0));
	if (_metadata->exit_code)
		TH_LOG("IOVA 0x%llx, length 0x%llx, room %u", iova, length,
		       room);
	ASSERT_EQ(0, _metadata->exit_code);
	return covered;
}

#define check_view(iova, length, room) \
	__check_view(_metadata, self, iova, length, room)

/* All of it, from where the last answer ended, and past what is out of reach */
TEST_F(view, whole)
{
	static const __u32 rooms[] = { 0, 1, 2, 255, 256, 257, EXTENTS_ROOM };
	const __u64 end = self->area.iova + self->area.length;
	__u64 found, out_of_reach;
	__u64 iova;
	size_t i;

	for (i = 0; i != ARRAY_SIZE(rooms); i++) {
		out_of_reach = 0;
		for (iova = self->area.iova; iova != end; iova += found) {
			found = check_view(iova, 0, rooms[i]);
			if (found)
				continue;
			found = PAGE_SIZE - iova % PAGE_SIZE;
			out_of_reach += found;
		}
		/* Otherwise the fixture does not have what it promises */
		ASSERT_LT(VIEW_PAGES / 16 * PAGE_SIZE, out_of_reach);
		ASSERT_GT(VIEW_PAGES / 4 * PAGE_SIZE, out_of_reach);
	}
}

/* Around each place where the translation changes within a page */
TEST_F(view, bounds)
{
	static const __u64 lengths[] = { 1, 2, 512, 0 };
	const struct view *view = &self->view;
	const __u64 bounds[] = {
		view->ranges[0].cpu_start, view->ranges[1].cpu_start,
		view->last_addr - HIGH_DMA + view->ranges[0].cpu_start + 1,
	};
	size_t i, page, l;
	int nr = 0, by;
	__u64 iova;

	for (i = 0; i != ARRAY_SIZE(bounds); i++) {
		for (page = 0; page != VIEW_PAGES; page++) {
			if (bounds[i] - self->phys[page] >= PAGE_SIZE)
				continue;
			iova = self->area.iova + page * PAGE_SIZE +
			       (bounds[i] - self->phys[page]);
			for (by = -2; by != 3; by++)
				for (l = 0; l != ARRAY_SIZE(lengths); l++) {
					if (iova + by < self->area.iova)
						continue;
					check_view(iova + by, lengths[l], 0);
					check_view(iova + by, lengths[l], 3);
				}
			nr++;
		}
	}
	ASSERT_EQ(3, nr);
}

/*
 * Who was given which memory: the trace has the processor's addresses for it, not the
 * device's, by which nobody finds it
 */
TEST_F(view, trace)
{
	static const __u32 rooms[] = { 0, 257, EXTENTS_ROOM };
	const __u64 end = self->area.iova + self->area.length;
	char *expected, *traced;
	__u64 at, found, iova;
	int calls;
	size_t i, size;
	FILE *stream;
	__u32 e;

	if (!trace_init())
		SKIP(return, "The kernel has no trace events");
	self->traced = true;
	trace_write(GET_PA_EVENT "enable", "1");

	for (i = 0; i != ARRAY_SIZE(rooms); i++) {
		iova = self->area.iova;
		for (calls = 0; iova != end && calls != 100; calls++) {
			found = check_view(iova, 0, rooms[i]);
			if (!rooms[i])
				extents[0].length = found;

			stream = open_memstream(&expected, &size);
			ASSERT_NE(NULL, stream);
			for (e = 0, at = iova; at != iova + found; e++) {
				__u64 offset = at - self->area.iova;

				trace_print_get_pa(stream, self->ioas_id, at,
						   self->phys[offset / PAGE_SIZE] +
							   offset % PAGE_SIZE,
						   extents[e].length, getpid());
				at += extents[e].length;
			}
			ASSERT_EQ(0, fclose(stream));
			traced = trace_read();
			EXPECT_STREQ(expected, traced);
			free(traced);
			free(expected);
			trace_write("trace", "");
			iova += found ?: PAGE_SIZE - iova % PAGE_SIZE;
		}
	}
}

/* The same lookups without the flag know nothing of it */
TEST_F(view, cpu)
{
	check_pa(self->ioas_id, self->area.iova, self->area.ptr,
		 self->area.length);
}

TEST_HARNESS_MAIN
