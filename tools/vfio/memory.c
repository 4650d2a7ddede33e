// SPDX-License-Identifier: GPL-2.0
/* Memory for devices, of the kinds that drivers need */
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>
#include <sys/mman.h>

#include "internal.h"

#define SHIFT_2M	21
#define SHIFT_1G	30
#define FLAG_SHIFT	26	/* MAP_HUGE_SHIFT, which old headers lack */

static void *map_pages(size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

void memory_free(void *va, size_t size)
{
	munmap(va, size);
}

/* Rounds up to whole pages of 1 << shift bytes; 0 if that is too large. */
static size_t whole(size_t size, unsigned int shift)
{
	size_t page = (size_t)1 << shift;

	return (size + page - 1) & ~(page - 1);
}

/* EINVAL is the kernel's word for a size that it does not have. */
static int get_huge(unsigned int shift, size_t size, void **va)
{
	*va = map_pages(size, MAP_HUGETLB | (int)(shift << FLAG_SHIFT));
	if (*va != MAP_FAILED)
		return 0;
	return errno == EINVAL || errno == ENODEV ? -EOPNOTSUPP : -errno;
}

static int get_pages(size_t size, void **va)
{
	*va = map_pages(size, 0);
	return *va == MAP_FAILED ? -errno : 0;
}

/*
 * Aligned for a huge page, of which the kernel may make one by itself; it is not
 * known before it is mapped.
 */
static int get_large(size_t size, void **va)
{
	size_t huge = (size_t)1 << SHIFT_2M, front;
	char *start;

	if (size > SIZE_MAX - huge)
		return -ENOMEM;
	start = map_pages(size + huge, 0);
	if (start == MAP_FAILED)
		return -errno;
	front = -(uintptr_t)start & (huge - 1);
	if (front)
		munmap(start, front);
	munmap(start + front + size, huge - front);
	*va = start + front;
	/* Without transparent huge pages, this is refused. */
	madvise(*va, size, MADV_HUGEPAGE);
	return 0;
}

/* Maps what was got, and gives it back if that fails. */
static int finish(struct vfiodma_ctx *ctx, void *memory, size_t size,
		  bool contiguous)
{
	struct mapping *mapping;
	int err;

	ctx_lock(ctx);
	err = map_add(ctx, memory, size, 0, &mapping);
	if (!err && contiguous && vfiodma_sg(ctx, memory, size, NULL, 0) != 1) {
		map_drop(ctx, mapping);
		err = -ENOBUFS;
	}
	if (!err)
		mapping->allocated = true;
	ctx_unlock(ctx);
	if (err)
		memory_free(memory, size);
	return err;
}

enum source {
	PAGES,
	HUGE_2M,
	HUGE_1G,
	LARGE,
};

static int alloc(struct vfiodma_ctx *ctx, enum source source, size_t size,
		 bool contiguous, void **va)
{
	const unsigned int shifts[] = {
		[PAGES] = __builtin_ctzl(sysconf(_SC_PAGESIZE)),
		[HUGE_2M] = SHIFT_2M,
		[HUGE_1G] = SHIFT_1G,
		[LARGE] = SHIFT_2M,
	};
	void *memory = NULL;
	int err;

	size = whole(size, shifts[source]);
	if (!size)
		return -ENOMEM;
	if (source == PAGES)
		err = get_pages(size, &memory);
	else if (source == LARGE)
		err = get_large(size, &memory);
	else
		err = get_huge(shifts[source], size, &memory);
	if (!err)
		err = finish(ctx, memory, size, contiguous);
	if (!err)
		*va = memory;
	return err;
}

/*
 * By pages where they do, then by as small a huge page as does, which is whole by
 * itself, and last by what the kernel makes of ordinary memory.
 */
static int alloc_contiguous(struct vfiodma_ctx *ctx, size_t size, void **va)
{
	static const enum source sources[] = { PAGES, HUGE_2M, HUGE_1G, LARGE };
	int err = -ENOBUFS;
	size_t i;

	for (i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		err = alloc(ctx, sources[i], size, true, va);
		/* Another kind of page may do. */
		if (err != -ENOBUFS && err != -ENOMEM && err != -EOPNOTSUPP)
			return err;
	}
	return -ENOBUFS;
}

int vfiodma_alloc(struct vfiodma_ctx *ctx, size_t size,
		  enum vfiodma_memory kind, void **va)
{
	if (!size)
		return -EINVAL;
	switch (kind) {
	case VFIODMA_SCATTERED:
		return alloc(ctx, PAGES, size, false, va);
	case VFIODMA_HUGE_2M:
		return alloc(ctx, HUGE_2M, size, false, va);
	case VFIODMA_HUGE_1G:
		return alloc(ctx, HUGE_1G, size, false, va);
	case VFIODMA_CONTIGUOUS:
		return alloc_contiguous(ctx, size, va);
	}
	return -EINVAL;
}

int vfiodma_free(struct vfiodma_ctx *ctx, void *va)
{
	struct mapping *mapping;
	size_t size = 0;

	ctx_lock(ctx);
	mapping = map_find(ctx, va);
	if (mapping && mapping->allocated) {
		size = mapping->size;
		map_drop(ctx, mapping);
	}
	ctx_unlock(ctx);
	if (!size)
		return -ENOENT;
	memory_free(va, size);
	return 0;
}
