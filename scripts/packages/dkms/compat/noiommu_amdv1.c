// SPDX-License-Identifier: GPL-2.0-only
/*
 * The series' page table in the AMDv1 format. A kernel may have its own, without
 * what the series adds: this one is only for domains of iommufd's that no IOMMU
 * driver backs.
 */
#define NOIOMMU_FORMAT
#include <linux/export.h>
#include <linux/module.h>

#undef EXPORT_SYMBOL_NS_GPL
#define EXPORT_SYMBOL_NS_GPL(symbol, namespace)

#include "../generic_pt/fmt/iommu_amdv1.c"
