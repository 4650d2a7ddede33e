// SPDX-License-Identifier: GPL-2.0
/* Memory of the example programs: the library's, and the worst that there can be */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>

#include "example.h"
#include "example-why.h"

#define PAGE	4096ul

static void count(struct device *dev, void *va, size_t size, size_t runs)
{
	dev->addresses += size / PAGE;
	dev->runs += runs;
	note("%zu bytes in %zu pieces, the first at %#llx", size, runs,
	     (unsigned long long)vfiodma_addr(dev->ctx, va));
}

int example_alloc(struct device *dev, size_t size, enum vfiodma_memory kind,
		  void **va)
{
	int err = vfiodma_alloc(dev->ctx, size, kind, va);

	if (err)
		return why_no_memory(-err, size, kind);
	count(dev, *va, size, vfiodma_sg(dev->ctx, *va, size, NULL, 0));
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
static int touch_shuffled(char *va, size_t size, size_t page)
{
	size_t pages = size / page, *order, i;

	order = calloc(pages, sizeof(*order));
	if (!order)
		return fail(errno, "calloc");
	shuffle(order, pages);
	for (i = 0; i < pages; i++)
		va[order[i] * page] = 1;
	for (i = 0; i < pages; i++)
		va[i * page] = 0;
	free(order);
	return 0;
}

/*
 * Memory of our own, mapped: every page has an address of its own, so that a driver
 * that works with it copes with any memory. It goes with the process.
 */
int example_alloc_shuffled(struct device *dev, size_t size, void **va)
{
	size_t page = sysconf(_SC_PAGESIZE), runs = 0;
	int err;

	size = (size + page - 1) / page * page;
	*va = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*va == MAP_FAILED)
		return fail(errno, "mmap of %zu bytes", size);
	/* EINVAL: the kernel has no transparent huge pages. */
	if (madvise(*va, size, MADV_NOHUGEPAGE) && errno != EINVAL)
		return fail(errno, "madvise(MADV_NOHUGEPAGE)");
	err = touch_shuffled(*va, size, page);
	if (err)
		return err;
	err = vfiodma_map(dev->ctx, *va, size, 0, NULL, &runs);
	if (err)
		return why_no_memory(-err, size, VFIODMA_SCATTERED);
	count(dev, *va, size, runs);
	return 0;
}
