/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_NOIOMMU_HOST_H
#define SELFTESTS_VFIO_NOIOMMU_HOST_H

/* What the kernel knows of a device, or of memory, that its user cannot see */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/pci_regs.h>
#include <linux/types.h>

#include <libvfio.h>

/* As the host has it, also while nobody has the device open */
static inline u16 pci_command(const char *bdf)
{
	char path[PATH_MAX];
	u16 command;
	int fd;

	snprintf_assert(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = open(path, O_RDONLY);
	VFIO_ASSERT_GE(fd, 0);
	VFIO_ASSERT_EQ(pread(fd, &command, sizeof(command), PCI_COMMAND),
		       (ssize_t)sizeof(command));
	VFIO_ASSERT_EQ(close(fd), 0);

	return command;
}

/*
 * Pages that are pinned for DMA at present, in the whole system. Returns -1 if
 * the kernel does not count them.
 */
static inline s64 pinned_pages(void)
{
	s64 acquired = -1, released = -1, value;
	char buf[64], name[64];
	FILE *file;
	int fd;

	/* Bring in what the CPUs have counted since they were last asked */
	fd = open("/proc/sys/vm/stat_refresh", O_RDONLY);
	if (fd >= 0) {
		VFIO_ASSERT_GE(read(fd, buf, sizeof(buf)), 0);
		VFIO_ASSERT_EQ(close(fd), 0);
	}

	file = fopen("/proc/vmstat", "r");
	VFIO_ASSERT_NOT_NULL(file);
	while (fscanf(file, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			acquired = value;
		else if (!strcmp(name, "nr_foll_pin_released"))
			released = value;
	}
	VFIO_ASSERT_EQ(fclose(file), 0);

	if (acquired < 0 || released < 0)
		return -1;

	return acquired - released;
}

/*
 * Others pin pages too, for a read with O_DIRECT say, but soon let go of them.
 * This is what to compare with later: the lowest of some counts.
 */
static inline s64 pinned_pages_lowest(void)
{
	s64 pinned = pinned_pages();
	int i;

	for (i = 0; i < 10; i++) {
		usleep(1000);
		pinned = min(pinned, pinned_pages());
	}

	return pinned;
}

/*
 * Give others some seconds to let go of theirs. Returns the last count, which is
 * not @expected only if none was.
 */
static inline s64 pinned_pages_wait(s64 expected)
{
	s64 pinned = pinned_pages();
	int i;

	for (i = 0; i < 500 && pinned != expected; i++) {
		usleep(10000);
		pinned = pinned_pages();
	}

	return pinned;
}

/* Prints both numbers if they differ */
#define ASSERT_PINNED(pages)						\
	do {								\
		const s64 _pinned = (pages);				\
									\
		ASSERT_EQ(_pinned, pinned_pages_wait(_pinned));		\
	} while (0)

#endif /* SELFTESTS_VFIO_NOIOMMU_HOST_H */
