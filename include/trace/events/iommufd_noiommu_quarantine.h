/* SPDX-License-Identifier: GPL-2.0-only */
/* Which memory is held for devices without an IOMMU that may go on with DMA */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd_noiommu

#if !defined(_TRACE_IOMMUFD_NOIOMMU_QUARANTINE_H) || \
	defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMUFD_NOIOMMU_QUARANTINE_H

#include <linux/device.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

/* The user is gone. The device stays attached, until one of those that follow. */
TRACE_EVENT(iommufd_noiommu_quarantine,

	TP_PROTO(struct device *dev, u32 dev_id, u32 ioas_id, u64 pages,
		 u64 bytes),

	TP_ARGS(dev, dev_id, ioas_id, pages, bytes),

	TP_STRUCT__entry(
		__string(device, dev_name(dev))
		__field(u64, pages)
		__field(u64, bytes)
		__field(u32, dev_id)
		__field(u32, ioas_id)
		__field(pid_t, pid)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->pages = pages;
		__entry->bytes = bytes;
		__entry->dev_id = dev_id;
		__entry->ioas_id = ioas_id;
		__entry->pid = current->tgid;
	),

	TP_printk("device=%s dev_id=%u ioas_id=%u pages=%llu bytes=0x%llx pid=%d",
		  __get_str(device), __entry->dev_id, __entry->ioas_id,
		  __entry->pages, __entry->bytes, __entry->pid)
);

/* The end of that, and what is known of the device. pid is who made it known. */
TRACE_EVENT(iommufd_noiommu_release,

	TP_PROTO(struct device *dev, u32 dev_id, u32 ioas_id, u64 pages,
		 u64 bytes, const char *why),

	TP_ARGS(dev, dev_id, ioas_id, pages, bytes, why),

	TP_STRUCT__entry(
		__string(device, dev_name(dev))
		__string(why, why)
		__field(u64, pages)
		__field(u64, bytes)
		__field(u32, dev_id)
		__field(u32, ioas_id)
		__field(pid_t, pid)
	),

	TP_fast_assign(
		__assign_str(device);
		__assign_str(why);
		__entry->pages = pages;
		__entry->bytes = bytes;
		__entry->dev_id = dev_id;
		__entry->ioas_id = ioas_id;
		__entry->pid = current->tgid;
	),

	TP_printk("device=%s dev_id=%u ioas_id=%u pages=%llu bytes=0x%llx why=%s pid=%d",
		  __get_str(device), __entry->dev_id, __entry->ioas_id,
		  __entry->pages, __entry->bytes, __get_str(why), __entry->pid)
);

#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE iommufd_noiommu_quarantine

#endif /* _TRACE_IOMMUFD_NOIOMMU_QUARANTINE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
