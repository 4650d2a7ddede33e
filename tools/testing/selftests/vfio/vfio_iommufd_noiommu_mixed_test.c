// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device with an IOMMU and one without, in one IOAS. Neither may notice that the
 * other is there, whichever of them comes or goes first, except that an IOVA has to
 * be one that the IOMMU can translate while its device is attached.
 */
#include <libvfio/noiommu.h>

#include "kselftest_harness.h"

/* Index of the two devices */
enum { WITH, WITHOUT, NR };

static struct noiommu_devices devices;

/* A device with an IOMMU, edu if there is one */
static const char *iommu_bdf;

FIXTURE(mixed) {
	struct noiommu_user user;
	/* Of the same memory, by IOVA, and memory for its driver */
	struct noiommu_user iommu_user;
	struct dma_region region;
	int fd[NR];
	u32 ioas_id;
};

FIXTURE_VARIANT(mixed) {
	int first;
};

FIXTURE_VARIANT_ADD(mixed, iommu_first) { .first = WITH };
FIXTURE_VARIANT_ADD(mixed, noiommu_first) { .first = WITHOUT };

FIXTURE_SETUP(mixed)
{
	struct noiommu_user *user = &self->user, *iommu_user = &self->iommu_user;
	const u64 page_size = getpagesize();
	struct iommu *iommu;
	u64 i;

	if (!iommu_bdf)
		SKIP(return, "There is no device with an IOMMU");

	user_init(user, devices.edu_bdf ?: devices.bdf);
	self->ioas_id = user->iommu->ioas_id;
	self->fd[WITHOUT] = user->device->fd;
	if (variant->first == WITH)
		ASSERT_EQ(0, device_detach(self->fd[WITHOUT]));

	/* The same IOAS, in libvfio's other mode */
	iommu = iommu_init(MODE_IOMMUFD);
	ASSERT_EQ(iommu->iommufd, dup2(user->iommu->iommufd, iommu->iommufd));
	iommu->ioas_id = self->ioas_id;

	*iommu_user = *user;
	iommu_user->iommu = NULL;
	iommu_user->device = vfio_pci_device_init(iommu_bdf, iommu);
	iommu_user->phys = calloc_assert(user->npages, sizeof(u64));
	for (i = 0; i < user->npages; i++)
		iommu_user->phys[i] = user->mem.iova + i * page_size;
	self->fd[WITH] = iommu_user->device->fd;

	self->region.size = page_size;
	self->region.iova = 2 * NOIOMMU_IOVA;
	self->region.vaddr = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->region.vaddr);
	iommu_map(iommu, &self->region);
	iommu_user->device->driver.region = self->region;
	if (device_is_edu(iommu_bdf))
		vfio_pci_driver_init(iommu_user->device);

	if (variant->first == WITH)
		ASSERT_LT(0, device_attach_to(self->fd[WITHOUT], self->ioas_id));
}

FIXTURE_TEARDOWN(mixed)
{
	vfio_pci_device_cleanup(self->iommu_user.device);
	user_cleanup(&self->user);
}

/* Only while the device is attached that needs them are there addresses */
static bool addresses_are_there(struct noiommu_user *user, bool attached)
{
	return attached ? user_finds_memory(user) :
			  __to_iova(user->device, user->mem.vaddr, NULL) == -EOPNOTSUPP;
}

TEST_F(mixed, attach)
{
	const s64 pinned = pinned_pages();
	const int first = variant->first;
	s64 hwpt_id[NR];
	int i;

	/* Each has the HWPT that suits it, and is found it again */
	for (i = 0; i < NR; i++) {
		hwpt_id[i] = device_attach_to(self->fd[i], self->ioas_id);
		ASSERT_LT(0, hwpt_id[i]);
	}
	ASSERT_NE(hwpt_id[WITH], hwpt_id[WITHOUT]);
	ASSERT_TRUE(user_finds_memory(&self->user));

	/* They leave in the order in which they came, and come back */
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, device_detach(self->fd[first ^ i]));
		ASSERT_TRUE(addresses_are_there(&self->user, (first ^ i) == WITH));
		/* Both HWPTs hold the same pages, which are pinned once */
		if (pinned >= 0)
			ASSERT_PINNED(pinned);
		ASSERT_LT(0, device_attach_to(self->fd[first ^ i], self->ioas_id));
		ASSERT_TRUE(user_finds_memory(&self->user));
	}
}

TEST_F(mixed, wrong_kind_of_hwpt)
{
	s64 hwpt_id[NR];
	int i;

	for (i = 0; i < NR; i++)
		hwpt_id[i] = device_attach_to(self->fd[i], self->ioas_id);

	/* As a replace, and the device keeps what it has */
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(-EINVAL, device_attach_to(self->fd[i], hwpt_id[!i]));
		ASSERT_EQ(hwpt_id[i], device_attach_to(self->fd[i], self->ioas_id));
	}
	ASSERT_TRUE(user_finds_memory(&self->user));

	/* As the first attach */
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, device_detach(self->fd[i]));
		ASSERT_EQ(-EINVAL, device_attach_to(self->fd[i], hwpt_id[!i]));
		ASSERT_TRUE(addresses_are_there(&self->user, i == WITH));
		ASSERT_LT(0, device_attach_to(self->fd[i], self->ioas_id));
	}
}

/* Behind the last IOVA that an IOMMU has, or else in a window that is reserved */
static u64 first_iova_out_of_reach(struct iommu *iommu)
{
	u32 nr;
	struct iommu_iova_range *ranges = iommu_iova_ranges(iommu, &nr);
	u64 iova = ranges[nr - 1].last + 1 ?: ranges[0].last + 1;

	free(ranges);
	VFIO_ASSERT_NE(iova, 0);
	return iova;
}

/* With the device that has an IOMMU the IOAS loses some IOVAs */
TEST_F(mixed, iova_out_of_reach)
{
	struct iommu *iommu = self->user.iommu;
	struct dma_region region = self->region;

	region.iova = first_iova_out_of_reach(iommu);
	ASSERT_EQ(-EINVAL, __iommu_map(iommu, &region));
	ASSERT_EQ(0, device_detach(self->fd[WITH]));
	ASSERT_EQ(0, __iommu_map(iommu, &region));
	ASSERT_EQ(0, __to_iova(self->user.device, region.vaddr, NULL));

	ASSERT_EQ(-EADDRINUSE, device_attach_to(self->fd[WITH], self->ioas_id));
	ASSERT_TRUE(user_finds_memory(&self->user));
	iommu_unmap(iommu, &region);
	ASSERT_LT(0, device_attach_to(self->fd[WITH], self->ioas_id));
}

TEST_F(mixed, dma)
{
	struct noiommu_user *user = &self->user, *iommu_user = &self->iommu_user;

	if (!user->device->driver.initialized ||
	    !iommu_user->device->driver.initialized)
		SKIP(return, "There are no two edu devices");

	/* What the one has written is what the other reads */
	ASSERT_TRUE(user_copies(user, 7, 3));
	ASSERT_TRUE(user_copies(iommu_user, 8, 7));
	ASSERT_TRUE(user_copies(iommu_user, 7, 4));
	ASSERT_TRUE(user_copies(user, 9, 7));

	/* The IOMMU still keeps its device in, whatever that knows of addresses */
	ASSERT_EQ(0, vfio_pci_driver_memcpy(iommu_user->device, user->mem.iova,
					    user->phys[20], EDU_DMA_MAX));
	ASSERT_TRUE(user_copies(iommu_user, 21, 22));

	/* Either goes on without the other */
	ASSERT_EQ(0, device_detach(self->fd[WITHOUT]));
	ASSERT_TRUE(user_copies(iommu_user, 11, 12));
	ASSERT_LT(0, device_attach_to(self->fd[WITHOUT], self->ioas_id));
	ASSERT_EQ(0, device_detach(self->fd[WITH]));
	ASSERT_TRUE(user_copies(user, 13, 14));
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	iommu_bdf = vfio_dev_find("vfio", device_is_edu) ?:
		    vfio_dev_find("vfio", sysfs_has_iommu);
	return test_harness_run(argc, argv);
}
