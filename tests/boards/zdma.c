// SPDX-License-Identifier: GPL-2.0-only
/*
 * A channel of the DMA engine of Zynq UltraScale+ (ZDMA), each a device of its own. It
 * is used in its simple mode, where registers hold what is to be copied.
 */
#include <linux/bits.h>

#include "engine.h"

#define ISR			0x100
#define   ISR_DMA_DONE		BIT(10)
#define   ISR_DST_DSCR_DONE	BIT(2)
#define   ISR_SRC_DSCR_DONE	BIT(1)
#define   ISR_ALL		GENMASK(11, 0)
/* Counters of descriptors, which nobody reads here, may pass their end */
#define   ISR_ERRORS		(BIT(9) | BIT(8) | BIT(7) | BIT(6) | BIT(3) | BIT(0))
#define IER			0x108
#define IDS			0x10c
#define CTRL0			0x110
#define DATA_ATTR		0x120
/* Addresses that count up, bursts of 16, cached and allocating */
#define   DATA_ATTR_VALUE	(BIT(26) | 0xf << 22 | 0xf << 14 | BIT(12) | 0xf << 8 | 0xf)
#define SRC_DSCR		0x128
#define DST_DSCR		0x138
#define   DSCR_LOW		0x0
#define   DSCR_HIGH		0x4
#define   DSCR_SIZE		0x8
#define   DSCR_CONTROL		0xc
#define     DSCR_COHERENT	BIT(0)
#define CTRL2			0x200
#define   CTRL2_ENABLE		BIT(0)

static void zdma_reset(struct engine *engine)
{
	engine_write(engine, CTRL2, 0);
	engine_write(engine, IDS, ISR_ALL);
	engine_write(engine, ISR, ISR_ALL);
	engine_write(engine, CTRL0, 0);
	engine_write(engine, DATA_ATTR, DATA_ATTR_VALUE);
	engine_write(engine, IER, ISR_DMA_DONE | ISR_ERRORS);
}

static void zdma_describe(struct engine *engine, u32 dscr, u64 addr, u64 length)
{
	engine_write(engine, dscr + DSCR_LOW, addr);
	engine_write(engine, dscr + DSCR_HIGH, addr >> 32);
	engine_write(engine, dscr + DSCR_SIZE, length);
	engine_write(engine, dscr + DSCR_CONTROL,
		     engine->view.coherent ? DSCR_COHERENT : 0);
}

static void zdma_start(struct engine *engine, const struct piece *pieces, u32 nr)
{
	VFIO_ASSERT_EQ(nr, 1U);
	zdma_describe(engine, SRC_DSCR, pieces->src, pieces->length);
	zdma_describe(engine, DST_DSCR, pieces->dst, pieces->length);
	engine_write(engine, CTRL2, CTRL2_ENABLE);
}

static void zdma_finish(struct engine *engine)
{
	const u32 isr = engine_read(engine, ISR);

	VFIO_ASSERT_EQ(isr & ISR_ERRORS, 0U);
	VFIO_ASSERT_TRUE(isr & ISR_DMA_DONE, "Interrupt status %#x\n", isr);
	engine_write(engine, ISR, ISR_ALL);
}

const struct engine_ops zdma_ops = {
	.variable	= "ZDMA",
	.automasked	= true,
	.max		= SZ_1G - 1,
	.granule	= 1,
	.irq_cells	= 3,
	.wide		= true,
	.room		= 1,
	.reset		= zdma_reset,
	.start		= zdma_start,
	.finish		= zdma_finish,
};
