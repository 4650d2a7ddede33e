/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NOIOMMU_PT_H
#define __NOIOMMU_PT_H

#include <linux/bits.h>
#include <linux/types.h>

struct iommu_domain;

/*
 * Physical addresses are lower than this, which is where automatic IOVAs start
 * if there is no lower end
 */
#define NOIOMMU_PHYS_END BIT_ULL(52)

/**
 * struct pt_iommu_run - Output that is contiguous for a part of an IOVA range
 * @phys: Output address of the first byte
 * @len: Number of bytes
 */
struct pt_iommu_run {
	u64 phys;
	u64 len;
};

/**
 * struct pt_iommu_runs - Where iommufd_domain_read_range() writes to
 */
struct pt_iommu_runs {
	/**
	 * @runs: Array of the caller
	 */
	struct pt_iommu_run *runs;

	/**
	 * @max: Number of runs that the array has room for
	 */
	unsigned int max;

	/**
	 * @nr: Number of runs in the array. If it is not 0 to start with then
	 * the last one is extended by what continues it.
	 */
	unsigned int nr;

	/**
	 * @max_items: How many table items to read. It is checked before each
	 * table, so up to a table more is read. Reduced by what was read, but
	 * for the last table if there is no room for a run of it, 0 if it was
	 * used up.
	 */
	unsigned int max_items;
};

unsigned long iommufd_domain_read_range(struct iommu_domain *domain,
					unsigned long iova,
					unsigned long length,
					struct pt_iommu_runs *runs);

#endif
