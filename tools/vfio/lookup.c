// SPDX-License-Identifier: GPL-2.0
/*
 * Where memory is to the devices of a context: IOMMU_IOAS_GET_PA tells of those
 * without an IOMMU, once when it is mapped, since the answer does not change. To
 * those behind one, memory is where it was mapped.
 *
 * Where nothing is known of a device that speaks against it, it takes the physical
 * address. Otherwise the kernel is asked for its own addresses. There is one table:
 * it is filled for the oldest device, and every other one whose addresses could be
 * different is compared with it.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "internal.h"

#define EXTENTS		512

/* 7.3's struct ends before the array. */
#define SIZE_WITHOUT	offsetof(struct abi_ioas_get_pa, num_extents)

static int ask(struct vfiodma_ctx *ctx, struct abi_ioas_get_pa *get)
{
	return ioctl(ctx->iommufd, ABI_IOAS_GET_PA, get) ? -errno : 0;
}

/* Whose addresses are asked for: the device's own, or the physical ones */
static void ask_for(struct abi_ioas_get_pa *get, const struct vfiodma_device *dev)
{
	if (!reach_is_special(dev))
		return;
	get->flags = ABI_GET_PA_DEVICE;
	get->dev_id = dev->id;
}

/*
 * Asks for the address of the last possible byte, which is not mapped, as IOVAs do
 * not go that far up. How the kernel refuses tells what it can answer. E2BIG is
 * what a kernel says that takes a struct without the array.
 */
int lookup_probe(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev)
{
	struct abi_pa_extent extent;
	struct abi_ioas_get_pa get = {
		.size = sizeof(get),
		.ioas_id = ctx->ioas_id,
		.iova = INT64_MAX,
		.length = 1,
		.num_extents = 1,
		.extents_uptr = (uintptr_t)&extent,
	};
	int err;

	if (dev->has_iommu)
		return 0;
	ask_for(&get, dev);
	err = ask(ctx, &get);
	if (err == -E2BIG) {
		get.size = SIZE_WITHOUT;
		err = ask(ctx, &get);
	}
	/* The lookup, or the flag: physical addresses would be wrong ones then. */
	if (err == -ENOTTY || (err == -EOPNOTSUPP && get.flags))
		return -ENOSYS;
	if (err && err != -ENOENT)
		return err;
	ctx->get_pa_size = get.size;
	return 0;
}

/*
 * As much as one call tells, of what is left of a mapping. Without the array, the
 * answer is the first piece.
 */
static int get_extents(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev,
		       uint64_t iova, uint64_t length,
		       struct abi_pa_extent *extents, unsigned int *count)
{
	struct abi_ioas_get_pa get = {
		.size = ctx->get_pa_size,
		.ioas_id = ctx->ioas_id,
		.iova = iova,
		.length = length,
		.num_extents = EXTENTS,
		.extents_uptr = (uintptr_t)extents,
	};
	int err;

	ask_for(&get, dev);
	err = ask(ctx, &get);
	if (err)
		return err == -ERANGE ? -EADDRNOTAVAIL : err;
	ctx->lookups++;
	*count = get.num_extents;
	if (get.size == SIZE_WITHOUT) {
		extents->phys = get.out_phys;
		extents->length = get.length;
		*count = 1;
	}
	return *count ? 0 : -EIO;
}

/* That a device takes the addresses which are in the table, where there are any */
static int compare(struct vfiodma_ctx *ctx, uint64_t va, uint64_t addr,
		   uint64_t length)
{
	uint64_t end = va + length, found, run;

	for (; va < end; va += run, addr += run) {
		found = table_get_run(&ctx->table, va, &run);
		if (found != NO_ADDR && found != addr)
			return -EXDEV;
	}
	return 0;
}

/* Fills the table for the oldest device, and compares for any other. */
static int note(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev,
		uint64_t va, uint64_t addr, uint64_t length)
{
	if (!length)
		return -EIO;
	return dev == ctx->devices ? table_set(&ctx->table, va, addr, length) :
				     compare(ctx, va, addr, length);
}

static int look_up_some(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev,
			const struct mapping *mapping, size_t *done)
{
	struct abi_pa_extent extents[EXTENTS];
	unsigned int count, i;
	uint64_t length;
	int err;

	err = get_extents(ctx, dev, mapping->iova + *done, mapping->size - *done,
			  extents, &count);
	for (i = 0; !err && i < count; i++) {
		length = extents[i].length;
		/* 7.3 may tell of what comes after the mapping. */
		if (length > mapping->size - *done)
			length = mapping->size - *done;
		err = note(ctx, dev, mapping->va + *done, extents[i].phys, length);
		*done += length;
	}
	return err;
}

/* With @partly, what the device does not reach has no address, and is no error. */
static int look_up(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev,
		   const struct mapping *mapping, bool partly)
{
	size_t done = 0;
	int err = 0;

	while (!err && done < mapping->size) {
		err = look_up_some(ctx, dev, mapping, &done);
		if (err == -EADDRNOTAVAIL && partly) {
			table_clear(&ctx->table, mapping->va + done, UNIT_SIZE);
			done += UNIT_SIZE;
			err = 0;
		}
	}
	return err;
}

/* All of a mapping or, with an error, nothing */
int lookup_fill(struct vfiodma_ctx *ctx, const struct mapping *mapping,
		bool partly)
{
	const struct vfiodma_device *dev = ctx->devices;
	int err;

	if (ctx->has_iommu)
		err = table_set(&ctx->table, mapping->va, mapping->iova,
				mapping->size);
	else
		err = look_up(ctx, dev, mapping, partly);
	for (dev = dev->next; dev && !err; dev = dev->next)
		if (reach_is_special(dev))
			err = look_up(ctx, dev, mapping, partly);
	if (err)
		table_clear(&ctx->table, mapping->va, mapping->size);
	return err;
}

/* That a device can share what the table has of a mapping */
int lookup_check(struct vfiodma_ctx *ctx, const struct vfiodma_device *dev,
		 const struct mapping *mapping)
{
	return reach_is_special(dev) ? look_up(ctx, dev, mapping, false) : 0;
}
