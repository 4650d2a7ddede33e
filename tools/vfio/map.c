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
static int map_file(struct vfiodma_ctx *ctx, struct mapping *mapping, int fd)
{
	struct abi_ioas_map_file map = {
		.size = sizeof(map),
		.flags = ABI_MAP_READABLE | ABI_MAP_WRITEABLE,
		.ioas_id = ctx->ioas_id,
		.fd = fd,
		.length = mapping->size,
	};

	if (ioctl(ctx->iommufd, ABI_IOAS_MAP_FILE, &map))
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	mapping->iova = map.iova;
	return 0;
}

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

static void forget(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	delete(ctx, mapping);
	free(mapping);
}

/* Without a lookup: it stays pinned until map_release(), and has no address. */
uint64_t map_hold(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	uint64_t iova = mapping->iova;

	table_clear(&ctx->table, mapping->va, mapping->size);
	forget(ctx, mapping);
	return iova;
}

void map_release(struct vfiodma_ctx *ctx, uint64_t iova, size_t size)
{
	struct abi_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ctx->ioas_id,
		.iova = iova,
		.length = size,
	};

	ioctl(ctx->iommufd, ABI_IOAS_UNMAP, &unmap);
}

/* Nobody gets the address any more when the memory may move. */
void map_drop(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	size_t size = mapping->size;

	map_release(ctx, map_hold(ctx, mapping), size);
}

/*
 * With @partly, memory that devices do not reach is mapped too, and has no address:
 * the caller looks for it, and gives it to nobody. @fd is the dma-buf that the memory is
 * of, or -1.
 */
int map_add(struct vfiodma_ctx *ctx, void *va, size_t size, int fd,
	    unsigned int flags, bool partly, struct mapping **mapping_out)
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
	err = fd < 0 ? map(ctx, mapping, flags) : map_file(ctx, mapping, fd);
	if (err) {
		forget(ctx, mapping);
		return err;
	}
	err = lookup_fill(ctx, mapping, partly);
	if (err)
		map_drop(ctx, mapping);
	else
		*mapping_out = mapping;
	return err;
}

/* Devices that are sure to take different addresses do not share a context. */
bool map_accepts(const struct vfiodma_ctx *ctx, const struct vfiodma_device *dev)
{
	return !ctx->devices || (ctx->has_iommu == dev->has_iommu &&
				 ctx->translated == dev->reach.translated);
}

static struct vfiodma_device **end_of_list(struct vfiodma_ctx *ctx)
{
	struct vfiodma_device **link = &ctx->devices;

	while (*link)
		link = &(*link)->next;
	return link;
}

static int fill(struct vfiodma_ctx *ctx, struct mapping *mapping)
{
	int err = lookup_fill(ctx, mapping, false);

	return err ? err : memory_check(ctx, mapping);
}

/*
 * With the first device, what was mapped before gets addresses. A later one has to
 * take those that are there.
 */
int map_enter(struct vfiodma_ctx *ctx, struct vfiodma_device *dev)
{
	bool first = !ctx->devices;
	struct mapping *mapping;
	int err;

	err = lookup_probe(ctx, dev);
	if (err)
		return err;
	ctx->has_iommu = dev->has_iommu;
	ctx->translated = dev->reach.translated;
	dev->next = NULL;
	*end_of_list(ctx) = dev;
	for (mapping = ctx->mappings; mapping && !err; mapping = mapping->next)
		err = first ? fill(ctx, mapping) :
			      lookup_check(ctx, dev, mapping);
	if (err)
		map_leave(ctx, dev);
	return err;
}

/* With the last device, memory is unpinned, and its addresses are no longer good. */
void map_leave(struct vfiodma_ctx *ctx, struct vfiodma_device *dev)
{
	struct vfiodma_device **link = &ctx->devices;
	struct mapping *mapping;

	while (*link && *link != dev)
		link = &(*link)->next;
	if (*link)
		*link = dev->next;
	if (ctx->devices)
		return;
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
	err = map_add(ctx, va, size, -1, flags, false, &mapping);
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
