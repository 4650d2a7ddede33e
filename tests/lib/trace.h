/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_TRACE_H
#define TESTS_LIB_TRACE_H

/*
 * What the kernel records of devices without an IOMMU, as text: by an instance of
 * its own, which leaves other users of tracefs alone. Who cannot have it fails at
 * once: these exit with a message.
 */

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/stat.h>

#define TRACEFS			"/sys/kernel/tracing"
#define EVENTS			"events/iommufd_noiommu/"
#define GET_PA_EVENT		EVENTS "iommufd_noiommu_get_pa/"

static char trace_instance[PATH_MAX];

static inline void trace_path(char *path, const char *file)
{
	if (snprintf(path, PATH_MAX, "%s/%s", trace_instance, file) >= PATH_MAX)
		errx(1, "The path of %s is too long", file);
}

static inline void trace_write(const char *file, const char *value)
{
	const ssize_t length = strlen(value);
	char path[PATH_MAX];
	int fd;

	trace_path(path, file);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0 || write(fd, value, length) != length || close(fd))
		err(1, "Cannot write '%s' to %s", value, path);
}

/* The events alone, without what the kernel adds in comments. To be freed. */
static inline char *trace_read(void)
{
	char path[PATH_MAX], *line = NULL, *text;
	size_t room = 0, size;
	FILE *trace, *copy;

	trace_path(path, "trace");
	trace = fopen(path, "r");
	copy = open_memstream(&text, &size);
	if (!trace || !copy)
		err(1, "Cannot read %s", path);

	while (getline(&line, &room, trace) > 0) {
		if (line[0] != '#')
			fputs(line, copy);
	}

	free(line);
	fclose(trace);
	if (fclose(copy))
		err(1, "Cannot copy %s", path);
	return text;
}

/* What the trace has of an extent that a lookup gave to a process */
static inline void trace_print_get_pa(FILE *stream, unsigned int ioas_id,
				      unsigned long long iova,
				      unsigned long long phys,
				      unsigned long long length, pid_t pid)
{
	fprintf(stream,
		"iommufd_noiommu_get_pa: ioas_id=%u iova=0x%llx phys=0x%llx length=0x%llx pid=%d\n",
		ioas_id, iova, phys, length, pid);
}

static inline bool tracefs_find(void)
{
	if (!access(TRACEFS "/instances", F_OK))
		return true;

	/* Not mounted: do that for this program only */
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		err(1, "No mount namespace of its own");
	return !mount("tracefs", TRACEFS, "tracefs", 0, NULL);
}

/* False if the kernel cannot trace events */
static inline bool trace_init(void)
{
	if (!tracefs_find() || access(TRACEFS "/events", F_OK))
		return false;
	if (access(TRACEFS "/" EVENTS, F_OK))
		errx(1, "There are no events of devices without an IOMMU");

	snprintf(trace_instance, sizeof(trace_instance),
		 TRACEFS "/instances/iommufd_noiommu-%d", getpid());
	if (mkdir(trace_instance, 0700))
		err(1, "Cannot make %s", trace_instance);

	/* The clocks of two CPUs need not agree on the order */
	trace_write("trace_clock", "counter");
	/* Neither the task, its CPU, nor the time are of interest */
	trace_write("options/context-info", "0");
	return true;
}

static inline void trace_cleanup(void)
{
	if (rmdir(trace_instance))
		err(1, "Cannot remove %s", trace_instance);
}

#endif /* TESTS_LIB_TRACE_H */
