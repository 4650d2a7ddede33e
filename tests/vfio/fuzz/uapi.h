/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_VFIO_FUZZ_UAPI_H
#define TESTS_VFIO_FUZZ_UAPI_H

/*
 * What Linux 6.12 does not have: files, PASIDs, vIOMMUs and tokens. Their flags are
 * 0 there, so that nothing asks for them and whatever it is that does is unknown.
 */

#include <stddef.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#ifdef IOMMU_IOAS_MAP_FILE

#define HAS_FILES	true
#define BIND_MIN	offsetof(struct vfio_device_bind_iommufd, token_uuid_ptr)
#define ATTACH_MIN	offsetof(struct vfio_device_attach_iommufd_pt, pasid)
#define DETACH_MIN	offsetof(struct vfio_device_detach_iommufd_pt, pasid)
#define PASID_OF(args)	((args).pasid)
#define PASID_SET(args, value)	((args).pasid = (value))

#else

#define HAS_FILES	false
#define BIND_MIN	sizeof(struct vfio_device_bind_iommufd)
#define ATTACH_MIN	sizeof(struct vfio_device_attach_iommufd_pt)
#define DETACH_MIN	sizeof(struct vfio_device_detach_iommufd_pt)
#define PASID_OF(args)	0U
#define PASID_SET(args, value)	((void)(value))

#define VFIO_DEVICE_BIND_FLAG_TOKEN	0
#define VFIO_DEVICE_ATTACH_PASID	0
#define VFIO_DEVICE_DETACH_PASID	0
#define IOMMU_HW_INFO_FLAG_INPUT_TYPE	0

#endif

#endif /* TESTS_VFIO_FUZZ_UAPI_H */
