/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of devices that have no IOMMU share
 *
 * A mock device made with MOCK_FLAGS_DEVICE_NOIOMMU stands in for the device.
 * It is attached to an IOAS like any other, except that it gets a noiommu HWPT
 * and that IOMMU_IOAS_GET_PA reads the physical addresses back.
 *
 * What an address ought to be is never taken from iommufd. For user memory the
 * page table of the CPU tells, read from /proc/self/pagemap while iommufd has
 * the memory pinned so that it cannot move.
 */
#ifndef __SELFTEST_IOMMUFD_NOIOMMU
#define __SELFTEST_IOMMUFD_NOIOMMU

#include <stdlib.h>
#include <sys/mman.h>

#define __EXPORTED_HEADERS__
#include <linux/mman.h>

#include "iommufd_utils.h"

/* See Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PFN_MASK ((1ULL << 55) - 1)
#define PAGEMAP_PRESENT_SHIFT 63

/* Any IOVA does without an IOMMU, a mock IOMMU has to reach it as well here */
#define TEST_IOVA MOCK_APERTURE_START

#define NR_PAGES 16

/* One mapping of user memory, in whole pages */
struct area {
	__u64 iova;
	const void *ptr;
	size_t length;
};

/* Where answers go, and the mark of what none has written to */
#define EXTENTS_ROOM 1024
#define EXTENTS_UNTOUCHED 0xa5
static struct iommu_pa_extent extents[EXTENTS_ROOM + 1];

static __attribute__((constructor)) void setup_sizes(void)
{
	PAGE_SIZE = sysconf(_SC_PAGE_SIZE);

	BUFFER_SIZE = PAGE_SIZE * NR_PAGES;
	buffer = mmap(0, BUFFER_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(buffer != MAP_FAILED);

	mfd_buffer = memfd_mmap(BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				&mfd);
	assert(mfd_buffer != MAP_FAILED);
}

/* The physical addresses that the CPU has for whole pages */
static void cpu_pages(const void *ptr, size_t npages, __u64 *phys)
{
	off_t offset = (uintptr_t)ptr / PAGE_SIZE * sizeof(*phys);
	size_t i;
	int fd;

	/* Pinning alone does not put shared memory into the page table */
	assert(!madvise((void *)ptr, npages * PAGE_SIZE, MADV_POPULATE_READ));

	fd = open("/proc/self/pagemap", O_RDONLY);
	assert(fd != -1);
	assert(pread(fd, phys, npages * sizeof(*phys), offset) ==
	       npages * sizeof(*phys));
	close(fd);

	for (i = 0; i != npages; i++) {
		assert(phys[i] >> PAGEMAP_PRESENT_SHIFT);
		/* The PFN reads as 0 without CAP_SYS_ADMIN */
		assert(phys[i] & PAGEMAP_PFN_MASK);
		phys[i] = (phys[i] & PAGEMAP_PFN_MASK) * PAGE_SIZE;
	}
}

/*
 * What an array with room for this many has to get, of areas in the order of
 * their IOVAs. Returns how many. An area ends an extent, a hole ends them all.
 */
static __u32 cpu_extents(const struct area *area, size_t nr_areas, __u64 iova,
			 __u64 length, __u32 room,
			 struct iommu_pa_extent *expected)
{
	static __u64 phys[EXTENTS_ROOM];
	const struct area *end = area + nr_areas;
	__u64 left = length ? length : UINT64_MAX;
	__u32 num = 0;

	while (area != end && iova - area->iova >= area->length)
		area++;

	for (; area != end && iova - area->iova < area->length; area++) {
		__u64 next = 0;

		assert(area->length / PAGE_SIZE <= ARRAY_SIZE(phys));
		cpu_pages(area->ptr, area->length / PAGE_SIZE, phys);
		while (iova - area->iova < area->length) {
			size_t offset = iova - area->iova;
			size_t in_page = offset % PAGE_SIZE;
			__u64 pa = phys[offset / PAGE_SIZE] + in_page;
			__u64 step = PAGE_SIZE - in_page;

			if (step > left)
				step = left;
			/* An area begins with an extent, next is 0 there */
			if (pa != next) {
				if (num == room)
					return num;
				expected[num].phys = pa;
				expected[num++].length = 0;
			}
			expected[num - 1].length += step;
			next = pa + step;
			iova += step;
			left -= step;
			if (!left)
				return num;
		}
	}
	return num;
}

/* Has nothing but the first entries of the array been written? */
static bool extents_untouched(__u32 num)
{
	const unsigned char *byte = (void *)(extents + num);

	for (; byte != (void *)(extents + ARRAY_SIZE(extents)); byte++)
		if (*byte != EXTENTS_UNTOUCHED)
			return false;
	return true;
}

/*
 * Look up a range, without an array if there is to be no room, and compare each
 * byte of the answer. Returns the number of bytes that it covers.
 */
static __u64 __check_lookup(struct __test_metadata *_metadata, int fd,
			    __u32 ioas_id, const struct area *areas,
			    size_t nr_areas, __u64 iova, __u64 length,
			    __u32 room)
{
	static struct iommu_pa_extent expected[EXTENTS_ROOM];
	__u64 expected_length = 0;
	__u64 seen_length = length;
	__u32 expected_num;
	__u32 num = room;
	__u64 phys;
	__u32 i;

	/* The answer without an array is the first extent */
	expected_num = cpu_extents(areas, nr_areas, iova, length, room ?: 1,
				   expected);
	for (i = 0; i != expected_num; i++)
		expected_length += expected[i].length;
	if (!room)
		expected_num = 0;

	memset(extents, EXTENTS_UNTOUCHED, sizeof(extents));
	ASSERT_EQ(0, _test_ioctl_ioas_get_pa(fd, ioas_id, iova, &seen_length,
					     &phys, extents, &num));
	EXPECT_EQ(expected[0].phys, phys);
	EXPECT_EQ(expected_length, seen_length);
	EXPECT_EQ(expected_num, num);
	EXPECT_EQ(0, memcmp(expected, extents,
			    expected_num * sizeof(*extents)));
	EXPECT_TRUE(extents_untouched(expected_num));
	if (_metadata->exit_code)
		TH_LOG("IOVA 0x%llx, length 0x%llx, room %u", iova, length,
		       room);
	ASSERT_EQ(0, _metadata->exit_code);
	return seen_length;
}

#define check_lookup(areas, nr_areas, iova, length, room)                 \
	__check_lookup(_metadata, self->fd, self->ioas_id, areas, nr_areas, \
		       iova, length, room)

/* All of a mapping, each time from where the answer before it ended */
static void __check_pa(struct __test_metadata *_metadata, int fd,
		       __u32 ioas_id, __u64 iova, const void *ptr,
		       size_t length)
{
	const struct area area = { iova, ptr, length };
	__u32 room;
	__u64 at;

	for (room = 0; room != 6; room += 3)
		for (at = iova; at != iova + length;)
			at += __check_lookup(_metadata, fd, ioas_id, &area, 1,
					     at, 0, room);
}

#define check_pa(ioas_id, iova, ptr, length) \
	__check_pa(_metadata, self->fd, ioas_id, iova, ptr, length)

/* Windows from and to everywhere, in areas without a hole between them */
static void __check_windows(struct __test_metadata *_metadata, int fd,
			    __u32 ioas_id, const struct area *areas,
			    size_t nr_areas)
{
	const size_t offsets[] = { 0, 1, PAGE_SIZE - 1, PAGE_SIZE * 3 + 513 };
	const __u32 rooms[] = { 0, 2, EXTENTS_ROOM };
	/* No limit, a byte, no limit, and then to each end and a byte more */
	__u64 lengths[16] = { 0, 1, UINT64_MAX };
	size_t i, j, k, l, nr;

	for (i = 0; i != nr_areas; i++) {
		for (j = 0; j != ARRAY_SIZE(offsets); j++) {
			__u64 iova = areas[i].iova + offsets[j];

			for (nr = 3, k = i; k != nr_areas; k++, nr += 2) {
				lengths[nr] = areas[k].iova +
					      areas[k].length - iova;
				lengths[nr + 1] = lengths[nr] + 1;
			}
			for (k = 0; k != nr; k++)
				for (l = 0; l != ARRAY_SIZE(rooms); l++)
					__check_lookup(_metadata, fd, ioas_id,
						       areas, nr_areas, iova,
						       lengths[k], rooms[l]);
		}
	}
}

#define check_windows(areas, nr_areas) \
	__check_windows(_metadata, self->fd, self->ioas_id, areas, nr_areas)

/*
 * A lookup that fails, with and without an array, and outputs nothing. The
 * arguments are the fields that matter.
 */
#define test_err_get_pa(_errno, ...)                                         \
	({                                                                   \
		__u32 __room;                                                \
									     \
		for (__room = 0; __room != 4; __room += 2) {                 \
			struct iommu_ioas_get_pa cmd = {                     \
				.size = sizeof(cmd),                         \
				.ioas_id = self->ioas_id,                    \
				.iova = TEST_IOVA,                           \
				.out_phys = 0x5a5a,                          \
				.num_extents = __room,                       \
				.extents_uptr = (uintptr_t)extents,          \
				__VA_ARGS__                                  \
			};                                                   \
			struct iommu_ioas_get_pa old = cmd;                  \
									     \
			memset(extents, EXTENTS_UNTOUCHED, sizeof(extents)); \
			EXPECT_ERRNO(_errno, ioctl(self->fd,                 \
						   IOMMU_IOAS_GET_PA, &cmd)); \
			EXPECT_EQ(0, memcmp(&old, &cmd, sizeof(cmd)));       \
			EXPECT_TRUE(extents_untouched(0));                   \
		}                                                            \
	})

#define test_cmd_mock_noiommu(pt_id, stdev_id, hwpt_id, idev_id)            \
	test_cmd_mock_domain_flags(pt_id, MOCK_FLAGS_DEVICE_NOIOMMU,        \
				   stdev_id, hwpt_id, idev_id)
#define test_err_mock_noiommu(_errno, pt_id)                                \
	test_err_mock_domain_flags(_errno, pt_id, MOCK_FLAGS_DEVICE_NOIOMMU, \
				   NULL, NULL)

/* A device, and the buffer mapped at TEST_IOVA */
FIXTURE(noiommu)
{
	int fd;
	uint32_t ioas_id;
	uint32_t stdev_id;
	uint32_t hwpt_id;
	uint32_t device_id;
};

FIXTURE_SETUP(noiommu)
{
	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);
	test_ioctl_set_default_memory_limit();
	test_ioctl_ioas_alloc(&self->ioas_id);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, &self->hwpt_id,
			      &self->device_id);
	test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
}

FIXTURE_TEARDOWN(noiommu)
{
	teardown_iommufd(self->fd, _metadata);
}

#endif
