// SPDX-License-Identifier: GPL-2.0
/*
 * Reads or writes an NVMe disk from userspace, by libvfiodma: on a machine (or a
 * virtual one) without an IOMMU as well as on one with. It is here to be read and
 * copied from:
 *
 *	nvme-queue.c	the controller's registers and queues
 *	nvme.c		the controller: start, move blocks, stop
 *	nvme-identify.c	what the controller says of itself and its disk
 *	nvme-pipeline.c	commands in flight, and the files that data comes from or goes to
 *	noiommu-nvme.c	the program: the command line, the report
 *	example*.c	messages, and memory that is scattered on purpose
 *	dma.h		who sees what when: barriers, registers
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "example.h"
#include "nvme-pipeline.h"

static void report(const struct pipeline *line)
{
	const struct nvme_ctrl *ctrl = line->ctrl;
	FILE *file = line->file == STDOUT_FILENO ? stderr : stdout;

	fprintf(file, "model: %s\n", ctrl->model);
	fprintf(file, "serial: %s\n", ctrl->serial);
	fprintf(file, "firmware: %s\n", ctrl->firmware);
	fprintf(file, "namespace: %u\n", line->ns.id);
	fprintf(file, "namespace blocks: %llu\n",
		(unsigned long long)line->ns.blocks);
	fprintf(file, "block size: %u\n", line->ns.block_size);
	fprintf(file, "blocks: %llu\n",
		(unsigned long long)line->bytes / line->ns.block_size);
	fprintf(file, "bytes: %llu\n", (unsigned long long)line->bytes);
	fprintf(file, "commands: %llu\n", (unsigned long long)line->finished);
	fprintf(file, "addresses looked up: %lu\n", ctrl->dev->addresses);
	fprintf(file, "lookups: %lu\n", vfiodma_ctx_lookups(ctrl->dev->ctx));
	fprintf(file, "physical runs: %lu\n", ctrl->dev->runs);
}

/*
 * Tear-down goes backwards: the controller is stopped before the memory that
 * commands were using is given back, also if a command failed and others are
 * still in flight. The memory of commands goes with the context.
 */
static int move_blocks(struct device *dev, const struct options *options)
{
	struct nvme_ctrl ctrl;
	struct pipeline line = { .ctrl = &ctrl, .file = -1 };
	int err = 0, err2;

	if (options->input)
		err = pipeline_open_input(&line, options->input);
	if (!err)
		err = nvme_open(&ctrl, dev, options->irq);
	if (err)
		return err;
	err = pipeline_start(&line, options);
	if (!err)
		err = pipeline_open_output(&line, options->output);
	if (!err)
		err = pipeline_run(&line);
	err2 = nvme_close(&ctrl);
	err = err ? err : err2;
	free(line.slots);
	err2 = pipeline_close_file(&line);
	err = err ? err : err2;
	if (!err)
		report(&line);
	return err;
}

static int run(const struct options *options)
{
	struct vfiodma_ctx *ctx;
	struct device dev;
	int err;

	if (nvme_check_class(options->bdf) || example_create(&ctx))
		return EXIT_UNUSABLE;
	if (example_open(&dev, ctx, options->bdf)) {
		vfiodma_ctx_destroy(ctx);
		return EXIT_UNUSABLE;
	}
	err = move_blocks(&dev, options);
	vfiodma_device_close(dev.vfio);
	vfiodma_ctx_destroy(ctx);
	if (err == -ECANCELED)
		return EXIT_LET_GO;
	return err ? EXIT_FAILED : EXIT_OK;
}

static const char usage_text[] =
"Usage: noiommu-nvme [OPTION]... BDF\n"
"Reads blocks of the NVMe disk at PCI address BDF (as in 0000:00:04.0), which\n"
"is bound to vfio-pci, or writes them.\n"
"\n"
"  -n, --nsid=N         namespace (1)\n"
"  -s, --start=LBA      first block (0)\n"
"  -b, --blocks=N       how many blocks (all that follow the first)\n"
"  -t, --transfer=SIZE  how many bytes one command moves (as much as the controller\n"
"                       and one page of PRP list allow, at most 2 MiB)\n"
"  -d, --depth=N        commands in flight (16), as far as the queue has room\n"
"  -m, --memory=KIND    what buffers are made of: scattered, pages with an address\n"
"                       each (the default), or hugetlb, huge pages, which must\n"
"                       have been set aside (nr_hugepages)\n"
"  -p, --poll           wait for completions by looking at the queue (the\n"
"                       default)\n"
"  -i, --irq            wait for interrupts, by MSI-X\n"
"  -o, --output=FILE    write what is read to FILE; - is standard output, and\n"
"                       sends the report to standard error (no output: the data\n"
"                       is read and dropped)\n"
"  -w, --write=FILE     write FILE, whole blocks, to the disk from the first block\n"
"                       on: what was there is lost\n"
"  -y, --yes            it may be lost: without this, nothing is written\n"
"  -v, --verbose        say on standard error what is being done\n"
"  -h, --help           this text\n"
"\n"
"At the end, a report: one \"key: value\" a line.\n"
"Without an IOMMU, needs CAP_SYS_RAWIO: the device can be told to write anywhere\n"
"in memory.\n"
"\n"
"Exit status:\n"
"  0  everything was moved, and the controller shut down\n"
"  1  something failed on the way, or the controller cannot do what it takes\n"
"  2  the command line is wrong\n"
"  3  the device can not be used like this: it is not there, not NVMe, not\n"
"     bound to vfio-pci, or in use; the kernel lacks what it takes; or a\n"
"     privilege is missing\n"
"  4  the device was asked for, and let go before everything was moved\n";

static int parse_memory(const char *text, bool *huge)
{
	if (!strcmp(text, "scattered"))
		*huge = false;
	else if (!strcmp(text, "hugetlb"))
		*huge = true;
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
		return example_parse_number(value, 1, 0xfffffffe, &options->nsid);
	case 's':
		return example_parse_number(value, 0, ~0ULL, &options->start);
	case 'b':
		return example_parse_number(value, 1, ~0ULL, &options->blocks);
	case 't':
		return example_parse_number(value, 1, MAX_TRANSFER, &options->transfer);
	case 'd':
		return example_parse_number(value, 1, MAX_DEPTH, &options->depth);
	case 'm':
		return parse_memory(value, &options->huge);
	case 'i':
	case 'p':
		options->irq = option == 'i';
		return 0;
	case 'o':
		options->output = value;
		return 0;
	case 'w':
		options->input = value;
		return 0;
	case 'y':
		options->yes = true;
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
	if (example_parse_bdf(words[0], options->bdf))
		return refuse(EINVAL,
			      "%s: not the address of a PCI device, as 0000:00:04.0 is",
			      words[0]);
	return 0;
}

static int check_write(const struct options *options)
{
	if (options->yes && !options->input)
		return refuse(EINVAL, "--yes: to what? It goes with --write");
	if (!options->input)
		return 0;
	if (options->output || options->blocks)
		return refuse(EINVAL,
			      "--write: takes all of a file, and reads nothing: not with --blocks or --output");
	if (!options->yes)
		return refuse(EINVAL,
			      "--write: what is on the disk there will be lost; if it may be, say --yes");
	return 0;
}

static int usage(void)
{
	fputs("Try 'noiommu-nvme --help'.\n", stderr);
	return EXIT_USAGE;
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
		{ "write", required_argument, NULL, 'w' },
		{ "yes", no_argument, NULL, 'y' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .nsid = 1, .depth = DEFAULT_DEPTH };
	int option;

	while ((option = getopt_long(argc, argv, "n:s:b:t:d:m:ipo:w:yvh",
				     long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			return EXIT_OK;
		}
		if (parse_option(option, optarg, &options))
			return usage();
	}
	if (check_write(&options) ||
	    parse_device(argc - optind, argv + optind, &options))
		return usage();
	return run(&options);
}

int main(int argc, char **argv)
{
	/* Without standard files there is no place to say why. */
	if (!example_open_standard_files())
		return EXIT_FAILED;
	/* If nobody reads the output, write() says so, and the device is stopped. */
	signal(SIGPIPE, SIG_IGN);
	return example_close_standard_files(program(argc, argv));
}
