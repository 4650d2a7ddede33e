// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookup of the physical addresses behind the IOVAs of an IOAS
 *
 * A device without an IOMMU has to be given physical addresses. They are in the
 * driverless HWPT that such a device is attached to, so a lookup is a read of
 * that page table. It is always that one, even where the IOAS serves an IOMMU
 * as well: an IOMMU driver's page table need not be readable, and without a
 * driverless HWPT there is no device that could use the addresses.
 *
 * Holding iova_rwsem for read is all that it takes. An area with pages is fully
 * populated in every domain, and both removing a domain and taking the pages
 * from an area, which comes before unmapping, need iova_rwsem for write. The
 * exception is a dma-buf, which the exporter can revoke at any time: that is
 * under the pages' mutex.
 *
 * A run can be long. It is followed in batches, each of which finds the area
 * and the domain anew, so that nobody waits long for iova_rwsem.
 */
#include <linux/capability.h>
#include <linux/iommu.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/* Lookups under one hold of iova_rwsem */
#define IOPT_PA_BATCH 1024

/* What is known of physically contiguous memory from iova on */
struct iopt_pa_run {
	unsigned long iova;
	unsigned long last_iova; /* of what may be looked at */
	unsigned long length;
	phys_addr_t phys;
};

static struct iommu_domain *iopt_noiommu_domain(struct io_pagetable *iopt)
{
	struct iommu_domain *domain;
	unsigned long index;

	lockdep_assert_held(&iopt->iova_rwsem);

	xa_for_each(&iopt->domains, index, domain)
		if (iommufd_domain_is_noiommu(domain))
			return domain;
	return NULL;
}

/*
 * Extend the run by up to a batch. Every byte of an area with pages is in the
 * domain, so there is always an answer, and 0 is an address like any other.
 * Returns true if there may be more to find.
 */
static bool iopt_pa_extend(struct iommu_domain *domain, struct iopt_pa_run *run)
{
	unsigned long granule = 1UL << __ffs(domain->pgsize_bitmap);
	unsigned long iova = run->iova + run->length;
	phys_addr_t phys = iommu_iova_to_phys(domain, iova);
	unsigned int n;

	if (!run->length)
		run->phys = phys;

	for (n = 0; n != IOPT_PA_BATCH; n++) {
		unsigned long cur_last = min(iova | (granule - 1),
					     run->last_iova);

		if (phys - run->phys != run->length)
			return false;
		run->length += cur_last - iova + 1;
		if (cur_last == run->last_iova)
			return false;
		iova = cur_last + 1;
		phys = iommu_iova_to_phys(domain, iova);
	}
	return true;
}

/* Returns 1 if there may be more to find, 0 if the run is complete */
static int iopt_get_pa(struct io_pagetable *iopt, struct iopt_pa_run *run)
{
	unsigned long iova = run->iova + run->length;
	struct iommu_domain *domain;
	struct iopt_area *area;

	guard(rwsem_read)(&iopt->iova_rwsem);

	area = iopt_area_iter_first(iopt, iova, iova);
	if (!area || !area->pages || iopt_area_iova(area) > run->iova)
		return -ENOENT;
	run->last_iova = min(run->last_iova, iopt_area_last_iova(area));

	domain = iopt_noiommu_domain(iopt);
	if (!domain)
		return -EOPNOTSUPP;

	if (!iopt_is_dmabuf(area->pages))
		return iopt_pa_extend(domain, run);

	guard(mutex)(&area->pages->mutex);
	if (iopt_dmabuf_revoked(area->pages))
		return -EINVAL;
	return iopt_pa_extend(domain, run);
}

/**
 * iommufd_ioas_get_pa() - Look up the physical address behind an IOVA
 * @ucmd: The ioctl, a struct iommu_ioas_get_pa
 *
 * Context: May sleep. Takes iova_rwsem for read, and for a dma-buf the mutex of
 * its pages.
 * Return: 0, or the errors listed for struct iommu_ioas_get_pa.
 */
int iommufd_ioas_get_pa(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_get_pa *cmd = ucmd->cmd;
	u64 last_iova = ULONG_MAX;
	struct iopt_pa_run run;
	struct iommufd_ioas *ioas;
	int rc;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->length &&
	    check_add_overflow(cmd->iova, cmd->length - 1, &last_iova))
		return -EOVERFLOW;
	if (cmd->iova > ULONG_MAX || last_iova > ULONG_MAX)
		return -EOVERFLOW;

	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	run = (struct iopt_pa_run){
		.iova = cmd->iova,
		.last_iova = last_iova,
	};
	while ((rc = iopt_get_pa(&ioas->iopt, &run)) > 0) {
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		cond_resched();
	}
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	if (rc)
		return rc;

	cmd->out_phys = run.phys;
	cmd->length = run.length;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
