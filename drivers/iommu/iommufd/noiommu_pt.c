// SPDX-License-Identifier: GPL-2.0-only
/*
 * The noiommu HWPT: an IO page table that no IOMMU driver backs
 *
 * A device without an IOMMU uses physical addresses, so nothing ever walks this
 * page table to translate. It exists to make such a device an ordinary user of
 * the IOAS: attaching creates a domain, filling the domain pins the memory and
 * stores the PFNs, and emptying it unpins. Reading the entries back is how
 * userspace learns the addresses to program into the device.
 *
 * It is a radix tree. A table is a page of items, each of which is a machine
 * word and covers 2^shift bytes of IOVA:
 *
 *  - 0: Nothing is mapped.
 *  - The lowest bit is clear: The address of a table, for the same IOVA with a
 *    smaller shift.
 *  - The lowest bit is set: An entry, for memory of a size that is a power of two,
 *    to which IOVA and memory are aligned. In frames of 4 KiB, the number of the
 *    first frame is followed by the size, as a bit at its place:
 *
 *      ffff|1|1      a frame
 *      fff|10|1      two frames
 *      ff|100|1      four frames
 *
 *    f is a bit of the frame number, whose low ones are 0 and make room for the
 *    size. If an entry covers several items then it is in all of them.
 *
 * So there is an entry for every power of two, and contiguous memory takes few.
 * The tree starts with as many levels as the first IOVA needs and gets another
 * top when a larger IOVA comes, up to all of the address space.
 *
 * Items are read and written whole, because they are words, on 32 bits as well.
 * The caller of each operation has a lock on its range of IOVA: nobody maps or
 * unmaps a part of it at the same time, or reads it while that is done. What it
 * shares with the neighbours of its range is tables. Several may find one missing
 * at once, which cmpxchg() settles, and a table is freed only by an operation
 * whose range has all of it. Nobody else can be in there, so it needs no grace
 * period, and walks take no lock.
 */
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../iommu-pages.h"
#include "iommufd_private.h"
#include "noiommu_pt.h"

#define FRAME ((unsigned long)SZ_4K)

enum {
	FRAME_SHIFT = ilog2(SZ_4K),
	TABLE_ITEMS_LG2 = PAGE_SHIFT - ilog2(sizeof(unsigned long)),
	TABLE_ITEMS = 1 << TABLE_ITEMS_LG2,
	/* Bits of an entry below the frame number, for an entry of one frame */
	ENTRY_BITS = 2,
};

#define ITEM_ENTRY 1UL

/* Size and lowest bit of an entry of one frame */
#define ENTRY_FRAME (2UL | ITEM_ENTRY)
#define ENTRY_FRAME_MASK ENTRY_FRAME

/* The address of the top table has the shift of its items in the low bits */
#define TOP_SHIFT_MASK ((unsigned long)(BITS_PER_LONG - 1))

struct noiommu_pt {
	struct iommu_domain domain;
	unsigned long top; /* 0 until something is mapped */
};

static struct noiommu_pt *to_noiommu_pt(struct iommu_domain *domain)
{
	return container_of(domain, struct noiommu_pt, domain);
}

static bool item_is_table(unsigned long item)
{
	return item && !(item & ITEM_ENTRY);
}

static unsigned long make_entry(phys_addr_t paddr, unsigned int size_lg2)
{
	return (unsigned long)(paddr >> FRAME_SHIFT) << ENTRY_BITS |
	       2UL << (size_lg2 - FRAME_SHIFT) | ITEM_ENTRY;
}

/* Most entries of scattered memory are */
static bool entry_is_frame(unsigned long entry)
{
	return (entry & ENTRY_FRAME_MASK) == ENTRY_FRAME;
}

static phys_addr_t frame_phys(unsigned long entry)
{
	return (phys_addr_t)(entry & ~ENTRY_FRAME_MASK)
	       << (FRAME_SHIFT - ENTRY_BITS);
}

/* The bit of the size, at its place in the entry */
static unsigned long entry_size_bit(unsigned long entry)
{
	unsigned long bits = entry & ~ITEM_ENTRY;

	return bits & -bits;
}

static unsigned long entry_size(unsigned long entry)
{
	return entry_size_bit(entry) << (FRAME_SHIFT - 1);
}

/* Of the first byte */
static phys_addr_t entry_phys(unsigned long entry)
{
	unsigned long frames = entry - entry_size_bit(entry) - ITEM_ENTRY;

	return (phys_addr_t)frames << (FRAME_SHIFT - ENTRY_BITS);
}

static unsigned int table_index(unsigned long iova, unsigned int shift)
{
	return (iova >> shift) & (TABLE_ITEMS - 1);
}

/* Tables whose items have this shift start at 0 and are large enough for iova */
static bool shift_reaches(unsigned int shift, unsigned long iova)
{
	shift += TABLE_ITEMS_LG2;
	return shift >= BITS_PER_LONG || !(iova >> shift);
}

static unsigned long *top_table(unsigned long top)
{
	return (unsigned long *)(top & ~TOP_SHIFT_MASK);
}

static unsigned int top_shift(unsigned long top)
{
	return top & TOP_SHIFT_MASK;
}

/* The item for iova that is no table. NULL if there is no table for it at all. */
static __always_inline unsigned long *find_item(const struct noiommu_pt *pt,
						unsigned long iova,
						unsigned int *shift)
{
	unsigned long top = READ_ONCE(pt->top);
	unsigned long *table = top_table(top);
	unsigned long *pitem;
	unsigned long item;

	*shift = top_shift(top);
	if (!table || !shift_reaches(*shift, iova))
		return NULL;
	while (true) {
		pitem = table + table_index(iova, *shift);
		item = READ_ONCE(*pitem);
		if (!item_is_table(item))
			return pitem;
		table = (unsigned long *)item;
		*shift -= TABLE_ITEMS_LG2;
	}
}

static phys_addr_t noiommu_pt_iova_to_phys(struct iommu_domain *domain,
					   dma_addr_t iova)
{
	unsigned long *pitem;
	unsigned long item;
	unsigned int shift;

	pitem = find_item(to_noiommu_pt(domain), iova, &shift);
	if (!pitem)
		return 0;
	/* Beside what is mapped a table may have come in between */
	item = READ_ONCE(*pitem);
	if (!(item & ITEM_ENTRY))
		return 0;
	return entry_phys(item) + (iova & (entry_size(item) - 1));
}

/**
 * iommufd_domain_read_range() - Read back what a range of IOVA is mapped to
 * @domain: Domain of a noiommu HWPT
 * @iova: First byte, of any alignment
 * @length: Length of the range, not 0
 * @runs: Array to write to
 *
 * Visit every entry of the range once, in the order of the IOVA, and combine
 * entries with contiguous output into runs. This stops at an IOVA that is not
 * mapped, when there is no room for another run, or after runs->max_items.
 *
 * Context: The caller must hold a lock that keeps the range as it is.
 * Return: Number of bytes that were read.
 */
unsigned long iommufd_domain_read_range(struct iommu_domain *domain,
					unsigned long iova,
					unsigned long length,
					struct pt_iommu_runs *runs)
{
	struct pt_iommu_run *last_run = runs->runs + runs->max - 1;
	struct pt_iommu_run *run = runs->runs + runs->nr - 1;
	struct noiommu_pt *pt = to_noiommu_pt(domain);
	/* Without a run no output continues it */
	u64 next_phys = runs->nr ? run->phys + run->len : ~0ULL;
	unsigned long left = length;

	while (left && runs->max_items) {
		unsigned long *pitem, *first, *end;
		unsigned int shift;

		pitem = find_item(pt, iova + (length - left), &shift);
		if (!pitem)
			break;
		first = pitem;
		end = PTR_ALIGN(pitem + 1, PAGE_SIZE);

		do {
			unsigned long item = READ_ONCE(*pitem);
			unsigned long size, len;
			phys_addr_t phys;

			if (!(item & ITEM_ENTRY))
				break;
			if (likely(entry_is_frame(item))) {
				size = FRAME;
				phys = frame_phys(item);
			} else {
				size = entry_size(item);
				phys = entry_phys(item);
			}
			/* The first one can start before the range */
			if (unlikely(left == length)) {
				phys += iova & (size - 1);
				size -= iova & (size - 1);
			}
			/* And the last one go on */
			len = min(size, left);

			if (phys == next_phys) {
				run->len += len;
			} else {
				if (run == last_run)
					goto out;
				run++;
				run->phys = phys;
				run->len = len;
			}
			next_phys = phys + len;
			left -= len;
			pitem += size <= FRAME ? 1 : ((size - 1) >> shift) + 1;
		} while (left && pitem != end);

		/* Neither an entry nor a table: nothing is mapped */
		if (pitem == first)
			break;
		runs->max_items -= min_t(unsigned long, runs->max_items,
					 pitem - first);
	}
out:
	runs->nr = run - runs->runs + 1;
	return length - left;
}

/* Free tables that have no entry. False if there is one, then some are left. */
static bool free_empty_table(unsigned long *table, unsigned int shift)
{
	unsigned int i;

	for (i = 0; i != TABLE_ITEMS; i++) {
		unsigned long item = table[i];

		if (!item)
			continue;
		if (!item_is_table(item) ||
		    !free_empty_table((unsigned long *)item,
				      shift - TABLE_ITEMS_LG2))
			return false;
		table[i] = 0;
	}
	iommu_free_page(table);
	/* There can be millions of them */
	cond_resched();
	return true;
}

/* The top, for tables that reach last_iova. 0 if there is no memory for it. */
static unsigned long grow_top(struct noiommu_pt *pt, unsigned long last_iova,
			      gfp_t gfp)
{
	unsigned long top = READ_ONCE(pt->top);
	unsigned int shift = FRAME_SHIFT;
	unsigned long *table;
	unsigned long new;
	unsigned long old;

	while (!top || !shift_reaches(top_shift(top), last_iova)) {
		table = iommu_alloc_page(gfp);
		if (!table)
			return 0;
		if (top) {
			shift = top_shift(top) + TABLE_ITEMS_LG2;
			table[0] = (unsigned long)top_table(top);
		} else {
			while (!shift_reaches(shift, last_iova))
				shift += TABLE_ITEMS_LG2;
		}
		new = (unsigned long)table | shift;
		old = cmpxchg(&pt->top, top, new);
		if (old != top)
			iommu_free_page(table);
		top = old == top ? new : old;
	}
	return top;
}

/* The item for iova in the table that has the items for entries of that size */
static unsigned long *make_item(struct noiommu_pt *pt, unsigned long iova,
				unsigned int size_lg2, unsigned int *shift,
				gfp_t gfp)
{
	unsigned long top;
	unsigned long *pitem;

	top = grow_top(pt, iova + ((1UL << size_lg2) - 1), gfp);
	if (!top)
		return ERR_PTR(-ENOMEM);

	*shift = top_shift(top);
	pitem = top_table(top) + table_index(iova, *shift);
	while (*shift > size_lg2) {
		unsigned long item = READ_ONCE(*pitem);
		unsigned long old;

		if (!item) {
			item = (unsigned long)iommu_alloc_page(gfp);
			if (!item)
				return ERR_PTR(-ENOMEM);
			old = cmpxchg(pitem, 0, item);
			if (old) {
				iommu_free_page((void *)item);
				item = old;
			}
		}
		if (!item_is_table(item))
			return ERR_PTR(-EADDRINUSE);
		*shift -= TABLE_ITEMS_LG2;
		pitem = (unsigned long *)item + table_index(iova, *shift);
	}
	return pitem;
}

/*
 * Smaller entries that were here may have left their tables, which go now. The
 * range that is to be mapped has all of them.
 */
static int make_room(unsigned long *pitem, unsigned long nr, unsigned int shift)
{
	for (; nr; nr--, pitem++) {
		unsigned long item = *pitem;

		if (!item)
			continue;
		if (!item_is_table(item) ||
		    !free_empty_table((unsigned long *)item,
				      shift - TABLE_ITEMS_LG2))
			return -EADDRINUSE;
		WRITE_ONCE(*pitem, 0);
	}
	return 0;
}

static int noiommu_pt_map_pages(struct iommu_domain *domain, unsigned long iova,
				phys_addr_t paddr, size_t pgsize,
				size_t pgcount, int prot, gfp_t gfp,
				size_t *mapped)
{
	struct noiommu_pt *pt = to_noiommu_pt(domain);
	const u64 last = (u64)paddr + (pgsize * pgcount - 1);
	unsigned int size_lg2 = __ffs(pgsize);
	unsigned long *pitem, *end;
	unsigned int shift;
	unsigned long nr;
	int rc;

	/* An entry has no room for the frame number, or automatic IOVAs are there */
	if (last >> FRAME_SHIFT > ULONG_MAX >> ENTRY_BITS ||
	    last >= NOIOMMU_PHYS_END)
		return -ERANGE;

	while (pgcount) {
		pitem = make_item(pt, iova, size_lg2, &shift, gfp);
		if (IS_ERR(pitem))
			return PTR_ERR(pitem);
		end = PTR_ALIGN(pitem + 1, PAGE_SIZE);
		nr = 1UL << (size_lg2 - shift);

		do {
			unsigned long entry = make_entry(paddr, size_lg2);
			unsigned long i;

			rc = make_room(pitem, nr, shift);
			if (rc)
				return rc;
			for (i = 0; i != nr; i++)
				WRITE_ONCE(*pitem++, entry);
			iova += pgsize;
			paddr += pgsize;
			*mapped += pgsize;
		} while (--pgcount && pitem != end);
	}
	return 0;
}

/* Returns the number of bytes, it ends where nothing is mapped */
static unsigned long clear_range(unsigned long *table, unsigned int shift,
				 unsigned long iova, unsigned long length)
{
	const unsigned long item_size = 1UL << shift;
	unsigned long done = 0;

	while (done != length) {
		unsigned long *pitem = table + table_index(iova + done, shift);
		unsigned long item = *pitem;

		if (item & ITEM_ENTRY) {
			unsigned long size = entry_size(item);
			unsigned long nr = size >> shift;

			/* iommufd unmaps what it has mapped, no part of it */
			if (WARN_ON_ONCE(((iova + done) & (size - 1)) ||
					 size > length - done))
				break;
			while (nr--)
				WRITE_ONCE(*pitem++, 0);
			done += size;
		} else if (item) {
			unsigned long *lower = (unsigned long *)item;
			unsigned long part, cleared;

			part = item_size - ((iova + done) & (item_size - 1));
			part = min(part, length - done);
			cleared = clear_range(lower, shift - TABLE_ITEMS_LG2,
					      iova + done, part);
			if (cleared == item_size) {
				WRITE_ONCE(*pitem, 0);
				iommu_free_page(lower);
			}
			done += cleared;
			if (cleared != part)
				break;
			cond_resched();
		} else {
			break;
		}
	}
	return done;
}

static size_t noiommu_pt_unmap_pages(struct iommu_domain *domain,
				     unsigned long iova, size_t pgsize,
				     size_t pgcount,
				     struct iommu_iotlb_gather *gather)
{
	struct noiommu_pt *pt = to_noiommu_pt(domain);
	unsigned long length = pgsize * pgcount;
	unsigned long top = READ_ONCE(pt->top);

	if (!top || !shift_reaches(top_shift(top), iova + (length - 1)))
		return 0;
	return clear_range(top_table(top), top_shift(top), iova, length);
}

static void noiommu_pt_free(struct iommu_domain *domain)
{
	struct noiommu_pt *pt = to_noiommu_pt(domain);

	if (pt->top)
		WARN_ON(!free_empty_table(top_table(pt->top),
					  top_shift(pt->top)));
	kfree(pt);
}

static const struct iommu_domain_ops noiommu_domain_ops = {
	.map_pages = noiommu_pt_map_pages,
	.unmap_pages = noiommu_pt_unmap_pages,
	.iova_to_phys = noiommu_pt_iova_to_phys,
	.free = noiommu_pt_free,
};

/*
 * These own the domain of every noiommu HWPT, which tells it from the domain of
 * an IOMMU driver. They have none of the optional operations, so that iommufd
 * refuses what needs one as it does for an IOMMU driver without the feature.
 */
const struct iommu_ops iommufd_noiommu_ops = {};

/**
 * iommufd_noiommu_domain_alloc() - Allocate the domain of a noiommu HWPT
 *
 * The domain takes every IOVA that is aligned to 4 KiB, has no reserved regions, and can be
 * attached only to devices from iommufd_device_bind_noiommu(). The caller frees
 * it with iommu_domain_free().
 *
 * Context: May sleep.
 * Return: The domain, ERR_PTR(-ENOMEM) if there is no memory for it.
 */
struct iommu_domain *iommufd_noiommu_domain_alloc(void)
{
	struct noiommu_pt *pt;

	pt = kzalloc(sizeof(*pt), GFP_KERNEL_ACCOUNT);
	if (!pt)
		return ERR_PTR(-ENOMEM);

	pt->domain.type = IOMMU_DOMAIN_UNMANAGED;
	pt->domain.ops = &noiommu_domain_ops;
	pt->domain.owner = &iommufd_noiommu_ops;
	/* All powers of two from the frame on */
	pt->domain.pgsize_bitmap = ~(SZ_4K - 1UL);
	pt->domain.geometry.aperture_end = ULONG_MAX;
	pt->domain.geometry.force_aperture = true;
	return &pt->domain;
}
