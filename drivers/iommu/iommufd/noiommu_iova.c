// SPDX-License-Identifier: GPL-2.0-only
/*
 * Automatic IOVAs of an IOAS that devices without an IOMMU are attached to
 *
 * Such a device needs physical addresses, and an IOVA is only the key to look
 * them up by. A driver that was written for an IOMMU and gives the IOVA to the
 * device would have it read and write whatever is there. If the IOVA is none of
 * the physical addresses that there can be, then nothing is, for a device that has
 * all of its bits.
 */
#include <linux/bits.h>
#include <linux/iommu.h>
#include <linux/ioport.h>
#include <linux/minmax.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/* The page table of a noiommu HWPT holds no physical address as high as this */
#define NOIOMMU_PHYS_END BIT_ULL(52)

/*
 * Not higher than it has to be, for each nine bits are one more level of the page
 * table. Where the architecture does not say what its processors can address, it
 * is the end of what a noiommu HWPT can hold, and so it is where an address has bits
 * for the key of encrypted memory, which the architecture does not count.
 */
static unsigned long noiommu_first_iova(void)
{
	u64 last = NOIOMMU_PHYS_END - 1;

	if (!iommufd_has_key_bits())
		last = min_t(u64, iomem_resource.end, last);
	return (unsigned long)(last + 1);
}

/**
 * iopt_noiommu_first_iova() - Where automatic IOVAs of an IOAS are to start
 * @iopt: IO page table of the IOAS
 *
 * Context: The caller holds iova_rwsem.
 * Return: The lowest IOVA that is above every physical address, or 0 if it does
 * not matter, as the IOAS has no noiommu HWPT. It is 0 on 32-bit as well, where no
 * IOVA is above all of them.
 */
unsigned long iopt_noiommu_first_iova(struct io_pagetable *iopt)
{
	struct iommu_domain *domain;
	unsigned long index;

	lockdep_assert_held(&iopt->iova_rwsem);

	xa_for_each(&iopt->domains, index, domain)
		if (iommufd_domain_is_noiommu(domain))
			return noiommu_first_iova();
	return 0;
}
