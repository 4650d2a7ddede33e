// SPDX-License-Identifier: GPL-2.0-only
/* Steps of the serial phase: devices, and opening and closing */
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


/* For ioctls that look at no more than they know of */
static void serial_choose_vfio_passing(struct serial *s)
{
	if (s->passing == PASS_CUT || s->passing == PASS_LONG_DIRTY)
		s->passing = PASS_BAD_POINTER;
}

static int bind_expect(struct serial *s, struct serial_file *file,
		       const struct vfio_device_bind_iommufd *args,
		       struct m_ictx *ictx, u32 *id)
{
	int ret = serial_passing_error(s);

	if (ret)
		return ret;
	if (args->iommufd < 0 ||
	    args->flags & ~(VFIO_DEVICE_BIND_FLAG_TOKEN | QUARANTINE | QUIET))
		return -EINVAL;
	if (file->model.ictx)
		return -EINVAL;
	/* The token cannot be read */
	if (args->flags & VFIO_DEVICE_BIND_FLAG_TOKEN)
		return -EFAULT;
	if (!ictx)
		return args->iommufd == fuzz_mem.files[FILE_NULL].fd ? -EBADFD :
								      -EBADF;

	ret = model_bind(&file->model, ictx, id) ?:
	      model_bind_check(&file->model, args->flags);
	if (!ret && serial_output_error(s)) {
		model_device_close(&file->model);
		ret = serial_output_error(s);
	}

	if (!ret)
		model_bind_flags(&file->model, args->flags);
	return ret;
}

bool step_bind(struct serial *s)
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
	if (rng_one_in(&s->rng, 2))
		args.flags |= rng_below(&s->rng, 4) * QUARANTINE;
	if (!HAS_FILES)
		serial_choose_vfio_passing(s);

	expected = bind_expect(s, file, &args, ictx, &id);

	serial_log(s, "%s fd %d: bind to %d flags %#x", file->bdf, file->fd,
		   args.iommufd, args.flags);
	ret = serial_ioctl(s, file->fd, VFIO_DEVICE_BIND_IOMMUFD, &args,
			   sizeof(args), BIND_MIN);

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "device", id, args.out_devid));
}

static int attach_expect(struct serial *s, struct serial_file *file,
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

	ret = model_attach(&file->model, with_pasid, PASID_OF(*args), pt_id);
	if (ret || !serial_output_error(s))
		return ret;

	/* Undone not by going back to what it was, but by a detach */
	model_detach(&file->model, false);
	return serial_output_error(s);
}

bool step_attach(struct serial *s)
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
		args.flags |= (VFIO_DEVICE_ATTACH_PASID + 1U) << rng_below(&s->rng, 31);
	if (rng_below(&s->rng, 3))
		PASID_SET(args, rng_one_in(&s->rng, 2) ?
			  1U << rng_below(&s->rng, 32) :
			  rng_below(&s->rng, 1 << 20));
	serial_choose_vfio_passing(s);

	expected = attach_expect(s, file, &args, &pt_id);

	serial_log(s, "%s fd %d: attach %#x flags %#x PASID %#x", file->bdf,
		   file->fd, args.pt_id, args.flags, PASID_OF(args));
	ret = serial_ioctl(s, file->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &args,
			   sizeof(args), ATTACH_MIN);

	return serial_check(s, expected, ret) &&
		(ret || serial_check_out(s, "HWPT", pt_id, args.pt_id));
}

bool step_detach(struct serial *s)
{
	struct serial_file *file = serial_file(s);
	struct vfio_device_detach_iommufd_pt args = {
		.flags = rng_one_in(&s->rng, 6) ? rng_below(&s->rng, 4) : 0,
	};
	const bool with_pasid = args.flags & VFIO_DEVICE_DETACH_PASID;
	int expected, ret;

	if (rng_one_in(&s->rng, 4))
		PASID_SET(args, rng_below(&s->rng, 1 << 20));
	serial_choose_vfio_passing(s);
	expected = file->model.ictx ? serial_passing_error(s) : -EINVAL;
	if (!expected && args.flags & ~VFIO_DEVICE_DETACH_PASID)
		expected = -EINVAL;
	if (!expected && (!with_pasid || !PASID_OF(args)))
		model_detach(&file->model, with_pasid);

	serial_log(s, "%s fd %d: detach flags %#x PASID %#x", file->bdf, file->fd,
		   args.flags, PASID_OF(args));
	ret = serial_ioctl(s, file->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &args,
			   sizeof(args), DETACH_MIN);

	return serial_check(s, expected, ret);
}

/*
 * Steps: opening and closing
 */

bool step_close_device(struct serial *s)
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

bool step_close_iommufd(struct serial *s)
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
