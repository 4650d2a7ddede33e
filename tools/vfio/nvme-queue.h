/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How this process and an NVMe controller talk: registers, and rings in memory.
 * Section numbers are those of the NVMe Base Specification 2.0.
 */
#ifndef NVME_QUEUE_H
#define NVME_QUEUE_H

#include <linux/types.h>

struct nvme_ctrl;

/* Registers (3.1.3) */
#define NVME_REG_CAP		0x00
#define NVME_REG_VS		0x08
#define NVME_REG_CC		0x14
#define NVME_REG_CSTS		0x1c
#define NVME_REG_AQA		0x24
#define NVME_REG_ASQ		0x28
#define NVME_REG_ACQ		0x30
#define NVME_REG_CRTO		0x68
#define NVME_REG_DOORBELLS	0x1000

#define NVME_CAP_MQES(cap)	((cap) & 0xffff)	/* entries - 1 */
#define NVME_CAP_TO(cap)	((cap) >> 24 & 0xff)	/* in 500 ms */
#define NVME_CAP_DSTRD(cap)	((cap) >> 32 & 0xf)	/* 4 << DSTRD bytes */
#define NVME_CAP_CSS_NVM(cap)	((cap) >> 37 & 1)
#define NVME_CAP_MPSMIN(cap)	((cap) >> 48 & 0xf)	/* 4096 << MPSMIN */
#define NVME_CAP_CRWMS(cap)	((cap) >> 59 & 1)	/* there is CRTO */

#define NVME_CC_EN		0x1
#define NVME_CC_MPS(shift)	(((shift) - 12) << 7)
#define NVME_CC_SHN_MASK	0xc000
#define NVME_CC_SHN_NORMAL	0x4000
#define NVME_CC_IOSQES		0x60000		/* log2 of 64 */
#define NVME_CC_IOCQES		0x400000	/* log2 of 16 */

#define NVME_CSTS_RDY		0x1
#define NVME_CSTS_CFS		0x2
#define NVME_CSTS_SHST_MASK	0xc
#define NVME_CSTS_SHST_DONE	0x8
#define NVME_GONE		0xffffffffu	/* what a missing device reads */

/* A submission queue entry: a command (3.3.3.1). Always little endian. */
struct nvme_command {
	__u8 opcode;
	__u8 flags;
	__le16 cid;
	__le32 nsid;
	__le32 cdw2;
	__le32 cdw3;
	__le64 metadata;
	__le64 prp1;
	__le64 prp2;
	__le32 cdw10;
	__le32 cdw11;
	__le32 cdw12;
	__le32 cdw13;
	__le32 cdw14;
	__le32 cdw15;
};

/* A completion queue entry (3.3.3.2), and the phase tag in its status */
#define NVME_STATUS_PHASE	1u

struct nvme_completion {
	__le32 result;
	__le32 reserved;
	__le16 sq_head;
	__le16 sq_id;
	__le16 cid;
	__le16 status;
};

/**
 * struct nvme_queue - a submission queue and its completion queue
 * @id: 0 for the admin queues
 * @entries: of each of the two rings; one less commands may be in flight
 * @tail: where the next command goes
 * @head: where the next completion will appear
 * @phase: the phase tag that makes the entry at @head a new one
 * @sq: the ring that we write and the controller reads
 * @cq: the ring that the controller writes and we read
 * @sq_doorbell: the register that tells the controller about @tail
 * @cq_doorbell: the register that tells the controller about @head
 */
struct nvme_queue {
	unsigned int id;
	unsigned int entries;
	unsigned int tail;
	unsigned int head;
	unsigned int phase;
	struct nvme_command *sq;
	struct nvme_completion *cq;
	__u32 *sq_doorbell;
	__u32 *cq_doorbell;
};

__u32 nvme_read32(struct nvme_ctrl *ctrl, unsigned int reg);
__u64 nvme_read64(struct nvme_ctrl *ctrl, unsigned int reg);
void nvme_write32(struct nvme_ctrl *ctrl, unsigned int reg, __u32 value);
void nvme_write64(struct nvme_ctrl *ctrl, unsigned int reg, __u64 value);
__u64 nvme_now_ms(void);

void nvme_queue_submit(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
		       const struct nvme_command *command);
int nvme_queue_wait(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
		    struct nvme_completion *done);
int nvme_refuse_gone(struct nvme_ctrl *ctrl);
int nvme_status(const char *what, const struct nvme_completion *done);

#endif /* NVME_QUEUE_H */
