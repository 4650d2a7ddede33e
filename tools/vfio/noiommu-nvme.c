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
#include <limits.h>
#include <poll.h>
#include <signal.h>
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
	EXIT_LET_GO,
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
	__u64 nsid;
	__u64 start;
	__u64 blocks;
	__u64 transfer;
	__u64 depth;
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

/*
 * Whoever takes the data may be slow, and the device be asked for meanwhile. A
 * pipe that poll() says is writable takes PIPE_BUF bytes without waiting.
 */
static int write_all(struct reader *reader, const char *data, size_t size)
{
	struct pollfd ready[] = {
		{ .fd = reader->out, .events = POLLOUT },
		{ .fd = reader->ctrl->dev->request, .events = POLLIN },
	};
	ssize_t written;

	while (size) {
		if (poll(ready, 2, -1) < 0)
			return fail(errno, "wait to write the output");
		if (ready[1].revents)
			return noiommu_check_request(reader->ctrl->dev);
		written = write(reader->out, data,
				size < PIPE_BUF ? size : PIPE_BUF);
		if (written < 0 && (errno == EINTR || errno == EAGAIN))
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
	int err;

	while (reader->next < reader->end ||
	       reader->finished < reader->submitted) {
		while (reader->next < reader->end &&
		       reader->submitted - reader->finished < reader->depth)
			reader_submit(reader);
		oldest = &reader->slots[reader->finished % reader->depth];
		err = noiommu_check_request(reader->ctrl->dev);
		while (!err && !oldest->done)
			err = reader_wait(reader);
		if (!err && reader->out >= 0)
			err = write_all(reader,
					reader->memory.va + oldest->data,
					oldest->bytes);
		if (err)
			return err;
		reader->bytes += oldest->bytes;
		reader->finished++;
	}
	return 0;
}

/* Not before the disk can be read: until then, a file keeps what it has. */
static int open_output(struct reader *reader, const char *output)
{
	if (!output)
		return 0;
	if (!strcmp(output, "-"))
		reader->out = STDOUT_FILENO;
	else
		reader->out = open(output,
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				   0666);
	return reader->out < 0 ? fail(errno, "open %s", output) : 0;
}

/* Some file systems find out only now that there is no room. */
static int close_output(struct reader *reader)
{
	if (reader->out > STDERR_FILENO && close(reader->out))
		return fail(errno, "close the output");
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

static void report(const struct reader *reader)
{
	const struct nvme_ctrl *ctrl = reader->ctrl;
	FILE *file = reader->out == STDOUT_FILENO ? stderr : stdout;

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
static int read_disk(struct noiommu_device *dev, const struct options *options)
{
	struct nvme_ctrl ctrl;
	struct reader reader = { .ctrl = &ctrl, .out = -1 };
	int err, err2;

	err = nvme_open(&ctrl, dev, options->irq);
	if (err)
		return err;
	err = reader_start(&reader, options);
	if (!err)
		err = open_output(&reader, options->output);
	if (!err)
		err = reader_run(&reader);
	err2 = nvme_close(&ctrl);
	err = err ? err : err2;
	dma_memory_free(dev, &reader.memory);
	free(reader.slots);
	err2 = close_output(&reader);
	err = err ? err : err2;
	if (!err)
		report(&reader);
	return err;
}

static int run(const struct options *options)
{
	struct noiommu_device dev;
	int err;

	if (nvme_check_class(options->bdf) ||
	    noiommu_open(&dev, options->bdf))
		return EXIT_UNUSABLE;
	err = read_disk(&dev, options);
	noiommu_close(&dev);
	if (err == -ECANCELED)
		return EXIT_LET_GO;
	return err ? EXIT_FAILED : EXIT_OK;
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
"     takes; or a privilege is missing\n"
"  4  the device was asked for, and let go before everything was read\n";

static int parse_number(const char *text, __u64 min, __u64 max, __u64 *number)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	/* It takes "-1" for a very large number. */
	if (*text < '0' || *text > '9' || errno || *end || value < min ||
	    value > max)
		return refuse(EINVAL, "%s: not a number from %llu to %llu",
			      text, (unsigned long long)min,
			      (unsigned long long)max);
	*number = value;
	return 0;
}

static int parse_memory(const char *text, enum dma_kind *kind)
{
	if (!strcmp(text, "scattered"))
		*kind = DMA_SCATTERED;
	else if (!strcmp(text, "hugetlb"))
		*kind = DMA_HUGETLB;
	else
		return refuse(EINVAL, "%s: neither scattered nor hugetlb",
			      text);
	return 0;
}

/* getopt_long() has said what was wrong with an option that is not here. */
static int parse_option(int option, const char *value, struct options *options)
{
	switch (option) {
	case 'n':
		return parse_number(value, 1, 0xfffffffe, &options->nsid);
	case 's':
		return parse_number(value, 0, ~0ULL, &options->start);
	case 'b':
		return parse_number(value, 1, ~0ULL, &options->blocks);
	case 't':
		return parse_number(value, 1, MAX_TRANSFER, &options->transfer);
	case 'd':
		return parse_number(value, 1, MAX_DEPTH, &options->depth);
	case 'm':
		return parse_memory(value, &options->memory);
	case 'i':
	case 'p':
		options->irq = option == 'i';
		return 0;
	case 'o':
		options->output = value;
		return 0;
	case 'v':
		verbose = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_device(int count, char **words, struct options *options)
{
	if (!count)
		return refuse(EINVAL,
			      "no address of a device: one is needed, as in 0000:00:04.0");
	if (count > 1)
		return refuse(EINVAL,
			      "%s: more than one device: start the program once for each",
			      words[1]);
	if (noiommu_parse_bdf(words[0], options->bdf))
		return refuse(EINVAL,
			      "%s: not the address of a PCI device, as 0000:00:04.0 is",
			      words[0]);
	return 0;
}

static int usage(void)
{
	fputs("Try 'noiommu-nvme --help'.\n", stderr);
	return EXIT_USAGE;
}

/*
 * A file that is opened gets the lowest free number. If that was the standard
 * output's, what is printed would go to the file: to the device, that is. Without
 * standard error, messages are dropped; to write to standard output that is not
 * there stays an error.
 */
static bool open_standard_files(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null",
			 fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY) != fd)
			return false;
	return true;
}

/* What could not be printed must not look like success. */
static int close_standard_files(int status)
{
	bool lost = ferror(stdout) || ferror(stderr);

	errno = 0;
	if (!fclose(stdout) && !lost)
		return status;
	fail(errno ? errno : EIO, "write what was to be printed");
	return status == EXIT_OK ? EXIT_FAILED : status;
}

static int program(int argc, char **argv)
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
		if (parse_option(option, optarg, &options))
			return usage();
	}
	if (parse_device(argc - optind, argv + optind, &options))
		return usage();
	return run(&options);
}

int main(int argc, char **argv)
{
	/* Without standard files there is no place to say why. */
	if (!open_standard_files())
		return EXIT_FAILED;
	/* If nobody reads the output, write() says so, and the device is stopped. */
	signal(SIGPIPE, SIG_IGN);
	return close_standard_files(program(argc, argv));
}
