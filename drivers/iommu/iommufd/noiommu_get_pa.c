// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookup of the physical addresses behind the IOVAs of an IOAS
 *
 * A device without an IOMMU has to be given physical addresses. They are in the
 * driverless HWPT that such a device is attached to, so a lookup is a read of
 * that page table. It is always that one, even where the IOAS serves an IOMMU
 * as well: an IOMMU driver's page table need not be readable, and once no
 * device without an IOMMU is left there is no reason to give out addresses.
 *
 * Holding iova_rwsem for read is all that it takes. An area with pages is fully
 * populated in every domain, and both removing a domain and taking the pages
 * from an area, which comes before unmapping, need iova_rwsem for write. The
 * exception is a dma-buf, which the exporter can revoke at any time: that is
 * under the pages' mutex.
 */
#include <linux/capability.h>
#include <linux/iommu.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/* Lookups between two chances to reschedule or to be killed */
#define IOPT_PA_BATCH 1024

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

/* Find how far memory is contiguous, from iova to last_iova at the most */
static int iopt_contig_phys(struct iommu_domain *domain, unsigned long iova,
			    unsigned long last_iova, phys_addr_t *phys,
			    unsigned long *length)
{
	unsigned long granule = 1UL << __ffs(domain->pgsize_bitmap);
	unsigned long cur_last = iova | (granule - 1);
	unsigned int n = 0;

	*phys = iommu_iova_to_phys(domain, iova);
	while (cur_last < last_iova &&
	       iommu_iova_to_phys(domain, cur_last + 1) - *phys ==
		       cur_last + 1 - iova) {
		cur_last += granule;
		if (++n % IOPT_PA_BATCH)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	*length = min(cur_last, last_iova) - iova + 1;
	return 0;
}

static int iopt_get_pa(struct io_pagetable *iopt, unsigned long iova,
		       unsigned long last_iova, phys_addr_t *phys,
		       unsigned long *length)
{
	struct iommu_domain *domain;
	struct iopt_area *area;
	int rc;

	guard(rwsem_read)(&iopt->iova_rwsem);

	area = iopt_area_iter_first(iopt, iova, iova);
	if (!area || !area->pages)
		return -ENOENT;
	last_iova = min(last_iova, iopt_area_last_iova(area));

	domain = iopt_noiommu_domain(iopt);
	if (!domain)
		return -EOPNOTSUPP;

	if (!iopt_is_dmabuf(area->pages))
		return iopt_contig_phys(domain, iova, last_iova, phys, length);

	mutex_lock(&area->pages->mutex);
	if (iopt_dmabuf_revoked(area->pages))
		rc = -EINVAL;
	else
		rc = iopt_contig_phys(domain, iova, last_iova, phys, length);
	mutex_unlock(&area->pages->mutex);
	return rc;
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
	struct iommufd_ioas *ioas;
	unsigned long length;
	phys_addr_t phys;
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
	rc = iopt_get_pa(&ioas->iopt, cmd->iova, last_iova, &phys, &length);
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	if (rc)
		return rc;

	cmd->out_phys = phys;
	cmd->length = length;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
