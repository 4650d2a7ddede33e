// SPDX-License-Identifier: GPL-2.0
/* What an errno of libvfiodma is likely to mean on this machine */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "example.h"
#include "example-why.h"

#define DEVICES		"/sys/bus/pci/devices"
#define OF_ROOT		"its mode and owner: run as root, or chown it to this user"

int why_no_context(int err)
{
	switch (err) {
	case ENOSYS:
		return refuse(err,
			      "/dev/iommu: this kernel has none: it needs CONFIG_IOMMUFD, perhaps modprobe iommufd");
	case EACCES:
		return fail(err, "open /dev/iommu (%s)", OF_ROOT);
	}
	return fail(err, "open /dev/iommu");
}

/* Where a symbolic link leads, with room for PATH_MAX; "" if there is none */
static void read_link(const char *path, char *target)
{
	ssize_t len = readlink(path, target, PATH_MAX - 1);

	target[len < 0 ? 0 : len] = '\0';
}

/* What comes after the last slash of what a link of the device leads to */
static void read_name(const char *bdf, const char *link, char *name)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", bdf, link);
	read_link(path, target);
	slash = strrchr(target, '/');
	snprintf(name, PATH_MAX, "%s", slash ? slash + 1 : "");
}

static int refuse_unbound(const char *bdf)
{
	char driver[PATH_MAX];

	read_name(bdf, "driver", driver);
	if (*driver)
		return refuse(EUNATCH,
			      "%s: bound to the driver %s, not to vfio-pci: unbind it, write vfio-pci to its driver_override and %s to /sys/bus/pci/drivers_probe",
			      bdf, driver, bdf);
	return refuse(EUNATCH,
		      "%s: not bound to a driver: write vfio-pci to its driver_override and %s to /sys/bus/pci/drivers_probe (vfio-pci takes a device without an IOMMU only with vfio.enable_unsafe_noiommu_mode=1)",
		      bdf, bdf);
}

/* VFIO's name of the device, which is that of its node; "" if there is none */
static void find_node(const char *bdf, char *node, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	*node = '\0';
	snprintf(path, sizeof(path), DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(node, size, "/dev/vfio/devices/%s",
				 entry->d_name);
	if (dir)
		closedir(dir);
}

/* Whether a process has one of two nodes open; no, if we may not look. */
static bool has_open(pid_t pid, const char *node, const char *group)
{
	char path[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid,
			 entry->d_name);
		read_link(path, target);
		found = !strcmp(target, node) || !strcmp(target, group);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Who, other than us, has the device, by its cdev or its group; 0: not found */
static pid_t find_user(const char *bdf)
{
	char node[PATH_MAX], name[PATH_MAX], group[PATH_MAX];
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t pid, found = 0;

	find_node(bdf, node, sizeof(node));
	read_name(bdf, "iommu_group", name);
	snprintf(group, sizeof(group), "/dev/vfio/%s%.32s",
		 strstr(node, "noiommu-") ? "noiommu-" : "", name);
	while (dir && !found && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && pid != getpid() && has_open(pid, node, group))
			found = pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

static int refuse_used(const char *bdf)
{
	char path[PATH_MAX], program[PATH_MAX];
	pid_t pid = find_user(bdf);

	if (!pid)
		return refuse(EBUSY,
			      "%s: in use by a process that can not be seen from here",
			      bdf);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	read_link(path, program);
	return refuse(EBUSY, "%s: in use by process %d (%s): end it, or wait for its end",
		      bdf, pid, program);
}

int why_no_device(int err, const char *bdf)
{
	char node[PATH_MAX];

	find_node(bdf, node, sizeof(node));
	switch (err) {
	case EUNATCH:
		return refuse_unbound(bdf);
	case ENOSYS:
		return refuse(err,
			      "%s: bound to vfio-pci, but this kernel has no cdev for it, or no IOMMU_IOAS_GET_PA: CONFIG_VFIO_DEVICE_CDEV and, without an IOMMU, CONFIG_VFIO_NOIOMMU on a kernel that knows both together",
			      bdf);
	case EPERM:
		return fail(err, "%s: open %s (needs CAP_SYS_RAWIO)", bdf, node);
	case EACCES:
		return fail(err, "%s: open %s (%s)", bdf, node, OF_ROOT);
	case ENOENT:
		return fail(err,
			    "%s: open %s (not in this /dev, or just unbound from vfio-pci)",
			    bdf, node);
	case EBUSY:
		return refuse_used(bdf);
	case EXDEV:
		return refuse(err,
			      "%s: these devices can not share memory: it is not at the same addresses to them (some behind an IOMMU, or on different buses)",
			      bdf);
	}
	return fail(err, "%s: open it", bdf);
}

int why_no_memory(int err, size_t size, enum vfiodma_memory kind)
{
	bool huge = kind == VFIODMA_HUGE_2M || kind == VFIODMA_HUGE_1G;

	if (err == EOPNOTSUPP)
		return refuse(err,
			      "this kernel has no huge pages of that size: use --memory scattered");
	if (err == EADDRNOTAVAIL)
		return refuse(err,
			      "memory of %zu bytes: the device does not reach all memory of this machine, and not what the kernel gave",
			      size);
	if (err == ENOMEM)
		return fail(err,
			    "memory of %zu bytes (%smapped memory counts as locked: see ulimit -l)",
			    size, huge ? "too few huge pages in /proc/sys/vm/nr_hugepages? " : "");
	return fail(err, "memory of %zu bytes", size);
}
