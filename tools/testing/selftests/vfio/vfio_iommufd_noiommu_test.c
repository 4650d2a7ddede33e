// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cdev of a device without an IOMMU: what it takes to open and to bind it, and
 * DMA to the addresses that IOMMU_IOAS_GET_PA gives.
 */
#include <glob.h>

#include <libvfio/noiommu.h>

#include "kselftest_harness.h"

/* See Documentation/admin-guide/tainted-kernels.rst */
#define TAINT_USER		6

static struct noiommu_devices devices;

FIXTURE(cdev) {
	int fd;
	struct iommu *iommu;
};

FIXTURE_SETUP(cdev)
{
	self->fd = device_open(devices.bdf);
	self->iommu = iommu_init(MODE_NOIOMMU);
}

FIXTURE_TEARDOWN(cdev)
{
	ASSERT_EQ(0, close(self->fd));
	iommu_cleanup(self->iommu);
}

/* There is no second cdev that would do without the capability */
TEST_F(cdev, name)
{
	char pattern[PATH_MAX];
	glob_t found;

	snprintf_assert(pattern, sizeof(pattern),
			"/sys/bus/pci/devices/%s/vfio-dev/*vfio*", devices.bdf);
	ASSERT_EQ(0, glob(pattern, 0, NULL, &found));
	ASSERT_EQ(1, found.gl_pathc);
	ASSERT_EQ(0, strncmp(basename(found.gl_pathv[0]), "noiommu-vfio", 12));
	globfree(&found);
}

TEST_F(cdev, taints_the_kernel)
{
	unsigned long tainted;
	FILE *file;

	file = fopen("/proc/sys/kernel/tainted", "r");
	ASSERT_NE(NULL, file);
	ASSERT_EQ(1, fscanf(file, "%lu", &tainted));
	ASSERT_EQ(0, fclose(file));
	ASSERT_TRUE(tainted & (1UL << TAINT_USER));
}

TEST_F(cdev, needs_capability)
{
	cap_set(CAP_SYS_RAWIO, false);
	ASSERT_EQ(-1, open(devices.cdev_path, O_RDWR));
	ASSERT_EQ(EPERM, errno);
	ASSERT_EQ(-EPERM, device_bind(self->fd, self->iommu->iommufd, NULL));
	cap_set(CAP_SYS_RAWIO, true);
	ASSERT_EQ(-EINVAL, device_get_info(self->fd));
	ASSERT_EQ(0, device_bind(self->fd, self->iommu->iommufd, NULL));

	/* To use it once it is bound takes none */
	cap_set(CAP_SYS_RAWIO, false);
	ASSERT_EQ(0, device_get_info(self->fd));
}

TEST_F(cdev, unbound_refuses_access)
{
	u16 value = 0;

	ASSERT_EQ(-EINVAL, device_get_info(self->fd));
	ASSERT_EQ(-EINVAL, ioctl_errno(self->fd, VFIO_DEVICE_RESET, NULL));
	ASSERT_EQ(-EINVAL, device_attach_to(self->fd, self->iommu->ioas_id));
	ASSERT_EQ(-EINVAL, device_detach(self->fd));
	ASSERT_EQ(-1, pread(self->fd, &value, sizeof(value), 0));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, pwrite(self->fd, &value, sizeof(value), 0));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(MAP_FAILED, mmap(NULL, getpagesize(), PROT_READ, MAP_SHARED,
				   self->fd, 0));
	ASSERT_EQ(EINVAL, errno);
}

TEST_F(cdev, bind_once)
{
	int iommufd = open("/dev/iommu", O_RDWR);
	int fd = device_open(devices.bdf);
	u32 dev_id = 0;

	ASSERT_EQ(0, device_bind(self->fd, self->iommu->iommufd, &dev_id));
	ASSERT_NE(0, dev_id);
	ASSERT_EQ(-EINVAL, device_bind(self->fd, self->iommu->iommufd, NULL));
	ASSERT_EQ(-EINVAL, device_bind(self->fd, iommufd, NULL));
	ASSERT_EQ(-EINVAL, device_bind(fd, self->iommu->iommufd, NULL));
	ASSERT_EQ(-EINVAL, device_bind(fd, iommufd, NULL));

	/* The first bind is none the worse for it */
	ASSERT_LT(0, device_attach_to(self->fd, self->iommu->ioas_id));

	/* Once it is gone, it is another's turn */
	ASSERT_EQ(0, close(self->fd));
	ASSERT_EQ(0, device_bind(fd, iommufd, NULL));
	self->fd = fd;
}

/* With it a driver knows that the device has no IOMMU, and of what its DMA is */
TEST_F(cdev, dma_capability)
{
	struct vfio_device_info_cap_noiommu_dma *cap;
	struct vfio_info_cap_header *header;
	struct {
		struct vfio_device_info info;
		u8 caps[512];
	} buffer = { .info.argsz = sizeof(buffer) };
	u32 next;

	ASSERT_EQ(0, device_bind(self->fd, self->iommu->iommufd, NULL));
	ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_GET_INFO, &buffer));
	ASSERT_TRUE(buffer.info.flags & VFIO_DEVICE_FLAGS_CAPS);

	next = buffer.info.cap_offset;
	do {
		ASSERT_NE(0, next);
		header = (void *)&buffer + next;
		next = header->next;
	} while (header->id != VFIO_DEVICE_INFO_CAP_NOIOMMU_DMA);

	cap = (void *)header;
	ASSERT_EQ(1, header->version);
	ASSERT_EQ(0, cap->__reserved);
	ASSERT_NE(0, cap->last_addr);
#if defined(__x86_64__)
	ASSERT_TRUE(cap->flags & VFIO_DEVICE_NOIOMMU_DMA_COHERENT);
#endif
}

FIXTURE(dma) {
	struct noiommu_user user;
};

FIXTURE_SETUP(dma)
{
	if (!devices.edu_bdf)
		SKIP(return, "No edu device, or no " EDU_UNMASKED);
	user_init(&self->user, devices.edu_bdf);
}

FIXTURE_TEARDOWN(dma)
{
	user_cleanup(&self->user);
}

TEST_F(dma, copy)
{
	ASSERT_TRUE(user_finds_memory(&self->user));
	ASSERT_TRUE(user_copies(&self->user, 33, 0));
	ASSERT_TRUE(user_copies(&self->user, 5, 62));
	ASSERT_TRUE(user_copies(&self->user, 62, 33));
}

/* The last physical address that anything has, memory or not */
static u64 iomem_last(void)
{
	FILE *file = fopen("/proc/iomem", "r");
	u64 first, last = 0, end;

	VFIO_ASSERT_NOT_NULL(file);
	while (fscanf(file, "%lx-%lx : %*[^\n]", &first, &end) == 2)
		last = last < end ? end : last;
	VFIO_ASSERT_EQ(fclose(file), 0);
	return last;
}

/* A driver that takes an IOVA that it was given for an address hits nothing */
TEST_F(dma, to_automatic_iova)
{
	struct noiommu_user *user = &self->user;
	struct iommu_ioas_map args = {
		.size = sizeof(args),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = user->iommu->ioas_id,
		.user_va = (uintptr_t)user->mem.vaddr,
		.length = user->mem.size,
	};

	ASSERT_EQ(0, ioctl(user->iommu->iommufd, IOMMU_IOAS_MAP, &args));
	ASSERT_LT(0, iomem_last());
	ASSERT_LT(iomem_last(), args.iova);

	ASSERT_EQ(0, vfio_pci_driver_memcpy(user->device, user->phys[0],
					    args.iova, EDU_DMA_MAX));
	ASSERT_TRUE(user_copies(user, 8, 9));
}

TEST_F(dma, none_without_bus_master)
{
	struct noiommu_user *user = &self->user;
	struct vfio_pci_device *device = user->device;
	u16 command = vfio_pci_config_readw(device, PCI_COMMAND);

	/* Let the device have something to write first */
	ASSERT_TRUE(user_copies(user, 1, 0));
	vfio_pci_config_writew(device, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
	ASSERT_EQ(0, vfio_pci_driver_memcpy(device, user->phys[0], user->phys[7],
					    EDU_DMA_MAX));
	vfio_pci_config_writew(device, PCI_COMMAND, command);
	ASSERT_TRUE(user_copies(user, 20, 30));
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
