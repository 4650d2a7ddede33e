// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long memory stays pinned for a device without an IOMMU: while any of the
 * devices that share an IOAS is attached, whatever the process does to its own view
 * of the memory, and not a moment longer than the last device is open, unless its
 * user has asked for a quarantine.
 */
#include <signal.h>
#include <sys/wait.h>

#include <libvfio/noiommu.h>

#include "kselftest_harness.h"

static struct noiommu_devices devices;

/* A child gets copies and writes to them, and so does the parent */
static void disturb_fork(char *vaddr, u64 size)
{
	int status;
	pid_t pid;
	u64 i;

	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (!pid) {
		memset(vaddr, 0xee, size);
		_exit(0);
	}
	VFIO_ASSERT_EQ(waitpid(pid, &status, 0), pid);
	VFIO_ASSERT_EQ(status, 0);
	for (i = 0; i < size; i += getpagesize())
		WRITE_ONCE(vaddr[i], vaddr[i]);
}

/* There and back again */
static void disturb_mremap(char *vaddr, u64 size)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *other = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	VFIO_ASSERT_EQ(mremap(vaddr, size, size, flags, other), other);
	VFIO_ASSERT_EQ(mremap(other, size, size, flags, vaddr), vaddr);
}

static void disturb_dontneed(char *vaddr, u64 size)
{
	VFIO_ASSERT_EQ(madvise(vaddr, size, MADV_DONTNEED), 0);
}

static void disturb_munmap(char *vaddr, u64 size)
{
	VFIO_ASSERT_EQ(munmap(vaddr, size), 0);
	VFIO_ASSERT_EQ(mmap(vaddr, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), vaddr);
}

FIXTURE(pin) {
	struct noiommu_user user;
};

FIXTURE_VARIANT(pin) {
	void (*disturb)(char *vaddr, u64 size);
	/* The process has other pages afterwards */
	bool lost;
};

FIXTURE_VARIANT_ADD(pin, fork) { .disturb = disturb_fork };
FIXTURE_VARIANT_ADD(pin, mremap) { .disturb = disturb_mremap };
FIXTURE_VARIANT_ADD(pin, dontneed) { .disturb = disturb_dontneed, .lost = true };
FIXTURE_VARIANT_ADD(pin, munmap) { .disturb = disturb_munmap, .lost = true };

FIXTURE_SETUP(pin)
{
	if (!devices.edu_bdf)
		SKIP(return, "No edu device, or no " EDU_UNMASKED);
	user_init(&self->user, devices.edu_bdf);
}

FIXTURE_TEARDOWN(pin)
{
	user_cleanup(&self->user);
}

TEST_F(pin, pages_stay)
{
	const u64 page_size = getpagesize();
	struct noiommu_user *user = &self->user;
	/* But for the page in which edu's driver keeps its state */
	const u64 npages = user->npages - 1;
	char *vaddr = user->mem.vaddr;
	struct dma_region again = {
		.vaddr = vaddr,
		.iova = 2 * NOIOMMU_IOVA,
		.size = npages * page_size,
	};
	u64 now[npages];

	variant->disturb(vaddr, npages * page_size);
	ASSERT_TRUE(user_finds_memory(user));
	if (!variant->lost) {
		pagemap_read(vaddr, npages, now);
		ASSERT_EQ(0, memcmp(user->phys, now, sizeof(now)));
		ASSERT_TRUE(user_copies(user, 3, 4));
		return;
	}

	/* Whoever asks for memory now had better not get what was there */
	memset(vaddr, 0xdd, npages * page_size);
	ASSERT_FALSE(user_copies(user, 5, 3));
	ASSERT_EQ(0xdd, (u8)vaddr[5 * page_size]);

	/* The device still has that, and brings it back */
	iommu_map(user->iommu, &again);
	pagemap_read(vaddr, npages, now);
	ASSERT_EQ(0, vfio_pci_driver_memcpy(user->device, user->phys[5], now[0],
					    EDU_DMA_MAX));
	ASSERT_EQ(0, memcmp(vaddr, user->bytes + 3 * page_size, EDU_DMA_MAX));
}

FIXTURE(pinned) {
	struct noiommu_user user;
	s64 pinned;
	bool quarantine;
};

FIXTURE_SETUP(pinned)
{
	self->pinned = pinned_pages();
	if (self->pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");
	user_init(&self->user, devices.bdf);
	ASSERT_PINNED(self->pinned + self->user.npages);
}

static int bind_once(u32 flags)
{
	int iommufd = open("/dev/iommu", O_RDWR);
	int fd = device_open(devices.bdf);
	int ret = device_bind_flags(fd, iommufd, flags, NULL);

	VFIO_ASSERT_EQ(close(fd), 0);
	VFIO_ASSERT_EQ(close(iommufd), 0);
	return ret;
}

FIXTURE_TEARDOWN_PARENT(pinned)
{
	/* Whatever the test has left is gone with its process, or is now */
	if (self->quarantine)
		EXPECT_EQ(0, bind_once(VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUIET));
	EXPECT_EQ(self->pinned, pinned_pages_wait(self->pinned));
}

TEST_F(pinned, attached)
{
	struct noiommu_user *user = &self->user;

	ASSERT_EQ(0, device_detach(user->device->fd));
	ASSERT_PINNED(self->pinned);
	ASSERT_EQ(-EOPNOTSUPP, __to_iova(user->device, user->mem.vaddr, NULL));
	ASSERT_LT(0, device_attach_to(user->device->fd, user->iommu->ioas_id));
	ASSERT_PINNED(self->pinned + user->npages);
	ASSERT_TRUE(user_finds_memory(user));

	/* To close is to detach, and the iommufd can have the device back */
	vfio_pci_device_cleanup(user->device);
	ASSERT_PINNED(self->pinned);
	user->device = vfio_pci_device_init(devices.bdf, user->iommu);
	ASSERT_PINNED(self->pinned + user->npages);

	iommu_unmap(user->iommu, &user->mem);
	ASSERT_PINNED(self->pinned);
	user_cleanup(user);
}

TEST_F(pinned, two_devices)
{
	struct noiommu_user *user = &self->user;
	struct vfio_pci_device *other;

	if (!devices.other_bdf)
		SKIP(return, "There is no second noiommu device");

	other = vfio_pci_device_init(devices.other_bdf, user->iommu);
	ASSERT_PINNED(self->pinned + user->npages);
	ASSERT_EQ(0, device_detach(user->device->fd));
	ASSERT_PINNED(self->pinned + user->npages);
	ASSERT_TRUE(user_finds_memory(user));
	ASSERT_LT(0, device_attach_to(user->device->fd, user->iommu->ioas_id));
	vfio_pci_device_cleanup(other);
	ASSERT_PINNED(self->pinned + user->npages);
	ASSERT_TRUE(user_finds_memory(user));
	user_cleanup(user);
}

/* The device is still attached and may do DMA, until it is closed */
TEST_F(pinned, iommufd_closed)
{
	struct noiommu_user *user = &self->user;
	struct vfio_pci_device *device = user->device;

	iommu_cleanup(user->iommu);
	user->iommu = NULL;
	ASSERT_PINNED(self->pinned + user->npages);
	ASSERT_EQ(0, device_get_info(device->fd));
	if (device->driver.initialized)
		ASSERT_TRUE(user_copies(user, 30, 7));

	vfio_pci_config_writew(device, PCI_COMMAND,
			       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	ASSERT_TRUE(pci_command(devices.bdf) & PCI_COMMAND_MASTER);
	user_cleanup(user);
	ASSERT_FALSE(pci_command(devices.bdf) & PCI_COMMAND_MASTER);
}

TEST_F(pinned, user_killed)
{
	int status;
	pid_t pid;

	user_cleanup(&self->user);
	pid = user_fork(devices.bdf);
	ASSERT_LT(self->pinned, pinned_pages());
	ASSERT_TRUE(pci_command(devices.bdf) & PCI_COMMAND_MASTER);

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_PINNED(self->pinned);
	ASSERT_FALSE(pci_command(devices.bdf) & PCI_COMMAND_MASTER);
	ASSERT_TRUE(device_works(devices.bdf));
}

/* A user that has memory mapped and ends, without a word to its device */
static void user_was(u64 size, u32 flags)
{
	struct dma_region mem = { .iova = NOIOMMU_IOVA, .size = size };
	struct iommu *iommu;
	int fd, status;
	pid_t pid;

	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (pid) {
		VFIO_ASSERT_EQ(waitpid(pid, &status, 0), pid);
		VFIO_ASSERT_EQ(status, 0);
		return;
	}

	mem.vaddr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(mem.vaddr, MAP_FAILED);
	iommu = iommu_init(MODE_NOIOMMU);
	fd = device_open(devices.bdf);
	VFIO_ASSERT_EQ(device_bind_flags(fd, iommu->iommufd, flags, NULL), 0);
	VFIO_ASSERT_GT(device_attach_to(fd, iommu->ioas_id), 0);
	iommu_map(iommu, &mem);
	_exit(0);
}

TEST_F(pinned, quarantine)
{
	const u32 quarantine = VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUARANTINE;
	const u64 size = self->user.mem.size;

	user_cleanup(&self->user);
	if (device_has_sysfs(devices.bdf, "reset") ||
	    device_has_sysfs(devices.bdf, "../class"))
		SKIP(return, "Closing the device may reset it");

	/* Not if that is another one's memory */
	ASSERT_EQ(0, bind_once(quarantine));
	self->quarantine = true;
	user_was(size, 0);
	ASSERT_PINNED(self->pinned);
	user_was(size, quarantine);
	ASSERT_PINNED(self->pinned + self->user.npages);

	/* Until someone says that the device does no DMA any more */
	ASSERT_EQ(-EBUSY, bind_once(quarantine));
	ASSERT_EQ(0, bind_once(0));
	ASSERT_PINNED(self->pinned + self->user.npages);
	ASSERT_EQ(0, bind_once(VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUIET));
	ASSERT_PINNED(self->pinned);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
