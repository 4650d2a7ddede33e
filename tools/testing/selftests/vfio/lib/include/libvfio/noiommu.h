/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_NOIOMMU_H
#define SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_NOIOMMU_H

/* What tests of devices without an IOMMU share */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <sys/mman.h>

#include <linux/capability.h>
#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/pci_regs.h>
#include <linux/sizes.h>

#include <libvfio.h>

#include "../../drivers/edu/registers.h"

#define NOIOMMU_MODE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

/* Ioctls, which return 0, what is named, or a negative errno */
int ioctl_errno(int fd, unsigned long cmd, void *arg);
int device_bind_flags(int device_fd, int iommufd, u32 flags, u32 *dev_id);
int device_bind(int device_fd, int iommufd, u32 *dev_id);
s64 device_attach_to(int device_fd, u32 pt_id); /* the HWPT */
int device_detach(int device_fd);
int device_get_info(int device_fd);
int device_open(const char *bdf); /* does not fail */

/* NULL if there is no such device */
struct noiommu_devices {
	const char *bdf;
	const char *cdev_path;
	const char *other_bdf;
	const char *edu_bdf;
};

/*
 * The first is that of vfio_selftests_get_bdf(), the others are found in sysfs. Exits
 * with KSFT_SKIP if the first one is not used without an IOMMU by its cdev.
 */
void devices_find(struct noiommu_devices *devices, int *argc, char *argv[]);
/* A device whose name in /dev/vfio/devices starts with the prefix */
const char *vfio_dev_find(const char *prefix, bool (*suits)(const char *bdf));
bool device_is_edu(const char *bdf);

/* What an administrator does; an int is 0 or a negative errno */
int sysfs_write(const char *path, const char *value);
int device_sysfs_write(const char *bdf, const char *name, const char *value);
bool device_has_sysfs(const char *bdf, const char *name);
bool device_has_vfio(const char *bdf);
int device_unbind(const char *bdf);
int device_bind_vfio(const char *bdf);
void noiommu_mode_set(bool on);

/* As the host has it, also while nobody has the device open */
u16 pci_command(const char *bdf);

/* Put a capability into the effective set, or take it out */
void cap_set(unsigned int cap, bool on);

/*
 * The rest of the program runs in a child. @restore is called when that has ended,
 * however it did.
 */
void restore_afterwards(void (*restore)(void));

/* The address of each page of @vaddr, all of which must be there */
void pagemap_read(const void *vaddr, size_t npages, u64 *phys);

/*
 * Pages that are pinned for DMA in the whole system, -1 if the kernel does not count
 * them. Others pin some too, but soon let go of them: it is the lowest of some counts,
 * and to compare it takes some patience.
 */
s64 pinned_pages(void);
s64 pinned_pages_wait(s64 expected);

#define ASSERT_PINNED(_pages) do {					\
	const s64 __pages = (_pages);					\
									\
	ASSERT_EQ(__pages, pinned_pages_wait(__pages));			\
} while (0)

/* Where nothing else is mapped, and no memory has its address */
#define NOIOMMU_IOVA		(64ULL * SZ_1G)

/* A device, attached, and memory of which no two words are equal */
struct noiommu_user {
	struct iommu *iommu;
	struct vfio_pci_device *device;
	struct dma_region mem;
	u64 npages;
	/* Where pagemap has had each page, and what is to be in them */
	u64 *phys;
	char *bytes;
};

void user_init(struct noiommu_user *user, const char *bdf);
void user_cleanup(struct noiommu_user *user);

/* Does each page have the address that it had? */
bool user_finds_memory(struct noiommu_user *user);

/* Have edu copy from page to page. Is that what has changed, and all? */
bool user_copies(struct noiommu_user *user, u64 dst_page, u64 src_page);

/* A process that is such a user, as bus master, until it is killed */
pid_t user_fork(const char *bdf);

/* All of this by a user who is gone afterwards */
bool device_works(const char *bdf);

#endif /* SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_NOIOMMU_H */
