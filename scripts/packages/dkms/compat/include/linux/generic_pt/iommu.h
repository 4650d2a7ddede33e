/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct pt_iommu_ops has a member here that those of the kernel's own page tables
 * do not have, so that iommufd may use the ops of none but its own.
 */
#ifndef NOIOMMU_GENERIC_PT_IOMMU_H
#define NOIOMMU_GENERIC_PT_IOMMU_H

#include_next <linux/generic_pt/iommu.h>

#if defined(NOIOMMU_IOMMUFD) && !defined(NOIOMMU_FORMAT)
extern const struct iommu_ops iommufd_noiommu_ops;

static inline struct pt_iommu *noiommu_own_pt(struct iommu_domain *domain)
{
	if (domain->owner != &iommufd_noiommu_ops)
		return NULL;
	return container_of(domain, struct pt_iommu, domain);
}

#define iommupt_from_domain noiommu_own_pt
#endif

#ifdef NOIOMMU_CARRY_MAP
/* This kernel's iommu_map() and iommu_unmap() do not know such page tables */
static inline int noiommu_map_pages(struct iommu_domain *domain,
				    unsigned long iova, phys_addr_t paddr,
				    size_t pgsize, size_t pgcount, int prot,
				    gfp_t gfp, size_t *mapped)
{
	struct pt_iommu *pt = container_of(domain, struct pt_iommu, domain);

	return pt->ops->map_range(pt, iova, paddr, pgsize * pgcount, prot, gfp,
				  mapped);
}

static inline size_t noiommu_unmap_pages(struct iommu_domain *domain,
					 unsigned long iova, size_t pgsize,
					 size_t pgcount,
					 struct iommu_iotlb_gather *gather)
{
	struct pt_iommu *pt = container_of(domain, struct pt_iommu, domain);

	return pt->ops->unmap_range(pt, iova, pgsize * pgcount, gather);
}

#undef IOMMU_PT_DOMAIN_OPS
#define IOMMU_PT_DOMAIN_OPS(fmt)		\
	.map_pages = noiommu_map_pages,		\
	.unmap_pages = noiommu_unmap_pages,	\
	.iova_to_phys = &pt_iommu_##fmt##_iova_to_phys
#endif

#endif
