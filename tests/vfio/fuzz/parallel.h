/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_VFIO_FUZZ_PARALLEL_H
#define TESTS_VFIO_FUZZ_PARALLEL_H

/*
 * Threads that do random operations on files that they share, close them under
 * each other, take the memory away that another one maps, and fork processes
 * which do the same with what they inherit, until they are killed. Nobody can
 * tell what an operation has to return, but it is one of the errors that make
 * sense, and an address that is given out is one of memory that is the test's.
 */

#include <pthread.h>
#include <stdbool.h>

#include <linux/iommufd.h>
#include <linux/types.h>

#include "random.h"

#define PARALLEL_THREADS	4
#define PARALLEL_IOMMUFDS	2
#define PARALLEL_DEVICES	2
#define PARALLEL_FILES		(PARALLEL_IOMMUFDS + 2 * PARALLEL_DEVICES)
#define PARALLEL_PAGES		256
#define PARALLEL_EXTENTS	300
/* Half of what iommufd gives others to let go of an object */
#define PARALLEL_STALL_SECONDS	30
/* Objects that get a higher one are destroyed by who made them */
#define PARALLEL_MAX_ID		16

/* What processes that are killed have in common with who kills them */
struct parallel_shared {
	bool stop;
	bool failed;
	char failure[256];
	u64 ops;
	u64 lookups;
};

struct parallel {
	struct parallel_shared *shared;

	/* Of a file, so that a child has the same and a copy never gets made */
	int memfd;
	char *vaddr;
	/* The same memory, which stays */
	char *mirror;
	/* Their addresses, sorted */
	u64 phys[PARALLEL_PAGES];

	/* iommufds, then devices */
	const char *paths[PARALLEL_FILES];
	int fds[PARALLEL_FILES];
	u32 nr_files;

	/* Where something has been mapped, it may be gone or in another IOAS */
	u64 known[16];
};

struct worker {
	struct parallel *p;
	struct rng rng;
	pthread_t thread;
	/* Nobody's children have children */
	bool is_child;
	pid_t child;
	struct iommu_pa_extent extents[PARALLEL_EXTENTS];
};

void parallel_init(struct parallel *p, const char *cdev_path,
		   const char *other_bdf);
bool parallel_run(struct parallel *p, u64 seed, u32 round, u64 milliseconds);

#endif /* TESTS_VFIO_FUZZ_PARALLEL_H */
