/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel is asked, in words of our own. A header of the machine may be
 * older than the kernel that a program will run on: it may lack iommufd, as that of
 * Linux 6.1 does in places, VFIO's cdev, or the lookup of physical addresses.
 */
#ifndef ABI_H
#define ABI_H

#include <stdint.h>
#include <linux/ioctl.h>
#include <linux/vfio.h>

/* iommufd */
#define ABI_DESTROY		_IO(';', 0x80)
#define ABI_IOAS_ALLOC		_IO(';', 0x81)
#define ABI_IOAS_IOVA_RANGES	_IO(';', 0x84)
#define ABI_IOAS_MAP		_IO(';', 0x85)
#define ABI_IOAS_UNMAP		_IO(';', 0x86)
#define ABI_IOAS_MAP_FILE	_IO(';', 0x8f)
#define ABI_IOAS_GET_PA		_IO(';', 0x95)

#define ABI_MAP_WRITEABLE	0x2
#define ABI_MAP_READABLE	0x4

struct abi_destroy {
	uint32_t size;
	uint32_t id;
};

struct abi_ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_ioas_id;
};

struct abi_iova_range {
	uint64_t start;
	uint64_t last;
};

struct abi_ioas_iova_ranges {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t reserved;
	uint64_t allowed_iovas;
	uint64_t out_iova_alignment;
};

struct abi_ioas_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	uint32_t reserved;
	uint64_t user_va;
	uint64_t length;
	uint64_t iova;
};

struct abi_ioas_map_file {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	int32_t fd;
	uint64_t start;
	uint64_t length;
	uint64_t iova;
};

struct abi_ioas_unmap {
	uint32_t size;
	uint32_t ioas_id;
	uint64_t iova;
	uint64_t length;
};

struct abi_pa_extent {
	uint64_t phys;
	uint64_t length;
};

/* @dev_id is a device that is bound: its own addresses are asked for. */
#define ABI_GET_PA_DEVICE	0x1

/* Linux 7.3 has it without what begins at @num_extents. */
struct abi_ioas_get_pa {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	uint32_t reserved;
	uint64_t iova;
	uint64_t length;
	uint64_t out_phys;
	uint32_t num_extents;
	uint32_t dev_id;
	uint64_t extents_uptr;
};

/* VFIO's cdev; later kernels have more at the end of these. */
#define ABI_DEVICE_BIND		_IO(VFIO_TYPE, VFIO_BASE + 18)
#define ABI_DEVICE_ATTACH	_IO(VFIO_TYPE, VFIO_BASE + 19)
#define ABI_DEVICE_DETACH	_IO(VFIO_TYPE, VFIO_BASE + 20)

struct abi_device_bind {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
};

struct abi_device_attach {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pt_id;
};

struct abi_device_detach {
	uint32_t argsz;
	uint32_t flags;
};

/* Of VFIO_DEVICE_GET_INFO, for devices without an IOMMU */
#define ABI_CAP_NOIOMMU_DMA	6

#define ABI_NOIOMMU_DMA_COHERENT	0x1
#define ABI_NOIOMMU_DMA_TRANSLATED	0x2
#define ABI_NOIOMMU_DMA_ENCRYPTED	0x4

struct abi_cap_noiommu_dma {
	struct vfio_info_cap_header header;
	uint32_t flags;
	uint32_t reserved;
	uint64_t last_addr;
};

/* Heaps of dma-bufs */
struct abi_heap_alloc {
	uint64_t len;
	uint32_t fd;
	uint32_t fd_flags;
	uint64_t heap_flags;
};

#define ABI_HEAP_ALLOC		_IOWR('H', 0x0, struct abi_heap_alloc)

#endif /* ABI_H */
