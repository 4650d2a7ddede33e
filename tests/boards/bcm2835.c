// SPDX-License-Identifier: GPL-2.0-only
/*
 * A channel of the DMA engine of BCM2835 and its successors, all of which are one
 * device. It reads what it has to do from a chain of control blocks in memory.
 */
#include <linux/bits.h>

#include "engine.h"

/* Not one of the four that can do less and have an interrupt in common */
#define CHANNEL			5
#define REG(_offset)		(CHANNEL * 0x100 + (_offset))

#define CS			REG(0x00)
#define   CS_RESET		BIT(31)
#define   CS_ERROR		BIT(8)
#define   CS_INT		BIT(2)
#define   CS_END		BIT(1)
#define   CS_ACTIVE		BIT(0)
#define CONBLK_AD		REG(0x04)

struct control_block {
	u32 info;
#define INFO_SRC_INC		BIT(8)
#define INFO_DST_INC		BIT(4)
#define INFO_WAIT_RESP		BIT(3)
#define INFO_INTERRUPT		BIT(0)
	u32 src;
	u32 dst;
	u32 length;
	u32 stride;
	u32 next;
	u32 reserved[2];
};

#define ROOM	(SZ_4K / sizeof(struct control_block))

static void bcm2835_reset(struct engine *engine)
{
	engine_write(engine, CS, CS_RESET);
	engine_write(engine, CS, CS_INT | CS_END);
}

static void bcm2835_start(struct engine *engine, const struct piece *pieces, u32 nr)
{
	struct control_block *blocks = engine->orders;
	u32 i;

	VFIO_ASSERT_LE(nr, ROOM);
	for (i = 0; i < nr; i++) {
		const bool last = i == nr - 1;

		VFIO_ASSERT_EQ((pieces[i].src | pieces[i].dst) >> 32, 0UL);
		blocks[i] = (struct control_block) {
			.info = INFO_SRC_INC | INFO_DST_INC | INFO_WAIT_RESP |
				(last ? INFO_INTERRUPT : 0),
			.src = pieces[i].src,
			.dst = pieces[i].dst,
			.length = pieces[i].length,
			.next = last ? 0 :
				engine->orders_bus + (i + 1) * sizeof(*blocks),
		};
	}
	engine_flush(engine, blocks, nr * sizeof(*blocks));
	engine_write(engine, CONBLK_AD, engine->orders_bus);
	engine_write(engine, CS, CS_ACTIVE);
}

static void bcm2835_finish(struct engine *engine)
{
	const u32 cs = engine_read(engine, CS);

	VFIO_ASSERT_EQ(cs & (CS_ERROR | CS_ACTIVE), 0U);
	VFIO_ASSERT_EQ(cs & (CS_END | CS_INT), CS_END | CS_INT);
	engine_write(engine, CS, CS_INT | CS_END);
}

const struct engine_ops bcm2835_ops = {
	.variable	= "BCM_DMA",
	.irq		= CHANNEL,
	.shared_from	= 12,
	.shared_to	= 14,
	/* Of all channels the one that can do least takes so much, in one go */
	.max		= SZ_32K,
	/* Hardware copies single bytes as well, QEMU words */
	.granule	= 4,
	.irq_cells	= 2,
	.room		= ROOM,
	.reset		= bcm2835_reset,
	.start		= bcm2835_start,
	.finish		= bcm2835_finish,
};
