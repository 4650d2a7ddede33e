/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of libvfiodma have in common.
 *
 *	ctx.c		contexts
 *	sysfs.c		from the address of a device to its node
 *	device.c	opening a device, and what it may do on the bus
 *	reach.c		what its DMA can reach, and how
 *	region.c	its registers
 *	irq.c		its interrupts
 *	memory.c	allocation
 *	heap.c		memory of the kernel's, in one piece
 *	map.c		mapping
 *	lookup.c	asking the kernel for addresses
 *	table.c		the table that answers without it
 *	sg.c		the questions that it answers
 *	cache.c		caches that a device does not see
 */
#ifndef INTERNAL_H
#define INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"
#include "vfiodma.h"

/**
 * struct wanted - what memory has to be like
 * @unit: how much of it is exchanged at a time: a page, or all of it
 * @max_addr: the last address that a device may be given
 * @alignment: of the address of a unit
 * @contiguous: it is one piece, and one unit
 */
struct wanted {
	size_t unit;
	uint64_t max_addr;
	uint64_t alignment;
	bool contiguous;
};

/**
 * struct mapping - memory that devices can reach
 * @prev: of all of the context
 * @next: of all of the context
 * @va: where it is, in whole pages
 * @size: how many bytes
 * @iova: where it is in the IOAS
 * @allocated: vfiodma_alloc() gave it
 * @wanted: what it was to be like then
 */
struct mapping {
	struct mapping *prev;
	struct mapping *next;
	uintptr_t va;
	size_t size;
	uint64_t iova;
	bool allocated;
	struct wanted wanted;
};

/**
 * struct vfiodma_ctx - an address space
 * @table: where memory is to devices
 * @lock: for all of the rest, and for who writes the table
 * @iommufd: the iommufd
 * @ioas_id: the IOAS in it
 * @devices: the list of those that are attached, the oldest first
 * @has_iommu: they are behind one
 * @translated: they are not, and take other addresses than the CPU
 * @get_pa_size: the size of struct abi_ioas_get_pa that the kernel takes
 * @lookups: calls that it has answered
 * @mappings: the list of all
 * @tree: all of them by address, see tsearch()
 */
struct vfiodma_ctx {
	struct table table;
	pthread_mutex_t lock;
	int iommufd;
	uint32_t ioas_id;
	struct vfiodma_device *devices;
	bool has_iommu;
	bool translated;
	uint32_t get_pa_size;
	unsigned long lookups;
	struct mapping *mappings;
	void *tree;
};

/**
 * struct mapped_region - registers of a device, as memory
 * @next: of all of the device
 * @va: where it is
 * @size: how many bytes
 */
struct mapped_region {
	struct mapped_region *next;
	void *va;
	size_t size;
};

/**
 * struct reach - what the DMA of a device can reach, and how
 * @known: the kernel has said so. If not, it is taken to reach all memory, at the
 *	   CPU's addresses
 * @coherent: DMA is coherent with the CPU's caches
 * @translated: the device's addresses differ from the CPU's
 * @encrypted: memory is encrypted, but for what is shared with the host
 * @last_addr: the last address of the device
 */
struct reach {
	bool known;
	bool coherent;
	bool translated;
	bool encrypted;
	uint64_t last_addr;
};

/**
 * struct vfiodma_device - a device that is open
 * @ctx: the context that it is attached to
 * @next: of all that are attached to it
 * @lock: for @irqs, @regions, and the command register
 * @fd: its cdev
 * @request: eventfd, readable when it is asked for
 * @flags: of struct vfio_device_info
 * @id: of the device in the iommufd
 * @has_iommu: it is behind one
 * @reach: if it is not
 * @attached: to the context's IOAS
 * @irqs: a bit for each enum vfiodma_irq that is on
 * @regions: those that are mapped, which keep the file open
 */
struct vfiodma_device {
	struct vfiodma_ctx *ctx;
	struct vfiodma_device *next;
	pthread_mutex_t lock;
	int fd;
	int request;
	uint32_t flags;
	uint32_t id;
	bool has_iommu;
	struct reach reach;
	bool attached;
	unsigned int irqs;
	struct mapped_region *regions;
};

/* ctx.c */
void ctx_lock(struct vfiodma_ctx *ctx);
void ctx_unlock(struct vfiodma_ctx *ctx);

/* sysfs.c */
int sysfs_find_node(const char *bdf, char *path, size_t size);
int sysfs_check_node(int fd, bool *has_iommu);

/* irq.c */
int irq_set(struct vfiodma_device *dev, unsigned int index, unsigned int first,
	    unsigned int count, const int *eventfds);

/* region.c */
int region_set_command(struct vfiodma_device *dev, uint16_t clear, uint16_t set);
void region_unmap_all(struct vfiodma_device *dev);

/* reach.c */
int reach_read(struct vfiodma_device *dev);
bool reach_is_special(const struct vfiodma_device *dev);

/* map.c; under the context's lock */
bool map_accepts(const struct vfiodma_ctx *ctx, const struct vfiodma_device *dev);
int map_enter(struct vfiodma_ctx *ctx, struct vfiodma_device *dev);
void map_leave(struct vfiodma_ctx *ctx, struct vfiodma_device *dev);
int map_add(struct vfiodma_ctx *ctx, void *va, size_t size, int fd,
	    unsigned int flags, bool partly, struct mapping **mapping_out);
void map_drop(struct vfiodma_ctx *ctx, struct mapping *mapping);
uint64_t map_hold(struct vfiodma_ctx *ctx, struct mapping *mapping);
void map_release(struct vfiodma_ctx *ctx, uint64_t iova, size_t size);
struct mapping *map_find(struct vfiodma_ctx *ctx, const void *va);

/* memory.c */
int memory_check(struct vfiodma_ctx *ctx, const struct mapping *mapping);
void memory_free(void *va, size_t size);

/* heap.c */
int heap_get(size_t size, void **va, int *fd_out);

/* lookup.c; under the context's lock */
int lookup_probe(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev);
int lookup_fill(struct vfiodma_ctx *ctx, const struct mapping *mapping,
		bool partly);
int lookup_check(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev,
		 const struct mapping *mapping);

#endif /* INTERNAL_H */
