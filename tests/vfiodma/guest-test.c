// SPDX-License-Identifier: GPL-2.0-only
/*
 * libvfiodma with devices. Addresses are compared with those in pagemap, and by the
 * device's DMA, which has to land in the right bytes; behind an IOMMU only by that.
 *
 * usage: guest-test NVME EDU...: an NVMe disk, and one or more of QEMU's edu; the
 * variable KIND tells whether they are behind an IOMMU: "physical" or "iova", or
 * "mixed", where the last edu is not and the others are. "heap" is for a machine
 * that has no huge pages, but a heap of contiguous memory, and for that alone.
 */
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "test.h"
#include "vfiodma.h"

#define PAGE		4096ul
#define MIB(n)		((size_t)(n) << 20)

/* See docs/specs/edu in QEMU. All registers are in BAR 0. */
#define EDU_IRQ_STATUS	0x24
#define EDU_IRQ_RAISE	0x60
#define EDU_IRQ_ACK	0x64
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_RUN	0x1
#define EDU_DMA_TO_RAM	0x2
#define EDU_BUFFER	0x40000
/* Some versions of QEMU take the last byte of the buffer for out of bounds. */
#define EDU_MOST	4095

static const char *nvme, *edu, *other;
static bool has_iommu;

struct edu {
	struct vfiodma_device *dev;
	void *regs;
	size_t size;
};

static int edu_open(struct vfiodma_ctx *ctx, const char *bdf, struct edu *edu)
{
	int err = vfiodma_device_open(ctx, bdf, 0, &edu->dev);

	if (!err)
		err = vfiodma_region_map(edu->dev, VFIODMA_BAR0, &edu->regs,
					 &edu->size);
	if (!err)
		err = vfiodma_device_set_master(edu->dev, true);
	return err;
}

static void edu_close(struct edu *edu)
{
	EXPECT_EQ(vfiodma_region_unmap(edu->dev, edu->regs), 0);
	EXPECT_EQ(vfiodma_region_unmap(edu->dev, edu->regs), -ENOENT);
	vfiodma_device_close(edu->dev);
}

static volatile uint32_t *reg(struct edu *edu, size_t offset)
{
	return (volatile uint32_t *)((char *)edu->regs + offset);
}

static void edu_dma(struct edu *edu, bool to_ram, uint64_t addr, size_t size)
{
	uint64_t values[] = {
		to_ram ? EDU_BUFFER : addr, to_ram ? addr : EDU_BUFFER, size,
		EDU_DMA_RUN | (to_ram ? EDU_DMA_TO_RAM : 0),
	};
	size_t i;

	for (i = 0; i < 4; i++)
		*(volatile uint64_t *)reg(edu, EDU_DMA_SRC + 8 * i) = values[i];
	while (*reg(edu, EDU_DMA_CMD) & EDU_DMA_RUN)
		usleep(1000);
}

/* That the device reaches the bytes of the one and of the other, by the table */
static void check_dma(struct vfiodma_ctx *ctx, struct edu *edu, char *from,
		      char *to, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		from[i] = rand();
	memset(to, 0x5a, size);
	edu_dma(edu, false, vfiodma_addr(ctx, from), size);
	edu_dma(edu, true, vfiodma_addr(ctx, to), size);
	EXPECT(!memcmp(from, to, size));
}

static uint64_t pagemap(const void *va)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	if (pread(fd, &entry, 8, (uintptr_t)va / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE + (uintptr_t)va % PAGE;
}

static size_t wrong_pages(struct vfiodma_ctx *ctx, char *va, size_t size)
{
	size_t wrong = 0, i;

	for (i = 77; i < size && !has_iommu; i += PAGE)
		wrong += vfiodma_addr(ctx, va + i) != pagemap(va + i);
	for (i = 77; i < size && has_iommu; i += PAGE)
		wrong += vfiodma_addr(ctx, va + i) == VFIODMA_NO_ADDR;
	return wrong;
}

static size_t known_pages(struct vfiodma_ctx *ctx, char *va, size_t size)
{
	size_t known = 0, i;

	for (i = 0; i < size; i += PAGE)
		known += vfiodma_addr(ctx, va + i) != VFIODMA_NO_ADDR;
	return known;
}

/* Ordinary pages, touched in an order of their own */
static char *scattered(size_t size)
{
	char *va = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t pages = size / PAGE, i;

	madvise(va, size, MADV_NOHUGEPAGE);
	for (i = 0; i < pages; i++)
		va[i * 7919 % pages * PAGE] = 1;
	return va;
}

static void test_memory(void)
{
	static const struct { enum vfiodma_memory kind; size_t size; } kinds[] = {
		{ VFIODMA_SCATTERED, MIB(3) + 5 },
		{ VFIODMA_HUGE_2M, MIB(5) },
		{ VFIODMA_CONTIGUOUS, PAGE },
		{ VFIODMA_CONTIGUOUS, MIB(2) },
	};
	struct vfiodma_ctx *ctx;
	struct edu device;
	size_t i;
	char *va;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(vfiodma_device_has_iommu(device.dev), has_iommu);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		REQUIRE_OK(vfiodma_alloc(ctx, kinds[i].size, kinds[i].kind,
					 (void **)&va));
		EXPECT_EQ(wrong_pages(ctx, va, kinds[i].size), 0);
		if (kinds[i].kind == VFIODMA_CONTIGUOUS)
			EXPECT_EQ(vfiodma_sg(ctx, va, kinds[i].size, NULL, 0), 1);
		check_dma(ctx, &device, va, va + kinds[i].size / 2, PAGE / 2 - 1);
		REQUIRE_OK(vfiodma_free(ctx, va));
		EXPECT_EQ(known_pages(ctx, va, kinds[i].size), 0);
	}
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static bool says(const char *path, const char *text)
{
	static char content[65536];
	int fd = open(path, O_RDONLY);
	ssize_t length = 0, more;

	while ((more = read(fd, content + length, sizeof(content) - 1 - length)) > 0)
		length += more;
	content[length] = '\0';
	close(fd);
	return strstr(content, text);
}

/*
 * One is set aside where the kernel's command line says so, if the CPU has them. A
 * kernel that could not make one later does not know the size without that.
 */
static void test_gigantic_page(void)
{
	bool one = says("/proc/cmdline", "hugepagesz=1G") &&
		   says("/proc/cpuinfo", "pdpe1gb");
	bool some = one || !access("/sys/kernel/mm/hugepages/hugepages-1048576kB", F_OK);
	struct vfiodma_ctx *ctx;
	struct edu device;
	char *va, *second;
	size_t wrong = 0, i;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(vfiodma_alloc(ctx, MIB(1), VFIODMA_HUGE_1G, (void **)&va),
		  one ? 0 : some ? -ENOMEM : -EOPNOTSUPP);
	if (one) {
		uint64_t addr = vfiodma_addr(ctx, va);

		EXPECT_EQ(vfiodma_sg(ctx, va, MIB(1024), NULL, 0), 1);
		for (i = 0; i < MIB(1024); i += PAGE)
			wrong += vfiodma_addr(ctx, va + i) != addr + i;
		EXPECT_EQ(wrong, 0);
		if (!has_iommu)
			EXPECT_EQ(addr, pagemap(va));
		check_dma(ctx, &device, va + MIB(600), va + MIB(1024) - PAGE,
			  EDU_MOST);
		EXPECT_EQ(vfiodma_alloc(ctx, PAGE, VFIODMA_HUGE_1G,
					(void **)&second), -ENOMEM);
		REQUIRE_OK(vfiodma_free(ctx, va));
		EXPECT_EQ(known_pages(ctx, va, MIB(1024)), 0);
		/* More than all of the smaller huge pages, in one piece */
		REQUIRE_OK(vfiodma_alloc(ctx, MIB(300), VFIODMA_CONTIGUOUS,
					 (void **)&va));
		EXPECT_EQ(vfiodma_sg(ctx, va, MIB(300), NULL, 0), 1);
		REQUIRE_OK(vfiodma_free(ctx, va));
	}
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

/* What is mapped there is no memory of the process */
static bool is_dmabuf(const void *va)
{
	FILE *file = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	while (!found && fgets(line, sizeof(line), file))
		found = strtoull(line, NULL, 16) == (uintptr_t)va &&
			strstr(line, "dmabuf");
	fclose(file);
	return found;
}

/*
 * More than a huge page in one piece, from the kernel's heap: more often than it has
 * memory for, and not all at once. Ordinary pages do not come in such a piece, as long
 * as they are not huge ones.
 */
static void test_heap(void)
{
	const size_t size = MIB(40);
	struct vfiodma_ctx *ctx;
	struct edu device;
	char *va, *second;
	size_t i, j, dirty;

	EXPECT_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	for (i = 0; i < 3; i++) {
		REQUIRE_OK(vfiodma_alloc(ctx, size, VFIODMA_CONTIGUOUS,
					 (void **)&va));
		EXPECT(is_dmabuf(va));
		EXPECT_EQ(vfiodma_sg(ctx, va, size, NULL, 0), 1);
		EXPECT_EQ(known_pages(ctx, va, size), size / PAGE);
		for (j = 0, dirty = 0; j < size; j++)
			dirty += va[j] != 0;
		EXPECT_EQ(dirty, 0);
		check_dma(ctx, &device, va, va + size - PAGE, EDU_MOST);
		check_dma(ctx, &device, va + size / 2, va + PAGE, EDU_MOST);
		/* There are 64 MiB of it */
		EXPECT_EQ(vfiodma_alloc(ctx, size, VFIODMA_CONTIGUOUS,
					(void **)&second), -ENOBUFS);
		REQUIRE_OK(vfiodma_free(ctx, va));
		EXPECT_EQ(known_pages(ctx, va, size), 0);
	}
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

/* What the machine is known to be: everything within reach, and coherent */
static void test_dma_info(void)
{
	struct vfiodma_dma_info info = { .size = sizeof(info) };
	struct vfiodma_ctx *ctx;
	struct edu device;
	char data[100] = { 0 };
	bool told = has_iommu;

	/* What this kernel has is in its header, which this is compiled with. */
#ifdef VFIO_DEVICE_INFO_CAP_NOIOMMU_DMA
	told = true;
#endif
	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(vfiodma_device_dma_info(device.dev, &info), told ? 0 : -ENODATA);
	EXPECT_EQ(info.coherent, told);
	EXPECT_EQ(info.translated, has_iommu);
	EXPECT(!info.encrypted);
	if (has_iommu)
		EXPECT(info.last_addr > UINT32_MAX && info.last_addr < INT64_MAX);
	else if (told)
		EXPECT_EQ(info.last_addr, UINT64_MAX);
	EXPECT_EQ(vfiodma_sync_for_device(device.dev, data, sizeof(data)), 0);
	EXPECT_EQ(vfiodma_sync_for_cpu(device.dev, data, sizeof(data)), 0);
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

#ifdef VFIO_DEVICE_INFO_CAP_NOIOMMU_DMA
/*
 * Devices that the library takes for limited ones: it asks for their own addresses,
 * which are the physical ones on this machine.
 */
static void test_own_addresses(void)
{
	char *va = scattered(MIB(4));
	struct vfiodma_device *disk;
	struct vfiodma_ctx *ctx;
	unsigned long lookups;
	struct edu device;
	size_t wrong = 0, i;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, has_iommu ? other : edu, &device));
	EXPECT(device.dev->reach.known);
	device.dev->reach.last_addr--;
	REQUIRE_OK(vfiodma_map(ctx, va, MIB(2), 0, NULL, NULL));
	lookups = vfiodma_ctx_lookups(ctx);
	for (i = 9; i < MIB(2); i += PAGE)
		wrong += vfiodma_addr(ctx, va + i) != pagemap(va + i);
	EXPECT_EQ(wrong, 0);
	check_dma(ctx, &device, va, va + MIB(1), EDU_MOST);
	if (!has_iommu) {
		REQUIRE_OK(vfiodma_device_open(ctx, nvme, 0, &disk));
		disk->reach.last_addr--;
		REQUIRE_OK(vfiodma_map(ctx, va + MIB(2), MIB(2), 0, NULL, NULL));
		EXPECT(vfiodma_ctx_lookups(ctx) >= lookups + 2);
		EXPECT_EQ(wrong_pages(ctx, va, MIB(4)), 0);
		vfiodma_device_close(disk);
	}
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	munmap(va, MIB(4));
}
#endif

static int compare_addresses(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/*
 * An address that a quarter of what the kernel gives now lies above. IOVAs are given
 * from low ones on.
 */
static uint64_t usual_limit(struct vfiodma_ctx *ctx, size_t pages)
{
	uint64_t *addrs = calloc(pages, sizeof(*addrs)), limit;
	size_t i;
	char *va;

	if (has_iommu)
		return UINT32_MAX;
	if (vfiodma_alloc(ctx, pages * PAGE, VFIODMA_SCATTERED, (void **)&va))
		return 0;
	for (i = 0; i < pages; i++)
		addrs[i] = vfiodma_addr(ctx, va + i * PAGE);
	qsort(addrs, pages, sizeof(*addrs), compare_addresses);
	limit = addrs[pages * 3 / 4];
	vfiodma_free(ctx, va);
	free(addrs);
	return limit;
}

static void test_memory_that_fits(void)
{
	struct vfiodma_alloc_options want = { .size = sizeof(want) };
	struct vfiodma_ctx *ctx;
	size_t above = 0, i;
	struct edu device;
	char *va;
	int err;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	want.max_addr = usual_limit(ctx, 64);
	REQUIRE(want.max_addr > 0);
	/* What the kernel gives instead is up to it, and may lie higher each time. */
	err = vfiodma_alloc_with(ctx, 64 * PAGE, &want, (void **)&va);
	EXPECT(!err || (err == -EADDRNOTAVAIL && !has_iommu));
	if (!err) {
		for (i = 0; i < 64 * PAGE; i++)
			above += vfiodma_addr(ctx, va + i) > want.max_addr || va[i];
		EXPECT_EQ(above, 0);
		EXPECT_EQ(wrong_pages(ctx, va, 64 * PAGE), 0);
		check_dma(ctx, &device, va, va + 32 * PAGE, EDU_MOST);
		REQUIRE_OK(vfiodma_free(ctx, va));
	}

	/* The first page of memory is nobody's. */
	want.max_addr = PAGE - 1;
	EXPECT_EQ(vfiodma_alloc_with(ctx, PAGE, &want, (void **)&va),
		  -EADDRNOTAVAIL);
	want.memory = VFIODMA_CONTIGUOUS;
	want.max_addr = INT64_MAX;
	want.alignment = MIB(1);
	REQUIRE_OK(vfiodma_alloc_with(ctx, 3 * PAGE, &want, (void **)&va));
	EXPECT_EQ(vfiodma_addr(ctx, va) % MIB(1), 0);
	EXPECT_EQ(vfiodma_sg(ctx, va, 3 * PAGE, NULL, 0), 1);
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

/* Pages one by one, from the last to the first: as good as never in one piece */
static void scatter(char *va, size_t size)
{
	REQUIRE(mmap(va, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == va);
	madvise(va, size, MADV_NOHUGEPAGE);
	while (size) {
		size -= PAGE;
		va[size] = 1;
	}
}

/* Without a device memory is not pinned. What was in one piece need not be later on. */
static void test_memory_that_moves(void)
{
	struct vfiodma_ctx *ctx;
	struct edu device;
	char *va;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	REQUIRE_OK(vfiodma_alloc(ctx, MIB(2), VFIODMA_CONTIGUOUS, (void **)&va));
	edu_close(&device);
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(vfiodma_sg(ctx, va, MIB(2), NULL, 0), 1);
	edu_close(&device);

	scatter(va, MIB(2));
	if (!has_iommu) {
		EXPECT_EQ(vfiodma_device_open(ctx, edu, 0, &device.dev), -ENOBUFS);
		EXPECT_EQ(vfiodma_addr(ctx, va), VFIODMA_NO_ADDR);
		REQUIRE_OK(vfiodma_free(ctx, va));
	}
	REQUIRE_OK(edu_open(ctx, edu, &device));
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_own_memory(void)
{
	size_t size = MIB(16), count = size / PAGE, i, length = 0;
	struct iovec *pieces = calloc(count, sizeof(*pieces));
	char *va = scattered(size);
	struct vfiodma_ctx *ctx;
	struct edu device;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	EXPECT_EQ(vfiodma_map(ctx, va, size, 0, NULL, NULL), -ENODEV);
	REQUIRE_OK(edu_open(ctx, edu, &device));
	REQUIRE_OK(vfiodma_map(ctx, va, size, 0, pieces, &count));
	EXPECT_EQ(wrong_pages(ctx, va, size), 0);
	if (has_iommu)
		EXPECT_EQ(count, 1);
	else
		EXPECT(count > 16);
	for (i = 0; i < count; i++) {
		EXPECT_EQ((uintptr_t)pieces[i].iov_base,
			  vfiodma_addr(ctx, va + length));
		length += pieces[i].iov_len;
	}
	EXPECT_EQ(length, size);
	if (has_iommu)
		EXPECT_EQ(vfiodma_ctx_lookups(ctx), 0);
	else
		EXPECT(vfiodma_ctx_lookups(ctx) <= count / 512 + 1);
	for (i = 0; i < 8; i++)
		check_dma(ctx, &device, va + i * MIB(2) + 1234,
			  va + (i + 1) * MIB(2) - PAGE + 60, 1000);
	REQUIRE_OK(vfiodma_unmap(ctx, va));
	EXPECT_EQ(known_pages(ctx, va, size), 0);
	/* The memory is still ours. */
	va[0] = 1;
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	free(pieces);
	munmap(va, size);
}

/* DMA by a scatter list across pages, put together again here */
static void test_scatter_list(void)
{
	struct vfiodma_ctx *ctx;
	struct iovec pieces[4];
	struct edu device;
	char *va, *out, data[2 * PAGE];
	ssize_t count, i;
	size_t done = 0;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	va = scattered(MIB(1));
	REQUIRE_OK(vfiodma_map(ctx, va, MIB(1), 0, NULL, NULL));
	REQUIRE_OK(vfiodma_alloc(ctx, PAGE, VFIODMA_SCATTERED, (void **)&out));
	for (i = 0; i < (ssize_t)sizeof(data); i++)
		va[PAGE / 2 + i] = data[i] = rand();
	count = vfiodma_sg(ctx, va + PAGE / 2, sizeof(data), pieces, 4);
	EXPECT(count >= 1 && count <= 3);
	for (i = 0; i < count; i++) {
		uint64_t addr = (uintptr_t)pieces[i].iov_base;
		size_t left = pieces[i].iov_len, part;

		for (; left; left -= part, addr += part, done += part) {
			part = left < EDU_MOST ? left : EDU_MOST;
			edu_dma(&device, false, addr, part);
			edu_dma(&device, true, vfiodma_addr(ctx, out), part);
			EXPECT(!memcmp(out, data + done, part));
		}
	}
	EXPECT_EQ(done, sizeof(data));
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	munmap(va, MIB(1));
}

/* Two devices, one context: a buffer is pinned once, and good for both. */
static void test_two_devices(void)
{
	struct vfiodma_device *disk;
	struct vfiodma_ctx *ctx;
	struct edu device;
	void *regs;
	char *va;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(vfiodma_device_open(ctx, nvme, 0, &disk));
	va = scattered(MIB(1));
	REQUIRE_OK(vfiodma_map(ctx, va, MIB(1), 0, NULL, NULL));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(wrong_pages(ctx, va, MIB(1)), 0);
	check_dma(ctx, &device, va, va + MIB(1) / 2, EDU_MOST);
	REQUIRE_OK(vfiodma_region_map(disk, VFIODMA_BAR0, &regs, NULL));
	/* NVMe's version register: 1.something */
	EXPECT_EQ(((volatile uint32_t *)regs)[2] >> 16, 1);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), -EBUSY);

	/* The addresses are good until the last one goes. */
	edu_close(&device);
	EXPECT_EQ(wrong_pages(ctx, va, MIB(1)), 0);
	vfiodma_device_close(disk);
	EXPECT_EQ(known_pages(ctx, va, MIB(1)), 0);
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(wrong_pages(ctx, va, MIB(1)), 0);
	check_dma(ctx, &device, va + 100, va + MIB(1) / 2, 3000);
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	munmap(va, MIB(1));
}

/* Devices that take other addresses keep to other contexts. */
static void test_other_kind(void)
{
	struct vfiodma_ctx *ctx, *second;
	struct edu device, stranger;
	char *va;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(vfiodma_ctx_create(&second));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(edu_open(ctx, other, &stranger), -EXDEV);
	REQUIRE_OK(edu_open(second, other, &stranger));
	va = scattered(MIB(1));
	REQUIRE_OK(vfiodma_map(ctx, va, MIB(1), 0, NULL, NULL));
	REQUIRE_OK(vfiodma_map(second, va, MIB(1), 0, NULL, NULL));
	EXPECT(vfiodma_device_has_iommu(device.dev));
	EXPECT(!vfiodma_device_has_iommu(stranger.dev));
	EXPECT(vfiodma_addr(ctx, va) != vfiodma_addr(second, va));
	EXPECT_EQ(vfiodma_addr(second, va + 5), pagemap(va + 5));
	check_dma(ctx, &device, va, va + MIB(1) / 2, EDU_MOST);
	check_dma(second, &stranger, va + PAGE, va + MIB(1) / 4, EDU_MOST);
	edu_close(&device);
	edu_close(&stranger);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(vfiodma_ctx_destroy(second), 0);
	munmap(va, MIB(1));
}

static int command(struct vfiodma_device *dev)
{
	uint16_t value = 0;

	EXPECT_EQ(vfiodma_region_read(dev, VFIODMA_CONFIG, 4, &value, 2), 0);
	return value;
}

#define MASTER		(1 << 2)
#define INTX_OFF	(1 << 10)

/* What a user forgets must not matter. */
static void test_bus(void)
{
	struct vfiodma_device *disk, *again;
	struct vfiodma_ctx *ctx;
	uint64_t size;
	void *va;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(vfiodma_device_open(ctx, nvme, 0, &disk));
	EXPECT_EQ(command(disk) & (MASTER | INTX_OFF), INTX_OFF);
	EXPECT(vfiodma_device_has_reset(disk));
	REQUIRE_OK(vfiodma_device_set_master(disk, true));
	EXPECT_EQ(command(disk) & MASTER, MASTER);
	REQUIRE_OK(vfiodma_device_reset(disk));
	EXPECT_EQ(command(disk) & MASTER, 0);
	EXPECT(!vfiodma_device_requested(disk));
	EXPECT_EQ(vfiodma_device_open(ctx, nvme, 0, &again), -EBUSY);

	REQUIRE_OK(vfiodma_region_size(disk, VFIODMA_CONFIG, &size));
	EXPECT(size == 256 || size == 4096);
	EXPECT_EQ(vfiodma_region_size(disk, 8, &size), -EINVAL);
	EXPECT_EQ(vfiodma_region_map(disk, 5, &va, NULL), -ENXIO);
	EXPECT_EQ(vfiodma_region_map(disk, VFIODMA_CONFIG, &va, NULL),
		  -EOPNOTSUPP);
	EXPECT_EQ(vfiodma_region_read(disk, VFIODMA_CONFIG, 4096, &size, 1),
		  -EINVAL);
	EXPECT_EQ(vfiodma_region_write(disk, 9, 0, &size, 1), -EINVAL);

	/* Left mastering the bus, it is opened again. */
	REQUIRE_OK(vfiodma_device_set_master(disk, true));
	vfiodma_device_close(disk);
	REQUIRE_OK(vfiodma_device_open(ctx, nvme, VFIODMA_NO_RESET, &disk));
	EXPECT_EQ(command(disk) & MASTER, 0);
	vfiodma_device_close(disk);
	vfiodma_device_close(NULL);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	EXPECT_EQ(vfiodma_ctx_destroy(NULL), 0);
}

static bool fires(int event)
{
	struct pollfd ready = { .fd = event, .events = POLLIN };
	uint64_t count;

	return poll(&ready, 1, 5000) == 1 && read(event, &count, 8) == 8 &&
	       count == 1;
}

static bool is_quiet(int event)
{
	struct pollfd ready = { .fd = event, .events = POLLIN };

	return poll(&ready, 1, 50) == 0;
}

static void test_intx(struct edu *device, int event)
{
	REQUIRE_OK(vfiodma_irq_set(device->dev, VFIODMA_INTX, 0, 1, &event));
	*reg(device, EDU_IRQ_RAISE) = 1;
	EXPECT(fires(event));
	/* The line is still up, but masked. */
	EXPECT(is_quiet(event));
	*reg(device, EDU_IRQ_ACK) = 1;
	REQUIRE_OK(vfiodma_irq_unmask(device->dev));
	*reg(device, EDU_IRQ_RAISE) = 2;
	EXPECT(fires(event));
	*reg(device, EDU_IRQ_ACK) = 2;
	EXPECT_EQ(vfiodma_irq_set(device->dev, VFIODMA_MSI, 0, 1, &event), -EINVAL);
	REQUIRE_OK(vfiodma_irq_disable(device->dev, VFIODMA_INTX));
	EXPECT_EQ(vfiodma_irq_unmask(device->dev), -EINVAL);
	EXPECT_EQ(command(device->dev) & INTX_OFF, INTX_OFF);
}

static void test_msi(struct edu *device, int event)
{
	int none = -1;

	REQUIRE_OK(vfiodma_irq_set(device->dev, VFIODMA_MSI, 0, 1, &event));
	*reg(device, EDU_IRQ_RAISE) = 1;
	EXPECT(fires(event));
	*reg(device, EDU_IRQ_ACK) = 1;
	REQUIRE_OK(vfiodma_irq_set(device->dev, VFIODMA_MSI, 0, 1, &none));
	*reg(device, EDU_IRQ_RAISE) = 1;
	EXPECT(is_quiet(event));
	*reg(device, EDU_IRQ_ACK) = 1;
	REQUIRE_OK(vfiodma_irq_disable(device->dev, VFIODMA_MSI));
	REQUIRE_OK(vfiodma_irq_disable(device->dev, VFIODMA_MSI));
}

static void test_irqs(void)
{
	int event = eventfd(0, EFD_NONBLOCK), bad = 999;
	struct vfiodma_device *disk;
	struct vfiodma_ctx *ctx;
	struct edu device;
	int vectors;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	EXPECT_EQ(vfiodma_irq_count(device.dev, VFIODMA_INTX), 1);
	EXPECT_EQ(vfiodma_irq_count(device.dev, VFIODMA_MSIX), 0);
	EXPECT_EQ(vfiodma_irq_count(device.dev, (enum vfiodma_irq)3), -EINVAL);
	EXPECT_EQ(vfiodma_irq_set(device.dev, VFIODMA_MSIX, 0, 1, &event), -EINVAL);
	EXPECT_EQ(vfiodma_irq_set(device.dev, VFIODMA_MSI, 0, 1, &bad), -EBADF);
	EXPECT_EQ(vfiodma_irq_disable(device.dev, VFIODMA_MSIX), -EINVAL);
	test_intx(&device, event);
	test_msi(&device, event);
	edu_close(&device);

	/* Any vector, and not the first */
	REQUIRE_OK(vfiodma_device_open(ctx, nvme, 0, &disk));
	vectors = vfiodma_irq_count(disk, VFIODMA_MSIX);
	EXPECT(vectors > 3);
	EXPECT_EQ(vfiodma_irq_set(disk, VFIODMA_MSIX, vectors, 1, &event), -EINVAL);
	EXPECT_EQ(vfiodma_irq_set(disk, VFIODMA_MSIX, 0, 0, &event), -EINVAL);
	EXPECT_EQ(vfiodma_irq_set(disk, VFIODMA_MSIX, 3, 1, &event), 0);
	EXPECT_EQ(vfiodma_irq_set(disk, VFIODMA_MSIX, 1, 1, &event), 0);
	EXPECT_EQ(vfiodma_irq_disable(disk, VFIODMA_MSIX), 0);
	vfiodma_device_close(disk);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	close(event);
}

/* By descriptor: a cdev that is opened elsewhere, an iommufd likewise */
static void test_descriptors(void)
{
	struct vfiodma_ctx *ctx, *second;
	struct vfiodma_device *dev, *again;
	char path[64];
	int fd, iommufd = open("/dev/iommu", O_RDWR);

	REQUIRE_OK(vfiodma_ctx_create_fd(iommufd, &ctx));
	close(iommufd);
	EXPECT(vfiodma_ctx_ioas(ctx) > 0);
	REQUIRE_OK(vfiodma_device_open(ctx, edu, 0, &dev));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", vfiodma_device_fd(dev));
	fd = open(path, O_RDWR);
	REQUIRE(fd >= 0);
	/* Bound already, by another file */
	EXPECT_EQ(vfiodma_device_open_fd(ctx, fd, 0, &again), -EBUSY);
	vfiodma_device_close(dev);
	REQUIRE_OK(vfiodma_device_open_fd(ctx, fd, 0, &dev));
	REQUIRE_OK(vfiodma_device_set_master(dev, true));
	EXPECT_EQ(vfiodma_device_open_fd(ctx, fd, 0, &again), -EBUSY);
	/* That is nothing to the one which is at work */
	EXPECT_EQ(command(dev) & MASTER, MASTER);
	close(fd);
	EXPECT_EQ(vfiodma_device_has_iommu(dev), has_iommu);
	vfiodma_device_close(dev);

	fd = open("/dev/null", O_RDWR);
	EXPECT_EQ(vfiodma_device_open_fd(ctx, fd, 0, &dev), -EINVAL);
	EXPECT_EQ(vfiodma_ctx_create_fd(fd, &second), -ENOSYS);
	close(fd);
	EXPECT_EQ(vfiodma_device_open_fd(ctx, fd, 0, &dev), -EBADF);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static void test_open_errors(void)
{
	static const char *const bad[] = {
		"", "00", "0:0", "00:04", "00:04.8", "00:20.0", "100:04.0",
		"0000:00:04.0x", "x000:00:04.0", "0000:00:-4.0",
	};
	struct vfiodma_device *dev;
	struct vfiodma_ctx *ctx;
	size_t i;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_EQ(vfiodma_device_open(ctx, bad[i], 0, &dev), -EINVAL);
	EXPECT_EQ(vfiodma_device_open(ctx, edu, 4, &dev), -EINVAL);
	EXPECT_EQ(vfiodma_device_open_fd(ctx, 0, 2, &dev), -EINVAL);
	EXPECT_EQ(vfiodma_device_open(ctx, "0000:00:1e.7", 0, &dev), -ENODEV);
	/* The host bridge has no driver. */
	EXPECT_EQ(vfiodma_device_open(ctx, "00:00.0", 0, &dev), -EUNATCH);
	REQUIRE_OK(vfiodma_device_open(ctx, edu + 5, 0, &dev));
	vfiodma_device_close(dev);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

static bool find_node(const char *bdf, char *node, size_t size)
{
	char pattern[PATH_MAX];
	glob_t found;
	bool one;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/vfio-dev/*vfio*", bdf);
	if (glob(pattern, 0, NULL, &found))
		return false;
	one = found.gl_pathc == 1;
	snprintf(node, size, "/dev/vfio/devices/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return one;
}

/* What opening gives in a process without root's rights */
static int open_as_user(struct vfiodma_ctx *ctx)
{
	struct vfiodma_device *dev;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setgid(1000) || setuid(1000))
			_exit(200);
		if (vfiodma_ctx_create(&(struct vfiodma_ctx *){ NULL }) != -EACCES)
			_exit(201);
		_exit(-vfiodma_device_open(ctx, edu, 0, &dev));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	return -WEXITSTATUS(status);
}

/* The mode of the nodes, and where that lets everybody, the capability */
static void test_privileges(void)
{
	struct vfiodma_ctx *ctx;
	char node[PATH_MAX];
	struct stat before;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	EXPECT_EQ(open_as_user(ctx), -EACCES);
	REQUIRE_OK(!find_node(edu, node, sizeof(node)));
	REQUIRE_OK(stat(node, &before));
	REQUIRE_OK(chmod(node, 0666));
	EXPECT_EQ(open_as_user(ctx), has_iommu ? 0 : -EPERM);
	EXPECT_EQ(chmod(node, before.st_mode & 07777), 0);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
}

/* As an administrator would let a program have it: this right, and a limit */
static void keep_rawio(rlim_t memory)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2] = { { 0 } };
	struct rlimit limit = { memory, memory };

	caps[0].effective = caps[0].permitted = 1u << CAP_SYS_RAWIO;
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || syscall(SYS_capset, &head, caps))
		_exit(100);
}

/* In a process of its own: what is mapped counts as locked. */
static void test_memory_limit(void)
{
	char *va = scattered(MIB(4));
	struct vfiodma_device *dev;
	struct vfiodma_ctx *ctx;
	int status;
	void *more;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		keep_rawio(MIB(2));
		if (vfiodma_ctx_create(&ctx) ||
		    vfiodma_device_open(ctx, edu, 0, &dev))
			_exit(101);
		if (vfiodma_map(ctx, va, MIB(4), 0, NULL, NULL) != -ENOMEM)
			_exit(102);
		if (vfiodma_alloc(ctx, MIB(4), VFIODMA_SCATTERED, &more) != -ENOMEM)
			_exit(103);
		if (vfiodma_map(ctx, va, MIB(1), 0, NULL, NULL))
			_exit(104);
		if (vfiodma_alloc(ctx, MIB(1) + PAGE, VFIODMA_SCATTERED, &more) !=
		    -ENOMEM)
			_exit(105);
		if (vfiodma_unmap(ctx, va) || vfiodma_map(ctx, va, MIB(2), 0, NULL, NULL))
			_exit(106);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
	munmap(va, MIB(4));
}

static void test_memory_errors(void)
{
	char *va = scattered(MIB(4)), *page, *memory;
	struct vfiodma_ctx *ctx;
	struct edu device;

	REQUIRE_OK(vfiodma_ctx_create(&ctx));
	REQUIRE_OK(edu_open(ctx, edu, &device));
	page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(vfiodma_map(ctx, page, PAGE, 0, NULL, NULL), -EFAULT);
	munmap(page, PAGE);
	EXPECT_EQ(vfiodma_map(ctx, page, PAGE, 0, NULL, NULL), -EFAULT);
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(vfiodma_map(ctx, page, PAGE, 0, NULL, NULL), -EFAULT);
	EXPECT_EQ(vfiodma_map(ctx, page, PAGE, VFIODMA_READ_ONLY, NULL, NULL), 0);
	EXPECT_EQ(vfiodma_unmap(ctx, page), 0);
	REQUIRE_OK(vfiodma_map(ctx, va, MIB(4), 0, NULL, NULL));
	EXPECT_EQ(vfiodma_map(ctx, va + MIB(2), MIB(4), 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(wrong_pages(ctx, va, MIB(4)), 0);

	EXPECT_EQ(vfiodma_alloc(ctx, MIB(4096), VFIODMA_HUGE_2M,
				(void **)&memory), -ENOMEM);
	if (!has_iommu)
		EXPECT_EQ(vfiodma_alloc(ctx, MIB(1100), VFIODMA_CONTIGUOUS,
					(void **)&memory), -ENOBUFS);
	/* Left mapped: it goes with the context. */
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(ctx), 0);
	munmap(va, MIB(4));
	munmap(page, PAGE);
}

/* Lookups while another thread maps and unmaps beside */
static struct vfiodma_ctx *shared;
static char *steady, *fleeting;
static bool stop;
static unsigned long rounds, strange;
static uint64_t *expected;

#define STEADY	MIB(4)
#define FLEETS	MIB(1)

static void *look_up(void *nothing)
{
	size_t i = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		strange += vfiodma_addr(shared, steady + i * PAGE + 9) !=
			   expected[i] + 9;
		i = (i + 101) % (STEADY / PAGE);
		rounds++;
	}
	return nothing;
}

static void test_threads(void)
{
	struct edu device;
	pthread_t thread;
	size_t i;

	REQUIRE_OK(vfiodma_ctx_create(&shared));
	REQUIRE_OK(edu_open(shared, edu, &device));
	steady = scattered(STEADY + 8 * FLEETS);
	fleeting = steady + STEADY;
	REQUIRE_OK(vfiodma_map(shared, steady, STEADY, 0, NULL, NULL));
	expected = calloc(STEADY / PAGE, sizeof(*expected));
	for (i = 0; i < STEADY / PAGE; i++)
		expected[i] = has_iommu ? vfiodma_addr(shared, steady + i * PAGE) :
					  pagemap(steady + i * PAGE);
	REQUIRE(!pthread_create(&thread, NULL, look_up, NULL));
	for (i = 0; i < 400; i++) {
		char *va = fleeting + i % 8 * FLEETS;

		EXPECT_EQ(vfiodma_map(shared, va, FLEETS, 0, NULL, NULL), 0);
		if (i % 40 == 0)
			EXPECT_EQ(wrong_pages(shared, va, FLEETS), 0);
		EXPECT_EQ(vfiodma_unmap(shared, va), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT(rounds > 1000);
	EXPECT_EQ(strange, 0);
	edu_close(&device);
	EXPECT_EQ(vfiodma_ctx_destroy(shared), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "memory of each kind", test_memory },
		{ "a page of 1 GiB", test_gigantic_page },
		{ "what is known of a device's DMA", test_dma_info },
#ifdef VFIO_DEVICE_INFO_CAP_NOIOMMU_DMA
		{ "a device's own addresses", test_own_addresses },
#endif
		{ "memory that has to fit", test_memory_that_fits },
		{ "contiguous memory that was not pinned", test_memory_that_moves },
		{ "the caller's memory", test_own_memory },
		{ "scatter lists", test_scatter_list },
		{ "two devices in one context", test_two_devices },
		{ "on and off the bus, registers", test_bus },
		{ "interrupts", test_irqs },
		{ "descriptors", test_descriptors },
		{ "errors of opening", test_open_errors },
		{ "privileges", test_privileges },
		{ "the limit of locked memory", test_memory_limit },
		{ "errors of memory", test_memory_errors },
		{ "lookups while another thread maps", test_threads },
		/* Only where there are both kinds of device */
		{ "devices with and without an IOMMU", test_other_kind },
	};
	static const struct test heap_tests[] = {
		{ "more than a huge page in one piece", test_heap },
	};
	const char *kind = getenv("KIND");
	size_t count = sizeof(tests) / sizeof(*tests);

	if (argc < 3 || !kind)
		return 2;
	nvme = argv[1];
	edu = argv[2];
	other = argv[argc - 1];
	if (!strcmp(kind, "heap"))
		return run_tests(heap_tests, 1);
	has_iommu = strcmp(kind, "physical");
	return run_tests(tests, other == edu ? count - 1 : count);
}
