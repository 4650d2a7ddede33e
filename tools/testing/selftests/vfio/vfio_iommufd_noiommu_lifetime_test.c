// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long memory stays pinned for a VFIO device without an IOMMU: while any of
 * the devices that share an IOAS is attached, whatever the process does to its
 * own view of the memory, and not a moment longer than the last device is open.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/compiler.h>
#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/pci_regs.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "noiommu_devices.h"
#include "noiommu_dma.h"
#include "noiommu_host.h"
#include "noiommu_mem.h"
#include "noiommu_utils.h"

/* Where the tests map that have no reason to map elsewhere */
#define IOVA			SZ_4G

static struct noiommu_devices devices;

/*
 * Two devices
 */

FIXTURE(noiommu_pair) {
	struct bound b;
	int other_fd;
	struct mem mem;
};

FIXTURE_SETUP(noiommu_pair)
{
	if (!devices.other_bdf)
		SKIP(return, "There is no second noiommu device");

	bound_init(&self->b, devices.bdf);
	self->other_fd = device_open(devices.other_bdf);
	ASSERT_EQ(0, device_bind(self->other_fd, self->b.iommufd, NULL));

	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(self->b.iommufd, self->b.ioas_id,
				    self->mem.vaddr, self->mem.size, IOVA));
}

FIXTURE_TEARDOWN(noiommu_pair)
{
	ASSERT_EQ(0, close(self->other_fd));
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

TEST_F(noiommu_pair, one_ioas)
{
	struct bound *b = &self->b;
	s64 hwpt_id;

	/* They share the HWPT, since nothing tells one from the other */
	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	ASSERT_EQ(hwpt_id, device_attach_to(self->other_fd, b->ioas_id));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));

	/* An address is good until the last of them goes, which is either */
	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(0, device_detach(self->other_fd));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
}

TEST_F(noiommu_pair, two_ioas)
{
	struct bound *b = &self->b;
	struct bound other = *b;
	struct mem mem;

	other.ioas_id = ioas_alloc(b->iommufd);
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, other.ioas_id, mem.vaddr,
				    mem.size, IOVA));

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_LT(0, device_attach_to(self->other_fd, other.ioas_id));
	mem_read_pagemap(&self->mem);
	mem_read_pagemap(&mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_TRUE(pa_each_page(&other, IOVA, &mem));

	/* Moving one leaves the other alone */
	ASSERT_LT(0, device_attach_to(self->other_fd, b->ioas_id));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_EQ(-EOPNOTSUPP, lookup(&other, IOVA, 0));
	mem_free(&mem);
}

TEST_F(noiommu_pair, one_hwpt)
{
	struct bound *b = &self->b;
	u32 hwpt_id;

	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt_id));
	ASSERT_EQ(hwpt_id, device_attach_to(self->other_fd, hwpt_id));
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, hwpt_id));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));

	/* Closing a device is a detach */
	ASSERT_EQ(0, close(self->other_fd));
	ASSERT_EQ(-EBUSY, object_destroy(b->iommufd, hwpt_id));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt_id));

	self->other_fd = device_open(devices.other_bdf);
}

/*
 * Memory stays where it is until it is unmapped, whatever becomes of the
 * mapping that it once had in the process
 */

enum disturbance {
	DISTURB_FORK,
	DISTURB_MREMAP,
	DISTURB_COMPACTION,
	DISTURB_PAGEOUT,
	DISTURB_DONTNEED,
	DISTURB_MUNMAP,
};

FIXTURE(noiommu_pin) {
	struct dma dma;
};

FIXTURE_VARIANT(noiommu_pin) {
	enum disturbance disturbance;
};

FIXTURE_VARIANT_ADD(noiommu_pin, fork) {
	.disturbance = DISTURB_FORK,
};

FIXTURE_VARIANT_ADD(noiommu_pin, mremap) {
	.disturbance = DISTURB_MREMAP,
};

FIXTURE_VARIANT_ADD(noiommu_pin, compaction) {
	.disturbance = DISTURB_COMPACTION,
};

FIXTURE_VARIANT_ADD(noiommu_pin, pageout) {
	.disturbance = DISTURB_PAGEOUT,
};

FIXTURE_VARIANT_ADD(noiommu_pin, dontneed) {
	.disturbance = DISTURB_DONTNEED,
};

FIXTURE_VARIANT_ADD(noiommu_pin, munmap) {
	.disturbance = DISTURB_MUNMAP,
};

FIXTURE_SETUP(noiommu_pin)
{
	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");

	ASSERT_TRUE(dma_init(&self->dma, devices.edu_bdf, MEM_SCATTERED, SZ_1M));
	mem_read_pagemap(&self->dma.src);
	mem_read_pagemap(&self->dma.dst);
}

FIXTURE_TEARDOWN(noiommu_pin)
{
	dma_cleanup(&self->dma);
}

/* A child gets copies and writes to them, and so does the parent */
static void disturb_fork(struct mem *mem)
{
	int status;
	u64 i;
	pid_t pid;

	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (!pid) {
		memset(mem->vaddr, 0xee, mem->size);
		_exit(0);
	}
	VFIO_ASSERT_EQ(waitpid(pid, &status, 0), pid);
	VFIO_ASSERT_EQ(status, 0);

	for (i = 0; i < mem->size; i += getpagesize())
		WRITE_ONCE(mem->vaddr[i], mem->vaddr[i]);
}

static void disturb_mremap(struct mem *mem)
{
	char *vaddr;

	vaddr = mmap(NULL, mem->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(vaddr, MAP_FAILED);
	vaddr = mremap(mem->vaddr, mem->size, mem->size,
		       MREMAP_MAYMOVE | MREMAP_FIXED, vaddr);
	VFIO_ASSERT_NE(vaddr, MAP_FAILED);
	VFIO_ASSERT_NE(vaddr, mem->vaddr);
	mem->vaddr = vaddr;
}

static bool disturb_compaction(void)
{
	int fd;

	fd = open("/proc/sys/vm/compact_memory", O_WRONLY);
	if (fd < 0)
		return false;
	VFIO_ASSERT_EQ(write(fd, "1", 1), 1);
	VFIO_ASSERT_EQ(close(fd), 0);

	return true;
}

static bool disturb(struct mem *mem, enum disturbance disturbance)
{
	switch (disturbance) {
	case DISTURB_FORK:
		disturb_fork(mem);
		break;
	case DISTURB_MREMAP:
		disturb_mremap(mem);
		break;
	case DISTURB_COMPACTION:
		return disturb_compaction();
	case DISTURB_PAGEOUT:
		VFIO_ASSERT_EQ(madvise(mem->vaddr, mem->size, MADV_PAGEOUT), 0);
		break;
	case DISTURB_DONTNEED:
		VFIO_ASSERT_EQ(madvise(mem->vaddr, mem->size, MADV_DONTNEED), 0);
		VFIO_ASSERT_FALSE(pagemap_present(mem->vaddr));
		/* Other pages, with other contents */
		memset(mem->vaddr, 0xdd, mem->size);
		break;
	case DISTURB_MUNMAP:
		VFIO_ASSERT_EQ(munmap(mem->vaddr, mem->size), 0);
		/* Whoever asks for memory next had better not get it */
		mem->vaddr = mmap(NULL, mem->size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				  -1, 0);
		VFIO_ASSERT_NE(mem->vaddr, MAP_FAILED);
		memset(mem->vaddr, 0xdd, mem->size);
		break;
	}

	return true;
}

TEST_F(noiommu_pin, pages_stay)
{
	struct dma *dma = &self->dma;
	struct bound b = {
		.iommufd = dma->iommu->iommufd,
		.ioas_id = dma->iommu->ioas_id,
	};
	const u64 page_size = getpagesize();
	const bool in_process = variant->disturbance < DISTURB_DONTNEED;
	const u64 src = 77 * page_size, dst = 123 * page_size;
	u64 now[dma->src.npages];

	if (!disturb(&dma->src, variant->disturbance))
		SKIP(return, "The kernel has no memory compaction");

	ASSERT_TRUE(pa_each_page(&b, dma->src_iova, &dma->src));

	/* What was read before must be what there is now, unless it is gone */
	if (in_process) {
		ASSERT_EQ(0, memcmp(dma->src.vaddr, dma->src_bytes,
				    dma->src.size));
		pagemap_read(dma->src.vaddr, dma->src.npages, now);
		ASSERT_EQ(0, memcmp(dma->src.phys, now, sizeof(now)));
	} else {
		pagemap_read(dma->src.vaddr, dma->src.npages, now);
		ASSERT_NE(dma->src.phys[77], now[77]);
	}

	/* The device reads what has been there all along */
	dma_copy(dma, dst, src, EDU_DMA_MAX);
	ASSERT_EQ(0, memcmp(dma->dst.vaddr, dma->dst_bytes, dma->dst.size));

	/* And writes, with bytes that are not those which it had from there */
	dma_copy_phys(dma, dma_phys(dma, dma->src_iova + src),
		      dma_phys(dma, dma->dst_iova + page_size), EDU_DMA_MAX);
	memcpy(dma->src_bytes + src, dma->dst_bytes + page_size, EDU_DMA_MAX);
	if (in_process)
		ASSERT_EQ(0, memcmp(dma->src.vaddr, dma->src_bytes,
				    dma->src.size));
	dma_copy(dma, dst, src, EDU_DMA_MAX);
	ASSERT_EQ(0, memcmp(dma->dst.vaddr, dma->dst_bytes, dma->dst.size));
}

/*
 * The end
 */

FIXTURE(noiommu_close) {
	struct mem mem;
	s64 pinned;
};

FIXTURE_SETUP(noiommu_close)
{
	self->pinned = pinned_pages_lowest();
	if (self->pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_1M));
}

FIXTURE_TEARDOWN(noiommu_close)
{
	mem_free(&self->mem);
}

static void close_setup(struct bound *b, struct mem *mem)
{
	bound_init(b, devices.bdf);
	VFIO_ASSERT_EQ(ioas_map_fixed(b->iommufd, b->ioas_id, mem->vaddr,
				      mem->size, IOVA), 0);
	VFIO_ASSERT_GT(device_attach_to(b->device_fd, b->ioas_id), 0);
}

TEST_F(noiommu_close, pins_follow_state)
{
	struct mem *mem = &self->mem;
	struct bound b;

	bound_init(&b, devices.bdf);
	ASSERT_EQ(0, ioas_map_fixed(b.iommufd, b.ioas_id, mem->vaddr, mem->size,
				    IOVA));
	ASSERT_PINNED(self->pinned);

	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	ASSERT_PINNED(self->pinned + mem->npages);
	ASSERT_EQ(0, device_detach(b.device_fd));
	ASSERT_PINNED(self->pinned);

	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	ASSERT_PINNED(self->pinned + mem->npages);
	ASSERT_EQ(0, ioas_unmap(b.iommufd, b.ioas_id, IOVA, mem->size));
	ASSERT_PINNED(self->pinned);

	bound_cleanup(&b);
}

TEST_F(noiommu_close, device_first)
{
	struct bound b;

	close_setup(&b, &self->mem);
	ASSERT_PINNED(self->pinned + self->mem.npages);

	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_PINNED(self->pinned);
	ASSERT_EQ(-EOPNOTSUPP, lookup(&b, IOVA, 0));

	/* The iommufd can have it back */
	b.device_fd = device_open(devices.bdf);
	ASSERT_EQ(0, device_bind(b.device_fd, b.iommufd, NULL));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(&b, IOVA, &self->mem));

	bound_cleanup(&b);
	ASSERT_PINNED(self->pinned);
}

TEST_F(noiommu_close, iommufd_first)
{
	struct bound b;

	close_setup(&b, &self->mem);

	/* The device is still attached and may do DMA */
	ASSERT_EQ(0, close(b.iommufd));
	ASSERT_PINNED(self->pinned + self->mem.npages);
	ASSERT_EQ(0, device_get_info(b.device_fd, NULL));

	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_PINNED(self->pinned);

	close_setup(&b, &self->mem);
	bound_cleanup(&b);
}

TEST_F(noiommu_close, dma_after_iommufd)
{
	u64 src_phys, dst_phys;
	struct dma dma = {};

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");

	ASSERT_TRUE(dma_init(&dma, devices.edu_bdf, MEM_SCATTERED, SZ_64K));
	src_phys = dma_phys(&dma, dma.src_iova + 9 * getpagesize());
	dst_phys = dma_phys(&dma, dma.dst_iova + 4 * getpagesize());

	iommu_cleanup(dma.iommu);
	dma.iommu = NULL;

	dma_copy_phys(&dma, dst_phys, src_phys, EDU_DMA_MAX);
	memcpy(dma.dst_bytes + 4 * getpagesize(),
	       dma.src_bytes + 9 * getpagesize(), EDU_DMA_MAX);
	ASSERT_EQ(0, memcmp(dma.dst.vaddr, dma.dst_bytes, dma.dst.size));

	/* It must not go on once the memory is no longer pinned */
	ASSERT_TRUE(pci_command(devices.edu_bdf) & PCI_COMMAND_MASTER);
	dma_cleanup(&dma);
	ASSERT_FALSE(pci_command(devices.edu_bdf) & PCI_COMMAND_MASTER);
	ASSERT_PINNED(self->pinned);
}

TEST_F(noiommu_close, killed)
{
	struct vfio_pci_device *device;
	struct iommu *iommu;
	struct bound b;
	int pipefd[2];
	int status, fd;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(pipefd));

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		iommu = iommu_init(MODE_NOIOMMU);
		device = vfio_pci_device_init(devices.bdf, iommu);
		mem_map(&self->mem, iommu->iommufd, iommu->ioas_id, MAP_RW);
		vfio_pci_config_writew(device, PCI_COMMAND,
				       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		VFIO_ASSERT_EQ(write(pipefd[1], "", 1), 1);
		for (;;)
			pause();
	}

	/* Hang up if the child does */
	ASSERT_EQ(0, close(pipefd[1]));
	ASSERT_EQ(1, read(pipefd[0], &c, 1));
	ASSERT_EQ(0, close(pipefd[0]));
	ASSERT_LT(self->pinned, pinned_pages());
	ASSERT_TRUE(pci_command(devices.bdf) & PCI_COMMAND_MASTER);

	fd = device_open(devices.bdf);
	b.iommufd = iommufd_open();
	ASSERT_EQ(-EINVAL, device_bind(fd, b.iommufd, NULL));
	ASSERT_EQ(0, close(b.iommufd));
	ASSERT_EQ(0, close(fd));

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));

	ASSERT_PINNED(self->pinned);
	ASSERT_FALSE(pci_command(devices.bdf) & PCI_COMMAND_MASTER);

	close_setup(&b, &self->mem);
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(&b, IOVA, &self->mem));
	bound_cleanup(&b);
	ASSERT_PINNED(self->pinned);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
