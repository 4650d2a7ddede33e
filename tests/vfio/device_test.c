// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO devices without an IOMMU, in iommufd: HWPTs, arguments, IOVAs, memory of all
 * kinds, and interrupts, on a real device.
 *
 * What they are for is that userspace gets the physical address of memory that
 * stays where it is, and gives it to a device. So every address that
 * IOMMU_IOAS_GET_PA returns here is compared with /proc/self/pagemap, and the
 * DMA engine of QEMU's edu has to find the right bytes at it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

/* Where the tests map that have no reason to map elsewhere */
#define IOVA			SZ_4G

static struct noiommu_devices devices;

/* Numbers and layout, under both of their names */
TEST(uapi)
{
	ASSERT_EQ(0x95, (int)IOMMUFD_CMD_IOAS_GET_PA);
	ASSERT_EQ(0x95, (int)IOMMUFD_CMD_IOAS_NOIOMMU_GET_PA);
	ASSERT_EQ(_IO(';', 0x95), IOMMU_IOAS_GET_PA);
	ASSERT_EQ(_IO(';', 0x95), IOMMU_IOAS_NOIOMMU_GET_PA);

	ASSERT_EQ(GET_PA_EXTENTS_SIZE, sizeof(struct iommu_ioas_get_pa));
	ASSERT_EQ(sizeof(struct iommu_ioas_get_pa),
		  sizeof(struct iommu_ioas_noiommu_get_pa));
	ASSERT_EQ(0, offsetof(struct iommu_ioas_get_pa, size));
	ASSERT_EQ(4, offsetof(struct iommu_ioas_get_pa, flags));
	ASSERT_EQ(8, offsetof(struct iommu_ioas_get_pa, ioas_id));
	ASSERT_EQ(12, offsetof(struct iommu_ioas_get_pa, __reserved));
	ASSERT_EQ(16, offsetof(struct iommu_ioas_get_pa, iova));
	ASSERT_EQ(24, offsetof(struct iommu_ioas_get_pa, length));
	ASSERT_EQ(32, offsetof(struct iommu_ioas_get_pa, out_phys));
	ASSERT_EQ(GET_PA_SIZE, offsetof(struct iommu_ioas_get_pa, num_extents));
	ASSERT_EQ(44, offsetof(struct iommu_ioas_get_pa, dev_id));
	ASSERT_EQ(48, offsetof(struct iommu_ioas_get_pa, extents_uptr));

	ASSERT_EQ(16, sizeof(struct iommu_pa_extent));
	ASSERT_EQ(0, offsetof(struct iommu_pa_extent, phys));
	ASSERT_EQ(8, offsetof(struct iommu_pa_extent, length));
}

/* The driver of the selftests takes no edu that might do DMA to memory of others */
TEST(masked_edu)
{
	struct iommu *iommu = iommu_init(MODE_NOIOMMU);
	struct vfio_pci_device *device;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");
	device = vfio_pci_device_init(devices.edu_bdf, iommu);
	ASSERT_NE(NULL, device->driver.ops);
	vfio_pci_device_cleanup(device);

	ASSERT_EQ(0, unsetenv(EDU_UNMASKED));
	device = vfio_pci_device_init(devices.edu_bdf, iommu);
	ASSERT_EQ(NULL, device->driver.ops);
	vfio_pci_device_cleanup(device);
	iommu_cleanup(iommu);
}

/*
 * The device node, and binding it
 */

FIXTURE(noiommu_cdev) {
	int fd;
	int iommufd;
};

FIXTURE_SETUP(noiommu_cdev)
{
	self->fd = device_open(devices.bdf);
	self->iommufd = iommufd_open();
}

FIXTURE_TEARDOWN(noiommu_cdev)
{
	ASSERT_EQ(0, close(self->fd));
	ASSERT_EQ(0, close(self->iommufd));
}

TEST_F(noiommu_cdev, bind)
{
	u32 dev_id = 0;
	struct vfio_device_info info = {
		.argsz = sizeof(info),
	};

	ASSERT_EQ(0, device_bind(self->fd, self->iommufd, &dev_id));
	ASSERT_NE(0, dev_id);

	ASSERT_EQ(0, ioctl_errno(self->fd, VFIO_DEVICE_GET_INFO, &info));
	ASSERT_TRUE(info.flags & VFIO_DEVICE_FLAGS_PCI);
}

TEST_F(noiommu_cdev, bind_bad_iommufd)
{
	int fd;

	fd = open("/dev/null", O_RDWR);
	ASSERT_LE(0, fd);

	ASSERT_EQ(-EINVAL, device_bind(self->fd, -1, NULL));
	ASSERT_EQ(-EBADFD, device_bind(self->fd, fd, NULL));
	ASSERT_EQ(-EBADFD, device_bind(self->fd, self->fd, NULL));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(-EBADF, device_bind(self->fd, fd, NULL));

	/* Nothing of it sticks */
	ASSERT_EQ(-EINVAL, device_get_info(self->fd));
	ASSERT_EQ(0, device_bind(self->fd, self->iommufd, NULL));
	ASSERT_EQ(0, device_get_info(self->fd));
}

TEST_F(noiommu_cdev, bind_bad_arguments)
{
	struct vfio_device_bind_iommufd args = {
		.iommufd = self->iommufd,
	};

	args.argsz = offsetof(struct vfio_device_bind_iommufd, out_devid);
	ASSERT_EQ(-EINVAL, ioctl_errno(self->fd, VFIO_DEVICE_BIND_IOMMUFD,
				       &args));

	args.argsz = sizeof(args);
	args.flags = 1U << 31;
	ASSERT_EQ(-EINVAL, ioctl_errno(self->fd, VFIO_DEVICE_BIND_IOMMUFD,
				       &args));

	args.flags = 0;
	ASSERT_EQ(0, ioctl_errno(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &args));
}

/*
 * Attaching a bound device, and what it cannot be attached to
 */

FIXTURE(noiommu_attach) {
	struct bound b;
	struct mem mem;
};

FIXTURE_SETUP(noiommu_attach)
{
	bound_init(&self->b, devices.bdf);
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(self->b.iommufd, self->b.ioas_id,
				    self->mem.vaddr, self->mem.size, IOVA));
}

FIXTURE_TEARDOWN(noiommu_attach)
{
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

TEST_F(noiommu_attach, attach_detach)
{
	struct bound *b = &self->b;
	s64 hwpt_id;

	/* Nothing to detach is no error */
	ASSERT_EQ(0, device_detach(b->device_fd));

	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	ASSERT_NE(b->ioas_id, hwpt_id);

	/* Attaching to the same IOAS finds the same HWPT */
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, b->ioas_id));

	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_EQ(0, device_detach(b->device_fd));

	/* The HWPT came with the attach and went with the detach */
	ASSERT_EQ(-ENOENT, object_destroy(b->iommufd, hwpt_id));

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
}

TEST_F(noiommu_attach, attach_bad_arguments)
{
	struct vfio_device_attach_iommufd_pt args = {
		.argsz = sizeof(args),
		.flags = 1U << 31,
		.pt_id = self->b.ioas_id,
	};
	struct bound *b = &self->b;

	ASSERT_EQ(-ENOENT, device_attach_to(b->device_fd, UINT32_MAX));
	ASSERT_EQ(-ENOENT, device_attach_to(b->device_fd, 0));
	/* It is there, but is nothing to attach to */
	ASSERT_EQ(-EINVAL, device_attach_to(b->device_fd, b->dev_id));

	ASSERT_EQ(-EINVAL, ioctl_errno(b->device_fd,
				       VFIO_DEVICE_ATTACH_IOMMUFD_PT, &args));

	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
}

TEST_F(noiommu_attach, failed_replace_changes_nothing)
{
	struct bound *b = &self->b;

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	mem_read_pagemap(&self->mem);

	ASSERT_EQ(-ENOENT, device_attach_to(b->device_fd, UINT32_MAX));
	ASSERT_EQ(-EINVAL, device_attach_to(b->device_fd, b->dev_id));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
}

TEST_F(noiommu_attach, replace_ioas)
{
	struct bound *b = &self->b;
	struct bound other = *b;
	struct mem mem;
	s64 hwpt_id, hwpt2_id;
	int i;

	other.ioas_id = ioas_alloc(b->iommufd);
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, other.ioas_id, mem.vaddr,
				    mem.size, IOVA));

	/* Back and forth: the same IOVA, another page */
	for (i = 0; i < 3; i++) {
		hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
		ASSERT_LT(0, hwpt_id);
		mem_read_pagemap(&self->mem);
		ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
		ASSERT_EQ(-EOPNOTSUPP, lookup(&other, IOVA, 0));

		hwpt2_id = device_attach_to(b->device_fd, other.ioas_id);
		ASSERT_LT(0, hwpt2_id);
		ASSERT_NE(hwpt_id, hwpt2_id);
		mem_read_pagemap(&mem);
		ASSERT_TRUE(pa_each_page(&other, IOVA, &mem));
		ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
	}

	ASSERT_EQ(0, device_detach(b->device_fd));
	mem_free(&mem);
}

TEST_F(noiommu_attach, ioas_in_use)
{
	struct bound *b = &self->b;

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(-EBUSY, object_destroy(b->iommufd, b->ioas_id));
	ASSERT_EQ(-EBUSY, object_destroy(b->iommufd, b->dev_id));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));

	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_EQ(0, object_destroy(b->iommufd, b->ioas_id));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 0));
}

TEST_F(noiommu_attach, hwpt)
{
	struct bound *b = &self->b;
	u32 hwpt_id, hwpt2_id;
	s64 auto_hwpt_id;

	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt_id));
	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt2_id));
	ASSERT_NE(hwpt_id, hwpt2_id);

	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, hwpt_id));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_EQ(-EBUSY, object_destroy(b->iommufd, hwpt_id));

	ASSERT_EQ(hwpt2_id, device_attach_to(b->device_fd, hwpt2_id));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_EQ(-EBUSY, object_destroy(b->iommufd, hwpt2_id));
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt_id));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));

	/* A HWPT of one's own is never chosen for an attach to the IOAS */
	auto_hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, auto_hwpt_id);
	ASSERT_NE(hwpt2_id, auto_hwpt_id);
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt2_id));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
}

/* An address is good as long as there is a HWPT, attached or not */
TEST_F(noiommu_attach, hwpt_keeps_addresses)
{
	struct bound *b = &self->b;
	u32 hwpt_id;

	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt_id));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));

	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, hwpt_id));
	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));

	ASSERT_EQ(-EBUSY, object_destroy(b->iommufd, b->ioas_id));
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt_id));
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
	ASSERT_EQ(0, object_destroy(b->iommufd, b->ioas_id));
}

TEST_F(noiommu_attach, hwpt_alloc_bad_arguments)
{
	struct iommu_hwpt_alloc args = {
		.size = sizeof(args),
		.dev_id = self->b.dev_id,
		.pt_id = self->b.ioas_id,
		.__reserved = 1,
	};
	struct bound *b = &self->b;
	u32 hwpt_id;

	ASSERT_EQ(-ENOENT, hwpt_alloc(b->iommufd, UINT32_MAX, b->ioas_id, 0,
				      &hwpt_id));
	ASSERT_EQ(-ENOENT, hwpt_alloc(b->iommufd, b->ioas_id, b->ioas_id, 0,
				      &hwpt_id));
	ASSERT_EQ(-EINVAL, hwpt_alloc(b->iommufd, b->dev_id, UINT32_MAX, 0,
				      &hwpt_id));
	ASSERT_EQ(-EINVAL, hwpt_alloc(b->iommufd, b->dev_id, b->dev_id, 0,
				      &hwpt_id));
	ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd, IOMMU_HWPT_ALLOC,
					   &args));
}

/* As from an IOMMU driver that knows domain_alloc_paging() and no more */
TEST_F(noiommu_attach, hwpt_alloc_features)
{
	struct iommu_hwpt_alloc args = {
		.size = sizeof(args),
		.dev_id = self->b.dev_id,
		.pt_id = self->b.ioas_id,
	};
	struct bound *b = &self->b;
	struct iommu_hwpt_vtd_s1 data = {};
	u32 hwpt_id, type;
	int bit;

	/*
	 * NEST_PARENT, DIRTY_TRACKING, FAULT_ID_VALID, ALLOC_PASID, and those
	 * to come
	 */
	for (bit = 0; bit < 32; bit++) {
		args.flags = 1U << bit;
		ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd, IOMMU_HWPT_ALLOC,
						   &args))
			TH_LOG("Flag %#x", args.flags);
	}
	args.flags = 0;

	args.data_len = sizeof(data);
	args.data_uptr = (uintptr_t)&data;
	ASSERT_EQ(-EINVAL, ioctl_errno(b->iommufd, IOMMU_HWPT_ALLOC, &args));
	for (type = IOMMU_HWPT_DATA_VTD_S1; type < 16; type++) {
		args.data_type = type;
		ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd, IOMMU_HWPT_ALLOC,
						   &args))
			TH_LOG("Type %u", type);
	}

	/* Nested */
	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt_id));
	args.pt_id = hwpt_id;
	args.data_type = IOMMU_HWPT_DATA_VTD_S1;
	ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd, IOMMU_HWPT_ALLOC,
					   &args));
	args.data_type = IOMMU_HWPT_DATA_NONE;
	args.data_len = 0;
	ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd, IOMMU_HWPT_ALLOC,
					   &args));

	/* No failure has left anything behind that holds the HWPT or the IOAS */
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt_id));
	ASSERT_EQ(0, object_destroy(b->iommufd, b->ioas_id));
}

TEST_F(noiommu_attach, dirty_tracking)
{
	u64 bitmap[8] = {};
	struct iommu_hwpt_set_dirty_tracking set = {
		.size = sizeof(set),
		.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
	};
	struct iommu_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.iova = IOVA,
		.length = self->mem.size,
		.page_size = getpagesize(),
		.data = (uintptr_t)bitmap,
	};
	struct bound *b = &self->b;

	set.hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	get.hwpt_id = set.hwpt_id;

	ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd,
					   IOMMU_HWPT_SET_DIRTY_TRACKING,
					   &set));
	ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd,
					   IOMMU_HWPT_GET_DIRTY_BITMAP, &get));
}

/* Linux 6.12 has neither */
#ifdef IOMMU_IOAS_MAP_FILE

TEST_F(noiommu_attach, pasid)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.flags = VFIO_DEVICE_ATTACH_PASID,
		.pasid = 1,
	};
	struct bound *b = &self->b;
	u32 hwpt_id;

	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0,
				&hwpt_id));

	/*
	 * A HWPT for PASIDs is not to be had, and any other is incompatible,
	 * whether the device itself is attached or not.
	 */
	attach.pt_id = b->ioas_id;
	ASSERT_EQ(-EINVAL, ioctl_errno(b->device_fd,
				       VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	attach.pt_id = hwpt_id;
	ASSERT_EQ(-EINVAL, ioctl_errno(b->device_fd,
				       VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));

	attach.pt_id = b->ioas_id;
	ASSERT_EQ(-EINVAL, ioctl_errno(b->device_fd,
				       VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	attach.pt_id = hwpt_id;
	ASSERT_EQ(-EINVAL, ioctl_errno(b->device_fd,
				       VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));

	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt_id));
}

TEST_F(noiommu_attach, viommu)
{
	struct iommu_viommu_alloc viommu = {
		.size = sizeof(viommu),
		.dev_id = self->b.dev_id,
	};
	struct iommu_vdevice_alloc vdevice = {
		.size = sizeof(vdevice),
		.dev_id = self->b.dev_id,
		.viommu_id = self->b.ioas_id,
	};
	struct bound *b = &self->b;
	u32 type;

	viommu.hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	for (type = 0; type < 16; type++) {
		viommu.type = type;
		ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(b->iommufd,
						   IOMMU_VIOMMU_ALLOC, &viommu))
			TH_LOG("Type %u", type);
	}

	/* So there is none to add a vDEVICE to */
	ASSERT_EQ(-ENOENT, ioctl_errno(b->iommufd, IOMMU_VDEVICE_ALLOC,
				       &vdevice));
}

#endif

TEST_F(noiommu_attach, hw_info)
{
	u8 data[64];
	struct iommu_hw_info args = {
		.size = sizeof(args),
		.dev_id = self->b.dev_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)data,
	};

	ASSERT_EQ(-EOPNOTSUPP, ioctl_errno(self->b.iommufd, IOMMU_GET_HW_INFO,
					   &args));
}

/* There is no IOMMU that could reserve a part of the address space */
TEST_F(noiommu_attach, nothing_reserved)
{
	struct iommu_iova_range range[4];
	struct iommu_ioas_iova_ranges args = {
		.size = sizeof(args),
		.allowed_iovas = (uintptr_t)range,
	};
	struct bound *b = &self->b;
	int i;

	for (i = 0; i < 2; i++) {
		args.ioas_id = b->ioas_id;
		args.num_iovas = ARRAY_SIZE(range);
		ASSERT_EQ(0, ioctl_errno(b->iommufd, IOMMU_IOAS_IOVA_RANGES,
					 &args));
		ASSERT_EQ(1, args.num_iovas);
		ASSERT_EQ(0, range[0].start);
		ASSERT_EQ(UINT64_MAX, range[0].last);
		ASSERT_LE(args.out_iova_alignment, getpagesize());

		/* The same again with the device attached */
		if (!i)
			ASSERT_LT(0, device_attach_to(b->device_fd,
						      b->ioas_id));
	}
}

/* What the lookup says from the first mapping to the last unmapping */
TEST_F(noiommu_attach, lookup_follows_state)
{
	struct bound *b = &self->b;
	int i;

	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA + self->mem.size, 0));

	for (i = 0; i < 3; i++) {
		ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
		mem_read_pagemap(&self->mem);
		ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));

		ASSERT_EQ(0, device_detach(b->device_fd));
		ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
	}

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA,
					self->mem.size));
		ASSERT_EQ(-ENOENT, lookup(b, IOVA, 0));

		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id,
					    self->mem.vaddr, self->mem.size,
					    IOVA));
		mem_read_pagemap(&self->mem);
		ASSERT_TRUE(pa_each_page(b, IOVA, &self->mem));
	}
}

TEST_F(noiommu_attach, map_unmap_refusals)
{
	struct bound *b = &self->b;
	struct mem *mem = &self->mem;

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	mem_read_pagemap(mem);

	/* Something is there */
	ASSERT_EQ(-EEXIST, ioas_map_fixed(b->iommufd, b->ioas_id, mem->vaddr,
					  getpagesize(), IOVA));
	ASSERT_EQ(-EEXIST, ioas_map_fixed(b->iommufd, b->ioas_id, mem->vaddr,
					  mem->size, IOVA + mem->size / 2));
	/* Half a mapping cannot go */
	ASSERT_EQ(-ENOENT, ioas_unmap(b->iommufd, b->ioas_id, IOVA,
				      mem->size / 2));
	ASSERT_EQ(-ENOENT, ioas_unmap(b->iommufd, b->ioas_id,
				      IOVA + mem->size / 2, mem->size / 2));
	/* There is nothing to unmap */
	ASSERT_EQ(-ENOENT, ioas_unmap(b->iommufd, b->ioas_id, IOVA + mem->size,
				      mem->size));

	ASSERT_TRUE(pa_each_page(b, IOVA, mem));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA + mem->size, 0));
}

TEST_F(noiommu_attach, copy)
{
	struct bound *b = &self->b;
	const u64 half = self->mem.size / 2;
	struct bound copy = *b;
	u64 page;

	copy.ioas_id = ioas_alloc(b->iommufd);
	ASSERT_LT(0, device_attach_to(b->device_fd, copy.ioas_id));

	/* From an IOAS that has no HWPT to one that does, and within that */
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, copy.ioas_id, IOVA / 2,
				     b->ioas_id, IOVA, self->mem.size));
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, copy.ioas_id, IOVA * 2,
				     copy.ioas_id, IOVA / 2 + half, half));
	mem_read_pagemap(&self->mem);

	ASSERT_TRUE(pa_each_page(&copy, IOVA / 2, &self->mem));
	for (page = self->mem.npages / 2; page < self->mem.npages; page++)
		ASSERT_TRUE(pa_is(&copy, IOVA * 2 + page * getpagesize() - half,
				  0, self->mem.phys[page],
				  self->mem.run[page]));
	ASSERT_EQ(-ENOENT, lookup(&copy, IOVA * 2 + half, 0));
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));

	/* The original may go */
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, self->mem.size));
	ASSERT_TRUE(pa_each_page(&copy, IOVA / 2, &self->mem));
}

/*
 * The arguments of IOMMU_IOAS_GET_PA
 */

FIXTURE(noiommu_get_pa) {
	struct bound b;
	struct mem mem;
	u32 hwpt_id;
	union get_pa_args valid;
};

FIXTURE_SETUP(noiommu_get_pa)
{
	struct bound *b = &self->b;

	bound_init(b, devices.bdf);
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, self->mem.vaddr,
				    self->mem.size, IOVA));
	self->hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, (s32)self->hwpt_id);
	mem_read_pagemap(&self->mem);

	self->valid.args.size = GET_PA_SIZE;
	self->valid.args.ioas_id = b->ioas_id;
	self->valid.args.iova = IOVA;
	self->valid.args.length = 1;
}

FIXTURE_TEARDOWN(noiommu_get_pa)
{
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

static bool get_pa_raw_ok(int iommufd, void *buf, u64 phys)
{
	struct iommu_ioas_get_pa *args = buf;

	args->out_phys = 0;
	return !ioctl_errno(iommufd, IOMMU_IOAS_GET_PA, args) &&
		args->out_phys == phys && args->length == 1;
}

TEST_F(noiommu_get_pa, small_size)
{
	union get_pa_args a = self->valid;
	u32 size;

	for (size = 0; size < GET_PA_SIZE; size++) {
		a.args.size = size;
		ASSERT_EQ(-EINVAL, get_pa_raw(self->b.iommufd, &a));
	}

	a.args.size = GET_PA_SIZE;
	ASSERT_TRUE(get_pa_raw_ok(self->b.iommufd, &a, self->mem.phys[0]));
}

TEST_F(noiommu_get_pa, trailing_bytes)
{
	const u32 huge = SZ_1M;
	union get_pa_args a;
	u32 size, i;
	u8 *buf;

	for (size = GET_PA_SIZE; size <= sizeof(a); size++) {
		a = self->valid;
		a.args.size = size;
		ASSERT_TRUE(get_pa_raw_ok(self->b.iommufd, &a,
					  self->mem.phys[0]));
		for (i = GET_PA_SIZE; i < sizeof(a); i++)
			ASSERT_EQ(0, a.bytes[i]);
	}

	for (i = GET_PA_EXTENTS_SIZE; i < sizeof(a); i++) {
		a = self->valid;
		a.args.size = sizeof(a);
		a.bytes[i] = 0x80;
		ASSERT_EQ(-E2BIG, get_pa_raw(self->b.iommufd, &a));

		/* Not a part of the struct, so it does not matter */
		a.args.size = i;
		ASSERT_TRUE(get_pa_raw_ok(self->b.iommufd, &a,
					  self->mem.phys[0]));
		ASSERT_EQ(0x80, a.bytes[i]);
	}

	buf = calloc(1, huge);
	ASSERT_NE(NULL, buf);
	memcpy(buf, &self->valid, sizeof(self->valid));
	*(u32 *)buf = huge;
	ASSERT_TRUE(get_pa_raw_ok(self->b.iommufd, (union get_pa_args *)buf,
				  self->mem.phys[0]));
	buf[huge - 1] = 1;
	ASSERT_EQ(-E2BIG, get_pa_raw(self->b.iommufd,
				     (union get_pa_args *)buf));
	free(buf);
}

TEST_F(noiommu_get_pa, reserved)
{
	union get_pa_args a;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		a = self->valid;
		a.args.flags = 1U << bit;
		if (a.args.flags != IOMMU_IOAS_GET_PA_DEVICE)
			ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(self->b.iommufd, &a));

		a = self->valid;
		a.args.__reserved = 1U << bit;
		ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(self->b.iommufd, &a));
	}

	a = self->valid;
	ASSERT_TRUE(get_pa_raw_ok(self->b.iommufd, &a, self->mem.phys[0]));
}

TEST_F(noiommu_get_pa, bad_pointer)
{
	const long page_size = getpagesize();
	union get_pa_args *a;
	char *buf, *end;

	buf = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	end = buf + page_size;
	ASSERT_EQ(0, mprotect(end, page_size, PROT_NONE));

	ASSERT_EQ(-EFAULT, ioctl_errno(self->b.iommufd, IOMMU_IOAS_GET_PA,
				       NULL));
	ASSERT_EQ(-EFAULT, ioctl_errno(self->b.iommufd, IOMMU_IOAS_GET_PA,
				       end));

	/* It fits, and nothing is looked at that is not a part of it */
	a = (void *)(end - GET_PA_SIZE);
	memcpy(a, &self->valid, GET_PA_SIZE);
	ASSERT_TRUE(get_pa_raw_ok(self->b.iommufd, a, self->mem.phys[0]));

	/* The size can be read, the rest cannot */
	a = (void *)(end - sizeof(u32));
	memcpy(a, &self->valid, sizeof(u32));
	ASSERT_EQ(-EFAULT, ioctl_errno(self->b.iommufd, IOMMU_IOAS_GET_PA, a));

	/* Zeroes, for as long as there is memory */
	memset(buf, 0, page_size);
	a = (void *)(end - sizeof(*a));
	memcpy(a, &self->valid, sizeof(*a));
	a->args.size = UINT32_MAX;
	ASSERT_EQ(-EFAULT, ioctl_errno(self->b.iommufd, IOMMU_IOAS_GET_PA, a));
	ASSERT_EQ(0, a->args.out_phys);

	/* There is no place for the answer */
	a->args.size = GET_PA_SIZE;
	ASSERT_EQ(0, mprotect(buf, page_size, PROT_READ));
	ASSERT_EQ(-EFAULT, ioctl_errno(self->b.iommufd, IOMMU_IOAS_GET_PA, a));
	ASSERT_EQ(0, a->args.out_phys);

	ASSERT_EQ(0, munmap(buf, 2 * page_size));
}

TEST_F(noiommu_get_pa, bad_ioas)
{
	union get_pa_args a = self->valid;
	u32 ids[] = {
		0, UINT32_MAX, self->b.dev_id, self->hwpt_id,
		self->b.ioas_id + 1000,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		a.args.ioas_id = ids[i];
		ASSERT_EQ(-ENOENT, get_pa_raw(self->b.iommufd, &a));
	}
}

TEST_F(noiommu_get_pa, needs_capability)
{
	int i;

	/* At every call: the fds are from when it was there */
	for (i = 0; i < 2; i++) {
		cap_set(CAP_SYS_RAWIO, false);
		ASSERT_EQ(-EPERM, lookup(&self->b, IOVA, 1));
		cap_set(CAP_SYS_RAWIO, true);
		ASSERT_TRUE(pa_is(&self->b, IOVA, 1, self->mem.phys[0], 1));
	}
}

TEST_F(noiommu_get_pa, unmapped)
{
	struct bound *b = &self->b;
	const u64 size = self->mem.size;

	ASSERT_EQ(-ENOENT, lookup(b, 0, 0));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA - 1, 1));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA + size, 0));
	ASSERT_EQ(-ENOENT, lookup(b, UINT64_MAX - size, 1));

	/* Only the first byte counts */
	ASSERT_EQ(-ENOENT, lookup(b, IOVA - 1, size));
}

TEST_F(noiommu_get_pa, overflow)
{
	struct bound *b = &self->b;
	const u64 last_page = -(u64)getpagesize();

	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, self->mem.vaddr,
				    getpagesize(), last_page));

	ASSERT_EQ(-EOVERFLOW, lookup(b, UINT64_MAX, 0));
	ASSERT_EQ(-EOVERFLOW, lookup(b, UINT64_MAX, 1));
	ASSERT_EQ(-EOVERFLOW, lookup(b, UINT64_MAX, UINT64_MAX));

	/* A length that goes past the end of the address space ends there */
	ASSERT_TRUE(pa_is(b, last_page, getpagesize() + 1, self->mem.phys[0],
			  getpagesize()));
	ASSERT_TRUE(pa_is(b, last_page, UINT64_MAX, self->mem.phys[0],
			  getpagesize()));
	ASSERT_TRUE(pa_is(b, UINT64_MAX - 1, UINT64_MAX,
			  self->mem.phys[0] + getpagesize() - 2, 2));
	ASSERT_TRUE(pa_is(b, IOVA, UINT64_MAX, self->mem.phys[0],
			  self->mem.run[0]));
	ASSERT_TRUE(pa_is(b, last_page, 0, self->mem.phys[0], getpagesize()));
	ASSERT_TRUE(pa_is(b, last_page, getpagesize() - 1, self->mem.phys[0],
			  getpagesize() - 1));
}

/* A lookup ends where a mapping does, even if memory and IOVA go on */
TEST_F(noiommu_get_pa, adjacent_mappings)
{
	struct bound *b = &self->b;
	const u64 iova = IOVA * 2;
	const u64 step = 3 * getpagesize();
	struct mem mem;
	u64 offset;

	/* The parts of the first huge page, which is contiguous */
	if (!mem_alloc(&mem, MEM_HUGETLB, SZ_2M))
		SKIP(return, "No huge page of 2 MiB is free");

	for (offset = 0; offset < 8 * step; offset += step)
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id,
					    mem.vaddr + offset, step,
					    iova + offset));
	mem_read_pagemap(&mem);
	ASSERT_LE(SZ_2M, mem.run[0]);

	for (offset = 0; offset < 8 * step; offset += step) {
		ASSERT_TRUE(pa_is(b, iova + offset, 0, mem.phys[0] + offset,
				  step));
		ASSERT_TRUE(pa_is(b, iova + offset, SZ_2M, mem.phys[0] + offset,
				  step));
		ASSERT_TRUE(pa_is(b, iova + offset + 1, step,
				  mem.phys[0] + offset + 1, step - 1));
		ASSERT_TRUE(pa_is(b, iova + offset + step - 1, 2,
				  mem.phys[0] + offset + step - 1, 1));
	}
	ASSERT_EQ(-ENOENT, lookup(b, iova + offset, 0));

	/* With a hole */
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, iova + step, step));
	ASSERT_TRUE(pa_is(b, iova, 0, mem.phys[0], step));
	ASSERT_EQ(-ENOENT, lookup(b, iova + step, 0));
	ASSERT_EQ(-ENOENT, lookup(b, iova + 2 * step - 1, 0));
	ASSERT_TRUE(pa_is(b, iova + 2 * step, 0, mem.phys[0] + 2 * step, step));

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, 0, UINT64_MAX));
	mem_free(&mem);
}

/*
 * Any IOVA is as good as any other: no device ever sees it
 */

FIXTURE(noiommu_iova) {
	struct bound b;
	struct mem mem;
};

FIXTURE_VARIANT(noiommu_iova) {
	u64 iova;
};

FIXTURE_VARIANT_ADD(noiommu_iova, zero) {
	.iova = 0,
};

FIXTURE_VARIANT_ADD(noiommu_iova, x86_msi) {
	.iova = 0xfee00000,
};

FIXTURE_VARIANT_ADD(noiommu_iova, across_4g) {
	.iova = (1ULL << 32) - SZ_512K,
};

FIXTURE_VARIANT_ADD(noiommu_iova, across_48_bit) {
	.iova = (1ULL << 48) - SZ_512K,
};

FIXTURE_VARIANT_ADD(noiommu_iova, across_57_bit) {
	.iova = (1ULL << 57) - SZ_512K,
};

FIXTURE_VARIANT_ADD(noiommu_iova, across_sign) {
	.iova = (1ULL << 63) - SZ_512K,
};

FIXTURE_VARIANT_ADD(noiommu_iova, last) {
	.iova = UINT64_MAX - SZ_1M + 1,
};

FIXTURE_SETUP(noiommu_iova)
{
	bound_init(&self->b, devices.bdf);
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_1M));
}

FIXTURE_TEARDOWN(noiommu_iova)
{
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

TEST_F(noiommu_iova, map_after_attach)
{
	struct bound *b = &self->b;

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, self->mem.vaddr,
				    self->mem.size, variant->iova));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, variant->iova, &self->mem));

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, variant->iova,
				self->mem.size));
	ASSERT_EQ(-ENOENT, lookup(b, variant->iova, 1));
}

TEST_F(noiommu_iova, map_before_attach)
{
	struct bound *b = &self->b;

	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, self->mem.vaddr,
				    self->mem.size, variant->iova));
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	mem_read_pagemap(&self->mem);
	ASSERT_TRUE(pa_each_page(b, variant->iova, &self->mem));
}

/*
 * Memory of all kinds
 */

FIXTURE(noiommu_mem) {
	struct bound b;
	struct mem mem;
	u64 iova;
};

FIXTURE_VARIANT(noiommu_mem) {
	enum mem_kind kind;
	u32 map_flags;
	bool map_first;
	bool small_leaves;
};

FIXTURE_VARIANT_ADD(noiommu_mem, scattered) {
	.kind = MEM_SCATTERED,
	.map_flags = MAP_RW,
};

FIXTURE_VARIANT_ADD(noiommu_mem, scattered_map_first) {
	.kind = MEM_SCATTERED,
	.map_flags = MAP_RW,
	.map_first = true,
};

FIXTURE_VARIANT_ADD(noiommu_mem, scattered_read_only) {
	.kind = MEM_SCATTERED,
	.map_flags = IOMMU_IOAS_MAP_READABLE,
};

FIXTURE_VARIANT_ADD(noiommu_mem, ordered) {
	.kind = MEM_ORDERED,
	.map_flags = MAP_RW,
};

FIXTURE_VARIANT_ADD(noiommu_mem, thp) {
	.kind = MEM_THP,
	.map_flags = MAP_RW,
};

FIXTURE_VARIANT_ADD(noiommu_mem, hugetlb) {
	.kind = MEM_HUGETLB,
	.map_flags = MAP_RW,
};

FIXTURE_VARIANT_ADD(noiommu_mem, hugetlb_map_first) {
	.kind = MEM_HUGETLB,
	.map_flags = MAP_RW,
	.map_first = true,
};

/* How the mapping is stored must not show */
FIXTURE_VARIANT_ADD(noiommu_mem, hugetlb_small_leaves) {
	.kind = MEM_HUGETLB,
	.map_flags = MAP_RW,
	.small_leaves = true,
};

FIXTURE_VARIANT_ADD(noiommu_mem, memfd) {
	.kind = MEM_MEMFD,
	.map_flags = MAP_RW,
};

FIXTURE_VARIANT_ADD(noiommu_mem, memfd_map_first) {
	.kind = MEM_MEMFD,
	.map_flags = MAP_RW,
	.map_first = true,
};

FIXTURE_VARIANT_ADD(noiommu_mem, memfd_hugetlb) {
	.kind = MEM_MEMFD_HUGETLB,
	.map_flags = MAP_RW,
};

FIXTURE_SETUP(noiommu_mem)
{
	struct bound *b = &self->b;

	if (!mem_alloc(&self->mem, variant->kind, SZ_4M))
		SKIP(return, "No two huge pages of 2 MiB are to be had");

	bound_init(b, devices.bdf);

	if (variant->small_leaves)
		ASSERT_EQ(0, ioas_huge_pages_set(b->iommufd, b->ioas_id, false));

	if (variant->map_first)
		self->iova = mem_map(&self->mem, b->iommufd, b->ioas_id,
				     variant->map_flags);

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));

	if (!variant->map_first)
		self->iova = mem_map(&self->mem, b->iommufd, b->ioas_id,
				     variant->map_flags);

	mem_read_pagemap(&self->mem);

	/* Otherwise the tests below would not see what they are for */
	ASSERT_TRUE(mem_layout_is_apt(&self->mem));
}

FIXTURE_TEARDOWN(noiommu_mem)
{
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

TEST_F(noiommu_mem, each_page)
{
	ASSERT_TRUE(pa_each_page(&self->b, self->iova, &self->mem));
}

TEST_F(noiommu_mem, each_run)
{
	const u64 page_size = getpagesize();
	u64 offset, length, phys, nr = 0;

	/* The way of a driver that builds a list of addresses */
	for (offset = 0; offset < self->mem.size; offset += length) {
		length = self->mem.size - offset;
		ASSERT_EQ(0, ioas_get_pa(self->b.iommufd, self->b.ioas_id,
					 self->iova + offset, &length, &phys));
		ASSERT_EQ(self->mem.phys[offset / page_size], phys);
		ASSERT_EQ(self->mem.run[offset / page_size], length);
		nr++;
	}

	ASSERT_EQ(self->mem.size, offset);
	ASSERT_EQ(mem_nr_runs(&self->mem), nr);
	ASSERT_EQ(-ENOENT, lookup(&self->b, self->iova + offset, 0));
}

TEST_F(noiommu_mem, unaligned)
{
	const u64 page_size = getpagesize();
	const u64 in_page[] = { 1, 8, 511, page_size / 2, page_size - 1 };
	const u64 step = self->mem.npages / 16 - 1;
	struct mem *mem = &self->mem;
	u64 page, start;
	int i;

	for (page = 0; page < mem->npages; page += step) {
		start = self->iova + page * page_size;

		for (i = 0; i < ARRAY_SIZE(in_page); i++)
			ASSERT_TRUE(pa_is(&self->b, start + in_page[i], 0,
					  mem->phys[page] + in_page[i],
					  mem->run[page] - in_page[i]));
	}

	/* The very last byte */
	ASSERT_TRUE(pa_is(&self->b, self->iova + mem->size - 1, 0,
			  mem->phys[mem->npages - 1] + page_size - 1, 1));
}

TEST_F(noiommu_mem, limited)
{
	const u64 page_size = getpagesize();
	const u64 limit[] = {
		1, 511, page_size - 1, page_size, page_size + 1, 2 * page_size,
		SZ_1M, SZ_2M - 1, SZ_2M, SZ_2M + 1, 2 * self->mem.size, SZ_1G,
	};
	const u64 step = self->mem.npages / 16 - 1;
	struct mem *mem = &self->mem;
	u64 page, start;
	int i;

	for (page = 0; page < mem->npages; page += step) {
		start = self->iova + page * page_size;

		for (i = 0; i < ARRAY_SIZE(limit); i++) {
			ASSERT_TRUE(pa_is(&self->b, start, limit[i],
					  mem->phys[page], min(mem->run[page],
							       limit[i])));
			ASSERT_TRUE(pa_is(&self->b, start + 5, limit[i],
					  mem->phys[page] + 5,
					  min(mem->run[page] - 5, limit[i])));
		}

		/* One byte less than there is, all of it, one more */
		ASSERT_TRUE(pa_is(&self->b, start, mem->run[page] - 1,
				  mem->phys[page], mem->run[page] - 1));
		ASSERT_TRUE(pa_is(&self->b, start, mem->run[page],
				  mem->phys[page], mem->run[page]));
		ASSERT_TRUE(pa_is(&self->b, start, mem->run[page] + 1,
				  mem->phys[page], mem->run[page]));
	}
}

TEST_F(noiommu_mem, part)
{
	const u64 page_size = getpagesize();
	const u64 first = 3, npages = 7;
	struct mem *mem = &self->mem;
	struct bound *b = &self->b;
	u64 iova = 0, page;

	/* The run ends with the mapping where the memory does not */
	ASSERT_EQ(0, mem_map_at(mem, b->iommufd, b->ioas_id, first * page_size,
				npages * page_size, variant->map_flags, &iova));

	for (page = 0; page < npages; page++)
		ASSERT_TRUE(pa_is(b, iova + page * page_size, 0,
				  mem->phys[first + page],
				  min(mem->run[first + page],
				      (npages - page) * page_size)));
}

/*
 * DMA to and from the addresses
 */

FIXTURE(noiommu_dma) {
	struct dma dma;
};

FIXTURE_VARIANT(noiommu_dma) {
	enum mem_kind kind;
};

FIXTURE_VARIANT_ADD(noiommu_dma, memfd) {
	.kind = MEM_MEMFD,
};

FIXTURE_SETUP(noiommu_dma)
{
	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");
	if (!dma_init(&self->dma, devices.edu_bdf, variant->kind, SZ_2M))
		SKIP(return, "No two huge pages of 2 MiB are free");
}

FIXTURE_TEARDOWN(noiommu_dma)
{
	dma_cleanup(&self->dma);
}

TEST_F(noiommu_dma, copy)
{
	const u64 page_size = getpagesize();
	struct dma *dma = &self->dma;
	const u64 size = dma->src.size;
	const u64 middle = size / 2 + 7 * page_size;
	const struct {
		u64 dst, src, count;
	} copy[] = {
		{ middle, 0, EDU_DMA_MAX },
		{ 5 * page_size + 1, size - page_size, EDU_DMA_MAX },
		{ size - 8, middle + 3 * page_size + 64, 8 },
		{ 0, middle - 100 * page_size + 999, 2345 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(copy); i++) {
		dma_copy(dma, copy[i].dst, copy[i].src, copy[i].count);

		/* It went there, and nothing went anywhere else */
		ASSERT_EQ(0, memcmp(dma->dst.vaddr, dma->dst_bytes, size))
			TH_LOG("Copy %d", i);
		ASSERT_EQ(0, memcmp(dma->src.vaddr, dma->src_bytes, size))
			TH_LOG("Copy %d", i);
	}
}

/*
 * Wait for the first MSI, take it and acknowledge it to the device. Returns the
 * reasons that the device gives for it.
 */
static u32 edu_irq_wait(struct vfio_pci_device *device)
{
	void *bar = device->bars[0].vaddr;
	struct pollfd pfd = {
		.fd = device->msi_eventfds[device->driver.msi],
		.events = POLLIN,
	};
	u64 nr = 0;
	u32 status;

	VFIO_ASSERT_EQ(poll(&pfd, 1, 10000), 1, "No interrupt from edu\n");
	VFIO_ASSERT_EQ(read(pfd.fd, &nr, sizeof(nr)), (ssize_t)sizeof(nr));
	VFIO_ASSERT_EQ(nr, 1);

	status = readl(bar + EDU_IRQ_STATUS);
	writel(status, bar + EDU_IRQ_ACK);

	return status;
}

/* One of the two transfers of a copy, with the interrupt that copies do without */
static u32 edu_transfer(struct vfio_pci_device *device, u64 src, u64 dst,
			u64 count, u32 flags)
{
	void *bar = device->bars[0].vaddr;

	edu_start(bar, src, dst, count, EDU_DMA_IRQ | flags);

	return edu_irq_wait(device);
}

TEST_F(noiommu_dma, interrupt)
{
	struct dma *dma = &self->dma;
	void *bar = dma->device->bars[0].vaddr;
	struct pollfd pfd = {
		.fd = dma->device->msi_eventfds[0],
		.events = POLLIN,
	};

	ASSERT_EQ(1, dma->device->msi_info.count);

	ASSERT_EQ(EDU_IRQ_DMA,
		  edu_transfer(dma->device, dma_phys(dma, dma->src_iova),
			       EDU_BUF, 64, 0));
	ASSERT_EQ(EDU_IRQ_DMA,
		  edu_transfer(dma->device, EDU_BUF,
			       dma_phys(dma, dma->dst_iova), 64,
			       EDU_DMA_TO_RAM));

	/* The data is there by the time of the interrupt */
	ASSERT_EQ(0, memcmp(dma->dst.vaddr, dma->src_bytes, 64));

	writel(EDU_STATUS_IRQ, bar + EDU_STATUS);
	writel(10, bar + EDU_FACTORIAL);
	ASSERT_EQ(EDU_IRQ_FACTORIAL, edu_irq_wait(dma->device));
	ASSERT_EQ(3628800, readl(bar + EDU_FACTORIAL));

	writel(0x42, bar + EDU_IRQ_RAISE);
	ASSERT_EQ(0x42, edu_irq_wait(dma->device));

	/* One interrupt for each, no more */
	ASSERT_EQ(0, poll(&pfd, 1, 100));
}

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

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
