/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libvfiodma - drivers in userspace, and the addresses that devices take
 *
 * A context is an iommufd with one address space. Devices are opened into it,
 * memory is mapped into it, once for all of them, and vfiodma_addr() is then what
 * to tell a device: the IOVA where an IOMMU stands between the devices of the
 * context and memory, and what reaches the memory from the device's bus where none
 * does. That is the physical address, but for boards whose buses see memory
 * elsewhere. A driver that asks for no address that it does not need runs on any of
 * these machines.
 *
 * The life of a driver, in order:
 *
 *	vfiodma_ctx_create()
 *	vfiodma_device_open()		bound, attached, reset, off the bus
 *	vfiodma_region_map()		its registers
 *	vfiodma_alloc() or vfiodma_map()	memory, with its addresses
 *	vfiodma_device_set_master(on)	now the device can do DMA
 *	vfiodma_sync_for_device(), vfiodma_sync_for_cpu()	around each DMA
 *	vfiodma_irq_set()		now it can interrupt
 *	vfiodma_device_requested()	now and then: is the device to be let go?
 *	(the device is stopped, by its own registers)
 *	vfiodma_device_set_master(off)	now it can do no DMA
 *	vfiodma_free() or vfiodma_unmap()
 *	vfiodma_device_close()
 *	vfiodma_ctx_destroy()
 *
 * Functions that return int give 0 or more, or a negative errno. Besides what
 * each one names, there is -ENOMEM of the process's own memory, and whatever a
 * system call ends in that should not. Nothing is printed, nothing exits, and
 * nothing is kept outside of contexts: two of them know nothing of each other.
 *
 * Any thread may call any function, with these exceptions: nothing may use an
 * object while it is destroyed or closed, and a lookup of an address in memory
 * that is unmapped at the same time gives the address or VFIODMA_NO_ADDR. Lookups
 * take no lock and wait for nobody.
 */
#ifndef VFIODMA_H
#define VFIODMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define VFIODMA_VERSION_MAJOR	1
#define VFIODMA_VERSION_MINOR	0

/**
 * define VFIODMA_NO_ADDR - what vfiodma_addr() gives for memory that is not mapped
 */
#define VFIODMA_NO_ADDR		UINT64_MAX

struct vfiodma_ctx;
struct vfiodma_device;

/**
 * vfiodma_version() - which version of the library this is
 *
 * Return: major and minor number, as in "1.0". Programs that were built with an
 * older minor number of the same major one work.
 */
const char *vfiodma_version(void);

/**
 * vfiodma_ctx_create() - make an address space for devices
 * @ctx_out: gets the context
 *
 * Return: 0, or -ENOSYS: this kernel has no iommufd (no /dev/iommu; perhaps
 * modprobe iommufd); -EACCES, -EPERM: the file's mode or owner, or a sandbox;
 * -EMFILE, -ENFILE: too many open files.
 */
int vfiodma_ctx_create(struct vfiodma_ctx **ctx_out);

/**
 * vfiodma_ctx_create_fd() - the same in an iommufd that is open already
 * @iommufd: it; the context has its own copy, and an address space of its own
 * @ctx_out: gets the context
 *
 * Return: 0, or -ENOSYS: @iommufd is not one; -EBADF: it is not open; -EMFILE.
 */
int vfiodma_ctx_create_fd(int iommufd, struct vfiodma_ctx **ctx_out);

/**
 * vfiodma_ctx_destroy() - unmap what is still mapped, and end the context
 * @ctx: the context, or NULL
 *
 * Memory that vfiodma_alloc() gave goes with it, the caller's own stays.
 *
 * Return: 0, or -EBUSY: there are devices open in it, which could still reach the
 * memory; nothing was done.
 */
int vfiodma_ctx_destroy(struct vfiodma_ctx *ctx);

/**
 * vfiodma_ctx_fd() - the iommufd, for ioctls that the library does not have
 * @ctx: the context
 *
 * What is mapped in its address space by other means, the library does not know.
 *
 * Return: the descriptor, which stays the context's.
 */
int vfiodma_ctx_fd(const struct vfiodma_ctx *ctx);

/**
 * vfiodma_ctx_ioas() - the address space, likewise
 * @ctx: the context
 *
 * Return: the id of the IOAS in the iommufd.
 */
uint32_t vfiodma_ctx_ioas(const struct vfiodma_ctx *ctx);

/**
 * vfiodma_ctx_lookups() - how often the kernel was asked for addresses
 * @ctx: the context
 *
 * Return: the number of IOMMU_IOAS_GET_PA calls that were answered: one for each
 * 512 pieces of memory, or, on a kernel without arrays of extents, as Linux 7.3
 * is, one for each piece; and as many for each further device that does not reach
 * all memory at its physical address.
 */
unsigned long vfiodma_ctx_lookups(struct vfiodma_ctx *ctx);

/**
 * enum vfiodma_open_flags - how to open a device
 * @VFIODMA_NO_RESET: leave it as it is: the caller stops it by its registers
 *		      before it masters the bus
 */
enum vfiodma_open_flags {
	VFIODMA_NO_RESET = 1 << 0,
};

/**
 * vfiodma_device_open() - take a PCI device that vfio-pci has
 * @ctx: the context that it gets its memory from
 * @bdf: its address, "0000:00:04.0" or "00:04.0"
 * @flags: of enum vfiodma_open_flags, or 0
 * @dev_out: gets the device
 *
 * It is bound, attached and reset, has its registers on, does not master the bus,
 * and holds its INTx line off. If it is the first device of the context, the
 * addresses of what is mapped already become known.
 *
 * Return: 0, or
 * -EINVAL: @bdf is no address, or @flags unknown;
 * -ENODEV: there is no such PCI device;
 * -EUNATCH: the device is not bound to vfio-pci;
 * -ENOSYS: this kernel can not do it: VFIO has no cdev for the device, or iommufd
 * no IOMMU_IOAS_GET_PA, or not for the addresses of this device;
 * -EACCES: the mode or owner of the cdev, or the device takes a VF token, which the
 * library does not pass; -EPERM: no CAP_SYS_RAWIO, which a device without an IOMMU
 * takes;
 * -EBUSY: it is in use, by its cdev or its group;
 * -EXDEV: the devices of the context take other addresses: they have an IOMMU and
 * this has none, their buses see memory elsewhere and its does not, or the other way
 * round, or what is mapped is elsewhere to each. Use two contexts;
 * -EADDRNOTAVAIL: something is mapped that this device does not reach, or that is no
 * longer below the max_addr that it was allocated with; -ENOBUFS: that is no longer
 * contiguous or aligned as it was. The kernel may have moved it while no device was
 * open. Free it, and allocate it anew;
 * -ENOENT: there is no /dev/vfio/devices here, as in a container that was not given
 * it; -EAGAIN: it cannot be reset now, as vfiodma_device_reset().
 */
int vfiodma_device_open(struct vfiodma_ctx *ctx, const char *bdf,
			unsigned int flags, struct vfiodma_device **dev_out);

/**
 * vfiodma_device_open_fd() - the same of a cdev that is open already
 * @ctx: the context that it gets its memory from
 * @fd: the cdev, /dev/vfio/devices/..., not bound yet. The device has its own
 *	copy; it is in use until the last one is closed, so close yours
 * @flags: of enum vfiodma_open_flags, or 0
 * @dev_out: gets the device
 *
 * Return: 0, or as vfiodma_device_open(); -EBADF: @fd is not open; -EINVAL: it is
 * no cdev of VFIO, or not that of a PCI device; -EBUSY: it is bound already, by this
 * file or another.
 */
int vfiodma_device_open_fd(struct vfiodma_ctx *ctx, int fd, unsigned int flags,
			   struct vfiodma_device **dev_out);

/**
 * vfiodma_device_close() - give a device back
 * @dev: the device, or NULL
 *
 * Takes it off the bus, detaches and closes it. The device should have been
 * stopped by its own registers. With the last device of a context, addresses are
 * no longer good: lookups give VFIODMA_NO_ADDR until another one is opened. Addresses
 * may differ then. Opening checks that memory of vfiodma_alloc() still is as it was
 * asked for.
 * Its regions are unmapped.
 */
void vfiodma_device_close(struct vfiodma_device *dev);

/**
 * vfiodma_device_fd() - the cdev, for ioctls that the library does not have
 * @dev: the device
 *
 * Return: the descriptor, which stays the device's.
 */
int vfiodma_device_fd(const struct vfiodma_device *dev);

/**
 * vfiodma_device_has_iommu() - whether an IOMMU stands between it and memory
 * @dev: the device
 *
 * Return: true if addresses are IOVAs, false if they are what the bus of the
 * device takes for physical memory, see vfiodma_device_dma_info()
 */
bool vfiodma_device_has_iommu(const struct vfiodma_device *dev);

/**
 * struct vfiodma_dma_info - what the DMA of a device is like
 * @size: sizeof(struct vfiodma_dma_info), set by the caller
 * @coherent: the device sees what is in the caches of the CPU, and the other way
 *	      round. If not, vfiodma_sync_for_device() and vfiodma_sync_for_cpu() are
 *	      needed; otherwise they keep the order and nothing else
 * @translated: the device's addresses of memory are not the CPU's physical ones;
 *		vfiodma_addr() gives the device's
 * @encrypted: the memory of this guest is encrypted: a device sees only what is
 *	       shared with the host, which memory of a process is not
 * @last_addr: the last address that the device can be given, UINT64_MAX if no limit
 *	       is known. What the device itself can put on the bus may be less
 */
struct vfiodma_dma_info {
	size_t size;
	bool coherent;
	bool translated;
	bool encrypted;
	uint64_t last_addr;
};

/**
 * vfiodma_device_dma_info() - what to know of a device before its first DMA
 * @dev: the device
 * @info: gets it; its size is to be set
 *
 * For a device behind an IOMMU addresses are IOVAs, and the last one is the
 * context's.
 *
 * Return: 0, or -EINVAL: the size is not one of the struct; -ENODATA: it has no IOMMU,
 * and this kernel tells nothing about such a device. The library takes it to reach
 * all memory by physical addresses then, as a device of a PC does.
 */
int vfiodma_device_dma_info(struct vfiodma_device *dev,
			    struct vfiodma_dma_info *info);

/**
 * vfiodma_device_has_reset() - whether it can be reset
 * @dev: the device
 *
 * Return: false if it can not: then an earlier driver may have left it at work, and
 * it has to be stopped by its registers before it masters the bus.
 */
bool vfiodma_device_has_reset(const struct vfiodma_device *dev);

/**
 * vfiodma_device_reset() - put it back to where it was when it was opened
 * @dev: the device
 *
 * It does not master the bus afterwards. Interrupts stay set.
 *
 * Return: 0, or -EOPNOTSUPP: it has no reset; -EIO: it does not answer; -EAGAIN: the
 * kernel is at work on it, for somebody who unbinds it, for one, and then until it is
 * closed. Stop it by its registers.
 */
int vfiodma_device_reset(struct vfiodma_device *dev);

/**
 * vfiodma_device_set_master() - let a device do DMA, or stop it from that
 * @dev: the device
 * @on: whether it may
 *
 * Return: 0, or -EIO: its configuration space can not be accessed, as it is gone
 * or being reset. Off has failed then, and its memory must not be used for
 * something else before the device is closed.
 */
int vfiodma_device_set_master(struct vfiodma_device *dev, bool on);

/**
 * vfiodma_device_request_fd() - who waits for the device
 * @dev: the device
 *
 * Return: an eventfd, the device's, that is readable once somebody unbinds or
 * removes the device; he waits until it is closed.
 */
int vfiodma_device_request_fd(const struct vfiodma_device *dev);

/**
 * vfiodma_device_requested() - whether somebody waits for the device
 * @dev: the device
 *
 * Return: true if a driver is to stop and close it. It stays so.
 */
bool vfiodma_device_requested(const struct vfiodma_device *dev);

/**
 * enum vfiodma_region - a part of a PCI device; 1 to 5 are the other BARs
 * @VFIODMA_BAR0: the first BAR
 * @VFIODMA_ROM: the expansion ROM
 * @VFIODMA_CONFIG: configuration space
 */
enum vfiodma_region {
	VFIODMA_BAR0 = 0,
	VFIODMA_ROM = 6,
	VFIODMA_CONFIG = 7,
};

/**
 * vfiodma_region_size() - how large a region is
 * @dev: the device
 * @region: of enum vfiodma_region
 * @size: gets the bytes that it has, 0 if the device has no such region
 *
 * Return: 0, or -EINVAL: @region is no number of one.
 */
int vfiodma_region_size(struct vfiodma_device *dev, unsigned int region,
			uint64_t *size);

/**
 * vfiodma_region_map() - registers as memory
 * @dev: the device
 * @region: of enum vfiodma_region
 * @va: gets where it is
 * @size: gets the bytes that it has; may be NULL
 *
 * Return: 0, or -EINVAL: @region is no number of one; -ENXIO: the device has no
 * such region; -EOPNOTSUPP: it can only be read and written, by
 * vfiodma_region_read() and vfiodma_region_write().
 */
int vfiodma_region_map(struct vfiodma_device *dev, unsigned int region,
		       void **va, size_t *size);

/**
 * vfiodma_region_unmap() - undo vfiodma_region_map()
 * @dev: the device
 * @va: where it is
 *
 * Return: 0, or -ENOENT: no region of the device is there.
 */
int vfiodma_region_unmap(struct vfiodma_device *dev, void *va);

/**
 * vfiodma_region_read() - read from a region, also from one that cannot be mapped,
 * such as configuration space or ports
 * @dev: the device
 * @region: of enum vfiodma_region
 * @offset: where in it
 * @data: gets what is there, in little endian; 1, 2 or 4 bytes that are aligned
 *	  are one access, in configuration space within a capability, and so are 8
 *	  in a BAR of memory where the kernel can do that
 * @size: how many bytes
 *
 * Return: 0, or -EINVAL: @region is no number of one, or has no such bytes; -EIO:
 * the device does not answer.
 */
int vfiodma_region_read(struct vfiodma_device *dev, unsigned int region,
			uint64_t offset, void *data, size_t size);

/**
 * vfiodma_region_write() - write to a region
 * @dev: the device
 * @region: of enum vfiodma_region
 * @offset: where in it
 * @data: what to write, in little endian
 * @size: how many bytes
 *
 * To turn bus mastering on or off, call vfiodma_device_set_master().
 *
 * Return: as vfiodma_region_read().
 */
int vfiodma_region_write(struct vfiodma_device *dev, unsigned int region,
			 uint64_t offset, const void *data, size_t size);

/**
 * enum vfiodma_irq - a kind of interrupts; a device can use one at a time
 * @VFIODMA_INTX: the line, which is masked after each interrupt until
 *		  vfiodma_irq_unmask()
 * @VFIODMA_MSI: messages
 * @VFIODMA_MSIX: messages, each of which has an address of its own
 */
enum vfiodma_irq {
	VFIODMA_INTX = 0,
	VFIODMA_MSI = 1,
	VFIODMA_MSIX = 2,
};

/**
 * vfiodma_irq_count() - how many vectors of a kind a device has
 * @dev: the device
 * @irq: which kind
 *
 * Return: the number, 0 if it has none of that kind, or -EINVAL: @irq is no kind.
 */
int vfiodma_irq_count(struct vfiodma_device *dev, enum vfiodma_irq irq);

/**
 * vfiodma_irq_set() - have interrupts add one to an eventfd each
 * @dev: the device
 * @irq: which kind
 * @first: the first vector
 * @count: how many
 * @eventfds: an eventfd for each, the caller's, or -1 for a vector to turn off
 *
 * The first call for a kind turns it on, with as many vectors as it names. A later
 * one can go beyond only with MSI-X, and only where the kernel can add vectors
 * later; so name all that will be used the first time, if only with -1.
 *
 * Return: 0, or -EINVAL: the device has no such vectors, another kind is on, the
 * vectors are beyond those of the first call, or a descriptor is no eventfd;
 * -EBADF: a descriptor is not open; -ENOSPC: the machine has fewer vectors left than
 * that, and none was turned on; -EBUSY: INTx, whose line is another driver's alone.
 */
int vfiodma_irq_set(struct vfiodma_device *dev, enum vfiodma_irq irq,
		    unsigned int first, unsigned int count, const int *eventfds);

/**
 * vfiodma_irq_unmask() - let INTx interrupt again
 * @dev: the device
 *
 * Return: 0, or -EINVAL: it is not on.
 */
int vfiodma_irq_unmask(struct vfiodma_device *dev);

/**
 * vfiodma_irq_disable() - turn all vectors of a kind off
 * @dev: the device
 * @irq: which kind
 *
 * Return: 0, also if they are off, or -EINVAL: @irq is no kind, or the device has
 * none of it.
 */
int vfiodma_irq_disable(struct vfiodma_device *dev, enum vfiodma_irq irq);

/**
 * enum vfiodma_memory - kinds of memory
 * @VFIODMA_SCATTERED: ordinary pages, which may lie anywhere
 * @VFIODMA_HUGE_2M: huge pages of 2 MiB
 * @VFIODMA_HUGE_1G: huge pages of 1 GiB
 * @VFIODMA_CONTIGUOUS: one piece to the device, of whatever kind of page. Up to the
 *			size of a huge page that is as good as sure where such pages
 *			were set aside. What is larger is tried, from a heap if the
 *			kernel has one, which a second context can not map (-EFAULT)
 */
enum vfiodma_memory {
	VFIODMA_SCATTERED,
	VFIODMA_HUGE_2M,
	VFIODMA_HUGE_1G,
	VFIODMA_CONTIGUOUS,
};

/**
 * vfiodma_alloc() - memory for devices, all zero
 * @ctx: the context, with a device open
 * @size: how many bytes; rounded up to whole pages of the kind
 * @kind: of enum vfiodma_memory
 * @va: gets where it is
 *
 * Return: 0, or
 * -EINVAL: @size is 0, or @kind is none;
 * -EOPNOTSUPP: this machine or kernel has no huge pages of that size;
 * -ENOBUFS: for %VFIODMA_CONTIGUOUS, no piece that is large enough could be had:
 * huge pages that are set aside help, up to the size of one, and beyond that a heap
 * of contiguous memory in /dev/dma_heap (CONFIG_DMABUF_HEAPS_CMA, cma=), which
 * does not count against RLIMIT_MEMLOCK;
 * -EADDRNOTAVAIL: devices of the context do not reach all memory, and none that they
 * reach could be had;
 * -ENOMEM: no memory, or too few huge pages were set aside; or what is mapped exceeds
 * RLIMIT_MEMLOCK, see vfiodma_map();
 * or as vfiodma_map().
 */
int vfiodma_alloc(struct vfiodma_ctx *ctx, size_t size,
		  enum vfiodma_memory kind, void **va);

/**
 * struct vfiodma_alloc_options - what memory has to be like
 * @size: sizeof(struct vfiodma_alloc_options), set by the caller
 * @memory: the kind
 * @max_addr: the last address that a byte of it may have to a device; 0: no limit but
 *	      that of the devices. For a device whose registers take 32 bits: UINT32_MAX
 * @alignment: the power of two that the address is to be a multiple of; 0: any. For
 *	       %VFIODMA_CONTIGUOUS the address of the first byte, otherwise that of
 *	       each page, which then has to be as large
 */
struct vfiodma_alloc_options {
	size_t size;
	enum vfiodma_memory memory;
	uint64_t max_addr;
	uint64_t alignment;
};

/**
 * vfiodma_alloc_with() - memory for devices that has to be at certain addresses
 * @ctx: the context, with a device open
 * @size: how many bytes; rounded up to whole pages of the kind
 * @options: what it has to be like
 * @va: gets where it is; vfiodma_free() frees it
 *
 * Linux does not let a program choose. Memory is had and looked up, and what does not
 * fit is exchanged for other memory, seven times at most. While that lasts it counts
 * against RLIMIT_MEMLOCK as often. The machine uses its low memory last: where
 * it has much more memory than is below the limit, call this early, and have huge
 * pages set aside.
 *
 * Return: 0, or as vfiodma_alloc(), and
 * -EINVAL: the size in @options is not one of the struct, the alignment is no power of
 * two, or larger than a page of the kind;
 * -E2BIG: @options has something that this version of the library does not know;
 * -EADDRNOTAVAIL: no memory could be had that is up to @max_addr, and that the
 * devices of the context reach;
 * -ENOBUFS: no memory could be had that is aligned, or contiguous.
 */
int vfiodma_alloc_with(struct vfiodma_ctx *ctx, size_t size,
		       const struct vfiodma_alloc_options *options, void **va);

/**
 * vfiodma_free() - unmap and free what vfiodma_alloc() gave
 * @ctx: the context
 * @va: where it is
 *
 * No device may use the memory any more: see vfiodma_unmap().
 *
 * Return: 0, or -ENOENT: it is not what vfiodma_alloc() gave.
 */
int vfiodma_free(struct vfiodma_ctx *ctx, void *va);

/**
 * enum vfiodma_map_flags - how to map memory
 * @VFIODMA_READ_ONLY: devices only read it. An IOMMU sees to that; without one,
 *		       nothing does
 */
enum vfiodma_map_flags {
	VFIODMA_READ_ONLY = 1 << 0,
};

/**
 * vfiodma_map() - give the caller's own memory to the devices of a context
 * @ctx: the context, with a device open
 * @va: where it is, at the beginning of a page
 * @size: how many bytes, whole pages
 * @flags: of enum vfiodma_map_flags, or 0
 * @pieces: gets the pieces that it is to a device, in order, as far as there is
 *	    room; each iov_base is an address for the device, no pointer. May be NULL
 * @count: the room in @pieces; gets the number of pieces, which may be more than
 *	   that. May be NULL
 *
 * The memory is pinned: it stays where it is until it is unmapped, or the last
 * device of the context is closed. The process must not remove or replace it
 * before that; where it does, the old pages stay the device's.
 *
 * Return: 0, or
 * -EINVAL: @va or @size are no whole pages, or @flags unknown;
 * -ENODEV: no device is open: there is nobody whose addresses these could be;
 * -EEXIST: some of the memory is mapped already;
 * -EFAULT: there is no memory there, it can not be written to, or not be pinned;
 * -ERANGE: it lies beyond 2^48;
 * -EADDRNOTAVAIL: a device of the context does not reach all of it;
 * -EXDEV: it is elsewhere to each of the devices of the context: use a context for
 * each;
 * -ENOMEM: no memory; or, without CAP_IPC_LOCK, what is mapped in all contexts of
 * the user exceeds RLIMIT_MEMLOCK ("ulimit -l", "LimitMEMLOCK=" of systemd);
 * -EPERM: CAP_SYS_RAWIO has been dropped.
 */
int vfiodma_map(struct vfiodma_ctx *ctx, void *va, size_t size,
		unsigned int flags, struct iovec *pieces, size_t *count);

/**
 * vfiodma_unmap() - take memory away from devices
 * @ctx: the context
 * @va: where it begins, as it was mapped: all of it goes
 *
 * It is no longer pinned. A device without an IOMMU can still reach it: the caller
 * sees to it before that no device was left an address of it, and that no other
 * thread is about to hand one out. Whoever looks it up from now on gets
 * VFIODMA_NO_ADDR.
 *
 * Return: 0, or -ENOENT: nothing is mapped that begins there.
 */
int vfiodma_unmap(struct vfiodma_ctx *ctx, const void *va);

/**
 * vfiodma_addr() - what to tell a device
 * @ctx: the context
 * @va: any byte of memory that is mapped
 *
 * A look into a table, without a lock or a system call. Good as far as the end of
 * the page, of 4 KiB unless it is known to be larger; vfiodma_sg() tells how it
 * goes on.
 *
 * Return: the address, or VFIODMA_NO_ADDR: it is not mapped, or no device is open.
 */
uint64_t vfiodma_addr(const struct vfiodma_ctx *ctx, const void *va);

/**
 * vfiodma_sg() - a scatter list
 * @ctx: the context
 * @va: any byte of memory that is mapped
 * @length: how many bytes, also across mappings that lie side by side
 * @pieces: gets the pieces that this is to a device, in order; each iov_base is
 *	    an address for the device, no pointer. NULL to count them
 * @room: of @pieces
 *
 * A look into the same table as vfiodma_addr()'s for each page.
 *
 * Return: the number of pieces, or -ENOENT: some of it is not mapped, or no device
 * is open; -ENOSPC: there are more than @room, of which the first are there.
 */
ssize_t vfiodma_sg(const struct vfiodma_ctx *ctx, const void *va, size_t length,
		   struct iovec *pieces, size_t room);

/**
 * vfiodma_sync_for_device() - hand memory over to a device
 * @dev: the device
 * @va: where it is, any byte
 * @size: how many bytes
 *
 * After the CPU has written it, and before the device is told to read it or to write
 * it: what the caches have goes to memory, and the device sees it before what the CPU
 * writes then, a doorbell, for one. Until vfiodma_sync_for_cpu() the CPU is not
 * to write to it, nor to anything else in its cache lines: what the device writes
 * could be lost. Whole pages share none.
 *
 * Return: 0, also for a coherent device, where only the order is left to do, or
 * -EOPNOTSUPP: the device is not coherent, or, on an architecture other than x86, not
 * known to be, and a program can do nothing about that here: it can on arm64.
 */
int vfiodma_sync_for_device(const struct vfiodma_device *dev, const void *va,
			    size_t size);

/**
 * vfiodma_sync_for_cpu() - take memory back from a device
 * @dev: the device
 * @va: where it is, any byte
 * @size: how many bytes
 *
 * After the device has written it, and before the CPU reads it, each time: what the
 * caches have of it is no longer used, and it is read after what the CPU has read
 * before, that the device is done, for one. The memory has to be one that
 * vfiodma_sync_for_device() was called for.
 *
 * Return: as vfiodma_sync_for_device().
 */
int vfiodma_sync_for_cpu(const struct vfiodma_device *dev, const void *va,
			 size_t size);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* VFIODMA_H */
