/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_NOIOMMU_DRIVER_H
#define SELFTESTS_VFIO_NOIOMMU_DRIVER_H

/* What an administrator does to a device and to its driver, in sysfs */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/limits.h>

#include <libvfio.h>

#include "noiommu_devices.h"

/* Returns 0 or a negative errno */
static inline int sysfs_write(const char *path, const char *value)
{
	int ret = 0;
	int fd;

	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	VFIO_ASSERT_EQ(close(fd), 0);

	return ret;
}

static inline int device_sysfs_write(const char *bdf, const char *name,
				     const char *value)
{
	char path[PATH_MAX];

	snprintf_assert(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf,
			name);
	return sysfs_write(path, value);
}

static inline bool device_has_sysfs(const char *bdf, const char *name)
{
	char path[PATH_MAX];

	snprintf_assert(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf,
			name);
	return !access(path, F_OK);
}

/* Is there such a device? */
static inline bool device_exists(const char *bdf)
{
	return device_has_sysfs(bdf, "config");
}

/* Is it registered with VFIO? */
static inline bool device_has_vfio(const char *bdf)
{
	return device_has_sysfs(bdf, "vfio-dev");
}

/* Returns when nobody uses the device any more */
static inline int device_unbind(const char *bdf)
{
	return device_sysfs_write(bdf, "driver/unbind", bdf);
}

/* Returns 0 if the driver took the device, a negative errno if not */
static inline int device_bind_vfio(const char *bdf)
{
	int ret;

	ret = device_sysfs_write(bdf, "driver_override", "vfio-pci");
	if (!ret)
		ret = sysfs_write("/sys/bus/pci/drivers/vfio-pci/bind", bdf);

	return ret;
}

/* May devices that are bound from now on be used without an IOMMU? */
static inline void noiommu_mode_set(bool on)
{
	VFIO_ASSERT_EQ(sysfs_write(NOIOMMU_MODE, on ? "Y" : "N"), 0);
}

#endif /* SELFTESTS_VFIO_NOIOMMU_DRIVER_H */
