// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of dma-buf heaps, and of whoever else exports memory that stays where
 * it is, for devices without an IOMMU
 *
 * The DMA API is how an importer learns where a dma-buf is. It gives addresses
 * for one device. Those for a device that no IOMMU translates and that has all
 * of memory at its physical address are the addresses which a noiommu HWPT
 * holds. The misc device of iommufd is made such a device. Where it is not one
 * after all (Xen, an IOMMU by dma_map_ops, a guest whose DMA is bounced), such
 * dma-bufs are refused.
 *
 * The attachment is static: the exporter must keep the memory in place as long
 * as it is mapped, and must not give out the memory of another device. So there
 * is nothing to revoke.
 *
 * The domain of an IOMMU driver takes none of this. Its devices have DMA
 * addresses of their own, which the exporter was not asked for.
 */
#include <linux/bsearch.h>
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>
#include <linux/lockdep.h>
#include <linux/noiommu_dma.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>
#include <xen/xen.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/**
 * iommufd_noiommu_init_dma() - Let the misc device have memory mapped for DMA
 * @dev: What iommufd_global_device() returns
 *
 * No DMA is done by it. Without this, no dma-buf can be mapped for it.
 *
 * Its DMA is not coherent, on architectures that have devices of that kind, so that
 * exporters maintain the caches as the least coherent device of an IOAS needs it.
 *
 * Context: While iommufd is loaded.
 */
void iommufd_noiommu_init_dma(struct device *dev)
{
	static struct device_dma_parameters parms;

	dev_clear_dma_coherent(dev);

	/* No segment is too long, nor in the wrong place */
	dev->dma_parms = &parms;
	dma_set_max_seg_size(dev, UINT_MAX);
	dma_set_seg_boundary(dev, ULONG_MAX);
	if (dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)))
		dev->dma_mask = NULL;
}

/*
 * A DMA address of the device is the physical address, as dma_to_phys() has it. In
 * the first domain of Xen that is not so of memory which another one shares.
 */
static bool noiommu_dma_is_direct(struct device *dev)
{
	return noiommu_phys_to_dma_known(dev) && !xen_initial_domain() &&
	       dev->dma_mask && !use_dma_iommu(dev) && !dev->dma_range_map &&
	       !dev->bus_dma_limit && !is_swiotlb_force_bounce(dev);
}

static bool iopt_has_only_noiommu(struct io_pagetable *iopt)
{
	struct iommu_domain *domain;
	unsigned long index;

	lockdep_assert_held(&iopt->domains_rwsem);

	xa_for_each(&iopt->domains, index, domain)
		if (!iommufd_domain_is_noiommu(domain))
			return false;
	return !xa_empty(&iopt->domains);
}

/**
 * iopt_noiommu_check_pages() - Can the pages be filled into the domains?
 * @iopt: Whose domains
 * @pages: To be mapped
 *
 * Context: The caller holds domains_rwsem.
 * Return: 0; -EOPNOTSUPP if the pages are memory of a dma-buf, and there is no
 *         noiommu HWPT, or a domain of an IOMMU driver as well.
 */
int iopt_noiommu_check_pages(struct io_pagetable *iopt,
			     struct iopt_pages *pages)
{
	if (!iopt_is_dmabuf_memory(pages) || iopt_has_only_noiommu(iopt))
		return 0;
	return -EOPNOTSUPP;
}

/**
 * iopt_noiommu_check_domain() - Can the domain be filled with all areas?
 * @iopt: Whose areas
 * @domain: To be added
 *
 * Context: The caller holds iova_rwsem and domains_rwsem.
 * Return: 0; -EINVAL if one of the areas is memory of a dma-buf, and an IOMMU
 *         driver backs the domain.
 */
int iopt_noiommu_check_domain(struct io_pagetable *iopt,
			      struct iommu_domain *domain)
{
	struct iopt_area *area;

	if (iommufd_domain_is_noiommu(domain))
		return 0;
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX))
		if (area->pages && iopt_is_dmabuf_memory(area->pages))
			return -EINVAL;
	return 0;
}

/* The DMA that the exporter has to expect */
static enum dma_data_direction iopt_dma_direction(struct iopt_pages *pages)
{
	return pages->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

/* Where the part of a dma-buf that is mapped is, while it is being found */
struct heap_reader {
	struct iopt_dmabuf_memory *memory;
	unsigned int nr_runs;
	u64 offset;	/* in the dma-buf */
	u64 start;	/* of the part, and its end */
	u64 end;
};

/* A segment at the reader's offset; what is not in the part is left out */
static void heap_add_segment(struct heap_reader *reader, phys_addr_t phys,
			     u64 length)
{
	u64 start = max(reader->offset, reader->start);
	u64 end = min(reader->offset + length, reader->end);
	struct iopt_dmabuf_run *last, run;

	if (start < end) {
		run.start_index = (start - reader->start) / PAGE_SIZE;
		run.pfn = PHYS_PFN(phys + (start - reader->offset));
		last = reader->memory->runs + reader->nr_runs - 1;
		if (!reader->nr_runs ||
		    run.pfn != last->pfn + run.start_index - last->start_index)
			reader->memory->runs[reader->nr_runs++] = run;
	}
	reader->offset += length;
}

static int heap_read(struct heap_reader *reader, struct device *dev,
		     struct sg_table *sgt)
{
	struct scatterlist *sg;
	phys_addr_t phys;
	u64 length;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		phys = dma_to_phys(dev, sg_dma_address(sg));
		length = sg_dma_len(sg);
		/* What exporters are to give, but nothing checks it */
		if (!length || !PAGE_ALIGNED(phys | length))
			return -EOPNOTSUPP;
		heap_add_segment(reader, phys, length);
		cond_resched();
	}
	return 0;
}

static struct iopt_dmabuf_memory *
iopt_dmabuf_find_memory(struct iopt_pages *pages,
			struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	unsigned long max_runs = min(pages->npages, sgt->nents);
	struct iopt_dmabuf_memory *memory;
	struct heap_reader reader = {
		.start = pages->dmabuf.start,
		.end = pages->dmabuf.start + (u64)pages->npages * PAGE_SIZE,
	};
	int rc;

	memory = kvmalloc_flex(*memory, runs, max_runs + 1, GFP_KERNEL_ACCOUNT);
	if (!memory)
		return ERR_PTR(-ENOMEM);

	/* Not every compiler has it set by the allocation */
	memory->nr = max_runs + 1;
	reader.memory = memory;
	rc = heap_read(&reader, attach->dev, sgt);
	if (!rc && reader.offset != PAGE_ALIGN((u64)attach->dmabuf->size))
		rc = -EOPNOTSUPP;
	if (rc) {
		kvfree(memory);
		return ERR_PTR(rc);
	}

	memory->sgt = sgt;
	memory->runs[reader.nr_runs].start_index = pages->npages;
	memory->runs[reader.nr_runs].pfn = 0;
	memory->nr = reader.nr_runs + 1;
	return memory;
}

static int iopt_dmabuf_map_memory(struct iopt_pages *pages,
				  struct dma_buf_attachment *attach)
{
	enum dma_data_direction dir = iopt_dma_direction(pages);
	struct iopt_dmabuf_memory *memory;
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(attach, dir);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	memory = iopt_dmabuf_find_memory(pages, attach, sgt);
	if (IS_ERR(memory)) {
		dma_buf_unmap_attachment_unlocked(attach, sgt, dir);
		return PTR_ERR(memory);
	}
	pages->dmabuf.memory = memory;
	return 0;
}

/**
 * iopt_noiommu_map_dmabuf() - Map a dma-buf whose memory stays where it is
 * @iopt: What the pages are for. Others can get them too,
 *        iopt_noiommu_check_pages() tells which.
 * @pages: Of the dma-buf, not yet known to anybody
 * @dmabuf: From any exporter
 *
 * On success iopt_noiommu_unmap_dmabuf() undoes it, before the attachment, which
 * is the caller's, is detached.
 *
 * Context: May sleep. Takes the dma-buf's reservation lock.
 * Return: 0; -EOPNOTSUPP if the IOAS does not take such pages, if there is no way
 *         to learn their physical addresses, or if the exporter gives no whole
 *         pages; -ENOMEM; or what the exporter returned.
 */
int iopt_noiommu_map_dmabuf(struct io_pagetable *iopt, struct iopt_pages *pages,
			    struct dma_buf *dmabuf)
{
	struct device *dev = iommufd_global_device();
	struct dma_buf_attachment *attach;
	bool suits;
	int rc;

	if (!IS_ENABLED(CONFIG_DMA_SHARED_BUFFER) ||
	    !noiommu_dma_is_direct(dev))
		return -EOPNOTSUPP;

	/* May change until the domains are filled. Do not ask for nothing, yet. */
	down_read(&iopt->domains_rwsem);
	suits = iopt_has_only_noiommu(iopt);
	up_read(&iopt->domains_rwsem);
	if (!suits)
		return -EOPNOTSUPP;

	attach = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	rc = iopt_dmabuf_map_memory(pages, attach);
	if (rc) {
		dma_buf_detach(dmabuf, attach);
		return rc;
	}

	pages->dmabuf.attach = attach;
	/* It never is revoked */
	pages->dmabuf.phys.len = dmabuf->size;
	return 0;
}

/**
 * iopt_noiommu_unmap_dmabuf() - Undo iopt_noiommu_map_dmabuf()
 * @pages: In no domain any more
 *
 * Context: May sleep. Takes the dma-buf's reservation lock.
 */
void iopt_noiommu_unmap_dmabuf(struct iopt_pages *pages)
{
	struct iopt_dmabuf_memory *memory = pages->dmabuf.memory;

	if (!IS_ENABLED(CONFIG_DMA_SHARED_BUFFER))
		return;
	dma_buf_unmap_attachment_unlocked(pages->dmabuf.attach, memory->sgt,
					  iopt_dma_direction(pages));
	kvfree(memory);
}

static int iopt_dmabuf_run_cmp(const void *key, const void *elt)
{
	const unsigned long *index = key;
	const struct iopt_dmabuf_run *run = elt;

	if (*index < run->start_index)
		return -1;
	return *index >= run[1].start_index;
}

/**
 * iopt_dmabuf_find_run() - Find a page of a dma-buf's memory
 * @memory: Of the dma-buf
 * @index: Of the page, less than the number of pages
 *
 * Return: The run that has the page. Others follow, and the entry after the last
 *         one starts at the number of pages.
 */
const struct iopt_dmabuf_run *
iopt_dmabuf_find_run(const struct iopt_dmabuf_memory *memory,
		     unsigned long index)
{
	return bsearch(&index, memory->runs, memory->nr - 1,
		       sizeof(*memory->runs), iopt_dmabuf_run_cmp);
}
