// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long it takes from open() to the first DMA, with QEMU's edu device, whose
 * DMA engine moves bytes between RAM and a buffer of its own. The device takes
 * 100 ms for a transfer; what is the kernel's and ours ends when it is started.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "bench.h"

/* See docs/specs/edu in QEMU. All registers are in BAR 0. */
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define   EDU_DMA_RUN		0x1
#define   EDU_DMA_TO_RAM	0x2
#define EDU_BUF			0x40000

/* Some versions of QEMU take the last byte of the buffer for out of bounds. */
#define TRANSFER		4095
#define COPY			PAGE	/* where to, in the buffer */

enum step {
	OPEN,
	BIND,
	ATTACH,
	MAP,
	LOOK_UP,
	SET_UP,
	START,
	STEPS,
};

static const char *const step_names[STEPS] = {
	"open", "bind", "attach", "map", "look_up", "set_up", "start",
};

struct edu {
	struct device dev;
	volatile char *bar;
	__u64 phys;
};

static void set_register(struct edu *edu, unsigned int offset, __u64 value)
{
	*(volatile __u64 *)(edu->bar + offset) = value;
}

static __u64 get_register(struct edu *edu, unsigned int offset)
{
	return *(volatile __u64 *)(edu->bar + offset);
}

static __u64 region(struct edu *edu, unsigned int index, size_t *size)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = index,
	};

	if (ioctl(edu->dev.fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		die_errno("VFIO_DEVICE_GET_REGION_INFO(%u)", index);
	*size = info.size;
	return info.offset;
}

/* Registers within reach, and the device allowed to do DMA */
static void set_up(struct edu *edu)
{
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	size_t size;
	__u64 offset;
	void *bar;

	offset = region(edu, VFIO_PCI_CONFIG_REGION_INDEX, &size);
	if (pwrite(edu->dev.fd, &command, sizeof(command),
		   offset + PCI_COMMAND) != sizeof(command))
		die_errno("write of the command register");
	offset = region(edu, VFIO_PCI_BAR0_REGION_INDEX, &size);
	bar = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, edu->dev.fd,
		   offset);
	if (bar == MAP_FAILED)
		die_errno("mmap of BAR 0");
	edu->bar = bar;
}

static void start(struct edu *edu, bool to_ram, __u64 phys)
{
	set_register(edu, EDU_DMA_SRC, to_ram ? EDU_BUF : phys);
	set_register(edu, EDU_DMA_DST, to_ram ? phys : EDU_BUF);
	set_register(edu, EDU_DMA_COUNT, TRANSFER);
	set_register(edu, EDU_DMA_CMD,
		     EDU_DMA_RUN | (to_ram ? EDU_DMA_TO_RAM : 0));
}

static void wait_for(struct edu *edu)
{
	while (get_register(edu, EDU_DMA_CMD) & EDU_DMA_RUN)
		usleep(1000);
}

static __u64 address(struct edu *edu, size_t offset)
{
	struct get_pa get = {
		.size = GET_PA_SIZE,
		.ioas_id = edu->dev.ioas_id,
		.iova = edu->dev.iova + offset,
		.length = PAGE,
	};

	look_up(&edu->dev, &get);
	return get.out_phys;
}

static void do_step(struct edu *edu, enum step step, const struct buffer *buf)
{
	switch (step) {
	case OPEN:
		device_open(&edu->dev);
		break;
	case BIND:
		device_bind(&edu->dev);
		break;
	case ATTACH:
		device_attach(&edu->dev);
		break;
	case MAP:
		map(&edu->dev, buf, buf->size);
		break;
	case LOOK_UP:
		edu->phys = address(edu, 0);
		break;
	case SET_UP:
		set_up(edu);
		break;
	case START:
		start(edu, false, edu->phys);
		break;
	default:
		break;
	}
}

/* The device has what it was to fetch if it can bring it back. */
static void check_dma(struct edu *edu, const struct buffer *buf)
{
	memset(buf->va + COPY, 0, PAGE);
	start(edu, true, address(edu, COPY));
	wait_for(edu);
	if (memcmp(buf->va, buf->va + COPY, TRANSFER))
		die("the device's DMA went to the wrong place");
}

static void report_steps(const char *name, const __u64 *counts, __u64 done)
{
	__u64 sum = 0;
	enum step step;

	for (step = 0; step < STEPS; step++) {
		report(counts[step], "first_dma/%s/%s", name, step_names[step]);
		sum += counts[step];
	}
	report(sum, "first_dma/%s/started", name);
	report(done, "first_dma/%s/done", name);
}

static void run_once(const char *bdf, const char *name,
		     const struct buffer *buf)
{
	__u64 counts[STEPS], begin, begin_step, done;
	struct edu edu = {};
	enum step step;

	device_find(&edu.dev, bdf);
	begin = now();
	for (step = 0; step < STEPS; step++) {
		begin_step = now();
		do_step(&edu, step, buf);
		counts[step] = since(begin_step);
	}
	wait_for(&edu);
	done = since(begin);
	check_dma(&edu, buf);
	report_steps(name, counts, done);
	munmap((void *)edu.bar, MIB(1));
	device_close(&edu.dev);
}

static void fill(const struct buffer *buf)
{
	size_t i;

	for (i = 0; i < PAGE; i++)
		buf->va[i] = i * 7 + i / 256;
}

/* The first time, and once more when everything has been used before */
void first_dma(const char *bdf)
{
	struct buffer buf;

	buffer_alloc(&buf, SCATTERED, 2 * COPY);
	fill(&buf);
	run_once(bdf, "cold", &buf);
	run_once(bdf, "warm", &buf);
	buffer_free(&buf);
}
