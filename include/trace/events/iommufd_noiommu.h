/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who has used which device without an IOMMU. Nothing else tells that when memory
 * is found overwritten.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd_noiommu

#if !defined(_TRACE_IOMMUFD_NOIOMMU_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMUFD_NOIOMMU_H

#include <linux/device.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(iommufd_noiommu_device,

	TP_PROTO(struct device *dev, u32 dev_id),

	TP_ARGS(dev, dev_id),

	TP_STRUCT__entry(
		__string(device, dev_name(dev))
		__field(u32, dev_id)
		__field(pid_t, pid)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->dev_id = dev_id;
		__entry->pid = current->tgid;
	),

	TP_printk("device=%s dev_id=%u pid=%d", __get_str(device),
		  __entry->dev_id, __entry->pid)
);

DEFINE_EVENT(iommufd_noiommu_device, iommufd_noiommu_bind,
	TP_PROTO(struct device *dev, u32 dev_id),
	TP_ARGS(dev, dev_id)
);

DEFINE_EVENT(iommufd_noiommu_device, iommufd_noiommu_unbind,
	TP_PROTO(struct device *dev, u32 dev_id),
	TP_ARGS(dev, dev_id)
);

DECLARE_EVENT_CLASS(iommufd_noiommu_hwpt,

	TP_PROTO(struct device *dev, u32 ioas_id, u32 hwpt_id),

	TP_ARGS(dev, ioas_id, hwpt_id),

	TP_STRUCT__entry(
		__string(device, dev_name(dev))
		__field(u32, ioas_id)
		__field(u32, hwpt_id)
		__field(pid_t, pid)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->ioas_id = ioas_id;
		__entry->hwpt_id = hwpt_id;
		__entry->pid = current->tgid;
	),

	TP_printk("device=%s ioas_id=%u hwpt_id=%u pid=%d", __get_str(device),
		  __entry->ioas_id, __entry->hwpt_id, __entry->pid)
);

DEFINE_EVENT(iommufd_noiommu_hwpt, iommufd_noiommu_attach,
	TP_PROTO(struct device *dev, u32 ioas_id, u32 hwpt_id),
	TP_ARGS(dev, ioas_id, hwpt_id)
);

DEFINE_EVENT(iommufd_noiommu_hwpt, iommufd_noiommu_detach,
	TP_PROTO(struct device *dev, u32 ioas_id, u32 hwpt_id),
	TP_ARGS(dev, ioas_id, hwpt_id)
);

#endif /* _TRACE_IOMMUFD_NOIOMMU_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
