// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a device without an IOMMU may read and write: allocated, mapped
 * into the IOAS, and every page of it looked up.
 *
 * Mapping pins the pages. Until they are unmapped, or the last device without
 * an IOMMU leaves the IOAS, no page is migrated, compacted, swapped or merged,
 * and its address stays what it is. mlock() does not give that: a locked page
 * stays in memory, but not where it is.
 *
 * The address is the CPU's. Where devices see memory at an offset, or where
 * memory is encrypted, a driver has to know what to make of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "dma.h"
#include "noiommu.h"

/* The size of huge page that MAP_HUGETLB gives; 0 if there are none. */
static size_t hugetlb_page_size(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[128];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Hugepagesize: %lu kB", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

static int map_anonymous(struct dma_memory *mem, size_t size, int flags)
{
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (va == MAP_FAILED)
		return -errno;
	mem->va = va;
	mem->size = size;
	return 0;
}

static int alloc_hugetlb(struct dma_memory *mem, size_t size)
{
	size_t huge = hugetlb_page_size();
	int err;

	if (!huge)
		return refuse(EOPNOTSUPP,
			      "this kernel has no huge pages: use --memory scattered");
	err = map_anonymous(mem, round_up(size, huge), MAP_HUGETLB);
	if (err)
		return fail(-err,
			    "mmap of %zu huge pages (too few in /proc/sys/vm/nr_hugepages?)",
			    round_up(size, huge) / huge);
	return 0;
}

/* Fisher and Yates; the same order each time, so that runs can be compared */
static void shuffle(size_t *order, size_t count)
{
	size_t i, j, swap;

	srandom(1);
	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i > 0; i--) {
		j = (size_t)random() % (i + 1);
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
}

/*
 * The kernel finds a page when it is first touched, and hands out neighbours
 * one after the other. Touched in a random order, hardly two pages that are
 * neighbours here are neighbours there.
 */
static int touch_shuffled(struct dma_memory *mem)
{
	size_t count = mem->size / mem->page_size, *order, i;

	order = calloc(count, sizeof(*order));
	if (!order)
		return fail(errno, "calloc");
	shuffle(order, count);
	for (i = 0; i < count; i++)
		mem->va[order[i] * mem->page_size] = 1;
	for (i = 0; i < count; i++)
		mem->va[i * mem->page_size] = 0;
	free(order);
	return 0;
}

static int alloc_scattered(struct dma_memory *mem, size_t size)
{
	int err;

	err = map_anonymous(mem, round_up(size, mem->page_size), 0);
	if (err)
		return fail(-err, "mmap of %zu bytes", size);
	/* EINVAL: the kernel has no transparent huge pages. */
	if (madvise(mem->va, mem->size, MADV_NOHUGEPAGE) && errno != EINVAL)
		return fail(errno, "madvise(MADV_NOHUGEPAGE)");
	return touch_shuffled(mem);
}

/* The kernel chooses the IOVA: the device will not see it, any will do. */
static int map(struct noiommu_device *dev, struct dma_memory *mem)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = dev->ioas_id,
		.user_va = (__u64)(unsigned long)mem->va,
		.length = mem->size,
	};

	if (ioctl(dev->iommufd, IOMMU_IOAS_MAP, &map)) {
		if (errno == ENOMEM)
			return fail(errno,
				    "IOMMU_IOAS_MAP of %zu bytes (mapped memory counts as locked: see ulimit -l)",
				    mem->size);
		return fail(errno, "IOMMU_IOAS_MAP of %zu bytes", mem->size);
	}
	mem->iova = map.iova;
	mem->mapped = true;
	return 0;
}

static void unmap(struct noiommu_device *dev, struct dma_memory *mem)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = dev->ioas_id,
		.iova = mem->iova,
		.length = mem->size,
	};

	if (ioctl(dev->iommufd, IOMMU_IOAS_UNMAP, &unmap))
		fail(errno, "IOMMU_IOAS_UNMAP");
	mem->mapped = false;
}

/*
 * Where the memory is, from an offset to its end, as extents that are contiguous
 * each. There can be no more of them than pages. Where the kernel does not know
 * extents, its answer is the first of them.
 */
static int get_extents(struct noiommu_device *dev, const struct dma_memory *mem,
		       size_t offset, struct iommu_pa_extent *extents,
		       size_t *count)
{
	struct iommu_ioas_get_pa get = {
		.size = dev->get_pa_size,
		.ioas_id = dev->ioas_id,
		.iova = mem->iova + offset,
		.length = mem->size - offset,
		.num_extents = (mem->size - offset) / mem->page_size,
		.extents_uptr = (__u64)(unsigned long)extents,
	};

	if (ioctl(dev->iommufd, IOMMU_IOAS_GET_PA, &get))
		return fail(errno, "IOMMU_IOAS_GET_PA at offset %zu", offset);
	dev->lookups++;
	if (get.size == sizeof(get)) {
		*count = get.num_extents;
	} else {
		extents->phys = get.out_phys;
		extents->length = get.length;
		*count = 1;
	}
	return 0;
}

/* Puts down the address of each page of an extent, and moves on past them. */
static int add_extent(struct noiommu_device *dev, struct dma_memory *mem,
		      size_t *offset, const struct iommu_pa_extent *extent)
{
	__u64 length = extent->length, *page, i;

	if (length > mem->size - *offset)
		length = mem->size - *offset;
	if (!length || (extent->phys | length) % mem->page_size)
		return refuse(EIO,
			      "IOMMU_IOAS_GET_PA at offset %zu: %llu bytes at %#llx are no pages",
			      *offset, (unsigned long long)extent->length,
			      (unsigned long long)extent->phys);
	page = &mem->pages[*offset / mem->page_size];
	if (!*offset || extent->phys != page[-1] + mem->page_size)
		dev->runs++;
	for (i = 0; i < length; i += mem->page_size)
		*page++ = extent->phys + i;
	*offset += length;
	return 0;
}

/*
 * One call for all of the memory, however scattered, and the loop is for a
 * kernel that answers less. Done once, since the addresses will not change.
 */
static int look_up(struct noiommu_device *dev, struct dma_memory *mem)
{
	size_t pages = mem->size / mem->page_size, offset = 0, count = 0, i;
	struct iommu_pa_extent *extents;
	int err = 0;

	mem->pages = calloc(pages, sizeof(*mem->pages));
	extents = calloc(pages, sizeof(*extents));
	if (!mem->pages || !extents)
		err = fail(errno, "calloc");
	while (!err && offset < mem->size) {
		err = get_extents(dev, mem, offset, extents, &count);
		for (i = 0; !err && i < count; i++)
			err = add_extent(dev, mem, &offset, &extents[i]);
	}
	free(extents);
	if (!err)
		dev->addresses += pages;
	return err;
}

int dma_memory_alloc(struct noiommu_device *dev, struct dma_memory *mem,
		     size_t size, enum dma_kind kind)
{
	int err;

	*mem = (struct dma_memory) {
		.page_size = sysconf(_SC_PAGESIZE),
	};
	err = kind == DMA_HUGETLB ? alloc_hugetlb(mem, size) :
				    alloc_scattered(mem, size);
	if (!err)
		err = map(dev, mem);
	if (!err)
		err = look_up(dev, mem);
	if (err)
		dma_memory_free(dev, mem);
	else
		note("%zu bytes at IOVA %#llx, first page at %#llx", mem->size,
		     (unsigned long long)mem->iova,
		     (unsigned long long)mem->pages[0]);
	return err;
}

/* Only after the device was stopped, or it writes to the next owner's memory. */
void dma_memory_free(struct noiommu_device *dev, struct dma_memory *mem)
{
	if (mem->mapped)
		unmap(dev, mem);
	free(mem->pages);
	if (mem->va)
		munmap(mem->va, mem->size);
	*mem = (struct dma_memory) { 0 };
}
