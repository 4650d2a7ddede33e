// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for devices, of the kinds that drivers need. Where in the machine a page is
 * shows only when it is mapped. One that does not fit is exchanged, by a fault, for
 * another one: it stays pinned meanwhile, so that the kernel does not give it again.
 */
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>
#include <sys/mman.h>

#include "internal.h"

#define SHIFT_2M	21
#define SHIFT_1G	30
#define FLAG_SHIFT	26	/* MAP_HUGE_SHIFT, which old headers lack */
#define DONTNEED_LOCKED	24	/* MADV_DONTNEED_LOCKED, likewise: after mlockall() */

/* How often memory is had that does not fit, before that is an error */
#define TRIES		8

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

static int check_unit(struct vfiodma_ctx *ctx, const struct wanted *wanted,
		      uint64_t va)
{
	uint64_t first = table_get(&ctx->table, va), addr, run;
	uint64_t end = va + wanted->unit;

	for (; va < end; va += run) {
		addr = table_get_run(&ctx->table, va, &run);
		if (run > end - va)
			run = end - va;
		if (addr == NO_ADDR || addr > wanted->max_addr ||
		    run - 1 > wanted->max_addr - addr)
			return -EADDRNOTAVAIL;
	}
	return first & (wanted->alignment - 1) ? -ENOBUFS : 0;
}

static bool is_in_pieces(struct vfiodma_ctx *ctx, const struct mapping *mapping)
{
	return vfiodma_sg(ctx, (void *)mapping->va, mapping->size, NULL, 0) > 1;
}

/* Whether memory that was without a device, and not pinned, is as it was wanted. */
int memory_check(struct vfiodma_ctx *ctx, const struct mapping *mapping)
{
	const struct wanted *wanted = &mapping->wanted;
	uint64_t va = mapping->va, end = va + mapping->size;
	int err = 0;

	if (!mapping->allocated)
		return 0;
	if (wanted->contiguous && is_in_pieces(ctx, mapping))
		return -ENOBUFS;
	for (; va < end && !err; va += wanted->unit)
		err = check_unit(ctx, wanted, va);
	return err;
}

/* The next one to touch it gets other memory: false if the kernel can not do that. */
static bool give_up(uint64_t va, size_t size)
{
	void *memory = (void *)(uintptr_t)va;

	return !madvise(memory, size, MADV_DONTNEED) ||
	       !madvise(memory, size, DONTNEED_LOCKED);
}

/*
 * Whether it fits. What does not is gone, and can be had anew, if @again says so. That
 * it is in pieces does not get better by that.
 */
static int check(struct vfiodma_ctx *ctx, const struct wanted *wanted,
		 const struct mapping *mapping, bool *again)
{
	uint64_t va = mapping->va, end = va + mapping->size;
	int err = 0, why;

	*again = false;
	if (wanted->contiguous && is_in_pieces(ctx, mapping))
		return -ENOBUFS;
	*again = true;
	for (; va < end; va += wanted->unit) {
		why = check_unit(ctx, wanted, va);
		if (!why)
			continue;
		err = why;
		if (!give_up(va, wanted->unit))
			*again = false;
	}
	return err;
}

/*
 * Maps what was got until it fits. Each time it is pinned anew, at another IOVA, and
 * what it was before is let go only at the end.
 */
static int map_fitting(struct vfiodma_ctx *ctx, void *memory, size_t size, int fd,
		       const struct wanted *wanted)
{
	uint64_t held[TRIES];
	struct mapping *mapping;
	unsigned int tries = 0;
	int err, why = 0;
	bool again;

	do {
		err = map_add(ctx, memory, size, fd, 0, true, &mapping);
		if (err)
			break;
		err = check(ctx, wanted, mapping, &again);
		if (!err) {
			mapping->allocated = true;
			mapping->wanted = *wanted;
			why = 0;
			break;
		}
		why = err;
		held[tries++] = map_hold(ctx, mapping);
	} while (again && tries < TRIES);
	while (tries)
		map_release(ctx, held[--tries], size);
	/* That there was no other memory is not what is wrong with the first. */
	return why ? why : err;
}

enum source {
	PAGES,
	HUGE_2M,
	HUGE_1G,
	LARGE,
	HEAP,
};

static unsigned int shift_of(enum source source)
{
	const unsigned int shifts[] = {
		[PAGES] = __builtin_ctzl(sysconf(_SC_PAGESIZE)),
		[HUGE_2M] = SHIFT_2M,
		[HUGE_1G] = SHIFT_1G,
		[LARGE] = SHIFT_2M,
		[HEAP] = __builtin_ctzl(sysconf(_SC_PAGESIZE)),
	};

	return shifts[source];
}

static int get(enum source source, size_t size, void **va, int *fd)
{
	*fd = -1;
	switch (source) {
	case PAGES:
		return get_pages(size, va);
	case LARGE:
		return get_large(size, va);
	case HEAP:
		return heap_get(size, va, fd);
	default:
		return get_huge(shift_of(source), size, va);
	}
}

static int alloc(struct vfiodma_ctx *ctx, enum source source, size_t size,
		 struct wanted wanted, void **va)
{
	void *memory = NULL;
	int err, fd;

	size = whole(size, shift_of(source));
	if (!size)
		return -ENOMEM;
	wanted.unit = wanted.contiguous ? size : (size_t)1 << shift_of(source);
	if (wanted.alignment > wanted.unit && !wanted.contiguous)
		return -EINVAL;
	err = get(source, size, &memory, &fd);
	if (err)
		return err;
	ctx_lock(ctx);
	err = map_fitting(ctx, memory, size, fd, &wanted);
	ctx_unlock(ctx);
	if (fd >= 0)
		close(fd);
	if (err)
		memory_free(memory, size);
	else
		*va = memory;
	return err;
}

/*
 * By pages where they do, then by as small a huge page as does, which is whole by
 * itself, then by what the kernel makes of ordinary memory, and last by what it sets
 * aside to have it in one piece.
 */
static int alloc_contiguous(struct vfiodma_ctx *ctx, size_t size,
			    struct wanted wanted, void **va)
{
	static const enum source sources[] = {
		PAGES, HUGE_2M, HUGE_1G, LARGE, HEAP,
	};
	int err, result = -ENOBUFS;
	size_t i;

	wanted.contiguous = true;
	for (i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		err = alloc(ctx, sources[i], size, wanted, va);
		if (err == -EADDRNOTAVAIL ||
		    (err == -ENOMEM && sources[i] == PAGES))
			result = err;
		/* Another kind of page may do. */
		else if (err != -ENOBUFS && err != -ENOMEM && err != -EOPNOTSUPP)
			return err;
	}
	return result;
}

static int alloc_kind(struct vfiodma_ctx *ctx, size_t size,
		      enum vfiodma_memory kind, struct wanted wanted, void **va)
{
	switch (kind) {
	case VFIODMA_SCATTERED:
		return alloc(ctx, PAGES, size, wanted, va);
	case VFIODMA_HUGE_2M:
		return alloc(ctx, HUGE_2M, size, wanted, va);
	case VFIODMA_HUGE_1G:
		return alloc(ctx, HUGE_1G, size, wanted, va);
	case VFIODMA_CONTIGUOUS:
		return alloc_contiguous(ctx, size, wanted, va);
	}
	return -EINVAL;
}

/* What a later header has in the struct besides, this library can not heed. */
static int check_options(const struct vfiodma_alloc_options *options)
{
	const char *more = (const char *)options;
	size_t i;

	if (options->size < sizeof(*options) ||
	    options->alignment & (options->alignment - 1))
		return -EINVAL;
	for (i = sizeof(*options); i < options->size; i++)
		if (more[i])
			return -E2BIG;
	return 0;
}

int vfiodma_alloc_with(struct vfiodma_ctx *ctx, size_t size,
		       const struct vfiodma_alloc_options *options, void **va)
{
	struct wanted wanted = { 0 };
	int err;

	err = check_options(options);
	if (err)
		return err;
	if (!size)
		return -EINVAL;
	wanted.alignment = options->alignment ? options->alignment : 1;
	wanted.max_addr = options->max_addr ? options->max_addr : UINT64_MAX;
	return alloc_kind(ctx, size, options->memory, wanted, va);
}

int vfiodma_alloc(struct vfiodma_ctx *ctx, size_t size,
		  enum vfiodma_memory kind, void **va)
{
	const struct vfiodma_alloc_options options = {
		.size = sizeof(options),
		.memory = kind,
	};

	return vfiodma_alloc_with(ctx, size, &options, va);
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
