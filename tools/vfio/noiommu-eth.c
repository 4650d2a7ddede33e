// SPDX-License-Identifier: GPL-2.0
/*
 * Sends Ethernet frames from one port to another, and back, by libvfiodma. Both
 * ports are in one context, and a frame stays where it is: what the second port
 * receives, it sends back from the memory that it came into.
 *
 *	e1000e.c	the port: start, send, receive, stop
 *	noiommu-eth.c	the program: frames that go round, the command line
 *	example*.c	messages
 *	dma.h		who sees what when: barriers, registers
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "e1000e.h"
#include "example.h"

#define ETHERNET_CLASS	0x0200
#define TYPE_TEST	0x88b5	/* for experiments, by IEEE 802 */
#define HEADER		14
#define MIN_FRAME	60
#define SILENCE_S	10

/* Half a ring, so that no port ever lacks room */
#define FRAMES		(RING_ENTRIES / 2)

/**
 * struct lap - frames that go round
 * @near: where they start, and come back to
 * @far: where they are sent back
 * @memory: of all frames
 * @wanted: how many are to go
 * @sent: how many have left
 * @echoed: how many were sent back
 * @back: how many have come back as they were
 * @bytes: of these
 * @since: when the last one came back
 */
struct lap {
	struct e1000e near;
	struct e1000e far;
	char *memory;
	__u64 wanted;
	unsigned long sent;
	unsigned long echoed;
	unsigned long back;
	unsigned long bytes;
	time_t since;
};

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* Each length in turn, and no two frames that are alike */
static size_t length_of(unsigned long number)
{
	return MIN_FRAME + number * 7 % (MAX_FRAME - MIN_FRAME + 1);
}

static __u8 byte_of(unsigned long number, size_t offset)
{
	return (number * 0x9e3779b1u >> 11) + offset * 31 + (offset >> 8);
}

static size_t fill(char *frame, const struct lap *lap)
{
	size_t length = length_of(lap->sent), i;

	memcpy(frame, lap->far.mac, 6);
	memcpy(frame + 6, lap->near.mac, 6);
	frame[12] = TYPE_TEST >> 8;
	frame[13] = TYPE_TEST & 0xff;
	for (i = HEADER; i < length; i++)
		frame[i] = byte_of(lap->sent, i);
	return length;
}

/* Frames come back in the order in which they were sent. */
static int check(const struct lap *lap, const char *frame, size_t length)
{
	size_t i;

	if (length != length_of(lap->back))
		return refuse(EIO, "frame %lu came back with %zu bytes, not %zu",
			      lap->back, length, length_of(lap->back));
	if (memcmp(frame, lap->near.mac, 6))
		return refuse(EIO, "frame %lu is for somebody else", lap->back);
	for (i = HEADER; i < length; i++)
		if ((__u8)frame[i] != byte_of(lap->back, i))
			return refuse(EIO, "frame %lu has a wrong byte at %zu",
				      lap->back, i);
	return 0;
}

static bool is_ours(const char *frame, size_t length)
{
	return length >= MIN_FRAME && (__u8)frame[12] == TYPE_TEST >> 8 &&
	       (__u8)frame[13] == (TYPE_TEST & 0xff);
}

/* Back to where it came from, out of the memory that it came into */
static void echo(struct lap *lap, char *frame, size_t length)
{
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, lap->far.mac, 6);
	e1000e_send(&lap->far, frame, length);
	lap->echoed++;
}

/* What has come at the far end; and what was sent there can come into again */
static void turn_far(struct lap *lap)
{
	size_t length;
	char *frame;

	while ((frame = e1000e_receive(&lap->far, &length))) {
		if (is_ours(frame, length))
			echo(lap, frame, length);
		else
			e1000e_give(&lap->far, frame);
	}
	while ((frame = e1000e_sent(&lap->far)))
		e1000e_give(&lap->far, frame);
}

static int turn_near(struct lap *lap)
{
	size_t length;
	char *frame;
	int err;

	while ((frame = e1000e_receive(&lap->near, &length))) {
		if (is_ours(frame, length)) {
			err = check(lap, frame, length);
			if (err)
				return err;
			lap->back++;
			lap->bytes += length;
			lap->since = now();
		}
		e1000e_give(&lap->near, frame);
	}
	return 0;
}

/* As many on the way as there is memory to start from */
static void send_more(struct lap *lap)
{
	char *frame;

	while (e1000e_sent(&lap->near))
		;
	while (lap->sent < lap->wanted && lap->sent - lap->back < FRAMES / 2) {
		frame = lap->memory + lap->sent % FRAMES * FRAME_ROOM;
		if (!e1000e_send(&lap->near, frame, fill(frame, lap)))
			break;
		lap->sent++;
	}
}

/* Near and far have room of their own; a third part is for what starts. */
static int prepare(struct lap *lap)
{
	void *memory;
	int err, i;

	err = example_alloc_shuffled(&lap->near.dev, 3 * FRAMES * FRAME_ROOM,
				     &memory);
	if (err)
		return err;
	lap->memory = memory;
	for (i = 0; i < FRAMES; i++) {
		e1000e_give(&lap->near, lap->memory + (FRAMES + i) * FRAME_ROOM);
		e1000e_give(&lap->far, lap->memory + (2 * FRAMES + i) * FRAME_ROOM);
	}
	err = e1000e_wait_link(&lap->near);
	return err ? err : e1000e_wait_link(&lap->far);
}

static int go_round(struct lap *lap)
{
	int err = prepare(lap);

	lap->since = now();
	while (!err && lap->back < lap->wanted) {
		send_more(lap);
		turn_far(lap);
		err = turn_near(lap);
		if (!err && now() - lap->since > SILENCE_S)
			err = refuse(ETIMEDOUT,
				     "no frame came back for %d s: %lu were sent, %lu sent back, %lu came",
				     SILENCE_S, lap->sent, lap->echoed,
				     lap->back);
		if (!err)
			err = e1000e_wait(lap->echoed < lap->sent ? &lap->far :
								    &lap->near);
	}
	return err;
}

static void report(const struct lap *lap)
{
	const __u8 *mac = lap->near.mac;

	printf("address: %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1],
	       mac[2], mac[3], mac[4], mac[5]);
	printf("frames: %lu\n", lap->back);
	printf("bytes: %lu\n", lap->bytes);
	printf("physical runs: %lu\n", lap->near.dev.runs);
}

static int run_in(struct vfiodma_ctx *ctx, struct lap *lap, char **bdfs, bool irq)
{
	int err, err2;

	if (e1000e_open(&lap->near, ctx, bdfs[0], irq))
		return EXIT_UNUSABLE;
	if (e1000e_open(&lap->far, ctx, bdfs[1], irq)) {
		e1000e_close(&lap->near);
		return EXIT_UNUSABLE;
	}
	err = go_round(lap);
	err2 = e1000e_close(&lap->far);
	err = err ? err : err2;
	err2 = e1000e_close(&lap->near);
	err = err ? err : err2;
	if (!err)
		report(lap);
	return err == -ECANCELED ? EXIT_LET_GO : err ? EXIT_FAILED : EXIT_OK;
}

static int run(struct lap *lap, char **bdfs, bool irq)
{
	struct vfiodma_ctx *ctx;
	int status;

	if (example_create(&ctx))
		return EXIT_UNUSABLE;
	status = run_in(ctx, lap, bdfs, irq);
	/* The memory of the frames is no device's any more. */
	vfiodma_ctx_destroy(ctx);
	return status;
}

static const char usage_text[] =
"Usage: noiommu-eth [OPTION]... BDF BDF\n"
"Sends frames from one Intel 82574L (QEMU's e1000e) to another, at these PCI\n"
"addresses, and back, and compares each byte. Both are bound to vfio-pci.\n"
"\n"
"  -c, --count=N  frames (1000)\n"
"  -i, --irq      wait for interrupts, by MSI-X; without, look at the rings\n"
"  -v, --verbose  say on standard error what is being done\n"
"  -h, --help     this text\n"
"\n"
"Exit status: 0 all came back, 1 something failed on the way, 2 the command line\n"
"is wrong, 3 a device can not be used like this, 4 a device was asked for.\n";

/* Both addresses, in the form that sysfs has, of devices of the right class */
static int check_devices(int count, char **words, char bdfs[][BDF_SIZE])
{
	unsigned int class;
	int i;

	if (count != 2)
		return refuse(EINVAL, "two addresses of devices are needed");
	for (i = 0; i < 2; i++) {
		if (example_parse_bdf(words[i], bdfs[i]))
			return refuse(EINVAL, "%s: not the address of a PCI device",
				      words[i]);
		if (example_pci_class(bdfs[i], &class))
			return -ENODEV;
		if (class >> 8 != ETHERNET_CLASS)
			return refuse(ENODEV, "%s: not an Ethernet controller",
				      bdfs[i]);
	}
	if (!strcmp(bdfs[0], bdfs[1]))
		return refuse(EINVAL, "%s: twice the same device", bdfs[0]);
	return 0;
}

static int program(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "irq", no_argument, NULL, 'i' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct lap lap = { .wanted = 1000 };
	char bdfs[2][BDF_SIZE];
	bool irq = false;
	int option, err;

	while ((option = getopt_long(argc, argv, "c:ivh", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 'c':
			if (example_parse_number(optarg, 1, ~0ULL,
						 &lap.wanted))
				return EXIT_USAGE;
			break;
		case 'i':
			irq = true;
			break;
		case 'v':
			verbose = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	err = check_devices(argc - optind, argv + optind, bdfs);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_UNUSABLE;
	return run(&lap, (char *[]){ bdfs[0], bdfs[1] }, irq);
}

int main(int argc, char **argv)
{
	if (!example_open_standard_files())
		return EXIT_FAILED;
	return example_close_standard_files(program(argc, argv));
}
