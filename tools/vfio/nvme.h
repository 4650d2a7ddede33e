/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of an NVMe controller as reading takes: one admin queue pair, one
 * I/O queue pair. Section numbers are those of the NVMe Base Specification 2.0.
 */
#ifndef NVME_H
#define NVME_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "dma.h"
#include "nvme-queue.h"

struct noiommu_device;

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
	struct noiommu_device *dev;
	char *regs;
	size_t regs_size;
	__u64 cap;
	size_t page_size;
	struct dma_memory memory;
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

int nvme_open(struct nvme_ctrl *ctrl, struct noiommu_device *dev, bool irq);
int nvme_close(struct nvme_ctrl *ctrl);

int nvme_identify_namespace(struct nvme_ctrl *ctrl, __u32 id,
			    struct nvme_namespace *ns);
int nvme_create_io_queues(struct nvme_ctrl *ctrl, unsigned int depth);

void nvme_submit_read(struct nvme_ctrl *ctrl, const struct nvme_namespace *ns,
		      unsigned int cid, __u64 lba, __u32 blocks,
		      __u64 prp1, __u64 prp2);
int nvme_wait_io(struct nvme_ctrl *ctrl, struct nvme_completion *done);

#endif /* NVME_H */
