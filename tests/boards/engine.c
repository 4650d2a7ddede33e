// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <linux/io.h>

#include "engine.h"

/* Extents that are asked for in one call */
#define EXTENTS		512

const struct engine_ops *engines_find(char *names[], u32 max, u32 *nr)
{
	static const struct engine_ops * const all[] = { &zdma_ops, &bcm2835_ops };
	char *list, *name;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		list = getenv(all[i]->variable);
		if (!list || !*list)
			continue;
		list = strdup(list);
		VFIO_ASSERT_NOT_NULL(list);
		*nr = 0;
		for (name = strtok(list, " "); name && *nr < max; name = strtok(NULL, " "))
			names[(*nr)++] = name;
		return all[i];
	}

	return NULL;
}

void engine_path(char *path, const char *name, const char *entry)
{
	snprintf_assert(path, PATH_MAX, "/sys/bus/platform/devices/%s/%s", name, entry);
}

int engine_open(const char *name)
{
	char pattern[PATH_MAX], path[PATH_MAX];
	glob_t found;
	int fd;

	engine_path(pattern, name, "vfio-dev/noiommu-vfio*");
	VFIO_ASSERT_EQ(glob(pattern, 0, NULL, &found), 0, "%s\n", pattern);
	VFIO_ASSERT_EQ(found.gl_pathc, 1UL);
	snprintf_assert(path, sizeof(path), "/dev/vfio/devices/%s",
			basename(found.gl_pathv[0]));
	globfree(&found);

	fd = open(path, O_RDWR);
	VFIO_ASSERT_GE(fd, 0, "%s\n", path);
	return fd;
}

static void engine_map_registers(struct engine *engine)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
	};

	ioctl_assert(engine->b.device_fd, VFIO_DEVICE_GET_REGION_INFO, &info);
	engine->offset = info.offset;
	engine->size = info.size;
	if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;

	engine->regs = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    engine->b.device_fd, info.offset);
	VFIO_ASSERT_NE(engine->regs, MAP_FAILED);
}

static void engine_map_orders(struct engine *engine, u64 iova)
{
	struct answer a = { .extents = NULL };
	struct window w = { .iova = iova, .length = getpagesize() };

	engine->orders = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	VFIO_ASSERT_NE(engine->orders, MAP_FAILED);
	VFIO_ASSERT_EQ(ioas_map_fixed(engine->b.iommufd, engine->b.ioas_id, engine->orders,
				      getpagesize(), iova), 0);

	view_lookup(&engine->b, &w, &a);
	VFIO_ASSERT_EQ(a.ret, 0);
	VFIO_ASSERT_EQ(a.length, (u64)getpagesize());
	engine->orders_bus = a.phys;
}

static void engine_use_interrupt(struct engine *engine)
{
	engine->irq_fd = eventfd(0, EFD_NONBLOCK);
	VFIO_ASSERT_GE(engine->irq_fd, 0);
	VFIO_ASSERT_EQ(engine_set_irqs(engine, engine->ops->irq,
				       VFIO_IRQ_SET_DATA_EVENTFD |
				       VFIO_IRQ_SET_ACTION_TRIGGER, 1, &engine->irq_fd,
				       sizeof(engine->irq_fd)), 0);
}

void engine_init_with(struct engine *engine, const struct engine_ops *ops,
		      const char *name, const struct engine *first)
{
	struct bound *b = &engine->b;
	char path[PATH_MAX];

	memset(engine, 0, sizeof(*engine));
	engine->ops = ops;
	engine->name = name;
	engine_path(path, name, "of_node");
	view_read(&engine->view, path);

	b->device_fd = engine_open(name);
	b->iommufd = first ? dup(first->b.iommufd) : iommufd_open();
	VFIO_ASSERT_GE(b->iommufd, 0);
	VFIO_ASSERT_EQ(device_bind(b->device_fd, b->iommufd, &b->dev_id), 0);
	b->ioas_id = first ? first->b.ioas_id : ioas_alloc(b->iommufd);
	VFIO_ASSERT_GE(device_attach_to(b->device_fd, b->ioas_id), 0);

	engine_map_registers(engine);
	engine_map_orders(engine, ORDERS_IOVA + (first ? getpagesize() : 0));
	ops->reset(engine);
	engine_use_interrupt(engine);
}

void engine_init(struct engine *engine, const struct engine_ops *ops, const char *name)
{
	engine_init_with(engine, ops, name, NULL);
}

void engine_cleanup(struct engine *engine)
{
	if (engine->regs)
		VFIO_ASSERT_EQ(munmap(engine->regs, engine->size), 0);
	bound_cleanup(&engine->b);
	VFIO_ASSERT_EQ(munmap(engine->orders, getpagesize()), 0);
	VFIO_ASSERT_EQ(close(engine->irq_fd), 0);
}

u32 engine_read(struct engine *engine, u32 reg)
{
	u32 value;

	if (engine->regs)
		return readl(engine->regs + reg);

	VFIO_ASSERT_EQ(pread(engine->b.device_fd, &value, sizeof(value),
			     engine->offset + reg), (ssize_t)sizeof(value));
	return value;
}

void engine_write(struct engine *engine, u32 reg, u32 value)
{
	if (engine->regs) {
		writel(value, engine->regs + reg);
		return;
	}

	VFIO_ASSERT_EQ(pwrite(engine->b.device_fd, &value, sizeof(value),
			      engine->offset + reg), (ssize_t)sizeof(value));
}

int engine_set_irqs(struct engine *engine, u32 index, u32 flags, u32 count,
		    const void *data, u32 size)
{
	union {
		struct vfio_irq_set set;
		u8 bytes[sizeof(struct vfio_irq_set) + 16];
	} args = {
		.set.argsz = sizeof(args.set) + size,
		.set.flags = flags,
		.set.index = index,
		.set.count = count,
	};

	VFIO_ASSERT_LE(args.set.argsz, sizeof(args));
	if (size)
		memcpy(args.set.data, data, size);

	return ioctl_errno(engine->b.device_fd, VFIO_DEVICE_SET_IRQS, &args);
}

u64 engine_interrupts(struct engine *engine, int ms)
{
	struct pollfd pollfd = { .fd = engine->irq_fd, .events = POLLIN };
	u64 nr;

	if (!poll(&pollfd, 1, ms))
		return 0;
	VFIO_ASSERT_EQ(read(engine->irq_fd, &nr, sizeof(nr)), (ssize_t)sizeof(nr));

	return nr;
}

static int engine_unmask(struct engine *engine)
{
	return engine_set_irqs(engine, engine->ops->irq,
			       VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 1, NULL, 0);
}

static void engine_wait(struct engine *engine)
{
	const u64 nr = engine_interrupts(engine, 10000);

	VFIO_ASSERT_NE(nr, 0UL, "No interrupt came\n");
	if (engine->ops->automasked)
		VFIO_ASSERT_EQ(nr, 1UL);

	engine->ops->finish(engine);

	/* Without a mask it has gone on until it was taken back */
	if (engine->ops->automasked)
		VFIO_ASSERT_EQ(engine_unmask(engine), 0);
	else
		engine_interrupts(engine, 0);
}

/* One after the other, as many at a time as the engine takes */
void engine_copy(struct engine *engine, const struct piece *pieces, u32 nr)
{
	u32 i, now;

	for (i = 0; i < nr; i += now) {
		now = min(engine->ops->room, nr - i);
		engine->ops->start(engine, pieces + i, now);
		engine_wait(engine);
	}
}

/* What lies ahead of an address in an IOAS, asked for some extents at a time */
struct cursor {
	u64 iova;
	u64 left;
	struct iommu_pa_extent extents[EXTENTS];
	u32 nr, i;
};

static struct iommu_pa_extent *cursor_extent(struct cursor *cursor, const struct bound *b)
{
	struct window w = { .iova = cursor->iova, .length = cursor->left, .room = EXTENTS };
	struct answer a = { .extents = cursor->extents };

	if (cursor->i < cursor->nr)
		return &cursor->extents[cursor->i];

	view_lookup(b, &w, &a);
	VFIO_ASSERT_EQ(a.ret, 0, "IOVA %#lx\n", cursor->iova);
	cursor->iova += a.length;
	cursor->left -= a.length;
	cursor->nr = a.nr;
	cursor->i = 0;

	return &cursor->extents[0];
}

static void cursor_advance(struct cursor *cursor, u64 length)
{
	struct iommu_pa_extent *extent = &cursor->extents[cursor->i];

	extent->phys += length;
	extent->length -= length;
	if (!extent->length)
		cursor->i++;
}

u32 engine_copy_iova(struct engine *engine, u64 dst, u64 src, u64 length)
{
	struct cursor to = { .iova = dst, .left = length };
	struct cursor from = { .iova = src, .left = length };
	struct piece *pieces = NULL;
	u32 nr = 0;
	u64 now;

	for (; length; length -= now, nr++) {
		struct iommu_pa_extent *d = cursor_extent(&to, &engine->b);
		struct iommu_pa_extent *s = cursor_extent(&from, &engine->b);

		now = min(min((u64)d->length, (u64)s->length), engine->ops->max);
		if (!(nr & (nr - 1))) {
			pieces = realloc(pieces, (nr ? 2 * nr : 1) * sizeof(*pieces));
			VFIO_ASSERT_NOT_NULL(pieces);
		}
		pieces[nr] = (struct piece) {
			.dst = d->phys, .src = s->phys, .length = now,
		};
		cursor_advance(&to, now);
		cursor_advance(&from, now);
	}
	engine_copy(engine, pieces, nr);
	free(pieces);

	return nr;
}

#ifdef __aarch64__
void engine_flush(const struct engine *engine, const void *vaddr, u64 size)
{
	u64 ctr, line, at;

	if (engine->view.coherent)
		return;

	asm volatile("mrs %0, ctr_el0" : "=r"(ctr));
	line = 4UL << (ctr >> 16 & 0xf);
	for (at = (uintptr_t)vaddr & -line; at < (uintptr_t)vaddr + size; at += line)
		asm volatile("dc civac, %0" : : "r"(at) : "memory");
	asm volatile("dsb sy" : : : "memory");
}
#else
void engine_flush(const struct engine *engine, const void *vaddr, u64 size)
{
	VFIO_ASSERT_TRUE(engine->view.coherent,
			 "There is no way to have this processor's caches written back\n");
}
#endif
