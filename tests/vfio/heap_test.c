// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs that are memory, of heaps and of udmabuf, in the IOAS of a device
 * without an IOMMU. Where the memory of a udmabuf is, pagemap tells of its memfd.
 * For that of a heap it tells nothing, but each page has a pattern of its own, and
 * edu has to find it at the address that IOMMU_IOAS_GET_PA gave.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "dma.h"
#include "edu.h"
#include "heap.h"
#include "mem.h"
#include "quarantine.h"
#include "utils.h"

#define IOVA			(64ULL * SZ_1G)
#define OTHER_IOVA		(65ULL * SZ_1G)

static struct noiommu_devices devices;

/* Set where there has to be a heap of contiguous memory */
#define WANTS_CMA		"HEAP_CMA"

enum source { SYSTEM, CMA, UDMABUF, UDMABUF_HUGETLB, NR_SOURCES };

static int buf_map(const struct bound *b, const struct mem *buf, u64 start,
		   u64 length, u64 iova)
{
	return ioas_map_file(b->iommufd, b->ioas_id, buf->fd, start, length,
			     MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA, &iova);
}

/* A dma-buf, whose memory has the pattern */
static bool buf_alloc(struct mem *buf, enum source source, u64 size)
{
	int memfd = -1, map_fd;

	memset(buf, 0, sizeof(*buf));
	buf->size = size;
	buf->npages = size / getpagesize();
	if (source == SYSTEM) {
		buf->fd = heap_alloc(HEAP_SYSTEM, size);
	} else if (source == CMA) {
		buf->fd = heap_alloc(HEAP_CMA, size);
	} else {
		memfd = memfd_sealed(size, source == UDMABUF ? 0 :
				     MFD_HUGETLB | MFD_HUGE_2MB);
		VFIO_ASSERT_GE(memfd, 0);
		buf->kind = MEM_MEMFD;
	}
	if (memfd < 0 && buf->fd < 0)
		return false;

	map_fd = memfd < 0 ? buf->fd : memfd;
	buf->vaddr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd,
			  0);
	VFIO_ASSERT_NE(buf->vaddr, MAP_FAILED);
	mem_fault_in(buf);
	mem_fill(buf->vaddr, size, SRC_SEED);
	if (memfd >= 0) {
		buf->fd = udmabuf_create(memfd, 0, size);
		VFIO_ASSERT_GE(buf->fd, 0);
		VFIO_ASSERT_EQ(close(memfd), 0);
	}
	buf->phys = calloc_assert(buf->npages, sizeof(*buf->phys));
	buf->run = calloc_assert(buf->npages, sizeof(*buf->run));
	if (memfd >= 0)
		mem_read_pagemap(buf);
	return true;
}

/*
 * Find the pages of a heap by a mapping for nothing else, since pagemap tells nothing
 * of them. The test `contents` is about whether these are right.
 */
static void buf_find(const struct bound *b, struct mem *buf)
{
	const u64 page_size = getpagesize();
	struct bound other = *b;
	u32 hwpt_id;
	u64 i;

	if (buf->kind == MEM_MEMFD)
		return;
	other.ioas_id = ioas_alloc(b->iommufd);
	VFIO_ASSERT_EQ(hwpt_alloc(b->iommufd, b->dev_id, other.ioas_id, 0,
				  &hwpt_id), 0);
	VFIO_ASSERT_EQ(buf_map(&other, buf, 0, buf->size, IOVA), 0);
	for (i = 0; i < buf->npages; i++)
		buf->phys[i] = ioas_phys(b->iommufd, other.ioas_id,
					 IOVA + i * page_size);
	mem_find_runs(buf);
	VFIO_ASSERT_EQ(object_destroy(b->iommufd, hwpt_id), 0);
	VFIO_ASSERT_EQ(object_destroy(b->iommufd, other.ioas_id), 0);
}

/* Are these the addresses of a part of it, and as few extents as can be? */
static bool buf_is_at(const struct bound *b, const struct mem *buf, u64 start,
		      u64 size, u64 iova)
{
	const u64 page_size = getpagesize();
	struct iommu_pa_extent *extents;
	u64 length = size, offset = 0, phys, run;
	u32 nr = size / page_size, i;
	bool same;
	int ret;

	extents = calloc_assert(nr, sizeof(*extents));
	ret = ioas_get_extents(b->iommufd, b->ioas_id, iova, &length, &phys,
			       extents, &nr);
	same = !ret && length == size && phys == extents[0].phys;
	for (i = 0; same && i < nr; i++) {
		run = min(buf->run[(start + offset) / page_size], size - offset);
		same = offset < size && extents[i].length == run &&
		       extents[i].phys == buf->phys[(start + offset) / page_size];
		offset += run;
	}
	free(extents);

	if (!same)
		fprintf(stderr, "# %d: %#lx bytes, extent %u of %u differs\n",
			ret, length, i, nr);
	return same && offset == size;
}

FIXTURE(heap) {
	struct bound b;
	struct mem buf;
	int before;
};

FIXTURE_VARIANT(heap) {
	enum source source;
};

FIXTURE_VARIANT_ADD(heap, system) { .source = SYSTEM };
FIXTURE_VARIANT_ADD(heap, cma) { .source = CMA };
FIXTURE_VARIANT_ADD(heap, udmabuf) { .source = UDMABUF };
FIXTURE_VARIANT_ADD(heap, udmabuf_hugetlb) { .source = UDMABUF_HUGETLB };

static bool lacks(enum source source)
{
	return source == CMA && access(HEAP_CMA, F_OK) && !getenv(WANTS_CMA);
}

FIXTURE_SETUP(heap)
{
	if (lacks(variant->source))
		SKIP(return, "The kernel has set no contiguous memory aside");

	self->before = dma_bufs();
	ASSERT_LE(0, self->before);
	bound_init(&self->b, devices.bdf);
	ASSERT_TRUE(buf_alloc(&self->buf, variant->source, SZ_16M));
	buf_find(&self->b, &self->buf);
}

FIXTURE_TEARDOWN(heap)
{
	bound_cleanup(&self->b);
	mem_free(&self->buf);
	/* None of them stays */
	EXPECT_EQ(self->before, dma_bufs_wait(self->before));
}

static void attach(struct bound *b)
{
	VFIO_ASSERT_GE(device_attach_to(b->device_fd, b->ioas_id), 0);
}

TEST_F(heap, addresses)
{
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;

	attach(b);
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));
	ASSERT_TRUE(pa_each_page(b, IOVA, buf));
	ASSERT_TRUE(pa_is(b, IOVA + 4099, 3, buf->phys[1] + 3, 3));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA + buf->size, 0));

	/* What each of them is there for */
	if (variant->source == CMA)
		ASSERT_EQ(1, mem_nr_runs(buf));
	if (variant->source == UDMABUF)
		ASSERT_LT(buf->npages / 4, mem_nr_runs(buf));
	if (variant->source == UDMABUF_HUGETLB)
		ASSERT_LE(SZ_2M, buf->run[0]);

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, buf->size));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 0));
}

/* As a device sees them, and this one sees them as they are */
TEST_F(heap, as_device)
{
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;
	struct iommu_ioas_get_pa args;

	attach(b);
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	get_pa_init(&args, sizeof(args), b->ioas_id, IOVA + getpagesize(), 0);
	args.flags = IOMMU_IOAS_GET_PA_DEVICE;
	args.dev_id = b->dev_id;
	ASSERT_EQ(0, ioctl_errno(b->iommufd, IOMMU_IOAS_GET_PA, &args));
	ASSERT_EQ(buf->phys[1], args.out_phys);
	ASSERT_EQ(buf->run[1], args.length);
}

TEST_F(heap, parts)
{
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;
	u64 start, length;
	u64 i;

	attach(b);
	for (i = 1; i < 40; i++) {
		start = i * 97 % buf->npages * page_size;
		length = min(i * i * page_size, buf->size - start);
		ASSERT_EQ(0, buf_map(b, buf, start, length, IOVA));
		ASSERT_TRUE(buf_is_at(b, buf, start, length, IOVA));
		ASSERT_EQ(-ENOENT, lookup(b, IOVA + length, 0));
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, length));
	}

	/* The last page, and no further */
	start = buf->size - page_size;
	ASSERT_EQ(0, buf_map(b, buf, start, page_size, IOVA));
	ASSERT_TRUE(buf_is_at(b, buf, start, page_size, IOVA));
	ASSERT_EQ(-EINVAL, buf_map(b, buf, start, 2 * page_size, OTHER_IOVA));
	ASSERT_EQ(-EINVAL, buf_map(b, buf, buf->size, page_size, OTHER_IOVA));
	ASSERT_EQ(-EINVAL, buf_map(b, buf, 0, buf->size + 1, OTHER_IOVA));
	/* Pages only */
	ASSERT_EQ(-EINVAL, buf_map(b, buf, 512, page_size, OTHER_IOVA));
	ASSERT_EQ(-EINVAL, buf_map(b, buf, 0, 512, OTHER_IOVA));
	ASSERT_EQ(-ENOENT, lookup(b, OTHER_IOVA, 0));
}

/* No entry of the page table larger than a page */
TEST_F(heap, small_pages)
{
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;

	attach(b);
	ASSERT_EQ(0, ioas_huge_pages_set(b->iommufd, b->ioas_id, false));
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));
}

/* It takes a HWPT to tell that no IOMMU is to use it */
TEST_F(heap, needs_hwpt)
{
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;
	u32 hwpt_id;

	ASSERT_EQ(-EOPNOTSUPP, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0, &hwpt_id));
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));

	/* And no more than once */
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt_id));
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
	ASSERT_EQ(-EOPNOTSUPP, buf_map(b, buf, 0, buf->size, OTHER_IOVA));
	attach(b);
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));
	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, buf->size));
}

/* Nobody else has it any more */
TEST_F(heap, outlives_the_file)
{
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;

	attach(b);
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_EQ(0, close(buf->fd));
	buf->fd = -1;
	ASSERT_EQ(self->before + 1, dma_bufs());
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));
	ASSERT_EQ(0, munmap(buf->vaddr, buf->size));
	buf->vaddr = NULL;
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));
	ASSERT_EQ(self->before + 1, dma_bufs());

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, buf->size));
	ASSERT_EQ(self->before, dma_bufs_wait(self->before));
}

/* By device, by file and by IOAS, that is three of each */
TEST_F(heap, shared)
{
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;
	struct bound other = *b, third = *b;
	u32 hwpt_id;

	attach(b);
	other.ioas_id = ioas_alloc(b->iommufd);
	third.ioas_id = ioas_alloc(b->iommufd);
	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, other.ioas_id, 0,
				&hwpt_id));
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_EQ(0, buf_map(b, buf, SZ_1M, SZ_2M, OTHER_IOVA));
	ASSERT_EQ(0, buf_map(&other, buf, 0, buf->size, IOVA));
	ASSERT_EQ(0, ioas_copy_fixed(b->iommufd, other.ioas_id, OTHER_IOVA,
				     b->ioas_id, IOVA + SZ_64K, SZ_4M));
	ASSERT_EQ(-EOPNOTSUPP, ioas_copy_fixed(b->iommufd, third.ioas_id, IOVA,
					       b->ioas_id, IOVA, buf->size));

	ASSERT_TRUE(buf_is_at(b, buf, SZ_1M, SZ_2M, OTHER_IOVA));
	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, buf->size));
	ASSERT_TRUE(buf_is_at(&other, buf, 0, buf->size, IOVA));
	ASSERT_TRUE(buf_is_at(&other, buf, SZ_64K, SZ_4M, OTHER_IOVA));
	ASSERT_TRUE(buf_is_at(b, buf, SZ_1M, SZ_2M, OTHER_IOVA));
}

/* A user that maps a dma-buf of its own, and the other one if there is one, and waits */
static pid_t user_start(struct bound *b, enum source source, u32 flags,
			const struct mem *other)
{
	int pipefd[2];
	pid_t pid;
	char c;

	VFIO_ASSERT_EQ(pipe(pipefd), 0);
	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (!pid) {
		struct mem mine;

		bound_init_flags(b, devices.bdf, flags);
		if (!buf_alloc(&mine, source, SZ_8M) ||
		    buf_map(b, &mine, 0, mine.size, IOVA) ||
		    (other && buf_map(b, other, 0, other->size, OTHER_IOVA)))
			_exit(1);
		VFIO_ASSERT_EQ(write(pipefd[1], "", 1), 1);
		pause();
	}
	VFIO_ASSERT_EQ(close(pipefd[1]), 0);
	VFIO_ASSERT_EQ(read(pipefd[0], &c, 1), 1);
	VFIO_ASSERT_EQ(close(pipefd[0]), 0);
	return pid;
}

static void user_kill(pid_t pid)
{
	VFIO_ASSERT_EQ(kill(pid, SIGKILL), 0);
	VFIO_ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

/* The process is killed in the midst of it */
TEST_F(heap, killed)
{
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;
	pid_t pid;

	bound_cleanup(b);
	pid = user_start(b, variant->source, 0, buf);
	ASSERT_EQ(self->before + 2, dma_bufs());
	user_kill(pid);
	ASSERT_EQ(self->before + 1, dma_bufs_wait(self->before + 1));

	bound_init(b, devices.bdf);
	attach(b);
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));
}

/* It is all that a user has mapped whose device may go on with DMA */
TEST_F(heap, quarantine)
{
	struct bound *b = &self->b;

	if (closing_resets(devices.bdf))
		SKIP(return, "Closing the device resets it");

	bound_cleanup(b);
	user_kill(user_start(b, variant->source, QUARANTINE, NULL));
	ASSERT_TRUE(is_held(devices.bdf));
	ASSERT_EQ(self->before + 2, dma_bufs());
	ASSERT_EQ(0, bind_once(devices.bdf, QUIET));
	ASSERT_EQ(self->before + 1, dma_bufs_wait(self->before + 1));
	ASSERT_FALSE(is_held(devices.bdf));

	bound_init(b, devices.bdf);
}

/* Does edu find the pattern of the page in memory that the process has too? */
static bool page_is_right(void *bar, const struct mem *buf, u64 page,
			  const struct mem *mem)
{
	const u64 page_size = getpagesize();
	const u64 at[] = { 0, page_size - sizeof(u64) };
	volatile u64 *word = (u64 *)mem->vaddr;
	int i;

	for (i = 0; i < 2; i++) {
		*word = 0;
		edu_copy(bar, mem->phys[0], buf->phys[page] + at[i],
			 sizeof(*word));
		if (*word != mem_pattern(SRC_SEED, page * page_size + at[i])) {
			fprintf(stderr, "# page %lu: %#lx\n", page, *word);
			return false;
		}
	}
	return true;
}

/* At both ends of the extents, and in the midst of them */
TEST_F_TIMEOUT(heap, contents, 120)
{
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;
	u64 page, last, step, nr = 0;
	struct mem mem;
	void *bar;

	if (devices.edu_bdf != devices.bdf)
		SKIP(return, "There is no edu device");

	attach(b);
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, page_size));
	ASSERT_EQ(0, mem_map_part(b, &mem, 0, mem.size, OTHER_IOVA));
	mem_read_pagemap(&mem);
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	ASSERT_TRUE(buf_is_at(b, buf, 0, buf->size, IOVA));
	bar = bar_map(b->device_fd, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

	step = mem_nr_runs(buf) / 8 + 1;
	for (page = 0; page < buf->npages; page = last + 1, nr++) {
		last = page + buf->run[page] / page_size - 1;
		if (nr % step)
			continue;
		ASSERT_TRUE(page_is_right(bar, buf, page, &mem));
		ASSERT_TRUE(page_is_right(bar, buf, (page + last) / 2, &mem));
		ASSERT_TRUE(page_is_right(bar, buf, last, &mem));
	}
	ASSERT_EQ(nr, mem_nr_runs(buf));
	for (page = 1; page < buf->npages; page += 797)
		ASSERT_TRUE(page_is_right(bar, buf, page, &mem));

	ASSERT_EQ(0, munmap(bar, page_size));
	mem_free(&mem);
}

static void cpu_access(const struct mem *buf, u64 flags)
{
	struct dma_buf_sync sync = {
		.flags = flags | DMA_BUF_SYNC_RW,
	};

	/*
	 * udmabuf maps it for a device of its own then, which CONFIG_DMA_API_DEBUG
	 * does not like: that device does not say that it takes long segments
	 */
	if (buf->kind != MEM_MEMFD)
		ioctl_assert(buf->fd, DMA_BUF_IOCTL_SYNC, &sync);
}

/* Between it and memory of the process, both ways, by addresses looked up */
TEST_F(heap, dma)
{
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;
	struct mem *buf = &self->buf;
	struct mem mem;
	void *bar;
	u64 i;

	if (devices.edu_bdf != devices.bdf)
		SKIP(return, "There is no edu device");

	attach(b);
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_1M));
	mem_fill(mem.vaddr, mem.size, DST_SEED);
	ASSERT_EQ(0, mem_map_part(b, &mem, 0, mem.size, OTHER_IOVA));
	ASSERT_EQ(0, buf_map(b, buf, 0, buf->size, IOVA));
	for (i = 0; i < mem.npages; i++)
		mem.phys[i] = ioas_phys(b->iommufd, b->ioas_id,
					OTHER_IOVA + i * page_size);
	for (i = 0; i < buf->npages; i++)
		buf->phys[i] = ioas_phys(b->iommufd, b->ioas_id,
					 IOVA + i * page_size);

	bar = bar_map(b->device_fd, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	cpu_access(buf, DMA_BUF_SYNC_START);
	mem_fill(buf->vaddr, buf->size, 0x7777);
	cpu_access(buf, DMA_BUF_SYNC_END);
	ASSERT_TRUE(edu_copies(bar, &mem, buf, 8));
	ASSERT_TRUE(edu_copies(bar, buf, &mem, 8));
	ASSERT_EQ(0, munmap(bar, page_size));

	/* Until edu no longer can */
	bound_cleanup(b);
	mem_free(&mem);
	bound_init(b, devices.bdf);
}

/*
 * The heap of contiguous memory is small: what is not given back is missing
 */
TEST(contiguous_comes_back)
{
	struct mem buf[64];
	struct bound b;
	int round, nr = 0, i;

	if (lacks(CMA))
		SKIP(return, "The kernel has set no contiguous memory aside");

	bound_init(&b, devices.bdf);
	attach(&b);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 64 && buf_alloc(&buf[i], CMA, SZ_8M); i++) {
			buf_find(&b, &buf[i]);
			ASSERT_EQ(0, buf_map(&b, &buf[i], 0, SZ_8M,
					     IOVA + i * SZ_8M));
			ASSERT_EQ(1, mem_nr_runs(&buf[i]));
		}
		ASSERT_LT(1, i);
		ASSERT_GT(64, i);
		nr = nr ?: i;
		ASSERT_EQ(nr, i);
		for (i = 0; i < nr; i++)
			mem_free(&buf[i]);
		/* It is the IOAS that has them */
		ASSERT_EQ(-ENOMEM, heap_alloc(HEAP_CMA, SZ_8M));
		ASSERT_EQ(0, ioas_unmap(b.iommufd, b.ioas_id, IOVA,
					nr * SZ_8M));
	}
	bound_cleanup(&b);
}

/* A device that has an IOMMU, whichever of the two comes first */
TEST(with_iommu)
{
	const char *iommu_bdf = vfio_dev_find("vfio", sysfs_has_iommu);
	struct bound b, copy;
	struct mem buf;
	int fd;

	if (!iommu_bdf)
		SKIP(return, "There is no device with an IOMMU");

	bound_init(&b, devices.bdf);
	attach(&b);
	fd = device_open(iommu_bdf);
	ASSERT_EQ(0, device_bind(fd, b.iommufd, NULL));
	ASSERT_TRUE(buf_alloc(&buf, SYSTEM, SZ_16M));
	buf_find(&b, &buf);

	ASSERT_EQ(0, buf_map(&b, &buf, 0, buf.size, IOVA));
	ASSERT_EQ(-EINVAL, device_attach_to(fd, b.ioas_id));
	ASSERT_TRUE(buf_is_at(&b, &buf, 0, buf.size, IOVA));
	ASSERT_EQ(0, ioas_unmap(b.iommufd, b.ioas_id, IOVA, buf.size));

	/* Nothing is left of that */
	ASSERT_LT(0, device_attach_to(fd, b.ioas_id));
	ASSERT_EQ(-EOPNOTSUPP, buf_map(&b, &buf, 0, buf.size, IOVA));
	ASSERT_EQ(-ENOENT, lookup(&b, IOVA, 0));

	copy = b;
	copy.ioas_id = ioas_alloc(b.iommufd);
	ASSERT_LT(0, device_attach_to(b.device_fd, copy.ioas_id));
	ASSERT_EQ(0, buf_map(&copy, &buf, 0, buf.size, IOVA));
	ASSERT_EQ(-EOPNOTSUPP, ioas_copy_fixed(b.iommufd, b.ioas_id, IOVA,
					       copy.ioas_id, IOVA, buf.size));
	ASSERT_EQ(-EINVAL, device_attach_to(fd, copy.ioas_id));
	ASSERT_TRUE(buf_is_at(&copy, &buf, 0, buf.size, IOVA));

	ASSERT_EQ(0, close(fd));
	bound_cleanup(&b);
	mem_free(&buf);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	if (access(HEAP_SYSTEM, F_OK)) {
		fprintf(stderr, "The kernel has no heaps, skipping test.\n");
		return KSFT_SKIP;
	}
	return test_harness_run(argc, argv);
}
