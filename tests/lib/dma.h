/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_DMA_H
#define TESTS_LIB_DMA_H

/* Two buffers, and edu to move bytes between them by physical address. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include <libvfio.h>

#include "mem.h"
#include "utils.h"

#define SRC_SEED	0x5a5aULL
#define DST_SEED	0x1234ULL

/* Source and destination of DMA, mapped, with a pattern in each */
struct dma {
	struct iommu *iommu;
	struct vfio_pci_device *device;
	struct mem src, dst;
	u64 src_iova, dst_iova;
	/* What has to be in them */
	char *src_bytes, *dst_bytes;
};

/* The driver keeps its state in memory of its own, a page of it will do */
static inline void dma_driver_init(struct dma *dma)
{
	struct dma_region *region = &dma->device->driver.region;

	VFIO_ASSERT_NOT_NULL(dma->device->driver.ops);

	region->size = getpagesize();
	region->vaddr = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(region->vaddr, MAP_FAILED);
	iommu_map(dma->iommu, region);

	vfio_pci_driver_init(dma->device);
}

/* Returns false if there is not enough of that kind of memory */
static inline bool dma_init(struct dma *dma, const char *bdf,
			    enum mem_kind kind, u64 size)
{
	if (!mem_alloc(&dma->src, kind, size) || !mem_alloc(&dma->dst, kind, size))
		return false;

	mem_fill(dma->src.vaddr, size, SRC_SEED);
	mem_fill(dma->dst.vaddr, size, DST_SEED);

	dma->src_bytes = malloc(size);
	dma->dst_bytes = malloc(size);
	VFIO_ASSERT_NOT_NULL(dma->src_bytes);
	VFIO_ASSERT_NOT_NULL(dma->dst_bytes);
	mem_fill(dma->src_bytes, size, SRC_SEED);
	mem_fill(dma->dst_bytes, size, DST_SEED);

	dma->iommu = iommu_init(MODE_NOIOMMU);
	dma->device = vfio_pci_device_init(bdf, dma->iommu);
	dma_driver_init(dma);
	dma->src_iova = mem_map(&dma->src, dma->iommu->iommufd,
				dma->iommu->ioas_id, MAP_RW);
	dma->dst_iova = mem_map(&dma->dst, dma->iommu->iommufd,
				dma->iommu->ioas_id, MAP_RW);

	return true;
}

static inline void dma_cleanup(struct dma *dma)
{
	struct dma_region region = dma->device->driver.region;

	vfio_pci_device_cleanup(dma->device);
	if (dma->iommu)
		iommu_cleanup(dma->iommu);
	VFIO_ASSERT_EQ(munmap(region.vaddr, region.size), 0);
	mem_free(&dma->src);
	mem_free(&dma->dst);
	free(dma->src_bytes);
	free(dma->dst_bytes);
}

static inline u64 dma_phys(struct dma *dma, u64 iova)
{
	return ioas_phys(dma->iommu->iommufd, dma->iommu->ioas_id, iova);
}

/* Have the device copy bytes from one physical address to another */
static inline void dma_copy_phys(struct dma *dma, u64 dst, u64 src, u64 count)
{
	VFIO_ASSERT_EQ(vfio_pci_driver_memcpy(dma->device, src, dst, count), 0);
}

/* Have the device copy bytes within a page, and note that in dst_bytes */
static inline void dma_copy(struct dma *dma, u64 dst, u64 src, u64 count)
{
	dma_copy_phys(dma, dma_phys(dma, dma->dst_iova + dst),
		      dma_phys(dma, dma->src_iova + src), count);
	memcpy(dma->dst_bytes + dst, dma->src_bytes + src, count);
}

#endif /* TESTS_LIB_DMA_H */
