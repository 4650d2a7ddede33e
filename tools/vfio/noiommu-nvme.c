// SPDX-License-Identifier: GPL-2.0
/*
 * Reads an NVMe disk from userspace, on a machine (or a virtual one) without an
 * IOMMU, through vfio's noiommu cdev and iommufd. It is here to be copied from:
 *
 *	noiommu.c	the device: open, bind, attach, configure, interrupts
 *	dma.c		memory: map, look up physical addresses
 *	nvme-queue.c	the controller's registers and queues
 *	nvme.c		the controller: start, identify, read, stop
 *	noiommu-nvme.c	the program: a pipeline of reads, the command line
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "noiommu.h"
#include "nvme.h"

enum exit_status {
	EXIT_OK,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_UNUSABLE,
};

#define DEFAULT_DEPTH	16
#define MAX_DEPTH	4095

/* A limit of ours: more does not make a disk faster, but pins more memory. */
#define MAX_TRANSFER	(2u << 20)

/**
 * struct options - the command line
 * @bdf: which device
 * @nsid: which namespace of it
 * @start: the first block
 * @blocks: how many; 0: all from @start
 * @transfer: bytes that one command reads; 0: as many as possible
 * @depth: commands in flight
 * @memory: where the data goes
 * @irq: wait for interrupts instead of polling
 * @output: file that the data is written to; NULL: none
 */
struct options {
	char bdf[BDF_SIZE];
	__u32 nsid;
	__u64 start;
	__u64 blocks;
	__u64 transfer;
	unsigned int depth;
	enum dma_kind memory;
	bool irq;
	const char *output;
};

/**
 * struct slot - a command in flight, and the memory that belongs to it
 * @list: offset of its PRP list, one page of the controller's
 * @data: offset of its data
 * @bytes: how much of the data is asked for
 * @lba: the first block asked for
 * @done: the data is there
 */
struct slot {
	size_t list;
	size_t data;
	size_t bytes;
	__u64 lba;
	bool done;
};

/**
 * struct reader - reads blocks in order, with several commands in flight
 * @ctrl: the controller to read from
 * @ns: the namespace
 * @memory: PRP lists and data of all slots
 * @slots: a ring: command n uses slot n % @depth, whose index is its command
 *	   identifier
 * @depth: slots in the ring
 * @blocks: how many blocks one command reads
 * @next: the block to ask for next
 * @end: the first block not to ask for
 * @submitted: commands so far
 * @finished: commands whose data has been written
 * @bytes: of data
 * @out: where the data is written; -1: nowhere
 */
struct reader {
	struct nvme_ctrl *ctrl;
	struct nvme_namespace ns;
	struct dma_memory memory;
	struct slot *slots;
	unsigned int depth;
	__u32 blocks;
	__u64 next;
	__u64 end;
	__u64 submitted;
	__u64 finished;
	__u64 bytes;
	int out;
};

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

/* PRP1 has the first page of a command, one page of a list all others. */
static size_t max_transfer(struct nvme_ctrl *ctrl)
{
	size_t most = ctrl->page_size * (ctrl->page_size / sizeof(__le64));

	if (most > MAX_TRANSFER)
		most = MAX_TRANSFER;
	if (ctrl->max_transfer && most > ctrl->max_transfer)
		most = ctrl->max_transfer;
	return most;
}

static int set_transfer(struct reader *reader, __u64 wanted)
{
	size_t most = max_transfer(reader->ctrl);
	__u32 block_size = reader->ns.block_size;

	if (wanted > most || wanted % block_size)
		return refuse(EINVAL,
			      "--transfer %llu: must be a multiple of the block size %u, and at most %zu",
			      (unsigned long long)wanted, block_size, most);
	if (!wanted)
		wanted = most;
	reader->blocks = wanted / block_size;
	if (!reader->blocks)
		return refuse(EOPNOTSUPP,
			      "a block of %u bytes is more than one command can read here (%zu)",
			      block_size, most);
	return 0;
}

/* A short read needs no more slots, nor larger ones, than it will use. */
static void trim_slots(struct reader *reader)
{
	__u64 blocks = reader->end - reader->next, commands;

	if (reader->blocks > blocks)
		reader->blocks = blocks;
	commands = (blocks + reader->blocks - 1) / reader->blocks;
	if (reader->depth > commands)
		reader->depth = commands;
}

static int set_range(struct reader *reader, __u64 start, __u64 blocks)
{
	__u64 left;

	if (start >= reader->ns.blocks)
		return refuse(ERANGE,
			      "--start %llu: the namespace has %llu blocks",
			      (unsigned long long)start,
			      (unsigned long long)reader->ns.blocks);
	left = reader->ns.blocks - start;
	if (blocks > left)
		return refuse(ERANGE,
			      "--blocks %llu: from block %llu on, the namespace has %llu",
			      (unsigned long long)blocks,
			      (unsigned long long)start,
			      (unsigned long long)left);
	reader->next = start;
	reader->end = start + (blocks ? blocks : left);
	return 0;
}

/*
 * The list of the pages after the first. The memory stays where it is, so the
 * list is written once, for the longest command; shorter ones use less of it.
 */
static void fill_prp_list(struct reader *reader, struct slot *slot, size_t size)
{
	__le64 *list = (__le64 *)(reader->memory.va + slot->list);
	size_t page_size = reader->ctrl->page_size, offset;

	for (offset = page_size; offset < size; offset += page_size)
		*list++ = htole64(dma_address(&reader->memory,
					      slot->data + offset));
}

static int alloc_slots(struct reader *reader, enum dma_kind kind)
{
	size_t page_size = reader->ctrl->page_size;
	size_t size = (size_t)reader->blocks * reader->ns.block_size;
	size_t stride = round_up(size, page_size);
	unsigned int i;
	int err;

	reader->slots = calloc(reader->depth, sizeof(*reader->slots));
	if (!reader->slots)
		return fail(errno, "calloc");
	err = dma_memory_alloc(reader->ctrl->dev, &reader->memory,
			       reader->depth * (page_size + stride), kind);
	if (err)
		return err;
	for (i = 0; i < reader->depth; i++) {
		reader->slots[i].list = i * page_size;
		reader->slots[i].data = reader->depth * page_size + i * stride;
		fill_prp_list(reader, &reader->slots[i], size);
	}
	return 0;
}

static void reader_submit(struct reader *reader)
{
	unsigned int cid = reader->submitted % reader->depth;
	struct slot *slot = &reader->slots[cid];
	size_t page_size = reader->ctrl->page_size;
	__u32 blocks = reader->blocks;
	__u64 prp2 = 0;

	if (blocks > reader->end - reader->next)
		blocks = reader->end - reader->next;
	slot->bytes = (size_t)blocks * reader->ns.block_size;
	slot->lba = reader->next;
	slot->done = false;

	if (slot->bytes > 2 * page_size)
		prp2 = dma_address(&reader->memory, slot->list);
	else if (slot->bytes > page_size)
		prp2 = dma_address(&reader->memory, slot->data + page_size);
	nvme_submit_read(reader->ctrl, &reader->ns, cid, reader->next, blocks,
			 dma_address(&reader->memory, slot->data), prp2);
	reader->next += blocks;
	reader->submitted++;
}

/* Commands complete in any order: note which one it was. */
static int reader_wait(struct reader *reader)
{
	struct nvme_completion done;
	char what[64];
	unsigned int cid;
	int err;

	err = nvme_wait_io(reader->ctrl, &done);
	if (err)
		return err;
	cid = le16toh(done.cid);
	if (cid >= reader->depth || reader->slots[cid].done)
		return refuse(EIO, "a command %u completed that was not sent",
			      cid);
	snprintf(what, sizeof(what), "Read of %zu bytes at block %llu",
		 reader->slots[cid].bytes,
		 (unsigned long long)reader->slots[cid].lba);
	reader->slots[cid].done = true;
	return nvme_status(what, &done);
}

static int write_all(int fd, const char *data, size_t size)
{
	ssize_t written;

	while (size) {
		written = write(fd, data, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return fail(errno, "write of the output");
		data += written;
		size -= written;
	}
	return 0;
}

/* Keeps the ring full; the oldest command is the next to be written out. */
static int reader_run(struct reader *reader)
{
	struct slot *oldest;
	int err = 0;

	while (reader->next < reader->end ||
	       reader->finished < reader->submitted) {
		while (reader->next < reader->end &&
		       reader->submitted - reader->finished < reader->depth)
			reader_submit(reader);
		oldest = &reader->slots[reader->finished % reader->depth];
		while (!err && !oldest->done)
			err = reader_wait(reader);
		if (!err && reader->out >= 0)
			err = write_all(reader->out,
					reader->memory.va + oldest->data,
					oldest->bytes);
		if (err)
			return err;
		reader->bytes += oldest->bytes;
		reader->finished++;
	}
	return 0;
}

static int reader_start(struct reader *reader, const struct options *options)
{
	int err;

	err = nvme_identify_namespace(reader->ctrl, options->nsid,
				      &reader->ns);
	if (!err)
		err = set_range(reader, options->start, options->blocks);
	if (!err)
		err = set_transfer(reader, options->transfer);
	if (!err)
		err = nvme_create_io_queues(reader->ctrl, options->depth);
	if (err)
		return err;
	reader->depth = reader->ctrl->io.entries - 1;
	trim_slots(reader);
	return alloc_slots(reader, options->memory);
}

static void report(const struct reader *reader, FILE *file)
{
	const struct nvme_ctrl *ctrl = reader->ctrl;

	fprintf(file, "model: %s\n", ctrl->model);
	fprintf(file, "serial: %s\n", ctrl->serial);
	fprintf(file, "firmware: %s\n", ctrl->firmware);
	fprintf(file, "namespace: %u\n", reader->ns.id);
	fprintf(file, "namespace blocks: %llu\n",
		(unsigned long long)reader->ns.blocks);
	fprintf(file, "block size: %u\n", reader->ns.block_size);
	fprintf(file, "blocks: %llu\n",
		(unsigned long long)reader->bytes / reader->ns.block_size);
	fprintf(file, "bytes: %llu\n", (unsigned long long)reader->bytes);
	fprintf(file, "commands: %llu\n", (unsigned long long)reader->finished);
	fprintf(file, "addresses looked up: %lu\n", ctrl->dev->addresses);
	fprintf(file, "lookups: %lu\n", ctrl->dev->lookups);
	fprintf(file, "physical runs: %lu\n", ctrl->dev->runs);
}

/*
 * Tear-down goes backwards: the controller is stopped before the memory that
 * commands were reading into is given back, also if a command failed and
 * others are still in flight.
 */
static int read_disk(struct noiommu_device *dev, const struct options *options,
		     int out, FILE *text)
{
	struct nvme_ctrl ctrl;
	struct reader reader = { .ctrl = &ctrl, .out = out };
	int err, err2;

	err = nvme_open(&ctrl, dev, options->irq);
	if (err)
		return err;
	err = reader_start(&reader, options);
	if (!err)
		err = reader_run(&reader);
	err2 = nvme_close(&ctrl);
	err = err ? err : err2;
	dma_memory_free(dev, &reader.memory);
	free(reader.slots);
	if (!err)
		report(&reader, text);
	return err;
}

static int run(const struct options *options, int out, FILE *text)
{
	struct noiommu_device dev;
	int err;

	if (nvme_check_class(options->bdf) ||
	    noiommu_open(&dev, options->bdf))
		return EXIT_UNUSABLE;
	err = read_disk(&dev, options, out, text);
	noiommu_close(&dev);
	return err ? EXIT_FAILED : EXIT_OK;
}

/* The output is opened before the device is touched, and is whole or failed. */
static int run_with_output(const struct options *options)
{
	int out = -1, status;

	if (!options->output)
		return run(options, out, stdout);
	if (!strcmp(options->output, "-"))
		return run(options, STDOUT_FILENO, stderr);

	out = open(options->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		   0666);
	if (out < 0) {
		fail(errno, "open %s", options->output);
		return EXIT_FAILED;
	}
	status = run(options, out, stdout);
	if (close(out) && status == EXIT_OK) {
		fail(errno, "close %s", options->output);
		status = EXIT_FAILED;
	}
	return status;
}

static const char usage_text[] =
"Usage: noiommu-nvme [OPTION]... BDF\n"
"Reads blocks of the NVMe disk at PCI address BDF (as in 0000:00:04.0), which\n"
"is bound to vfio-pci and has no IOMMU.\n"
"\n"
"  -n, --nsid=N         namespace (1)\n"
"  -s, --start=LBA      first block to read (0)\n"
"  -b, --blocks=N       how many blocks (all that follow the first)\n"
"  -t, --transfer=BYTES how much one command reads (as much as the controller\n"
"                       and one page of PRP list allow, at most 2 MiB)\n"
"  -d, --depth=N        commands in flight (16), as far as the queue has room\n"
"  -m, --memory=KIND    read into: scattered  pages with an address each (the\n"
"                                             default)\n"
"                                  hugetlb    huge pages, which must have been\n"
"                                             set aside (nr_hugepages)\n"
"  -p, --poll           wait for completions by looking at the queue (the\n"
"                       default)\n"
"  -i, --irq            wait for interrupts, by MSI-X\n"
"  -o, --output=FILE    write what is read to FILE; - is standard output, and\n"
"                       sends the report to standard error (no output: the data\n"
"                       is read and dropped)\n"
"  -v, --verbose        say on standard error what is being done\n"
"  -h, --help           this text\n"
"\n"
"At the end, a report: one \"key: value\" a line.\n"
"Needs CAP_SYS_RAWIO: the device can be told to write anywhere in memory.\n"
"\n"
"Exit status:\n"
"  0  everything was read, and the controller shut down\n"
"  1  something failed on the way\n"
"  2  the command line is wrong\n"
"  3  the device can not be used like this: it is not there, not NVMe, not\n"
"     bound to vfio-pci, behind an IOMMU, or in use; the kernel lacks what it\n"
"     takes; or a privilege is missing\n";

static int usage(const char *value, const char *problem)
{
	fprintf(stderr, "noiommu-nvme: %s: %s\n", value, problem);
	fputs("Try 'noiommu-nvme --help'.\n", stderr);
	return EXIT_USAGE;
}

static bool parse_number(const char *text, __u64 min, __u64 max, __u64 *number)
{
	unsigned long long value;
	char *end;

	/* strtoull() would take "-1" for a very large number. */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || value < min || value > max)
		return false;
	*number = value;
	return true;
}

static bool parse_memory(const char *text, enum dma_kind *kind)
{
	if (!strcmp(text, "scattered"))
		*kind = DMA_SCATTERED;
	else if (!strcmp(text, "hugetlb"))
		*kind = DMA_HUGETLB;
	else
		return false;
	return true;
}

/* One option; false: its value makes no sense. */
static bool parse_option(int option, const char *value, struct options *options)
{
	__u64 number;

	switch (option) {
	case 'n':
		if (!parse_number(value, 1, 0xfffffffe, &number))
			return false;
		options->nsid = number;
		return true;
	case 's':
		return parse_number(value, 0, ~0ULL, &options->start);
	case 'b':
		return parse_number(value, 1, ~0ULL, &options->blocks);
	case 't':
		return parse_number(value, 1, MAX_TRANSFER, &options->transfer);
	case 'd':
		if (!parse_number(value, 1, MAX_DEPTH, &number))
			return false;
		options->depth = number;
		return true;
	case 'm':
		return parse_memory(value, &options->memory);
	case 'i':
	case 'p':
		options->irq = option == 'i';
		return true;
	case 'o':
		options->output = value;
		return true;
	case 'v':
		verbose = true;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "nsid", required_argument, NULL, 'n' },
		{ "start", required_argument, NULL, 's' },
		{ "blocks", required_argument, NULL, 'b' },
		{ "transfer", required_argument, NULL, 't' },
		{ "depth", required_argument, NULL, 'd' },
		{ "memory", required_argument, NULL, 'm' },
		{ "irq", no_argument, NULL, 'i' },
		{ "poll", no_argument, NULL, 'p' },
		{ "output", required_argument, NULL, 'o' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .nsid = 1, .depth = DEFAULT_DEPTH };
	int option;

	while ((option = getopt_long(argc, argv, "n:s:b:t:d:m:ipo:vh",
				     long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			return EXIT_OK;
		}
		/* getopt_long() has said what was wrong with it. */
		if (option == '?')
			return EXIT_USAGE;
		if (!parse_option(option, optarg, &options))
			return usage(optarg, "not a value for this option");
	}
	if (optind != argc - 1)
		return usage("BDF", "one is needed, as in 0000:00:04.0");
	if (noiommu_parse_bdf(argv[optind], options.bdf))
		return usage(argv[optind],
			     "not the address of a PCI device, as 0000:00:04.0 is");
	return run_with_output(&options);
}
