/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of Intel's 82574L (e1000e) as frames take: one ring to send by, one to
 * receive by, both with legacy descriptors. Section numbers are those of Intel's
 * datasheet of the 82574.
 */
#ifndef E1000E_H
#define E1000E_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "example.h"

/* Of a ring, which fits a page by that: it must be contiguous. */
#define RING_ENTRIES	256

/* Of a frame, and the memory that one comes into (10.2.5.1: RCTL.BSIZE) */
#define MAX_FRAME	1514
#define FRAME_ROOM	2048

/* 7.1.4 and 7.2.4; always little endian */
struct e1000e_rx_desc {
	__le64 addr;
	__le16 length;
	__le16 checksum;
	__u8 status;
	__u8 errors;
	__le16 vlan;
};

struct e1000e_tx_desc {
	__le64 addr;
	__le16 length;
	__u8 cso;
	__u8 cmd;
	__u8 status;
	__u8 css;
	__le16 vlan;
};

/**
 * struct e1000e - a port
 * @dev: the device that it is
 * @regs: BAR0: its registers
 * @regs_size: of BAR0
 * @rx: the ring of frames that come
 * @tx: the ring of frames that go
 * @rx_frames: the memory that belongs to each entry of @rx
 * @tx_frames: the memory that each entry of @tx has been given, until it is sent
 * @rx_next: the entry that the next frame will come into
 * @tx_next: the entry that the next frame will go by
 * @tx_done: the oldest entry that is not known to be sent
 * @irq: eventfd of MSI-X vector 0; -1 when polling
 * @mac: the address of the port
 */
struct e1000e {
	struct device dev;
	char *regs;
	size_t regs_size;
	struct e1000e_rx_desc *rx;
	struct e1000e_tx_desc *tx;
	char *rx_frames[RING_ENTRIES];
	char *tx_frames[RING_ENTRIES];
	unsigned int rx_next;
	unsigned int tx_next;
	unsigned int tx_done;
	int irq;
	__u8 mac[6];
};

int e1000e_open(struct e1000e *port, struct vfiodma_ctx *ctx, const char *bdf,
		bool irq);
int e1000e_close(struct e1000e *port);
int e1000e_wait_link(struct e1000e *port);

void e1000e_give(struct e1000e *port, char *frame);
char *e1000e_receive(struct e1000e *port, size_t *length);
bool e1000e_send(struct e1000e *port, char *frame, size_t length);
char *e1000e_sent(struct e1000e *port);
int e1000e_wait(struct e1000e *port);

#endif /* E1000E_H */
