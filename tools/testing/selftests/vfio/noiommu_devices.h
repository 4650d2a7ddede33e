/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_NOIOMMU_DEVICES_H
#define SELFTESTS_VFIO_NOIOMMU_DEVICES_H

/*
 * Any noiommu device will do for most tests. Some need a second one, or edu.
 * Those may be named on the command line after the first, but need not be:
 * whatever else is bound to VFIO without an IOMMU is found in sysfs.
 */

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/limits.h>

#include <libvfio.h>

#include "lib/drivers/edu/registers.h"

#define NOIOMMU_MODE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

struct noiommu_devices {
	const char *bdf;
	const char *cdev_path;

	/* NULL if there is no such device. Either may be edu, or both. */
	const char *other_bdf;
	const char *edu_bdf;
};

static inline bool device_is_edu(const char *bdf)
{
	unsigned int vendor, device;
	char buf[PATH_MAX];
	bool edu = false;
	FILE *file;

	snprintf_assert(buf, sizeof(buf), "/sys/bus/pci/devices/%s/uevent", bdf);
	file = fopen(buf, "r");
	VFIO_ASSERT_NOT_NULL(file, "Failed to open %s\n", buf);

	while (!edu && fgets(buf, sizeof(buf), file)) {
		if (sscanf(buf, "PCI_ID=%x:%x", &vendor, &device) == 2)
			edu = vendor == EDU_VENDOR_ID && device == EDU_DEVICE_ID;
	}
	VFIO_ASSERT_EQ(fclose(file), 0);

	return edu;
}

/* For each device that VFIO has and whose name there starts with the prefix */
static inline void vfio_devs_for_each(const char *prefix,
				      void (*fn)(void *arg, const char *bdf),
				      void *arg)
{
	static const char dir_path[] = "/sys/class/vfio-dev";
	char path[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	ssize_t length;
	DIR *dir;

	dir = opendir(dir_path);
	VFIO_ASSERT_NOT_NULL(dir, "Failed to open directory %s\n", dir_path);

	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(prefix, entry->d_name, strlen(prefix)))
			continue;

		snprintf_assert(path, sizeof(path), "%s/%s/device", dir_path,
				entry->d_name);
		length = readlink(path, target, sizeof(target) - 1);
		VFIO_ASSERT_GT(length, 0, "Failed to read link %s\n", path);
		target[length] = 0;

		fn(arg, basename(target));
	}

	VFIO_ASSERT_EQ(closedir(dir), 0);
}

static inline void devices_add(void *arg, const char *bdf)
{
	struct noiommu_devices *devices = arg;

	if (!devices->other_bdf && strcmp(bdf, devices->bdf))
		devices->other_bdf = strdup(bdf);

	if (!devices->edu_bdf && device_is_edu(bdf))
		devices->edu_bdf = strdup(bdf);
}

/* The reason why the device cannot be tested, to follow its name, or NULL */
static inline const char *device_mismatch(const char *bdf)
{
	/* VFIO takes no such device then, there is nothing to look at in sysfs */
	if (access(NOIOMMU_MODE, F_OK))
		return "cannot be used, the kernel has no noiommu mode";

	return iommu_mode_mismatch(MODE_NOIOMMU, bdf);
}

/*
 * Exits with KSFT_SKIP if no device is named, or the first is not one that is
 * used without an IOMMU by its cdev.
 */
static inline void devices_find(struct noiommu_devices *devices, int *argc,
				char *argv[])
{
	const char *why;
	char **bdfs;
	int nr, i;

	bdfs = vfio_selftests_get_bdfs(argc, argv, &nr);

	devices->bdf = bdfs[0];
	why = device_mismatch(devices->bdf);
	if (why) {
		fprintf(stderr, "%s %s, skipping test.\n", devices->bdf, why);
		exit(KSFT_SKIP);
	}
	devices->cdev_path = vfio_pci_get_cdev_path(devices->bdf);

	for (i = 0; i < nr; i++)
		devices_add(devices, bdfs[i]);
	vfio_devs_for_each("noiommu-vfio", devices_add, devices);

	printf("Using cdev device %s, second device %s, edu %s\n",
	       devices->cdev_path, devices->other_bdf ?: "none",
	       devices->edu_bdf ?: "none");
}

#endif /* SELFTESTS_VFIO_NOIOMMU_DEVICES_H */
