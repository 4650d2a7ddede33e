/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_VFIO_FUZZ_MEMORY_H
#define TESTS_VFIO_FUZZ_MEMORY_H

/*
 * The memory that the fuzzer maps: a stretch of the address space with memory of
 * several kinds and with holes in it, and files.
 */

#include <stdbool.h>

#include <linux/types.h>

enum page_access {
	PAGE_NONE,
	PAGE_READ,
	PAGE_WRITE,
};

/* Twice the size of a huge page, which is in the second half, and a last hole */
#define MEM_PAGES	1280
#define MEM_HUGE	512
#define MEM_HUGE_END	1024

struct fuzz_file {
	int fd;
	/* Or 0 if it is not memory that could be mapped */
	u64 size;
	char *vaddr;
};

enum {
	FILE_MEMFD,
	FILE_MEMFD_HUGE,
	FILE_NULL,
	FILE_CLOSED,
	FILE_NEGATIVE,
	NR_FUZZ_FILES,
};

struct fuzz_mem {
	char *vaddr;
	enum page_access access[MEM_PAGES];
	struct fuzz_file files[NR_FUZZ_FILES];
	u64 max_align;
};

extern struct fuzz_mem fuzz_mem;

/* The source of a mapping: user memory, or a file, where address is an offset */
struct source {
	const struct fuzz_file *file;
	u64 address;
	bool writable;
};

/* Address space without access */
char *mem_reserve(u64 size, u64 align);
u64 mem_max_align(void);
int source_pin(const struct source *src, u64 length);
void source_phys(const struct source *src, u64 length, u64 *phys);
void mem_init(void);

#endif /* TESTS_VFIO_FUZZ_MEMORY_H */
