// SPDX-License-Identifier: GPL-2.0
/*
 * As much of Intel's 82574L as frames take. Memory of frames comes from the caller
 * and goes back to him; the port only borrows it, entry by entry.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dma.h"
#include "e1000e.h"

#define REG_CTRL	0x0000
#define REG_STATUS	0x0008
#define REG_ICR		0x00c0
#define REG_IMS		0x00d0
#define REG_IMC		0x00d8
#define REG_IVAR	0x00e4
#define REG_RCTL	0x0100
#define REG_TCTL	0x0400
#define REG_TIPG	0x0410
#define REG_RDBAL	0x2800
#define REG_RDBAH	0x2804
#define REG_RDLEN	0x2808
#define REG_RDH		0x2810
#define REG_RDT		0x2818
#define REG_TDBAL	0x3800
#define REG_TDBAH	0x3804
#define REG_TDLEN	0x3808
#define REG_TDH		0x3810
#define REG_TDT		0x3818
#define REG_MTA		0x5200	/* 128 of them */
#define REG_RAL0	0x5400
#define REG_RAH0	0x5404
#define REGS_SIZE	0x6000

#define CTRL_MASTER_OFF	0x00000004	/* start nothing new on the bus */
#define CTRL_SLU	0x00000040	/* set the link up */
#define CTRL_RST	0x04000000
#define STATUS_LU	0x00000002
#define STATUS_MASTER	0x00080000	/* something is still going on there */
#define RCTL_EN		0x00000002
#define RCTL_UPE	0x00000008	/* frames for anybody */
#define RCTL_SECRC	0x04000000	/* without the checksum at the end */
#define TCTL_EN		0x00000002
#define TCTL_PSP	0x00000008	/* short frames are padded */
#define TIPG_DEFAULT	0x00602006	/* gaps between frames, see 10.2.6.2 */
#define IRQ_RXQ0	0x00100000
#define IRQ_TXQ0	0x00400000
#define IVAR_ALL_BY_0	0x00080808	/* queue 0 both ways, and the rest: by vector 0 */
#define RAH_VALID	0x80000000

#define TX_CMD_EOP	0x01	/* a frame ends here */
#define TX_CMD_IFCS	0x02	/* the checksum comes from the port */
#define TX_CMD_RS	0x08	/* say when it is sent */
#define DESC_DONE	0x01

#define RESET_TIMEOUT_MS	1000
#define LINK_TIMEOUT_MS		10000
#define IRQ_SLICE_MS		100

static __u32 get(struct e1000e *port, unsigned int reg)
{
	return mmio_read32(port->regs + reg);
}

static void set(struct e1000e *port, unsigned int reg, __u32 value)
{
	mmio_write32(port->regs + reg, value);
}

/* Until some bits of a register are as they should, a millisecond at a time */
static int await(struct e1000e *port, unsigned int reg, __u32 mask, __u32 value,
		 unsigned int timeout_ms)
{
	unsigned int waited;

	for (waited = 0; waited <= timeout_ms; waited++) {
		if ((get(port, reg) & mask) == value)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

static void *ring_alloc(struct e1000e *port, size_t size)
{
	void *ring;

	return example_alloc(&port->dev, size, VFIODMA_CONTIGUOUS, &ring) ?
	       NULL : ring;
}

static void set_ring(struct e1000e *port, unsigned int base, const void *ring,
		     size_t size)
{
	__u64 addr = vfiodma_addr(port->dev.ctx, ring);

	/* Head and tail are eight and sixteen bytes behind the length. */
	set(port, base, (__u32)addr);
	set(port, base + REG_RDBAH - REG_RDBAL, addr >> 32);
	set(port, base + REG_RDLEN - REG_RDBAL, size);
	set(port, base + REG_RDH - REG_RDBAL, 0);
	set(port, base + REG_RDT - REG_RDBAL, 0);
}

static int alloc_rings(struct e1000e *port)
{
	size_t size = RING_ENTRIES * sizeof(*port->rx);

	port->rx = ring_alloc(port, size);
	port->tx = port->rx ? ring_alloc(port, size) : NULL;
	return port->tx ? 0 : -ENOMEM;
}

static void set_rings(struct e1000e *port)
{
	size_t size = RING_ENTRIES * sizeof(*port->rx);
	unsigned int i;

	set_ring(port, REG_RDBAL, port->rx, size);
	set_ring(port, REG_TDBAL, port->tx, size);
	for (i = 0; i < 128; i++)
		set(port, REG_MTA + 4 * i, 0);
	set(port, REG_TIPG, TIPG_DEFAULT);
	set(port, REG_TCTL, TCTL_EN | TCTL_PSP);
	set(port, REG_RCTL, RCTL_EN | RCTL_UPE | RCTL_SECRC);
}

static void read_mac(struct e1000e *port)
{
	__u64 mac = get(port, REG_RAL0) | (__u64)get(port, REG_RAH0) << 32;
	unsigned int i;

	for (i = 0; i < sizeof(port->mac); i++)
		port->mac[i] = mac >> 8 * i;
}

/* One vector for all; IMS is what may interrupt. */
static int start_irq(struct e1000e *port)
{
	int err = example_enable_msix(&port->dev, &port->irq);

	if (err)
		return err;
	set(port, REG_IVAR, IVAR_ALL_BY_0);
	set(port, REG_IMS, IRQ_RXQ0 | IRQ_TXQ0);
	return 0;
}

/* With the reset by its own register, the port forgets what it was told. */
static int reset_port(struct e1000e *port)
{
	set(port, REG_IMC, ~0u);
	set(port, REG_CTRL, get(port, REG_CTRL) | CTRL_RST);
	if (await(port, REG_CTRL, CTRL_RST, 0, RESET_TIMEOUT_MS))
		return refuse(ETIMEDOUT, "%s: does not end its reset",
			      port->dev.bdf);
	set(port, REG_IMC, ~0u);
	get(port, REG_ICR);
	return 0;
}

static int start(struct e1000e *port, bool irq)
{
	int err;

	err = example_map_bar(&port->dev, 0, (void **)&port->regs,
			      &port->regs_size);
	if (!err && port->regs_size < REGS_SIZE)
		err = refuse(ENODEV, "%s: BAR0 is too small", port->dev.bdf);
	if (!err)
		err = reset_port(port);
	if (!err)
		err = alloc_rings(port);
	if (!err && irq)
		err = start_irq(port);
	if (!err)
		err = example_set_master(&port->dev, true);
	if (err)
		return err;
	read_mac(port);
	set_rings(port);
	set(port, REG_CTRL, get(port, REG_CTRL) | CTRL_SLU);
	return 0;
}

int e1000e_open(struct e1000e *port, struct vfiodma_ctx *ctx, const char *bdf,
		bool irq)
{
	int err;

	memset(port, 0, sizeof(*port));
	port->irq = -1;
	err = example_open(&port->dev, ctx, bdf);
	if (err)
		return err;
	/*
	 * Port and CPU write to descriptors that share a cache line, so that each
	 * could lose what the other has written.
	 */
	if (!port->dev.coherent) {
		vfiodma_device_close(port->dev.vfio);
		return refuse(EOPNOTSUPP,
			      "%s: is not known to be coherent with the CPU's caches, which its rings need",
			      bdf);
	}
	err = start(port, irq);
	if (err)
		e1000e_close(port);
	return err;
}

/*
 * The port is told to start nothing more on the bus, and waited for, before it is
 * reset and taken off the bus. Only then is memory given back, the caller's too.
 */
int e1000e_close(struct e1000e *port)
{
	int err = 0;

	if (port->regs && port->regs_size >= REGS_SIZE) {
		set(port, REG_RCTL, 0);
		set(port, REG_TCTL, 0);
		set(port, REG_CTRL, get(port, REG_CTRL) | CTRL_MASTER_OFF);
		if (await(port, REG_STATUS, STATUS_MASTER, 0, RESET_TIMEOUT_MS))
			note("%s: does not come to rest", port->dev.bdf);
		err = reset_port(port);
	}
	/* See nvme_close(): the kernel does it when the process ends. */
	if (example_set_master(&port->dev, false))
		exit(EXIT_FAILURE);
	if (port->irq >= 0)
		example_disable_msix(&port->dev, port->irq);
	if (port->rx)
		vfiodma_free(port->dev.ctx, port->rx);
	if (port->tx)
		vfiodma_free(port->dev.ctx, port->tx);
	vfiodma_device_close(port->dev.vfio);
	return err;
}

int e1000e_wait_link(struct e1000e *port)
{
	if (await(port, REG_STATUS, STATUS_LU, STATUS_LU, LINK_TIMEOUT_MS))
		return refuse(ENETDOWN, "%s: has no link", port->dev.bdf);
	return 0;
}

/*
 * Room for a frame to come into. One entry stays free: to the port, the head at the
 * tail is a ring without room.
 */
void e1000e_give(struct e1000e *port, char *frame)
{
	unsigned int tail = get(port, REG_RDT);
	struct e1000e_rx_desc desc = {
		.addr = htole64(vfiodma_addr(port->dev.ctx, frame)),
	};

	port->rx[tail] = desc;
	port->rx_frames[tail] = frame;
	set(port, REG_RDT, (tail + 1) % RING_ENTRIES);
}

/* The next frame that has come, or NULL. The memory is the caller's again. */
char *e1000e_receive(struct e1000e *port, size_t *length)
{
	struct e1000e_rx_desc *desc = &port->rx[port->rx_next];
	char *frame = port->rx_frames[port->rx_next];

	if (!frame || !(READ_ONCE(desc->status) & DESC_DONE))
		return NULL;
	/* The rest of the entry, and the frame, are only there for loads after this. */
	dma_read_barrier();
	*length = le16toh(desc->length);
	port->rx_frames[port->rx_next] = NULL;
	port->rx_next = (port->rx_next + 1) % RING_ENTRIES;
	return frame;
}

/* False if there is no room. The memory is the port's until e1000e_sent() has it. */
bool e1000e_send(struct e1000e *port, char *frame, size_t length)
{
	unsigned int next = (port->tx_next + 1) % RING_ENTRIES;
	struct e1000e_tx_desc desc = {
		.addr = htole64(vfiodma_addr(port->dev.ctx, frame)),
		.length = htole16(length),
		.cmd = TX_CMD_EOP | TX_CMD_IFCS | TX_CMD_RS,
	};

	if (next == port->tx_done)
		return false;
	port->tx[port->tx_next] = desc;
	port->tx_frames[port->tx_next] = frame;
	port->tx_next = next;
	set(port, REG_TDT, next);
	return true;
}

/* Memory of the oldest frame, if it has been sent, or NULL */
char *e1000e_sent(struct e1000e *port)
{
	struct e1000e_tx_desc *desc = &port->tx[port->tx_done];
	char *frame = port->tx_frames[port->tx_done];

	if (port->tx_done == port->tx_next ||
	    !(READ_ONCE(desc->status) & DESC_DONE))
		return NULL;
	dma_read_barrier();
	port->tx_done = (port->tx_done + 1) % RING_ENTRIES;
	return frame;
}

/*
 * Until something may have happened: an interrupt, or a short while. One that comes
 * before the wait is not lost: the eventfd counts it.
 */
int e1000e_wait(struct e1000e *port)
{
	struct pollfd event = { .fd = port->irq, .events = POLLIN };
	__u64 count;

	if (port->irq < 0)
		return example_check_request(&port->dev);
	if (poll(&event, 1, IRQ_SLICE_MS) > 0 &&
	    read(port->irq, &count, sizeof(count)) < 0)
		return fail(errno, "read the eventfd of MSI-X");
	/* A cause that is cleared interrupts the next time. */
	set(port, REG_ICR, IRQ_RXQ0 | IRQ_TXQ0);
	return example_check_request(&port->dev);
}
