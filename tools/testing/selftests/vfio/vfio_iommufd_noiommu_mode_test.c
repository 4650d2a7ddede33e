// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module parameter enable_unsafe_noiommu_mode, and the two ways to a device.
 *
 * The parameter says what becomes of devices that are bound to VFIO from then
 * on. It can be turned off at any time, and what has been a device without an
 * IOMMU since it was bound has to stay one: while it waits to be opened, while
 * it is open, and when it is unbound.
 *
 * The other way to the device is its group, where the kernel has a container. It
 * gives no addresses, but who has always used it can go on doing so. One of the
 * two at a time.
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

#include "noiommu_devices.h"
#include "noiommu_dma.h"
#include "noiommu_driver.h"
#include "noiommu_host.h"
#include "noiommu_mem.h"
#include "noiommu_utils.h"

#define IOVA			SZ_4G

static struct noiommu_devices devices;

static bool is_noiommu(const char *bdf)
{
	return device_has_vfio(bdf) && vfio_pci_has_noiommu_cdev(bdf);
}

FIXTURE(mode_off) {
	struct mem mem;
	s64 pinned;
};

FIXTURE_SETUP(mode_off)
{
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_64K));
	self->pinned = pinned_pages_lowest();
}

FIXTURE_TEARDOWN(mode_off)
{
	noiommu_mode_set(true);
	if (!device_has_vfio(devices.bdf))
		ASSERT_EQ(0, device_bind_vfio(devices.bdf));
	mem_free(&self->mem);
}

/* Everything that a user does, from the start */
static bool device_works(struct mem *mem)
{
	struct bound b;
	bool ret;

	bound_init(&b, devices.bdf);
	VFIO_ASSERT_EQ(ioas_map_fixed(b.iommufd, b.ioas_id, mem->vaddr,
				      mem->size, IOVA), 0);
	VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
	mem_read_pagemap(mem);
	ret = pa_each_page(&b, IOVA, mem);
	VFIO_ASSERT_EQ(device_detach(b.device_fd), 0);
	VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
	bound_cleanup(&b);

	return ret;
}

TEST_F(mode_off, before_open)
{
	noiommu_mode_set(false);
	ASSERT_TRUE(is_noiommu(devices.bdf));
	ASSERT_TRUE(device_works(&self->mem));
	ASSERT_TRUE(device_works(&self->mem));

	/* It still takes the capability */
	cap_sys_rawio_set(false);
	ASSERT_EQ(-1, open(devices.cdev_path, O_RDWR));
	ASSERT_EQ(EPERM, errno);
	cap_sys_rawio_set(true);
}

TEST_F(mode_off, before_bind)
{
	struct bound b;

	b.device_fd = device_open(devices.bdf);
	b.iommufd = iommufd_open();
	noiommu_mode_set(false);
	ASSERT_EQ(0, device_bind(b.device_fd, b.iommufd, &b.dev_id));
	b.ioas_id = ioas_alloc(b.iommufd);
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	bound_cleanup(&b);
}

TEST_F(mode_off, while_attached)
{
	struct mem *mem = &self->mem;
	struct bound b;

	bound_init(&b, devices.bdf);
	ASSERT_EQ(0, ioas_map_fixed(b.iommufd, b.ioas_id, mem->vaddr, mem->size,
				    IOVA));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	mem_read_pagemap(mem);

	noiommu_mode_set(false);
	ASSERT_TRUE(pa_each_page(&b, IOVA, mem));
	ASSERT_EQ(0, device_detach(b.device_fd));
	ASSERT_EQ(-EOPNOTSUPP, lookup(&b, IOVA, 0));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	ASSERT_TRUE(pa_each_page(&b, IOVA, mem));

	bound_cleanup(&b);
	ASSERT_PINNED(self->pinned);
	ASSERT_TRUE(device_works(mem));
}

TEST_F(mode_off, while_dma)
{
	const u64 page_size = getpagesize();
	struct dma dma;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");

	ASSERT_TRUE(dma_init(&dma, devices.edu_bdf, MEM_SCATTERED, SZ_64K));
	noiommu_mode_set(false);
	dma_copy(&dma, 2 * page_size, 5 * page_size, EDU_DMA_MAX);
	ASSERT_EQ(0, memcmp(dma.dst.vaddr, dma.dst_bytes, dma.dst.size));
	dma_cleanup(&dma);
}

TEST_F(mode_off, before_unbind)
{
	noiommu_mode_set(false);
	ASSERT_EQ(0, device_unbind(devices.bdf));
	ASSERT_FALSE(device_has_vfio(devices.bdf));
	ASSERT_FALSE(device_has_sysfs(devices.bdf, "iommu_group"));

	/* Now the device may no longer be used so */
	ASSERT_EQ(-EINVAL, device_bind_vfio(devices.bdf));
	ASSERT_FALSE(device_has_vfio(devices.bdf));
	ASSERT_FALSE(device_has_sysfs(devices.bdf, "iommu_group"));
	ASSERT_FALSE(device_has_sysfs(devices.bdf, "driver"));

	/* And may again */
	noiommu_mode_set(true);
	ASSERT_EQ(0, device_bind_vfio(devices.bdf));
	ASSERT_TRUE(is_noiommu(devices.bdf));
	ASSERT_TRUE(device_works(&self->mem));
}

/* The mode of one does not become that of the next */
TEST_F(mode_off, again_and_again)
{
	int i;

	for (i = 0; i < 5; i++) {
		noiommu_mode_set(false);
		ASSERT_EQ(0, device_unbind(devices.bdf));
		noiommu_mode_set(true);
		ASSERT_EQ(0, device_bind_vfio(devices.bdf));
		noiommu_mode_set(false);
		ASSERT_TRUE(device_works(&self->mem));
	}
}

/*
 * The group
 */

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

static void group_close(struct group_data *g)
{
	VFIO_ASSERT_EQ(close(g->fd), 0);
	VFIO_ASSERT_EQ(close(g->group), 0);
	VFIO_ASSERT_EQ(close(g->container), 0);
	g->container = open("/dev/vfio/vfio", O_RDWR);
	VFIO_ASSERT_GE(g->container, 0);
	g->group = -1;
	g->fd = -1;
}

static void edu_run(void *bar, u64 src, u64 dst, u64 count, u64 flags)
{
	int ms;

	writeq(src, bar + EDU_DMA_SRC);
	writeq(dst, bar + EDU_DMA_DST);
	writeq(count, bar + EDU_DMA_COUNT);
	writeq(EDU_DMA_RUN | flags, bar + EDU_DMA_CMD);

	for (ms = 0; readq(bar + EDU_DMA_CMD) & EDU_DMA_RUN; ms++) {
		VFIO_ASSERT_LT(ms, 10000);
		usleep(1000);
	}
}

/* Addresses from pagemap, and memory that had better stay where it is */
TEST_F(group, dma)
{
	const u64 page_size = getpagesize();
	u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct mem mem;
	void *vaddr;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");

	self->g.fd = group_open(&self->g);
	ASSERT_LE(0, self->g.fd);
	ASSERT_EQ(0, ioctl_errno(self->g.fd, VFIO_DEVICE_GET_REGION_INFO, &config));
	ASSERT_EQ(0, ioctl_errno(self->g.fd, VFIO_DEVICE_GET_REGION_INFO, &bar));
	ASSERT_EQ(sizeof(command), pwrite(self->g.fd, &command, sizeof(command),
					  config.offset + PCI_COMMAND));
	vaddr = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     self->g.fd, bar.offset);
	ASSERT_NE(MAP_FAILED, vaddr);

	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, mlock(mem.vaddr, mem.size));
	mem_fill(mem.vaddr, mem.size, SRC_SEED);
	mem_read_pagemap(&mem);

	/* Half of the way with the mode turned over */
	edu_run(vaddr, mem.phys[3], EDU_BUF, EDU_DMA_MAX, 0);
	noiommu_mode_set(!variant->mode);
	edu_run(vaddr, EDU_BUF, mem.phys[9], EDU_DMA_MAX, EDU_DMA_TO_RAM);
	ASSERT_EQ(0, memcmp(mem.vaddr + 3 * page_size, mem.vaddr + 9 * page_size,
			    EDU_DMA_MAX));
	ASSERT_NE(0, memcmp(mem.vaddr + 2 * page_size, mem.vaddr + 9 * page_size,
			    EDU_DMA_MAX));

	ASSERT_EQ(0, munmap(vaddr, bar.size));
	mem_free(&mem);
}

TEST_F(group, excludes_cdev)
{
	struct bound b = {
		.device_fd = device_open(group_bdf()),
		.iommufd = iommufd_open(),
	};

	/* Through the group, even if it is only the group that is open */
	self->g.group = open(self->g.path, O_RDWR);
	ASSERT_LE(0, self->g.group);
	ASSERT_EQ(-EBUSY, device_bind(b.device_fd, b.iommufd, NULL));
	ASSERT_EQ(0, close(self->g.group));

	self->g.fd = group_open(&self->g);
	ASSERT_LE(0, self->g.fd);
	ASSERT_EQ(-EBUSY, device_bind(b.device_fd, b.iommufd, NULL));
	ASSERT_EQ(0, device_get_info(self->g.fd, NULL));
	group_close(&self->g);

	/* Through the cdev */
	ASSERT_EQ(0, device_bind(b.device_fd, b.iommufd, NULL));
	ASSERT_EQ(-1, open(self->g.path, O_RDWR));
	ASSERT_EQ(EBUSY, errno);
	ASSERT_EQ(0, device_get_info(b.device_fd, NULL));
	ASSERT_EQ(0, close(b.device_fd));

	/* And through the group again */
	self->g.fd = group_open(&self->g);
	ASSERT_LE(0, self->g.fd);
	ASSERT_EQ(0, device_get_info(self->g.fd, NULL));
	ASSERT_EQ(0, close(b.iommufd));
}

TEST_F(group, needs_capability)
{
	cap_sys_rawio_set(false);
	self->g.group = open(self->g.path, O_RDWR);
	ASSERT_EQ(EPERM, errno);
	cap_sys_rawio_set(true);
	ASSERT_EQ(-1, self->g.group);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
