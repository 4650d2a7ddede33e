// SPDX-License-Identifier: GPL-2.0
/* A first driver with libvfiodma: the model and serial number of an NVMe disk */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <vfiodma.h>

struct memory { /* queues of commands and of completions, and the answer: a page each */
	uint64_t command[512];
	uint32_t completion[1024];
	char answer[4096];
};

static bool wait_for(volatile uint32_t *word, uint32_t bit, struct vfiodma_device *dev, void *mem)
{
	for (int ms = 0; ms < 10000 && !(*word & bit); ms++, usleep(1000))
		vfiodma_sync_for_cpu(dev, mem, sizeof(struct memory));
	return !vfiodma_sync_for_cpu(dev, mem, sizeof(struct memory)) && *word & bit;
}

static int identify(struct vfiodma_ctx *ctx, struct vfiodma_device *dev,
		    volatile uint32_t *regs, struct memory *mem)
{
	regs[0x24 / 4] = 1 << 16 | 1; /* entries of each queue, less one */
	regs[0x28 / 4] = vfiodma_addr(ctx, mem->command);
	regs[0x2c / 4] = vfiodma_addr(ctx, mem->command) >> 32;
	regs[0x30 / 4] = vfiodma_addr(ctx, mem->completion);
	regs[0x34 / 4] = vfiodma_addr(ctx, mem->completion) >> 32;
	regs[0x14 / 4] = 4 << 20 | 6 << 16 | 1; /* entries of 16 and 64 bytes; go */
	if (!wait_for(&regs[0x1c / 4], 1, dev, mem))
		return -ETIMEDOUT;
	mem->command[0] = 6; /* Identify */
	mem->command[3] = vfiodma_addr(ctx, mem->answer);
	mem->command[5] = 1; /* the controller */
	vfiodma_sync_for_device(dev, mem, sizeof(*mem));
	regs[0x1000 / 4] = 1; /* there is a command */
	if (!wait_for(&mem->completion[3], 1 << 16, dev, mem) || mem->completion[3] >> 17)
		return -EIO;
	printf("model: %.40s\nserial: %.20s\n", mem->answer + 24, mem->answer + 4);
	return 0;
}

int main(int argc, char **argv)
{
	struct vfiodma_device *dev;
	struct vfiodma_ctx *ctx;
	void *regs, *mem;
	int err = argc == 2 ? vfiodma_ctx_create(&ctx) : -EINVAL;

	err = err ?: vfiodma_device_open(ctx, argv[1], 0, &dev) ?:
	      vfiodma_region_map(dev, VFIODMA_BAR0, &regs, NULL) ?:
	      vfiodma_alloc(ctx, sizeof(struct memory), VFIODMA_SCATTERED, &mem) ?:
	      vfiodma_sync_for_device(dev, mem, sizeof(struct memory)) ?: /* zeroes */
	      vfiodma_device_set_master(dev, true) ?: identify(ctx, dev, regs, mem);
	if (err)
		fprintf(stderr, "%s: %s\n", argv[0], strerror(-err));
	return !!err; /* the device is taken off the bus before its memory goes */
}
