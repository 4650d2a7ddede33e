// SPDX-License-Identifier: GPL-2.0-only
/* Instructions for each call, and for each kind and size of buffer */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "bench.h"

#define CALLS		255
#define CALLS_BUFFER	MIB(16UL)
#define FREED_LATE	500000	/* microseconds */

static int compare_counts(const void *a, const void *b)
{
	__u64 left = *(const __u64 *)a, right = *(const __u64 *)b;

	return left < right ? -1 : left > right;
}

static __u64 median(__u64 *counts, size_t count)
{
	qsort(counts, count, sizeof(*counts), compare_counts);
	return counts[count / 2];
}

/* Refused by iommufd before it looks at anything but the size */
static __u64 refused_call(struct device *dev, size_t page)
{
	struct get_pa get = { .size = GET_PA_SIZE - 8 };
	__u64 start, count;
	int ret;

	(void)page;
	start = now();
	ret = ioctl(dev->iommufd, GET_PA, &get);
	count = since(start);
	if (!ret || errno != EINVAL)
		die_errno("GET_PA with too small a struct");
	return count;
}

static __u64 one_page(struct device *dev, size_t page)
{
	struct get_pa get = {
		.size = GET_PA_SIZE,
		.ioas_id = dev->ioas_id,
		.iova = dev->iova + page * PAGE,
		.length = PAGE,
	};
	__u64 start = now(), count;

	look_up(dev, &get);
	count = since(start);
	if (get.length != PAGE)
		die("GET_PA of a page answered %llu bytes",
		    (unsigned long long)get.length);
	return count;
}

static const struct buffer *calls_buffer;

static __u64 one_page_by_pagemap(struct device *dev, size_t page)
{
	__u64 start = now();

	(void)dev;
	pagemap_address(calls_buffer->va + page * PAGE);
	return since(start);
}

/* Of calls for pages all over the buffer, that in the middle */
static void report_calls(struct device *dev, const char *name,
			 __u64 (*call)(struct device *dev, size_t page))
{
	static __u64 counts[CALLS];
	size_t i;

	for (i = 0; i < CALLS; i++)
		counts[i] = call(dev, i * 13 % (CALLS_BUFFER / PAGE));
	report(median(counts, CALLS), "call/%s", name);
}

void cost_of_calls(struct device *dev)
{
	struct buffer buf;

	buffer_alloc(&buf, SCATTERED, CALLS_BUFFER);
	calls_buffer = &buf;
	map(dev, &buf, buf.size);
	report_calls(dev, "refused", refused_call);
	report_calls(dev, "get_pa", one_page);
	report_calls(dev, "pagemap", one_page_by_pagemap);
	unmap(dev, buf.size);
	buffer_free(&buf);
}

/* What is small is disturbed more by what comes in between. */
static int repeats(size_t size)
{
	return size <= MIB(1UL) ? 5 : size <= MIB(64UL) ? 3 : 2;
}

static void cost_of_mapping(struct device *dev, const struct buffer *buf,
			    size_t size)
{
	__u64 map_cost = ~0ULL, unmap_cost = ~0ULL, start;
	int i;

	for (i = 0; i < repeats(size); i++) {
		start = now();
		map(dev, buf, size);
		least(&map_cost, since(start));
		start = now();
		unmap(dev, size);
		least(&unmap_cost, since(start));
	}
	report(map_cost, "%s/%zu/map", kind_names[buf->kind], size);
	report(unmap_cost, "%s/%zu/unmap", kind_names[buf->kind], size);
}

/*
 * Only where it leaves the memory as it is: a part of a huge page can not be
 * locked on its own.
 */
static void cost_of_mlock(const struct buffer *buf, size_t size)
{
	__u64 lock = ~0ULL, unlock = ~0ULL, start;
	int i;

	if ((buf->kind != SCATTERED && buf->kind != HUGETLB_2M) ||
	    size < MIB(2UL))
		return;
	for (i = 0; i < repeats(size); i++) {
		start = now();
		if (mlock(buf->va, size))
			die_errno("mlock of %zu bytes", size);
		least(&lock, since(start));
		start = now();
		if (munlock(buf->va, size))
			die_errno("munlock of %zu bytes", size);
		least(&unlock, since(start));
	}
	report(lock, "%s/%zu/mlock", kind_names[buf->kind], size);
	report(unlock, "%s/%zu/munlock", kind_names[buf->kind], size);
}

static __u64 cost_of_list(struct list *list, enum way way, struct device *dev,
			  const struct buffer *buf, size_t size)
{
	__u64 best = ~0ULL, start;
	int i;

	for (i = 0; i < repeats(size); i++) {
		start = now();
		list_make(list, way, dev, buf, size);
		least(&best, since(start));
	}
	return best;
}

/* Every way, and that it gives the addresses that pagemap gives */
static void cost_of_lists(struct device *dev, const struct buffer *buf,
			  size_t size, bool extents)
{
	static struct list lists[WAYS];
	const char *kind = kind_names[buf->kind];
	enum way way;

	for (way = 0; way < WAYS; way++) {
		if (!lists[way].runs)
			list_init(&lists[way], LARGEST);
		if (way >= BY_EXTENTS && !extents) {
			report_none("%s/%zu/%s", kind, size, way_names[way]);
			continue;
		}
		report(cost_of_list(&lists[way], way, dev, buf, size),
		       "%s/%zu/%s", kind, size, way_names[way]);
		list_compare(&lists[way], &lists[BY_PAGEMAP], way_names[way]);
	}
	report(lists[BY_PAGEMAP].count, "%s/%zu/runs", kind, size);
	list_check_kind(&lists[BY_PAGEMAP], buf->kind, size);
}

/* Each processor keeps a part of the counts to itself until it is asked. */
static void refresh_counts(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY);
	char nothing[8];

	if (fd < 0 || read(fd, nothing, sizeof(nothing)) < 0)
		die_errno("read of /proc/sys/vm/stat_refresh");
	close(fd);
}

/* Bytes of page tables that are not the processor's */
static __u64 page_table_bytes(void)
{
	unsigned long kib;
	bool found = false;
	char line[128];
	FILE *file;

	refresh_counts();
	file = fopen("/proc/meminfo", "r");
	if (!file)
		die_errno("open /proc/meminfo");
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "SecPageTables: %lu kB", &kib) == 1;
	fclose(file);
	if (!found)
		die("/proc/meminfo has no SecPageTables");
	return KIB((__u64)kib);
}

/*
 * Page tables outlive the mappings that they were made for: begin without any,
 * and wait for what is freed late.
 */
static void cost_in_memory(struct device *dev, const struct buffer *buf)
{
	__u64 before;

	device_close(dev);
	usleep(FREED_LATE);
	before = page_table_bytes();
	device_start(dev);
	map(dev, buf, buf->size);
	report(page_table_bytes() - before, "%s/%zu/page_tables",
	       kind_names[buf->kind], buf->size);
	unmap(dev, buf->size);
}

static void cost_of_kind(struct device *dev, enum kind kind, size_t largest,
			 bool extents)
{
	struct buffer buf;
	size_t size;

	if ((kind == MEMFD && !has_map_file(dev)) ||
	    !buffer_alloc(&buf, kind, largest)) {
		report_none("%s", kind_names[kind]);
		return;
	}
	for (size = SMALLEST; size <= largest; size *= 4) {
		cost_of_mapping(dev, &buf, size);
		map(dev, &buf, size);
		cost_of_lists(dev, &buf, size, extents);
		unmap(dev, size);
		cost_of_mlock(&buf, size);
	}
	cost_in_memory(dev, &buf);
	buffer_free(&buf);
}

void cost_of_buffers(struct device *dev, size_t largest)
{
	bool extents = has_extents(dev);
	enum kind kind;

	for (kind = 0; kind < KINDS; kind++)
		cost_of_kind(dev, kind, largest, extents);
}
