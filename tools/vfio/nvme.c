// SPDX-License-Identifier: GPL-2.0
/*
 * As much of an NVMe controller as reading takes. Everything it is told about
 * memory is a physical address, and every piece of memory it is given fits
 * into one of its pages: so it does not matter how the pages are scattered.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "nvme.h"
#include "noiommu.h"

#define NVME_PCI_CLASS		0x010802

/* Opcodes: admin (5), and of the NVM command set */
#define NVME_ADMIN_DELETE_SQ	0x00
#define NVME_ADMIN_CREATE_SQ	0x01
#define NVME_ADMIN_DELETE_CQ	0x04
#define NVME_ADMIN_CREATE_CQ	0x05
#define NVME_ADMIN_IDENTIFY	0x06
#define NVME_ADMIN_SET_FEATURES	0x09
#define NVME_CMD_READ		0x02

#define NVME_IDENTIFY_NAMESPACE	0
#define NVME_IDENTIFY_CTRL	1
#define NVME_IDENTIFY_ACTIVE	2
#define NVME_IDENTIFY_SIZE	4096
#define NVME_FEATURE_QUEUES	7

#define NVME_QUEUE_CONTIGUOUS	0x1	/* cdw11 of Create CQ and SQ */
#define NVME_QUEUE_INTERRUPTS	0x2	/* cdw11 of Create CQ */

#define NVME_ADMIN_ENTRIES	8
#define NVME_IO_QUEUE		1

/* For a controller that says nothing, and for one that says too much */
#define SHUTDOWN_TIMEOUT_MS	10000
#define MAX_SHUTDOWN_TIMEOUT_MS	60000

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

static void *page_va(struct nvme_ctrl *ctrl, enum nvme_page page)
{
	return ctrl->memory.va + page * ctrl->page_size;
}

static __u64 page_address(struct nvme_ctrl *ctrl, enum nvme_page page)
{
	return dma_address(&ctrl->memory, page * ctrl->page_size);
}

static int ctrl_enable(struct nvme_ctrl *ctrl)
{
	unsigned int page_shift = 12 + NVME_CAP_MPSMIN(ctrl->cap);
	__u32 entries = NVME_ADMIN_ENTRIES - 1;
	int err;

	nvme_write32(ctrl, NVME_REG_AQA, entries << 16 | entries);
	nvme_write64(ctrl, NVME_REG_ASQ, page_address(ctrl, PAGE_ADMIN_SQ));
	nvme_write64(ctrl, NVME_REG_ACQ, page_address(ctrl, PAGE_ADMIN_CQ));
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
	void *sq = page_va(ctrl, id ? PAGE_IO_SQ : PAGE_ADMIN_SQ);
	void *cq = page_va(ctrl, id ? PAGE_IO_CQ : PAGE_ADMIN_CQ);
	unsigned int stride = 4 << NVME_CAP_DSTRD(ctrl->cap);
	char *doorbells = ctrl->regs + NVME_REG_DOORBELLS;

	/* A set phase tag would be taken for a completion on the first lap. */
	memset(sq, 0, ctrl->page_size);
	memset(cq, 0, ctrl->page_size);
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
static int admin_command(struct nvme_ctrl *ctrl, const char *what,
			 const struct nvme_command *command)
{
	struct nvme_completion done;
	int err;

	nvme_queue_submit(&ctrl->admin, command);
	err = nvme_queue_wait(ctrl, &ctrl->admin, &done);
	return err ? err : nvme_status(what, &done);
}

/* The answer is a page of its own: one PRP says where it goes. */
static int identify(struct nvme_ctrl *ctrl, unsigned int what, __u32 nsid)
{
	struct nvme_command command = {
		.opcode = NVME_ADMIN_IDENTIFY,
		.nsid = htole32(nsid),
		.prp1 = htole64(page_address(ctrl, PAGE_IDENTIFY)),
		.cdw10 = htole32(what),
	};

	memset(page_va(ctrl, PAGE_IDENTIFY), 0, NVME_IDENTIFY_SIZE);
	return admin_command(ctrl, "Identify", &command);
}

/* Strings in Identify are padded with blanks, not terminated. */
static void copy_text(char *to, const char *from, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	while (size && to[size - 1] == ' ')
		size--;
	to[size] = '\0';
}

static __u32 get_le32(const char *data)
{
	__le32 value;

	memcpy(&value, data, sizeof(value));
	return le32toh(value);
}

/* RTD3E, in microseconds: how long shutting down may take */
static __u64 shutdown_timeout_ms(__u32 rtd3e)
{
	__u64 timeout_ms = rtd3e / 1000;

	if (timeout_ms < SHUTDOWN_TIMEOUT_MS)
		return SHUTDOWN_TIMEOUT_MS;
	if (timeout_ms > MAX_SHUTDOWN_TIMEOUT_MS)
		return MAX_SHUTDOWN_TIMEOUT_MS;
	return timeout_ms;
}

static int identify_ctrl(struct nvme_ctrl *ctrl)
{
	const char *data = page_va(ctrl, PAGE_IDENTIFY);
	unsigned int mdts;
	int err;

	err = identify(ctrl, NVME_IDENTIFY_CTRL, 0);
	if (err)
		return err;
	copy_text(ctrl->serial, data + 4, 20);
	copy_text(ctrl->model, data + 24, 40);
	copy_text(ctrl->firmware, data + 64, 8);
	mdts = (__u8)data[77];
	if (mdts && mdts < 32)
		ctrl->max_transfer = (__u64)ctrl->page_size << mdts;
	ctrl->shutdown_ms = shutdown_timeout_ms(get_le32(data + 88));
	ctrl->namespaces = get_le32(data + 516);
	note("%s, serial %s, at most %llu bytes a command", ctrl->model,
	     ctrl->serial, (unsigned long long)ctrl->max_transfer);
	return 0;
}

/* Of the LBA formats that a namespace could have, one is in use. */
static __u32 lba_format(const char *data)
{
	unsigned int flbas = (__u8)data[26];

	/* With more than 16 formats, the index has two more bits. */
	if ((__u8)data[25] < 16)
		flbas &= 0xf;
	else
		flbas = (flbas & 0xf) | (flbas >> 5 & 3) << 4;
	return get_le32(data + 128 + 4 * flbas);
}

/* There may be fewer namespaces than numbers for them; the list is in order. */
static int refuse_inactive(struct nvme_ctrl *ctrl, __u32 id)
{
	__u32 first = 0;

	if (!identify(ctrl, NVME_IDENTIFY_ACTIVE, 0))
		first = get_le32(page_va(ctrl, PAGE_IDENTIFY));
	if (!first)
		return refuse(ENODEV, "namespace %u: not active, nor is any other",
			      id);
	return refuse(ENODEV,
		      "namespace %u: not active; the first that is has number %u",
		      id, first);
}

int nvme_identify_namespace(struct nvme_ctrl *ctrl, __u32 id,
			    struct nvme_namespace *ns)
{
	const char *data = page_va(ctrl, PAGE_IDENTIFY);
	unsigned int format, shift;
	__le64 blocks;
	int err;

	if (!id || id > ctrl->namespaces)
		return refuse(EINVAL,
			      "namespace %u: this controller's are 1 to %u",
			      id, ctrl->namespaces);
	err = identify(ctrl, NVME_IDENTIFY_NAMESPACE, id);
	if (err)
		return err;
	memcpy(&blocks, data, sizeof(blocks));
	format = lba_format(data);
	shift = format >> 16 & 0xff;
	if (!blocks)
		return refuse_inactive(ctrl, id);
	if (shift < 9 || shift > 24)
		return refuse(EOPNOTSUPP,
			      "namespace %u: blocks of 2^%u bytes are not supported",
			      id, shift);
	/* With metadata, the controller would write where nothing is mapped. */
	if (format & 0xffff)
		return refuse(EOPNOTSUPP,
			      "namespace %u: blocks with %u bytes of metadata are not supported",
			      id, format & 0xffff);
	ns->id = id;
	ns->blocks = le64toh(blocks);
	ns->block_size = 1u << shift;
	return 0;
}

/* The controller is to know how many queues there will be before the first. */
static int set_queue_count(struct nvme_ctrl *ctrl)
{
	struct nvme_command command = {
		.opcode = NVME_ADMIN_SET_FEATURES,
		.cdw10 = htole32(NVME_FEATURE_QUEUES),
		.cdw11 = htole32(0),	/* one of each, counted from 0 */
	};

	return admin_command(ctrl, "Set Features, number of queues", &command);
}

static int create_queue(struct nvme_ctrl *ctrl, bool completion)
{
	struct nvme_command command = {
		.opcode = completion ? NVME_ADMIN_CREATE_CQ :
				       NVME_ADMIN_CREATE_SQ,
		.prp1 = htole64(page_address(ctrl, completion ? PAGE_IO_CQ :
								PAGE_IO_SQ)),
		.cdw10 = htole32((ctrl->io.entries - 1) << 16 | NVME_IO_QUEUE),
	};
	__u32 flags = NVME_QUEUE_CONTIGUOUS;

	if (!completion)
		flags |= NVME_IO_QUEUE << 16;	/* where completions go */
	else if (ctrl->irq >= 0)
		flags |= NVME_QUEUE_INTERRUPTS;	/* by vector 0 */
	command.cdw11 = htole32(flags);
	return admin_command(ctrl, completion ? "Create I/O Completion Queue" :
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

	return admin_command(ctrl, completion ? "Delete I/O Completion Queue" :
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
void nvme_submit_read(struct nvme_ctrl *ctrl, const struct nvme_namespace *ns,
		      unsigned int cid, __u64 lba, __u32 blocks,
		      __u64 prp1, __u64 prp2)
{
	struct nvme_command command = {
		.opcode = NVME_CMD_READ,
		.cid = htole16(cid),
		.nsid = htole32(ns->id),
		.prp1 = htole64(prp1),
		.prp2 = htole64(prp2),
		.cdw10 = htole32((__u32)lba),
		.cdw11 = htole32(lba >> 32),
		.cdw12 = htole32(blocks - 1),
	};

	nvme_queue_submit(&ctrl->io, &command);
}

int nvme_wait_io(struct nvme_ctrl *ctrl, struct nvme_completion *done)
{
	return nvme_queue_wait(ctrl, &ctrl->io, done);
}

int nvme_check_class(const char *bdf)
{
	unsigned int pci_class;
	int err;

	err = noiommu_pci_class(bdf, &pci_class);
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
	int err;

	err = read_capabilities(ctrl);
	if (!err)
		err = ctrl_disable(ctrl);
	if (!err)
		err = dma_memory_alloc(ctrl->dev, &ctrl->memory,
				       NR_PAGES * ctrl->page_size,
				       DMA_SCATTERED);
	if (err)
		return err;
	queue_init(ctrl, &ctrl->admin, 0, NVME_ADMIN_ENTRIES);
	if (irq)
		err = noiommu_enable_msix(ctrl->dev, &ctrl->irq);
	if (!err)
		err = noiommu_set_bus_master(ctrl->dev, true);
	if (!err)
		err = ctrl_enable(ctrl);
	if (!err)
		err = identify_ctrl(ctrl);
	return err;
}

int nvme_open(struct nvme_ctrl *ctrl, struct noiommu_device *dev, bool irq)
{
	void *regs;
	int err;

	*ctrl = (struct nvme_ctrl) {
		.dev = dev,
		.irq = -1,
		.shutdown_ms = SHUTDOWN_TIMEOUT_MS,
	};
	/* This turns the registers on, too. */
	err = noiommu_set_bus_master(dev, false);
	if (err)
		return err;
	err = noiommu_map_bar(dev, 0, &regs, &ctrl->regs_size);
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
	if (noiommu_set_bus_master(ctrl->dev, false))
		exit(EXIT_FAILURE);

	if (ctrl->irq >= 0)
		noiommu_disable_msix(ctrl->dev, ctrl->irq);
	munmap(ctrl->regs, ctrl->regs_size);
	dma_memory_free(ctrl->dev, &ctrl->memory);
	return err;
}
