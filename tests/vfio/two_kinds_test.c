// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device with an IOMMU and one without, in one IOAS.
 *
 * The same mapping has to serve both: the IOMMU translates its IOVA for the one
 * device, IOMMU_IOAS_GET_PA for the driver of the other. Neither may notice that
 * the other is there, whichever of them comes or goes first, except that an
 * IOVA has to be one that the IOMMU can translate while its device is attached.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <linux/bits.h>
#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "dma.h"
#include "mem.h"
#include "quarantine.h"
#include "utils.h"

/*
 * Where the tests map that have no reason to map elsewhere. Any IOMMU gets
 * there, and no memory of the test machine has such an address, so that nothing
 * is found by the wrong kind of address.
 */
#define IOVA			(64ULL * SZ_1G)

/* No IOMMU gets there */
#define IOVA_TOO_HIGH		BIT_ULL(60)

/* Index of the two devices */
enum { WITH, WITHOUT, NR };

static struct noiommu_devices devices;

/* Devices with an IOMMU, bound to VFIO. NULL if there is no such device. */
static const char *iommu_bdf;
static const char *iommu_edu_bdf;

/* Can every IOVA be mapped? */
static bool ioas_is_unrestricted(int iommufd, u32 ioas_id)
{
	struct iommu_iova_range range[16];
	struct iommu_ioas_iova_ranges args = {
		.size = sizeof(args),
		.ioas_id = ioas_id,
		.num_iovas = ARRAY_SIZE(range),
		.allowed_iovas = (uintptr_t)range,
	};

	ioctl_assert(iommufd, IOMMU_IOAS_IOVA_RANGES, &args);

	return args.num_iovas == 1 && !range[0].start &&
	       range[0].last == UINT64_MAX;
}

/*
 * First IOVA that is reserved for the device, such as where it writes to for an
 * MSI. Returns false if there is none.
 */
static bool reserved_iova(const char *bdf, u64 *iova)
{
	unsigned long start, last;
	char path[PATH_MAX];
	bool found;
	FILE *file;

	snprintf_assert(path, sizeof(path),
			"/sys/bus/pci/devices/%s/iommu_group/reserved_regions",
			bdf);
	file = fopen(path, "r");
	VFIO_ASSERT_NOT_NULL(file, "Failed to open %s\n", path);

	/* More may follow, but one will do */
	found = fscanf(file, "%lx %lx", &start, &last) == 2;
	VFIO_ASSERT_EQ(fclose(file), 0);

	*iova = start;
	return found && last - start >= (unsigned long)getpagesize() - 1;
}

/*
 * Attaching, in either order
 */

FIXTURE(mixed) {
	int fd[NR];
	u32 dev_id[NR];
	/* The IOAS, for lookups. The devices are those above. */
	struct bound b;
	struct mem mem;
};

FIXTURE_VARIANT(mixed) {
	int first;
};

FIXTURE_VARIANT_ADD(mixed, iommu_first) {
	.first = WITH,
};

FIXTURE_VARIANT_ADD(mixed, noiommu_first) {
	.first = WITHOUT,
};

FIXTURE_SETUP(mixed)
{
	const char *const bdf[NR] = { iommu_bdf, devices.bdf };
	int i;

	if (!iommu_bdf)
		SKIP(return, "There is no device with an IOMMU");

	self->b.iommufd = iommufd_open();
	self->b.ioas_id = ioas_alloc(self->b.iommufd);
	for (i = 0; i < NR; i++) {
		self->fd[i] = device_open(bdf[i]);
		ASSERT_EQ(0, device_bind(self->fd[i], self->b.iommufd,
					 &self->dev_id[i]));
	}

	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(self->b.iommufd, self->b.ioas_id,
				    self->mem.vaddr, self->mem.size, IOVA));
}

FIXTURE_TEARDOWN(mixed)
{
	int i;

	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, close(self->fd[i]));
	ASSERT_EQ(0, close(self->b.iommufd));
	mem_free(&self->mem);
}

/* What is for a device without an IOMMU is unknown to one with it */
TEST_F(mixed, quarantine_flags)
{
	static const u32 flags[] = { QUARANTINE, QUIET, QUARANTINE | QUIET };
	const char *const bdf[NR] = { iommu_bdf, devices.bdf };
	int i, j;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, close(self->fd[i]));
		for (j = 0; j < ARRAY_SIZE(flags); j++)
			ASSERT_EQ(i == WITH ? -EINVAL : 0,
				  bind_once(bdf[i], flags[j]));
		self->fd[i] = device_open(bdf[i]);
		ASSERT_EQ(0, device_bind(self->fd[i], self->b.iommufd,
					 &self->dev_id[i]));
	}
}

TEST_F(mixed, replace)
{
	const int first = variant->first, second = !first;
	struct bound *b = &self->b;
	struct bound other = *b;
	struct mem mem;
	int i;

	other.ioas_id = ioas_alloc(b->iommufd);
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, other.ioas_id, mem.vaddr,
				    mem.size, IOVA));

	ASSERT_LT(0, device_attach_to(self->fd[first], b->ioas_id));
	ASSERT_LT(0, device_attach_to(self->fd[second], b->ioas_id));
	mem_read_pagemap(&self->mem);

	/* The addresses go with the device that needs them */
	for (i = 0; i < 3; i++) {
		ASSERT_LT(0, device_attach_to(self->fd[first], other.ioas_id));
		mem_read_pagemap(&mem);
		if (first == WITHOUT) {
			ASSERT_TRUE(pa_each_page(&other, IOVA, &mem));
			ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
		} else {
			ASSERT_EQ(-EOPNOTSUPP, lookup(&other, IOVA, 0));
			ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
		}

		ASSERT_LT(0, device_attach_to(self->fd[second], other.ioas_id));
		ASSERT_TRUE(pa_each_page(&other, IOVA, &mem));
		ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));

		ASSERT_LT(0, device_attach_to(self->fd[first], b->ioas_id));
		ASSERT_LT(0, device_attach_to(self->fd[second], b->ioas_id));
		mem_read_pagemap(&self->mem);
		ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
		ASSERT_EQ(-EOPNOTSUPP, lookup(&other, IOVA, 0));
	}

	mem_free(&mem);
}

/* An IOAS without an IOMMU has every IOVA. With the device one it loses some. */
TEST_F(mixed, reserved_iova)
{
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;
	struct mem *mem = &self->mem;
	u64 iova[] = { IOVA_TOO_HIGH, 0 };
	int nr = ARRAY_SIZE(iova);
	int i;

	if (!reserved_iova(iommu_bdf, &iova[1]))
		nr--;

	if (variant->first == WITHOUT)
		ASSERT_LT(0, device_attach_to(self->fd[WITHOUT], b->ioas_id));
	ASSERT_TRUE(ioas_is_unrestricted(b->iommufd, b->ioas_id));

	for (i = 0; i < nr; i++) {
		/* The one device takes it, the other cannot come then */
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, mem->vaddr,
					    page_size, iova[i]));
		ASSERT_EQ(-EADDRINUSE, device_attach_to(self->fd[WITH],
							b->ioas_id))
			TH_LOG("IOVA %#lx", iova[i]);
		ASSERT_TRUE(ioas_is_unrestricted(b->iommufd, b->ioas_id));
		if (variant->first == WITHOUT) {
			mem_read_pagemap(mem);
			ASSERT_TRUE(pa_is(b, iova[i], 0, mem->phys[0],
					  page_size));
		}
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, iova[i],
					page_size));
	}

	/* It is the IOAS that knows, not the one or the other device */
	ASSERT_LT(0, device_attach_to(self->fd[WITH], b->ioas_id));
	ASSERT_LT(0, device_attach_to(self->fd[WITHOUT], b->ioas_id));
	ASSERT_FALSE(ioas_is_unrestricted(b->iommufd, b->ioas_id));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(-EINVAL, ioas_map_fixed(b->iommufd, b->ioas_id,
						  mem->vaddr, page_size,
						  iova[i]))
			TH_LOG("IOVA %#lx", iova[i]);

	ASSERT_EQ(0, device_detach(self->fd[WITH]));
	ASSERT_TRUE(ioas_is_unrestricted(b->iommufd, b->ioas_id));
	mem_read_pagemap(mem);
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, mem->vaddr,
					    page_size, iova[i]));
		ASSERT_TRUE(pa_is(b, iova[i], 0, mem->phys[0], page_size));
	}
}

TEST_F(mixed, copy_between_ioas)
{
	const int first = variant->first, second = !first;
	struct bound *b = &self->b;
	struct bound other = *b;

	other.ioas_id = ioas_alloc(b->iommufd);
	ASSERT_LT(0, device_attach_to(self->fd[first], b->ioas_id));
	ASSERT_LT(0, device_attach_to(self->fd[second], other.ioas_id));
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, other.ioas_id, 2 * IOVA,
				     b->ioas_id, IOVA, self->mem.size));
	mem_read_pagemap(&self->mem);

	if (first == WITHOUT) {
		ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
		ASSERT_EQ(-EOPNOTSUPP, lookup(&other, 2 * IOVA, 0));
	} else {
		ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
		ASSERT_TRUE(pa_each_page(&other, 2 * IOVA, &self->mem));
	}

	/* Either mapping can go first */
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, self->mem.size));
	if (first == WITH)
		ASSERT_TRUE(pa_each_page(&other, 2 * IOVA, &self->mem));
}

/*
 * DMA of both devices to the same buffers, by IOVA and by physical address
 */

FIXTURE(mixed_dma) {
	/* The buffers, and the device without an IOMMU */
	struct dma dma;
	/* The other device. Both structs iommu are for the same IOAS. */
	struct iommu *iommu;
	struct vfio_pci_device *device;
	struct dma_region region;
};

FIXTURE_VARIANT(mixed_dma) {
	int first;
};

FIXTURE_VARIANT_ADD(mixed_dma, iommu_first) {
	.first = WITH,
};

FIXTURE_VARIANT_ADD(mixed_dma, noiommu_first) {
	.first = WITHOUT,
};

/* The same iommufd and IOAS, for a device of the other kind */
static struct iommu *iommu_share(struct iommu *iommu, const char *mode)
{
	struct iommu *other = iommu_init(mode);

	VFIO_ASSERT_EQ(close(other->iommufd), 0);
	other->iommufd = dup(iommu->iommufd);
	VFIO_ASSERT_GE(other->iommufd, 0);
	other->ioas_id = iommu->ioas_id;

	return other;
}

FIXTURE_SETUP(mixed_dma)
{
	struct dma *dma = &self->dma;
	struct iommu *iommu;

	if (!devices.edu_bdf || !iommu_edu_bdf)
		SKIP(return, "There are no two edu devices");

	ASSERT_TRUE(dma_init(dma, devices.edu_bdf, MEM_SCATTERED, SZ_1M));
	iommu = dma->iommu;

	/* The IOVAs are to mean something, so they are not what they may be */
	ASSERT_EQ(0, ioas_unmap(iommu->iommufd, iommu->ioas_id, dma->src_iova,
				dma->src.size));
	ASSERT_EQ(0, ioas_unmap(iommu->iommufd, iommu->ioas_id, dma->dst_iova,
				dma->dst.size));
	dma->src_iova = IOVA;
	dma->dst_iova = 2 * IOVA;
	ASSERT_EQ(0, ioas_map_fixed(iommu->iommufd, iommu->ioas_id,
				    dma->src.vaddr, dma->src.size, IOVA));
	ASSERT_EQ(0, ioas_map_fixed(iommu->iommufd, iommu->ioas_id,
				    dma->dst.vaddr, dma->dst.size, 2 * IOVA));

	if (variant->first == WITH)
		ASSERT_EQ(0, device_detach(dma->device->fd));

	self->iommu = iommu_share(iommu, MODE_IOMMUFD);
	self->device = vfio_pci_device_init(iommu_edu_bdf, self->iommu);
	ASSERT_NE(NULL, self->device->driver.ops);
	self->region.size = getpagesize();
	self->region.iova = 3 * IOVA;
	self->region.vaddr = mmap(NULL, self->region.size,
				  PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->region.vaddr);
	iommu_map(self->iommu, &self->region);
	self->device->driver.region = self->region;
	vfio_pci_driver_init(self->device);

	if (variant->first == WITH)
		ASSERT_LT(0, device_attach_to(dma->device->fd, iommu->ioas_id));
}

FIXTURE_TEARDOWN(mixed_dma)
{
	vfio_pci_device_cleanup(self->device);
	iommu_cleanup(self->iommu);
	ASSERT_EQ(0, munmap(self->region.vaddr, self->region.size));
	dma_cleanup(&self->dma);
}

/* dma_copy() by the device that has an IOMMU */
static void iommu_copy(struct dma *dma, struct vfio_pci_device *device, u64 dst,
		       u64 src, u64 count)
{
	VFIO_ASSERT_EQ(vfio_pci_driver_memcpy(device, dma->src_iova + src,
					      dma->dst_iova + dst, count), 0);
	memcpy(dma->dst_bytes + dst, dma->src_bytes + src, count);
}

/* It went there, and nothing went anywhere else */
static bool dma_is_right(struct dma *dma)
{
	return !memcmp(dma->dst.vaddr, dma->dst_bytes, dma->dst.size) &&
	       !memcmp(dma->src.vaddr, dma->src_bytes, dma->src.size);
}

/* Both have the other memory that comes to be mapped at the same IOVA */
TEST_F(mixed_dma, map_anew)
{
	const u64 page_size = getpagesize();
	struct dma *dma = &self->dma;
	int iommufd = self->iommu->iommufd;
	u32 ioas_id = self->iommu->ioas_id;
	struct mem mem;

	dma_copy(dma, 0, 0, 64);
	iommu_copy(dma, self->device, page_size, 0, 64);

	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, dma->src.size));
	mem_fill(mem.vaddr, mem.size, 0x7777);
	mem_fill(dma->src_bytes, mem.size, 0x7777);
	ASSERT_EQ(0, ioas_unmap(iommufd, ioas_id, IOVA, dma->src.size));
	ASSERT_EQ(0, ioas_map_fixed(iommufd, ioas_id, mem.vaddr, mem.size, IOVA));
	mem_free(&dma->src);
	dma->src = mem;

	dma_copy(dma, 2 * page_size, 5 * page_size, EDU_DMA_MAX);
	iommu_copy(dma, self->device, 3 * page_size, 5 * page_size, EDU_DMA_MAX);
	ASSERT_TRUE(dma_is_right(dma));
}

TEST_F(mixed_dma, interrupts)
{
	struct vfio_pci_device *const device[NR] = {
		self->device, self->dma.device,
	};
	struct pollfd pfd[NR];
	u64 nr;
	int i;

	for (i = 0; i < NR; i++) {
		pfd[i].fd = device[i]->msi_eventfds[0];
		pfd[i].events = POLLIN;
	}

	for (i = 0; i < NR; i++) {
		vfio_pci_driver_send_msi(device[i]);
		ASSERT_EQ(1, poll(&pfd[i], 1, 10000));
		ASSERT_EQ(sizeof(nr), read(pfd[i].fd, &nr, sizeof(nr)));
		ASSERT_EQ(1, nr);
		/* That of the other device would have come by now */
		ASSERT_EQ(0, poll(&pfd[!i], 1, 100));
	}
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	iommu_edu_bdf = vfio_dev_find("vfio", device_is_edu);
	iommu_bdf = iommu_edu_bdf ?: vfio_dev_find("vfio", sysfs_has_iommu);
	return test_harness_run(argc, argv);
}
