// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library beside a kernel that is played: one with extents, one as Linux 7.3
 * is, one that lacks the ioctl, and all of their errors. A real one has each of
 * these in guests; here it is one that no memory limits and that can be told to fail.
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
	unsigned int maps, unmaps, lookups;
} played;

/* Every page is alone but for those of huge[0]..huge[1], at twice the address. */
static uint64_t base, huge[2];

static uint64_t phys_of(uint64_t offset)
{
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
	unsigned int count = 0;

	if (played.lacks_get_pa)
		return refuse(ENOTTY);
	if (played.lacks_extents && get->size > 40)
		return refuse(E2BIG);
	if (get->iova < IOVA || get->iova > IOVA + (UINT64_C(1) << VA_BITS))
		return refuse(ENOENT);
	if (played.fail_get_pa)
		return refuse(played.fail_get_pa);
	played.lookups++;
	get->out_phys = phys_of(offset);
	if (get->size == 40) {
		get->length = run_of(offset, get->length);
		return 0;
	}
	while (done < get->length && count < get->num_extents &&
	       (!played.answers || count < played.answers)) {
		run = run_of(offset + done, get->length - done);
		extents[count].phys = phys_of(offset + done);
		extents[count++].length = run;
		done += run;
	}
	get->num_extents = count;
	get->length = done;
	return 0;
}

/* In place of libc's */
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
	}
	return refuse(ENOTTY);
}

/* As with a device that has just been attached */
static int enter(struct vfiodma_ctx *ctx, bool has_iommu)
{
	int err;

	ctx->has_iommu = has_iommu;
	err = map_enter(ctx);
	ctx->devices = !err;
	return err;
}

static void leave(struct vfiodma_ctx *ctx)
{
	map_leave(ctx);
	ctx->devices = 0;
}

static struct vfiodma_ctx *create(void)
{
	struct vfiodma_ctx *ctx = NULL;
	int fd = open("/dev/null", O_RDWR);

	if (vfiodma_ctx_create_fd(fd, &ctx))
		printf("# no context: %s\n", strerror(errno));
	close(fd);
	memset(&played, 0, sizeof(played));
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
	REQUIRE_OK(vfiodma_alloc(ctx, PAGE, VFIODMA_CONTIGUOUS, (void **)&va));
	huge[1] = UINT64_C(1) << 47;
	REQUIRE_OK(vfiodma_alloc(ctx, 2 * PAGE, VFIODMA_CONTIGUOUS, (void **)&va));
	EXPECT_EQ(vfiodma_sg(ctx, va, 2 * PAGE, NULL, 0), 1);
	EXPECT_EQ(played.maps - played.unmaps, 2);
	leave(ctx);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(played.maps, played.unmaps);
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
		{ "two contexts", test_two_contexts },
	};

	return run_tests(tests, sizeof(tests) / sizeof(*tests));
}
