// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address list of a buffer, as the physically contiguous runs that it is
 * made of: what a driver builds its scatter list from. All ways give the same
 * list, and that is checked.
 */
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"

#define PAGEMAP_PRESENT	(1ULL << 63)
#define PAGEMAP_PFN	((1ULL << 55) - 1)

/* Two runs that follow each other are one now and then, by chance. */
#define MAX_LONG_RUNS	100 /* one in so many */

const char *const way_names[WAYS] = {
	[BY_PAGEMAP] = "pagemap",
	[BY_PAGE] = "page",
	[BY_RUN] = "run",
	[BY_EXTENTS] = "extents",
	[BY_DEVICE] = "device",
};

/* Room for a buffer of which no two pages are neighbours */
void list_init(struct list *list, size_t size)
{
	list->room = size / PAGE;
	list->runs = zeroed(list->room * sizeof(*list->runs));
	list->count = 0;
}

static inline void list_add(struct list *list, __u64 phys, __u64 length)
{
	list->runs[list->count++] = (struct run){ phys, length };
}

/* What is asked for piece by piece may go on where the last piece ended. */
static inline void list_join(struct list *list, __u64 phys, __u64 length)
{
	struct run *last = list->runs + list->count - 1;

	if (list->count && last->phys + last->length == phys)
		last->length += length;
	else
		list_add(list, phys, length);
}

static int pagemap(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die_errno("open /proc/self/pagemap");
	return fd;
}

static void read_pagemap(const void *va, __u64 *entries, size_t pages)
{
	size_t size = pages * sizeof(*entries);
	off_t where = (unsigned long)va / PAGE * sizeof(*entries);
	ssize_t done = pread(pagemap(), entries, size, where);

	if (done < 0 || (size_t)done != size)
		die_errno("pread of /proc/self/pagemap");
}

static inline __u64 pagemap_phys(__u64 entry)
{
	if (__builtin_expect(!(entry & PAGEMAP_PRESENT), 0))
		die("a page is not there, says /proc/self/pagemap");
	return (entry & PAGEMAP_PFN) * PAGE;
}

/* One page */
__u64 pagemap_address(const void *va)
{
	__u64 entry;

	read_pagemap(va, &entry, 1);
	return pagemap_phys(entry);
}

static void by_pagemap(struct list *list, const struct buffer *buf, size_t size)
{
	static __u64 *entries;
	size_t pages = size / PAGE, i;
	__u64 start, end, phys;

	if (!entries)
		entries = zeroed(LARGEST / PAGE * sizeof(*entries));
	read_pagemap(buf->va, entries, pages);
	start = pagemap_phys(entries[0]);
	end = start + PAGE;
	for (i = 1; i < pages; i++) {
		phys = pagemap_phys(entries[i]);
		if (phys != end) {
			list_add(list, start, end - start);
			start = phys;
			end = phys;
		}
		end += PAGE;
	}
	list_add(list, start, end - start);
}

/* At most `most` bytes a call */
static void by_calls(struct list *list, struct device *dev, size_t size,
		     size_t most)
{
	struct get_pa get;
	size_t done;

	for (done = 0; done < size; done += get.length) {
		get = (struct get_pa){
			.size = GET_PA_SIZE,
			.ioas_id = dev->ioas_id,
			.iova = dev->iova + done,
			.length = size - done < most ? size - done : most,
		};
		look_up(dev, &get);
		list_join(list, get.out_phys, get.length);
	}
}

static void by_extents(struct list *list, struct device *dev, size_t size,
		       bool as_device)
{
	struct get_pa get;
	size_t done;

	for (done = 0; done < size; done += get.length) {
		get = (struct get_pa){
			.size = GET_PA_EXTENTS_SIZE,
			.flags = as_device ? GET_PA_DEVICE : 0,
			.dev_id = as_device ? dev->dev_id : 0,
			.ioas_id = dev->ioas_id,
			.iova = dev->iova + done,
			.length = size - done,
			.num_extents = list->room - list->count,
			.extents_uptr =
				(unsigned long)(list->runs + list->count),
		};
		look_up(dev, &get);
		list->count += get.num_extents;
	}
}

void list_make(struct list *list, enum way way, struct device *dev,
	       const struct buffer *buf, size_t size)
{
	list->count = 0;
	switch (way) {
	case BY_PAGEMAP:
		by_pagemap(list, buf, size);
		break;
	case BY_PAGE:
		by_calls(list, dev, size, PAGE);
		break;
	case BY_RUN:
		by_calls(list, dev, size, size);
		break;
	case BY_EXTENTS:
	case BY_DEVICE:
		by_extents(list, dev, size, way == BY_DEVICE);
		break;
	default:
		break;
	}
}

void list_compare(const struct list *list, const struct list *other,
		  const char *what)
{
	size_t i;

	if (list->count != other->count)
		die("%s: %zu runs, of which pagemap knows %zu", what,
		    list->count, other->count);
	for (i = 0; i < list->count; i++)
		if (list->runs[i].phys != other->runs[i].phys ||
		    list->runs[i].length != other->runs[i].length)
			die("%s: run %zu is %#llx+%#llx, to pagemap %#llx+%#llx",
			    what, i,
			    (unsigned long long)list->runs[i].phys,
			    (unsigned long long)list->runs[i].length,
			    (unsigned long long)other->runs[i].phys,
			    (unsigned long long)other->runs[i].length);
}

static size_t long_runs(const struct list *list)
{
	size_t found = 0, i;

	for (i = 0; i < list->count; i++)
		found += list->runs[i].length > PAGE;
	return found;
}

/* That memory is as scattered, or as contiguous, as its kind says */
void list_check_kind(const struct list *list, enum kind kind, size_t size)
{
	size_t huge = kind == HUGETLB_1G ? LARGEST : MIB(2UL);

	if (kind == MEMFD)
		return;
	if (kind == SCATTERED && long_runs(list) * MAX_LONG_RUNS > list->count)
		die("%zu of %zu runs of scattered memory are longer than a page",
		    long_runs(list), list->count);
	if (kind != SCATTERED && list->count > (size + huge - 1) / huge)
		die("%s: %zu bytes are in %zu runs", kind_names[kind], size,
		    list->count);
}
