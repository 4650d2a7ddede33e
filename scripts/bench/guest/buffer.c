// SPDX-License-Identifier: GPL-2.0-only
/* Memory as a driver's buffers have it, from the worst kind to the best. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "bench.h"

#define HUGE_2M		(21 << MAP_HUGE_SHIFT)
#define HUGE_1G		(30 << MAP_HUGE_SHIFT)

const char *const kind_names[KINDS] = {
	[SCATTERED] = "scattered",
	[THP] = "thp",
	[HUGETLB_2M] = "hugetlb2m",
	[HUGETLB_1G] = "hugetlb1g",
	[MEMFD] = "memfd",
};

/* Memory for results: it is there before anything is counted. */
void *zeroed(size_t size)
{
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (va == MAP_FAILED)
		die_errno("mmap of %zu bytes", size);
	return va;
}

/* Address space aligned like the largest huge page, with nothing in it */
static char *reserve(size_t size)
{
	size_t whole = size + LARGEST;
	unsigned long start, aligned;
	char *va;

	va = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (va == MAP_FAILED)
		die_errno("mmap of %zu bytes of address space", whole);
	start = (unsigned long)va;
	aligned = (start + LARGEST - 1) & ~(LARGEST - 1);
	if (munmap(va, whole))
		die_errno("munmap");
	return (char *)aligned;
}

static bool place(struct buffer *buf, int flags, int fd)
{
	flags |= MAP_FIXED_NOREPLACE;
	flags |= fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	buf->va = mmap(reserve(buf->size), buf->size, PROT_READ | PROT_WRITE,
		       flags, fd, 0);
	return buf->va != MAP_FAILED;
}

static __u32 next_random(__u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Fisher and Yates; the same order each time */
static void shuffle(__u32 *order, size_t count)
{
	__u32 state = 1, swap;
	size_t i, j;

	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i > 0; i--) {
		j = next_random(&state) % (i + 1);
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
static void touch_shuffled(struct buffer *buf)
{
	size_t count = buf->size / PAGE, i;
	__u32 *order = zeroed(count * sizeof(*order));

	shuffle(order, count);
	for (i = 0; i < count; i++)
		buf->va[order[i] * PAGE] = 1;
	munmap(order, count * sizeof(*order));
}

static void touch(struct buffer *buf)
{
	size_t offset;

	for (offset = 0; offset < buf->size; offset += PAGE)
		buf->va[offset] = 1;
}

static bool alloc_pages(struct buffer *buf, int advice)
{
	if (!place(buf, 0, -1))
		die_errno("mmap of %zu bytes", buf->size);
	if (madvise(buf->va, buf->size, advice)) {
		if (advice == MADV_HUGEPAGE && errno == EINVAL)
			return false;
		die_errno("madvise");
	}
	if (advice == MADV_HUGEPAGE)
		touch(buf);
	else
		touch_shuffled(buf);
	return true;
}

/* None set aside, or none of that size in this processor */
static bool alloc_hugetlb(struct buffer *buf, int size_flag)
{
	if (!place(buf, MAP_HUGETLB | size_flag, -1))
		return false;
	touch(buf);
	return true;
}

static bool alloc_memfd(struct buffer *buf)
{
	buf->fd = memfd_create("bench", MFD_CLOEXEC);
	if (buf->fd < 0)
		return false;
	if (ftruncate(buf->fd, buf->size))
		die_errno("ftruncate of a memfd");
	if (!place(buf, 0, buf->fd))
		die_errno("mmap of a memfd");
	touch(buf);
	return true;
}

/* False: there is no such memory here. */
bool buffer_alloc(struct buffer *buf, enum kind kind, size_t size)
{
	*buf = (struct buffer){ .kind = kind, .size = size, .fd = -1 };
	switch (kind) {
	case SCATTERED:
		return alloc_pages(buf, MADV_NOHUGEPAGE);
	case THP:
		return alloc_pages(buf, MADV_HUGEPAGE);
	case HUGETLB_2M:
		return alloc_hugetlb(buf, HUGE_2M);
	case HUGETLB_1G:
		buf->size = LARGEST;
		return alloc_hugetlb(buf, HUGE_1G);
	case MEMFD:
		return alloc_memfd(buf);
	default:
		return false;
	}
}

void buffer_free(struct buffer *buf)
{
	munmap(buf->va, buf->size);
	if (buf->fd >= 0)
		close(buf->fd);
}
