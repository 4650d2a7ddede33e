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
 * Any generic_pt format could hold the PFNs. AMDv1 is the one that decodes the
 * full 64-bit IOVA space and has an entry size for almost every power of two, so
 * no IOVA is out of reach and physically contiguous memory takes few entries.
 */
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/slab.h>

#include "../iommu-pages.h"
#include "iommufd_private.h"

struct noiommu_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu_amdv1 amdv1;
	};
	spinlock_t top_lock; /* serializes growing the table by a level */
};

PT_IOMMU_CHECK_DOMAIN(struct noiommu_domain, amdv1.iommu, domain);

static void noiommu_change_top(struct pt_iommu *iommu_table,
			       phys_addr_t top_paddr, unsigned int top_level)
{
	/* There is no HW to be told of the new top */
}

static spinlock_t *noiommu_get_top_lock(struct pt_iommu *iommu_table)
{
	return &container_of(iommu_table, struct noiommu_domain, amdv1.iommu)
			->top_lock;
}

static const struct pt_iommu_driver_ops noiommu_pt_ops = {
	.change_top = noiommu_change_top,
	.get_top_lock = noiommu_get_top_lock,
};

static void noiommu_iotlb_sync(struct iommu_domain *domain,
			       struct iommu_iotlb_gather *gather)
{
	/* Nothing caches the entries, the tables can be freed right away */
	iommu_put_pages_list(&gather->freelist);
}

static void noiommu_domain_free(struct iommu_domain *domain)
{
	struct noiommu_domain *noiommu =
		container_of(domain, struct noiommu_domain, domain);

	pt_iommu_deinit(&noiommu->amdv1.iommu);
	kfree(noiommu);
}

static const struct iommu_domain_ops noiommu_domain_ops = {
	IOMMU_PT_DOMAIN_OPS(amdv1),
	.iotlb_sync = noiommu_iotlb_sync,
	.free = noiommu_domain_free,
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
 * The domain takes every page aligned IOVA, has no reserved regions, and can be
 * attached only to devices from iommufd_device_bind_noiommu(). The caller frees
 * it with iommu_domain_free().
 *
 * Context: May sleep.
 * Return: The domain, ERR_PTR(-ENOMEM) if there is no memory for it.
 */
struct iommu_domain *iommufd_noiommu_domain_alloc(void)
{
	const struct pt_iommu_amdv1_cfg cfg = {
		/* The format requires all three, only the top matters here */
		.common.features = BIT(PT_FEAT_DYNAMIC_TOP) |
				   BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) |
				   BIT(PT_FEAT_AMDV1_FORCE_COHERENCE),
		.common.hw_max_vasz_lg2 = 64,
		.common.hw_max_oasz_lg2 = 52,
		/* 512 GiB of IOVA before the first new top */
		.starting_level = 2,
	};
	struct noiommu_domain *noiommu;
	int rc;

	noiommu = kzalloc_obj(*noiommu, GFP_KERNEL_ACCOUNT);
	if (!noiommu)
		return ERR_PTR(-ENOMEM);

	spin_lock_init(&noiommu->top_lock);
	noiommu->amdv1.iommu.nid = NUMA_NO_NODE;
	noiommu->amdv1.iommu.driver_ops = &noiommu_pt_ops;
	noiommu->domain.ops = &noiommu_domain_ops;
	rc = pt_iommu_amdv1_init(&noiommu->amdv1, &cfg, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(noiommu);
		return ERR_PTR(rc);
	}
	noiommu->domain.owner = &iommufd_noiommu_ops;
	return &noiommu->domain;
}

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
