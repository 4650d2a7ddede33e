// SPDX-License-Identifier: GPL-2.0-only
/* Steps of the serial phase: lookup */
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
#include "serial.h"
#include "uapi.h"
#include "utils.h"
#include "values.h"


struct lookup {
	union get_pa_args raw;
	struct m_lookup model;
	u32 size;
	/* Where the array begins, if there is one */
	char *array;
};

static void lookup_choose_range(struct serial *s, struct m_ictx *ictx,
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

	if (rng_one_in(&s->rng, 4)) {
		args->flags = IOMMU_IOAS_GET_PA_DEVICE;
		args->dev_id = serial_id(s, ictx, M_DEVICE);
	}
	if (rng_one_in(&s->rng, 64))
		args->flags = 1U << rng_below(&s->rng, 32);
	if (rng_one_in(&s->rng, 64))
		args->__reserved = 1U << rng_below(&s->rng, 32);
}

/* With room for as many as are told of, or with less, with none, or nowhere */
static void lookup_choose_array(struct serial *s, struct lookup *l)
{
	struct iommu_ioas_get_pa *args = &l->raw.args;
	struct m_lookup *m = &l->model;

	args->num_extents = 1 + rng_below(&s->rng, 16);
	if (rng_one_in(&s->rng, 4))
		args->num_extents = 1 + rng_below(&s->rng, 600);
	if (rng_one_in(&s->rng, 16))
		args->num_extents = UINT32_MAX - rng_below(&s->rng, 2);
	if (rng_one_in(&s->rng, 64))
		args->dev_id = 1U << rng_below(&s->rng, 32);

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

/* As much of the ID as the struct has, the rest of which is zero to the kernel */
static void lookup_tell_device(struct lookup *l)
{
	const u32 offset = offsetof(struct iommu_ioas_get_pa, dev_id);
	u32 size = l->size > offset ? l->size - offset : 0;

	size = min_t(u32, size, sizeof(l->model.dev_id));
	memcpy(&l->model.dev_id, &l->raw.args.dev_id, size);
}

static void lookup_choose(struct serial *s, struct m_ictx *ictx,
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
	l->model.by_device = args->flags & IOMMU_IOAS_GET_PA_DEVICE;
	lookup_tell_device(l);
	args->out_phys = 0xdeadbeefdeadbeefULL;
}

static int lookup_expect(struct serial *s, struct m_ictx *ictx,
			 struct lookup *l)
{
	const struct iommu_ioas_get_pa *args = &l->raw.args;
	int expected = serial_passing_error(s);

	if (expected)
		return expected;
	if (args->flags & ~IOMMU_IOAS_GET_PA_DEVICE || args->__reserved)
		return -EOPNOTSUPP;
	if (l->model.dev_id && !l->model.by_device)
		return -EOPNOTSUPP;

	return model_lookup(ictx, args->ioas_id, &l->model) ?:
		serial_output_error(s);
}

static bool lookup_check(struct serial *s, const struct lookup *l,
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

bool step_lookup(struct serial *s)
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
		   args->flags, args->__reserved, args->dev_id, room,
		   args->extents_uptr, l.model.writable);
	ret = serial_ioctl(s, fd->fd, IOMMU_IOAS_GET_PA, args, l.size, GET_PA_SIZE);

	return serial_check(s, expected, ret) && (ret || lookup_check(s, &l, room));
}
