/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of devices that have no IOMMU share
 *
 * A mock device made with MOCK_FLAGS_DEVICE_NOIOMMU stands in for the device.
 * It is attached to an IOAS like any other, except that the HWPT is driverless
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

/* The physical address that the CPU has for ptr */
static __u64 cpu_phys(const void *ptr)
{
	size_t page_offset = (uintptr_t)ptr % PAGE_SIZE;
	off_t offset = (uintptr_t)ptr / PAGE_SIZE * sizeof(__u64);
	__u64 entry;
	int fd;

	/* Pinning alone does not put shared memory into the page table */
	assert(!madvise((void *)ptr - page_offset, PAGE_SIZE,
			MADV_POPULATE_READ));

	fd = open("/proc/self/pagemap", O_RDONLY);
	assert(fd != -1);
	assert(pread(fd, &entry, sizeof(entry), offset) == sizeof(entry));
	close(fd);

	assert(entry >> PAGEMAP_PRESENT_SHIFT);
	/* The PFN reads as 0 without CAP_SYS_ADMIN */
	assert(entry & PAGEMAP_PFN_MASK);
	return (entry & PAGEMAP_PFN_MASK) * PAGE_SIZE + page_offset;
}

/* How much of the memory at ptr is physically contiguous */
static size_t cpu_contig(const void *ptr, size_t length)
{
	size_t contig = PAGE_SIZE - (uintptr_t)ptr % PAGE_SIZE;
	__u64 phys = cpu_phys(ptr);

	while (contig < length && cpu_phys(ptr + contig) == phys + contig)
		contig += PAGE_SIZE;
	return contig < length ? contig : length;
}

/*
 * Read a range up to the end of the mapping that it is in. Every answer has to
 * go exactly as far as memory is contiguous.
 */
static void __check_pa(struct __test_metadata *_metadata, int fd,
		       __u32 ioas_id, __u64 iova, const void *ptr,
		       size_t length)
{
	size_t done;
	__u64 phys;
	__u64 len;

	for (done = 0; done != length; done += len) {
		len = 0;
		ASSERT_EQ(0, _test_ioctl_ioas_get_pa(fd, ioas_id, iova + done,
						     &len, &phys));
		ASSERT_EQ(cpu_phys(ptr + done), phys);
		ASSERT_EQ(cpu_contig(ptr + done, length - done), len);
	}
}

#define check_pa(ioas_id, iova, ptr, length) \
	__check_pa(_metadata, self->fd, ioas_id, iova, ptr, length)

/* One mapping of user memory */
struct area {
	__u64 iova;
	const void *ptr;
	size_t length;
};

#define EXTENTS_ROOM 1024
#define EXTENTS_UNTOUCHED 0xa5

/* As cpu_phys(), for all pages of an area at once */
static void cpu_phys_area(const struct area *area, __u64 *phys)
{
	size_t npages = area->length / PAGE_SIZE;
	off_t offset = (uintptr_t)area->ptr / PAGE_SIZE * sizeof(*phys);
	size_t i;
	int fd;

	assert(!madvise((void *)area->ptr, area->length, MADV_POPULATE_READ));

	fd = open("/proc/self/pagemap", O_RDONLY);
	assert(fd != -1);
	assert(pread(fd, phys, npages * sizeof(*phys), offset) ==
	       npages * sizeof(*phys));
	close(fd);

	for (i = 0; i != npages; i++) {
		assert(phys[i] >> PAGEMAP_PRESENT_SHIFT);
		assert(phys[i] & PAGEMAP_PFN_MASK);
		phys[i] = (phys[i] & PAGEMAP_PFN_MASK) * PAGE_SIZE;
	}
}

/*
 * What an array with room for this many would get, of areas in the order of
 * their IOVAs. Returns how many. An area ends an extent, a hole ends them all.
 */
static __u32 cpu_extents(const struct area *area, size_t nr_areas, __u64 iova,
			 __u64 length, __u32 room,
			 struct iommu_pa_extent *extents)
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
		cpu_phys_area(area, phys);
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
				extents[num].phys = pa;
				extents[num++].length = 0;
			}
			extents[num - 1].length += step;
			next = pa + step;
			iova += step;
			left -= step;
			if (!left)
				return num;
		}
	}
	return num;
}

/* Has nothing but the first entries of an array been written? */
static bool extents_untouched(const struct iommu_pa_extent *extents, __u32 num,
			      __u32 room)
{
	const unsigned char *byte = (void *)(extents + num);

	for (; byte != (void *)(extents + room); byte++)
		if (*byte != EXTENTS_UNTOUCHED)
			return false;
	return true;
}

/* Every extent has to be right, and to be the only thing that is written */
static void __check_extents(struct __test_metadata *_metadata, int fd,
			    __u32 ioas_id, const struct area *areas,
			    size_t nr_areas, __u64 iova, __u64 length,
			    __u32 room)
{
	static struct iommu_pa_extent expected[EXTENTS_ROOM];
	static struct iommu_pa_extent seen[EXTENTS_ROOM + 1];
	__u64 expected_length = 0;
	__u64 seen_length = length;
	__u32 num = room;
	__u32 expected_num;
	__u64 phys;
	__u32 i;

	assert(room && room <= EXTENTS_ROOM);
	expected_num = cpu_extents(areas, nr_areas, iova, length, room,
				   expected);
	for (i = 0; i != expected_num; i++)
		expected_length += expected[i].length;

	memset(seen, EXTENTS_UNTOUCHED, sizeof(seen));
	ASSERT_EQ(0, _test_ioctl_ioas_get_extents(fd, ioas_id, iova,
						  &seen_length, &phys, seen,
						  &num));
	EXPECT_EQ(expected_num, num);
	EXPECT_EQ(expected_length, seen_length);
	EXPECT_EQ(expected[0].phys, phys);
	for (i = 0; i != expected_num && i != num; i++) {
		EXPECT_EQ(expected[i].phys, seen[i].phys);
		EXPECT_EQ(expected[i].length, seen[i].length);
	}
	EXPECT_TRUE(extents_untouched(seen, num, EXTENTS_ROOM + 1));
	if (_metadata->exit_code)
		TH_LOG("IOVA 0x%llx, length 0x%llx, room %u", iova, length,
		       room);
	ASSERT_EQ(0, _metadata->exit_code);
}

#define check_extents(ioas_id, areas, nr_areas, iova, length, room)       \
	__check_extents(_metadata, self->fd, ioas_id, areas, nr_areas, iova, \
			length, room)

/* Windows from and to everywhere, in areas without a hole between them */
static void __check_all_extents(struct __test_metadata *_metadata, int fd,
				__u32 ioas_id, const struct area *areas,
				size_t nr_areas)
{
	const size_t offsets[] = { 0, 1, 513, PAGE_SIZE - 1, PAGE_SIZE * 3 };
	const __u32 rooms[] = { 1, 2, 5, EXTENTS_ROOM };
	const struct area *last = areas + nr_areas - 1;
	__u64 end = last->iova + last->length;
	/* Up to each area's start and a bit into it, and then these */
	__u64 lengths[16];
	size_t i, j, k, l;
	size_t nr;

	assert(nr_areas + 4 <= ARRAY_SIZE(lengths));
	for (i = 0; i != nr_areas; i++) {
		for (j = 0; j != ARRAY_SIZE(offsets); j++) {
			__u64 iova = areas[i].iova + offsets[j];

			if (offsets[j] >= areas[i].length)
				continue;

			nr = 0;
			lengths[nr++] = 0;
			lengths[nr++] = 1;
			lengths[nr++] = end - iova;
			lengths[nr++] = end - iova + 1;
			for (k = i + 1; k < nr_areas; k++)
				lengths[nr++] = areas[k].iova - areas[i].iova;

			for (k = 0; k != nr; k++)
				for (l = 0; l != ARRAY_SIZE(rooms); l++)
					__check_extents(_metadata, fd, ioas_id,
							areas, nr_areas, iova,
							lengths[k], rooms[l]);
		}
	}
}

#define check_all_extents(ioas_id, areas, nr_areas) \
	__check_all_extents(_metadata, self->fd, ioas_id, areas, nr_areas)

#define test_cmd_mock_noiommu(pt_id, stdev_id, hwpt_id, idev_id)            \
	test_cmd_mock_domain_flags(pt_id, MOCK_FLAGS_DEVICE_NOIOMMU,        \
				   stdev_id, hwpt_id, idev_id)
#define test_err_mock_noiommu(_errno, pt_id)                                \
	test_err_mock_domain_flags(_errno, pt_id, MOCK_FLAGS_DEVICE_NOIOMMU, \
				   NULL, NULL)

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
	test_ioctl_ioas_alloc(&self->ioas_id);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, &self->hwpt_id,
			      &self->device_id);
}

FIXTURE_TEARDOWN(noiommu)
{
	test_ioctl_set_default_memory_limit();
	teardown_iommufd(self->fd, _metadata);
}

/* One IOAS with a device of each kind, attached in either order */
FIXTURE(noiommu_mixed)
{
	int fd;
	uint32_t ioas_id;
	uint32_t stdev_id;
	uint32_t hwpt_id;
	uint32_t device_id;
	uint32_t mock_stdev_id;
	uint32_t mock_hwpt_id;
	uint32_t mock_device_id;
};

FIXTURE_VARIANT(noiommu_mixed)
{
	unsigned int memory_limit;
	bool iommu_first;
	bool map_first;
};

FIXTURE_SETUP(noiommu_mixed)
{
	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);
	if (variant->memory_limit)
		test_ioctl_set_temp_memory_limit(variant->memory_limit);
	test_ioctl_ioas_alloc(&self->ioas_id);
	if (variant->map_first)
		test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
	if (variant->iommu_first)
		test_cmd_mock_domain(self->ioas_id, &self->mock_stdev_id,
				     &self->mock_hwpt_id,
				     &self->mock_device_id);
	test_cmd_mock_noiommu(self->ioas_id, &self->stdev_id, &self->hwpt_id,
			      &self->device_id);
	if (!variant->iommu_first)
		test_cmd_mock_domain(self->ioas_id, &self->mock_stdev_id,
				     &self->mock_hwpt_id,
				     &self->mock_device_id);
	if (!variant->map_first)
		test_ioctl_ioas_map_fixed(buffer, BUFFER_SIZE, TEST_IOVA);
}

FIXTURE_TEARDOWN(noiommu_mixed)
{
	test_ioctl_set_default_memory_limit();
	teardown_iommufd(self->fd, _metadata);
}

FIXTURE_VARIANT_ADD(noiommu_mixed, iommu_first)
{
	.iommu_first = true,
};

FIXTURE_VARIANT_ADD(noiommu_mixed, noiommu_first)
{
};

FIXTURE_VARIANT_ADD(noiommu_mixed, map_iommu_first)
{
	.map_first = true,
	.iommu_first = true,
};

FIXTURE_VARIANT_ADD(noiommu_mixed, map_noiommu_first)
{
	.map_first = true,
};

FIXTURE_VARIANT_ADD(noiommu_mixed, iommu_first_batches)
{
	.memory_limit = 32,
	.iommu_first = true,
};

FIXTURE_VARIANT_ADD(noiommu_mixed, noiommu_first_batches)
{
	.memory_limit = 32,
};

#endif
