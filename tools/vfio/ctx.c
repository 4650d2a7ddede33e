// SPDX-License-Identifier: GPL-2.0
/* Contexts: an iommufd, an address space in it, and what is known of both */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "internal.h"

#define TEXT_OF(x)	#x
#define TEXT(x)		TEXT_OF(x)

const char *vfiodma_version(void)
{
	return TEXT(VFIODMA_VERSION_MAJOR) "." TEXT(VFIODMA_VERSION_MINOR);
}

void ctx_lock(struct vfiodma_ctx *ctx)
{
	pthread_mutex_lock(&ctx->lock);
}

void ctx_unlock(struct vfiodma_ctx *ctx)
{
	pthread_mutex_unlock(&ctx->lock);
}

static int alloc_ioas(int iommufd, uint32_t *id)
{
	struct abi_ioas_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(iommufd, ABI_IOAS_ALLOC, &alloc))
		return errno == ENOTTY ? -ENOSYS : -errno;
	*id = alloc.out_ioas_id;
	return 0;
}

static void destroy_ioas(const struct vfiodma_ctx *ctx)
{
	struct abi_destroy destroy = {
		.size = sizeof(destroy),
		.id = ctx->ioas_id,
	};

	/* Copies of the iommufd may live on. If it is used there, it stays. */
	ioctl(ctx->iommufd, ABI_DESTROY, &destroy);
}

/* Takes the descriptor over, whatever comes of it. */
static int create(int iommufd, struct vfiodma_ctx **ctx_out)
{
	struct vfiodma_ctx *ctx = calloc(1, sizeof(*ctx));
	int err = ctx ? alloc_ioas(iommufd, &ctx->ioas_id) : -ENOMEM;

	if (err) {
		free(ctx);
		close(iommufd);
		return err;
	}
	ctx->iommufd = iommufd;
	table_init(&ctx->table);
	pthread_mutex_init(&ctx->lock, NULL);
	*ctx_out = ctx;
	return 0;
}

int vfiodma_ctx_create(struct vfiodma_ctx **ctx_out)
{
	int iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (iommufd >= 0)
		return create(iommufd, ctx_out);
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return -ENOSYS;
	return -errno;
}

int vfiodma_ctx_create_fd(int iommufd, struct vfiodma_ctx **ctx_out)
{
	int copy = fcntl(iommufd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : create(copy, ctx_out);
}

int vfiodma_ctx_destroy(struct vfiodma_ctx *ctx)
{
	struct mapping *mapping;
	bool busy;

	if (!ctx)
		return 0;
	ctx_lock(ctx);
	busy = ctx->devices;
	while (!busy && (mapping = ctx->mappings)) {
		uintptr_t va = mapping->va;
		size_t size = mapping->size;
		bool allocated = mapping->allocated;

		map_drop(ctx, mapping);
		if (allocated)
			memory_free((void *)va, size);
	}
	ctx_unlock(ctx);
	if (busy)
		return -EBUSY;
	destroy_ioas(ctx);
	close(ctx->iommufd);
	table_end(&ctx->table);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx);
	return 0;
}

int vfiodma_ctx_fd(const struct vfiodma_ctx *ctx)
{
	return ctx->iommufd;
}

uint32_t vfiodma_ctx_ioas(const struct vfiodma_ctx *ctx)
{
	return ctx->ioas_id;
}

unsigned long vfiodma_ctx_lookups(struct vfiodma_ctx *ctx)
{
	unsigned long lookups;

	ctx_lock(ctx);
	lookups = ctx->lookups;
	ctx_unlock(ctx);
	return lookups;
}
