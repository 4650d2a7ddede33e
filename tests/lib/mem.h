/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_MEM_H
#define TESTS_LIB_MEM_H

/*
 * Buffers of the kinds of memory that iommufd can map, what /proc/self/pagemap
 * says about them, and a pattern in which no two words are equal, neither
 * within a buffer nor between two of them. A page that went to the wrong place
 * shows, and so does one that came from there.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <libvfio.h>

#include "utils.h"

enum mem_kind {
	/* Anonymous, faulted in such that neighbours are rarely contiguous */
	MEM_SCATTERED,
	/*
	 * Anonymous, faulted in upwards in one half and downwards in the other.
	 * The page allocator gives out neighbours in one of these orders.
	 */
	MEM_ORDERED,
	/* Anonymous, of transparent huge pages */
	MEM_THP,
	MEM_HUGETLB,
	MEM_HUGETLB_1G,
	MEM_MEMFD,
	MEM_MEMFD_HUGETLB,
};

struct mem {
	enum mem_kind kind;
	char *vaddr;
	u64 size;
	u64 npages;
	int fd;

	/* Of each page: its address, and the bytes contiguous from there on */
	u64 *phys;
	u64 *run;
};

static inline bool mem_is_file(const struct mem *mem)
{
	return mem->kind == MEM_MEMFD || mem->kind == MEM_MEMFD_HUGETLB;
}

static inline bool mem_is_hugetlb(const struct mem *mem)
{
	return mem->kind == MEM_HUGETLB || mem->kind == MEM_HUGETLB_1G ||
		mem->kind == MEM_MEMFD_HUGETLB;
}

static inline u64 mem_pattern(u64 seed, u64 offset)
{
	return (seed << 48) | (offset + 1);
}

static inline void mem_fill(void *buf, u64 size, u64 seed)
{
	u64 *word = buf;
	u64 i;

	for (i = 0; i < size / sizeof(*word); i++)
		word[i] = mem_pattern(seed, i * sizeof(*word));
}

static inline void mem_fault_in(struct mem *mem)
{
	u64 i, page;

	for (i = 0; i < mem->npages; i++) {
		page = i;
		if (mem->kind == MEM_ORDERED && i >= mem->npages / 2)
			page = mem->npages / 2 + (mem->npages - 1 - i);
		/* npages is a power of 2, so an odd factor visits each once */
		else if (mem->kind == MEM_SCATTERED || mem->kind == MEM_MEMFD)
			page = (i * 389) % mem->npages;

		mem->vaddr[page * getpagesize()] = 1;
	}
}

/* Anonymous memory that starts where a huge page can */
static inline char *mem_mmap_aligned(u64 size)
{
	char *vaddr, *start;

	vaddr = mmap(NULL, size + SZ_2M, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(vaddr, MAP_FAILED);

	start = vaddr + (-(uintptr_t)vaddr & (SZ_2M - 1));
	if (start != vaddr)
		VFIO_ASSERT_EQ(munmap(vaddr, start - vaddr), 0);
	VFIO_ASSERT_EQ(munmap(start + size, vaddr + SZ_2M - start), 0);

	return start;
}

/* Did the kernel make @mem of huge pages? It does so only while it has them. */
static inline bool mem_is_thp(const struct mem *mem)
{
	const u64 step = SZ_2M / getpagesize();
	u64 *phys = calloc_assert(mem->npages, sizeof(*phys));
	u64 i;

	pagemap_read(mem->vaddr, mem->npages, phys);
	for (i = 0; i < mem->npages; i++) {
		if (phys[i] != phys[i - i % step] + i % step * getpagesize())
			break;
	}
	free(phys);

	return i == mem->npages;
}

/* Returns false if there is not enough of that kind of memory */
static inline bool mem_alloc(struct mem *mem, enum mem_kind kind, u64 size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned int memfd_flags = 0;

	memset(mem, 0, sizeof(*mem));
	mem->kind = kind;
	mem->size = size;
	mem->npages = size / getpagesize();
	mem->fd = -1;

	VFIO_ASSERT_EQ(mem->npages & (mem->npages - 1), 0);

	if (kind == MEM_HUGETLB)
		flags |= MAP_HUGETLB | MAP_HUGE_2MB;
	else if (kind == MEM_HUGETLB_1G)
		flags |= MAP_HUGETLB | MAP_HUGE_1GB;

	if (mem_is_file(mem)) {
		if (kind == MEM_MEMFD_HUGETLB)
			memfd_flags |= MFD_HUGETLB | MFD_HUGE_2MB;

		mem->fd = memfd_create("noiommu", memfd_flags);
		if (mem->fd < 0) {
			VFIO_ASSERT_TRUE(mem_is_hugetlb(mem));
			return false;
		}
		VFIO_ASSERT_EQ(ftruncate(mem->fd, size), 0);
		flags = MAP_SHARED;
	}

	if (kind == MEM_THP)
		mem->vaddr = mem_mmap_aligned(size);
	else
		mem->vaddr = mmap(NULL, size, PROT_READ | PROT_WRITE, flags,
				  mem->fd, 0);
	if (mem->vaddr == MAP_FAILED) {
		VFIO_ASSERT_TRUE(mem_is_hugetlb(mem));
		mem->vaddr = NULL;
		return false;
	}

	/* Fails where there are no transparent huge pages to turn on or off */
	if (!mem_is_hugetlb(mem))
		madvise(mem->vaddr, size, kind == MEM_THP ? MADV_HUGEPAGE :
							    MADV_NOHUGEPAGE);

	mem_fault_in(mem);

	if (kind == MEM_THP && !mem_is_thp(mem)) {
		VFIO_ASSERT_EQ(munmap(mem->vaddr, size), 0);
		mem->vaddr = NULL;
		return false;
	}

	mem->phys = calloc(mem->npages, sizeof(*mem->phys));
	mem->run = calloc(mem->npages, sizeof(*mem->run));
	VFIO_ASSERT_NOT_NULL(mem->phys);
	VFIO_ASSERT_NOT_NULL(mem->run);

	return true;
}

static inline void mem_free(struct mem *mem)
{
	if (!mem->vaddr)
		return;

	free(mem->phys);
	free(mem->run);

	VFIO_ASSERT_EQ(munmap(mem->vaddr, mem->size), 0);
	if (mem->fd >= 0)
		VFIO_ASSERT_EQ(close(mem->fd), 0);
}

/*
 * Map a part of @mem, @offset and @length of it. @iova: in with
 * IOMMU_IOAS_MAP_FIXED_IOVA in @flags, out without
 */
static inline int mem_map_at(const struct mem *mem, int iommufd, u32 ioas_id,
			     u64 offset, u64 length, u32 flags, u64 *iova)
{
	if (MAPS_FILES && mem_is_file(mem))
		return ioas_map_file(iommufd, ioas_id, mem->fd, offset, length,
				     flags, iova);

	return ioas_map(iommufd, ioas_id, mem->vaddr + offset, length, flags, iova);
}

static inline int mem_map_part(const struct bound *b, const struct mem *mem,
			       u64 offset, u64 length, u64 iova)
{
	return mem_map_at(mem, b->iommufd, b->ioas_id, offset, length,
			  MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA, &iova);
}

/* Let the kernel choose an IOVA and map all of @mem there */
static inline u64 mem_map(struct mem *mem, int iommufd, u32 ioas_id, u32 flags)
{
	u64 iova = 0;

	VFIO_ASSERT_EQ(mem_map_at(mem, iommufd, ioas_id, 0, mem->size, flags,
				  &iova), 0);
	return iova;
}

/* What follows from the address of each page */
static inline void mem_find_runs(struct mem *mem)
{
	const u64 page_size = getpagesize();
	s64 i;

	for (i = mem->npages - 1; i >= 0; i--) {
		mem->run[i] = page_size;
		if (i + 1 < mem->npages &&
		    mem->phys[i + 1] == mem->phys[i] + page_size)
			mem->run[i] += mem->run[i + 1];
	}
}

/*
 * Ask /proc/self/pagemap where the pages are. That is worth something once they
 * are pinned; pinning may move a page out of memory that must stay movable.
 */
static inline void mem_read_pagemap(struct mem *mem)
{
	pagemap_read(mem->vaddr, mem->npages, mem->phys);
	mem_find_runs(mem);
}

/* Runs of contiguous pages that @mem consists of */
static inline u64 mem_nr_runs(const struct mem *mem)
{
	u64 offset, nr = 0;

	for (offset = 0; offset < mem->size; nr++)
		offset += mem->run[offset / getpagesize()];

	return nr;
}

/* Is @mem as contiguous, or as little, as its kind is meant to be? */
static inline bool mem_layout_is_apt(const struct mem *mem)
{
	if (mem->kind == MEM_HUGETLB_1G)
		return mem->run[0] >= SZ_1G;
	if (mem_is_hugetlb(mem) || mem->kind == MEM_THP)
		return mem->run[0] >= SZ_2M;

	return mem->kind == MEM_ORDERED || mem_nr_runs(mem) > mem->npages / 4;
}

/* Does each page of @mem, which is mapped at @iova, have the right address? */
static inline bool pa_each_page(const struct bound *b, u64 iova,
				const struct mem *mem)
{
	u64 i;

	for (i = 0; i < mem->npages; i++) {
		if (!pa_is(b, iova + i * getpagesize(), 0, mem->phys[i],
			   mem->run[i]))
			return false;
	}

	return true;
}

#endif /* TESTS_LIB_MEM_H */
