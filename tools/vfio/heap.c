// SPDX-License-Identifier: GPL-2.0
/*
 * Contiguous memory of the kernel's, beyond what a huge page has: a heap of dma-bufs,
 * where the kernel has one. It never was memory of a process, so it is mapped by its
 * descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "abi.h"
#include "internal.h"

/* What different kernels call it */
static const char *const heaps[] = {
	"/dev/dma_heap/default_cma_region",
	"/dev/dma_heap/reserved",
	"/dev/dma_heap/linux,cma",
};

static int heap_open(void)
{
	size_t i;
	int fd;

	for (i = 0; i < sizeof(heaps) / sizeof(*heaps); i++) {
		fd = open(heaps[i], O_RDONLY | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			return fd < 0 ? -errno : fd;
	}
	return -EOPNOTSUPP;
}

/* A dma-buf of zeroes in one piece; its descriptor */
static int heap_alloc(size_t size)
{
	struct abi_heap_alloc alloc = {
		.len = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = heap_open(), err = 0;

	if (heap < 0)
		return heap;
	if (ioctl(heap, ABI_HEAP_ALLOC, &alloc))
		err = -errno;
	close(heap);
	return err ? err : (int)alloc.fd;
}

/*
 * @fd_out is for mapping it, and can be closed then. -EOPNOTSUPP: there is no such heap,
 * or not for this user.
 */
int heap_get(size_t size, void **va, int *fd_out)
{
	int fd = heap_alloc(size), err;

	if (fd == -EACCES || fd == -EPERM)
		return -EOPNOTSUPP;
	if (fd < 0)
		return fd;
	*va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*va == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	*fd_out = fd;
	return 0;
}
