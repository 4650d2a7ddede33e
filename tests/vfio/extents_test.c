// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_GET_PA with an array of extents.
 *
 * A driver without an IOMMU programs what it gets here into a device, so every
 * extent of every answer counts, and so does where one ends. They are compared
 * with what layout.h predicts from /proc/self/pagemap, and the bytes of
 * the array that are not part of the answer must stay as they were.
 *
 * NOIOMMU_WINDOWS is the number of random lookups, NOIOMMU_SEED chooses them.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/bits.h>
#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/userfaultfd.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "layout.h"
#include "mem.h"
#include "random.h"
#include "utils.h"

/* Where the tests map that have no reason to map elsewhere */
#define IOVA			SZ_4G

/* Where memory is mapped so that it is pinned and stays where it is */
#define PIN_IOVA		BIT_ULL(62)

#define TIB			BIT_ULL(40)

/* Windows when NOIOMMU_WINDOWS is not set, and the seconds that they may take */
#define WINDOWS			500000
#define WINDOWS_SECONDS		30

static struct noiommu_devices devices;

/*
 * The arguments of the ioctl, and the pointer to the array
 */

#define ARRAY_ROOM		1024

FIXTURE(noiommu_args) {
	struct bound b;
	struct mem mem;
	struct layout layout;
	u32 hwpt_id;
	union get_pa_args valid;

	/* Whole pages, followed by one that cannot be accessed */
	char *array, *array_end;
	/* What a valid lookup of all of the memory writes there */
	struct iommu_pa_extent expected[ARRAY_ROOM];
	u32 nr;
};

FIXTURE_SETUP(noiommu_args)
{
	u64 size = ARRAY_ROOM * sizeof(struct iommu_pa_extent);
	struct answer a = { .extents = self->expected };
	struct window w = { .iova = IOVA, .room = ARRAY_ROOM };
	struct bound *b = &self->b;

	bound_init(b, devices.bdf);
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, 512 * getpagesize()));
	self->hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, (s32)self->hwpt_id);
	layout_map(&self->layout, b, IOVA, self->mem.size, &self->mem, 0);
	mem_read_pagemap(&self->mem);

	layout_predict(&self->layout, &w, &a);
	self->nr = a.nr;
	/* Otherwise the tests would not see what they are for */
	ASSERT_LT(100, self->nr);

	if (size < getpagesize())
		size = getpagesize();
	self->array = mmap(NULL, size + getpagesize(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->array);
	self->array_end = self->array + size;
	ASSERT_EQ(0, mprotect(self->array_end, getpagesize(), PROT_NONE));
	memset(self->array, EXTENTS_UNTOUCHED, size);

	self->valid.args.size = GET_PA_EXTENTS_SIZE;
	self->valid.args.ioas_id = b->ioas_id;
	self->valid.args.iova = IOVA;
	self->valid.args.num_extents = ARRAY_ROOM;
	self->valid.args.extents_uptr = (uintptr_t)self->array;
}

FIXTURE_TEARDOWN(noiommu_args)
{
	ASSERT_EQ(0, munmap(self->array,
			    self->array_end - self->array + getpagesize()));
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

/* Did @args get the first @nr extents of the memory, at @array and nowhere else? */
static bool args_filled(const union get_pa_args *args, char *array, u32 nr,
			const struct iommu_pa_extent *expected, char *end)
{
	const u64 size = nr * sizeof(*expected);
	u64 length = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		length += expected[i].length;

	if (args->args.num_extents == nr && args->args.length == length &&
	    args->args.out_phys == expected[0].phys &&
	    !memcmp(array, expected, size) && bytes_untouched(array + size, end)) {
		memset(array, EXTENTS_UNTOUCHED, size);
		return true;
	}

	fprintf(stderr, "# Expected: %#lx bytes in %u extents, first at %#llx\n",
		length, nr, expected[0].phys);
	fprintf(stderr, "# Observed: %#llx bytes in %u extents, first at %#llx%s\n",
		args->args.length, args->args.num_extents, args->args.out_phys,
		memcmp(array, expected, size) ? ", array differs" : "");
	return false;
}

/* The array has arguments of its own only from size 56 on */
TEST_F(noiommu_args, size)
{
	const u32 longer[] = { 57, 60, 64, 128, sizeof(self->valid) };
	union get_pa_args a;
	u32 size;
	int i;

	for (size = 0; size < GET_PA_SIZE; size++) {
		a = self->valid;
		a.args.size = size;
		ASSERT_EQ(-EINVAL, get_pa_raw(self->b.iommufd, &a));
	}
	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));

	/* What is no part of the struct is neither looked at nor written */
	a = self->valid;
	a.args.size = GET_PA_SIZE;
	a.args.dev_id = 1;
	ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
	ASSERT_EQ(self->expected[0].phys, a.args.out_phys);
	ASSERT_EQ(self->expected[0].length, a.args.length);
	ASSERT_EQ(ARRAY_ROOM, a.args.num_extents);
	ASSERT_EQ(1, a.args.dev_id);
	ASSERT_EQ((uintptr_t)self->array, a.args.extents_uptr);
	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));

	/* So an array whose pointer is no part of it is at NULL */
	for (size = 44; size <= 48; size += 4) {
		a = self->valid;
		a.args.size = size;
		ASSERT_EQ(-EFAULT, get_pa_raw(self->b.iommufd, &a));
		a.args.num_extents = 0;
		ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
		ASSERT_EQ(self->expected[0].phys, a.args.out_phys);
		ASSERT_EQ(self->expected[0].length, a.args.length);
		ASSERT_EQ(0, a.args.num_extents);
		ASSERT_EQ((uintptr_t)self->array, a.args.extents_uptr);
	}
	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));

	a = self->valid;
	ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
	ASSERT_TRUE(args_filled(&a, self->array, self->nr, self->expected,
				self->array_end));

	/* Just that, even if more follows */
	a = self->valid;
	a.bytes[GET_PA_EXTENTS_SIZE] = 1;
	ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
	ASSERT_TRUE(args_filled(&a, self->array, self->nr, self->expected,
				self->array_end));
	ASSERT_EQ(1, a.bytes[GET_PA_EXTENTS_SIZE]);

	for (i = 0; i < ARRAY_SIZE(longer); i++) {
		a = self->valid;
		a.args.size = longer[i];
		ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
		ASSERT_TRUE(args_filled(&a, self->array, self->nr,
					self->expected, self->array_end));

		for (size = GET_PA_EXTENTS_SIZE; size < longer[i]; size++) {
			a = self->valid;
			a.args.size = longer[i];
			a.bytes[size] = 0x80;
			ASSERT_EQ(-E2BIG, get_pa_raw(self->b.iommufd, &a));
			a.args.num_extents = 0;
			ASSERT_EQ(-E2BIG, get_pa_raw(self->b.iommufd, &a));
		}
		ASSERT_TRUE(bytes_untouched(self->array, self->array_end));
	}
}

/* The struct ends where the memory does */
TEST_F(noiommu_args, struct_at_end)
{
	const u32 sizes[] = { GET_PA_SIZE, 48, GET_PA_EXTENTS_SIZE };
	const u64 page_size = getpagesize();
	struct iommu_ioas_get_pa *args;
	char *buf, *end;
	int i;

	buf = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	end = buf + page_size;
	ASSERT_EQ(0, mprotect(end, page_size, PROT_NONE));

	self->valid.args.num_extents = 0;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		args = (void *)(end - sizes[i]);
		memcpy(args, &self->valid, sizes[i]);
		args->size = sizes[i];
		ASSERT_EQ(0, ioctl_errno(self->b.iommufd, IOMMU_IOAS_GET_PA,
					 args));
		ASSERT_EQ(self->expected[0].phys, args->out_phys);
		ASSERT_EQ(self->expected[0].length, args->length);
	}

	/* There is an array, but no place for the rest of the answer */
	args = (void *)(end - GET_PA_EXTENTS_SIZE);
	args->num_extents = ARRAY_ROOM;
	args->length = 0;
	args->out_phys = 0;
	ASSERT_EQ(0, mprotect(buf, page_size, PROT_READ));
	ASSERT_EQ(-EFAULT, ioctl_errno(self->b.iommufd, IOMMU_IOAS_GET_PA, args));
	ASSERT_EQ(0, args->length);
	ASSERT_EQ(0, args->out_phys);
	ASSERT_EQ(ARRAY_ROOM, args->num_extents);

	ASSERT_EQ(0, munmap(buf, 2 * page_size));
}

TEST_F(noiommu_args, reserved)
{
	const u32 room[] = { 0, 1, ARRAY_ROOM };
	union get_pa_args a;
	int bit, i;

	for (i = 0; i < ARRAY_SIZE(room); i++) {
		self->valid.args.num_extents = room[i];
		for (bit = 0; bit < 32; bit++) {
			a = self->valid;
			a.args.flags = 1U << bit;
			if (a.args.flags != IOMMU_IOAS_GET_PA_DEVICE)
				ASSERT_EQ(-EOPNOTSUPP,
					  get_pa_raw(self->b.iommufd, &a));

			a = self->valid;
			a.args.__reserved = 1U << bit;
			ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(self->b.iommufd, &a));

			a = self->valid;
			a.args.dev_id = 1U << bit;
			ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(self->b.iommufd, &a));
		}
	}

	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));
}

TEST_F(noiommu_args, bad_ioas)
{
	u32 ids[] = {
		0, UINT32_MAX, self->b.dev_id, self->hwpt_id,
		self->b.ioas_id + 1000,
	};
	union get_pa_args a;
	int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		a = self->valid;
		a.args.ioas_id = ids[i];
		ASSERT_EQ(-ENOENT, get_pa_raw(self->b.iommufd, &a));
	}

	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));
}

TEST_F(noiommu_args, bad_device)
{
	u32 ids[] = {
		0, UINT32_MAX, self->b.ioas_id, self->hwpt_id,
		self->b.dev_id + 1000,
	};
	union get_pa_args a;
	int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		a = self->valid;
		a.args.flags = IOMMU_IOAS_GET_PA_DEVICE;
		a.args.dev_id = ids[i];
		ASSERT_EQ(-ENOENT, get_pa_raw(self->b.iommufd, &a));
	}
	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));

	/* A short struct has none to tell */
	a.args.size = GET_PA_SIZE;
	a.args.dev_id = self->b.dev_id;
	ASSERT_EQ(-ENOENT, get_pa_raw(self->b.iommufd, &a));

	/* Here the device sees what the CPU does */
	a = self->valid;
	a.args.flags = IOMMU_IOAS_GET_PA_DEVICE;
	a.args.dev_id = self->b.dev_id;
	ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
	ASSERT_EQ(self->expected[0].phys, a.args.out_phys);
}

TEST_F(noiommu_args, needs_capability)
{
	union get_pa_args a = self->valid;
	int i;

	/* At every call: the fds are from when it was there */
	for (i = 0; i < 2; i++) {
		cap_set(CAP_SYS_RAWIO, false);
		ASSERT_EQ(-EPERM, get_pa_raw(self->b.iommufd, &a));
		cap_set(CAP_SYS_RAWIO, true);
		ASSERT_TRUE(bytes_untouched(self->array, self->array_end));

		ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
		ASSERT_TRUE(args_filled(&a, self->array, self->nr,
					self->expected, self->array_end));
		a = self->valid;
	}
}

/* It takes a noiommu HWPT, for mapped memory only */
TEST_F(noiommu_args, no_hwpt)
{
	struct bound *b = &self->b;
	union get_pa_args a;
	u32 other_id;

	ASSERT_EQ(0, device_detach(b->device_fd));
	a = self->valid;
	ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(b->iommufd, &a));
	a.args.iova = IOVA + self->mem.size - 1;
	ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(b->iommufd, &a));
	a.args.iova = IOVA - 1;
	ASSERT_EQ(-ENOENT, get_pa_raw(b->iommufd, &a));
	a.args.iova = IOVA + self->mem.size;
	ASSERT_EQ(-ENOENT, get_pa_raw(b->iommufd, &a));

	/* One on another IOAS is of no use, not even with the same memory */
	other_id = ioas_alloc(b->iommufd);
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, other_id, IOVA, b->ioas_id,
				     IOVA, self->mem.size));
	ASSERT_LT(0, device_attach_to(b->device_fd, other_id));
	mem_read_pagemap(&self->mem);
	a = self->valid;
	ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(b->iommufd, &a));
	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));

	a.args.ioas_id = other_id;
	ASSERT_EQ(0, get_pa_raw(b->iommufd, &a));
	ASSERT_EQ(mem_nr_runs(&self->mem), a.args.num_extents);
	ASSERT_EQ(self->mem.phys[0], a.args.out_phys);
}

TEST_F(noiommu_args, unmapped)
{
	const u64 size = self->mem.size;
	const u64 iovas[] = {
		0, IOVA - 1, IOVA + size, 1ULL << 48, 1ULL << 63,
		-(u64)getpagesize(), UINT64_MAX - 1,
	};
	union get_pa_args a;
	int i;

	for (i = 0; i < ARRAY_SIZE(iovas); i++) {
		a = self->valid;
		a.args.iova = iovas[i];
		ASSERT_EQ(-ENOENT, get_pa_raw(self->b.iommufd, &a));
		a.args.length = 1;
		ASSERT_EQ(-ENOENT, get_pa_raw(self->b.iommufd, &a));
	}

	/* It does not look for the next byte that is mapped */
	a = self->valid;
	a.args.iova = IOVA - getpagesize();
	a.args.length = size;
	ASSERT_EQ(-ENOENT, get_pa_raw(self->b.iommufd, &a));

	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));
}

TEST_F(noiommu_args, overflow)
{
	const u64 page_size = getpagesize();
	const u64 last_page = -page_size;
	const u64 lengths[] = { 0, 1, 2, page_size, page_size + 1, UINT64_MAX };
	const struct window beyond[] = {
		{ .iova = IOVA, .length = UINT64_MAX },
		{ .iova = IOVA, .length = UINT64_MAX - IOVA + 2 },
		{ .iova = IOVA + 1, .length = UINT64_MAX },
		{ .iova = last_page, .length = page_size + 1 },
		{ .iova = last_page, .length = UINT64_MAX },
		{ .iova = UINT64_MAX - 1, .length = 3 },
		{ .iova = UINT64_MAX - 1, .length = UINT64_MAX },
		{ .iova = 1ULL << 63, .length = (1ULL << 63) + 1 },
	};
	struct extents e;
	struct window w;
	union get_pa_args a;
	int i;

	layout_map(&self->layout, &self->b, last_page, page_size, &self->mem, 0);

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		a = self->valid;
		a.args.iova = UINT64_MAX;
		a.args.length = lengths[i];
		ASSERT_EQ(-EOVERFLOW, get_pa_raw(self->b.iommufd, &a))
			TH_LOG("%#lx bytes", lengths[i]);
	}
	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));

	/* What goes past the end of the address space ends there */
	extents_init(&e, ARRAY_ROOM);
	for (w.room = 0; w.room <= 2; w.room++) {
		for (i = 0; i < ARRAY_SIZE(beyond); i++) {
			w.iova = beyond[i].iova;
			w.length = beyond[i].length;
			ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &e));
		}
		w.iova = last_page;
		for (w.length = page_size - 1; w.length <= page_size; w.length++)
			ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &e));
		w.length = 0;
		ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &e));
		w.iova = UINT64_MAX - 1;
		ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &e));
		w.length = 1;
		ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &e));
		w.iova = IOVA;
		w.length = UINT64_MAX - IOVA + 1;
		ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &e));
	}
	ASSERT_TRUE(extents_untouched(&e));
	extents_cleanup(&e);
}

TEST_F(noiommu_args, bad_array)
{
	const u64 page_size = getpagesize();
	const u32 room[] = { 1, 2, ARRAY_ROOM };
	u64 uptrs[] = {
		0, 0, 0, (uintptr_t)self->array_end, 0, 1, 1ULL << 63,
		0xffff888000000000ULL, -16ULL, -8ULL, UINT64_MAX,
	};
	char *unmapped, *read_only, *file;
	union get_pa_args a;
	int i, j, fd;

	read_only = mmap(NULL, SZ_64K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, read_only);
	memset(read_only, EXTENTS_UNTOUCHED, SZ_64K);
	ASSERT_EQ(0, mprotect(read_only, SZ_64K, PROT_READ));

	/* There is an address space, but no file behind it */
	fd = memfd_create("noiommu", 0);
	ASSERT_LE(0, fd);
	file = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, file);

	/* Last, so that nothing else takes its place */
	unmapped = mmap(NULL, SZ_64K, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	ASSERT_NE(MAP_FAILED, unmapped);
	ASSERT_EQ(0, munmap(unmapped, SZ_64K));

	uptrs[0] = (uintptr_t)unmapped;
	uptrs[1] = (uintptr_t)read_only;
	uptrs[2] = (uintptr_t)file;

	for (i = 0; i < ARRAY_SIZE(uptrs); i++) {
		for (j = 0; j < ARRAY_SIZE(room); j++) {
			a = self->valid;
			a.args.extents_uptr = uptrs[i];
			a.args.num_extents = room[j];
			ASSERT_EQ(-EFAULT, get_pa_raw(self->b.iommufd, &a))
				TH_LOG("Array at %#lx", uptrs[i]);
			a.args.iova += page_size - 1;
			a.args.length = 1;
			ASSERT_EQ(-EFAULT, get_pa_raw(self->b.iommufd, &a))
				TH_LOG("Array at %#lx", uptrs[i]);
		}

		/* It is not even looked at without room */
		a = self->valid;
		a.args.extents_uptr = uptrs[i];
		a.args.num_extents = 0;
		ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
		ASSERT_EQ(self->expected[0].phys, a.args.out_phys);
		ASSERT_EQ(self->expected[0].length, a.args.length);
		ASSERT_EQ(0, a.args.num_extents);
		ASSERT_EQ(uptrs[i], a.args.extents_uptr);
	}

	ASSERT_TRUE(bytes_untouched(self->array, self->array_end));
	ASSERT_TRUE(bytes_untouched(read_only, read_only + SZ_64K));

	ASSERT_EQ(0, munmap(read_only, SZ_64K));
	ASSERT_EQ(0, munmap(file, page_size));
	ASSERT_EQ(0, close(fd));
}

/*
 * The array is good up to some byte. Up to there may be what a lookup with a
 * good array writes, up to any byte. From there on nothing may be.
 */
TEST_F(noiommu_args, partly_bad_array)
{
	const u64 entry = sizeof(struct iommu_pa_extent);
	const u64 good[] = {
		1, 8, entry - 1, entry, entry + 8, 2 * entry, 3 * entry + 8,
		15 * entry, 16 * entry, 17 * entry, 31 * entry, 32 * entry,
		33 * entry, 64 * entry, 65 * entry, (self->nr - 1) * entry,
	};
	const char *expected = (char *)self->expected;
	union get_pa_args a;
	char *start;
	u64 done;
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		start = self->array_end - good[i];

		a = self->valid;
		a.args.extents_uptr = (uintptr_t)start;
		a.args.num_extents = self->nr;
		ASSERT_EQ(-EFAULT, get_pa_raw(self->b.iommufd, &a))
			TH_LOG("%lu good bytes", good[i]);

		for (done = 0; done < good[i]; done++) {
			if (start[done] != expected[done])
				break;
		}
		ASSERT_TRUE(bytes_untouched(start + done, self->array_end))
			TH_LOG("%lu good bytes, the first %lu are right",
			       good[i], done);
		ASSERT_TRUE(bytes_untouched(self->array, start))
			TH_LOG("%lu good bytes", good[i]);
		memset(start, EXTENTS_UNTOUCHED, good[i]);

		/* Room for no more than there is, if for one at all */
		if (good[i] < entry)
			continue;
		a = self->valid;
		a.args.extents_uptr = (uintptr_t)start;
		a.args.num_extents = good[i] / entry;
		ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
		ASSERT_TRUE(args_filled(&a, start, good[i] / entry,
					self->expected, self->array_end));
		ASSERT_TRUE(bytes_untouched(self->array, self->array_end));
	}
}

/* An array that takes page faults, of each kind that ends well */
TEST_F(noiommu_args, array_faults)
{
	const u64 size = self->array_end - self->array;
	const u64 page_size = getpagesize();
	struct {
		int flags;
		bool written;
	} kinds[] = {
		{ MAP_PRIVATE | MAP_ANONYMOUS, false },
		{ MAP_PRIVATE | MAP_ANONYMOUS, true },
		{ MAP_SHARED | MAP_ANONYMOUS, false },
		{ MAP_SHARED, false },
		{ MAP_PRIVATE, false },
	};
	union get_pa_args a;
	char *array;
	int i, fd;

	fd = memfd_create("noiommu", 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, size + page_size));

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		array = mmap(NULL, size + page_size, PROT_READ | PROT_WRITE,
			     kinds[i].flags,
			     kinds[i].flags & MAP_ANONYMOUS ? -1 : fd, 0);
		ASSERT_NE(MAP_FAILED, array);
		/* Swap or the zero page */
		if (kinds[i].written) {
			memset(array, 0, size);
			madvise(array, size, MADV_PAGEOUT);
		}

		/* Entries cross from one page to the next */
		a = self->valid;
		a.args.extents_uptr = (uintptr_t)array + 8;
		ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
		ASSERT_EQ(self->nr, a.args.num_extents);
		ASSERT_EQ(self->mem.size, a.args.length);
		ASSERT_EQ(0, memcmp(array + 8, self->expected,
				    self->nr * sizeof(*self->expected)));
		ASSERT_EQ(0, *(u64 *)array);
		ASSERT_EQ(0, *(u64 *)(array + 8 +
				      self->nr * sizeof(*self->expected)));
		ASSERT_EQ(0, munmap(array, size + page_size));
	}

	ASSERT_EQ(0, close(fd));
}

/* An array in the very memory that is looked up */
TEST_F(noiommu_args, array_in_memory)
{
	const u64 offset = 3 * getpagesize() + 8;
	char *array = self->mem.vaddr + offset;
	union get_pa_args a = self->valid;

	memset(self->mem.vaddr, EXTENTS_UNTOUCHED, self->mem.size);
	a.args.extents_uptr = (uintptr_t)array;
	ASSERT_EQ(0, get_pa_raw(self->b.iommufd, &a));
	ASSERT_TRUE(bytes_untouched(self->mem.vaddr, array));
	ASSERT_TRUE(args_filled(&a, array, self->nr, self->expected,
				self->mem.vaddr + self->mem.size));
}

/*
 * Memory of all kinds
 */

FIXTURE(noiommu_extents) {
	struct bound b;
	struct mem mem;
	struct layout layout;
	struct extents e;
};

FIXTURE_VARIANT(noiommu_extents) {
	enum mem_kind kind;
	bool map_first;
	bool small_leaves;
};

FIXTURE_VARIANT_ADD(noiommu_extents, scattered) {
	.kind = MEM_SCATTERED,
};

FIXTURE_VARIANT_ADD(noiommu_extents, scattered_map_first) {
	.kind = MEM_SCATTERED,
	.map_first = true,
};

FIXTURE_VARIANT_ADD(noiommu_extents, ordered) {
	.kind = MEM_ORDERED,
};

FIXTURE_VARIANT_ADD(noiommu_extents, thp) {
	.kind = MEM_THP,
};

FIXTURE_VARIANT_ADD(noiommu_extents, hugetlb) {
	.kind = MEM_HUGETLB,
};

FIXTURE_VARIANT_ADD(noiommu_extents, hugetlb_map_first) {
	.kind = MEM_HUGETLB,
	.map_first = true,
};

/* How the mapping is stored must not show */
FIXTURE_VARIANT_ADD(noiommu_extents, hugetlb_small_leaves) {
	.kind = MEM_HUGETLB,
	.small_leaves = true,
};

FIXTURE_VARIANT_ADD(noiommu_extents, hugetlb_1g) {
	.kind = MEM_HUGETLB_1G,
};

FIXTURE_VARIANT_ADD(noiommu_extents, memfd) {
	.kind = MEM_MEMFD,
};

FIXTURE_VARIANT_ADD(noiommu_extents, memfd_hugetlb) {
	.kind = MEM_MEMFD_HUGETLB,
};

FIXTURE_SETUP(noiommu_extents)
{
	const u64 size = variant->kind == MEM_HUGETLB_1G ? SZ_1G : SZ_4M;
	struct bound *b = &self->b;

	if (!mem_alloc(&self->mem, variant->kind, size))
		SKIP(return, "No huge pages of that size are to be had");

	bound_init(b, devices.bdf);
	extents_init(&self->e, self->mem.npages + 1);

	if (variant->small_leaves)
		ASSERT_EQ(0, ioas_huge_pages_set(b->iommufd, b->ioas_id, false));

	if (!variant->map_first)
		ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	layout_map(&self->layout, b, IOVA, size, &self->mem, 0);
	if (variant->map_first)
		ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));

	mem_read_pagemap(&self->mem);

	/* Otherwise the tests below would not see what they are for */
	ASSERT_TRUE(mem_layout_is_apt(&self->mem));
}

FIXTURE_TEARDOWN(noiommu_extents)
{
	EXPECT_TRUE(extents_untouched(&self->e));
	extents_cleanup(&self->e);
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

/* The whole buffer in one call, and what the model itself is checked by */
TEST_F(noiommu_extents, whole)
{
	struct mem *mem = &self->mem;
	const u32 nr = mem_nr_runs(mem);
	const u32 room[] = { nr, nr + 1, mem->npages, mem->npages + 1 };
	const u64 max[] = { 0, mem->size, mem->size + 1, SZ_4G };
	struct answer a = { .extents = self->e.seen };
	u64 offset, sum = 0;
	struct window w;
	u32 i, j;

	w.iova = IOVA;
	for (i = 0; i < ARRAY_SIZE(room); i++) {
		w.room = min(room[i], self->e.room);
		for (j = 0; j < ARRAY_SIZE(max); j++) {
			w.length = max[j];
			ASSERT_TRUE(window_check(&self->b, &self->layout, &w,
						 &self->e));
		}
	}

	window_lookup(&self->b, &w, &a);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(nr, a.nr);
	ASSERT_EQ(mem->size, a.length);
	ASSERT_EQ(a.extents[0].phys, a.phys);
	for (i = 0; i < a.nr; i++)
		sum += a.extents[i].length;
	ASSERT_EQ(a.length, sum);

	/* Every page, by what pagemap says of it alone */
	for (i = 0, offset = 0; i < a.nr; offset += a.extents[i].length, i++) {
		for (sum = 0; sum < a.extents[i].length; sum += getpagesize())
			ASSERT_EQ(mem->phys[(offset + sum) / getpagesize()],
				  a.extents[i].phys + sum);
		if (i)
			ASSERT_NE(a.extents[i].phys, a.extents[i - 1].phys +
						     a.extents[i - 1].length);
	}
	memset(a.extents, EXTENTS_UNTOUCHED, a.nr * sizeof(*a.extents));
}

/* With an array that is full each time, the way to read any buffer */
TEST_F(noiommu_extents, go_on)
{
	const u32 rooms[] = {
		1, 2, 3, 15, 16, 17, 63, 64, 255, 256, 257, 1000,
	};
	struct answer a = { .extents = self->e.expected };
	struct mem *mem = &self->mem;
	struct window w;
	u64 nr;
	int i;

	for (i = 0; i < ARRAY_SIZE(rooms) && rooms[i] <= self->e.room; i++) {
		w.room = rooms[i];
		w.iova = IOVA;
		for (nr = 0; w.iova < IOVA + mem->size; nr += a.nr) {
			/* Every other room with a limit that is not reached */
			w.length = i % 2 ? IOVA + mem->size - w.iova : 0;
			ASSERT_TRUE(window_check(&self->b, &self->layout, &w,
						 &self->e));
			layout_predict(&self->layout, &w, &a);
			w.iova += a.length;
		}
		ASSERT_EQ(mem_nr_runs(mem), nr);
		ASSERT_EQ(IOVA + mem->size, w.iova);
		ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &self->e));
	}
}

TEST_F(noiommu_extents, unaligned)
{
	const u64 page_size = getpagesize();
	const u64 in_page[] = { 0, 1, 8, 511, page_size / 2, page_size - 1 };
	const u64 max[] = {
		0, 1, 2, 511, page_size - 1, page_size, page_size + 1,
		5 * page_size - 3, SZ_1M + 7, SZ_2M - 1, SZ_2M, SZ_2M + 1,
		self->mem.size - 1, self->mem.size, self->mem.size + 1,
	};
	const u32 room[] = { 0, 1, 2, 5, self->mem.npages };
	const u64 step = self->mem.npages / 8 - 1;
	struct window w;
	u64 page;
	int i, j, k;

	for (page = 0; page < self->mem.npages; page += step) {
		for (i = 0; i < ARRAY_SIZE(in_page); i++) {
			w.iova = IOVA + page * page_size + in_page[i];
			for (j = 0; j < ARRAY_SIZE(max); j++) {
				w.length = max[j];
				for (k = 0; k < ARRAY_SIZE(room); k++) {
					w.room = room[k];
					ASSERT_TRUE(window_check(&self->b,
								 &self->layout,
								 &w, &self->e));
				}
			}
		}
	}

	/* The very last byte */
	w.iova = IOVA + self->mem.size - 1;
	w.length = 0;
	w.room = 3;
	ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &self->e));
}

/* All three ways to ask give the same first run */
TEST_F(noiommu_extents, forms_agree)
{
	const u64 step = self->mem.npages / 64 + 1;
	struct answer array = { .extents = self->e.seen };
	struct answer empty = { .extents = self->e.seen };
	struct answer old = { .extents = self->e.seen };
	struct window w;
	u64 page;

	for (page = 0; page < self->mem.npages; page += step) {
		w.iova = IOVA + page * getpagesize() + page % getpagesize();
		w.length = page % 3 ? page * 1000 : 0;

		w.room = 0;
		window_lookup_short(&self->b, &w, &old);
		window_lookup(&self->b, &w, &empty);
		w.room = 2;
		window_lookup(&self->b, &w, &array);

		ASSERT_EQ(0, old.ret);
		ASSERT_TRUE(answers_equal(&old, &empty));
		ASSERT_EQ(0, array.ret);
		ASSERT_LE(1, array.nr);
		ASSERT_EQ(old.phys, array.phys);
		ASSERT_EQ(old.phys, array.extents[0].phys);
		ASSERT_EQ(old.length, array.extents[0].length);
		memset(array.extents, EXTENTS_UNTOUCHED,
		       array.nr * sizeof(*array.extents));
	}
}

/*
 * More than one mapping, and holes
 */

FIXTURE(noiommu_layout) {
	struct bound b;
	struct mem scattered, memfd, huge;
	struct layout layout;
	struct extents e;
};

FIXTURE_SETUP(noiommu_layout)
{
	struct bound *b = &self->b;

	/* The tests need memory that is contiguous from one mapping to the next */
	if (!mem_alloc(&self->huge, MEM_HUGETLB, SZ_2M))
		SKIP(return, "No huge page of 2 MiB is free");
	ASSERT_TRUE(mem_alloc(&self->scattered, MEM_SCATTERED, SZ_1M));
	ASSERT_TRUE(mem_alloc(&self->memfd, MEM_MEMFD, SZ_1M));

	bound_init(b, devices.bdf);
	extents_init(&self->e, 1024);
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));

	layout_map(&self->layout, b, PIN_IOVA, SZ_2M, &self->huge, 0);
	layout_map(&self->layout, b, PIN_IOVA + SZ_1G, SZ_1M, &self->scattered,
		   0);
	layout_map(&self->layout, b, PIN_IOVA + SZ_2G, SZ_1M, &self->memfd, 0);
	mem_read_pagemap(&self->huge);
	mem_read_pagemap(&self->scattered);
	mem_read_pagemap(&self->memfd);
	ASSERT_LE(SZ_2M, self->huge.run[0]);
}

FIXTURE_TEARDOWN(noiommu_layout)
{
	EXPECT_TRUE(extents_untouched(&self->e));
	extents_cleanup(&self->e);
	bound_cleanup(&self->b);
	mem_free(&self->scattered);
	mem_free(&self->memfd);
	mem_free(&self->huge);
}

/* Lookups from, to, and past all the places where something begins or ends */
static bool layout_check_edges(const struct bound *b,
			       const struct layout *layout, u64 first_iova,
			       u64 last_iova, struct extents *e)
{
	const u64 page_size = getpagesize();
	const s64 around[] = { -(s64)page_size, -1, 0, 1, page_size };
	const u32 rooms[] = { 0, 1, 2, 3, 4, 5, e->room };
	u64 edges[64], nr = 0;
	struct window w;
	u64 i, j, k, l;

	for (i = 0; i < layout->nr; i++) {
		const struct mapping *m = &layout->mappings[i];

		if (m->iova < first_iova || m->iova > last_iova)
			continue;
		VFIO_ASSERT_LE(nr + 2, ARRAY_SIZE(edges));
		edges[nr++] = m->iova;
		edges[nr++] = m->iova + m->length;
	}

	for (i = 0; i < nr; i++) {
		for (j = 0; j < ARRAY_SIZE(around); j++) {
			w.iova = edges[i] + around[j];
			for (k = i; k < nr; k++) {
				/* To each later edge, before and past it */
				w.length = edges[k] + around[(j + k) % 5] -
					   w.iova;
				if (k == i)
					w.length = 0;
				for (l = 0; l < ARRAY_SIZE(rooms); l++) {
					w.room = rooms[l];
					if (!window_check(b, layout, &w, e))
						return false;
				}
			}
		}
	}

	return true;
}

/* An extent ends with its mapping, even if memory and IOVA go on */
TEST_F(noiommu_layout, adjacent_halves)
{
	const u64 phys = self->huge.phys[0];
	struct answer a = { .extents = self->e.seen };
	struct window w = { .iova = IOVA, .room = 8 };

	layout_map(&self->layout, &self->b, IOVA, SZ_1M, &self->huge, 0);
	layout_map(&self->layout, &self->b, IOVA + SZ_1M, SZ_1M, &self->huge,
		   SZ_1M);

	window_lookup(&self->b, &w, &a);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(2, a.nr);
	ASSERT_EQ(SZ_2M, a.length);
	ASSERT_EQ(phys, a.phys);
	ASSERT_EQ(phys, a.extents[0].phys);
	ASSERT_EQ(SZ_1M, a.extents[0].length);
	ASSERT_EQ(phys + SZ_1M, a.extents[1].phys);
	ASSERT_EQ(SZ_1M, a.extents[1].length);

	/* Two bytes, one of each */
	w.iova = IOVA + SZ_1M - 1;
	w.length = 2;
	window_lookup(&self->b, &w, &a);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(2, a.nr);
	ASSERT_EQ(2, a.length);
	ASSERT_EQ(phys + SZ_1M - 1, a.extents[0].phys);
	ASSERT_EQ(1, a.extents[0].length);
	ASSERT_EQ(phys + SZ_1M, a.extents[1].phys);
	ASSERT_EQ(1, a.extents[1].length);
	memset(a.extents, EXTENTS_UNTOUCHED, 2 * sizeof(*a.extents));

	ASSERT_TRUE(layout_check_edges(&self->b, &self->layout, IOVA,
				       IOVA + SZ_2M, &self->e));
}

/* Where a page has several of the IO page table, IOVA and memory can lie differently */
TEST_F(noiommu_layout, other_place_in_page)
{
	const u64 page_size = getpagesize();
	const u64 length = 8 * page_size;
	u64 offset, iova = IOVA;

	if (page_size == SZ_4K)
		SKIP(return, "Pages are as small as those of the IO page table");

	for (offset = SZ_4K; offset < page_size; offset *= 2) {
		layout_map(&self->layout, &self->b, iova, length,
			   &self->scattered, offset);
		iova += length;
	}
	ASSERT_TRUE(layout_check_edges(&self->b, &self->layout, IOVA, iova,
				       &self->e));
}

/* The same memory in the wrong order, and the same page over and over */
TEST_F(noiommu_layout, adjacent_same_memory)
{
	const u64 page_size = getpagesize();
	u64 iova = IOVA;
	int i;

	layout_map(&self->layout, &self->b, iova, SZ_1M, &self->huge, SZ_1M);
	iova += SZ_1M;
	layout_map(&self->layout, &self->b, iova, SZ_1M, &self->huge, 0);
	iova += SZ_1M;
	for (i = 0; i < 5; i++, iova += page_size)
		layout_map(&self->layout, &self->b, iova, page_size,
			   &self->scattered, 0);
	for (i = 0; i < 5; i++, iova += page_size)
		layout_map(&self->layout, &self->b, iova, page_size,
			   &self->huge, 7 * page_size);

	ASSERT_TRUE(layout_check_edges(&self->b, &self->layout, IOVA, iova,
				       &self->e));
}

TEST_F(noiommu_layout, adjacent_sizes)
{
	const u64 page_size = getpagesize();
	struct mem *scattered = &self->scattered;
	struct mem *memfd = &self->memfd;
	struct mem *huge = &self->huge;
	struct {
		struct mem *mem;
		u64 offset, length;
	} parts[] = {
		{ scattered, 2 * page_size, 3 * page_size },
		{ huge, SZ_1M, SZ_512K },
		{ huge, SZ_1M + SZ_512K, page_size },
		{ memfd, 7 * page_size, 5 * page_size },
		{ memfd, 0, page_size },
		{ huge, 0, SZ_2M },
		{ scattered, 0, SZ_1M },
		{ huge, SZ_64K, 11 * page_size },
		{ memfd, 0, SZ_1M },
	};
	u64 iova = IOVA;
	int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		layout_map(&self->layout, &self->b, iova, parts[i].length,
			   parts[i].mem, parts[i].offset);
		iova += parts[i].length;
	}

	ASSERT_TRUE(layout_check_edges(&self->b, &self->layout, IOVA, iova,
				       &self->e));
}

/* A huge page in mappings of a page each has as many extents as it has pages */
TEST_F(noiommu_layout, mapping_per_page)
{
	const u64 page_size = getpagesize();
	const u64 npages = min_t(u64, SZ_1M / page_size, LAYOUT_MAX - 8);
	struct answer a = { .extents = self->e.seen };
	struct window w = { .iova = IOVA, .room = 1024 };
	u64 i;

	for (i = 0; i < npages; i++)
		layout_map(&self->layout, &self->b, IOVA + i * page_size,
			   page_size, &self->huge, i * page_size);

	window_lookup(&self->b, &w, &a);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(npages, a.nr);
	ASSERT_EQ(npages * page_size, a.length);
	for (i = 0; i < npages; i++) {
		ASSERT_EQ(self->huge.phys[i], a.extents[i].phys);
		ASSERT_EQ(page_size, a.extents[i].length);
	}
	memset(a.extents, EXTENTS_UNTOUCHED, a.nr * sizeof(*a.extents));

	for (w.room = 1; w.room < 300; w.room += 7)
		ASSERT_TRUE(window_check(&self->b, &self->layout, &w, &self->e));
}

TEST_F(noiommu_layout, holes)
{
	const u64 page_size = getpagesize();
	const u64 step = 8 * page_size;
	struct answer a = { .extents = self->e.seen };
	struct window w = { .iova = IOVA, .length = SZ_1M, .room = 64 };
	struct bound *b = &self->b;
	int i;

	/* A hole of a page, a mapping next to it, a hole of 1 TiB */
	layout_map(&self->layout, b, IOVA, step, &self->huge, 0);
	layout_map(&self->layout, b, IOVA + step + page_size, step,
		   &self->scattered, 0);
	layout_map(&self->layout, b, IOVA + 2 * step + page_size, step,
		   &self->memfd, 0);
	layout_map(&self->layout, b, IOVA + TIB, step, &self->huge, SZ_1M);

	window_lookup(b, &w, &a);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(1, a.nr);
	ASSERT_EQ(step, a.length);
	ASSERT_EQ(self->huge.phys[0], a.phys);
	ASSERT_EQ(self->huge.phys[0], a.extents[0].phys);
	ASSERT_EQ(step, a.extents[0].length);
	memset(a.extents, EXTENTS_UNTOUCHED, sizeof(*a.extents));

	for (w.iova = IOVA + step; w.iova < IOVA + step + page_size;
	     w.iova += page_size - 1) {
		window_lookup(b, &w, &a);
		ASSERT_EQ(-ENOENT, a.ret);
	}

	ASSERT_TRUE(layout_check_edges(b, &self->layout, IOVA, IOVA + 2 * TIB,
				       &self->e));

	/* The hole closes and opens again */
	for (i = 0; i < 3; i++) {
		layout_map(&self->layout, b, IOVA + step, page_size,
			   &self->huge, step);
		ASSERT_TRUE(layout_check_edges(b, &self->layout, IOVA,
					       IOVA + SZ_1G, &self->e));
		layout_unmap(&self->layout, b, IOVA + step);
		ASSERT_TRUE(layout_check_edges(b, &self->layout, IOVA,
					       IOVA + SZ_1G, &self->e));
	}

	/* And another one in place of a mapping */
	layout_unmap(&self->layout, b, IOVA + step + page_size);
	ASSERT_TRUE(layout_check_edges(b, &self->layout, IOVA, IOVA + SZ_1G,
				       &self->e));
}

TEST_F(noiommu_layout, ends_of_address_space)
{
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;

	layout_map(&self->layout, b, 0, 3 * page_size, &self->scattered, 0);
	layout_map(&self->layout, b, 3 * page_size, SZ_1M, &self->huge, 0);
	layout_map(&self->layout, b, -SZ_1M - 5 * page_size, SZ_1M, &self->huge,
		   SZ_1M);
	layout_map(&self->layout, b, -5 * page_size, 5 * page_size,
		   &self->scattered, 9 * page_size);

	ASSERT_TRUE(layout_check_edges(b, &self->layout, 0, SZ_2M, &self->e));
	ASSERT_TRUE(layout_check_edges(b, &self->layout, -(u64)SZ_2M,
				       UINT64_MAX, &self->e));
}

/* A copy is a mapping of its own, with the addresses of the original */
TEST_F(noiommu_layout, copy)
{
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;
	struct layout *layout = &self->layout;
	u64 iova = IOVA;
	u32 src_id;

	layout_map(layout, b, iova, 4 * page_size, &self->scattered, 0);
	iova += 4 * page_size;

	/* From the same IOAS, where one half follows the other */
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, b->ioas_id, iova, b->ioas_id,
				     PIN_IOVA, SZ_1M));
	layout_add(layout, iova, SZ_1M, &self->huge, 0);
	iova += SZ_1M;
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, b->ioas_id, iova, b->ioas_id,
				     PIN_IOVA + SZ_1M, SZ_1M));
	layout_add(layout, iova, SZ_1M, &self->huge, SZ_1M);
	iova += SZ_1M;

	/* From one that no device is attached to, which then goes away */
	src_id = ioas_alloc(b->iommufd);
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, src_id, self->scattered.vaddr,
				    self->scattered.size, 0));
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, b->ioas_id, iova, src_id,
				     5 * page_size, 20 * page_size));
	ASSERT_EQ(0, object_destroy(b->iommufd, src_id));
	layout_add(layout, iova, 20 * page_size, &self->scattered,
		   5 * page_size);
	iova += 20 * page_size;

	/* Two mappings in one copy */
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, b->ioas_id, iova, b->ioas_id,
				     IOVA + 2 * page_size,
				     2 * page_size + SZ_64K));
	layout_add(layout, iova, 2 * page_size, &self->scattered, 2 * page_size);
	layout_add(layout, iova + 2 * page_size, SZ_64K, &self->huge, 0);
	iova += 2 * page_size + SZ_64K;

	ASSERT_TRUE(layout_check_edges(b, layout, IOVA, iova, &self->e));

	/* The original may go */
	layout_unmap(layout, b, PIN_IOVA);
	layout_unmap(layout, b, PIN_IOVA + SZ_1G);
	ASSERT_TRUE(layout_check_edges(b, layout, IOVA, iova, &self->e));
}

/* A HWPT that takes the place of another gives the same answers */
TEST_F(noiommu_layout, replace_hwpt)
{
	struct bound *b = &self->b;
	u32 hwpt_id;

	layout_map(&self->layout, b, IOVA, SZ_1M, &self->scattered, 0);
	layout_map(&self->layout, b, IOVA + SZ_1M, SZ_2M, &self->huge, 0);

	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt_id));
	ASSERT_TRUE(layout_check_edges(b, &self->layout, IOVA, IOVA + SZ_4M,
				       &self->e));
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, hwpt_id));
	ASSERT_TRUE(layout_check_edges(b, &self->layout, IOVA, IOVA + SZ_4M,
				       &self->e));
}

/* Room for as many extents as can be told of */
TEST_F(noiommu_layout, array_of_64g)
{
	const u64 size = UINT32_MAX * sizeof(struct iommu_pa_extent);
	struct window w = { .iova = IOVA, .room = UINT32_MAX };
	struct answer expected = { .extents = self->e.expected };
	struct answer seen;

	seen.extents = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (seen.extents == MAP_FAILED)
		SKIP(return, "No address space of 64 GiB");

	layout_map(&self->layout, &self->b, IOVA, SZ_2M, &self->huge, 0);
	layout_map(&self->layout, &self->b, IOVA + SZ_2M, SZ_1M,
		   &self->scattered, 0);

	layout_predict(&self->layout, &w, &expected);
	window_lookup(&self->b, &w, &seen);
	if (!answers_equal(&expected, &seen))
		answers_print(&w, &expected, &seen);
	ASSERT_TRUE(answers_equal(&expected, &seen));
	ASSERT_EQ(0, seen.extents[seen.nr].phys);
	ASSERT_EQ(0, seen.extents[seen.nr].length);

	ASSERT_EQ(0, munmap(seen.extents, size));
}

/*
 * Lookups of what others map and unmap meanwhile
 */

#define RACE_SIZE		SZ_256K
#define RACE_ROOM		512
#define RACE_SECONDS		3

/*
 * The range in the middle is empty, or else has one of two memories in it, and
 * changes at any time. What is before and after it stays.
 */
struct race {
	const struct bound *b;
	const struct layout *layout;
	const struct mem *middle[2];
	bool stop;
};

struct race_lookups {
	struct race *race;
	pthread_t thread;
	struct rng rng;
	/* How many went from before the middle past it, or ended there, or failed */
	u64 across, into, none;
	bool wrong;
};

static bool race_in_middle(u64 iova)
{
	return iova - (IOVA + RACE_SIZE) < RACE_SIZE;
}

/* Were these bytes there at some time? */
static bool race_extent_is_right(const struct race *race, u64 iova, u64 last,
				 const struct iommu_pa_extent *extent)
{
	u64 phys, run;
	int i;

	if (!race_in_middle(iova)) {
		run = mapping_run(&race->layout->mappings[layout_find(race->layout,
								      iova)],
				  iova, last, &phys);
		return extent->phys == phys && extent->length == run;
	}

	for (i = 0; i < ARRAY_SIZE(race->middle); i++) {
		const struct mapping m = {
			.iova = IOVA + RACE_SIZE,
			.length = RACE_SIZE,
			.mem = race->middle[i],
		};

		/* It may have gone before the run ended */
		run = mapping_run(&m, iova, last, &phys);
		if (extent->phys == phys && extent->length &&
		    extent->length <= run)
			return true;
	}

	return false;
}

static bool race_answer_is_right(const struct race *race,
				 const struct window *w, const struct answer *a)
{
	const u64 last = w->length ? w->iova + (w->length - 1) : UINT64_MAX;
	u64 iova = w->iova;
	u32 i;

	if (a->ret)
		return a->ret == -ENOENT && race_in_middle(iova);

	if (!a->nr || a->nr > w->room || a->phys != a->extents[0].phys)
		return false;

	for (i = 0; i < a->nr; i++) {
		if (iova > last || iova >= IOVA + 3 * RACE_SIZE)
			return false;
		if (!race_extent_is_right(race, iova, last, &a->extents[i]))
			return false;
		iova += a->extents[i].length;
	}

	if (iova - w->iova != a->length)
		return false;

	/* It has to have a reason to end there */
	return a->nr == w->room || iova - 1 == last || race_in_middle(iova) ||
		iova == IOVA + 3 * RACE_SIZE;
}

static void *race_lookups_run(void *arg)
{
	struct race_lookups *t = arg;
	struct iommu_pa_extent extents[RACE_ROOM];
	struct answer a = { .extents = extents };
	struct window w;
	u32 i;

	while (!t->wrong && !__atomic_load_n(&t->race->stop, __ATOMIC_RELAXED)) {
		w.iova = IOVA + rng_below(&t->rng, 3 * RACE_SIZE);
		w.length = rng_below(&t->rng, 4 * RACE_SIZE);
		if (w.length > 3 * RACE_SIZE)
			w.length = 0;
		w.room = 1 + rng_below(&t->rng, RACE_ROOM);

		window_lookup(t->race->b, &w, &a);
		if (!race_answer_is_right(t->race, &w, &a)) {
			window_print(&w);
			answer_print("Wrong", &a);
			for (i = 0; i < a.nr; i++)
				extent_print("observed", &a, i);
			t->wrong = true;
		}

		if (a.ret)
			t->none++;
		else if (w.iova < IOVA + RACE_SIZE &&
			 w.iova + a.length > IOVA + 2 * RACE_SIZE)
			t->across++;
		else if (w.iova < IOVA + RACE_SIZE &&
			 w.iova + a.length == IOVA + RACE_SIZE)
			t->into++;
	}

	return NULL;
}

FIXTURE(noiommu_race) {
	struct bound b;
	struct mem stay, middle[2];
	struct layout layout;
	struct extents e;
};

FIXTURE_SETUP(noiommu_race)
{
	struct bound *b = &self->b;
	int i;

	ASSERT_TRUE(mem_alloc(&self->stay, MEM_SCATTERED, 2 * RACE_SIZE));
	ASSERT_TRUE(mem_alloc(&self->middle[0], MEM_SCATTERED, RACE_SIZE));
	ASSERT_TRUE(mem_alloc(&self->middle[1], MEM_ORDERED, RACE_SIZE));

	bound_init(b, devices.bdf);
	extents_init(&self->e, RACE_ROOM);
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));

	layout_map(&self->layout, b, IOVA, RACE_SIZE, &self->stay, 0);
	layout_map(&self->layout, b, IOVA + 2 * RACE_SIZE, RACE_SIZE,
		   &self->stay, RACE_SIZE);
	mem_read_pagemap(&self->stay);
	for (i = 0; i < ARRAY_SIZE(self->middle); i++) {
		layout_map(&self->layout, b, PIN_IOVA + i * SZ_1G, RACE_SIZE,
			   &self->middle[i], 0);
		mem_read_pagemap(&self->middle[i]);
	}
}

FIXTURE_TEARDOWN(noiommu_race)
{
	extents_cleanup(&self->e);
	bound_cleanup(&self->b);
	mem_free(&self->stay);
	mem_free(&self->middle[0]);
	mem_free(&self->middle[1]);
}

TEST_F_TIMEOUT(noiommu_race, map_unmap, 60)
{
	struct race race = {
		.b = &self->b,
		.layout = &self->layout,
		.middle = { &self->middle[0], &self->middle[1] },
	};
	struct race_lookups threads[2] = {};
	struct window w = { .iova = IOVA, .room = RACE_ROOM };
	const u64 end = now_ns() + RACE_SECONDS * 1000000000ULL;
	struct bound *b = &self->b;
	u64 across = 0, into = 0, none = 0;
	struct rng rng;
	u64 elsewhere, i;

	rng_init(&rng, 1, 0);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		threads[i].race = &race;
		rng_init(&threads[i].rng, 1, i + 1);
		ASSERT_EQ(0, pthread_create(&threads[i].thread, NULL,
					    race_lookups_run, &threads[i]));
	}

	for (i = 0; now_ns() < end; i++) {
		elsewhere = IOVA + ((u64)SZ_1G << rng_below(&rng, 20));
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id,
					    self->stay.vaddr, RACE_SIZE,
					    elsewhere));
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id,
					    race.middle[i % 2]->vaddr,
					    RACE_SIZE, IOVA + RACE_SIZE));
		usleep(rng_below(&rng, 500));
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, elsewhere,
					RACE_SIZE));
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id,
					IOVA + RACE_SIZE, RACE_SIZE));
		usleep(rng_below(&rng, 500));
	}

	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		ASSERT_EQ(0, pthread_join(threads[i].thread, NULL));
		ASSERT_FALSE(threads[i].wrong);
		across += threads[i].across;
		into += threads[i].into;
		none += threads[i].none;
	}
	TH_LOG("%lu lookups across the middle, %lu up to it, %lu of nothing",
	       across, into, none);
	ASSERT_LT(0, across);
	ASSERT_LT(0, into);
	ASSERT_LT(0, none);

	ASSERT_TRUE(window_check(b, &self->layout, &w, &self->e));
	w.iova = IOVA + 2 * RACE_SIZE;
	ASSERT_TRUE(window_check(b, &self->layout, &w, &self->e));
}

/*
 * A page fault on the array takes as long as its owner likes, who must not keep
 * anybody else from working with the IOAS
 */

struct fault {
	int uffd;
	/* Only its first page is there */
	char *array;
};

#define FAULT_PAGES		8

/* Returns false if the kernel has no userfaultfd */
static bool fault_init(struct fault *f)
{
	const u64 page_size = getpagesize();
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	f->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (f->uffd < 0)
		return false;
	ioctl_assert(f->uffd, UFFDIO_API, &api);

	f->array = mmap(NULL, FAULT_PAGES * page_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(f->array, MAP_FAILED);
	madvise(f->array, FAULT_PAGES * page_size, MADV_NOHUGEPAGE);
	f->array[0] = 0;

	reg.range.start = (uintptr_t)f->array + page_size;
	reg.range.len = (FAULT_PAGES - 1) * page_size;
	ioctl_assert(f->uffd, UFFDIO_REGISTER, &reg);

	return true;
}

/* Returns false if there is none for 20 seconds */
static bool fault_wait(struct fault *f)
{
	struct pollfd pfd = { .fd = f->uffd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pfd, 1, 20000) != 1)
		return false;
	VFIO_ASSERT_EQ(read(f->uffd, &msg, sizeof(msg)), (ssize_t)sizeof(msg));
	VFIO_ASSERT_EQ(msg.event, UFFD_EVENT_PAGEFAULT);

	return true;
}

/* Let all of the array have pages, and whoever waits for one go on */
static void fault_resolve(struct fault *f)
{
	struct uffdio_zeropage zero = {
		.range.start = (uintptr_t)f->array + getpagesize(),
		.range.len = (FAULT_PAGES - 1) * getpagesize(),
	};

	ioctl_assert(f->uffd, UFFDIO_ZEROPAGE, &zero);
}

static void fault_cleanup(struct fault *f)
{
	VFIO_ASSERT_EQ(close(f->uffd), 0);
	VFIO_ASSERT_EQ(munmap(f->array, FAULT_PAGES * getpagesize()), 0);
}

struct fault_lookup {
	const struct bound *b;
	struct window w;
	struct answer a;
};

static void *fault_lookup_run(void *arg)
{
	struct fault_lookup *l = arg;

	window_lookup(l->b, &l->w, &l->a);
	return NULL;
}

FIXTURE(noiommu_fault) {
	struct bound b;
	struct mem mem, other;
	struct layout layout;
	struct extents e;
	struct fault fault;
	struct fault_lookup lookup;
};

FIXTURE_SETUP(noiommu_fault)
{
	struct bound *b = &self->b;

	if (!fault_init(&self->fault))
		SKIP(return, "The kernel has no userfaultfd");

	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_4M));
	ASSERT_TRUE(mem_alloc(&self->other, MEM_SCATTERED, SZ_4M));
	bound_init(b, devices.bdf);
	extents_init(&self->e, SZ_4M / getpagesize());
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	layout_map(&self->layout, b, IOVA, SZ_4M, &self->mem, 0);
	layout_map(&self->layout, b, PIN_IOVA, SZ_4M, &self->mem, 0);
	layout_map(&self->layout, b, PIN_IOVA + SZ_1G, SZ_4M, &self->other, 0);
	mem_read_pagemap(&self->mem);
	mem_read_pagemap(&self->other);

	self->lookup.b = b;
	self->lookup.w.iova = IOVA;
	self->lookup.w.length = SZ_4M;
	self->lookup.w.room = SZ_4M / getpagesize();
	self->lookup.a.extents = (void *)self->fault.array;

	/* There has to be something to write to the page that is not there */
	if (mem_nr_runs(&self->mem) <=
	    getpagesize() / sizeof(struct iommu_pa_extent) + 1)
		SKIP(return, "The array fits into a page of %d bytes",
		     getpagesize());
}

FIXTURE_TEARDOWN(noiommu_fault)
{
	fault_cleanup(&self->fault);
	extents_cleanup(&self->e);
	bound_cleanup(&self->b);
	mem_free(&self->mem);
	mem_free(&self->other);
}

TEST_F(noiommu_fault, blocks_nobody)
{
	struct answer expected = { .extents = self->e.expected };
	struct window w = { .iova = IOVA, .room = self->e.room };
	struct bound *b = &self->b;
	pthread_t thread;
	u32 hwpt_id;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_lookup_run,
				    &self->lookup));
	ASSERT_TRUE(fault_wait(&self->fault));

	/* With any lock held, these would wait for longer than the test may run */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id,
					    self->other.vaddr, SZ_4M,
					    IOVA + SZ_4M));
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA + SZ_4M,
					SZ_4M));
	}
	ASSERT_TRUE(window_check(b, &self->layout, &w, &self->e));
	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt_id));
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, hwpt_id));

	fault_resolve(&self->fault);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	/* Nothing of that has changed what was asked for */
	layout_predict(&self->layout, &self->lookup.w, &expected);
	if (!answers_equal(&expected, &self->lookup.a))
		answers_print(&self->lookup.w, &expected, &self->lookup.a);
	ASSERT_TRUE(answers_equal(&expected, &self->lookup.a));
}

static void *fault_attach_run(void *arg)
{
	struct fault_lookup *l = arg;

	VFIO_ASSERT_GT(device_attach_to(l->b->device_fd, l->b->ioas_id), 0);
	return NULL;
}

/* As in /proc: D for what waits and can at most be killed. 0 if it is no more. */
static char task_state(pid_t pid)
{
	char path[32], state;
	FILE *file;
	int nr;

	snprintf_assert(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	nr = fscanf(file, "%*d (%*[^)]) %c", &state);
	VFIO_ASSERT_EQ(fclose(file), 0);
	return nr == 1 ? state : 0;
}

/* Returns false if that takes more than 20 seconds */
static bool task_wait_for(pid_t pid, char state)
{
	int i;

	for (i = 0; i < 2000 && task_state(pid) != state; i++)
		usleep(10000);
	return task_state(pid) == state;
}

/* An attach has to fault in what is mapped, a lookup waits for it and is killed */
TEST_F(noiommu_fault, killed_behind_attach)
{
	const u64 length = FAULT_PAGES * getpagesize();
	struct bound *b = &self->b;
	pthread_t thread;
	pid_t pid;

	b->ioas_id = ioas_alloc(b->iommufd);
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, self->fault.array,
				    length, IOVA));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_attach_run,
				    &self->lookup));
	ASSERT_TRUE(fault_wait(&self->fault));

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		lookup(b, IOVA, 1);
		_exit(0);
	}
	EXPECT_TRUE(task_wait_for(pid, 'D'));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_TRUE(task_wait_for(pid, 'Z'));

	fault_resolve(&self->fault);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, lookup(b, IOVA, length));
}

/* What was looked up goes away, and something else takes its place or not */
static bool fault_answer_is_right(const struct fault_lookup *l,
				  const struct mem *mem, const struct mem *other)
{
	const struct answer *a = &l->a;
	const u64 in_first_page = getpagesize() / sizeof(*a->extents);
	u64 offset = 0, page;
	u32 i;

	/* The fault was for the first extent in the second page */
	if (a->ret || a->nr <= in_first_page)
		goto wrong;

	for (i = 0; i < a->nr; i++) {
		page = offset / getpagesize();
		if (offset >= mem->size)
			goto wrong;
		if ((a->extents[i].phys != mem->phys[page] ||
		     a->extents[i].length > mem->run[page]) &&
		    (!other || a->extents[i].phys != other->phys[page] ||
		     a->extents[i].length > other->run[page])) {
			fprintf(stderr, "# At IOVA %#lx\n", l->w.iova + offset);
			extent_print("observed", a, i);
			goto wrong;
		}
		/* These were there when it began, and all of the time */
		if (i < in_first_page &&
		    (a->extents[i].phys != mem->phys[page] ||
		     a->extents[i].length != mem->run[page])) {
			extent_print("observed", a, i);
			goto wrong;
		}
		if (!a->extents[i].length)
			goto wrong;
		offset += a->extents[i].length;
	}

	if (offset == a->length && (!other || offset == mem->size))
		return true;

wrong:
	answer_print("Wrong", a);
	return false;
}

TEST_F(noiommu_fault, unmap)
{
	struct bound *b = &self->b;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_lookup_run,
				    &self->lookup));
	ASSERT_TRUE(fault_wait(&self->fault));
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, SZ_4M));
	fault_resolve(&self->fault);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	ASSERT_TRUE(fault_answer_is_right(&self->lookup, &self->mem, NULL));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 0));
}

TEST_F(noiommu_fault, remap)
{
	struct bound *b = &self->b;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_lookup_run,
				    &self->lookup));
	ASSERT_TRUE(fault_wait(&self->fault));
	layout_unmap(&self->layout, b, IOVA);
	layout_map(&self->layout, b, IOVA, SZ_4M, &self->other, 0);
	fault_resolve(&self->fault);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	ASSERT_TRUE(fault_answer_is_right(&self->lookup, &self->mem,
					  &self->other));
	ASSERT_TRUE(window_check(b, &self->layout, &self->lookup.w, &self->e));
}

/* The HWPT that the addresses come from goes away, so there are no more */
TEST_F(noiommu_fault, detach)
{
	struct bound *b = &self->b;
	struct answer *a = &self->lookup.a;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_lookup_run,
				    &self->lookup));
	ASSERT_TRUE(fault_wait(&self->fault));
	ASSERT_EQ(0, device_detach(b->device_fd));
	fault_resolve(&self->fault);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	/* A later part without addresses is either an end or an error */
	if (a->ret != -EOPNOTSUPP)
		ASSERT_TRUE(fault_answer_is_right(&self->lookup, &self->mem,
						  NULL));
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
}

/* Waits for the fault of the process' other thread, and tells its parent */
static void *fault_tell(void *arg)
{
	struct fault *f = arg;

	if (fault_wait(f))
		VFIO_ASSERT_EQ(write(STDOUT_FILENO, "", 1), 1);
	return NULL;
}

/* Returns nanoseconds from the signal to the end */
static u64 kill_and_wait(pid_t child, int *status)
{
	const u64 start = now_ns();

	VFIO_ASSERT_EQ(kill(child, SIGKILL), 0);
	VFIO_ASSERT_EQ(waitpid(child, status, 0), child);
	return now_ns() - start;
}

TEST_F(noiommu_fault, kill)
{
	struct window w = { .iova = IOVA, .room = self->e.room };
	struct bound *b = &self->b;
	struct fault fault;
	pthread_t thread;
	int fds[2], status;
	pid_t child;
	char byte;
	u64 ns;

	ASSERT_EQ(0, pipe(fds));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		/* Nobody ever resolves this one */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], STDOUT_FILENO);
		if (fault_init(&fault) &&
		    !pthread_create(&thread, NULL, fault_tell, &fault)) {
			self->lookup.a.extents = (void *)fault.array;
			window_lookup(b, &self->lookup.w, &self->lookup.a);
		}
		_exit(KSFT_FAIL);
	}

	ASSERT_EQ(0, close(fds[1]));
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	ns = kill_and_wait(child, &status);
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ASSERT_GT(5000000000ULL, ns);
	ASSERT_EQ(0, close(fds[0]));

	/* It has left nothing behind */
	ASSERT_TRUE(window_check(b, &self->layout, &w, &self->e));
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, 0, UINT64_MAX));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 0));
}

/*
 * An address space of many GiB: the same memory over and over
 */

#define MANY_EXTENTS		SZ_2M
#define MANY_MAPPINGS		SZ_32K
#define MANY_CHUNK		64ULL
/* What mapping may take, until there is enough */
#define MANY_SECONDS		6

FIXTURE(noiommu_many) {
	struct bound b;
	struct mem mem;
	/* Of one mapping, and of all of them */
	struct iommu_pa_extent *each;
	u32 nr_each;
	u64 nr_mappings;
	u64 nr;
	/* Of all, in memory that is shared with children */
	struct iommu_pa_extent *array;
	u64 array_size;
};

FIXTURE_VARIANT(noiommu_many) {
	enum mem_kind kind;
};

/* As much address space as possible */
FIXTURE_VARIANT_ADD(noiommu_many, hugetlb) {
	.kind = MEM_HUGETLB,
};

/* As many extents as possible */
FIXTURE_VARIANT_ADD(noiommu_many, scattered) {
	.kind = MEM_SCATTERED,
};

FIXTURE_SETUP(noiommu_many)
{
	const u64 end = now_ns() + MANY_SECONDS * 1000000000ULL;
	/* Huge pages make few, however many mappings there are */
	const u64 max_extents = variant->kind == MEM_HUGETLB ? UINT64_MAX :
							       MANY_EXTENTS;
	struct layout *layout = calloc_assert(1, sizeof(*layout));
	struct window w = { .iova = IOVA, .room = UINT32_MAX };
	struct bound *b = &self->b;
	struct answer a;
	u64 iova, size;

	if (!mem_alloc(&self->mem, variant->kind, SZ_2M))
		SKIP(return, "No huge page of 2 MiB is free");

	bound_init(b, devices.bdf);
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	/*
	 * One from scratch, and copies of it, but not too many: mapping more of
	 * the same takes iommufd ever longer
	 */
	do {
		iova = IOVA + self->nr_mappings * SZ_2M;
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id,
					    self->mem.vaddr, SZ_2M, iova));
		for (size = SZ_2M; size < MANY_CHUNK * SZ_2M; size *= 2)
			ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, b->ioas_id,
						     iova + size, b->ioas_id,
						     iova, size));
		self->nr_mappings += MANY_CHUNK;
	} while (self->nr_mappings < MANY_MAPPINGS &&
		 self->nr_mappings * self->mem.npages < max_extents &&
		 now_ns() < end);

	/* All of them are like the first */
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(mem_layout_is_apt(&self->mem));
	layout_add(layout, IOVA, SZ_2M, &self->mem, 0);
	self->each = calloc_assert(self->mem.npages, sizeof(*self->each));
	a.extents = self->each;
	layout_predict(layout, &w, &a);
	free(layout);
	self->nr_each = a.nr;
	self->nr = self->nr_mappings * self->nr_each;

	self->array_size = (self->nr + 1) * sizeof(*self->array);
	self->array = mmap(NULL, self->array_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->array);

	TH_LOG("%lu MiB in %lu mappings, %lu extents", self->nr_mappings * 2,
	       self->nr_mappings, self->nr);
}

FIXTURE_TEARDOWN(noiommu_many)
{
	ASSERT_EQ(0, munmap(self->array, self->array_size));
	free(self->each);
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

/* The extents, from the first on, that are those of the mappings */
static u64 many_right(const struct iommu_pa_extent *array, u64 nr,
		      const struct iommu_pa_extent *each, u32 nr_each)
{
	u64 i;

	for (i = 0; i < nr; i++) {
		if (memcmp(&array[i], &each[i % nr_each], sizeof(*array)))
			break;
	}

	return i;
}

static struct answer many_lookup(const struct bound *b, const struct window *w,
				 struct iommu_pa_extent *array)
{
	struct answer a = { .extents = array };

	window_lookup(b, w, &a);
	return a;
}

TEST_F_TIMEOUT(noiommu_many, lookup, 200)
{
	const u64 size = UINT32_MAX * sizeof(*self->array);
	struct window w = { .iova = IOVA, .room = self->nr + 1 };
	struct iommu_pa_extent *array;
	struct answer a;
	u64 start, done;

	start = now_ns();
	a = many_lookup(&self->b, &w, self->array);
	TH_LOG("All of them in one call: %lu ms", (now_ns() - start) / 1000000);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(self->nr, a.nr);
	ASSERT_EQ(self->nr_mappings * SZ_2M, a.length);
	ASSERT_EQ(self->mem.phys[0], a.phys);
	ASSERT_EQ(self->nr, many_right(self->array, self->nr, self->each,
				       self->nr_each));
	ASSERT_EQ(0, self->array[self->nr].phys);
	ASSERT_EQ(0, self->array[self->nr].length);

	/* In parts, of which none begins with a mapping */
	w.room = self->nr / 3 + 1;
	memset(self->array, 0, self->array_size);
	for (done = 0; done < self->nr; done += a.nr) {
		a = many_lookup(&self->b, &w, self->array + done);
		ASSERT_EQ(0, a.ret);
		ASSERT_EQ(min_t(u64, w.room, self->nr - done), a.nr);
		w.iova += a.length;
	}
	ASSERT_EQ(IOVA + self->nr_mappings * SZ_2M, w.iova);
	ASSERT_EQ(self->nr, many_right(self->array, self->nr, self->each,
				       self->nr_each));

	/* With an array of the largest size that there is */
	array = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (array != MAP_FAILED) {
		w.iova = IOVA;
		w.room = UINT32_MAX;
		a = many_lookup(&self->b, &w, array);
		ASSERT_EQ(0, a.ret);
		ASSERT_EQ(self->nr, a.nr);
		ASSERT_EQ(self->nr_mappings * SZ_2M, a.length);
		ASSERT_EQ(self->nr, many_right(array, self->nr, self->each,
					       self->nr_each));
		ASSERT_EQ(0, munmap(array, size));
	}

	/* With a hole in the middle */
	done = self->nr_mappings / 2;
	ASSERT_EQ(0, ioas_unmap(self->b.iommufd, self->b.ioas_id,
				IOVA + done * SZ_2M, SZ_2M));
	w.iova = IOVA;
	w.room = self->nr;
	a = many_lookup(&self->b, &w, self->array);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(done * self->nr_each, a.nr);
	ASSERT_EQ(done * SZ_2M, a.length);
}

/*
 * SIGKILL ends a lookup in the middle. Whether it was there shows in the array,
 * of which the end is not written, and that takes a lookup long enough to hit.
 */
TEST_F_TIMEOUT(noiommu_many, kill, 200)
{
	struct window w = { .iova = IOVA, .room = self->nr };
	u64 start, full, ns, deadline, written, j;
	struct answer a;
	int status, i, in_the_middle = 0;
	pid_t child;

	start = now_ns();
	a = many_lookup(&self->b, &w, self->array);
	full = now_ns() - start;
	ASSERT_EQ(0, a.ret);

	for (i = 0; i < 8; i++) {
		/* The pages are gone for good, and read as zero */
		ASSERT_EQ(0, madvise(self->array, self->array_size,
				     MADV_REMOVE));

		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			many_lookup(&self->b, &w, self->array);
			/* It may be over, but is killed all the same */
			for (;;)
				pause();
		}

		deadline = now_ns() + full * 4 + 10000000000ULL;
		while (!__atomic_load_n(&self->array[0].length,
					__ATOMIC_RELAXED)) {
			ASSERT_GT(deadline, now_ns());
			sched_yield();
		}
		/* Sooner or later, but while it is about to run */
		usleep(full / 1000 * i / 16);
		ns = kill_and_wait(child, &status);
		ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		ASSERT_GT(max_t(u64, full / 2, 2000000000ULL), ns)
			TH_LOG("%lu ms to die, %lu ms for all of it",
			       ns / 1000000, full / 1000000);

		/* The first extents are right, and there is nothing after them */
		written = many_right(self->array, self->nr, self->each,
				     self->nr_each);
		for (j = written; j < self->nr; j++) {
			ASSERT_EQ(0, self->array[j].phys | self->array[j].length)
				TH_LOG("Extent %lu, after %lu right ones", j,
				       written);
		}
		if (written < self->nr)
			in_the_middle++;
	}

	/* And it has not hurt */
	a = many_lookup(&self->b, &w, self->array);
	ASSERT_EQ(0, a.ret);
	ASSERT_EQ(self->nr, a.nr);
	ASSERT_EQ(self->nr, many_right(self->array, self->nr, self->each,
				       self->nr_each));
	ASSERT_EQ(0, ioas_unmap(self->b.iommufd, self->b.ioas_id, 0,
				UINT64_MAX));
	ASSERT_EQ(-ENOENT, lookup(&self->b, IOVA, 0));

	if (!in_the_middle) {
		/* A lookup this long cannot be over each time */
		ASSERT_GT(1000000000ULL, full);
		SKIP(return, "%lu extents take %lu us, too little to be killed in",
		     self->nr, full / 1000);
	}
}

/*
 * Random lookups in random layouts
 */

#define RANDOM_MEMS		5
#define RANDOM_ROOM		4096
#define RANDOM_LAYOUTS		8
#define RANDOM_MAPPINGS		200

FIXTURE(noiommu_random) {
	struct bound b;
	struct mem mems[RANDOM_MEMS];
	u32 nr_mems;
	u32 other_ioas_id;
	struct layout layout;
	struct extents e;
};

FIXTURE_SETUP(noiommu_random)
{
	const enum mem_kind kinds[RANDOM_MEMS] = {
		MEM_SCATTERED, MEM_MEMFD, MEM_THP, MEM_HUGETLB,
		MEM_MEMFD_HUGETLB,
	};
	struct bound *b = &self->b;
	u64 iova = PIN_IOVA;
	int i;

	bound_init(b, devices.bdf);
	extents_init(&self->e, RANDOM_ROOM);
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));

	/* Mapped as long as the test runs, so that it is pinned and stays there */
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct mem *mem = &self->mems[self->nr_mems];

		if (!mem_alloc(mem, kinds[i], SZ_4M)) {
			TH_LOG("Without memory of kind %d, there is too little",
			       kinds[i]);
			continue;
		}
		layout_map(&self->layout, b, iova, SZ_4M, mem, 0);
		mem_read_pagemap(mem);
		ASSERT_TRUE(mem_layout_is_apt(mem));
		self->nr_mems++;
		iova += SZ_1G;
	}
}

FIXTURE_TEARDOWN(noiommu_random)
{
	u32 i;

	extents_cleanup(&self->e);
	bound_cleanup(&self->b);
	for (i = 0; i < self->nr_mems; i++)
		mem_free(&self->mems[i]);
}

static u64 random_npages(struct rng *rng, u64 max)
{
	const u64 limits[] = { 1, 2, 8, 8, 16, 64, 64, 512, 1024 };

	return 1 + rng_below(rng, min(max,
				limits[rng_below(rng, ARRAY_SIZE(limits))]));
}

/* A hole, or none more often than not */
static u64 random_hole(struct rng *rng)
{
	const u64 page_size = getpagesize();

	switch (rng_below(rng, 16)) {
	case 0:
		return page_size;
	case 1:
		return page_size * (1 + rng_below(rng, 16));
	case 2:
		return page_size * (1 + rng_below(rng, SZ_2M / page_size));
	case 3:
		return page_size * rng_below(rng, TIB / page_size);
	default:
		return 0;
	}
}

/* Map @npages at @iova, as a mapping from scratch or as a copy of one */
static void random_map(struct layout *layout, const struct bound *b, struct rng *rng,
		       u64 iova, u64 npages, const struct mem *mem, u32 mem_i,
		       u64 page)
{
	const u64 page_size = getpagesize();

	if (rng_below(rng, 4)) {
		layout_map(layout, b, iova, npages * page_size, mem,
			   page * page_size);
		return;
	}

	VFIO_ASSERT_EQ(ioas_copy_fixed(b->iommufd, b->ioas_id, iova, b->ioas_id,
				       PIN_IOVA + (u64)mem_i * SZ_1G +
					       page * page_size,
				       npages * page_size), 0);
	layout_add(layout, iova, npages * page_size, mem, page * page_size);
}

/* Mappings from @iova on; returns where the last of them ends */
static u64 random_layout(struct layout *layout, const struct bound *b,
			 const struct mem *mems, u32 nr_mems, struct rng *rng,
			 u64 iova, int nr)
{
	const u64 page_size = getpagesize();
	const u64 huge = SZ_2M / page_size;
	u64 page = 0, npages;
	u32 mem_i = 0;
	int i;

	for (i = 0; i < nr; i++) {
		const struct mem *mem = &mems[mem_i];

		iova += random_hole(rng);

		/* Go on in the same memory if there is any left, or go elsewhere */
		if (!i || page == mem->npages || rng_below(rng, 4)) {
			mem_i = rng_below(rng, nr_mems);
			mem = &mems[mem_i];
			page = rng_below(rng, mem->npages);
			switch (rng_below(rng, 8)) {
			case 0:
				/* So that large entries fit the page table */
				iova = (iova + SZ_2M - 1) & ~(SZ_2M - 1ULL);
				page = page / huge * huge;
				break;
			case 1:
			case 2:
				/* As above, but not from their start on */
				page = page / huge * huge +
					iova / page_size % huge;
				break;
			}
			page %= mem->npages;
		}
		npages = random_npages(rng, mem->npages - page);

		random_map(layout, b, rng, iova, npages, mem, mem_i, page);
		page += npages;
		iova += npages * page_size;
	}

	return iova;
}

static void random_window(const struct layout *layout, struct rng *rng,
			  struct window *w)
{
	const struct mapping *m =
		&layout->mappings[rng_below(rng, layout->nr)];
	const struct mapping *to =
		&layout->mappings[rng_below(rng, layout->nr)];
	const u64 page_size = getpagesize();

	w->iova = m->iova;
	switch (rng_below(rng, 12)) {
	case 0:
		break;
	case 1:
		w->iova += m->length - 1;
		break;
	case 2:
		w->iova += m->length;
		break;
	case 3:
		w->iova -= 1 + rng_below(rng, 2 * page_size);
		break;
	case 4:
		w->iova += m->length + rng_below(rng, SZ_64K);
		break;
	case 5:
	case 6:
		w->iova += rng_below(rng, m->length) / page_size * page_size;
		break;
	case 7:
		/* It is sure to be nowhere, most of the time */
		if (!rng_below(rng, 16))
			w->iova = rng_next(rng);
		break;
	default:
		w->iova += rng_below(rng, m->length);
	}

	switch (rng_below(rng, 12)) {
	case 0:
	case 1:
		w->length = 0;
		break;
	case 2:
		w->length = 1 + rng_below(rng, 8);
		break;
	case 3:
		w->length = 1 + rng_below(rng, page_size);
		break;
	case 4:
		/* One byte less than the mapping, all of it, one more */
		w->length = m->iova + m->length - w->iova +
			rng_below(rng, 3) - 1;
		break;
	case 5:
		w->length = to->iova + to->length - w->iova;
		break;
	case 6:
		w->length = rng_next(rng) >> rng_below(rng, 64);
		break;
	case 7:
		/* Up to the last IOVA, or one too many */
		w->length = -w->iova + rng_below(rng, 2);
		break;
	case 8:
		w->length = (1 + rng_below(rng, 64)) * page_size;
		break;
	default:
		w->length = 1 + rng_below(rng,
					     SZ_4K << rng_below(rng, 12));
	}

	switch (rng_below(rng, 32)) {
	case 0 ... 3:
		w->room = 0;
		break;
	case 4 ... 7:
		w->room = 1;
		break;
	case 8 ... 26:
		w->room = 2 + rng_below(rng, 15);
		break;
	case 27 ... 30:
		w->room = 1 + rng_below(rng, 128);
		break;
	default:
		w->room = 1 + rng_below(rng, RANDOM_ROOM);
	}
}

TEST_F_TIMEOUT(noiommu_random, windows, 7200)
{
	const u64 nr = env_u64("NOIOMMU_WINDOWS", WINDOWS);
	const u64 first_seed = env_u64("NOIOMMU_SEED", 1);
	const u64 limit = getenv("NOIOMMU_WINDOWS") ? UINT64_MAX :
						      WINDOWS_SECONDS * 1000000000ULL;
	const u64 start = now_ns();
	struct layout *layout = &self->layout;
	const u32 nr_base = layout->nr;
	struct bound *b = &self->b;
	u64 done = 0, round, i, end;
	struct rng rng;
	struct window w;

	ASSERT_NE(0, nr);
	ASSERT_NE(0, first_seed);

	for (round = 0; round < RANDOM_LAYOUTS; round++) {
		rng_init(&rng, first_seed, round);

		/* At either end of the address space, and in between */
		random_layout(layout, b, self->mems, self->nr_mems, &rng,
			      round % 2 ? 0 : IOVA, RANDOM_MAPPINGS);
		end = random_layout(layout, b, self->mems, self->nr_mems, &rng,
				    -16 * TIB, 16);
		ASSERT_GE(-(u64)SZ_4M, end);
		layout_map(layout, b, -(u64)SZ_4M, SZ_2M, &self->mems[0], 0);
		layout_map(layout, b, -(u64)SZ_2M, SZ_2M, &self->mems[0], SZ_2M);

		for (i = round; i < nr; i += RANDOM_LAYOUTS) {
			random_window(layout, &rng, &w);
			ASSERT_TRUE(window_check(b, layout, &w, &self->e))
				TH_LOG("Seed %lu, layout %lu, window %lu",
				       first_seed, round, i);
			done++;
			if (done % 256 == 0 && now_ns() - start >
					       limit / RANDOM_LAYOUTS * (round + 1))
				break;
		}
		ASSERT_TRUE(extents_untouched(&self->e))
			TH_LOG("Seed %lu, layout %lu", first_seed, round);

		/* All but the mappings that pin */
		for (i = 0; i < layout->nr;) {
			if (layout->mappings[i].iova >= PIN_IOVA &&
			    layout->mappings[i].iova < PIN_IOVA + TIB)
				i++;
			else
				layout_unmap(layout, b, layout->mappings[i].iova);
		}
		ASSERT_EQ(nr_base, layout->nr);
	}

	TH_LOG("%lu windows of %lu in %lu ms", done, nr,
	       (now_ns() - start) / 1000000);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
