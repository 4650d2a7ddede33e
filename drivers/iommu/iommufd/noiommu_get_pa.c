// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookup of the physical addresses behind the IOVAs of an IOAS
 *
 * A device without an IOMMU has to be given physical addresses. They are in the
 * noiommu HWPT that such a device is attached to, so a lookup is a read of
 * that page table. It is always that one, even where the IOAS serves an IOMMU
 * as well: an IOMMU driver's page table need not be readable, and without a
 * noiommu HWPT there is no device that could use the addresses.
 *
 * Holding iova_rwsem for read is all that it takes, so lookups do not wait for
 * each other. An area with pages is fully populated in every domain, and both
 * removing a domain and taking the pages from an area, which comes before
 * unmapping, need iova_rwsem for write. The exception is the BAR of a device in a
 * dma-buf, which the exporter can revoke at any time: that is under the pages' mutex.
 *
 * A range can be long, and its memory scattered. So it is read in steps that are
 * bounded by the table items to visit and by the extents to keep, each of which
 * finds area and domain anew. What a step found is copied to the user between
 * two of them, with no lock held. Only the last extent stays behind, for the
 * next step may find more of it. If the caller asks for a device's view, the
 * addresses are translated before they are copied, and what is cut off then is
 * read again by the next step.
 */
#include <linux/build_bug.h>
#include <linux/capability.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/noiommu_dma.h>
#include <linux/overflow.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define CREATE_TRACE_POINTS
#include <trace/events/iommufd_noiommu_get_pa.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/* Table items to visit under one hold of iova_rwsem */
#define PA_STEP_ITEMS 8192

/* Extents to keep until they are copied to the user, as many as fit in a page */
#define PA_STEP_EXTENTS (SZ_4K / sizeof(struct pt_iommu_run))

struct pa_lookup {
	unsigned long iova;      /* of the first byte */
	unsigned long last_iova; /* of what may be looked at */
	u64 length;              /* of what has been found */
	u64 phys;
	u32 ioas_id;

	/* The call, if a device is to see the addresses, or NULL */
	struct iommufd_ucmd *as_device;

	/* Found and not yet copied, the last one may go on */
	struct pt_iommu_run *runs;
	unsigned int nr_runs;
	unsigned int max_runs;

	/* Where they go to and how many of them, a single one goes nowhere */
	bool has_array;
	struct iommu_pa_extent __user *uptr;
	unsigned int nr_copied;
	unsigned int num_extents;
};

static struct iommu_domain *iopt_find_noiommu_domain(struct io_pagetable *iopt,
						     unsigned int *max_items)
{
	struct iommu_domain *domain;
	unsigned long index;

	xa_for_each(&iopt->domains, index, domain) {
		if (iommufd_domain_is_noiommu(domain))
			return domain;
		if (*max_items > 1)
			--*max_items;
	}
	return NULL;
}

/*
 * Most IOASs have no other domain than the storage domain of the area. It does
 * not change while iova_rwsem is held, since that takes adding or removing a
 * domain. One that is found is good for every area meanwhile.
 */
static inline struct iommu_domain *
iopt_area_noiommu_domain(struct iopt_area *area, unsigned int *max_items)
{
	struct iommu_domain *domain = area->storage_domain;

	lockdep_assert_held(&area->iopt->iova_rwsem);

	if (domain && iommufd_domain_is_noiommu(domain))
		return domain;
	return iopt_find_noiommu_domain(area->iopt, max_items);
}

/* How many extents there may be before some have to be copied */
static unsigned int pa_lookup_room(const struct pa_lookup *lookup)
{
	return min(lookup->max_runs, lookup->num_extents - lookup->nr_copied);
}

/* No room is left in the array of the user */
static bool pa_lookup_full(const struct pa_lookup *lookup)
{
	return lookup->nr_copied + lookup->nr_runs == lookup->num_extents;
}

/*
 * Read from iova to the end of the area. Returns 1 if that was reached, 0 if room
 * or items were used up.
 */
static int pa_lookup_read(struct pa_lookup *lookup, struct iommu_domain *domain,
			  struct iopt_area *area, unsigned long iova,
			  unsigned int *max_items)
{
	unsigned long length = min(lookup->last_iova,
				   iopt_area_last_iova(area)) - iova + 1;
	struct pt_iommu *pt = iommupt_from_domain(domain);
	struct pt_iommu_runs runs = { .max_items = *max_items };
	unsigned int done = lookup->nr_runs;
	unsigned long found;

	/* An extent ends with its mapping, only if it was cut it goes on */
	if (done && iova != iopt_area_iova(area)) {
		done--;
		runs.nr = 1;
	}
	runs.runs = lookup->runs + done;
	runs.max = pa_lookup_room(lookup) - done;

	found = pt->ops->read_range(pt, iova, length, &runs);
	lookup->nr_runs = done + runs.nr;
	lookup->length += found;
	*max_items = runs.max_items;
	return found == length;
}

static int pa_lookup_read_dmabuf(struct pa_lookup *lookup,
				 struct iommu_domain *domain,
				 struct iopt_area *area, unsigned long iova,
				 unsigned int *max_items)
{
	int rc;

	if (mutex_lock_killable(&area->pages->mutex))
		return -EINTR;
	if (iopt_dmabuf_revoked(area->pages))
		rc = -EINVAL;
	else
		rc = pa_lookup_read(lookup, domain, area, iova, max_items);
	mutex_unlock(&area->pages->mutex);
	return rc;
}

static int pa_lookup_areas(struct pa_lookup *lookup, struct io_pagetable *iopt)
{
	u64 length = lookup->length;
	unsigned int max_items = PA_STEP_ITEMS;
	struct iommu_domain *domain = NULL;
	struct iopt_area_contig_iter iter;
	struct iopt_area *area;
	int rc;

	iopt_for_each_contig_area(&iter, area, iopt, lookup->iova + length,
				  lookup->last_iova) {
		if (!domain)
			domain = iopt_area_noiommu_domain(area, &max_items);
		if (!domain)
			return -EOPNOTSUPP;
		if (!iopt_is_mmio(area->pages))
			rc = pa_lookup_read(lookup, domain, area, iter.cur_iova,
					    &max_items);
		else if (lookup->as_device)
			rc = -EOPNOTSUPP;
		else
			rc = pa_lookup_read_dmabuf(lookup, domain, area,
						   iter.cur_iova, &max_items);
		if (rc < 0)
			return rc;
		if (rc)
			continue;
		if (max_items && pa_lookup_full(lookup))
			return 0;
		/* Each step finds at least an entry */
		return WARN_ON(lookup->length == length) ? -ENOENT : 1;
	}
	return iopt_area_contig_done(&iter) ? 0 : -ENOENT;
}

/*
 * Returns 1 if there may be more to find, 0 if the lookup is complete, or an
 * error if nothing can be found after what has been.
 */
static int pa_lookup_step(struct pa_lookup *lookup, struct io_pagetable *iopt)
{
	int rc;

	if (down_read_killable(&iopt->iova_rwsem))
		return -EINTR;
	rc = pa_lookup_areas(lookup, iopt);
	up_read(&iopt->iova_rwsem);
	return rc;
}

/* A run of the page table is an extent of the user, and copied as it is */
static_assert(sizeof(struct pt_iommu_run) == sizeof(struct iommu_pa_extent));
static_assert(offsetof(struct pt_iommu_run, phys) ==
	      offsetof(struct iommu_pa_extent, phys));
static_assert(offsetof(struct pt_iommu_run, len) ==
	      offsetof(struct iommu_pa_extent, length));

/*
 * Trace a number of runs before they are known to anybody. A device has addresses
 * that are delta above those of the processor, which are what is traced.
 */
static void pa_lookup_trace(const struct pa_lookup *lookup, unsigned int first,
			    unsigned int nr, u64 delta)
{
	const struct pt_iommu_run *run = lookup->runs + first;
	u64 iova = lookup->iova + lookup->length;
	unsigned int i;

	if (!trace_iommufd_noiommu_get_pa_enabled())
		return;
	for (i = first; i != lookup->nr_runs; i++)
		iova -= lookup->runs[i].len;
	for (; nr; nr--, run++) {
		trace_iommufd_noiommu_get_pa(lookup->ioas_id, iova,
					     run->phys - delta, run->len);
		iova += run->len;
	}
}

/*
 * Make the address of a run the one that the device sees, and cut the run where
 * that changes. Returns false if the device does not reach the first byte.
 */
static inline bool pa_run_translate(struct pt_iommu_run *run,
				    struct noiommu_view *view)
{
	u64 offset = run->phys - view->phys;

	/* Below the view it wraps around */
	if (unlikely(offset >= view->length)) {
		if (!noiommu_view_find(view, run->phys))
			return false;
		offset = run->phys - view->phys;
	}
	run->phys = view->dma + offset;
	run->len = min(run->len, view->length - offset);
	return true;
}

/* Those that lie in the view as they are, up to the first that does not */
static unsigned int pa_runs_translate(struct pt_iommu_run *runs, unsigned int nr,
				      const struct noiommu_view *view)
{
	const struct pt_iommu_run *end_run = runs + nr;
	const u64 delta = view->dma - view->phys;
	struct pt_iommu_run *run = runs;
	const u64 first = view->phys;
	u64 end;

	if (check_add_overflow(first, view->length, &end))
		end = U64_MAX;
	for (; run != end_run; run++) {
		if (run->phys < first || run->phys + run->len > end)
			break;
		run->phys += delta;
	}
	return run - runs;
}

/*
 * Translate what has been found, but for the last one if that is kept. If one is
 * cut, then all after it is as if it had not been found.
 */
static int pa_lookup_translate(struct pa_lookup *lookup,
			       struct noiommu_view *view, int more, bool *keep)
{
	unsigned int nr = lookup->nr_runs - *keep;
	struct pt_iommu_run *run;
	unsigned int done, i = 0;
	u64 dropped, len;
	bool reached;

	while (true) {
		done = pa_runs_translate(lookup->runs + i, nr - i, view);
		pa_lookup_trace(lookup, i, done, view->dma - view->phys);
		i += done;
		if (i == nr)
			return more;
		run = lookup->runs + i;
		len = run->len;
		reached = pa_run_translate(run, view);
		if (!reached || run->len != len)
			break;
		pa_lookup_trace(lookup, i, 1, view->dma - view->phys);
		i++;
	}

	dropped = reached ? len - run->len : len;
	for (done = i + 1; done != lookup->nr_runs; done++)
		dropped += lookup->runs[done].len;
	lookup->length -= dropped;
	lookup->nr_runs = i + reached;
	pa_lookup_trace(lookup, i, reached, view->dma - view->phys);
	*keep = false;
	return reached && !pa_lookup_full(lookup);
}

static struct iommufd_device *pa_get_device(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_get_pa *cmd = ucmd->cmd;
	struct iommufd_device *idev = iommufd_get_device(ucmd, cmd->dev_id);
	int rc;

	if (IS_ERR(idev))
		return idev;
	if (!iommufd_device_is_noiommu(idev))
		rc = -EINVAL;
	else if (!noiommu_phys_to_dma_known(idev->dev))
		rc = -EOPNOTSUPP;
	else
		return idev;
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return ERR_PTR(rc);
}

/* False if the device sees all memory as the processor does */
static bool pa_view_init(struct noiommu_view *view, struct device *dev)
{
	view->dev = dev;
	return !noiommu_view_find(view, 0) || view->dma ||
	       view->length != U64_MAX;
}

/*
 * The device is held for a step, and not while what was found is copied to the
 * user, who may take a long time: unbinding the device waits for this.
 */
static int pa_lookup_as_device(struct pa_lookup *lookup, int *more, bool *keep)
{
	struct iommufd_ucmd *ucmd = lookup->as_device;
	struct iommufd_device *idev = pa_get_device(ucmd);
	struct noiommu_view view = {};

	if (IS_ERR(idev))
		return PTR_ERR(idev);
	if (pa_view_init(&view, idev->dev))
		*more = pa_lookup_translate(lookup, &view, *more, keep);
	else
		pa_lookup_trace(lookup, 0, lookup->nr_runs - *keep, 0);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return lookup->length ? 0 : -ERANGE;
}

/* Hand out what has been found, but for the last one if there may be more of it */
static int pa_lookup_output(struct pa_lookup *lookup, bool keep)
{
	unsigned int nr = lookup->nr_runs - keep;

	if (!lookup->nr_copied && nr)
		lookup->phys = lookup->runs[0].phys;

	/* Of the copy a part may succeed */
	if (!lookup->as_device)
		pa_lookup_trace(lookup, 0, nr, 0);
	if (lookup->has_array &&
	    copy_to_user(lookup->uptr + lookup->nr_copied, lookup->runs,
			 nr * sizeof(*lookup->runs)))
		return -EFAULT;

	if (keep)
		lookup->runs[0] = lookup->runs[nr];
	lookup->nr_runs = keep;
	lookup->nr_copied += nr;
	return 0;
}

static int pa_lookup_all(struct pa_lookup *lookup, struct io_pagetable *iopt)
{
	int more, rc = 0;
	bool keep;

	while (true) {
		more = pa_lookup_step(lookup, iopt);
		if (!lookup->length || more == -EINTR)
			return more;
		keep = more > 0;
		if (lookup->as_device)
			rc = pa_lookup_as_device(lookup, &more, &keep);
		rc = rc ?: pa_lookup_output(lookup, keep);
		if (rc || more <= 0)
			return rc;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

static int iopt_get_pa(struct io_pagetable *iopt, struct iommu_ioas_get_pa *cmd,
		       unsigned long last_iova, struct iommufd_ucmd *as_device)
{
	struct pt_iommu_run first_run;
	struct pa_lookup lookup = {
		.iova = cmd->iova,
		.last_iova = last_iova,
		.ioas_id = cmd->ioas_id,
		.as_device = as_device,
		.runs = &first_run,
		.max_runs = 1,
		.num_extents = 1,
	};
	int rc;

	if (cmd->num_extents) {
		lookup.has_array = true;
		lookup.uptr = u64_to_user_ptr(cmd->extents_uptr);
		lookup.num_extents = cmd->num_extents;
		lookup.max_runs = min(cmd->num_extents, PA_STEP_EXTENTS);
		lookup.runs = kmalloc_objs(*lookup.runs, lookup.max_runs);
		if (!lookup.runs)
			return -ENOMEM;
	}

	rc = pa_lookup_all(&lookup, iopt);
	if (!rc) {
		cmd->out_phys = lookup.phys;
		cmd->length = lookup.length;
		if (cmd->num_extents)
			cmd->num_extents = lookup.nr_copied;
	}

	if (lookup.runs != &first_run)
		kfree(lookup.runs);
	return rc;
}

/*
 * Drivers also ask for one piece at a time. Where memory is scattered that is the
 * rest of a page, which takes none of the above. Returns false if it is not as
 * simple as that.
 */
static bool iopt_get_page_pa(struct io_pagetable *iopt,
			     struct iommu_ioas_get_pa *cmd,
			     unsigned long last_iova)
{
	unsigned int max_items = PA_STEP_ITEMS;
	unsigned long length, iova = cmd->iova;
	struct iommu_domain *domain;
	struct iopt_area *area;
	phys_addr_t phys;

	area = iopt_area_iter_first(iopt, iova, iova);
	if (!area || !area->pages || iopt_is_mmio(area->pages))
		return false;
	domain = iopt_area_noiommu_domain(area, &max_items);
	if (!domain)
		return false;
	phys = iommu_iova_to_phys(domain, iova);
	if (!phys)
		return false;

	/* Of the memory: the IOVA need only have the same place in 4 KiB */
	length = PAGE_SIZE - offset_in_page(phys);
	last_iova = min(last_iova, iopt_area_last_iova(area));
	if (last_iova - iova < length)
		length = last_iova - iova + 1;
	else if (iommu_iova_to_phys(domain, iova + length) == phys + length)
		return false;
	cmd->out_phys = phys;
	cmd->length = length;
	return true;
}

static int pa_page_as_device(struct iommu_ioas_get_pa *cmd,
			     struct iommufd_ucmd *ucmd)
{
	struct pt_iommu_run run = { .phys = cmd->out_phys, .len = cmd->length };
	struct iommufd_device *idev = pa_get_device(ucmd);
	struct noiommu_view view = {};
	bool reached = true;

	if (IS_ERR(idev))
		return PTR_ERR(idev);
	if (pa_view_init(&view, idev->dev))
		reached = pa_run_translate(&run, &view);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	if (!reached)
		return -ERANGE;
	cmd->out_phys = run.phys;
	cmd->length = run.len;
	return 0;
}

static int iommufd_get_pa(struct io_pagetable *iopt,
			  struct iommu_ioas_get_pa *cmd,
			  unsigned long last_iova,
			  struct iommufd_ucmd *as_device)
{
	phys_addr_t phys;
	bool found;
	int rc = 0;

	if (cmd->num_extents)
		return iopt_get_pa(iopt, cmd, last_iova, as_device);

	if (down_read_killable(&iopt->iova_rwsem))
		return -EINTR;
	found = iopt_get_page_pa(iopt, cmd, last_iova);
	up_read(&iopt->iova_rwsem);
	if (!found)
		return iopt_get_pa(iopt, cmd, last_iova, as_device);

	phys = cmd->out_phys;
	if (as_device)
		rc = pa_page_as_device(cmd, as_device);
	if (!rc)
		trace_iommufd_noiommu_get_pa(cmd->ioas_id, cmd->iova, phys,
					     cmd->length);
	return rc;
}

/* Nothing is asked for that a later kernel may know */
static inline bool pa_flags_known(const struct iommu_ioas_get_pa *cmd)
{
	if (likely(!cmd->flags))
		return !cmd->__reserved && !cmd->dev_id;
	return cmd->flags == IOMMU_IOAS_GET_PA_DEVICE && !cmd->__reserved;
}

/* A call for a page takes a sixteenth less than with iommufd_ucmd_respond() */
static int pa_respond(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_get_pa __user *uptr = ucmd->ubuffer;
	struct iommu_ioas_get_pa *cmd = ucmd->cmd;

	if (put_user(cmd->length, &uptr->length) ||
	    put_user(cmd->out_phys, &uptr->out_phys) ||
	    (ucmd->user_size >= offsetofend(struct iommu_ioas_get_pa,
					    num_extents) &&
	     put_user(cmd->num_extents, &uptr->num_extents)))
		return -EFAULT;
	return 0;
}

/**
 * iommufd_ioas_get_pa() - Look up the physical addresses behind a range of IOVA
 * @ucmd: The ioctl, a struct iommu_ioas_get_pa
 *
 * Context: May sleep. Takes iova_rwsem for read, and for the dma-buf of a BAR the
 * mutex of its pages, both killable.
 * Return: 0, or the errors listed for struct iommu_ioas_get_pa.
 */
int iommufd_ioas_get_pa(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_get_pa *cmd = ucmd->cmd;
	struct iommufd_ucmd *as_device = NULL;
	struct iommufd_device *idev;
	struct iommufd_ioas *ioas;
	u64 last_iova;
	int rc;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (!pa_flags_known(cmd))
		return -EOPNOTSUPP;
	if (cmd->iova >= ULONG_MAX)
		return -EOVERFLOW;
	/* No limit, or one past the end of the address space: up to that */
	if (!cmd->length ||
	    check_add_overflow(cmd->iova, cmd->length - 1, &last_iova) ||
	    last_iova > ULONG_MAX)
		last_iova = ULONG_MAX;

	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	if (cmd->flags & IOMMU_IOAS_GET_PA_DEVICE) {
		/* Whatever else is wrong, this comes first */
		idev = pa_get_device(ucmd);
		if (IS_ERR(idev)) {
			rc = PTR_ERR(idev);
			goto out_put;
		}
		iommufd_put_object(ucmd->ictx, &idev->obj);
		as_device = ucmd;
	}
	rc = iommufd_get_pa(&ioas->iopt, cmd, last_iova, as_device);
out_put:
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc ?: pa_respond(ucmd);
}
