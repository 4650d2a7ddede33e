// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA by engines that are platform devices, through vfio-platform and without an IOMMU.
 *
 * The addresses are those of IOMMU_IOAS_GET_PA_DEVICE. They are compared with what the
 * devicetree makes of /proc/self/pagemap, and every byte that the engine was to copy is
 * looked at, and every byte around. The former is what counts where the device finds
 * memory at several addresses, as on a Raspberry Pi: a wrong one can do there too.
 *
 * QEMU's engines have copied all when the write that starts them returns. So what is left
 * behind by a user who is gone is never a transfer, as it can be on a board, but an
 * interrupt that nobody has taken.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include <linux/sizes.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "engine.h"
#include "mem.h"
#include "random.h"

#define SIZE		SZ_4M
#define SRC_IOVA	(64ULL * SZ_1G)
#define DST_IOVA	(65ULL * SZ_1G)
#define SRC_SEED	0x5a5aULL
#define DST_SEED	0x1234ULL

#define ROOM		64
#define WINDOWS		2000
#define KILLS		20

static const struct engine_ops *ops;
static char *names[4];
static u32 nr_names;

/*
 * What the device is
 */

FIXTURE(engine_device) {
	struct engine engine;
};

FIXTURE_SETUP(engine_device)
{
	engine_init(&self->engine, ops, names[0]);
}

FIXTURE_TEARDOWN(engine_device)
{
	engine_cleanup(&self->engine);
}

/* Cells of a property of the device's node */
static u32 node_cells(const char *name, u32 *cells, u32 max)
{
	char node[PATH_MAX];
	ssize_t size;

	engine_path(node, names[0], "of_node");
	size = view_property(node, name, cells, max * sizeof(*cells));
	VFIO_ASSERT_GT(size, 0, "%s\n", name);

	return size / sizeof(*cells);
}

/* The bytes that the node says the only region has */
static u64 node_region_size(void)
{
	char node[PATH_MAX], parent[PATH_MAX];
	u32 cells[16], address, size;

	engine_path(node, names[0], "of_node");
	VFIO_ASSERT_NOT_NULL(realpath(node, parent));
	dirname(parent);
	address = view_u32(parent, "#address-cells");
	size = view_u32(parent, "#size-cells");
	VFIO_ASSERT_EQ(node_cells("reg", cells, ARRAY_SIZE(cells)), address + size);

	return view_number(cells + address, size);
}

TEST_F(engine_device, info)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	u32 cells[64];

	ASSERT_EQ(0, ioctl_errno(self->engine.b.device_fd, VFIO_DEVICE_GET_INFO, &info));
	ASSERT_EQ(VFIO_DEVICE_FLAGS_PLATFORM, info.flags & ~VFIO_DEVICE_FLAGS_CAPS);
	ASSERT_EQ(1, info.num_regions);
	ASSERT_EQ(node_cells("interrupts", cells, ARRAY_SIZE(cells)) / ops->irq_cells,
		  info.num_irqs);

	info.argsz = offsetof(struct vfio_device_info, num_irqs);
	ASSERT_EQ(-EINVAL, ioctl_errno(self->engine.b.device_fd, VFIO_DEVICE_GET_INFO,
				       &info));
}

TEST_F(engine_device, region_info)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	const u64 size = node_region_size();
	const bool pages = !(size % getpagesize());
	const int fd = self->engine.b.device_fd;

	ASSERT_EQ(0, ioctl_errno(fd, VFIO_DEVICE_GET_REGION_INFO, &info));
	ASSERT_EQ(size, info.size);
	ASSERT_EQ(VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		  (pages ? VFIO_REGION_INFO_FLAG_MMAP : 0), info.flags);

	/* What is not whole pages would show the neighbours' registers */
	if (!pages) {
		ASSERT_EQ(MAP_FAILED, mmap(NULL, getpagesize(), PROT_READ, MAP_SHARED, fd,
					   info.offset));
	}

	info.index = 1;
	ASSERT_EQ(-EINVAL, ioctl_errno(fd, VFIO_DEVICE_GET_REGION_INFO, &info));
}

TEST_F(engine_device, irq_info)
{
	const u32 masked = VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	struct vfio_device_info device = { .argsz = sizeof(device) };
	struct vfio_irq_info info = { .argsz = sizeof(info) };
	const int fd = self->engine.b.device_fd;

	ASSERT_EQ(0, ioctl_errno(fd, VFIO_DEVICE_GET_INFO, &device));
	for (info.index = 0; info.index < device.num_irqs; info.index++) {
		ASSERT_EQ(0, ioctl_errno(fd, VFIO_DEVICE_GET_IRQ_INFO, &info));
		ASSERT_EQ(1, info.count);
		ASSERT_EQ(VFIO_IRQ_INFO_EVENTFD | (ops->automasked ? masked : 0), info.flags);
	}
	ASSERT_EQ(-EINVAL, ioctl_errno(fd, VFIO_DEVICE_GET_IRQ_INFO, &info));
}

/* A driver is told what the devicetree says of the device's DMA, of each of them */
TEST_F(engine_device, capability)
{
	struct engine other;
	u32 i;

	ASSERT_TRUE(view_is_told(self->engine.b.device_fd, &self->engine.view));
	for (i = 1; i < nr_names; i++) {
		engine_init(&other, ops, names[i]);
		ASSERT_TRUE(view_is_told(other.b.device_fd, &other.view)) TH_LOG("%s", names[i]);
		engine_cleanup(&other);
	}
}

/* Is there memory that 32 bits do not reach? */
static bool has_high_memory(void)
{
	unsigned long start, end;
	bool found = false;
	char line[128];
	FILE *file;

	file = fopen("/proc/iomem", "r");
	VFIO_ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, " : System RAM") &&
		    sscanf(line, "%lx-%lx", &start, &end) == 2)
			found |= start >= SZ_4G;
	}
	VFIO_ASSERT_EQ(fclose(file), 0);

	return found;
}

/* The first page of @mem that is above 4 GiB, or that is not */
static u64 page_find(const struct mem *mem, bool high)
{
	u64 i = 0;

	while (i < mem->npages && (mem->phys[i] >= SZ_4G) != high)
		i++;
	VFIO_ASSERT_LT(i, mem->npages, "No memory %s 4 GiB\n", high ? "above" : "below");

	return i;
}

static void page_copy(struct engine *engine, const struct mem *mem, u64 dst, u64 src)
{
	const u64 page_size = getpagesize();
	char *to = mem->vaddr + dst * page_size, *from = mem->vaddr + src * page_size;

	mem_fill(from, page_size, SRC_SEED);
	mem_fill(to, page_size, DST_SEED);
	engine_flush(engine, from, page_size);
	engine_flush(engine, to, page_size);
	engine_copy_iova(engine, SRC_IOVA + dst * page_size, SRC_IOVA + src * page_size,
			 page_size);
	engine_flush(engine, to, page_size);
	VFIO_ASSERT_EQ(memcmp(to, from, page_size), 0);
	mem_fill(to, page_size, SRC_SEED);
	VFIO_ASSERT_EQ(memcmp(to, from, page_size), 0);
}

/* To and from such memory, where the board has it. Most of the rest is used up first. */
TEST_F(engine_device, above_32_bits)
{
	struct engine *engine = &self->engine;
	struct mem mem;
	u64 high, low;

	ASSERT_EQ(ops->wide, has_high_memory());
	if (!ops->wide)
		return;

	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_128M));
	ASSERT_EQ(0, mem_map_part(&engine->b, &mem, 0, mem.size, SRC_IOVA));
	mem_read_pagemap(&mem);
	high = page_find(&mem, true);
	low = page_find(&mem, false);
	page_copy(engine, &mem, high, low);
	page_copy(engine, &mem, low, high);
	ASSERT_EQ(0, ioas_unmap(engine->b.iommufd, engine->b.ioas_id, SRC_IOVA, mem.size));
	mem_free(&mem);
}

/*
 * What it does to memory
 */

struct memory {
	struct engine engine;
	struct mem src, dst;
	struct layout layout;
	/* What has to be in them */
	char *src_bytes, *dst_bytes;
	s64 pinned;
};

FIXTURE(engine_memory) {
	struct memory m;
};

FIXTURE_VARIANT(engine_memory) {
	enum mem_kind kind;
};

FIXTURE_VARIANT_ADD(engine_memory, scattered) {
	.kind = MEM_SCATTERED,
};

FIXTURE_VARIANT_ADD(engine_memory, hugetlb) {
	.kind = MEM_HUGETLB,
};

FIXTURE_SETUP(engine_memory)
{
	ASSERT_TRUE(mem_alloc(&self->m.src, variant->kind, SIZE));
	ASSERT_TRUE(mem_alloc(&self->m.dst, variant->kind, SIZE));
	mem_fill(self->m.src.vaddr, SIZE, SRC_SEED);
	mem_fill(self->m.dst.vaddr, SIZE, DST_SEED);

	self->m.src_bytes = malloc(SIZE);
	self->m.dst_bytes = malloc(SIZE);
	ASSERT_NE(NULL, self->m.src_bytes);
	ASSERT_NE(NULL, self->m.dst_bytes);
	memcpy(self->m.src_bytes, self->m.src.vaddr, SIZE);
	memcpy(self->m.dst_bytes, self->m.dst.vaddr, SIZE);

	self->m.pinned = pinned_pages();
	engine_init(&self->m.engine, ops, names[0]);
	layout_map(&self->m.layout, &self->m.engine.b, SRC_IOVA, SIZE, &self->m.src, 0);
	layout_map(&self->m.layout, &self->m.engine.b, DST_IOVA, SIZE, &self->m.dst, 0);
	mem_read_pagemap(&self->m.src);
	mem_read_pagemap(&self->m.dst);
	ASSERT_TRUE(mem_layout_is_apt(&self->m.src));
	ASSERT_TRUE(mem_layout_is_apt(&self->m.dst));
}

FIXTURE_TEARDOWN(engine_memory)
{
	engine_cleanup(&self->m.engine);
	if (self->m.pinned >= 0)
		ASSERT_PINNED(self->m.pinned);
	mem_free(&self->m.src);
	mem_free(&self->m.dst);
	free(self->m.src_bytes);
	free(self->m.dst_bytes);
}

/* Have an engine copy between these buffers, and note that in dst_bytes; its pieces */
static u32 memory_copy(struct memory *m, u64 dst, u64 src, u64 length)
{
	u32 nr;

	engine_flush(&m->engine, m->src.vaddr, SIZE);
	engine_flush(&m->engine, m->dst.vaddr, SIZE);
	nr = engine_copy_iova(&m->engine, DST_IOVA + dst, SRC_IOVA + src, length);
	engine_flush(&m->engine, m->dst.vaddr, SIZE);
	memcpy(m->dst_bytes + dst, m->src_bytes + src, length);

	return nr;
}

/* Has nothing changed but what was copied? */
static bool memory_is_right(struct memory *m)
{
	return !memcmp(m->src.vaddr, m->src_bytes, SIZE) &&
	       !memcmp(m->dst.vaddr, m->dst_bytes, SIZE);
}

TEST_F(engine_memory, copy)
{
	const u64 page_size = getpagesize(), granule = ops->granule;
	u32 nr;

	/* Around what is copied, across pages, and at different places in them */
	memory_copy(&self->m, 5 * granule, 9 * granule, granule);
	ASSERT_TRUE(memory_is_right(&self->m));
	memory_copy(&self->m, page_size - granule, 7 * granule, 2 * granule);
	ASSERT_TRUE(memory_is_right(&self->m));
	nr = memory_copy(&self->m, 3 * page_size + 25 * granule, 8 * page_size - 3 * granule,
			 SIZE / 2 + 17 * granule);
	ASSERT_TRUE(memory_is_right(&self->m));
	if (variant->kind == MEM_SCATTERED)
		ASSERT_LT(SIZE / 2 / page_size, nr);

	/* All of it */
	nr = memory_copy(&self->m, 0, 0, SIZE);
	ASSERT_TRUE(memory_is_right(&self->m));
	TH_LOG("%u pieces", nr);
}

TEST_F(engine_memory, addresses)
{
	struct iommu_pa_extent scratch[ROOM];
	struct extents e;
	struct window w;
	struct rng rng;
	int i;

	extents_init(&e, ROOM);
	rng_init(&rng, 1, 0);
	for (i = 0; i < WINDOWS; i++) {
		w.iova = (i % 2 ? SRC_IOVA : DST_IOVA) + rng_below(&rng, SIZE + SZ_4K);
		w.length = rng_below(&rng, 4) ? 1 + rng_below(&rng, SIZE) : 0;
		w.room = rng_below(&rng, ROOM + 1);
		ASSERT_TRUE(view_check(&self->m.engine.b, &self->m.engine.view, &self->m.layout,
				       &w, &e, scratch)) TH_LOG("Window %d", i);
	}
	ASSERT_TRUE(extents_untouched(&e));
	extents_cleanup(&e);
}

/* One copies what the other has copied, in one iommufd */
TEST_F(engine_memory, two_engines)
{
	const u64 half = SIZE / 2;
	struct engine other;

	if (nr_names < 2)
		SKIP(return, "This board has one engine");

	engine_init_with(&other, ops, names[1], &self->m.engine);
	memory_copy(&self->m, 0, 0, half);
	engine_flush(&other, self->m.dst.vaddr, SIZE);
	engine_copy_iova(&other, DST_IOVA + half, DST_IOVA, half);
	engine_flush(&other, self->m.dst.vaddr, SIZE);
	memcpy(self->m.dst_bytes + half, self->m.dst_bytes, half);
	ASSERT_TRUE(memory_is_right(&self->m));

	engine_cleanup(&other);
	memory_copy(&self->m, half / 2, 0, half);
	ASSERT_TRUE(memory_is_right(&self->m));
	ASSERT_EQ(0, ioas_unmap(self->m.engine.b.iommufd, self->m.engine.b.ioas_id,
				ORDERS_IOVA + getpagesize(), getpagesize()));
}

/*
 * Interrupts
 */

/* A copy of a word that nobody has waited for */
static void memory_start(struct memory *m)
{
	struct piece piece = { .length = 4 };
	struct window w = { .iova = SRC_IOVA, .length = 4 };
	struct answer a = { .extents = NULL };

	view_lookup(&m->engine.b, &w, &a);
	VFIO_ASSERT_EQ(a.ret, 0);
	piece.src = a.phys;
	w.iova = DST_IOVA;
	view_lookup(&m->engine.b, &w, &a);
	VFIO_ASSERT_EQ(a.ret, 0);
	piece.dst = a.phys;

	engine_flush(&m->engine, m->src.vaddr, 4);
	engine_flush(&m->engine, m->dst.vaddr, 4);
	ops->start(&m->engine, &piece, 1);
	memcpy(m->dst_bytes, m->src_bytes, 4);
}

TEST_F(engine_memory, interrupt_masked)
{
	const u32 mask = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK;
	const u32 unmask = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK;
	struct engine *engine = &self->m.engine;

	if (!ops->automasked) {
		ASSERT_EQ(-EINVAL, engine_set_irqs(engine, ops->irq, mask, 1, NULL, 0));
		ASSERT_EQ(-EINVAL, engine_set_irqs(engine, ops->irq, unmask, 1, NULL, 0));
		return;
	}

	ASSERT_EQ(0, engine_set_irqs(engine, ops->irq, mask, 1, NULL, 0));
	memory_start(&self->m);
	ASSERT_EQ(0, engine_interrupts(engine, 200));
	ASSERT_EQ(0, engine_set_irqs(engine, ops->irq, unmask, 1, NULL, 0));
	ASSERT_EQ(1, engine_interrupts(engine, 10000));

	/* Still asserted, and masked once it has come */
	ASSERT_EQ(0, engine_interrupts(engine, 200));
	ASSERT_EQ(0, engine_set_irqs(engine, ops->irq, unmask, 1, NULL, 0));
	ASSERT_EQ(1, engine_interrupts(engine, 10000));

	ops->finish(engine);
	ASSERT_EQ(0, engine_set_irqs(engine, ops->irq, unmask, 1, NULL, 0));
	ASSERT_EQ(0, engine_interrupts(engine, 200));

	engine_flush(engine, self->m.dst.vaddr, 4);
	ASSERT_TRUE(memory_is_right(&self->m));
}

TEST_F(engine_memory, interrupt_off_and_on)
{
	const u32 trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	struct engine *engine = &self->m.engine;

	ASSERT_EQ(0, engine_set_irqs(engine, ops->irq, trigger | VFIO_IRQ_SET_DATA_NONE, 0,
				     NULL, 0));
	memory_start(&self->m);
	ASSERT_EQ(0, engine_interrupts(engine, 200));
	ops->finish(engine);
	ASSERT_EQ(0, engine_set_irqs(engine, ops->irq, trigger | VFIO_IRQ_SET_DATA_EVENTFD, 1,
				     &engine->irq_fd, sizeof(engine->irq_fd)));
	memory_copy(&self->m, 0, 0, SZ_64K);
	ASSERT_TRUE(memory_is_right(&self->m));
}

/* A line that another interrupt of the device has is refused, and only that */
TEST_F(engine_memory, interrupt_shared)
{
	const u32 flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct engine *engine = &self->m.engine;
	const s32 none = -1;
	u32 i;

	ASSERT_EQ(0, ioctl_errno(engine->b.device_fd, VFIO_DEVICE_GET_INFO, &info));
	for (i = 0; i < info.num_irqs; i++) {
		const bool shared = ops->shared_to && i >= ops->shared_from &&
				    i <= ops->shared_to;

		ASSERT_EQ(shared ? -EBUSY : 0,
			  engine_set_irqs(engine, i, flags, 1, i == ops->irq ?
					  &engine->irq_fd : &none, sizeof(none)))
			TH_LOG("Interrupt %u", i);
	}
	ASSERT_EQ(-EINVAL, engine_set_irqs(engine, i, flags, 1, &none, sizeof(none)));

	memory_copy(&self->m, 0, 0, SZ_64K);
	ASSERT_TRUE(memory_is_right(&self->m));
}

/*
 * Users who leave it as it is
 */

/* Does the engine work for one who comes now? */
static bool engine_works(struct memory *m)
{
	struct bound *b = &m->engine.b;

	engine_init(&m->engine, ops, names[0]);
	m->layout.nr = 0;
	layout_map(&m->layout, b, SRC_IOVA, SIZE, &m->src, 0);
	layout_map(&m->layout, b, DST_IOVA, SIZE, &m->dst, 0);
	memory_copy(m, SZ_8K, SZ_4K, SZ_64K);

	return memory_is_right(m);
}

TEST_F(engine_memory, closed_with_interrupt)
{
	memory_start(&self->m);
	engine_cleanup(&self->m.engine);
	if (self->m.pinned >= 0)
		ASSERT_PINNED(self->m.pinned);
	engine_flush(&self->m.engine, self->m.dst.vaddr, 4);
	ASSERT_TRUE(memory_is_right(&self->m));

	ASSERT_TRUE(engine_works(&self->m));
}

/* Copies until it is killed. Its memory is its own, the parent's is only read. */
static void user_run(struct memory *m, int ready)
{
	engine_init(&m->engine, ops, names[0]);
	m->layout.nr = 0;
	layout_map(&m->layout, &m->engine.b, SRC_IOVA, SIZE, &m->src, 0);
	layout_map(&m->layout, &m->engine.b, DST_IOVA, SIZE, &m->dst, 0);
	VFIO_ASSERT_EQ(write(ready, "", 1), 1);
	for (;;)
		memory_copy(m, 0, 0, SIZE);
}

TEST_F_TIMEOUT(engine_memory, killed, 300)
{
	struct rng rng;
	int pipefd[2];
	int i, status;
	pid_t pid;
	char c;

	rng_init(&rng, 1, 0);
	ASSERT_EQ(0, pipe(pipefd));
	engine_cleanup(&self->m.engine);

	for (i = 0; i < KILLS; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			user_run(&self->m, pipefd[1]);
		ASSERT_EQ(1, read(pipefd[0], &c, 1));
		usleep(rng_below(&rng, 100000));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));

		if (self->m.pinned >= 0)
			ASSERT_PINNED(self->m.pinned);
		ASSERT_TRUE(engine_works(&self->m)) TH_LOG("After %d users", i + 1);
		engine_cleanup(&self->m.engine);
	}
	engine_init(&self->m.engine, ops, names[0]);
}

/*
 * Where VFIO takes a level interrupt for one that is an edge, it comes again and again
 * until it is taken back, on the first processor: who does that must be on another.
 */
static void leave_first_cpu(void)
{
	const long nr = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t cpus;

	VFIO_ASSERT_GT(nr, 1L);
	CPU_ZERO(&cpus);
	CPU_SET(nr - 1, &cpus);
	VFIO_ASSERT_EQ(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

int main(int argc, char *argv[])
{
	ops = engines_find(names, ARRAY_SIZE(names), &nr_names);
	if (!ops) {
		fprintf(stderr, "$ZDMA or $BCM_DMA has to name a platform device\n");
		return KSFT_FAIL;
	}
	if (!ops->automasked)
		leave_first_cpu();

	return test_harness_run(argc, argv);
}
