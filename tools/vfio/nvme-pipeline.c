// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks of a disk, moved in order with several commands in flight. The ring is
 * kept full, and the oldest command is waited for.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "example.h"
#include "nvme-pipeline.h"

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

static __u64 address(struct pipeline *line, const void *va)
{
	return vfiodma_addr(line->ctrl->dev->ctx, va);
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

static int set_transfer(struct pipeline *line, __u64 wanted)
{
	size_t most = max_transfer(line->ctrl);
	__u32 block_size = line->ns.block_size;

	if (wanted > most || wanted % block_size)
		return refuse(EINVAL,
			      "--transfer %llu: must be a multiple of the block size %u, and at most %zu",
			      (unsigned long long)wanted, block_size, most);
	if (!wanted)
		wanted = most;
	line->blocks = wanted / block_size;
	if (!line->blocks)
		return refuse(EOPNOTSUPP,
			      "a block of %u bytes is more than one command can move here (%zu)",
			      block_size, most);
	return 0;
}

/* A short range needs no more slots, nor larger ones, than it will use. */
static void trim_slots(struct pipeline *line)
{
	__u64 blocks = line->end - line->next, commands;

	if (line->blocks > blocks)
		line->blocks = blocks;
	commands = (blocks + line->blocks - 1) / line->blocks;
	if (line->depth > commands)
		line->depth = commands;
}

static int set_range(struct pipeline *line, __u64 start, __u64 blocks)
{
	__u64 left;

	if (start >= line->ns.blocks)
		return refuse(ERANGE,
			      "--start %llu: the namespace has %llu blocks",
			      (unsigned long long)start,
			      (unsigned long long)line->ns.blocks);
	left = line->ns.blocks - start;
	if (blocks > left)
		return refuse(ERANGE,
			      "--blocks %llu: from block %llu on, the namespace has %llu",
			      (unsigned long long)blocks,
			      (unsigned long long)start,
			      (unsigned long long)left);
	line->next = start;
	line->end = start + (blocks ? blocks : left);
	return 0;
}

/*
 * The list of the pages after the first. The memory stays where it is, so the
 * list is written once, for the longest command; shorter ones use less of it.
 */
static void fill_prp_list(struct pipeline *line, struct slot *slot, size_t size)
{
	size_t page_size = line->ctrl->page_size, offset;
	__le64 *list = slot->list;

	for (offset = page_size; offset < size; offset += page_size)
		*list++ = htole64(address(line, slot->data + offset));
	vfiodma_sync_for_device(line->ctrl->dev->vfio, slot->list, page_size);
}

/* It goes with the context. */
static int alloc_memory(struct pipeline *line, size_t size, bool huge,
			void **memory)
{
	struct device *dev = line->ctrl->dev;

	if (huge)
		return example_alloc(dev, size, VFIODMA_HUGE_2M, memory);
	return example_alloc_shuffled(dev, size, memory);
}

static int alloc_slots(struct pipeline *line, bool huge)
{
	size_t page_size = line->ctrl->page_size;
	size_t size = (size_t)line->blocks * line->ns.block_size;
	size_t stride = round_up(size, page_size);
	void *memory;
	unsigned int i;
	int err;

	line->slots = calloc(line->depth, sizeof(*line->slots));
	if (!line->slots)
		return fail(errno, "calloc");
	err = alloc_memory(line, line->depth * (page_size + stride), huge,
			   &memory);
	if (err)
		return err;
	for (i = 0; i < line->depth; i++) {
		line->slots[i].list = memory + i * page_size;
		line->slots[i].data = memory + line->depth * page_size +
					i * stride;
		fill_prp_list(line, &line->slots[i], size);
	}
	return 0;
}

/* The file was a regular one, of this size, a moment ago. */
static int fill_slot(struct pipeline *line, struct slot *slot)
{
	ssize_t got = read(line->file, slot->data, slot->bytes);

	if (got < 0)
		return fail(errno, "read of the input");
	if ((size_t)got != slot->bytes)
		return refuse(EIO, "the input has become shorter");
	return 0;
}

static int submit_next(struct pipeline *line)
{
	unsigned int cid = line->submitted % line->depth;
	struct slot *slot = &line->slots[cid];
	size_t page_size = line->ctrl->page_size;
	__u32 blocks = line->blocks;
	__u64 prp2 = 0;
	int err;

	if (blocks > line->end - line->next)
		blocks = line->end - line->next;
	slot->bytes = (size_t)blocks * line->ns.block_size;
	slot->lba = line->next;
	slot->done = false;
	err = line->writes ? fill_slot(line, slot) : 0;
	if (err)
		return err;

	vfiodma_sync_for_device(line->ctrl->dev->vfio, slot->data, slot->bytes);
	if (slot->bytes > 2 * page_size)
		prp2 = address(line, slot->list);
	else if (slot->bytes > page_size)
		prp2 = address(line, slot->data + page_size);
	nvme_submit(line->ctrl, &line->ns,
		    line->writes ? NVME_CMD_WRITE : NVME_CMD_READ, cid,
		    line->next, blocks, address(line, slot->data), prp2);
	line->next += blocks;
	line->submitted++;
	return 0;
}

/* Commands complete in any order: note which one it was. */
static int wait_one(struct pipeline *line)
{
	struct nvme_completion done;
	char what[64];
	unsigned int cid;
	int err;

	err = nvme_wait_io(line->ctrl, &done);
	if (err)
		return err;
	cid = le16toh(done.cid);
	if (cid >= line->depth || line->slots[cid].done)
		return refuse(EIO, "a command %u completed that was not sent",
			      cid);
	snprintf(what, sizeof(what), "%s of %zu bytes at block %llu",
		 line->writes ? "Write" : "Read",
		 line->slots[cid].bytes,
		 (unsigned long long)line->slots[cid].lba);
	line->slots[cid].done = true;
	vfiodma_sync_for_cpu(line->ctrl->dev->vfio, line->slots[cid].data,
			     line->slots[cid].bytes);
	return nvme_status(what, &done);
}

/*
 * Whoever takes the data may be slow, and the device be asked for meanwhile. A
 * pipe that poll() says is writable takes PIPE_BUF bytes without waiting.
 */
static int write_all(struct pipeline *line, const char *data, size_t size)
{
	struct pollfd ready[] = {
		{ .fd = line->file, .events = POLLOUT },
		{
			.fd = vfiodma_device_request_fd(line->ctrl->dev->vfio),
			.events = POLLIN,
		},
	};
	ssize_t written;

	while (size) {
		if (poll(ready, 2, -1) < 0)
			return fail(errno, "wait to write the output");
		if (ready[1].revents)
			return example_check_request(line->ctrl->dev);
		written = write(line->file, data,
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

/* What was written is to last when the power goes. */
static int flush(struct pipeline *line)
{
	struct nvme_completion done;
	int err;

	nvme_submit(line->ctrl, &line->ns, NVME_CMD_FLUSH, 0, 0, 0, 0, 0);
	err = nvme_wait_io(line->ctrl, &done);
	return err ? err : nvme_status("Flush", &done);
}

/* The oldest command is the next to be written out. */
static int finish_oldest(struct pipeline *line)
{
	struct slot *oldest = &line->slots[line->finished % line->depth];
	int err;

	err = example_check_request(line->ctrl->dev);
	while (!err && !oldest->done)
		err = wait_one(line);
	if (!err && !line->writes && line->file >= 0)
		err = write_all(line, oldest->data, oldest->bytes);
	if (err)
		return err;
	line->bytes += oldest->bytes;
	line->finished++;
	return 0;
}

int pipeline_run(struct pipeline *line)
{
	int err = 0;

	while (!err && (line->next < line->end ||
			line->finished < line->submitted)) {
		while (!err && line->next < line->end &&
		       line->submitted - line->finished < line->depth)
			err = submit_next(line);
		if (!err)
			err = finish_oldest(line);
	}
	if (!err && line->writes)
		err = flush(line);
	return err;
}

/* Not before the disk can be read: until then, a file keeps what it has. */
int pipeline_open_output(struct pipeline *line, const char *output)
{
	if (!output || line->writes)
		return 0;
	if (!strcmp(output, "-"))
		line->file = STDOUT_FILENO;
	else
		line->file = open(output,
				  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				  0666);
	return line->file < 0 ? fail(errno, "open %s", output) : 0;
}

/* Whole blocks of a file, whose size is known */
int pipeline_open_input(struct pipeline *line, const char *input)
{
	struct stat stat;

	line->file = open(input, O_RDONLY | O_CLOEXEC);
	if (line->file < 0 || fstat(line->file, &stat))
		return fail(errno, "open %s", input);
	if (!S_ISREG(stat.st_mode) || !stat.st_size)
		return refuse(EINVAL, "%s: not a regular file with something in it",
			      input);
	line->bytes = stat.st_size;
	line->writes = true;
	return 0;
}

/* Some file systems find out only now that there is no room. */
int pipeline_close_file(struct pipeline *line)
{
	if (line->file > STDERR_FILENO && close(line->file))
		return fail(errno, "close the file");
	return 0;
}

/* How much that is goes by the input, if there is one */
static int set_input_range(struct pipeline *line, __u64 start)
{
	__u64 bytes = line->bytes;

	line->bytes = 0;
	if (bytes % line->ns.block_size)
		return refuse(EINVAL,
			      "the input has %llu bytes, which are no whole blocks of %u",
			      (unsigned long long)bytes, line->ns.block_size);
	return set_range(line, start, bytes / line->ns.block_size);
}

int pipeline_start(struct pipeline *line, const struct options *options)
{
	int err;

	err = nvme_identify_namespace(line->ctrl, options->nsid,
				      &line->ns);
	if (!err && line->writes)
		err = set_input_range(line, options->start);
	else if (!err)
		err = set_range(line, options->start, options->blocks);
	if (!err)
		err = set_transfer(line, options->transfer);
	if (!err)
		err = nvme_create_io_queues(line->ctrl, options->depth);
	if (err)
		return err;
	line->depth = line->ctrl->io.entries - 1;
	trim_slots(line);
	return alloc_slots(line, options->huge);
}
