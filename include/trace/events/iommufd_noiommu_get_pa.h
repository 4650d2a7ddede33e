/* SPDX-License-Identifier: GPL-2.0-only */
/* Which memory a user of a device without an IOMMU was told the addresses of */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd_noiommu

#if !defined(_TRACE_IOMMUFD_NOIOMMU_GET_PA_H) || \
	defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMUFD_NOIOMMU_GET_PA_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

/*
 * One for each extent, in the order of the IOVA. The last byte of it is for
 * filters, which cannot add.
 */
TRACE_EVENT(iommufd_noiommu_get_pa,

	TP_PROTO(u32 ioas_id, u64 iova, u64 phys, u64 length),

	TP_ARGS(ioas_id, iova, phys, length),

	TP_STRUCT__entry(
		__field(u64, iova)
		__field(u64, phys)
		__field(u64, last)
		__field(u64, length)
		__field(u32, ioas_id)
		__field(pid_t, pid)
	),

	TP_fast_assign(
		__entry->iova = iova;
		__entry->phys = phys;
		__entry->last = phys + (length - 1);
		__entry->length = length;
		__entry->ioas_id = ioas_id;
		__entry->pid = current->tgid;
	),

	TP_printk("ioas_id=%u iova=0x%llx phys=0x%llx length=0x%llx pid=%d",
		  __entry->ioas_id, __entry->iova, __entry->phys,
		  __entry->length, __entry->pid)
);

#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE iommufd_noiommu_get_pa

#endif /* _TRACE_IOMMUFD_NOIOMMU_GET_PA_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
