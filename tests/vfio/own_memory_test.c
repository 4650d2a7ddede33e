// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO device without an IOMMU that uses memory which is in no IOAS, by addresses that
 * the program knows from elsewhere; and memory without struct pages, which cannot be
 * mapped in one: the BAR of a device.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <linux/io.h>
#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "dma.h"
#include "edu.h"
#include "mem.h"
#include "utils.h"

#define IOVA			SZ_4G

static struct noiommu_devices devices;

static void *edu_map(const struct bound *b)
{
	return bar_map(b->device_fd, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/*
 * The IOAS is empty
 */

FIXTURE(own_memory) {
	struct bound b;
	struct mem mem;
	void *bar;
	s64 pinned;
};

FIXTURE_VARIANT(own_memory) {
	bool attached;
	enum mem_kind kind;
};

FIXTURE_VARIANT_ADD(own_memory, empty_ioas) {
	.attached = true,
	.kind = MEM_SCATTERED,
};

FIXTURE_VARIANT_ADD(own_memory, empty_ioas_hugetlb) {
	.attached = true,
	.kind = MEM_HUGETLB,
};

FIXTURE_VARIANT_ADD(own_memory, not_attached) {
	.kind = MEM_SCATTERED,
};

FIXTURE_SETUP(own_memory)
{
	struct bound *b = &self->b;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");
	if (!mem_alloc(&self->mem, variant->kind, SZ_2M))
		SKIP(return, "Not enough of this memory");

	ASSERT_EQ(0, mlock(self->mem.vaddr, self->mem.size));
	mem_fill(self->mem.vaddr, self->mem.size, SRC_SEED);
	mem_read_pagemap(&self->mem);
	self->pinned = pinned_pages();

	bound_init(b, devices.edu_bdf);
	if (variant->attached)
		ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	self->bar = edu_map(b);
}

FIXTURE_TEARDOWN(own_memory)
{
	ASSERT_EQ(0, munmap(self->bar, getpagesize()));
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

TEST_F(own_memory, dma)
{
	ASSERT_TRUE(edu_copies(self->bar, &self->mem, &self->mem, 16));
}

/* Nobody but the program knows of the memory */
TEST_F(own_memory, unknown)
{
	const struct mem *mem = &self->mem;
	const u64 iovas[] = { 0, (uintptr_t)mem->vaddr, mem->phys[0], mem->phys[1] };
	struct iommu_pa_extent extent;
	struct bound *b = &self->b;
	u64 length, phys;
	u32 i, nr;

	ASSERT_TRUE(edu_copies(self->bar, &self->mem, &self->mem, 2));
	for (i = 0; i < ARRAY_SIZE(iovas); i++) {
		ASSERT_EQ(-ENOENT, lookup(b, iovas[i], 1));
		ASSERT_EQ(-ENOENT, lookup(b, iovas[i], 0));
		length = SZ_1M;
		nr = 1;
		ASSERT_EQ(-ENOENT, ioas_get_extents(b->iommufd, b->ioas_id,
						    iovas[i], &length, &phys,
						    &extent, &nr));
	}
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned);
}

/* Beside memory that is mapped, to which nothing of that applies */
TEST_F(own_memory, beside_mapped)
{
	struct bound *b = &self->b;
	struct mem mem;

	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	mem_fill(mem.vaddr, mem.size, DST_SEED);
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, mem.vaddr, mem.size,
				    IOVA));
	if (!variant->attached)
		ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	mem_read_pagemap(&mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &mem));

	ASSERT_TRUE(edu_copies(self->bar, &mem, &self->mem, 4));
	ASSERT_TRUE(edu_copies(self->bar, &self->mem, &mem, 4));
	ASSERT_EQ(-ENOENT, lookup(b, (uintptr_t)self->mem.vaddr, 1));

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, mem.size));
	mem_free(&mem);
}

/*
 * VM_PFNMAP
 */

FIXTURE(pfnmap) {
	struct bound b;
	void *bar;
	s64 pinned;
};

FIXTURE_SETUP(pfnmap)
{
	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");

	self->pinned = pinned_pages();
	bound_init(&self->b, devices.edu_bdf);
	self->bar = edu_map(&self->b);
	/* It is there, also in the page table of the process */
	ASSERT_EQ(0xed, readl(self->bar) & 0xff);
}

FIXTURE_TEARDOWN(pfnmap)
{
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned);
	ASSERT_EQ(0, munmap(self->bar, getpagesize()));
	bound_cleanup(&self->b);
}

TEST_F(pfnmap, map_attached)
{
	struct bound *b = &self->b;
	u64 iova = 0;

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(-EFAULT, ioas_map_fixed(b->iommufd, b->ioas_id, self->bar,
					  getpagesize(), IOVA));
	ASSERT_EQ(-EFAULT, ioas_map(b->iommufd, b->ioas_id, self->bar,
				    getpagesize(), MAP_RW, &iova));
	ASSERT_EQ(-EFAULT, ioas_map(b->iommufd, b->ioas_id, self->bar,
				    getpagesize(), IOMMU_IOAS_MAP_READABLE, &iova));

	/* Nothing of it is left */
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 1));
	ASSERT_EQ(-ENOENT, ioas_unmap(b->iommufd, b->ioas_id, IOVA,
				      getpagesize()));
}

/* What is not pinned yet is not looked at, and attaching fails for it */
TEST_F(pfnmap, attach_mapped)
{
	struct bound *b = &self->b;

	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, self->bar,
				    getpagesize(), IOVA));
	ASSERT_EQ(-EFAULT, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 1));

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, getpagesize()));
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 1));
}

/* Memory that would be pinned, with a BAR in the middle: all or nothing */
TEST_F(pfnmap, among_memory)
{
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;
	struct mem mem;
	void *vaddr;

	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	vaddr = mremap(self->bar, page_size, page_size,
		       MREMAP_MAYMOVE | MREMAP_FIXED, mem.vaddr + 5 * page_size);
	ASSERT_EQ(mem.vaddr + 5 * page_size, vaddr);
	ASSERT_EQ(0xed, readl(vaddr) & 0xff);

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(-EFAULT, ioas_map_fixed(b->iommufd, b->ioas_id, mem.vaddr,
					  mem.size, IOVA));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 1));
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned);

	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, mem.vaddr,
				    5 * page_size, IOVA));
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, 5 * page_size));
	self->bar = mremap(vaddr, page_size, page_size, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, self->bar);
	mem_free(&mem);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
