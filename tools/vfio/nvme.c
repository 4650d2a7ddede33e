// SPDX-License-Identifier: GPL-2.0
/*
 * As much of an NVMe controller as reading and writing take. Every piece of memory
 * it is given fits into one of its pages: so it does not matter how the pages are
 * scattered.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "example.h"
#include "nvme.h"

#define NVME_PCI_CLASS		0x010802

/* Opcodes of admin commands (5) */
#define NVME_ADMIN_DELETE_SQ	0x00
#define NVME_ADMIN_CREATE_SQ	0x01
#define NVME_ADMIN_DELETE_CQ	0x04
#define NVME_ADMIN_CREATE_CQ	0x05
#define NVME_ADMIN_SET_FEATURES	0x09

#define NVME_FEATURE_QUEUES	7

#define NVME_QUEUE_CONTIGUOUS	0x1	/* cdw11 of Create CQ and SQ */
#define NVME_QUEUE_INTERRUPTS	0x2	/* cdw11 of Create CQ */

#define NVME_ADMIN_ENTRIES	8
#define NVME_IO_QUEUE		1

/*
 * How long CSTS.RDY may take to follow CC.EN: CAP.TO, or what CRTO says if there
 * is such a register and it says more. The one unit on top is for controllers
 * that say 0 and still take some time.
 */
static __u64 ready_timeout_ms(struct nvme_ctrl *ctrl)
{
	__u64 units = NVME_CAP_TO(ctrl->cap), with_media = 0;

	if (NVME_CAP_CRWMS(ctrl->cap))
		with_media = nvme_read32(ctrl, NVME_REG_CRTO) & 0xffff;
	return ((units > with_media ? units : with_media) + 1) * 500;
}

/* Sleeps until some bits of CSTS are as they should. */
static int wait_csts(struct nvme_ctrl *ctrl, __u32 mask, __u32 value,
		     __u64 timeout_ms)
{
	__u64 deadline = nvme_now_ms() + timeout_ms;
	__u32 csts;
	bool late;

	do {
		/* Ask for the time first: the last look comes after it. */
		late = nvme_now_ms() > deadline;
		csts = nvme_read32(ctrl, NVME_REG_CSTS);
		if (csts == NVME_GONE)
			return -ENODEV;
		if ((csts & mask) == value)
			return 0;
		/* It has failed, and will not be ready any more. */
		if (csts & NVME_CSTS_CFS && value & NVME_CSTS_RDY)
			return -EIO;
		usleep(1000);
	} while (!late);
	return -ETIMEDOUT;
}

/*
 * Once CC.EN is 0 and CSTS.RDY has followed, the controller has forgotten its
 * queues, and touches no memory. One that is still getting ready is to be left
 * alone until it is (3.1.3.5), unless it has failed.
 */
static int ctrl_disable(struct nvme_ctrl *ctrl)
{
	__u32 cc = nvme_read32(ctrl, NVME_REG_CC);
	__u32 csts = nvme_read32(ctrl, NVME_REG_CSTS);
	int err;

	if (csts == NVME_GONE)
		return nvme_refuse_gone(ctrl);
	if (cc & NVME_CC_EN && !(csts & NVME_CSTS_CFS) && !ctrl->lost)
		wait_csts(ctrl, NVME_CSTS_RDY, NVME_CSTS_RDY,
			  ready_timeout_ms(ctrl));
	cc &= ~(NVME_CC_EN | NVME_CC_SHN_MASK);
	nvme_write32(ctrl, NVME_REG_CC, cc);
	err = wait_csts(ctrl, NVME_CSTS_RDY, 0, ready_timeout_ms(ctrl));
	if (err)
		return fail(-err, "wait for the controller to be disabled");
	ctrl->enabled = false;
	return 0;
}

void *nvme_page(struct nvme_ctrl *ctrl, enum nvme_page page)
{
	return ctrl->memory + page * ctrl->page_size;
}

__u64 nvme_page_address(struct nvme_ctrl *ctrl, enum nvme_page page)
{
	return vfiodma_addr(ctrl->dev->ctx, nvme_page(ctrl, page));
}

static int ctrl_enable(struct nvme_ctrl *ctrl)
{
	unsigned int page_shift = 12 + NVME_CAP_MPSMIN(ctrl->cap);
	__u32 entries = NVME_ADMIN_ENTRIES - 1;
	int err;

	nvme_write32(ctrl, NVME_REG_AQA, entries << 16 | entries);
	nvme_write64(ctrl, NVME_REG_ASQ, nvme_page_address(ctrl, PAGE_ADMIN_SQ));
	nvme_write64(ctrl, NVME_REG_ACQ, nvme_page_address(ctrl, PAGE_ADMIN_CQ));
	ctrl->enabled = true;
	nvme_write32(ctrl, NVME_REG_CC,
		     NVME_CC_EN | NVME_CC_MPS(page_shift) |
		     NVME_CC_IOSQES | NVME_CC_IOCQES);
	err = wait_csts(ctrl, NVME_CSTS_RDY | NVME_CSTS_CFS, NVME_CSTS_RDY,
			ready_timeout_ms(ctrl));
	if (!err)
		return 0;
	ctrl->lost = true;
	return fail(-err, "wait for the controller to be ready (CSTS is %#x)",
		    nvme_read32(ctrl, NVME_REG_CSTS));
}

static void queue_init(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
		       unsigned int id, unsigned int entries)
{
	void *sq = nvme_page(ctrl, id ? PAGE_IO_SQ : PAGE_ADMIN_SQ);
	void *cq = nvme_page(ctrl, id ? PAGE_IO_CQ : PAGE_ADMIN_CQ);
	unsigned int stride = 4 << NVME_CAP_DSTRD(ctrl->cap);
	char *doorbells = ctrl->regs + NVME_REG_DOORBELLS;

	/* A set phase tag would be taken for a completion on the first lap. */
	memset(sq, 0, ctrl->page_size);
	memset(cq, 0, ctrl->page_size);
	vfiodma_sync_for_device(ctrl->dev->vfio, sq, ctrl->page_size);
	vfiodma_sync_for_device(ctrl->dev->vfio, cq, ctrl->page_size);
	*queue = (struct nvme_queue) {
		.id = id,
		.entries = entries,
		.phase = NVME_STATUS_PHASE,
		.sq = sq,
		.cq = cq,
		.sq_doorbell = (__u32 *)(doorbells + 2 * id * stride),
		.cq_doorbell = (__u32 *)(doorbells + (2 * id + 1) * stride),
	};
}

/* One at a time is enough for the admin queue. */
int nvme_admin_command(struct nvme_ctrl *ctrl, const char *what,
		       const struct nvme_command *command)
{
	struct nvme_completion done;
	int err;

	nvme_queue_submit(ctrl, &ctrl->admin, command);
	err = nvme_queue_wait(ctrl, &ctrl->admin, &done);
	return err ? err : nvme_status(what, &done);
}

/* The controller is to know how many queues there will be before the first. */
static int set_queue_count(struct nvme_ctrl *ctrl)
{
	struct nvme_command command = {
		.opcode = NVME_ADMIN_SET_FEATURES,
		.cdw10 = htole32(NVME_FEATURE_QUEUES),
		.cdw11 = htole32(0),	/* one of each, counted from 0 */
	};

	return nvme_admin_command(ctrl, "Set Features, number of queues", &command);
}

static int create_queue(struct nvme_ctrl *ctrl, bool completion)
{
	struct nvme_command command = {
		.opcode = completion ? NVME_ADMIN_CREATE_CQ :
				       NVME_ADMIN_CREATE_SQ,
		.prp1 = htole64(nvme_page_address(ctrl, completion ? PAGE_IO_CQ :
								PAGE_IO_SQ)),
		.cdw10 = htole32((ctrl->io.entries - 1) << 16 | NVME_IO_QUEUE),
	};
	__u32 flags = NVME_QUEUE_CONTIGUOUS;

	if (!completion)
		flags |= NVME_IO_QUEUE << 16;	/* where completions go */
	else if (ctrl->irq >= 0)
		flags |= NVME_QUEUE_INTERRUPTS;	/* by vector 0 */
	command.cdw11 = htole32(flags);
	return nvme_admin_command(ctrl, completion ? "Create I/O Completion Queue" :
						"Create I/O Submission Queue",
			     &command);
}

static int delete_queue(struct nvme_ctrl *ctrl, bool completion)
{
	struct nvme_command command = {
		.opcode = completion ? NVME_ADMIN_DELETE_CQ :
				       NVME_ADMIN_DELETE_SQ,
		.cdw10 = htole32(NVME_IO_QUEUE),
	};

	return nvme_admin_command(ctrl, completion ? "Delete I/O Completion Queue" :
						"Delete I/O Submission Queue",
			     &command);
}

/*
 * At most @depth commands will be in flight, and fewer if the controller or the
 * page has no room for as many: ctrl->io.entries - 1. The one entry more tells a
 * full ring from an empty one.
 */
int nvme_create_io_queues(struct nvme_ctrl *ctrl, unsigned int depth)
{
	unsigned int most = ctrl->page_size / sizeof(struct nvme_command);
	int err;

	if (most > NVME_CAP_MQES(ctrl->cap) + 1)
		most = NVME_CAP_MQES(ctrl->cap) + 1;
	if (depth > most - 1) {
		note("%u commands in flight, not %u: the queue has %u entries",
		     most - 1, depth, most);
		depth = most - 1;
	}
	queue_init(ctrl, &ctrl->io, NVME_IO_QUEUE, depth + 1);
	err = set_queue_count(ctrl);
	if (!err)
		err = create_queue(ctrl, true);
	if (err)
		return err;
	err = create_queue(ctrl, false);
	if (err && !ctrl->lost)
		delete_queue(ctrl, true);
	ctrl->io_ready = !err;
	return err;
}

/*
 * PRP1 is where the data begins. PRP2 is where it goes on, if there is one
 * page more; if there are several, where to find the list of them.
 */
void nvme_submit(struct nvme_ctrl *ctrl, const struct nvme_namespace *ns,
		 unsigned int opcode, unsigned int cid, __u64 lba, __u32 blocks,
		 __u64 prp1, __u64 prp2)
{
	struct nvme_command command = {
		.opcode = opcode,
		.cid = htole16(cid),
		.nsid = htole32(ns->id),
		.prp1 = htole64(prp1),
		.prp2 = htole64(prp2),
	};

	if (opcode != NVME_CMD_FLUSH) {
		command.cdw10 = htole32((__u32)lba);
		command.cdw11 = htole32(lba >> 32);
		command.cdw12 = htole32(blocks - 1);
	}
	nvme_queue_submit(ctrl, &ctrl->io, &command);
}

int nvme_wait_io(struct nvme_ctrl *ctrl, struct nvme_completion *done)
{
	return nvme_queue_wait(ctrl, &ctrl->io, done);
}

int nvme_check_class(const char *bdf)
{
	unsigned int pci_class;
	int err;

	err = example_pci_class(bdf, &pci_class);
	if (err)
		return err;
	if (pci_class != NVME_PCI_CLASS)
		return refuse(ENODEV,
			      "%s: not an NVMe controller: its class is %#08x, not %#08x",
			      bdf, pci_class, NVME_PCI_CLASS);
	return 0;
}

/* What the registers say about the controller, and whether we can use it */
static int read_capabilities(struct nvme_ctrl *ctrl)
{
	size_t most, doorbells;

	if (nvme_read32(ctrl, NVME_REG_CSTS) == NVME_GONE)
		return nvme_refuse_gone(ctrl);
	ctrl->cap = nvme_read64(ctrl, NVME_REG_CAP);
	note("CAP %#llx, version %#x", (unsigned long long)ctrl->cap,
	     nvme_read32(ctrl, NVME_REG_VS));
	if (!NVME_CAP_CSS_NVM(ctrl->cap))
		return refuse(ENODEV,
			      "the controller has no NVM command set (CAP.CSS)");
	if (!NVME_CAP_MQES(ctrl->cap))
		return refuse(ENODEV,
			      "the controller's queues have one entry (CAP.MQES), too few for any command");
	doorbells = 2 * (NVME_IO_QUEUE + 1) * (4 << NVME_CAP_DSTRD(ctrl->cap));
	if (ctrl->regs_size < NVME_REG_DOORBELLS + doorbells)
		return refuse(ENODEV, "BAR0 is too small for the doorbells");
	ctrl->page_size = (size_t)4096 << NVME_CAP_MPSMIN(ctrl->cap);
	most = sysconf(_SC_PAGESIZE);
	/* Only inside a page of the CPU is memory sure to be contiguous. */
	if (ctrl->page_size > most)
		return refuse(EOPNOTSUPP,
			      "the controller's pages have %zu bytes (CAP.MPSMIN), the CPU's only %zu",
			      ctrl->page_size, most);
	return 0;
}

/*
 * The order matters. An earlier driver may have left the controller running
 * with queues in memory that is somebody else's by now: disable it first, and
 * let it master the bus only when it has nothing but ours to use.
 */
static int ctrl_start(struct nvme_ctrl *ctrl, bool irq)
{
	void *memory;
	int err;

	err = read_capabilities(ctrl);
	if (!err)
		err = ctrl_disable(ctrl);
	if (!err)
		err = example_alloc(ctrl->dev, NR_PAGES * ctrl->page_size,
				    VFIODMA_SCATTERED, &memory);
	if (err)
		return err;
	ctrl->memory = memory;
	queue_init(ctrl, &ctrl->admin, 0, NVME_ADMIN_ENTRIES);
	if (irq)
		err = example_enable_msix(ctrl->dev, &ctrl->irq);
	if (!err)
		err = example_set_master(ctrl->dev, true);
	if (!err)
		err = ctrl_enable(ctrl);
	if (!err)
		err = nvme_identify_ctrl(ctrl);
	return err;
}

int nvme_open(struct nvme_ctrl *ctrl, struct device *dev, bool irq)
{
	void *regs;
	int err;

	*ctrl = (struct nvme_ctrl) {
		.dev = dev,
		.irq = -1,
		.shutdown_ms = NVME_SHUTDOWN_MS,
	};
	err = example_map_bar(dev, 0, &regs, &ctrl->regs_size);
	if (err)
		return err;
	ctrl->regs = regs;
	err = ctrl_start(ctrl, irq);
	if (err)
		nvme_close(ctrl);
	return err;
}

/* Submission queue first: while it is there, its completions need a place. */
static int delete_io_queues(struct nvme_ctrl *ctrl)
{
	int err;

	if (!ctrl->io_ready)
		return 0;
	ctrl->io_ready = false;
	err = delete_queue(ctrl, false);
	return err ? err : delete_queue(ctrl, true);
}

/* A disk has to be told before it may lose power (3.6.1). */
static int ctrl_shutdown(struct nvme_ctrl *ctrl)
{
	__u32 cc = nvme_read32(ctrl, NVME_REG_CC) & ~NVME_CC_SHN_MASK;
	int err;

	nvme_write32(ctrl, NVME_REG_CC, cc | NVME_CC_SHN_NORMAL);
	err = wait_csts(ctrl, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_DONE,
			ctrl->shutdown_ms);
	return err ? fail(-err, "wait for the controller to shut down") : 0;
}

/*
 * Stops the controller, then frees its memory; the caller may free the memory
 * of commands when this is done. Bus mastering is turned off even if stopping
 * fails, so that the controller can not reach any memory.
 */
int nvme_close(struct nvme_ctrl *ctrl)
{
	int err = 0, err2;

	if (ctrl->enabled && !ctrl->lost)
		err = delete_io_queues(ctrl);
	if (ctrl->enabled && !ctrl->lost) {
		err2 = ctrl_shutdown(ctrl);
		err = err ? err : err2;
	}
	if (ctrl->enabled) {
		err2 = ctrl_disable(ctrl);
		err = err ? err : err2;
	}
	/*
	 * Memory that it can still reach must not be freed. When the process
	 * exits, the kernel turns bus mastering off before it unpins anything.
	 */
	if (example_set_master(ctrl->dev, false))
		exit(EXIT_FAILURE);

	if (ctrl->irq >= 0)
		example_disable_msix(ctrl->dev, ctrl->irq);
	vfiodma_region_unmap(ctrl->dev->vfio, ctrl->regs);
	if (ctrl->memory)
		vfiodma_free(ctrl->dev->ctx, ctrl->memory);
	return err;
}
