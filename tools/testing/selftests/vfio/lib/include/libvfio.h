/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_H
#define SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_H

/*
 * What the tests of devices without an IOMMU need of a library for VFIO, by the
 * names that libvfio of later kernels has for it, so that the tests are the same
 * files there. Whatever is not needed for these devices is left out.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include "../../../kselftest.h"

/* The program ends where a test could not go on, and says what it has seen. */
#define VFIO_ASSERT_OP(_a, _b, _op, ...) do {				\
	typeof(_a) __a = (_a);						\
	typeof(_b) __b = (_b);						\
									\
	if (!(__a _op __b)) {						\
		fprintf(stderr, "%s:%d: %s %s %s: %#lx, %#lx (%s)\n",	\
			__FILE__, __LINE__, #_a, #_op, #_b,		\
			(unsigned long)__a, (unsigned long)__b,		\
			strerror(errno));				\
		fprintf(stderr, "  " __VA_ARGS__);			\
		fprintf(stderr, "\n");					\
		exit(KSFT_FAIL);					\
	}								\
} while (0)

#define VFIO_ASSERT_EQ(_a, _b, ...) VFIO_ASSERT_OP(_a, _b, ==, ##__VA_ARGS__)
#define VFIO_ASSERT_NE(_a, _b, ...) VFIO_ASSERT_OP(_a, _b, !=, ##__VA_ARGS__)
#define VFIO_ASSERT_LT(_a, _b, ...) VFIO_ASSERT_OP(_a, _b, <, ##__VA_ARGS__)
#define VFIO_ASSERT_LE(_a, _b, ...) VFIO_ASSERT_OP(_a, _b, <=, ##__VA_ARGS__)
#define VFIO_ASSERT_GT(_a, _b, ...) VFIO_ASSERT_OP(_a, _b, >, ##__VA_ARGS__)
#define VFIO_ASSERT_GE(_a, _b, ...) VFIO_ASSERT_OP(_a, _b, >=, ##__VA_ARGS__)
#define VFIO_ASSERT_TRUE(_a, ...) VFIO_ASSERT_NE(false, (_a), ##__VA_ARGS__)
#define VFIO_ASSERT_FALSE(_a, ...) VFIO_ASSERT_EQ(false, (_a), ##__VA_ARGS__)
#define VFIO_ASSERT_NOT_NULL(_a, ...) VFIO_ASSERT_NE(NULL, _a, ##__VA_ARGS__)

#define ioctl_assert(_fd, _op, _arg) \
	VFIO_ASSERT_EQ(ioctl(_fd, _op, _arg), 0, "%s\n", #_op)

#define calloc_assert(_nr, _size) ({					\
	void *__ptr = calloc(_nr, _size);				\
									\
	VFIO_ASSERT_NOT_NULL(__ptr);					\
	__ptr;								\
})

#define snprintf_assert(_s, _size, ...) do {				\
	int __size = (_size);						\
									\
	VFIO_ASSERT_LT(snprintf(_s, __size, __VA_ARGS__), __size);	\
} while (0)

#define dev_err(_dev, _fmt, ...) \
	fprintf(stderr, "%s: " _fmt, (_dev)->bdf, ##__VA_ARGS__)

/* Registers of a device */
static inline u32 readl(const void *addr)
{
	return READ_ONCE(*(const u32 *)addr);
}

static inline u64 readq(const void *addr)
{
	return READ_ONCE(*(const u64 *)addr);
}

static inline void writel(u32 value, void *addr)
{
	WRITE_ONCE(*(u32 *)addr, value);
}

static inline void writeq(u64 value, void *addr)
{
	WRITE_ONCE(*(u64 *)addr, value);
}

typedef u64 iova_t;

#define MODE_IOMMUFD "iommufd"
#define MODE_NOIOMMU "noiommu"

struct iommu {
	bool noiommu;
	int iommufd;
	u32 ioas_id;
	struct list_head dma_regions;
};

struct dma_region {
	struct list_head link;
	void *vaddr;
	iova_t iova;
	u64 size;
};

struct iommu *iommu_init(const char *mode);
struct iommu_iova_range *iommu_iova_ranges(struct iommu *iommu, u32 *nranges);

/* Why the device cannot be used in this mode, or NULL */
const char *iommu_mode_mismatch(const char *mode, const char *bdf);

void iommu_cleanup(struct iommu *iommu);

/* At region->iova, which without an IOMMU is only the key of a lookup */
int __iommu_map(struct iommu *iommu, struct dma_region *region);
void iommu_unmap(struct iommu *iommu, struct dma_region *region);
int __iommu_hva2iova(struct iommu *iommu, void *vaddr, iova_t *iova);

static inline void iommu_map(struct iommu *iommu, struct dma_region *region)
{
	VFIO_ASSERT_EQ(__iommu_map(iommu, region), 0);
}

struct vfio_pci_device;

struct vfio_pci_driver_ops {
	const char *name;
	int (*probe)(struct vfio_pci_device *device);
	void (*init)(struct vfio_pci_device *device);
	void (*remove)(struct vfio_pci_device *device);
	void (*memcpy_start)(struct vfio_pci_device *device, iova_t src,
			     iova_t dst, u64 size, u64 count);
	int (*memcpy_wait)(struct vfio_pci_device *device);
	void (*send_msi)(struct vfio_pci_device *device);
};

struct vfio_pci_driver {
	const struct vfio_pci_driver_ops *ops;
	bool initialized;
	struct dma_region region;
	u64 max_memcpy_size;
	u64 max_memcpy_count;
	int msi;
};

struct vfio_pci_bar {
	struct vfio_region_info info;
	void *vaddr;
};

struct vfio_pci_device {
	const char *bdf;
	int fd;
	struct iommu *iommu;
	struct vfio_region_info config_space;
	struct vfio_pci_bar bars[PCI_STD_NUM_BARS];
	struct vfio_irq_info msi_info;
	int msi_eventfds[1];
	struct vfio_pci_driver driver;
};

struct vfio_pci_device *vfio_pci_device_init(const char *bdf,
					     struct iommu *iommu);
void vfio_pci_device_cleanup(struct vfio_pci_device *device);

static inline int __to_iova(struct vfio_pci_device *device, void *vaddr,
			    iova_t *iova)
{
	return __iommu_hva2iova(device->iommu, vaddr, iova);
}

static inline iova_t to_iova(struct vfio_pci_device *device, void *vaddr)
{
	iova_t iova;

	VFIO_ASSERT_EQ(__to_iova(device, vaddr, &iova), 0);
	return iova;
}

bool vfio_pci_device_match(struct vfio_pci_device *device, u16 vendor_id,
			   u16 device_id);

u16 vfio_pci_config_readw(struct vfio_pci_device *device, size_t offset);
void vfio_pci_config_writew(struct vfio_pci_device *device, size_t offset,
			    u16 value);

/* @count is 0 or 1 */
void vfio_pci_irq_set(struct vfio_pci_device *device, u32 index, u32 vector,
		      u32 count, int *fds);

/* The one MSI of the device, @vector 0 and @count 1 */
void vfio_pci_msi_enable(struct vfio_pci_device *device, u32 vector, int count);
void vfio_pci_msi_disable(struct vfio_pci_device *device);

/* After device->driver.region has memory that is mapped */
void vfio_pci_driver_init(struct vfio_pci_device *device);
int vfio_pci_driver_memcpy(struct vfio_pci_device *device, iova_t src,
			   iova_t dst, u64 size);
void vfio_pci_driver_send_msi(struct vfio_pci_device *device);

/* The caller has to free() it */
const char *vfio_pci_get_cdev_path(const char *bdf);
bool vfio_pci_has_noiommu_cdev(const char *bdf);

int sysfs_iommu_group_get(const char *bdf);
bool sysfs_has_iommu(const char *bdf);

/*
 * The device that the test is to use: the last argument, of which @argc is relieved,
 * or else $VFIO_SELFTESTS_BDF. Exits with KSFT_SKIP if there is none.
 */
const char *vfio_selftests_get_bdf(int *argc, char *argv[]);

#endif /* SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_H */
