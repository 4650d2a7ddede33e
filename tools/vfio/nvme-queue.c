// SPDX-License-Identifier: GPL-2.0
/*
 * How this process and an NVMe controller talk: registers, rings in memory,
 * and the order in which each sees what the other has written.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "dma.h"
#include "example.h"
#include "nvme.h"

#define COMMAND_TIMEOUT_MS	30000
#define IRQ_SLICE_MS		1000
#define POLL_SPINS		1000

__u32 nvme_read32(struct nvme_ctrl *ctrl, unsigned int reg)
{
	return mmio_read32(ctrl->regs + reg);
}

void nvme_write32(struct nvme_ctrl *ctrl, unsigned int reg, __u32 value)
{
	mmio_write32(ctrl->regs + reg, value);
}

/* Not every controller takes 64 bits in one access; two halves always work. */
__u64 nvme_read64(struct nvme_ctrl *ctrl, unsigned int reg)
{
	__u64 low = nvme_read32(ctrl, reg);

	return low | (__u64)nvme_read32(ctrl, reg + 4) << 32;
}

void nvme_write64(struct nvme_ctrl *ctrl, unsigned int reg, __u64 value)
{
	nvme_write32(ctrl, reg, (__u32)value);
	nvme_write32(ctrl, reg + 4, value >> 32);
}

__u64 nvme_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The caller sees to it that there is room: at most entries - 1 in flight. */
void nvme_queue_submit(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
		       const struct nvme_command *command)
{
	queue->sq[queue->tail] = *command;
	vfiodma_sync_for_device(ctrl->dev->vfio, &queue->sq[queue->tail],
				sizeof(*command));
	queue->tail = (queue->tail + 1) % queue->entries;
	mmio_write32(queue->sq_doorbell, queue->tail);
}

/*
 * The controller says that an entry is new by flipping its phase tag on every
 * lap of the ring, so that entries need not be cleared after the first.
 */
static bool queue_ready(struct nvme_ctrl *ctrl, struct nvme_queue *queue)
{
	struct nvme_completion *next = &queue->cq[queue->head];
	__u16 status;

	vfiodma_sync_for_cpu(ctrl->dev->vfio, next, sizeof(*next));
	status = le16toh(READ_ONCE(next->status));
	return (status & NVME_STATUS_PHASE) == queue->phase;
}

static bool queue_take(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
		       struct nvme_completion *done)
{
	if (!queue_ready(ctrl, queue))
		return false;
	/*
	 * What the controller wrote before the phase tag, the rest of the entry
	 * and the data of the command, is only there for loads after this.
	 */
	dma_read_barrier();
	*done = queue->cq[queue->head];
	queue->head = (queue->head + 1) % queue->entries;
	if (!queue->head)
		queue->phase ^= NVME_STATUS_PHASE;
	mmio_write32(queue->cq_doorbell, queue->head);
	return true;
}

int nvme_refuse_gone(struct nvme_ctrl *ctrl)
{
	return refuse(ENODEV,
		      "%s: does not answer, its registers read all ones: it was removed, has no power, or is being reset",
		      ctrl->dev->bdf);
}

/*
 * Whether the queue can still be expected to answer. Admin commands are waited for
 * even if the device is asked for, as they start and stop it.
 */
static int wait_check(struct nvme_ctrl *ctrl, struct nvme_queue *queue)
{
	__u32 csts = nvme_read32(ctrl, NVME_REG_CSTS);

	if (csts == NVME_GONE)
		return nvme_refuse_gone(ctrl);
	if (!(csts & NVME_CSTS_RDY))
		return refuse(EIO,
			      "%s: was reset by somebody else (CSTS.RDY is 0), and has forgotten its commands: start again",
			      ctrl->dev->bdf);
	if (csts & NVME_CSTS_CFS)
		return refuse(EIO,
			      "the controller reports a fatal error (CSTS.CFS, CSTS is %#x)",
			      csts);
	return queue->id ? example_check_request(ctrl->dev) : 0;
}

/*
 * Reading a register of the device takes far longer than reading the queue,
 * which is in memory: so that is done once in a while only.
 */
static int wait_polling(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
			__u64 deadline)
{
	unsigned int spins;
	int err;

	do {
		for (spins = 0; spins < POLL_SPINS; spins++)
			if (queue_ready(ctrl, queue))
				return 0;
		err = wait_check(ctrl, queue);
		if (err)
			return err;
	} while (nvme_now_ms() < deadline);
	return -ETIMEDOUT;
}

/*
 * Interrupts are counted in the eventfd until they are read. One that comes
 * between a look at the queue and the wait is not lost: the wait ends at once.
 */
static int wait_irq(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
		    __u64 deadline)
{
	struct pollfd event = { .fd = ctrl->irq, .events = POLLIN };
	__u64 count;
	int ready, err;

	do {
		ready = poll(&event, 1, IRQ_SLICE_MS);
		if (ready < 0 && errno != EINTR)
			return fail(errno, "poll the eventfd of MSI-X");
		if (ready > 0 && read(ctrl->irq, &count, sizeof(count)) > 0)
			return 0;
		err = wait_check(ctrl, queue);
		if (err)
			return err;
	} while (nvme_now_ms() < deadline);
	return -ETIMEDOUT;
}

int nvme_queue_wait(struct nvme_ctrl *ctrl, struct nvme_queue *queue,
		    struct nvme_completion *done)
{
	__u64 deadline = nvme_now_ms() + COMMAND_TIMEOUT_MS;
	int err;

	while (!queue_take(ctrl, queue, done)) {
		err = ctrl->irq < 0 ? wait_polling(ctrl, queue, deadline) :
				      wait_irq(ctrl, queue, deadline);
		if (!err)
			continue;
		ctrl->lost = err != -ECANCELED;
		if (err != -ETIMEDOUT)
			return err;
		if (queue_ready(ctrl, queue))
			return refuse(ETIMEDOUT,
				      "a command on queue %u has completed, but no interrupt came in %d s: try --poll",
				      queue->id, COMMAND_TIMEOUT_MS / 1000);
		return refuse(ETIMEDOUT,
			      "a command on queue %u has not completed in %d s",
			      queue->id, COMMAND_TIMEOUT_MS / 1000);
	}
	return 0;
}

static const struct {
	unsigned int code;
	const char *meaning;
} nvme_errors[] = {
	/* status code type << 8 | status code (3.3.3.2.1) */
	{ 0x001, "invalid opcode" },
	{ 0x002, "invalid field in command" },
	{ 0x004, "data transfer error" },
	{ 0x005, "aborted, power loss" },
	{ 0x006, "internal error" },
	{ 0x007, "abort requested" },
	{ 0x008, "aborted, queue deleted" },
	{ 0x00b, "invalid namespace or format" },
	{ 0x013, "PRP offset invalid" },
	{ 0x080, "LBA out of range" },
	{ 0x082, "namespace not ready" },
	{ 0x100, "completion queue invalid" },
	{ 0x101, "invalid queue identifier" },
	{ 0x102, "invalid queue size" },
	{ 0x108, "invalid interrupt vector" },
	{ 0x10c, "invalid queue deletion" },
	{ 0x281, "unrecovered read error" },
	{ 0x282, "guard check error" },
	{ 0x286, "access denied" },
	{ 0x287, "deallocated or unwritten block" },
	{ 0, "see the specification" },
};

int nvme_status(const char *what, const struct nvme_completion *done)
{
	unsigned int status = le16toh(done->status) >> 1;
	unsigned int code = status & 0x7ff, i = 0;

	if (!code)
		return 0;
	while (nvme_errors[i].code && nvme_errors[i].code != code)
		i++;
	return refuse(EIO, "%s: status code type %#x, status code %#x: %s",
		      what, code >> 8, code & 0xff, nvme_errors[i].meaning);
}
