// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library beside a kernel that is played: one with extents, one as Linux 7.3
 * is, one that lacks the ioctl, and all of their errors; devices that see memory
 * elsewhere, or only part of it. A real one has each of the kernels in guests; here it
 * is one that no memory limits and that can be told to fail.
 */
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>

#include "abi.h"
#include "internal.h"
#include "test.h"

#define PAGE	4096u
#define IOVA	UINT64_C(0x7000000000)

/* What the kernel is like */
static struct {
	bool lacks_get_pa;
	bool lacks_extents;
	int fail_map;		/* errno */
	int fail_get_pa;	/* errno, of lookups after the probe */
	unsigned int answers;	/* at most so many extents */
	bool lacks_device_flag;
	unsigned int maps, unmaps, lookups, own_lookups;
	unsigned int bad_pages;	/* how often a page is a high one before it is not */
	bool lost;		/* a page was given up that nothing held */
} played;

#define HIGH	(UINT64_C(1) << 56)

/* How often each page was given up for another one */
static unsigned char exchanged[4096];

/* What devices see, by their number in the iommufd: memory at an offset, to an end */
static struct {
	uint64_t offset;
	uint64_t last;
} views[] = {
	[3] = { 0, UINT64_MAX },
	[4] = { UINT64_C(1) << 34, UINT64_MAX },
	[5] = { UINT64_C(1) << 35, UINT64_MAX },
	[6] = { 0, (UINT64_C(1) << 36) + 15 * PAGE - 1 },
	[7] = { 0, HIGH - 1 },
};

/* Every page is alone but for those of huge[0]..huge[1], at twice the address. */
static uint64_t base, huge[2];

static uint64_t phys_of(uint64_t offset)
{
	if (exchanged[offset / PAGE % 4096] < played.bad_pages)
		return HIGH + offset / PAGE * 2 * PAGE + offset % PAGE;
	if (offset >= huge[0] && offset < huge[1])
		return (UINT64_C(1) << 40) + offset;
	return (UINT64_C(1) << 36) + offset / PAGE * 2 * PAGE + offset % PAGE;
}

static uint64_t run_of(uint64_t offset, uint64_t most)
{
	uint64_t run = 0;

	while (run < most && phys_of(offset + run) == phys_of(offset) + run)
		run += PAGE;
	return run < most ? run : most;
}

static int refuse(int err)
{
	errno = err;
	return -1;
}

static int get_pa(struct abi_ioas_get_pa *get)
{
	struct abi_pa_extent *extents = (void *)(uintptr_t)get->extents_uptr;
	uint64_t offset = get->iova - IOVA, done = 0, run;
	uint64_t moved = views[get->dev_id].offset, last = UINT64_MAX;
	unsigned int count = 0;

	if (played.lacks_get_pa)
		return refuse(ENOTTY);
	if (played.lacks_extents && get->size > 40)
		return refuse(E2BIG);
	if (get->flags ? played.lacks_device_flag : get->dev_id)
		return refuse(EOPNOTSUPP);
	if (get->flags)
		last = views[get->dev_id].last;
	if (get->iova < IOVA || get->iova > IOVA + (UINT64_C(1) << VA_BITS))
		return refuse(ENOENT);
	if (played.fail_get_pa)
		return refuse(played.fail_get_pa);
	if (phys_of(offset) + moved > last)
		return refuse(ERANGE);
	played.lookups++;
	played.own_lookups += get->flags;
	get->out_phys = phys_of(offset);
	if (get->size == 40) {
		get->length = run_of(offset, get->length);
		return 0;
	}
	while (done < get->length && count < get->num_extents &&
	       (!played.answers || count < played.answers)) {
		run = run_of(offset + done, get->length - done);
		extents[count].phys = phys_of(offset + done) + moved;
		if (extents[count].phys > last)
			break;
		extents[count++].length = run;
		done += run;
	}
	get->num_extents = count;
	get->length = done;
	return 0;
}

/*
 * What VFIO says of a device: a capability that is of no interest here, and then that
 * of DMA
 */
static struct {
	struct vfio_device_info fixed;
	struct vfio_info_cap_header other;
	char room[8];
	struct abi_cap_noiommu_dma dma;
} device_info;

static int get_info(struct vfio_device_info *info)
{
	size_t room = info->argsz;

	memcpy(info, &device_info,
	       room < device_info.fixed.argsz ? sizeof(*info) :
						device_info.fixed.argsz);
	if (room < device_info.fixed.argsz)
		info->cap_offset = 0;
	return 0;
}

static int get_ranges(struct abi_ioas_iova_ranges *get)
{
	struct abi_iova_range *ranges = (void *)(uintptr_t)get->allowed_iovas;
	uint32_t room = get->num_iovas;

	get->num_iovas = 2;
	if (room < 2)
		return refuse(EMSGSIZE);
	ranges[0] = (struct abi_iova_range) { 0, 0xfedfffff };
	ranges[1] = (struct abi_iova_range) { 0xfef00000, 0x7fffffffff };
	return 0;
}

/* In place of libc's: which pages are exchanged, and that they are held meanwhile */
int madvise(void *va, size_t size, int advice)
{
	uintptr_t at = (uintptr_t)va;

	if (advice == MADV_DONTNEED) {
		played.lost |= played.maps == played.unmaps;
		for (; size; size -= PAGE, at += PAGE)
			exchanged[at / PAGE % 4096]++;
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct abi_ioas_map *map;
	va_list args;
	void *data;

	va_start(args, request);
	data = va_arg(args, void *);
	va_end(args);
	(void)fd;
	switch (request) {
	case ABI_IOAS_ALLOC:
		((struct abi_ioas_alloc *)data)->out_ioas_id = 5;
		return 0;
	case ABI_IOAS_MAP:
		map = data;
		if (played.fail_map)
			return refuse(played.fail_map);
		played.maps++;
		map->iova = IOVA + (map->user_va - base);
		return 0;
	case ABI_IOAS_UNMAP:
		played.unmaps++;
		return 0;
	case ABI_IOAS_GET_PA:
		return get_pa(data);
	case ABI_DESTROY:
		return 0;
	case ABI_IOAS_IOVA_RANGES:
		return get_ranges(data);
	case VFIO_DEVICE_GET_INFO:
		return get_info(data);
	}
	return refuse(ENOTTY);
}

/* As with a device that has just been attached */
static int enter_as(struct vfiodma_ctx *ctx, struct vfiodma_device *dev)
{
	dev->ctx = ctx;
	return map_accepts(ctx, dev) ? map_enter(ctx, dev) : -EXDEV;
}

static int enter(struct vfiodma_ctx *ctx, bool has_iommu)
{
	struct vfiodma_device *dev = calloc(1, sizeof(*dev));
	int err;

	dev->has_iommu = has_iommu;
	err = enter_as(ctx, dev);
	if (err)
		free(dev);
	return err;
}

static void leave(struct vfiodma_ctx *ctx)
{
	struct vfiodma_device *dev = ctx->devices;

	map_leave(ctx, dev);
	free(dev);
}

/* A device of @views */
static struct vfiodma_device device(uint32_t id)
{
	return (struct vfiodma_device) {
		.id = id,
		.reach = {
			.known = true,
			.coherent = true,
			.translated = views[id].offset,
			.last_addr = views[id].last,
		},
	};
}

static struct vfiodma_ctx *create(void)
{
	struct vfiodma_ctx *ctx = NULL;
	int fd = open("/dev/null", O_RDWR);

	if (vfiodma_ctx_create_fd(fd, &ctx))
		printf("# no context: %s\n", strerror(errno));
	close(fd);
	memset(&played, 0, sizeof(played));
	memset(exchanged, 0, sizeof(exchanged));
	huge[0] = huge[1] = 0;
	return ctx;
}

/* Address space with nothing in it, which is all that this kernel needs */
static char *reserve(size_t size)
{
	char *va = mmap(NULL, size + BLOCK_SIZE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	va += -(uintptr_t)va & (BLOCK_SIZE - 1);
	base = (uintptr_t)va;
	return va;
}

static size_t wrong_pages(struct vfiodma_ctx *ctx, char *va, size_t size)
{
	size_t wrong = 0, i;

	for (i = 0; i < size; i += PAGE)
		wrong += vfiodma_addr(ctx, va + i + 7) !=
			 phys_of((uintptr_t)va - base + i) + 7;
	return wrong;
}

static size_t known_pages(struct vfiodma_ctx *ctx, char *va, size_t size)
{
	size_t known = 0, i;

	for (i = 0; i < size; i += PAGE)
		known += vfiodma_addr(ctx, va + i) != VFIODMA_NO_ADDR;
	return known;
}

#define SIZE	(6 * BLOCK_SIZE)

static void check_mapping(struct vfiodma_ctx *ctx, unsigned int lookups)
{
	char *va = reserve(SIZE);
	struct iovec pieces[2];
	size_t count = 2;

	huge[0] = 2 * BLOCK_SIZE;
	huge[1] = 4 * BLOCK_SIZE;
	REQUIRE_OK(enter(ctx, false));
	REQUIRE_OK(vfiodma_map(ctx, va, SIZE, 0, pieces, &count));
	EXPECT_EQ(count, 4 * LEAF_ENTRIES + 1);
	EXPECT_EQ((uintptr_t)pieces[1].iov_base, phys_of(PAGE));
	EXPECT_EQ(pieces[1].iov_len, PAGE);
	EXPECT_EQ(wrong_pages(ctx, va, SIZE), 0);
	EXPECT_EQ(vfiodma_addr(ctx, va + SIZE), VFIODMA_NO_ADDR);
	EXPECT_EQ(vfiodma_addr(ctx, va - 1), VFIODMA_NO_ADDR);
	EXPECT_EQ(played.lookups, lookups);
	EXPECT_EQ(vfiodma_ctx_lookups(ctx), lookups);
	REQUIRE_OK(vfiodma_unmap(ctx, va));
	EXPECT_EQ(known_pages(ctx, va, SIZE), 0);
	EXPECT_EQ(played.unmaps, 1);
	leave(ctx);
}

/* 2049 pieces, by 512 */
static void test_extents(void)
{
	struct vfiodma_ctx *ctx = create();

	check_mapping(ctx, 5);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_short_answers(void)
{
	struct vfiodma_ctx *ctx = create();

	played.answers = 1;
	check_mapping(ctx, 4 * LEAF_ENTRIES + 1);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

/* Linux 7.3: one piece a call */
static void test_without_extents(void)
{
	struct vfiodma_ctx *ctx = create();

	played.lacks_extents = true;
	check_mapping(ctx, 4 * LEAF_ENTRIES + 1);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_without_the_feature(void)
{
	struct vfiodma_ctx *ctx = create();

	played.lacks_get_pa = true;
	EXPECT_EQ(enter(ctx, false), -ENOSYS);
	/* A device behind an IOMMU does not need it. */
	EXPECT_EQ(enter(ctx, true), 0);
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_iommu(void)
{
	struct vfiodma_ctx *ctx = create();
	char *va = reserve(SIZE);
	struct iovec piece;
	size_t count = 1;

	REQUIRE_OK(enter(ctx, true));
	REQUIRE_OK(vfiodma_map(ctx, va, SIZE, 0, &piece, &count));
	EXPECT_EQ(count, 1);
	EXPECT_EQ((uintptr_t)piece.iov_base, IOVA);
	EXPECT_EQ(piece.iov_len, SIZE);
	EXPECT_EQ(vfiodma_addr(ctx, va + 12345), IOVA + 12345);
	EXPECT_EQ(played.lookups, 0);
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(played.unmaps, 1);
}

static void test_scatter_lists(void)
{
	struct vfiodma_ctx *ctx = create();
	char *va = reserve(SIZE);
	struct iovec pieces[4];

	huge[0] = 4 * PAGE;
	huge[1] = 4 * PAGE + 2 * BLOCK_SIZE;
	REQUIRE_OK(enter(ctx, false));
	/* Two mappings side by side, in the middle of a piece */
	REQUIRE_OK(vfiodma_map(ctx, va, BLOCK_SIZE, 0, NULL, NULL));
	REQUIRE_OK(vfiodma_map(ctx, va + BLOCK_SIZE, BLOCK_SIZE, 0, NULL, NULL));
	EXPECT_EQ(vfiodma_sg(ctx, va + 3 * PAGE + 100, BLOCK_SIZE, pieces, 4), 2);
	EXPECT_EQ((uintptr_t)pieces[0].iov_base, phys_of(3 * PAGE + 100));
	EXPECT_EQ(pieces[0].iov_len, PAGE - 100);
	EXPECT_EQ((uintptr_t)pieces[1].iov_base, phys_of(4 * PAGE));
	EXPECT_EQ(pieces[1].iov_len, BLOCK_SIZE - (PAGE - 100));
	EXPECT_EQ(vfiodma_sg(ctx, va, 4 * PAGE, NULL, 0), 4);
	EXPECT_EQ(vfiodma_sg(ctx, va, 4 * PAGE, pieces, 3), -ENOSPC);
	EXPECT_EQ((uintptr_t)pieces[2].iov_base, phys_of(2 * PAGE));
	EXPECT_EQ(vfiodma_sg(ctx, va, 4 * PAGE, pieces, 4), 4);
	EXPECT_EQ(vfiodma_sg(ctx, va + 1, 1, pieces, 1), 1);
	EXPECT_EQ(pieces[0].iov_len, 1);
	EXPECT_EQ(vfiodma_sg(ctx, va, 0, pieces, 1), 0);
	EXPECT_EQ(vfiodma_sg(ctx, va + 2 * BLOCK_SIZE - 1, 2, pieces, 4), -ENOENT);
	EXPECT_EQ(vfiodma_sg(ctx, va - 1, 2, pieces, 4), -ENOENT);
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_map_errors(void)
{
	struct vfiodma_ctx *ctx = create();
	char *va = reserve(SIZE);

	EXPECT_EQ(vfiodma_ctx_create_fd(-1, &ctx), -EBADF);
	EXPECT_EQ(vfiodma_map(ctx, va, PAGE, 0, NULL, NULL), -ENODEV);
	REQUIRE_OK(enter(ctx, false));
	EXPECT_EQ(vfiodma_map(ctx, va + 1, PAGE, 0, NULL, NULL), -EINVAL);
	EXPECT_EQ(vfiodma_map(ctx, va, PAGE + 1, 0, NULL, NULL), -EINVAL);
	EXPECT_EQ(vfiodma_map(ctx, va, 0, 0, NULL, NULL), -EINVAL);
	EXPECT_EQ(vfiodma_map(ctx, va, PAGE, 2, NULL, NULL), -EINVAL);
	EXPECT_EQ(vfiodma_map(ctx, (void *)(UINT64_C(1) << 48), PAGE, 0, NULL,
			      NULL), -ERANGE);
	REQUIRE_OK(vfiodma_map(ctx, va + PAGE, 2 * PAGE, 0, NULL, NULL));
	EXPECT_EQ(vfiodma_map(ctx, va, 2 * PAGE, 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(vfiodma_map(ctx, va + 2 * PAGE, PAGE, 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(vfiodma_map(ctx, va, 8 * PAGE, 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(vfiodma_unmap(ctx, va), -ENOENT);
	EXPECT_EQ(vfiodma_unmap(ctx, va + 2 * PAGE), -ENOENT);
	EXPECT_EQ(vfiodma_free(ctx, va + PAGE), -ENOENT);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), -EBUSY);
	EXPECT_EQ(wrong_pages(ctx, va + PAGE, 2 * PAGE), 0);

	/* What fails leaves nothing. */
	played.fail_map = ENOMEM;
	EXPECT_EQ(vfiodma_map(ctx, va + 8 * PAGE, PAGE, 0, NULL, NULL), -ENOMEM);
	played.fail_map = 0;
	played.fail_get_pa = EPERM;
	EXPECT_EQ(vfiodma_map(ctx, va + 8 * PAGE, PAGE, 0, NULL, NULL), -EPERM);
	EXPECT_EQ(played.unmaps, 1);
	played.fail_get_pa = 0;
	EXPECT_EQ(known_pages(ctx, va, SIZE), 2);
	REQUIRE_OK(vfiodma_map(ctx, va + 8 * PAGE, PAGE, 0, NULL, NULL));
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(played.maps, played.unmaps);
}

/* The addresses go with the last device, and the next one brings them. */
static void test_last_device(void)
{
	struct vfiodma_ctx *ctx = create();
	char *va = reserve(SIZE);

	REQUIRE_OK(enter(ctx, false));
	REQUIRE_OK(vfiodma_map(ctx, va, SIZE, 0, NULL, NULL));
	leave(ctx);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 0);
	EXPECT_EQ(vfiodma_sg(ctx, va, PAGE, NULL, 0), -ENOENT);
	huge[1] = SIZE;
	REQUIRE_OK(enter(ctx, false));
	EXPECT_EQ(wrong_pages(ctx, va, SIZE), 0);
	leave(ctx);
	played.fail_get_pa = EPERM;
	EXPECT_EQ(enter(ctx, false), -EPERM);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 0);
	REQUIRE_OK(vfiodma_unmap(ctx, va));
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_alloc(void)
{
	struct vfiodma_ctx *ctx = create();
	char *va = NULL;
	size_t i;

	reserve(SIZE);
	base = 0;
	EXPECT_EQ(vfiodma_alloc(ctx, PAGE, VFIODMA_SCATTERED, (void **)&va),
		  -ENODEV);
	REQUIRE_OK(enter(ctx, false));
	EXPECT_EQ(vfiodma_alloc(ctx, 0, VFIODMA_SCATTERED, (void **)&va), -EINVAL);
	EXPECT_EQ(vfiodma_alloc(ctx, PAGE, (enum vfiodma_memory)77, (void **)&va),
		  -EINVAL);
	EXPECT_EQ(vfiodma_alloc(ctx, SIZE_MAX, VFIODMA_SCATTERED, (void **)&va),
		  -ENOMEM);
	REQUIRE_OK(vfiodma_alloc(ctx, 3 * PAGE - 5, VFIODMA_SCATTERED,
				 (void **)&va));
	for (i = 0; i < 3 * PAGE; i++)
		EXPECT_EQ(va[i], 0);
	EXPECT_EQ(known_pages(ctx, va, 4 * PAGE), 3);
	EXPECT_EQ(vfiodma_unmap(ctx, va), -ENOENT);
	EXPECT_EQ(vfiodma_free(ctx, va + PAGE), -ENOENT);
	REQUIRE_OK(vfiodma_free(ctx, va));
	EXPECT_EQ(vfiodma_free(ctx, va), -ENOENT);

	/* No two pages of this kernel are neighbours, nor is a huge page whole. */
	EXPECT_EQ(vfiodma_alloc(ctx, 2 * PAGE, VFIODMA_CONTIGUOUS, (void **)&va),
		  -ENOBUFS);
	played.fail_map = ENOMEM;
	EXPECT_EQ(vfiodma_alloc(ctx, PAGE, VFIODMA_CONTIGUOUS, (void **)&va), -ENOMEM);
	played.fail_map = 0;
	REQUIRE_OK(vfiodma_alloc(ctx, PAGE, VFIODMA_CONTIGUOUS, (void **)&va));
	huge[1] = UINT64_C(1) << 47;
	REQUIRE_OK(vfiodma_alloc(ctx, 2 * PAGE, VFIODMA_CONTIGUOUS, (void **)&va));
	EXPECT_EQ(vfiodma_sg(ctx, va, 2 * PAGE, NULL, 0), 1);
	EXPECT_EQ(played.maps - played.unmaps, 2);
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(played.maps, played.unmaps);
}

static struct vfiodma_alloc_options options(enum vfiodma_memory memory,
					    uint64_t max_addr, uint64_t alignment)
{
	return (struct vfiodma_alloc_options) {
		.size = sizeof(struct vfiodma_alloc_options),
		.memory = memory,
		.max_addr = max_addr,
		.alignment = alignment,
	};
}

/* What lies too high is exchanged, until it does not or the library gives up. */
static void test_alloc_below(void)
{
	struct vfiodma_alloc_options low = options(VFIODMA_SCATTERED, HIGH - 1, 0);
	struct vfiodma_device limited = device(7);
	struct vfiodma_ctx *ctx = create();
	char *va = NULL;

	base = 0;
	REQUIRE_OK(enter_as(ctx, &limited));
	low.max_addr = 0;
	for (played.bad_pages = 0; played.bad_pages < 8; played.bad_pages++) {
		memset(exchanged, 0, sizeof(exchanged));
		/* Without a limit of the caller's there is that of the device. */
		REQUIRE_OK(vfiodma_alloc_with(ctx, 5 * PAGE, &low, (void **)&va));
		EXPECT_EQ(known_pages(ctx, va, 5 * PAGE), 5);
		EXPECT_EQ(wrong_pages(ctx, va, 5 * PAGE), 0);
		EXPECT_EQ(played.maps - played.unmaps, 1);
		EXPECT_EQ(va[4 * PAGE], 0);
		REQUIRE_OK(vfiodma_free(ctx, va));
	}
	EXPECT_EQ(played.maps, 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8);
	memset(exchanged, 0, sizeof(exchanged));
	EXPECT_EQ(vfiodma_alloc_with(ctx, 5 * PAGE, &low, (void **)&va),
		  -EADDRNOTAVAIL);
	EXPECT_EQ(played.maps, played.unmaps);
	memset(exchanged, 0, sizeof(exchanged));
	EXPECT_EQ(vfiodma_alloc(ctx, PAGE, VFIODMA_CONTIGUOUS, (void **)&va),
		  -EADDRNOTAVAIL);
	map_leave(ctx, &limited);

	/* The same for a device that reaches all, with a limit of the caller's */
	REQUIRE_OK(enter(ctx, false));
	low.max_addr = HIGH - 1;
	played.bad_pages = 3;
	memset(exchanged, 0, sizeof(exchanged));
	REQUIRE_OK(vfiodma_alloc_with(ctx, 5 * PAGE, &low, (void **)&va));
	EXPECT(vfiodma_addr(ctx, va) < HIGH);
	REQUIRE_OK(vfiodma_free(ctx, va));
	memset(exchanged, 0, sizeof(exchanged));
	REQUIRE_OK(vfiodma_alloc(ctx, 5 * PAGE, VFIODMA_SCATTERED, (void **)&va));
	EXPECT(vfiodma_addr(ctx, va) >= HIGH);
	EXPECT(!played.lost);
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(played.maps, played.unmaps);
}

static void test_alloc_options(void)
{
	struct {
		struct vfiodma_alloc_options known;
		char unknown[8];
	} later = { .known = options(VFIODMA_SCATTERED, 0, 0) };
	struct vfiodma_alloc_options want;
	struct vfiodma_ctx *ctx = create();
	char *va = NULL;

	base = 0;
	REQUIRE_OK(enter(ctx, false));
	later.known.size = sizeof(later);
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &later.known, (void **)&va), 0);
	later.unknown[7] = 1;
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &later.known, (void **)&va), -E2BIG);
	want = options(VFIODMA_SCATTERED, 0, 0);
	want.size--;
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &want, (void **)&va), -EINVAL);
	want = options(VFIODMA_SCATTERED, 0, 3);
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &want, (void **)&va), -EINVAL);
	want = options(VFIODMA_SCATTERED, 0, 2 * PAGE);
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &want, (void **)&va), -EINVAL);
	want = options(VFIODMA_SCATTERED, 0, PAGE);
	EXPECT_EQ(vfiodma_alloc_with(ctx, 3 * PAGE, &want, (void **)&va), 0);

	/* This kernel has no page at an odd number, and none that is aligned more. */
	want = options(VFIODMA_CONTIGUOUS, 0, 2 * PAGE);
	REQUIRE_OK(vfiodma_alloc_with(ctx, PAGE, &want, (void **)&va));
	EXPECT_EQ(vfiodma_addr(ctx, va) % (2 * PAGE), 0);
	want = options(VFIODMA_CONTIGUOUS, 0, UINT64_C(1) << 46);
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &want, (void **)&va), -ENOBUFS);
	want = options(VFIODMA_CONTIGUOUS, PAGE, 0);
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &want, (void **)&va),
		  -EADDRNOTAVAIL);
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(played.maps, played.unmaps);
}

/* The device's addresses, and who can share them */
static void test_translated(void)
{
	struct vfiodma_device plain = device(3), moved = device(4);
	struct vfiodma_device same = device(4), other = device(5);
	struct vfiodma_ctx *ctx = create();
	char *va = reserve(SIZE);
	size_t count = 0;

	REQUIRE_OK(enter_as(ctx, &moved));
	REQUIRE_OK(vfiodma_map(ctx, va, 4 * PAGE, 0, NULL, &count));
	EXPECT_EQ(count, 4);
	EXPECT_EQ(vfiodma_addr(ctx, va + PAGE + 5),
		  phys_of(PAGE + 5) + (UINT64_C(1) << 34));
	EXPECT_EQ(enter_as(ctx, &plain), -EXDEV);
	EXPECT_EQ(enter_as(ctx, &other), -EXDEV);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 4);
	REQUIRE_OK(enter_as(ctx, &same));
	EXPECT_EQ(played.own_lookups, 3);
	EXPECT_EQ(played.lookups, 3);
	REQUIRE_OK(vfiodma_map(ctx, va + BLOCK_SIZE, PAGE, 0, NULL, NULL));
	EXPECT_EQ(played.own_lookups, 5);

	/* The addresses are the same without the device that they were had for. */
	map_leave(ctx, &moved);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 5);
	REQUIRE_OK(vfiodma_map(ctx, va + 2 * BLOCK_SIZE, PAGE, 0, NULL, NULL));
	EXPECT_EQ(vfiodma_addr(ctx, va + 2 * BLOCK_SIZE),
		  phys_of(2 * BLOCK_SIZE) + (UINT64_C(1) << 34));
	map_leave(ctx, &same);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 0);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);

	/* Nothing tells them apart before something is mapped. */
	ctx = create();
	REQUIRE_OK(enter_as(ctx, &moved));
	REQUIRE_OK(enter_as(ctx, &other));
	EXPECT_EQ(vfiodma_map(ctx, va, PAGE, 0, NULL, NULL), -EXDEV);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 0);
	EXPECT_EQ(played.maps, played.unmaps);
	map_leave(ctx, &other);
	REQUIRE_OK(vfiodma_map(ctx, va, PAGE, 0, NULL, NULL));
	map_leave(ctx, &moved);
	REQUIRE_OK(enter_as(ctx, &plain));
	EXPECT_EQ(wrong_pages(ctx, va, PAGE), 0);
	map_leave(ctx, &plain);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

/* Memory that a device does not reach is not mapped, and no error of the others. */
static void test_reach(void)
{
	struct vfiodma_device plain = device(3), limited = device(6);
	struct vfiodma_ctx *ctx = create();
	char *va = reserve(SIZE);

	/* It reaches the first eight pages of this kernel. */
	REQUIRE_OK(enter_as(ctx, &limited));
	REQUIRE_OK(vfiodma_map(ctx, va, 8 * PAGE, 0, NULL, NULL));
	EXPECT_EQ(vfiodma_map(ctx, va + 8 * PAGE, PAGE, 0, NULL, NULL),
		  -EADDRNOTAVAIL);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 8);
	REQUIRE_OK(vfiodma_unmap(ctx, va));
	EXPECT_EQ(vfiodma_map(ctx, va, 9 * PAGE, 0, NULL, NULL), -EADDRNOTAVAIL);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 0);
	REQUIRE_OK(enter_as(ctx, &plain));
	EXPECT_EQ(vfiodma_map(ctx, va, 9 * PAGE, 0, NULL, NULL), -EADDRNOTAVAIL);
	map_leave(ctx, &limited);
	REQUIRE_OK(vfiodma_map(ctx, va, 9 * PAGE, 0, NULL, NULL));
	EXPECT_EQ(enter_as(ctx, &limited), -EADDRNOTAVAIL);
	EXPECT_EQ(known_pages(ctx, va, SIZE), 9);
	EXPECT_EQ(wrong_pages(ctx, va, 9 * PAGE), 0);
	REQUIRE_OK(vfiodma_unmap(ctx, va));
	REQUIRE_OK(vfiodma_map(ctx, va, 8 * PAGE, 0, NULL, NULL));
	EXPECT_EQ(enter_as(ctx, &limited), 0);
	map_leave(ctx, &limited);
	map_leave(ctx, &plain);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(played.maps, played.unmaps);
}

/* Where the physical addresses are not the device's, they are no substitute. */
static void test_without_the_flag(void)
{
	struct vfiodma_device plain = device(3), moved = device(4);
	struct vfiodma_ctx *ctx = create();
	char *va = reserve(SIZE);

	played.lacks_device_flag = true;
	EXPECT_EQ(enter_as(ctx, &moved), -ENOSYS);
	REQUIRE_OK(enter_as(ctx, &plain));
	REQUIRE_OK(vfiodma_map(ctx, va, SIZE, 0, NULL, NULL));
	EXPECT_EQ(wrong_pages(ctx, va, SIZE), 0);
	map_leave(ctx, &plain);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_dma_info(void)
{
	struct vfiodma_dma_info info = { .size = sizeof(info) };
	struct {
		struct vfiodma_dma_info known;
		char unknown[8];
	} later = { .known.size = sizeof(later), .unknown = "unknown" };
	struct vfiodma_ctx *ctx = create();
	struct vfiodma_device dev = { .ctx = ctx };

	/* An older kernel */
	device_info.fixed.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	device_info.fixed.argsz = sizeof(device_info.fixed);
	REQUIRE_OK(reach_read(&dev));
	EXPECT(dev.flags & VFIO_DEVICE_FLAGS_RESET);
	EXPECT_EQ(vfiodma_device_dma_info(&dev, &info), -ENODATA);
	EXPECT(!reach_is_special(&dev));

	/* One with another capability only */
	device_info.fixed.flags |= VFIO_DEVICE_FLAGS_CAPS;
	device_info.fixed.argsz = offsetof(typeof(device_info), dma);
	device_info.fixed.cap_offset = offsetof(typeof(device_info), other);
	device_info.other.id = 1;
	REQUIRE_OK(reach_read(&dev));
	EXPECT_EQ(vfiodma_device_dma_info(&dev, &info), -ENODATA);

	/* One that tells */
	device_info.fixed.argsz = sizeof(device_info);
	device_info.other.next = offsetof(typeof(device_info), dma);
	device_info.dma = (struct abi_cap_noiommu_dma) {
		.header.id = ABI_CAP_NOIOMMU_DMA,
		.flags = ABI_NOIOMMU_DMA_COHERENT,
		.last_addr = UINT64_MAX,
	};
	REQUIRE_OK(reach_read(&dev));
	REQUIRE_OK(vfiodma_device_dma_info(&dev, &info));
	EXPECT(info.coherent && !info.translated && !info.encrypted);
	EXPECT_EQ(info.last_addr, UINT64_MAX);
	EXPECT(!reach_is_special(&dev));
	device_info.dma.flags = ABI_NOIOMMU_DMA_TRANSLATED | ABI_NOIOMMU_DMA_ENCRYPTED;
	device_info.dma.last_addr = 0x3fffffff;
	REQUIRE_OK(reach_read(&dev));
	REQUIRE_OK(vfiodma_device_dma_info(&dev, &info));
	EXPECT(!info.coherent && info.translated && info.encrypted);
	EXPECT_EQ(info.last_addr, 0x3fffffff);
	EXPECT(reach_is_special(&dev));

	/* Programs of an older and of a later header */
	info.size--;
	EXPECT_EQ(vfiodma_device_dma_info(&dev, &info), -EINVAL);
	info.size++;
	REQUIRE_OK(vfiodma_device_dma_info(&dev, &later.known));
	EXPECT_EQ(later.known.last_addr, 0x3fffffff);
	EXPECT_EQ(later.unknown[0], 0);

	device_info.fixed.flags = 0;
	EXPECT_EQ(reach_read(&dev), -EINVAL);

	dev = (struct vfiodma_device) { .ctx = ctx, .has_iommu = true };
	REQUIRE_OK(vfiodma_device_dma_info(&dev, &info));
	EXPECT(info.coherent && info.translated && !info.encrypted);
	EXPECT_EQ(info.last_addr, 0x7fffffffff);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static int sync_both(const struct vfiodma_device *dev, const void *va, size_t size)
{
	int err = vfiodma_sync_for_device(dev, va, size);

	EXPECT_EQ(vfiodma_sync_for_cpu(dev, va, size), err);
	return err;
}

/* A program sees no cache: that nothing is lost, and where it is refused */
static void test_caches(void)
{
	struct vfiodma_device dev = { .has_iommu = true };
	char data[999];
	size_t i, wrong = 0;
#if defined(__aarch64__)
	const int unknown = 0, incoherent = 0;
#elif defined(__x86_64__)
	const int unknown = 0, incoherent = -EOPNOTSUPP;
#else
	const int unknown = -EOPNOTSUPP, incoherent = -EOPNOTSUPP;
#endif

	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	EXPECT_EQ(sync_both(&dev, data, sizeof(data)), 0);
	dev.has_iommu = false;
	EXPECT_EQ(sync_both(&dev, data + 1, sizeof(data) - 1), unknown);
	dev.reach.known = true;
	EXPECT_EQ(sync_both(&dev, data, sizeof(data)), incoherent);
	EXPECT_EQ(sync_both(&dev, data + 63, 2), incoherent);
	EXPECT_EQ(sync_both(&dev, NULL, 0), incoherent);
	dev.reach.coherent = true;
	EXPECT_EQ(sync_both(&dev, data, sizeof(data)), 0);
	for (i = 0; i < sizeof(data); i++)
		wrong += data[i] != (char)(i * 7);
	EXPECT_EQ(wrong, 0);
}

/* Two contexts know nothing of each other. */
static void test_two_contexts(void)
{
	struct vfiodma_ctx *first = create(), *second = create();
	char *va = reserve(SIZE);

	REQUIRE_OK(enter(first, false));
	REQUIRE_OK(enter(second, true));
	REQUIRE_OK(vfiodma_map(first, va, PAGE, 0, NULL, NULL));
	EXPECT_EQ(vfiodma_addr(second, va), VFIODMA_NO_ADDR);
	REQUIRE_OK(vfiodma_map(second, va, PAGE, 0, NULL, NULL));
	EXPECT_EQ(vfiodma_addr(first, va), phys_of(0));
	EXPECT_EQ(vfiodma_addr(second, va), IOVA);
	leave(first);
	EXPECT_EQ(vfiodma_ctx_destroy(first), 0);
	EXPECT_EQ(vfiodma_addr(second, va), IOVA);
	leave(second);
	EXPECT_EQ(vfiodma_ctx_destroy(second), 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "extents, 512 a call", test_extents },
		{ "a kernel that answers less", test_short_answers },
		{ "a kernel without extents", test_without_extents },
		{ "a kernel without the ioctl", test_without_the_feature },
		{ "behind an IOMMU", test_iommu },
		{ "scatter lists", test_scatter_lists },
		{ "errors of mapping", test_map_errors },
		{ "the last device goes", test_last_device },
		{ "allocation", test_alloc },
		{ "allocation below a limit", test_alloc_below },
		{ "how memory has to be", test_alloc_options },
		{ "a device that sees memory elsewhere", test_translated },
		{ "a device that reaches part of it", test_reach },
		{ "a kernel that does not tell a device's addresses", test_without_the_flag },
		{ "what is known of a device", test_dma_info },
		{ "caches", test_caches },
		{ "two contexts", test_two_contexts },
	};

	return run_tests(tests, sizeof(tests) / sizeof(*tests));
}
