// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping: memory that devices can reach. It is pinned while it is mapped and a
 * device is attached, and stays where it is. mlock() does not give that: a locked
 * page stays in memory, but not where it is.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "internal.h"

/* Those that have something in common count as equal, so that they are found. */
static int compare(const void *left, const void *right)
{
	const struct mapping *a = left, *b = right;

	if (a->va + a->size <= b->va)
		return -1;
	return a->va >= b->va + b->size;
}

static int insert(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	struct mapping **found = tsearch(mapping, &ctx->tree, compare);

	if (!found)
		return -ENOMEM;
	if (*found != mapping)
		return -EEXIST;
	mapping->next = ctx->mappings;
	if (mapping->next)
		mapping->next->prev = mapping;
	ctx->mappings = mapping;
	return 0;
}

static void delete(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	tdelete(mapping, &ctx->tree, compare);
	if (mapping->next)
		mapping->next->prev = mapping->prev;
	if (mapping->prev)
		mapping->prev->next = mapping->next;
	else
		ctx->mappings = mapping->next;
}

/* The mapping that begins there, or NULL */
struct mapping *map_find(struct vfiodma_ctx *ctx, const void *va)
{
	struct mapping key = { .va = (uintptr_t)va, .size = 1 };
	struct mapping **found = tfind(&key, &ctx->tree, compare);

	return found && (*found)->va == key.va ? *found : NULL;
}

/* The kernel chooses the IOVA. */
static int map(struct vfiodma_ctx *ctx, struct mapping *mapping,
	       unsigned int flags)
{
	struct abi_ioas_map map = {
		.size = sizeof(map),
		.flags = ABI_MAP_READABLE,
		.ioas_id = ctx->ioas_id,
		.user_va = mapping->va,
		.length = mapping->size,
	};

	if (!(flags & VFIODMA_READ_ONLY))
		map.flags |= ABI_MAP_WRITEABLE;
	if (ioctl(ctx->iommufd, ABI_IOAS_MAP, &map))
		return -errno;
	mapping->iova = map.iova;
	return 0;
}

static void unmap(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	struct abi_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ctx->ioas_id,
		.iova = mapping->iova,
		.length = mapping->size,
	};

	ioctl(ctx->iommufd, ABI_IOAS_UNMAP, &unmap);
}

/* Nobody gets the address any more when the memory may move. */
void map_drop(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	table_clear(&ctx->table, mapping->va, mapping->size);
	unmap(ctx, mapping);
	delete(ctx, mapping);
	free(mapping);
}

int map_add(struct vfiodma_ctx *ctx, void *va, size_t size, unsigned int flags,
	    struct mapping **mapping_out)
{
	struct mapping *mapping;
	int err;

	if (!ctx->devices)
		return -ENODEV;
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return -ENOMEM;
	mapping->va = (uintptr_t)va;
	mapping->size = size;
	err = insert(ctx, mapping);
	if (err) {
		free(mapping);
		return err;
	}
	err = map(ctx, mapping, flags);
	if (err) {
		delete(ctx, mapping);
		free(mapping);
		return err;
	}
	err = lookup_fill(ctx, mapping);
	if (err)
		map_drop(ctx, mapping);
	else
		*mapping_out = mapping;
	return err;
}

/* With the first device, what was mapped before gets addresses. */
int map_enter(struct vfiodma_ctx *ctx)
{
	struct mapping *mapping;
	int err;

	err = lookup_probe(ctx);
	for (mapping = ctx->mappings; mapping && !err; mapping = mapping->next)
		err = lookup_fill(ctx, mapping);
	if (err)
		map_leave(ctx);
	return err;
}

/* With the last device, it is unpinned, and they are no longer good. */
void map_leave(struct vfiodma_ctx *ctx)
{
	struct mapping *mapping;

	for (mapping = ctx->mappings; mapping; mapping = mapping->next)
		table_clear(&ctx->table, mapping->va, mapping->size);
}

static int check(const void *va, size_t size, unsigned int flags)
{
	uintptr_t page = sysconf(_SC_PAGESIZE), start = (uintptr_t)va;

	if (!size || (start | size) & (page - 1) || flags & ~VFIODMA_READ_ONLY)
		return -EINVAL;
	if (start >> VA_BITS || size > (UINT64_C(1) << VA_BITS) - start)
		return -ERANGE;
	return 0;
}

static void give_pieces(struct vfiodma_ctx *ctx, const void *va, size_t size,
			struct iovec *pieces, size_t *count)
{
	if (pieces && count)
		vfiodma_sg(ctx, va, size, pieces, *count);
	if (count)
		*count = vfiodma_sg(ctx, va, size, NULL, 0);
}

int vfiodma_map(struct vfiodma_ctx *ctx, void *va, size_t size,
		unsigned int flags, struct iovec *pieces, size_t *count)
{
	struct mapping *mapping;
	int err;

	err = check(va, size, flags);
	if (err)
		return err;
	ctx_lock(ctx);
	err = map_add(ctx, va, size, flags, &mapping);
	if (!err)
		give_pieces(ctx, va, size, pieces, count);
	ctx_unlock(ctx);
	return err;
}

int vfiodma_unmap(struct vfiodma_ctx *ctx, const void *va)
{
	struct mapping *mapping;

	ctx_lock(ctx);
	mapping = map_find(ctx, va);
	if (mapping && !mapping->allocated)
		map_drop(ctx, mapping);
	else
		mapping = NULL;
	ctx_unlock(ctx);
	return mapping ? 0 : -ENOENT;
}
