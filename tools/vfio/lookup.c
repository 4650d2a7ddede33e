// SPDX-License-Identifier: GPL-2.0
/*
 * Where memory is to the devices of a context: IOMMU_IOAS_GET_PA tells of those
 * without an IOMMU, once when it is mapped, since the answer does not change. To
 * those behind one, memory is where it was mapped.
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

/*
 * Asks for the address of the last possible byte, which is not mapped, as IOVAs do
 * not go that far up. How the kernel refuses tells what it can answer. E2BIG is
 * what a kernel says that takes a struct without the array.
 */
int lookup_probe(struct vfiodma_ctx *ctx)
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

	if (ctx->has_iommu)
		return 0;
	err = ask(ctx, &get);
	if (err == -E2BIG) {
		get.size = SIZE_WITHOUT;
		err = ask(ctx, &get);
	}
	if (err == -ENOTTY)
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
static int get_extents(struct vfiodma_ctx *ctx, uint64_t iova, uint64_t length,
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

	err = ask(ctx, &get);
	if (err)
		return err;
	ctx->lookups++;
	*count = get.num_extents;
	if (get.size == SIZE_WITHOUT) {
		extents->phys = get.out_phys;
		extents->length = get.length;
		*count = 1;
	}
	return *count ? 0 : -EIO;
}

static int fill_some(struct vfiodma_ctx *ctx, const struct mapping *mapping,
		     size_t *done)
{
	struct abi_pa_extent extents[EXTENTS];
	unsigned int count, i;
	uint64_t length;
	int err;

	err = get_extents(ctx, mapping->iova + *done, mapping->size - *done,
			  extents, &count);
	for (i = 0; !err && i < count; i++) {
		length = extents[i].length;
		/* 7.3 may tell of what comes after the mapping. */
		if (length > mapping->size - *done)
			length = mapping->size - *done;
		err = length ? table_set(&ctx->table, mapping->va + *done,
					 extents[i].phys, length) : -EIO;
		*done += length;
	}
	return err;
}

/* All of a mapping or, with an error, nothing */
int lookup_fill(struct vfiodma_ctx *ctx, const struct mapping *mapping)
{
	size_t done = 0;
	int err = 0;

	if (ctx->has_iommu)
		err = table_set(&ctx->table, mapping->va, mapping->iova,
				mapping->size);
	while (!ctx->has_iommu && !err && done < mapping->size)
		err = fill_some(ctx, mapping, &done);
	if (err)
		table_clear(&ctx->table, mapping->va, mapping->size);
	return err;
}
