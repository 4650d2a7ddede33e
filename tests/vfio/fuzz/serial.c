// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "memory.h"
#include "model.h"
#include "quarantine.h"
#include "serial.h"
#include "uapi.h"
#include "utils.h"
#include "values.h"


/*
 * What was done last
 */

__printf(2, 3) void serial_log(struct serial *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->log[s->step % SERIAL_LOG], sizeof(s->log[0]), fmt, args);
	va_end(args);
}

static void serial_log_ret(struct serial *s, int ret)
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

static void serial_log_print(const struct serial *s)
{
	u32 step = s->step < SERIAL_LOG ? 0 : s->step - SERIAL_LOG + 1;

	printf("# --seed %lu, round %u, step %u\n", s->seed, s->round, s->step);
	printf("# Memory is at %p, the last steps were:\n", fuzz_mem.vaddr);
	for (; step <= s->step; step++)
		printf("#   %u: %s\n", step, s->log[step % SERIAL_LOG]);
}

/* Has the step returned what it should? */
bool serial_check(struct serial *s, int expected, int got)
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

bool serial_check_out(struct serial *s, const char *name,
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

static void serial_choose_passing(struct serial *s)
{
	s->passing = PASS_RIGHT;
	if (rng_one_in(&s->rng, 16))
		s->passing = rng_below(&s->rng, NR_PASSING);
}

/* What comes of it before the operation gets to see its arguments */
int serial_passing_error(const struct serial *s)
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
int serial_output_error(const struct serial *s)
{
	return s->passing == PASS_READ_ONLY ? -EFAULT : 0;
}

/* The size that is told to the kernel, and where the struct begins */
static char *serial_place(struct serial *s, u32 *size, u32 min)
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

static void *serial_pointer(struct serial *s, char *at)
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
int serial_ioctl(struct serial *s, int fd, unsigned long cmd,
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

struct serial_iommufd *serial_iommufd(struct serial *s)
{
	return &s->iommufds[rng_below(&s->rng, SERIAL_IOMMUFDS)];
}

/* More often than not one that is bound */
struct serial_file *serial_file(struct serial *s)
{
	struct serial_file *file;
	int tries = 6;

	do {
		file = &s->files[rng_below(&s->rng, s->nr_files)];
	} while (!file->model.ictx && tries--);

	return file;
}

u32 serial_id(struct serial *s, struct m_ictx *ictx, enum m_type type)
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
struct m_area *serial_area(struct serial *s, struct m_ictx *ictx,
			   u32 id)
{
	struct m_object *obj = model_get(ictx, id, M_IOAS);

	if (!obj || !obj->ioas->nr_areas || rng_one_in(&s->rng, 24))
		return NULL;

	return &obj->ioas->areas[rng_below(&s->rng, obj->ioas->nr_areas)];
}

u64 serial_offset(struct serial *s, u64 length)
{
	const u64 page_size = getpagesize();

	if (rng_one_in(&s->rng, 4))
		return rng_below(&s->rng, length);

	return rng_below(&s->rng, (length + page_size - 1) / page_size) * page_size;
}

bool serial_is_full(struct m_ictx *ictx)
{
	return model_nr_objects(ictx) >= SERIAL_MAX_OBJECTS;
}

bool serial_ioas_is_full(struct m_ictx *ictx, u32 ioas_id)
{
	struct m_object *obj = model_get(ictx, ioas_id, M_IOAS);

	return obj && obj->ioas->nr_areas >= SERIAL_MAX_AREAS;
}

u32 serial_map_flags(struct serial *s)
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
u64 serial_address(struct serial *s, u64 *length)
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
void serial_be_long(struct serial *s, u64 *address, u64 *length,
		    u64 *iova)
{
	const u64 page_size = getpagesize();

	*address = rng_below(&s->rng, 2 * page_size);
	*length = fuzz_longest(&s->rng, *address % page_size);
	if (rng_below(&s->rng, 4))
		*iova = rng_one_in(&s->rng, 2) ? rng_below(&s->rng, page_size) : 0;
}

/* NULL if @id is no IOAS */
static struct m_ioas *serial_ioas(struct m_ictx *ictx, u32 id)
{
	struct m_object *obj = model_get(ictx, id, M_IOAS);

	return obj ? obj->ioas : NULL;
}

/*
 * As long as an IOAS has no HWPT almost everything can be mapped, and none can be
 * made once something is that cannot be pinned. So that is kept rare.
 */
bool serial_be_tame(struct serial *s, struct m_ictx *ictx, u32 ioas_id)
{
	struct m_ioas *ioas = serial_ioas(ictx, ioas_id);

	return ioas && !ioas->nr_hwpts && rng_below(&s->rng, 48);
}

void tame_range(u64 *address, u64 size, u64 *length, u64 *iova)
{
	const u64 page_size = getpagesize();

	*address &= -page_size;
	*iova &= -page_size;
	if (*length > size - *address)
		*length = size - *address;
	*length = (*length + page_size - 1) & -page_size;
}

/* An IOAS that is like this, or else any */
u32 serial_find_ioas(struct serial *s, struct m_ictx *ictx,
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

bool ioas_is_pinned(const struct m_ioas *ioas)
{
	return ioas->nr_hwpts && ioas->nr_areas;
}

/* Not everything can be copied there */
bool ioas_is_aligned(const struct m_ioas *ioas)
{
	return model_align(ioas) > 1;
}

static const struct serial_step {
	const char *name;
	bool (*fn)(struct serial *s);
	u32 weight;
} serial_steps[] = {
	{ "lookup", step_lookup, 200 },
	{ "map", step_map, 160 },
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
	{ "close_device", step_close_device, 5 },
	{ "close_iommufd", step_close_iommufd, 3 },
#ifdef IOMMU_IOAS_MAP_FILE
	{ "map_file", step_map_file, 50 },
	{ "viommu", step_viommu, 10 },
	{ "change_process", step_change_process, 10 },
#endif
};

static bool serial_step(struct serial *s)
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
void serial_init(struct serial *s, const char *bdf,
		 const char *other_bdf)
{
	const size_t size = SERIAL_EXTENTS * sizeof(struct iommu_pa_extent);
	const char *bdfs[SERIAL_DEVICES] = { bdf, other_bdf };
	int fd = memfd_create("noiommu-fuzz-args", 0);
	u32 i;

	memset(s, 0, sizeof(*s));

	VFIO_ASSERT_GE(fd, 0);
	VFIO_ASSERT_EQ(ftruncate(fd, SERIAL_ARGS_MAX), 0);
	s->args = mem_reserve(2 * SZ_64K, SZ_64K);
	/* Ends where the reserved memory that is left begins, for any page size */
	VFIO_ASSERT_EQ(SERIAL_ARGS_MAX & (getpagesize() - 1), 0);
	VFIO_ASSERT_EQ(mmap(s->args, SERIAL_ARGS_MAX, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, 0), s->args);
	s->args_ro = mmap(NULL, SERIAL_ARGS_MAX, PROT_READ, MAP_SHARED, fd, 0);
	VFIO_ASSERT_NE(s->args_ro, MAP_FAILED);
	VFIO_ASSERT_EQ(close(fd), 0);

	s->extents_end = mem_reserve(2 * size, SZ_64K) + size;
	VFIO_ASSERT_EQ(mprotect(s->extents_end - size, size,
				PROT_READ | PROT_WRITE), 0);
	s->expected = calloc_assert(MODEL_AREAS * MEM_PAGES, sizeof(*s->expected));

	for (i = 0; i < SERIAL_DEVICES && bdfs[i]; i++) {
		u32 j;

		s->shared[i].resets = closing_resets(bdfs[i]);
		for (j = 0; j < SERIAL_FILES; j++) {
			s->files[s->nr_files].bdf = bdfs[i];
			s->files[s->nr_files].model.shared = &s->shared[i];
			s->nr_files++;
		}
	}
}

static void serial_open_all(struct serial *s)
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
static void serial_close_all(struct serial *s)
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

	for (i = 0; i < s->nr_files; i++) {
		VFIO_ASSERT_EQ(is_held(s->files[i].bdf),
			       !!s->files[i].model.shared->held_ictx);
		VFIO_ASSERT_EQ(bind_once(s->files[i].bdf, QUIET), 0);
		model_release(s->files[i].model.shared);
	}
}

/* Returns false if a step did not do what it should */
bool serial_run(struct serial *s, u64 seed, u32 round, u32 steps)
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
void serial_print_statistics(const struct serial *s)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(serial_steps); i++)
		printf("# %s: %u steps, %u with success\n", serial_steps[i].name,
		       s->done[i], s->succeeded[i]);
}
