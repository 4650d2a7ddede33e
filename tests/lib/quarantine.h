/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_QUARANTINE_H
#define TESTS_LIB_QUARANTINE_H

/* A bind with flags, and what it takes to see whether memory is held afterwards */

#include <assert.h>

#include <linux/vfio.h>

#include "utils.h"

#define QUARANTINE	VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUARANTINE
#define QUIET		VFIO_DEVICE_BIND_FLAG_NOIOMMU_QUIET

/* The two are neighbours, so that all combinations are multiples of the first */
static_assert(QUIET == 2 * QUARANTINE);

/*
 * By a reset of its own, or by one of the bus below a bridge. There may be another
 * device that keeps that from being done.
 */
static inline bool closing_resets(const char *bdf)
{
	return device_has_sysfs(bdf, "reset") ||
	       device_has_sysfs(bdf, "../class");
}

/* The bind of a user that does nothing else */
static inline int fd_bind_once(int device_fd, u32 flags)
{
	int iommufd = iommufd_open();
	int ret = device_bind_flags(device_fd, iommufd, flags, NULL);

	VFIO_ASSERT_EQ(close(device_fd), 0);
	VFIO_ASSERT_EQ(close(iommufd), 0);
	return ret;
}

static inline int bind_once(const char *bdf, u32 flags)
{
	return fd_bind_once(device_open(bdf), flags);
}

/* Is the memory of an earlier user held? Asking changes nothing. */
static inline bool is_held(const char *bdf)
{
	int ret = bind_once(bdf, QUARANTINE);

	VFIO_ASSERT_TRUE(!ret || ret == -EBUSY);
	return ret;
}

/* Bound with flags, and attached */
static inline void bound_init_flags(struct bound *b, const char *bdf, u32 flags)
{
	b->device_fd = device_open(bdf);
	b->iommufd = iommufd_open();
	VFIO_ASSERT_EQ(device_bind_flags(b->device_fd, b->iommufd, flags,
					 &b->dev_id), 0);
	b->ioas_id = ioas_alloc(b->iommufd);
	VFIO_ASSERT_GT(device_attach_to(b->device_fd, b->ioas_id), 0);
}

#endif /* TESTS_LIB_QUARANTINE_H */
