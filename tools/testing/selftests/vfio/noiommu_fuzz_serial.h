/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_NOIOMMU_FUZZ_SERIAL_H
#define SELFTESTS_VFIO_NOIOMMU_FUZZ_SERIAL_H

/*
 * Random operations, one after the other, each of which has to return and to
 * output what the model says. All choices come from the seed, the number of the
 * round, and the state of the model, so a round can be had again.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "noiommu_fuzz.h"
#include "noiommu_fuzz_mem.h"
#include "noiommu_fuzz_model.h"
#include "noiommu_utils.h"

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
	bool busy[SERIAL_DEVICES];

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

/*
 * What was done last
 */

static inline __printf(2, 3) void serial_log(struct serial *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->log[s->step % SERIAL_LOG], sizeof(s->log[0]), fmt, args);
	va_end(args);
}

static inline void serial_log_ret(struct serial *s, int ret)
{
	static const char * const passings[] = {
		"", " (long)", " (long, not zero)", " (short)", " (bad pointer)",
		" (cut)", " (read-only)",
	};
	char *line = s->log[s->step % SERIAL_LOG];
	size_t length = strlen(line);

	snprintf(line + length, sizeof(s->log[0]) - length, "%s = %d",
		 passings[s->passing], ret);
}

static inline void serial_log_print(const struct serial *s)
{
	u32 step = s->step < SERIAL_LOG ? 0 : s->step - SERIAL_LOG + 1;

	printf("# --seed %lu, round %u, step %u\n", s->seed, s->round, s->step);
	printf("# Memory is at %p, the last steps were:\n", fuzz_mem.vaddr);
	for (; step <= s->step; step++)
		printf("#   %u: %s\n", step, s->log[step % SERIAL_LOG]);
}

/* Has the step returned what it should? */
static inline bool serial_check(struct serial *s, int expected, int got)
{
	serial_log_ret(s, got);
	s->done[s->kind]++;
	s->succeeded[s->kind] += !got;
	if (got == expected)
		return true;

	serial_log_print(s);
	printf("# Expected: %d (%s)\n", expected, strerror(-expected));
	printf("# Got: %d (%s)\n", got, strerror(-got));
	return false;
}

static inline bool serial_check_out(struct serial *s, const char *name,
				    u64 expected, u64 got)
{
	if (got == expected)
		return true;

	serial_log_print(s);
	printf("# %s\n", name);
	printf("#   Expected: %#lx\n", expected);
	printf("#   Got: %#lx\n", got);
	return false;
}

/*
 * Passing arguments
 */

static inline void serial_choose_passing(struct serial *s)
{
	s->passing = PASS_RIGHT;
	if (rng_one_in(&s->rng, 16))
		s->passing = rng_below(&s->rng, NR_PASSING);
}

/* What comes of it before the operation gets to see its arguments */
static inline int serial_passing_error(const struct serial *s)
{
	switch (s->passing) {
	case PASS_LONG_DIRTY:
		return -E2BIG;
	case PASS_SHORT:
		return -EINVAL;
	case PASS_BAD_POINTER:
	case PASS_CUT:
		return -EFAULT;
	default:
		return 0;
	}
}

/* What comes of a success that is to be output */
static inline int serial_output_error(const struct serial *s)
{
	return s->passing == PASS_READ_ONLY ? -EFAULT : 0;
}

/* The size that is told to the kernel, and where the struct begins */
static inline char *serial_place(struct serial *s, u32 *size, u32 min)
{
	char *at = s->args;

	switch (s->passing) {
	case PASS_LONG:
	case PASS_LONG_DIRTY:
		*size += 1 + rng_below(&s->rng, 4096 - *size);
		break;
	case PASS_SHORT:
		*size = rng_below(&s->rng, min);
		break;
	case PASS_CUT:
		at += SERIAL_ARGS_MAX - 4 * (1 + rng_below(&s->rng, min / 4 - 1));
		break;
	default:
		break;
	}

	return at;
}

static inline void *serial_pointer(struct serial *s, char *at)
{
	if (s->passing == PASS_BAD_POINTER)
		return (void *)fuzz_bad_pointer(&s->rng, s->args + SERIAL_ARGS_MAX);
	if (s->passing == PASS_READ_ONLY)
		return (void *)(s->args_ro + (at - s->args));

	return at;
}

/*
 * @args: begins with its own size, which is @size
 * @min: what the kernel takes at the least
 *
 * Returns 0 or a negative errno.
 */
static inline int serial_ioctl(struct serial *s, int fd, unsigned long cmd,
			       void *args, u32 size, u32 min)
{
	const u32 true_size = size;
	char *at = serial_place(s, &size, min);
	u32 present = min_t(u32, true_size, (SERIAL_ARGS_MAX - (at - s->args)));
	char *dirty = NULL;
	void *pointer;
	int ret;

	*(u32 *)args = size;
	memcpy(at, args, present);
	if (s->passing == PASS_LONG_DIRTY) {
		dirty = at + true_size + rng_below(&s->rng, size - true_size);
		*dirty = 1;
	}

	pointer = serial_pointer(s, at);
	ret = ioctl_errno(fd, cmd, pointer);

	if (dirty)
		*dirty = 0;
	/* The operations that output something with an error are none of ours */
	if (ret && ret != -EMSGSIZE)
		VFIO_ASSERT_EQ(memcmp(at, args, present), 0,
			       "Step %u, which failed, has written\n", s->step);
	memcpy(args, at, present);
	memset(at, 0, present);

	return ret;
}

/*
 * Choosing what to operate on
 */

static inline struct serial_iommufd *serial_iommufd(struct serial *s)
{
	return &s->iommufds[rng_below(&s->rng, SERIAL_IOMMUFDS)];
}

/* More often than not one that is bound */
static inline struct serial_file *serial_file(struct serial *s)
{
	struct serial_file *file;
	int tries = 6;

	do {
		file = &s->files[rng_below(&s->rng, s->nr_files)];
	} while (!file->model.ictx && tries--);

	return file;
}

static inline u32 serial_id(struct serial *s, struct m_ictx *ictx, enum m_type type)
{
	u32 ids[MODEL_IDS];
	u32 id, nr = 0;

	if (rng_one_in(&s->rng, 24))
		return fuzz_wild_id(&s->rng);
	if (rng_one_in(&s->rng, 24))
		type = M_ANY;

	for (id = 1; id < MODEL_IDS; id++) {
		if (model_get(ictx, id, type))
			ids[nr++] = id;
	}

	return nr ? ids[rng_below(&s->rng, nr)] : fuzz_wild_id(&s->rng);
}

/* NULL if @id is no IOAS, or one where nothing is mapped */
static inline struct m_area *serial_area(struct serial *s, struct m_ictx *ictx,
					 u32 id)
{
	struct m_object *obj = model_get(ictx, id, M_IOAS);

	if (!obj || !obj->ioas->nr_areas || rng_one_in(&s->rng, 24))
		return NULL;

	return &obj->ioas->areas[rng_below(&s->rng, obj->ioas->nr_areas)];
}

static inline u64 serial_offset(struct serial *s, u64 length)
{
	const u64 page_size = getpagesize();

	if (rng_one_in(&s->rng, 4))
		return rng_below(&s->rng, length);

	return rng_below(&s->rng, (length + page_size - 1) / page_size) * page_size;
}

static inline bool serial_is_full(struct m_ictx *ictx)
{
	return model_nr_objects(ictx) >= SERIAL_MAX_OBJECTS;
}

static inline bool serial_ioas_is_full(struct m_ictx *ictx, u32 ioas_id)
{
	struct m_object *obj = model_get(ictx, ioas_id, M_IOAS);

	return obj && obj->ioas->nr_areas >= SERIAL_MAX_AREAS;
}

static inline u32 serial_map_flags(struct serial *s)
{
	u32 flags = MAP_RW;

	if (rng_one_in(&s->rng, 8))
		flags = rng_below(&s->rng, 8);
	if (rng_one_in(&s->rng, 64))
		flags |= 1U << (3 + rng_below(&s->rng, 13));
	if (rng_below(&s->rng, 4))
		flags |= IOMMU_IOAS_MAP_FIXED_IOVA;

	return flags;
}

/* Mostly memory, of which mostly all can be pinned */
static inline u64 serial_address(struct serial *s, u64 *length)
{
	const u64 page_size = getpagesize();
	u64 first = rng_below(&s->rng, 240);
	u64 address;

	if (rng_one_in(&s->rng, 32))
		return fuzz_bad_pointer(&s->rng, s->args + SERIAL_ARGS_MAX);

	if (rng_one_in(&s->rng, 3))
		first = 352 + rng_below(&s->rng, 120);
	else if (rng_one_in(&s->rng, 4))
		first = MEM_HUGE + rng_below(&s->rng, MEM_HUGE_END - MEM_HUGE);
	else if (rng_one_in(&s->rng, 16))
		first = rng_below(&s->rng, MEM_PAGES);

	/* Long ones end past their memory more often than is of use */
	if (*length > 8 * page_size && !rng_one_in(&s->rng, 8)) {
		first = MEM_HUGE + rng_below(&s->rng, 128);
		if (rng_one_in(&s->rng, 2))
			first = rng_below(&s->rng, 32);
		if (first < MEM_HUGE)
			*length = min(*length, 200 * page_size);
	}

	address = (uintptr_t)fuzz_mem.vaddr + first * page_size;
	if (rng_one_in(&s->rng, 24))
		address += rng_below(&s->rng, page_size);

	return address;
}

/* As long as can be or longer, from where and to where there is room for it */
static inline void serial_be_long(struct serial *s, u64 *address, u64 *length,
				  u64 *iova)
{
	const u64 page_size = getpagesize();

	*address = rng_below(&s->rng, 2 * page_size);
	*length = fuzz_longest(&s->rng, *address % page_size);
	if (rng_below(&s->rng, 4))
		*iova = rng_one_in(&s->rng, 2) ? rng_below(&s->rng, page_size) : 0;
}

/* NULL if @id is no IOAS */
static inline struct m_ioas *serial_ioas(struct m_ictx *ictx, u32 id)
{
	struct m_object *obj = model_get(ictx, id, M_IOAS);

	return obj ? obj->ioas : NULL;
}

/*
 * As long as an IOAS has no HWPT almost everything can be mapped, and none can be
 * made once something is that cannot be pinned. So that is kept rare.
 */
static inline bool serial_be_tame(struct serial *s, struct m_ictx *ictx, u32 ioas_id)
{
	struct m_ioas *ioas = serial_ioas(ictx, ioas_id);

	return ioas && !ioas->nr_hwpts && rng_below(&s->rng, 48);
}

static inline void tame_range(u64 *address, u64 size, u64 *length, u64 *iova)
{
	const u64 page_size = getpagesize();

	*address &= -page_size;
	*iova &= -page_size;
	if (*length > size - *address)
		*length = size - *address;
	*length = (*length + page_size - 1) & -page_size;
}

/* An IOAS that is like this, or else any */
static inline u32 serial_find_ioas(struct serial *s, struct m_ictx *ictx,
				   bool (*is_it)(const struct m_ioas *ioas))
{
	u32 id, first = rng_below(&s->rng, MODEL_IDS), i;

	for (i = 0; i < MODEL_IDS; i++) {
		struct m_ioas *ioas;

		id = (first + i) % MODEL_IDS;
		ioas = serial_ioas(ictx, id);
		if (ioas && is_it(ioas))
			return id;
	}

	return serial_id(s, ictx, M_IOAS);
}

static inline bool ioas_is_pinned(const struct m_ioas *ioas)
{
	return ioas->nr_hwpts && ioas->nr_areas;
}

/* Not everything can be copied there */
static inline bool ioas_is_aligned(const struct m_ioas *ioas)
{
	return model_align(ioas) > 1;
}

/*
 * Steps: iommufd
 */

static inline bool step_ioas_alloc(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_ioas_alloc args = {
		.flags = rng_one_in(&s->rng, 16),
	};
	int expected, ret;
	u32 id = 0;

	/* Few, in which there is much */
	if (model_nr_objects(fd->ictx) > 8 && rng_below(&s->rng, 8))
		return true;
	if (serial_is_full(fd->ictx))
		return true;

	expected = serial_passing_error(s);
	if (!expected)
		expected = model_ioas_alloc(fd->ictx, args.flags, &id);
	if (!expected && serial_output_error(s)) {
		VFIO_ASSERT_EQ(model_destroy(fd->ictx, id), 0);
		expected = serial_output_error(s);
	}

	serial_log(s, "%d: ioas_alloc flags %u", fd->fd, args.flags);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_ALLOC, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "IOAS", id, args.out_ioas_id));
}

static inline bool step_destroy(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_destroy args = {
		.id = serial_id(s, fd->ictx, 1 + rng_below(&s->rng, M_ANY)),
	};
	int expected, ret;

	/* There would be nothing left to work with */
	if (!serial_is_full(fd->ictx) && rng_below(&s->rng, 3))
		return true;

	expected = serial_passing_error(s) ?: model_destroy(fd->ictx, args.id);

	serial_log(s, "%d: destroy %#x", fd->fd, args.id);
	ret = serial_ioctl(s, fd->fd, IOMMU_DESTROY, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret);
}

static inline bool step_map(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_ioas_map args = {
		.flags = serial_map_flags(s),
		.ioas_id = serial_id(s, fd->ictx, M_IOAS),
		.__reserved = rng_one_in(&s->rng, 64),
		.length = fuzz_length(&s->rng),
		.iova = fuzz_iova(&s->rng),
	};
	u64 address, iova = args.iova, length = args.length;
	int expected, ret;

	if (serial_ioas_is_full(fd->ictx, args.ioas_id))
		return true;

	address = serial_address(s, &length);
	if (serial_be_tame(s, fd->ictx, args.ioas_id)) {
		address = rng_below(&s->rng, 240) * getpagesize();
		tame_range(&address, 256 * getpagesize(), &length, &iova);
		address += (uintptr_t)fuzz_mem.vaddr;
	}
	if (rng_one_in(&s->rng, 64))
		serial_be_long(s, &address, &length, &iova);
	args.user_va = address;
	args.length = length;
	args.iova = iova;

	expected = serial_passing_error(s);
	if (!expected && args.__reserved)
		expected = -EOPNOTSUPP;
	if (!expected)
		expected = model_map(fd->ictx, args.ioas_id, args.user_va, length,
				     args.flags, &iova) ?: serial_output_error(s);

	serial_log(s, "%d: map IOAS %#x address %#llx length %#llx flags %#x IOVA %#llx, %u",
		   fd->fd, args.ioas_id, args.user_va, args.length, args.flags,
		   args.iova, args.__reserved);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_MAP, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "IOVA", iova, args.iova));
}

static inline bool step_map_file(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	const struct fuzz_file *file = &fuzz_mem.files[FILE_MEMFD];
	struct iommu_ioas_map_file args = {
		.flags = serial_map_flags(s),
		.ioas_id = serial_id(s, fd->ictx, M_IOAS),
		.length = fuzz_length(&s->rng),
		.iova = fuzz_iova(&s->rng),
	};
	u64 start, length = args.length, iova = args.iova;
	int expected, ret;

	if (serial_ioas_is_full(fd->ictx, args.ioas_id))
		return true;

	if (rng_one_in(&s->rng, 4))
		file = &fuzz_mem.files[FILE_MEMFD_HUGE];
	if (rng_one_in(&s->rng, 16))
		file = &fuzz_mem.files[rng_below(&s->rng, NR_FUZZ_FILES)];
	start = rng_below(&s->rng, 60) * getpagesize();
	if (rng_one_in(&s->rng, 24))
		start = fuzz_wild_length(&s->rng);
	if (serial_be_tame(s, fd->ictx, args.ioas_id)) {
		start = rng_below(&s->rng, 60) * getpagesize();
		file = &fuzz_mem.files[FILE_MEMFD];
		tame_range(&start, file->size, &length, &iova);
	}
	if (rng_one_in(&s->rng, 64))
		serial_be_long(s, &start, &length, &iova);
	args.fd = file->fd;
	args.start = start;
	args.length = length;
	args.iova = iova;

	expected = serial_passing_error(s);
	if (!expected)
		expected = model_map_file(fd->ictx, args.ioas_id, file, args.start,
					  args.length, args.flags, &iova) ?:
			   serial_output_error(s);

	serial_log(s, "%d: map_file IOAS %#x fd %d start %#llx length %#llx flags %#x IOVA %#llx",
		   fd->fd, args.ioas_id, args.fd, args.start, args.length,
		   args.flags, args.iova);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_MAP_FILE, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "IOVA", iova, args.iova));
}

static inline void copy_choose(struct serial *s, struct m_ictx *ictx,
			       struct m_copy *copy)
{
	const struct m_area *area;

	copy->flags = serial_map_flags(s);
	copy->dst_id = serial_id(s, ictx, M_IOAS);
	copy->src_id = serial_id(s, ictx, M_IOAS);
	copy->dst_iova = fuzz_iova(&s->rng);
	copy->src_iova = fuzz_iova(&s->rng);
	copy->length = fuzz_length(&s->rng);

	area = serial_area(s, ictx, copy->src_id);
	if (!area)
		return;

	copy->src_iova = area->iova;
	if (rng_one_in(&s->rng, 3))
		copy->src_iova += serial_offset(s, area->length);
	if (rng_one_in(&s->rng, 2))
		copy->length = area->length - (copy->src_iova - area->iova);
}

static inline bool copy_run(struct serial *s, struct serial_iommufd *fd,
			    struct m_copy *copy)
{
	struct iommu_ioas_copy args = {
		.flags = copy->flags,
		.dst_ioas_id = copy->dst_id,
		.src_ioas_id = copy->src_id,
		.length = copy->length,
		.dst_iova = copy->dst_iova,
		.src_iova = copy->src_iova,
	};
	int expected, ret;

	if (serial_ioas_is_full(fd->ictx, copy->dst_id))
		return true;

	expected = serial_passing_error(s) ?: model_copy(fd->ictx, copy);
	if (expected > 0)
		return true;
	expected = expected ?: serial_output_error(s);

	serial_log(s, "%d: copy IOAS %#x IOVA %#llx length %#llx flags %#x to IOAS %#x IOVA %#llx",
		   fd->fd, args.src_ioas_id, args.src_iova, args.length,
		   args.flags, args.dst_ioas_id, args.dst_iova);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_COPY, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "IOVA", copy->dst_iova, args.dst_iova));
}

static inline bool step_copy(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct m_copy copy;

	copy_choose(s, fd->ictx, &copy);

	return copy_run(s, fd, &copy);
}

/* What comes before and after the copy is told of as a step of its own */
static inline void parts_next(struct serial *s)
{
	s->step++;
	serial_log(s, "nothing");
}

static inline bool parts_ioas_alloc(struct serial *s, struct serial_iommufd *fd,
				    u32 *id)
{
	VFIO_ASSERT_EQ(model_ioas_alloc(fd->ictx, 0, id), 0);
	serial_log(s, "%d: ioas_alloc for parts", fd->fd);
	if (!serial_check_out(s, "IOAS", *id, ioas_alloc(fd->fd)))
		return false;

	parts_next(s);
	return true;
}

static inline bool parts_map(struct serial *s, struct serial_iommufd *fd, u32 id,
			     u64 iova, u64 length)
{
	const u64 page_size = getpagesize();
	u64 address = (uintptr_t)fuzz_mem.vaddr;
	u32 flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA;
	int expected, ret;

	/* What cannot be pinned, or be copied to be written, fails after other parts */
	address += rng_below(&s->rng, rng_one_in(&s->rng, 8) ? 300 : 240) * page_size;
	if (rng_one_in(&s->rng, 6))
		address += rng_below(&s->rng, page_size);
	if (rng_below(&s->rng, 8))
		flags |= IOMMU_IOAS_MAP_WRITEABLE;

	expected = model_map(fd->ictx, id, address, length, flags, &iova);
	ret = ioas_map(fd->fd, id, (void *)address, length, flags, &iova);
	serial_log(s, "%d: map part IOAS %#x address %#lx length %#lx flags %#x IOVA %#lx",
		   fd->fd, id, address, length, flags, iova);
	if (!serial_check_out(s, "result", expected, ret))
		return false;

	parts_next(s);
	return true;
}

/* The last is mostly what is missing for all of them to be whole pages together */
static inline u64 parts_length(struct serial *s, u64 total, bool is_last)
{
	const u64 page_size = getpagesize();

	if (is_last && rng_below(&s->rng, 8))
		return page_size - total % page_size;
	if (rng_one_in(&s->rng, 3))
		return page_size / 2;
	if (rng_one_in(&s->rng, 3))
		return 1 + rng_below(&s->rng, 2 * page_size);

	return (1 + rng_below(&s->rng, 3)) * page_size;
}

static inline void parts_choose_copy(struct serial *s, struct m_ictx *ictx,
				     struct m_copy *copy)
{
	copy->flags = serial_map_flags(s);
	copy->dst_id = rng_below(&s->rng, 8) ? serial_find_ioas(s, ictx, ioas_is_aligned) :
					       serial_id(s, ictx, M_IOAS);
	copy->dst_iova = fuzz_iova(&s->rng);
	if (rng_one_in(&s->rng, 8))
		copy->length = 1 + rng_below(&s->rng, copy->length);
}

static inline bool parts_forget(struct serial *s, struct serial_iommufd *fd, u32 id)
{
	/* For other steps to come across */
	if (rng_one_in(&s->rng, 8))
		return true;

	parts_next(s);
	serial_log(s, "%d: destroy %#x of parts", fd->fd, id);
	return serial_check_out(s, "result", model_destroy(fd->ictx, id),
				object_destroy(fd->fd, id));
}

/* Areas that adjoin and need not be aligned, all at once to where they have to be */
static inline bool step_copy_parts(struct serial *s)
{
	const u32 nr = 2 + rng_below(&s->rng, 3);
	struct serial_iommufd *fd = serial_iommufd(s);
	struct m_copy copy = {
		.src_iova = SZ_1M,
	};
	u32 i;

	if (serial_is_full(fd->ictx))
		return true;
	if (!parts_ioas_alloc(s, fd, &copy.src_id))
		return false;
	if (rng_one_in(&s->rng, 8))
		copy.src_iova += rng_below(&s->rng, getpagesize());

	for (i = 0; i < nr; i++) {
		u64 length = parts_length(s, copy.length, i == nr - 1);

		if (!parts_map(s, fd, copy.src_id, copy.src_iova + copy.length,
			       length))
			return false;
		copy.length += length;
	}

	parts_choose_copy(s, fd->ictx, &copy);

	return copy_run(s, fd, &copy) && parts_forget(s, fd, copy.src_id);
}

static inline void unmap_choose(struct serial *s, struct m_ictx *ictx,
				struct iommu_ioas_unmap *args)
{
	const struct m_area *area;

	args->ioas_id = serial_id(s, ictx, M_IOAS);
	args->iova = fuzz_iova(&s->rng);
	args->length = fuzz_length(&s->rng);

	area = serial_area(s, ictx, args->ioas_id);
	if (rng_one_in(&s->rng, 32) ||
	    (serial_ioas_is_full(ictx, args->ioas_id) && rng_below(&s->rng, 4))) {
		args->iova = 0;
		args->length = UINT64_MAX;
	} else if (area && rng_below(&s->rng, 4)) {
		args->iova = area->iova;
		args->length = area->length;
		if (rng_one_in(&s->rng, 6))
			args->length += fuzz_length(&s->rng);
		if (rng_one_in(&s->rng, 6))
			args->iova += serial_offset(s, area->length);
	}
}

static inline bool step_unmap(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_ioas_unmap args = {};
	int expected, ret;
	u64 length;

	unmap_choose(s, fd->ictx, &args);
	length = args.length;

	expected = serial_passing_error(s);
	if (!expected)
		expected = model_unmap(fd->ictx, args.ioas_id, args.iova, &length) ?:
			   serial_output_error(s);

	serial_log(s, "%d: unmap IOAS %#x IOVA %#llx length %#llx", fd->fd,
		   args.ioas_id, args.iova, args.length);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_UNMAP, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "length", length, args.length));
}

static inline void allow_choose(struct serial *s, struct m_range *ranges, u32 *nr)
{
	u32 i;

	*nr = rng_below(&s->rng, 4);
	/* So that not most IOASs end up with hardly any room to choose from */
	if (rng_one_in(&s->rng, 2))
		*nr = 0;

	for (i = 0; i < *nr; i++) {
		ranges[i].start = fuzz_iova(&s->rng);
		ranges[i].last = ranges[i].start + fuzz_length(&s->rng) - 1;
		if (i && rng_one_in(&s->rng, 3))
			ranges[i].start = ranges[i - 1].last + 1;
	}
}

static inline bool step_allow(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_ioas_allow_iovas args = {
		.ioas_id = serial_id(s, fd->ictx, M_IOAS),
		.__reserved = rng_one_in(&s->rng, 24),
	};
	struct m_range ranges[MODEL_ALLOWED];
	int expected, ret;
	bool bad = false;
	u32 nr;

	allow_choose(s, ranges, &nr);
	args.num_iovas = nr;
	args.allowed_iovas = (uintptr_t)ranges;
	if (nr && rng_one_in(&s->rng, 16)) {
		bad = true;
		args.allowed_iovas = fuzz_bad_pointer(&s->rng,
						      s->args + SERIAL_ARGS_MAX);
	}

	expected = serial_passing_error(s);
	if (!expected && args.__reserved)
		expected = -EOPNOTSUPP;
	if (!expected && bad)
		expected = model_get(fd->ictx, args.ioas_id, M_IOAS) ? -EFAULT :
								      -ENOENT;
	if (!expected)
		expected = model_allow(fd->ictx, args.ioas_id, ranges, nr);

	serial_log(s, "%d: allow_iovas IOAS %#x ranges %u from %#lx to %#lx",
		   fd->fd, args.ioas_id, nr, nr ? ranges[0].start : 0,
		   nr ? ranges[0].last : 0);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_ALLOW_IOVAS, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret);
}

static inline bool step_iova_ranges(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_iova_range range = {};
	struct iommu_ioas_iova_ranges args = {
		.ioas_id = serial_id(s, fd->ictx, M_IOAS),
		.num_iovas = rng_below(&s->rng, 3),
		.__reserved = rng_one_in(&s->rng, 24),
		.allowed_iovas = (uintptr_t)&range,
	};
	struct m_object *ioas = model_get(fd->ictx, args.ioas_id, M_IOAS);
	int expected, ret;

	expected = serial_passing_error(s);
	if (!expected && args.__reserved)
		expected = -EOPNOTSUPP;
	if (!expected && !ioas)
		expected = -ENOENT;
	expected = expected ?: serial_output_error(s);
	/* There always is one range, which is everything */
	if (!expected && !args.num_iovas)
		expected = -EMSGSIZE;

	serial_log(s, "%d: iova_ranges IOAS %#x room %u", fd->fd,
		   args.ioas_id, args.num_iovas);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_IOVA_RANGES, &args, sizeof(args),
			   sizeof(args));

	if (!serial_check(s, expected, ret))
		return false;
	if (ret)
		return true;
	return serial_check_out(s, "number", 1, args.num_iovas) &&
		serial_check_out(s, "alignment", model_align(ioas->ioas),
				 args.out_iova_alignment) &&
		serial_check_out(s, "start", 0, range.start) &&
		serial_check_out(s, "last", UINT64_MAX, range.last);
}

static inline int option_expect(struct m_ictx *ictx,
				const struct iommu_option *args, u64 *value)
{
	if (args->__reserved)
		return -EOPNOTSUPP;
	if (args->option_id == IOMMU_OPTION_HUGE_PAGES)
		return model_huge_pages(ictx, args->object_id, args->op, value);
	if (args->option_id != IOMMU_OPTION_RLIMIT_MODE || args->object_id)
		return -EOPNOTSUPP;

	/* It is never changed here, memory is not charged to root anyway */
	if (args->op == IOMMU_OPTION_OP_GET) {
		*value = 0;
		return 0;
	}
	if (args->op != IOMMU_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (model_nr_objects(ictx))
		return -EBUSY;

	return *value ? -EINVAL : 0;
}

static inline bool step_option(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_option args = {
		.option_id = rng_one_in(&s->rng, 8) ? rng_below(&s->rng, 4) :
						      IOMMU_OPTION_HUGE_PAGES,
		.op = rng_one_in(&s->rng, 16) ? rng_next(&s->rng) :
						rng_below(&s->rng, 2),
		.__reserved = rng_one_in(&s->rng, 32),
		.object_id = serial_id(s, fd->ictx, M_IOAS),
		.val64 = rng_below(&s->rng, 2),
	};
	int expected, ret;
	u64 value;

	if (args.option_id == IOMMU_OPTION_RLIMIT_MODE) {
		args.object_id = rng_one_in(&s->rng, 4);
		args.val64 *= 2;
	} else if (rng_one_in(&s->rng, 16)) {
		args.val64 = rng_next(&s->rng);
	}
	value = args.val64;

	expected = serial_passing_error(s);
	if (!expected)
		expected = option_expect(fd->ictx, &args, &value) ?:
			   serial_output_error(s);

	serial_log(s, "%d: option %u op %#x object %#x value %#llx", fd->fd,
		   args.option_id, args.op, args.object_id, args.val64);
	ret = serial_ioctl(s, fd->fd, IOMMU_OPTION, &args, sizeof(args),
			   sizeof(args));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "value", value, args.val64));
}

static inline bool step_change_process(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_ioas_change_process args = {
		.__reserved = rng_one_in(&s->rng, 16),
	};
	int expected, ret;

	expected = serial_passing_error(s);
	if (!expected && args.__reserved)
		expected = -EOPNOTSUPP;
	expected = expected ?: model_change_process(fd->ictx);

	serial_log(s, "%d: change_process", fd->fd);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_CHANGE_PROCESS, &args,
			   sizeof(args), sizeof(args));

	return serial_check(s, expected, ret);
}

static inline bool step_hwpt_alloc(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct m_hwpt_alloc model = {
		.dev_id = serial_id(s, fd->ictx, M_DEVICE),
		.pt_id = serial_id(s, fd->ictx, rng_one_in(&s->rng, 8) ? M_HWPT :
									  M_IOAS),
		.reserved = rng_one_in(&s->rng, 32),
		.data_type = rng_one_in(&s->rng, 16) * rng_below(&s->rng, 4),
		.data_len = rng_one_in(&s->rng, 16) * rng_below(&s->rng, 64),
	};
	struct iommu_hwpt_alloc args = {};
	int expected, ret;
	u32 id = 0;

	if (serial_is_full(fd->ictx))
		return true;

	/* Nesting, dirty tracking, faults, PASIDs, and some that are unknown */
	if (rng_one_in(&s->rng, 4))
		model.flags = 1U << rng_below(&s->rng, rng_one_in(&s->rng, 2) ? 4 : 32);
	args.flags = model.flags;
	args.dev_id = model.dev_id;
	args.pt_id = model.pt_id;
	args.__reserved = model.reserved;
	args.data_type = model.data_type;
	args.data_len = model.data_len;
	args.data_uptr = (uintptr_t)s->args;

	expected = serial_passing_error(s) ?:
		   model_hwpt_alloc(fd->ictx, &model, &id);
	if (!expected && serial_output_error(s)) {
		VFIO_ASSERT_EQ(model_destroy(fd->ictx, id), 0);
		expected = serial_output_error(s);
	}

	serial_log(s, "%d: hwpt_alloc device %#x pt %#x flags %#x data %u length %u",
		   fd->fd, args.dev_id, args.pt_id, args.flags, args.data_type,
		   args.data_len);
	ret = serial_ioctl(s, fd->fd, IOMMU_HWPT_ALLOC, &args, sizeof(args),
			   offsetof(struct iommu_hwpt_alloc, data_type));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "HWPT", id, args.out_hwpt_id));
}

/* What a device without an IOMMU does not have */
static inline bool step_hw_info(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_hw_info args = {
		.flags = rng_below(&s->rng, 4),
		.dev_id = serial_id(s, fd->ictx, M_DEVICE),
		.data_len = rng_below(&s->rng, 64),
		.data_uptr = (uintptr_t)s->args,
	};
	int expected, ret;

	expected = serial_passing_error(s);
	if (!expected && !(args.flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE) &&
	    !model_get(fd->ictx, args.dev_id, M_DEVICE))
		expected = -ENOENT;
	expected = expected ?: -EOPNOTSUPP;

	serial_log(s, "%d: hw_info device %#x flags %#x", fd->fd,
		   args.dev_id, args.flags);
	ret = serial_ioctl(s, fd->fd, IOMMU_GET_HW_INFO, &args, sizeof(args),
			   offsetof(struct iommu_hw_info, out_capabilities));

	return serial_check(s, expected, ret);
}

static inline bool step_dirty_tracking(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_hwpt_set_dirty_tracking args = {
		.flags = rng_below(&s->rng, 3),
		.hwpt_id = serial_id(s, fd->ictx, M_HWPT),
	};
	int expected, ret;

	expected = serial_passing_error(s);
	if (!expected && args.flags <= IOMMU_HWPT_DIRTY_TRACKING_ENABLE &&
	    !model_get(fd->ictx, args.hwpt_id, M_HWPT))
		expected = -ENOENT;
	expected = expected ?: -EOPNOTSUPP;

	serial_log(s, "%d: dirty_tracking HWPT %#x flags %#x", fd->fd,
		   args.hwpt_id, args.flags);
	ret = serial_ioctl(s, fd->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &args,
			   sizeof(args), sizeof(args));

	return serial_check(s, expected, ret);
}

static inline bool step_viommu(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_viommu_alloc args = {
		.flags = rng_one_in(&s->rng, 8),
		.type = rng_below(&s->rng, 4),
		.dev_id = serial_id(s, fd->ictx, M_DEVICE),
		.hwpt_id = serial_id(s, fd->ictx, M_HWPT),
	};
	int expected, ret;

	expected = serial_passing_error(s);
	if (!expected && !args.flags && args.type != IOMMU_VIOMMU_TYPE_DEFAULT &&
	    !model_get(fd->ictx, args.dev_id, M_DEVICE))
		expected = -ENOENT;
	expected = expected ?: -EOPNOTSUPP;

	serial_log(s, "%d: viommu_alloc device %#x HWPT %#x type %u",
		   fd->fd, args.dev_id, args.hwpt_id, args.type);
	ret = serial_ioctl(s, fd->fd, IOMMU_VIOMMU_ALLOC, &args, sizeof(args),
			   offsetof(struct iommu_viommu_alloc, data_len));

	return serial_check(s, expected, ret);
}

/*
 * Steps: lookup
 */

struct lookup {
	union get_pa_args raw;
	struct m_lookup model;
	u32 size;
	/* Where the array begins, if there is one */
	char *array;
};

static inline void lookup_choose_range(struct serial *s, struct m_ictx *ictx,
				       struct iommu_ioas_get_pa *args)
{
	const struct m_area *area;

	args->ioas_id = rng_below(&s->rng, 4) ? serial_find_ioas(s, ictx, ioas_is_pinned) :
						serial_id(s, ictx, M_IOAS);
	args->iova = fuzz_iova(&s->rng);
	args->length = rng_one_in(&s->rng, 4) ? 0 : fuzz_length(&s->rng);
	if (rng_one_in(&s->rng, 8))
		args->length = 1 + rng_below(&s->rng, getpagesize());

	area = serial_area(s, ictx, args->ioas_id);
	if (area)
		args->iova = area->iova + serial_offset(s, area->length);

	if (rng_one_in(&s->rng, 64))
		args->flags = 1U << rng_below(&s->rng, 32);
	if (rng_one_in(&s->rng, 64))
		args->__reserved = 1U << rng_below(&s->rng, 32);
}

/* With room for as many as are told of, or with less, with none, or nowhere */
static inline void lookup_choose_array(struct serial *s, struct lookup *l)
{
	struct iommu_ioas_get_pa *args = &l->raw.args;
	struct m_lookup *m = &l->model;

	args->num_extents = 1 + rng_below(&s->rng, 16);
	if (rng_one_in(&s->rng, 4))
		args->num_extents = 1 + rng_below(&s->rng, 600);
	if (rng_one_in(&s->rng, 16))
		args->num_extents = UINT32_MAX - rng_below(&s->rng, 2);
	if (rng_one_in(&s->rng, 64))
		args->__reserved2 = 1U << rng_below(&s->rng, 32);

	m->writable = min_t(u32, args->num_extents, SERIAL_EXTENTS - 1);
	if (rng_one_in(&s->rng, 8))
		m->writable = rng_below(&s->rng, m->writable + 1);
	l->array = s->extents_end - m->writable * sizeof(*m->extents);
	/* Which may be anywhere, even between two words */
	if (rng_one_in(&s->rng, 8))
		l->array -= rng_below(&s->rng, sizeof(*m->extents));

	args->extents_uptr = (uintptr_t)l->array;
	if (rng_one_in(&s->rng, 16)) {
		m->writable = 0;
		args->extents_uptr = fuzz_bad_pointer(&s->rng, s->extents_end);
		if (rng_one_in(&s->rng, 2))
			args->extents_uptr = (uintptr_t)s->args_ro;
	}
}

static inline void lookup_choose(struct serial *s, struct m_ictx *ictx,
				 struct lookup *l)
{
	struct iommu_ioas_get_pa *args = &l->raw.args;

	memset(l, 0, sizeof(*l));
	lookup_choose_range(s, ictx, args);

	l->size = GET_PA_EXTENTS_SIZE;
	l->array = s->extents_end;
	if (rng_below(&s->rng, 3))
		lookup_choose_array(s, l);
	else if (s->passing == PASS_RIGHT)
		/* What the struct does not reach is zero */
		l->size = GET_PA_SIZE + rng_below(&s->rng, GET_PA_EXTENTS_SIZE -
							   GET_PA_SIZE + 1);

	l->model.iova = args->iova;
	l->model.length = args->length;
	l->model.nr = args->num_extents;
	l->model.extents = s->expected;
	args->out_phys = 0xdeadbeefdeadbeefULL;
}

static inline int lookup_expect(struct serial *s, struct m_ictx *ictx,
				struct lookup *l)
{
	const struct iommu_ioas_get_pa *args = &l->raw.args;
	int expected = serial_passing_error(s);

	if (expected)
		return expected;
	if (args->flags || args->__reserved || args->__reserved2)
		return -EOPNOTSUPP;

	return model_lookup(ictx, args->ioas_id, &l->model) ?:
		serial_output_error(s);
}

static inline bool lookup_check(struct serial *s, const struct lookup *l,
				u32 room)
{
	const struct iommu_ioas_get_pa *args = &l->raw.args;
	const struct m_lookup *m = &l->model;
	const size_t size = m->nr * sizeof(*m->extents);
	u32 i;

	if (!serial_check_out(s, "length", m->length, args->length) ||
	    !serial_check_out(s, "address", m->phys, args->out_phys) ||
	    !serial_check_out(s, "extents", m->nr, args->num_extents))
		return false;

	for (i = 0; i < m->nr; i++) {
		struct iommu_pa_extent e;

		memcpy(&e, l->array + i * sizeof(e), sizeof(e));
		if (!serial_check_out(s, "address of an extent",
				      m->extents[i].phys, e.phys) ||
		    !serial_check_out(s, "length of an extent",
				      m->extents[i].length, e.length))
			return false;
	}

	for (i = size; room && l->array + i < s->extents_end; i++) {
		if (!serial_check_out(s, "byte past the extents",
				      SERIAL_UNTOUCHED, (u8)l->array[i]))
			return false;
	}

	return true;
}

static inline bool step_lookup(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct iommu_ioas_get_pa *args;
	struct lookup l;
	int expected, ret;
	u32 room;

	lookup_choose(s, fd->ictx, &l);
	args = &l.raw.args;
	room = args->num_extents;
	memset(l.array, SERIAL_UNTOUCHED, s->extents_end - l.array);

	expected = lookup_expect(s, fd->ictx, &l);

	serial_log(s, "%d: get_pa (%u) IOAS %#x IOVA %#llx length %#llx, %x %x %x, %u %#llx %u",
		   fd->fd, l.size, args->ioas_id, args->iova, args->length,
		   args->flags, args->__reserved, args->__reserved2, room,
		   args->extents_uptr, l.model.writable);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_GET_PA, args, l.size, GET_PA_SIZE);

	return serial_check(s, expected, ret) && (ret || lookup_check(s, &l, room));
}

/*
 * Steps: the device
 */

/* For ioctls that look at no more than they know of */
static inline void serial_choose_vfio_passing(struct serial *s)
{
	if (s->passing == PASS_CUT || s->passing == PASS_LONG_DIRTY)
		s->passing = PASS_BAD_POINTER;
}

static inline int bind_expect(struct serial *s, struct serial_file *file,
			      const struct vfio_device_bind_iommufd *args,
			      struct m_ictx *ictx, u32 *id)
{
	int ret = serial_passing_error(s);

	if (ret)
		return ret;
	if (args->iommufd < 0 || args->flags & ~VFIO_DEVICE_BIND_FLAG_TOKEN)
		return -EINVAL;
	if (file->model.ictx)
		return -EINVAL;
	/* The token cannot be read */
	if (args->flags)
		return -EFAULT;
	if (!ictx)
		return args->iommufd == fuzz_mem.files[FILE_NULL].fd ? -EBADFD :
								      -EBADF;

	ret = model_bind(&file->model, ictx, id);
	if (!ret && serial_output_error(s)) {
		model_device_close(&file->model);
		ret = serial_output_error(s);
	}

	return ret;
}

static inline bool step_bind(struct serial *s)
{
	struct serial_file *file = &s->files[rng_below(&s->rng, s->nr_files)];
	struct serial_iommufd *fd = serial_iommufd(s);
	struct vfio_device_bind_iommufd args = {
		.iommufd = fd->fd,
	};
	struct m_ictx *ictx = fd->ictx;
	int expected, ret;
	u32 id = 0;

	if (serial_is_full(ictx))
		return true;

	if (rng_one_in(&s->rng, 16)) {
		ictx = NULL;
		args.iommufd = fuzz_mem.files[FILE_NULL].fd;
		if (rng_one_in(&s->rng, 2))
			args.iommufd = 1000000;
	} else if (rng_one_in(&s->rng, 32)) {
		args.iommufd = -1 - rng_below(&s->rng, 3);
	}
	if (rng_one_in(&s->rng, 32))
		args.flags = 1U << rng_below(&s->rng, 4);

	expected = bind_expect(s, file, &args, ictx, &id);

	serial_log(s, "%s fd %d: bind to %d flags %#x", file->bdf, file->fd,
		   args.iommufd, args.flags);
	ret = serial_ioctl(s, file->fd, VFIO_DEVICE_BIND_IOMMUFD, &args,
			   sizeof(args),
			   offsetof(struct vfio_device_bind_iommufd, token_uuid_ptr));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "device", id, args.out_devid));
}

static inline int attach_expect(struct serial *s, struct serial_file *file,
				const struct vfio_device_attach_iommufd_pt *args,
				u32 *pt_id)
{
	const bool with_pasid = args->flags & VFIO_DEVICE_ATTACH_PASID;
	int ret;

	if (!file->model.ictx)
		return -EINVAL;
	ret = serial_passing_error(s);
	if (ret)
		return ret;
	if (args->flags & ~VFIO_DEVICE_ATTACH_PASID)
		return -EINVAL;

	ret = model_attach(&file->model, with_pasid, args->pasid, pt_id);
	if (ret || !serial_output_error(s))
		return ret;

	/* Undone not by going back to what it was, but by a detach */
	model_detach(&file->model, false);
	return serial_output_error(s);
}

static inline bool step_attach(struct serial *s)
{
	struct serial_file *file = serial_file(s);
	struct m_ictx *ictx = file->model.ictx;
	struct vfio_device_attach_iommufd_pt args = {};
	int expected, ret;
	u32 pt_id;

	if (ictx && serial_is_full(ictx))
		return true;

	pt_id = fuzz_wild_id(&s->rng);
	if (ictx)
		pt_id = serial_id(s, ictx, rng_one_in(&s->rng, 3) ? M_HWPT : M_IOAS);
	args.pt_id = pt_id;
	if (rng_one_in(&s->rng, 8))
		args.flags = VFIO_DEVICE_ATTACH_PASID;
	if (rng_one_in(&s->rng, 32))
		args.flags |= 2U << rng_below(&s->rng, 31);
	if (rng_below(&s->rng, 3))
		args.pasid = rng_one_in(&s->rng, 2) ? 1U << rng_below(&s->rng, 32) :
						      rng_below(&s->rng, 1 << 20);
	serial_choose_vfio_passing(s);

	expected = attach_expect(s, file, &args, &pt_id);

	serial_log(s, "%s fd %d: attach %#x flags %#x PASID %#x", file->bdf,
		   file->fd, args.pt_id, args.flags, args.pasid);
	ret = serial_ioctl(s, file->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &args,
			   sizeof(args),
			   offsetof(struct vfio_device_attach_iommufd_pt, pasid));

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "HWPT", pt_id, args.pt_id));
}

static inline bool step_detach(struct serial *s)
{
	struct serial_file *file = serial_file(s);
	struct vfio_device_detach_iommufd_pt args = {
		.flags = rng_one_in(&s->rng, 6) ? rng_below(&s->rng, 4) : 0,
		.pasid = rng_one_in(&s->rng, 4) ? rng_below(&s->rng, 1 << 20) : 0,
	};
	const bool with_pasid = args.flags & VFIO_DEVICE_DETACH_PASID;
	int expected, ret;

	serial_choose_vfio_passing(s);
	expected = file->model.ictx ? serial_passing_error(s) : -EINVAL;
	if (!expected && args.flags & ~VFIO_DEVICE_DETACH_PASID)
		expected = -EINVAL;
	if (!expected && (!with_pasid || !args.pasid))
		model_detach(&file->model, with_pasid);

	serial_log(s, "%s fd %d: detach flags %#x PASID %#x", file->bdf, file->fd,
		   args.flags, args.pasid);
	ret = serial_ioctl(s, file->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &args,
			   sizeof(args),
			   offsetof(struct vfio_device_detach_iommufd_pt, pasid));

	return serial_check(s, expected, ret);
}

/*
 * Steps: opening and closing
 */

static inline bool step_close_device(struct serial *s)
{
	struct serial_file *file = serial_file(s);

	s->passing = PASS_RIGHT;
	serial_log(s, "%s fd %d: close", file->bdf, file->fd);
	model_device_close(&file->model);
	if (!serial_check(s, 0, close(file->fd) ? -errno : 0))
		return false;

	file->fd = device_open(file->bdf);
	return true;
}

static inline bool step_close_iommufd(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);

	s->passing = PASS_RIGHT;
	serial_log(s, "%d: close", fd->fd);
	model_ictx_put(fd->ictx);
	if (!serial_check(s, 0, close(fd->fd) ? -errno : 0))
		return false;

	fd->fd = iommufd_open();
	fd->ictx = model_ictx_open();
	return true;
}

static const struct serial_step {
	const char *name;
	bool (*fn)(struct serial *s);
	u32 weight;
} serial_steps[] = {
	{ "lookup", step_lookup, 200 },
	{ "map", step_map, 160 },
	{ "map_file", step_map_file, 50 },
	{ "copy", step_copy, 80 },
	{ "copy_parts", step_copy_parts, 20 },
	{ "unmap", step_unmap, 80 },
	{ "attach", step_attach, 80 },
	{ "ioas_alloc", step_ioas_alloc, 50 },
	{ "destroy", step_destroy, 80 },
	{ "hwpt_alloc", step_hwpt_alloc, 50 },
	{ "detach", step_detach, 30 },
	{ "option", step_option, 30 },
	{ "allow", step_allow, 20 },
	{ "iova_ranges", step_iova_ranges, 15 },
	{ "bind", step_bind, 15 },
	{ "hw_info", step_hw_info, 10 },
	{ "dirty_tracking", step_dirty_tracking, 10 },
	{ "viommu", step_viommu, 10 },
	{ "change_process", step_change_process, 10 },
	{ "close_device", step_close_device, 5 },
	{ "close_iommufd", step_close_iommufd, 3 },
};

static inline bool serial_step(struct serial *s)
{
	u32 i, total = 0, choice;

	for (i = 0; i < ARRAY_SIZE(serial_steps); i++)
		total += serial_steps[i].weight;

	choice = rng_below(&s->rng, total);
	for (i = 0; choice >= serial_steps[i].weight; i++)
		choice -= serial_steps[i].weight;

	s->kind = i;
	serial_log(s, "nothing");
	serial_choose_passing(s);
	return serial_steps[i].fn(s);
}

/*
 * The phase
 */

/* Once, for all rounds */
static inline void serial_init(struct serial *s, const char *bdf,
			       const char *other_bdf)
{
	const size_t size = SERIAL_EXTENTS * sizeof(struct iommu_pa_extent);
	const char *bdfs[SERIAL_DEVICES] = { bdf, other_bdf };
	int fd = memfd_create("noiommu-fuzz-args", 0);
	u32 i;

	memset(s, 0, sizeof(*s));

	VFIO_ASSERT_GE(fd, 0);
	VFIO_ASSERT_EQ(ftruncate(fd, SERIAL_ARGS_MAX), 0);
	s->args = mmap_reserve(2 * SZ_64K, SZ_64K, 0);
	/* Ends where the reserved memory that is left begins, for any page size */
	VFIO_ASSERT_EQ(SERIAL_ARGS_MAX & (getpagesize() - 1), 0);
	VFIO_ASSERT_EQ(mmap(s->args, SERIAL_ARGS_MAX, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, 0), s->args);
	s->args_ro = mmap(NULL, SERIAL_ARGS_MAX, PROT_READ, MAP_SHARED, fd, 0);
	VFIO_ASSERT_NE(s->args_ro, MAP_FAILED);
	VFIO_ASSERT_EQ(close(fd), 0);

	s->extents_end = (char *)mmap_reserve(2 * size, SZ_64K, 0) + size;
	VFIO_ASSERT_EQ(mprotect(s->extents_end - size, size,
				PROT_READ | PROT_WRITE), 0);
	s->expected = calloc_assert(MODEL_AREAS * MEM_PAGES, sizeof(*s->expected));

	for (i = 0; i < SERIAL_DEVICES && bdfs[i]; i++) {
		u32 j;

		for (j = 0; j < SERIAL_FILES; j++) {
			s->files[s->nr_files].bdf = bdfs[i];
			s->files[s->nr_files].model.busy = &s->busy[i];
			s->nr_files++;
		}
	}
}

static inline void serial_open_all(struct serial *s)
{
	u32 i;

	for (i = 0; i < SERIAL_IOMMUFDS; i++) {
		s->iommufds[i].fd = iommufd_open();
		s->iommufds[i].ictx = model_ictx_open();
	}
	for (i = 0; i < s->nr_files; i++)
		s->files[i].fd = device_open(s->files[i].bdf);
}

/* From a random one on, so that either kind goes first at times */
static inline void serial_close_all(struct serial *s)
{
	const u32 nr = SERIAL_IOMMUFDS + s->nr_files;
	const u32 first = rng_below(&s->rng, nr);
	u32 i, j;

	for (i = 0; i < nr; i++) {
		j = (first + i) % nr;
		if (j < s->nr_files) {
			model_device_close(&s->files[j].model);
			VFIO_ASSERT_EQ(close(s->files[j].fd), 0);
		} else {
			j -= s->nr_files;
			model_ictx_put(s->iommufds[j].ictx);
			VFIO_ASSERT_EQ(close(s->iommufds[j].fd), 0);
		}
	}
}

/* Returns false if a step did not do what it should */
static inline bool serial_run(struct serial *s, u64 seed, u32 round, u32 steps)
{
	bool ok = true;

	s->seed = seed;
	s->round = round;
	rng_init(&s->rng, seed, round);

	serial_open_all(s);
	for (s->step = 0; ok && s->step < steps; s->step++)
		ok = serial_step(s);
	serial_close_all(s);

	return ok;
}

/* To be seen by eye: a fuzzer of which everything fails early finds nothing */
static inline void serial_print_statistics(const struct serial *s)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(serial_steps); i++)
		printf("# %s: %u steps, %u with success\n", serial_steps[i].name,
		       s->done[i], s->succeeded[i]);
}

#endif /* SELFTESTS_VFIO_NOIOMMU_FUZZ_SERIAL_H */
