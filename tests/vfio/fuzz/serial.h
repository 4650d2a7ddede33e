/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_VFIO_FUZZ_SERIAL_H
#define TESTS_VFIO_FUZZ_SERIAL_H

/*
 * Random operations, one after the other, each of which has to return and to
 * output what the model says. All choices come from the seed, the number of the
 * round, and the state of the model, so a round can be had again.
 */

#include <stdbool.h>

#include <linux/types.h>

#include "model.h"
#include "random.h"

#define SERIAL_LOG		20
#define SERIAL_IOMMUFDS		2
#define SERIAL_DEVICES		2
#define SERIAL_FILES		2
#define SERIAL_ARGS_MAX		8192
#define SERIAL_EXTENTS		4096
#define SERIAL_KINDS		32
#define SERIAL_UNTOUCHED	0xa5

/* Leave some for what an operation makes */
#define SERIAL_MAX_OBJECTS	(MODEL_IDS - 8)
#define SERIAL_MAX_AREAS	(MODEL_AREAS - 64)

/* How the struct of an ioctl is handed over */
enum passing {
	PASS_RIGHT,
	/* Larger than the kernel knows, which is fine as long as it is zero */
	PASS_LONG,
	PASS_LONG_DIRTY,
	PASS_SHORT,
	PASS_BAD_POINTER,
	/* Begins on a page that is there and ends on one that is not */
	PASS_CUT,
	PASS_READ_ONLY,
	NR_PASSING,
};

struct serial_iommufd {
	int fd;
	struct m_ictx *ictx;
};

struct serial_file {
	int fd;
	const char *bdf;
	struct m_device model;
};

struct serial {
	struct rng rng;
	u64 seed;
	u32 round;
	u32 step;

	struct serial_iommufd iommufds[SERIAL_IOMMUFDS];
	u32 nr_files;
	struct serial_file files[SERIAL_DEVICES * SERIAL_FILES];
	struct m_shared shared[SERIAL_DEVICES];

	/* The same memory twice, what follows it is inaccessible */
	char *args;
	const char *args_ro;

	/* Ends where the inaccessible begins */
	char *extents_end;
	struct iommu_pa_extent *expected;

	enum passing passing;
	/* How often each kind was done, and how often with success */
	u32 kind;
	u32 done[SERIAL_KINDS];
	u32 succeeded[SERIAL_KINDS];
	char log[SERIAL_LOG][256];
};

__printf(2, 3) void serial_log(struct serial *s, const char *fmt, ...);
bool serial_check(struct serial *s, int expected, int got);
bool serial_check_out(struct serial *s, const char *name, u64 expected,
		      u64 got);
int serial_passing_error(const struct serial *s);
int serial_output_error(const struct serial *s);
int serial_ioctl(struct serial *s, int fd, unsigned long cmd, void *args,
		 u32 size, u32 min);
struct serial_iommufd *serial_iommufd(struct serial *s);
struct serial_file *serial_file(struct serial *s);
u32 serial_id(struct serial *s, struct m_ictx *ictx, enum m_type type);
struct m_area *serial_area(struct serial *s, struct m_ictx *ictx, u32 id);
u64 serial_offset(struct serial *s, u64 length);
bool serial_is_full(struct m_ictx *ictx);
bool serial_ioas_is_full(struct m_ictx *ictx, u32 ioas_id);
u32 serial_map_flags(struct serial *s);
u64 serial_address(struct serial *s, u64 *length);
void serial_be_long(struct serial *s, u64 *address, u64 *length, u64 *iova);
bool serial_be_tame(struct serial *s, struct m_ictx *ictx, u32 ioas_id);
void tame_range(u64 *address, u64 size, u64 *length, u64 *iova);
u32 serial_find_ioas(struct serial *s, struct m_ictx *ictx,
		     bool (*is_it)(const struct m_ioas *ioas));
bool ioas_is_pinned(const struct m_ioas *ioas);
bool ioas_is_aligned(const struct m_ioas *ioas);
void serial_init(struct serial *s, const char *bdf, const char *other_bdf);
bool serial_run(struct serial *s, u64 seed, u32 round, u32 steps);
void serial_print_statistics(const struct serial *s);

bool step_ioas_alloc(struct serial *s);
bool step_destroy(struct serial *s);
bool step_map(struct serial *s);
bool step_map_file(struct serial *s);
bool step_copy(struct serial *s);
bool step_copy_parts(struct serial *s);
bool step_unmap(struct serial *s);
bool step_allow(struct serial *s);
bool step_iova_ranges(struct serial *s);
bool step_option(struct serial *s);
bool step_change_process(struct serial *s);
bool step_hwpt_alloc(struct serial *s);
bool step_hw_info(struct serial *s);
bool step_dirty_tracking(struct serial *s);
bool step_viommu(struct serial *s);
bool step_lookup(struct serial *s);
bool step_bind(struct serial *s);
bool step_attach(struct serial *s);
bool step_detach(struct serial *s);
bool step_close_device(struct serial *s);
bool step_close_iommufd(struct serial *s);

#endif /* TESTS_VFIO_FUZZ_SERIAL_H */
