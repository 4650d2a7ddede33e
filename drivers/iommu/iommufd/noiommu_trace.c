// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace events of devices without an IOMMU
 */
#define CREATE_TRACE_POINTS
#include <trace/events/iommufd_noiommu.h>
