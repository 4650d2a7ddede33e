/* SPDX-License-Identifier: GPL-2.0 */
/* Blocks of a disk, moved in order with several commands in flight */
#ifndef NVME_PIPELINE_H
#define NVME_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "example.h"
#include "nvme.h"

#define DEFAULT_DEPTH	16
#define MAX_DEPTH	4095

/* A limit of ours: more does not make a disk faster, but pins more memory. */
#define MAX_TRANSFER	(2u << 20)

/**
 * struct options - what to move
 * @bdf: which device
 * @nsid: which namespace of it
 * @start: the first block
 * @blocks: how many; 0: all from @start
 * @transfer: bytes that one command moves; 0: as many as possible
 * @depth: commands in flight
 * @huge: use huge pages, not ones that are scattered
 * @irq: wait for interrupts instead of polling
 * @output: file that the data is written to; NULL: none
 * @input: file that is written to the disk; NULL: the disk is read
 * @yes: what is there may be overwritten
 */
struct options {
	char bdf[BDF_SIZE];
	__u64 nsid;
	__u64 start;
	__u64 blocks;
	__u64 transfer;
	__u64 depth;
	bool huge;
	bool irq;
	const char *output;
	const char *input;
	bool yes;
};

/**
 * struct slot - a command in flight, and the memory that belongs to it
 * @list: its PRP list, one page of the controller's
 * @data: its data
 * @bytes: how much of the data is asked for
 * @lba: the first block asked for
 * @done: the command has completed
 */
struct slot {
	__le64 *list;
	char *data;
	size_t bytes;
	__u64 lba;
	bool done;
};

/**
 * struct pipeline - moves blocks in order, with several commands in flight
 * @ctrl: the controller
 * @ns: the namespace
 * @slots: a ring: command n uses slot n % @depth, whose index is its command
 *	   identifier
 * @depth: slots in the ring
 * @blocks: how many blocks one command moves
 * @next: the block to ask for next
 * @end: the first block not to ask for
 * @submitted: commands so far
 * @finished: commands whose data has been moved
 * @bytes: of data
 * @file: where the data is written, or comes from; -1: nowhere
 * @writes: the disk is written, and not read
 */
struct pipeline {
	struct nvme_ctrl *ctrl;
	struct nvme_namespace ns;
	struct slot *slots;
	unsigned int depth;
	__u32 blocks;
	__u64 next;
	__u64 end;
	__u64 submitted;
	__u64 finished;
	__u64 bytes;
	int file;
	bool writes;
};

int pipeline_open_input(struct pipeline *line, const char *input);
int pipeline_start(struct pipeline *line, const struct options *options);
int pipeline_open_output(struct pipeline *line, const char *output);
int pipeline_run(struct pipeline *line);
int pipeline_close_file(struct pipeline *line);

#endif /* NVME_PIPELINE_H */
