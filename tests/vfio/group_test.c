// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA through the group of a device without an IOMMU, which gives no addresses: those
 * of pagemap do, as ever, while the mode is turned on and off.
 */
#include <errno.h>
#include <fcntl.h>
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

struct group_data {
	char path[PATH_MAX];
	int container;
	int group;
	int fd;
};

FIXTURE(group) {
	struct group_data g;
};

FIXTURE_VARIANT(group) {
	bool mode;
};

FIXTURE_VARIANT_ADD(group, mode_on) {
	.mode = true,
};

FIXTURE_VARIANT_ADD(group, mode_off) {
	.mode = false,
};

static const char *group_bdf(void)
{
	return devices.edu_bdf ?: devices.bdf;
}

FIXTURE_SETUP(group)
{
	self->g.container = open("/dev/vfio/vfio", O_RDWR);
	if (self->g.container < 0) {
		/* Nothing could be done with a group, so there is none */
		ASSERT_FALSE(device_has_sysfs(group_bdf(), "iommu_group"));
		SKIP(return, "The kernel has no container");
	}
	ASSERT_TRUE(device_has_sysfs(group_bdf(), "iommu_group"));

	snprintf_assert(self->g.path, sizeof(self->g.path), "/dev/vfio/noiommu-%d",
			sysfs_iommu_group_get(group_bdf()));
	noiommu_mode_set(variant->mode);
	self->g.group = -1;
	self->g.fd = -1;
}

FIXTURE_TEARDOWN(group)
{
	if (self->g.fd >= 0)
		ASSERT_EQ(0, close(self->g.fd));
	if (self->g.group >= 0)
		ASSERT_EQ(0, close(self->g.group));
	ASSERT_EQ(0, close(self->g.container));
	noiommu_mode_set(true);
}

static int group_open(struct group_data *g)
{
	struct vfio_group_status status = {
		.argsz = sizeof(status),
	};
	unsigned long type = VFIO_NOIOMMU_IOMMU;
	int ret;

	g->group = open(g->path, O_RDWR);
	VFIO_ASSERT_GE(g->group, 0);
	ioctl_assert(g->group, VFIO_GROUP_GET_STATUS, &status);
	VFIO_ASSERT_TRUE(status.flags & VFIO_GROUP_FLAGS_VIABLE);
	ioctl_assert(g->group, VFIO_GROUP_SET_CONTAINER, &g->container);

	ret = ioctl(g->container, VFIO_CHECK_EXTENSION, type);
	VFIO_ASSERT_EQ(ret, 1);
	ret = ioctl(g->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU);
	VFIO_ASSERT_EQ(ret, 0);
	ret = ioctl(g->container, VFIO_SET_IOMMU, type);
	VFIO_ASSERT_EQ(ret, 0);

	return ioctl(g->group, VFIO_GROUP_GET_DEVICE_FD, group_bdf());
}

/* Addresses from pagemap, and memory that had better stay where it is */
TEST_F(group, dma)
{
	const u64 page_size = getpagesize();
	struct mem mem;
	void *vaddr;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");

	self->g.fd = group_open(&self->g);
	ASSERT_LE(0, self->g.fd);
	vaddr = bar_map(self->g.fd, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, mlock(mem.vaddr, mem.size));
	mem_fill(mem.vaddr, mem.size, SRC_SEED);
	mem_read_pagemap(&mem);

	/* Half of the way with the mode turned over */
	edu_start(vaddr, mem.phys[3], EDU_BUF, EDU_DMA_MAX, 0);
	edu_wait(vaddr);
	noiommu_mode_set(!variant->mode);
	edu_start(vaddr, EDU_BUF, mem.phys[9], EDU_DMA_MAX, EDU_DMA_TO_RAM);
	edu_wait(vaddr);
	ASSERT_EQ(0, memcmp(mem.vaddr + 3 * page_size, mem.vaddr + 9 * page_size,
			    EDU_DMA_MAX));
	ASSERT_NE(0, memcmp(mem.vaddr + 2 * page_size, mem.vaddr + 9 * page_size,
			    EDU_DMA_MAX));

	ASSERT_EQ(0, munmap(vaddr, page_size));
	mem_free(&mem);
}

static void restore(void)
{
	noiommu_mode_set(true);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	restore_afterwards(restore);
	return test_harness_run(argc, argv);
}
