/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_HEAP_H
#define TESTS_LIB_HEAP_H

/* dma-bufs that are memory. A descriptor, or a negative errno. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/memfd.h>
#include <linux/types.h>
#include <linux/udmabuf.h>

#define HEAP_SYSTEM		"/dev/dma_heap/system"
#define HEAP_CMA		"/dev/dma_heap/default_cma_region"

static inline int heap_alloc(const char *heap, __u64 size)
{
	struct dma_heap_allocation_data data = {
		.len = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int fd = open(heap, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno : (int)data.fd;
	close(fd);
	return ret;
}

/* A file that udmabuf takes */
static inline int memfd_sealed(__u64 size, unsigned int flags)
{
	int fd = memfd_create("heap", MFD_ALLOW_SEALING | flags);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static inline int udmabuf_create(int memfd, __u64 offset, __u64 size)
{
	struct udmabuf_create create = {
		.memfd = memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = offset,
		.size = size,
	};
	int fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, UDMABUF_CREATE, &create);
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* How many dma-bufs there are in the whole system */
static inline int dma_bufs(void)
{
	FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "r");
	char line[256];
	int nr = -1;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		sscanf(line, "Total %d objects", &nr);
	fclose(file);
	return nr;
}

/* They go a little after what holds them: returns how many there are at last */
static inline int dma_bufs_wait(int expected)
{
	int i, nr = dma_bufs();

	for (i = 0; i < 5000 && nr != expected; i++) {
		usleep(1000);
		nr = dma_bufs();
	}
	return nr;
}

#endif /* TESTS_LIB_HEAP_H */
