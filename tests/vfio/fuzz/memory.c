// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>

#include <linux/kernel.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <libvfio/noiommu.h>

#include "memory.h"

struct fuzz_mem fuzz_mem;

char *mem_reserve(u64 size, u64 align)
{
	char *vaddr, *start;

	vaddr = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	VFIO_ASSERT_NE(vaddr, MAP_FAILED);

	/* What is in front of it goes, what is behind it as well */
	start = vaddr + (-(uintptr_t)vaddr & (align - 1));
	if (start != vaddr)
		VFIO_ASSERT_EQ(munmap(vaddr, start - vaddr), 0);
	VFIO_ASSERT_EQ(munmap(start + size, vaddr + align - start), 0);

	return start;
}

/* The most that iommufd aligns an IOVA to which it chooses */
u64 mem_max_align(void)
{
	return fuzz_mem.max_align;
}

/* What pinning it returns */
int source_pin(const struct source *src, u64 length)
{
	const u64 page_size = getpagesize();
	const u64 last = src->address + (length - 1);
	u64 page, start = (uintptr_t)fuzz_mem.vaddr;
	enum page_access need = src->writable ? PAGE_WRITE : PAGE_READ;

	if (src->file)
		return last < src->file->size ? 0 : -EINVAL;

	for (page = src->address / page_size; page <= last / page_size; page++) {
		u64 i = page - start / page_size;

		if (page < start / page_size || i >= MEM_PAGES ||
		    fuzz_mem.access[i] < need)
			return -EFAULT;
	}

	return 0;
}

/* The address of each page. They must be pinned. */
void source_phys(const struct source *src, u64 length, u64 *phys)
{
	const u64 page_size = getpagesize();
	u64 npages = (src->address % page_size + length + page_size - 1) / page_size;
	u64 vaddr = src->address & ~(page_size - 1);

	if (src->file)
		vaddr += (uintptr_t)src->file->vaddr;

	VFIO_ASSERT_LE(npages, MEM_PAGES);
	pagemap_read((void *)vaddr, npages, phys);
}

/* Faulted in such that neighbours in @first to @end are rarely contiguous */
static void mem_scatter(u32 first, u32 end, enum page_access access)
{
	char *vaddr = fuzz_mem.vaddr + first * (u64)getpagesize();
	const u32 nr = end - first;
	const u64 size = nr * (u64)getpagesize();
	u32 i;

	VFIO_ASSERT_EQ(mmap(vaddr, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), vaddr);
	madvise(vaddr, size, MADV_NOHUGEPAGE);

	for (i = 0; i < nr; i++) {
		/* The first half upwards, which is the order of the allocator */
		u32 page = i < nr / 2 ? i : nr / 2 + (nr - 1 - i);

		if (access == PAGE_WRITE && i >= nr / 4 && i < nr / 2)
			page = nr / 4 + (i * 37) % (nr / 4);
		vaddr[page * (u64)getpagesize()] = 1;
	}
	/* Whatever that missed */
	for (i = 0; i < nr; i++)
		vaddr[i * (u64)getpagesize()] = 1;

	if (access == PAGE_READ)
		VFIO_ASSERT_EQ(mprotect(vaddr, size, PROT_READ), 0);
	for (i = first; i < end; i++)
		fuzz_mem.access[i] = access;
}

/* There may be no huge page to be had, then it is one more hole */
static void mem_huge(void)
{
	char *vaddr = fuzz_mem.vaddr + MEM_HUGE * (u64)getpagesize();
	u32 i;

	if (getpagesize() != SZ_4K)
		return;
	if (mmap(vaddr, SZ_2M, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE |
		 MAP_HUGETLB | MAP_HUGE_2MB, -1, 0) == MAP_FAILED) {
		VFIO_ASSERT_EQ(mmap(vaddr, SZ_2M, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			       vaddr);
		return;
	}

	*vaddr = 1;
	for (i = MEM_HUGE; i < MEM_HUGE_END; i++)
		fuzz_mem.access[i] = PAGE_WRITE;
}

static void mem_file(struct fuzz_file *file, u64 size, unsigned int flags)
{
	u64 i;

	file->fd = memfd_create("noiommu-fuzz", flags);
	if (file->fd < 0)
		return;

	VFIO_ASSERT_EQ(ftruncate(file->fd, size), 0);
	file->vaddr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd,
			   0);
	if (file->vaddr == MAP_FAILED) {
		VFIO_ASSERT_NE(flags, 0);
		VFIO_ASSERT_EQ(close(file->fd), 0);
		file->fd = -1;
		return;
	}

	for (i = 0; i < size; i += getpagesize())
		file->vaddr[i] = 1;
	file->size = size;
}

static u64 mem_read_max_align(void)
{
	static const char path[] =
		"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
	u64 size = getpagesize();
	FILE *file;
	int nr;

	file = fopen(path, "r");
	if (!file)
		return size;
	nr = fscanf(file, "%lu", &size);
	VFIO_ASSERT_EQ(nr, 1);
	VFIO_ASSERT_EQ(fclose(file), 0);

	return size;
}

void mem_init(void)
{
	struct fuzz_file *files = fuzz_mem.files;

	fuzz_mem.max_align = mem_read_max_align();
	fuzz_mem.vaddr = mem_reserve(MEM_PAGES * (u64)getpagesize(), SZ_2M);

	mem_scatter(0, 256, PAGE_WRITE);
	mem_scatter(272, 336, PAGE_READ);
	mem_scatter(352, 480, PAGE_WRITE);
	mem_huge();

	mem_file(&files[FILE_MEMFD], 64 * (u64)getpagesize(), 0);
	mem_file(&files[FILE_MEMFD_HUGE], SZ_2M, MFD_HUGETLB | MFD_HUGE_2MB);
	files[FILE_NULL].fd = open("/dev/null", O_RDWR);
	VFIO_ASSERT_GE(files[FILE_NULL].fd, 0);
	files[FILE_CLOSED].fd = -2;
	files[FILE_NEGATIVE].fd = -1;
}
