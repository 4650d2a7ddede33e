/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_BOARDS_ENGINE_H
#define TESTS_BOARDS_ENGINE_H

/* DMA engines that are platform devices, and that copy memory */

#include <stdbool.h>

#include <linux/types.h>

#include "utils.h"
#include "view.h"

/* Bytes to copy, by addresses as the engine has them */
struct piece {
	u64 dst;
	u64 src;
	u64 length;
};

struct engine;

struct engine_ops {
	/* In the environment, where the guest's init has the names of such devices */
	const char *variable;
	/* The interrupt that engine_copy() waits for, of those that the device has */
	u32 irq;
	/* A level interrupt that the kernel knows for one is masked when it comes */
	bool automasked;
	/* Of those that the devicetree has, the ones that share another one's line */
	u32 shared_from, shared_to;
	/* Of a piece: most bytes, and what length and addresses are multiples of */
	u64 max;
	u32 granule;
	/* Cells of the devicetree that an interrupt takes */
	u32 irq_cells;
	/* It has more than 32 bits of address */
	bool wide;

	void (*reset)(struct engine *engine);
	/* Copy pieces, of which an interrupt tells when it is done */
	void (*start)(struct engine *engine, const struct piece *pieces, u32 nr);
	/* Pieces that start() takes at a time */
	u32 room;
	/* Assert that all went well, and take the interrupt back */
	void (*finish)(struct engine *engine);
};

/* Where a device that reads its orders from memory finds them */
#define ORDERS_IOVA	(48ULL << 30)

struct engine {
	const struct engine_ops *ops;
	const char *name;
	struct bound b;
	struct view view;
	int irq_fd;

	/* The first region, which may be one that cannot be mapped */
	u64 offset, size;
	void *regs;

	/* A page for orders */
	void *orders;
	u64 orders_bus;
};

extern const struct engine_ops zdma_ops, bcm2835_ops;

/* The names of the devices of this board's kind, and what drives them; NULL if none */
const struct engine_ops *engines_find(char *names[], u32 max, u32 *nr);

void engine_init(struct engine *engine, const struct engine_ops *ops, const char *name);
/* Another engine for the same iommufd and IOAS as @first */
void engine_init_with(struct engine *engine, const struct engine_ops *ops,
		      const char *name, const struct engine *first);
void engine_cleanup(struct engine *engine);

/* Path of what sysfs has of a device */
void engine_path(char *path, const char *name, const char *entry);
int engine_open(const char *name);

u32 engine_read(struct engine *engine, u32 reg);
void engine_write(struct engine *engine, u32 reg, u32 value);

/* @data: of VFIO_DEVICE_SET_IRQS, of @size bytes; returns 0 or a negative errno */
int engine_set_irqs(struct engine *engine, u32 index, u32 flags, u32 count,
		    const void *data, u32 size);

/* The interrupts that came within @ms, which have to be one if it is not short */
u64 engine_interrupts(struct engine *engine, int ms);

/* Have the engine copy, and wait for that */
void engine_copy(struct engine *engine, const struct piece *pieces, u32 nr);

/* The same with what is mapped at these IOVAs; returns the pieces that it took */
u32 engine_copy_iova(struct engine *engine, u64 dst, u64 src, u64 length);

/* Memory of a process out of the caches, and into them anew, for such an engine */
void engine_flush(const struct engine *engine, const void *vaddr, u64 size);

#endif /* TESTS_BOARDS_ENGINE_H */
