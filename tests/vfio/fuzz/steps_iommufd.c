// SPDX-License-Identifier: GPL-2.0-only
/* Steps of the serial phase: iommufd */
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


bool step_ioas_alloc(struct serial *s)
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

bool step_destroy(struct serial *s)
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

bool step_map(struct serial *s)
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

#ifdef IOMMU_IOAS_MAP_FILE
bool step_map_file(struct serial *s)
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
#endif

static void copy_choose(struct serial *s, struct m_ictx *ictx,
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

static bool copy_run(struct serial *s, struct serial_iommufd *fd,
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

bool step_copy(struct serial *s)
{
	struct serial_iommufd *fd = serial_iommufd(s);
	struct m_copy copy;

	copy_choose(s, fd->ictx, &copy);

	return copy_run(s, fd, &copy);
}

/* What comes before and after the copy is told of as a step of its own */
static void parts_next(struct serial *s)
{
	s->step++;
	serial_log(s, "nothing");
}

static bool parts_ioas_alloc(struct serial *s, struct serial_iommufd *fd,
			     u32 *id)
{
	VFIO_ASSERT_EQ(model_ioas_alloc(fd->ictx, 0, id), 0);
	serial_log(s, "%d: ioas_alloc for parts", fd->fd);
	if (!serial_check_out(s, "IOAS", *id, ioas_alloc(fd->fd)))
		return false;

	parts_next(s);
	return true;
}

static bool parts_map(struct serial *s, struct serial_iommufd *fd, u32 id,
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
static u64 parts_length(struct serial *s, u64 total, bool is_last)
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

static void parts_choose_copy(struct serial *s, struct m_ictx *ictx,
			      struct m_copy *copy)
{
	copy->flags = serial_map_flags(s);
	copy->dst_id = rng_below(&s->rng, 8) ? serial_find_ioas(s, ictx, ioas_is_aligned) :
					       serial_id(s, ictx, M_IOAS);
	copy->dst_iova = fuzz_iova(&s->rng);
	if (rng_one_in(&s->rng, 8))
		copy->length = 1 + rng_below(&s->rng, copy->length);
}

static bool parts_forget(struct serial *s, struct serial_iommufd *fd, u32 id)
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
bool step_copy_parts(struct serial *s)
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

static void unmap_choose(struct serial *s, struct m_ictx *ictx,
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

bool step_unmap(struct serial *s)
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

static void allow_choose(struct serial *s, struct m_range *ranges, u32 *nr)
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

bool step_allow(struct serial *s)
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

bool step_iova_ranges(struct serial *s)
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

static int option_expect(struct m_ictx *ictx,
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

bool step_option(struct serial *s)
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

#ifdef IOMMU_IOAS_MAP_FILE
bool step_change_process(struct serial *s)
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
#endif

bool step_hwpt_alloc(struct serial *s)
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
bool step_hw_info(struct serial *s)
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

bool step_dirty_tracking(struct serial *s)
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

#ifdef IOMMU_IOAS_MAP_FILE
bool step_viommu(struct serial *s)
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
#endif
