/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of an NVMe controller as reading and writing take: one admin queue pair,
 * one I/O queue pair. Section numbers are those of the NVMe Base Specification 2.0.
 */
#ifndef NVME_H
#define NVME_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "nvme-queue.h"

struct device;

/* Opcodes of the NVM command set */
#define NVME_CMD_FLUSH		0x00
#define NVME_CMD_WRITE		0x01
#define NVME_CMD_READ		0x02

/* How long shutting down may take, until Identify has said more */
#define NVME_SHUTDOWN_MS	10000

/*
 * What the controller needs memory for besides the data. A queue must be
 * contiguous; one that fits a page is. So no queue is larger than a page, which
 * leaves room for 64 commands or more.
 */
enum nvme_page {
	PAGE_ADMIN_SQ,
	PAGE_ADMIN_CQ,
	PAGE_IO_SQ,
	PAGE_IO_CQ,
	PAGE_IDENTIFY,
	NR_PAGES,
};

/**
 * struct nvme_ctrl - a controller
 * @dev: the device that it is
 * @regs: BAR0: its registers, then the doorbells
 * @regs_size: of BAR0
 * @cap: the CAP register
 * @page_size: the unit in which the controller cuts memory up
 * @memory: one page for each enum nvme_page
 * @admin: the admin queues
 * @io: the I/O queues
 * @irq: eventfd of MSI-X vector 0; -1 when polling
 * @enabled: the controller may be using @memory
 * @io_ready: the I/O queues exist
 * @lost: it stopped answering; no use to ask it for anything
 * @shutdown_ms: how long it may take to shut down
 * @max_transfer: the most bytes that one command may move, 0: no limit
 * @namespaces: the highest possible namespace ID
 * @serial: from Identify
 * @model: from Identify
 * @firmware: from Identify
 */
struct nvme_ctrl {
	struct device *dev;
	char *regs;
	size_t regs_size;
	__u64 cap;
	size_t page_size;
	char *memory;
	struct nvme_queue admin;
	struct nvme_queue io;
	int irq;
	bool enabled;
	bool io_ready;
	bool lost;
	__u64 shutdown_ms;
	__u64 max_transfer;
	__u32 namespaces;
	char serial[20 + 1];
	char model[40 + 1];
	char firmware[8 + 1];
};

/**
 * struct nvme_namespace - a disk
 * @id: its number, from 1
 * @blocks: how many it has
 * @block_size: of each, in bytes
 */
struct nvme_namespace {
	__u32 id;
	__u64 blocks;
	__u32 block_size;
};

int nvme_check_class(const char *bdf);

int nvme_open(struct nvme_ctrl *ctrl, struct device *dev, bool irq);
int nvme_close(struct nvme_ctrl *ctrl);

int nvme_create_io_queues(struct nvme_ctrl *ctrl, unsigned int depth);
void nvme_submit(struct nvme_ctrl *ctrl, const struct nvme_namespace *ns,
		 unsigned int opcode, unsigned int cid, __u64 lba, __u32 blocks,
		 __u64 prp1, __u64 prp2);
int nvme_wait_io(struct nvme_ctrl *ctrl, struct nvme_completion *done);

/* nvme-identify.c */
#define NVME_ADMIN_IDENTIFY	0x06

int nvme_identify_ctrl(struct nvme_ctrl *ctrl);
int nvme_identify_namespace(struct nvme_ctrl *ctrl, __u32 id,
			    struct nvme_namespace *ns);

/* For these two */
void *nvme_page(struct nvme_ctrl *ctrl, enum nvme_page page);
__u64 nvme_page_address(struct nvme_ctrl *ctrl, enum nvme_page page);
int nvme_admin_command(struct nvme_ctrl *ctrl, const char *what,
		       const struct nvme_command *command);

#endif /* NVME_H */
