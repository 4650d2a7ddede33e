// SPDX-License-Identifier: GPL-2.0
/* From the address of a PCI device to VFIO's node for it, and what the node is */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "internal.h"

#define DEVICES		"/sys/bus/pci/devices"
#define NOIOMMU_PREFIX	"noiommu-"

/* Digits and what must follow them: no sign, blank or 0x, as scanf() takes. */
static bool parse_hex(const char **text, char end, unsigned int max,
		      unsigned int *value)
{
	size_t digits = strspn(*text, "0123456789abcdefABCDEF");

	if (!digits || digits > 8 || (*text)[digits] != end)
		return false;
	*value = strtoul(*text, NULL, 16);
	*text += digits + 1;
	return *value <= max;
}

/* The folder of a device, whose address may lack the domain */
static int find_folder(const char *bdf, char *path, size_t size)
{
	unsigned int domain = 0, bus, slot, function;

	if (strchr(bdf, ':') != strrchr(bdf, ':') &&
	    !parse_hex(&bdf, ':', ~0u, &domain))
		return -EINVAL;
	if (!parse_hex(&bdf, ':', 0xff, &bus) ||
	    !parse_hex(&bdf, '.', 0x1f, &slot) ||
	    !parse_hex(&bdf, '\0', 7, &function))
		return -EINVAL;
	snprintf(path, size, DEVICES "/%04x:%02x:%02x.%u", domain, bus, slot,
		 function);
	return access(path, F_OK) ? -ENODEV : 0;
}

/* No folder of VFIO's: whether that is for want of a driver, or of the cdev */
static int why_no_node(const char *folder)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/driver", folder);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -EUNATCH;
	target[length] = '\0';
	return strstr(target, "vfio") ? -ENOSYS : -EUNATCH;
}

/* The name of the one folder in vfio-dev, if the kernel makes a cdev for it */
static int find_name(const char *folder, char *name, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int err = -ENOSYS;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/vfio-dev", folder);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? why_no_node(folder) : -errno;
	while (err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, size, "%s", entry->d_name);
		snprintf(path, sizeof(path), "%s/vfio-dev/%s/dev", folder, name);
		/* Without VFIO_DEVICE_CDEV there is a device, but no number. */
		err = access(path, F_OK) ? -ENOSYS : 0;
	}
	closedir(dir);
	return err;
}

int sysfs_find_node(const char *bdf, char *path, size_t size)
{
	char folder[PATH_MAX / 2], name[NAME_MAX + 1];
	int err;

	err = find_folder(bdf, folder, sizeof(folder));
	if (!err)
		err = find_name(folder, name, sizeof(name));
	if (err)
		return err;
	snprintf(path, size, "/dev/vfio/devices/%s", name);
	return 0;
}

/*
 * What sysfs calls a node is for sure; the file may have been given any name. VFIO
 * calls a device without an IOMMU noiommu-vfioN.
 */
int sysfs_check_node(int fd, bool *has_iommu)
{
	char path[64], target[PATH_MAX];
	const char *name;
	struct stat stat;
	ssize_t length;

	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISCHR(stat.st_mode))
		return -EINVAL;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u",
		 major(stat.st_rdev), minor(stat.st_rdev));
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -EINVAL;
	target[length] = '\0';
	name = strrchr(target, '/');
	if (!name || !strstr(target, "/vfio-dev/"))
		return -EINVAL;
	*has_iommu = strncmp(name + 1, NOIOMMU_PREFIX, strlen(NOIOMMU_PREFIX));
	return 0;
}
