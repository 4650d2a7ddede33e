/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the example programs have in common and a library should not do: to say
 * what is wrong, and what to do about it. A driver of your own can do without.
 *
 * Functions return 0, or a negative errno after they have said what went wrong.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "vfiodma.h"

enum exit_status {
	EXIT_OK,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_UNUSABLE,
	EXIT_LET_GO,
};

extern bool verbose;

int fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int refuse(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "0000:00:04.0"; domains of more than four digits exist */
#define BDF_SIZE	24

/**
 * struct device - a device that is open
 * @ctx: the context that it gets its memory from
 * @vfio: the device
 * @bdf: its address, for messages
 * @coherent: it is known that the CPU's caches hide no memory from it
 * @addresses: pages of 4 KiB that memory was allocated of
 * @runs: pieces of contiguous memory that these are to the device
 */
struct device {
	struct vfiodma_ctx *ctx;
	struct vfiodma_device *vfio;
	char bdf[BDF_SIZE];
	bool coherent;
	unsigned long addresses;
	unsigned long runs;
};

int example_parse_number(const char *text, __u64 min, __u64 max, __u64 *number);
int example_parse_bdf(const char *text, char *bdf);
int example_pci_class(const char *bdf, unsigned int *pci_class);

int example_create(struct vfiodma_ctx **ctx);
int example_open(struct device *dev, struct vfiodma_ctx *ctx, const char *bdf);
int example_check_request(struct device *dev);
int example_set_master(struct device *dev, bool on);
int example_map_bar(struct device *dev, unsigned int bar, void **regs,
		    size_t *size);
int example_enable_msix(struct device *dev, int *eventfd_out);
void example_disable_msix(struct device *dev, int eventfd);

int example_alloc(struct device *dev, size_t size, enum vfiodma_memory kind,
		  void **va);
int example_alloc_shuffled(struct device *dev, size_t size, void **va);

bool example_open_standard_files(void);
int example_close_standard_files(int status);

#endif /* EXAMPLE_H */
