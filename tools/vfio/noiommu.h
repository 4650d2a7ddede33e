/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PCI device driven from userspace where no IOMMU stands between it and
 * memory: opening it, and the pieces of it that every driver needs.
 *
 * A device without an IOMMU takes the addresses that it is given as physical
 * ones, and reaches all of memory with them. Two things follow. The memory it
 * is given must not move, which iommufd sees to: mapping pins it. And somebody
 * has to tell the driver where that memory is, which IOMMU_IOAS_GET_PA does.
 * A wrong address overwrites whatever lives there, the kernel included; that
 * is why all of this wants CAP_SYS_RAWIO.
 *
 * The life of a driver, in order:
 *
 *	noiommu_open()			cdev, iommufd, bind, IOAS, attach, reset
 *	noiommu_map_bar()		the device's registers
 *	dma_memory_alloc()		memory for the device, its addresses
 *	noiommu_set_bus_master(on)	now the device can do DMA
 *	noiommu_enable_msix()		now it can interrupt
 *	noiommu_check_request()		now and then: is the device to be let go?
 *	noiommu_set_bus_master(off)	now it can not
 *	dma_memory_free()		only now: memory may be used anew
 *	noiommu_close()
 *
 * Before it turns bus mastering off, a driver stops its device, also if something
 * has failed. When a process ends without that, the kernel closes the device's
 * file, which turns bus mastering off before the memory is unpinned: the device
 * cannot write to memory that has another owner by then, but nobody shut it down.
 *
 * Functions return 0, or a negative errno after they have said what went wrong.
 */
#ifndef NOIOMMU_H
#define NOIOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/iommufd.h>
#include <linux/types.h>

/*
 * The header of Linux 7.3 has the ioctl under a longer name, and without the
 * array of extents. Which of the two a kernel has shows when it is asked.
 */
#ifndef IOMMU_IOAS_GET_PA
#define IOMMU_IOAS_GET_PA	IOMMU_IOAS_NOIOMMU_GET_PA

struct iommu_pa_extent {
	__aligned_u64 phys;
	__aligned_u64 length;
};

struct iommu_ioas_get_pa {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 out_phys;
	/* Linux 7.3 ends here. */
	__u32 num_extents;
	__u32 __reserved2;
	__aligned_u64 extents_uptr;
};
#endif

/* "0000:00:04.0"; domains of more than four digits exist */
#define BDF_SIZE	24

/**
 * struct noiommu_device - a device that is open, bound and attached
 * @bdf: its address on the PCI bus
 * @fd: the cdev, /dev/vfio/devices/noiommu-vfioN
 * @iommufd: the iommufd that the device is bound to
 * @ioas_id: the IO address space that the device is attached to
 * @attached: @ioas_id is valid, and the device attached to it
 * @get_pa_size: how much of struct iommu_ioas_get_pa the kernel knows: all of
 *		 it, or the part that has no array
 * @request: eventfd, readable when the device is to be let go
 * @config: where in @fd the PCI configuration space begins
 * @lookups: calls of IOMMU_IOAS_GET_PA that gave addresses
 * @addresses: pages whose physical address is known from them
 * @runs: pieces of physically contiguous memory that these pages form
 */
struct noiommu_device {
	char bdf[BDF_SIZE];
	int fd;
	int iommufd;
	__u32 ioas_id;
	bool attached;
	__u32 get_pa_size;
	int request;
	__u64 config;
	unsigned long lookups;
	unsigned long addresses;
	unsigned long runs;
};

extern bool verbose;

int fail(int err, const char *fmt, ...);
int refuse(int err, const char *fmt, ...);
void note(const char *fmt, ...);

int noiommu_parse_bdf(const char *text, char *bdf);
int noiommu_pci_class(const char *bdf, unsigned int *pci_class);

int noiommu_open(struct noiommu_device *dev, const char *bdf);
void noiommu_close(struct noiommu_device *dev);
int noiommu_check_request(struct noiommu_device *dev);

int noiommu_set_bus_master(struct noiommu_device *dev, bool on);
int noiommu_map_bar(struct noiommu_device *dev, unsigned int bar,
		    void **regs, size_t *size);
int noiommu_enable_msix(struct noiommu_device *dev, int *eventfd_out);
void noiommu_disable_msix(struct noiommu_device *dev, int eventfd);

#endif /* NOIOMMU_H */
