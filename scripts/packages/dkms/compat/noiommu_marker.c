// SPDX-License-Identifier: GPL-2.0-only
#include <linux/export.h>

/* What the modules of this package find each other by */
const char NOIOMMU_MARKER;
EXPORT_SYMBOL_GPL(NOIOMMU_MARKER);
