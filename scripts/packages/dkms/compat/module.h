/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before all else. The modules share structs that those of the kernel
 * have otherwise, so that neither may be used with the other:
 *
 * - what these export is in a namespace that no module of the kernel imports,
 * - all but vfio itself need a symbol that only this vfio has.
 *
 * No header can be included here: the sources define macros before they do.
 */
#ifndef NOIOMMU_MODULE_H
#define NOIOMMU_MODULE_H

static const char noiommu_import[]
	__attribute__((used, section(".modinfo"), aligned(1))) =
	"import_ns=" NOIOMMU_NAMESPACE;

#ifndef NOIOMMU_IOMMUFD
extern const char NOIOMMU_MARKER;
static const char *const noiommu_needs __attribute__((used)) = &NOIOMMU_MARKER;
#endif

#ifdef NOIOMMU_CARRY_SPAN
#define interval_tree_span_iter_first noiommu_span_iter_first
#define interval_tree_span_iter_next noiommu_span_iter_next
#define interval_tree_span_iter_advance noiommu_span_iter_advance
#endif

#ifdef NOIOMMU_CARRY_AMDV1
#define pt_iommu_amdv1_init noiommu_amdv1_init
#define pt_iommu_amdv1_hw_info noiommu_amdv1_hw_info
#define pt_iommu_amdv1_iova_to_phys noiommu_amdv1_iova_to_phys
#define pt_iommu_amdv1_read_and_clear_dirty noiommu_amdv1_read_and_clear_dirty
#endif

#endif
