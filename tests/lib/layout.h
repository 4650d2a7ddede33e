/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_LAYOUT_H
#define TESTS_LIB_LAYOUT_H

/*
 * What IOMMU_IOAS_GET_PA has to answer, predicted from what is mapped where and
 * from what /proc/self/pagemap says about that memory. Nothing here is ever
 * learned from the ioctl.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/iommufd.h>
#include <linux/kernel.h>
#include <linux/types.h>

#include <libvfio.h>

#include "mem.h"
#include "utils.h"

/* A part of @mem, which starts @offset into it, is mapped at @iova */
struct mapping {
	u64 iova;
	u64 length;
	const struct mem *mem;
	u64 offset;
};

#define LAYOUT_MAX 512

/* All mappings of an IOAS, in the order of their IOVAs */
struct layout {
	u32 nr;
	struct mapping mappings[LAYOUT_MAX];
};

/* The arguments of a lookup. Without room it is one without an array. */
struct window {
	u64 iova;
	u64 length;
	u32 room;
};

struct answer {
	int ret;
	u64 phys;
	u64 length;
	u32 nr;
	struct iommu_pa_extent *extents;
};

/* The index of the mapping that @iova is in, or else of the next one */
static inline u32 layout_find(const struct layout *layout, u64 iova)
{
	u32 low = 0, high = layout->nr;

	while (low < high) {
		const u32 i = (low + high) / 2;
		const struct mapping *m = &layout->mappings[i];

		if (m->iova + (m->length - 1) < iova)
			low = i + 1;
		else
			high = i;
	}

	return low;
}

static inline void layout_add(struct layout *layout, u64 iova, u64 length,
			      const struct mem *mem, u64 offset)
{
	const u32 i = layout_find(layout, iova);
	struct mapping *m = &layout->mappings[i];

	VFIO_ASSERT_LT(layout->nr, LAYOUT_MAX);
	VFIO_ASSERT_LE(offset + length, mem->size);
	VFIO_ASSERT_TRUE(i == layout->nr || iova + (length - 1) < m->iova);

	memmove(m + 1, m, (layout->nr++ - i) * sizeof(*m));
	m->iova = iova;
	m->length = length;
	m->mem = mem;
	m->offset = offset;
}

/* Map a part of @mem, and note that in @layout */
static inline void layout_map(struct layout *layout, const struct bound *b,
			      u64 iova, u64 length, const struct mem *mem,
			      u64 offset)
{
	VFIO_ASSERT_EQ(mem_map_part(b, mem, offset, length, iova), 0,
		       "Mapping %#lx bytes at IOVA %#lx\n", length, iova);

	layout_add(layout, iova, length, mem, offset);
}

static inline void layout_unmap(struct layout *layout, const struct bound *b,
				u64 iova)
{
	const u32 i = layout_find(layout, iova);
	struct mapping *m = &layout->mappings[i];

	VFIO_ASSERT_LT(i, layout->nr);
	VFIO_ASSERT_EQ(m->iova, iova);
	VFIO_ASSERT_EQ(ioas_unmap(b->iommufd, b->ioas_id, iova, m->length), 0);
	memmove(m, m + 1, (--layout->nr - i) * sizeof(*m));
}

/*
 * The bytes from @iova on that one extent covers: contiguous in memory, within
 * mapping @m, and up to @last.
 */
static inline u64 mapping_run(const struct mapping *m, u64 iova, u64 last,
			      u64 *phys)
{
	const u64 page_size = getpagesize();
	const u64 offset = m->offset + (iova - m->iova);
	const u64 page = offset / page_size, in_page = offset % page_size;
	u64 run;

	run = min(m->mem->run[page] - in_page, m->length - (iova - m->iova));
	if (run - 1 > last - iova)
		run = last - iova + 1;

	*phys = m->mem->phys[page] + in_page;
	return run;
}

/* The last byte of a window, which may be open or longer than what is left */
static inline u64 window_last(const struct window *w)
{
	const u64 last = w->iova + (w->length - 1);

	return w->length && last >= w->iova ? last : UINT64_MAX;
}

/* @a: out, but for the array, which needs room for the extents */
static inline void layout_predict(const struct layout *layout,
				  const struct window *w, struct answer *a)
{
	const struct mapping *end = layout->mappings + layout->nr;
	const struct mapping *m;
	const u64 last = window_last(w);
	u64 iova = w->iova;
	u64 run, phys;

	a->ret = 0;
	a->phys = 0;
	a->length = 0;
	a->nr = 0;

	if (iova == UINT64_MAX) {
		a->ret = -EOVERFLOW;
		return;
	}

	m = layout->mappings + layout_find(layout, iova);
	if (m == end || iova < m->iova) {
		a->ret = -ENOENT;
		return;
	}

	for (;;) {
		run = mapping_run(m, iova, last, &phys);
		if (!a->length)
			a->phys = phys;
		a->length += run;
		iova += run;

		if (!w->room)
			return;
		a->extents[a->nr].phys = phys;
		a->extents[a->nr].length = run;
		a->nr++;

		if (a->nr == w->room || iova - 1 == last)
			return;
		if (iova - m->iova == m->length &&
		    (++m == end || m->iova != iova))
			return;
	}
}

/*
 * Arrays for what is expected and for what is seen. All of the latter is filled
 * with EXTENTS_UNTOUCHED between lookups, so that a stray write is found even if
 * it is found late.
 */
#define EXTENTS_UNTOUCHED	0xa5
#define EXTENTS_GUARD		8

struct extents {
	u32 room;
	struct iommu_pa_extent *seen;
	struct iommu_pa_extent *expected;
};

static inline void extents_init(struct extents *e, u32 room)
{
	e->room = room;
	e->seen = calloc_assert(room + EXTENTS_GUARD, sizeof(*e->seen));
	e->expected = calloc_assert(room, sizeof(*e->expected));
	memset(e->seen, EXTENTS_UNTOUCHED,
	       (room + EXTENTS_GUARD) * sizeof(*e->seen));
}

static inline void extents_cleanup(struct extents *e)
{
	free(e->seen);
	free(e->expected);
}

/* Are the bytes from @from up to @to untouched? */
static inline bool bytes_untouched(const void *from, const void *to)
{
	const u8 *byte;

	for (byte = from; byte != to; byte++) {
		if (*byte == EXTENTS_UNTOUCHED)
			continue;
		fprintf(stderr, "# Byte %#lx of %#lx was written: %#x\n",
			byte - (u8 *)from, (u8 *)to - (u8 *)from, *byte);
		return false;
	}

	return true;
}

/* Has no lookup since extents_init() written more than it said? */
static inline bool extents_untouched(const struct extents *e)
{
	return bytes_untouched(e->seen, e->seen + e->room + EXTENTS_GUARD);
}

static inline bool answers_equal(const struct answer *a, const struct answer *b)
{
	return a->ret == b->ret && a->phys == b->phys &&
		a->length == b->length && a->nr == b->nr &&
		!memcmp(a->extents, b->extents, a->nr * sizeof(*a->extents));
}

static inline void answer_print(const char *title, const struct answer *a)
{
	if (a->ret)
		fprintf(stderr, "#   %s: %s\n", title, strerror(-a->ret));
	else
		fprintf(stderr, "#   %s: %#lx bytes in %u extents, first at %#lx\n",
			title, a->length, a->nr, a->phys);
}

static inline void extent_print(const char *title, const struct answer *a, u32 i)
{
	if (i < a->nr)
		fprintf(stderr, "#   Extent %u %s: %#llx bytes at %#llx\n", i,
			title, a->extents[i].length, a->extents[i].phys);
	else
		fprintf(stderr, "#   Extent %u %s: none\n", i, title);
}

static inline void window_print(const struct window *w)
{
	fprintf(stderr, "# IOVA %#lx, at most %#lx bytes, room for %u extents\n",
		w->iova, w->length, w->room);
}

static inline void answers_print(const struct window *w,
				 const struct answer *expected,
				 const struct answer *seen)
{
	u32 i = 0;

	window_print(w);
	answer_print("Expected", expected);
	answer_print("Observed", seen);

	while (i < expected->nr && i < seen->nr &&
	       !memcmp(&expected->extents[i], &seen->extents[i],
		       sizeof(*seen->extents)))
		i++;
	if (i < expected->nr || i < seen->nr) {
		extent_print("expected", expected, i);
		extent_print("observed", seen, i);
	}
}

/* The lookup that @w describes, into @a and its array */
static inline void window_lookup(const struct bound *b, const struct window *w,
				 struct answer *a)
{
	a->phys = 0;
	a->length = w->length;
	a->nr = w->room;
	a->ret = ioas_get_extents(b->iommufd, b->ioas_id, w->iova, &a->length,
				  &a->phys, a->extents, &a->nr);
	if (a->ret) {
		a->length = 0;
		a->nr = 0;
	}
}

/* The same by the struct that ends where an array would be told of */
static inline void window_lookup_short(const struct bound *b,
				       const struct window *w, struct answer *a)
{
	a->phys = 0;
	a->nr = 0;
	a->length = w->length;
	a->ret = ioas_get_pa(b->iommufd, b->ioas_id, w->iova, &a->length,
			     &a->phys);
	if (a->ret)
		a->length = 0;
}

/* Is what a lookup answers what @layout predicts, and nothing else written? */
static inline bool window_check(const struct bound *b,
				const struct layout *layout,
				const struct window *w, struct extents *e)
{
	struct answer expected = { .extents = e->expected };
	struct answer seen = { .extents = e->seen };
	bool equal, untouched;

	VFIO_ASSERT_LE(w->room, e->room);

	layout_predict(layout, w, &expected);

	if (!w->room) {
		window_lookup_short(b, w, &seen);
		if (!answers_equal(&expected, &seen)) {
			fprintf(stderr, "# With a struct of %u bytes\n",
				GET_PA_SIZE);
			answers_print(w, &expected, &seen);
			return false;
		}
	}

	window_lookup(b, w, &seen);
	if (seen.nr > w->room) {
		window_print(w);
		fprintf(stderr, "#   Observed: %u extents\n", seen.nr);
		return false;
	}

	equal = answers_equal(&expected, &seen);
	if (!equal)
		answers_print(w, &expected, &seen);

	/* The next few, and those past the room, that is where it would go on */
	untouched = bytes_untouched(e->seen + seen.nr,
				    e->seen + seen.nr + EXTENTS_GUARD) &&
		    bytes_untouched(e->seen + w->room,
				    e->seen + w->room + EXTENTS_GUARD);
	if (!untouched) {
		fprintf(stderr, "# That is past extent %u of:\n", seen.nr);
		window_print(w);
	}

	memset(e->seen, EXTENTS_UNTOUCHED, seen.nr * sizeof(*e->seen));

	return equal && untouched;
}

#endif /* TESTS_LIB_LAYOUT_H */
