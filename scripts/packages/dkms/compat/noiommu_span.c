// SPDX-License-Identifier: GPL-2.0-only
/*
 * interval_tree_span_iter_*() for a kernel that was built without. The rest of the
 * file is the kernel's, and goes by other names here.
 */
#define interval_tree_insert noiommu_tree_insert
#define interval_tree_remove noiommu_tree_remove
#define interval_tree_subtree_search noiommu_tree_subtree_search
#define interval_tree_iter_first noiommu_tree_iter_first
#define interval_tree_iter_next noiommu_tree_iter_next

#include <linux/export.h>
#include <linux/interval_tree.h>

#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(symbol)

#include "../../../lib/interval_tree.c"
