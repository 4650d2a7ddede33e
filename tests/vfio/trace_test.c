// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trace events of devices without an IOMMU.
 *
 * They are for the day when memory is found overwritten, and then have to be
 * complete: each use of a device and each extent of an answer, once, with the
 * process that it went to. So the whole trace is compared, as text, with what
 * the ioctls returned and with /proc/self/pagemap.
 *
 * Nobody else may use such a device while this runs, that would be recorded too.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/iommufd.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "mem.h"
#include "quarantine.h"
#include "trace.h"
#include "utils.h"

#define IOVA			SZ_4G

/* The kernel hands out no more of them in one step */
#define STEP_EXTENTS		256

static struct noiommu_devices devices;

/*
 * What should be: the same text, written down by the tests
 */

static struct {
	FILE *stream;
	char *text;
	size_t size;
	pid_t pid;
} expected;

static void expected_start(void)
{
	expected.stream = open_memstream(&expected.text, &expected.size);
	VFIO_ASSERT_NOT_NULL(expected.stream);
	expected.pid = getpid();
}

static void expect_bind(const char *bdf, u32 dev_id)
{
	fprintf(expected.stream,
		"iommufd_noiommu_bind: device=%s dev_id=%u pid=%d\n",
		bdf, dev_id, expected.pid);
}

static void expect_unbind(const char *bdf, u32 dev_id)
{
	fprintf(expected.stream,
		"iommufd_noiommu_unbind: device=%s dev_id=%u pid=%d\n",
		bdf, dev_id, expected.pid);
}

static void expect_attach(const char *bdf, u32 ioas_id, u32 hwpt_id)
{
	fprintf(expected.stream,
		"iommufd_noiommu_attach: device=%s ioas_id=%u hwpt_id=%u pid=%d\n",
		bdf, ioas_id, hwpt_id, expected.pid);
}

static void expect_detach(const char *bdf, u32 ioas_id, u32 hwpt_id)
{
	fprintf(expected.stream,
		"iommufd_noiommu_detach: device=%s ioas_id=%u hwpt_id=%u pid=%d\n",
		bdf, ioas_id, hwpt_id, expected.pid);
}

static void expect_quarantine(const char *bdf, u32 dev_id, u32 ioas_id, u64 size)
{
	fprintf(expected.stream,
		"iommufd_noiommu_quarantine: device=%s dev_id=%u ioas_id=%u pages=%lu bytes=0x%lx pid=%d\n",
		bdf, dev_id, ioas_id, size / getpagesize(), size, expected.pid);
}

static void expect_release(const char *bdf, u32 dev_id, u32 ioas_id, u64 size,
			   const char *why)
{
	fprintf(expected.stream,
		"iommufd_noiommu_release: device=%s dev_id=%u ioas_id=%u pages=%lu bytes=0x%lx why=%s pid=%d\n",
		bdf, dev_id, ioas_id, size / getpagesize(), size, why,
		expected.pid);
}

static void expect_get_pa(u32 ioas_id, u64 iova, u64 phys, u64 length)
{
	trace_print_get_pa(expected.stream, ioas_id, iova, phys, length,
			   expected.pid);
}

/* Compare line by line, and show the first that differs */
static bool trace_equals(const char *seen, const char *wanted)
{
	size_t seen_length, wanted_length;
	unsigned int nr;

	for (nr = 1; *seen || *wanted; nr++) {
		seen_length = strcspn(seen, "\n");
		wanted_length = strcspn(wanted, "\n");
		if (seen_length != wanted_length ||
		    memcmp(seen, wanted, seen_length)) {
			fprintf(stderr, "# Event %u\n", nr);
			fprintf(stderr, "#   Expected: %.*s\n",
				(int)wanted_length, wanted);
			fprintf(stderr, "#   Observed: %.*s\n",
				(int)seen_length, seen);
			return false;
		}
		seen += seen_length + !!seen[seen_length];
		wanted += wanted_length + !!wanted[wanted_length];
	}

	return true;
}

/* Is just that recorded which was expected since the last time? */
static bool trace_is_expected(void)
{
	char *trace = trace_read();
	bool ret;

	VFIO_ASSERT_EQ(fclose(expected.stream), 0);
	ret = trace_equals(trace, expected.text);

	free(trace);
	free(expected.text);
	trace_write("trace", "");
	expected_start();
	return ret;
}

static void trace_start(void)
{
	/* Also what a test that failed has left behind */
	trace_write(EVENTS "filter", "0");
	trace_write(EVENTS "enable", "1");
	trace_write("trace", "");
	expected_start();
}

/*
 * Devices
 */

FIXTURE(noiommu_trace) {
	struct bound b;
};

FIXTURE_SETUP(noiommu_trace)
{
	struct bound *b = &self->b;

	trace_start();
	bound_init(b, devices.bdf);
	expect_bind(devices.bdf, b->dev_id);
	ASSERT_TRUE(trace_is_expected());
}

FIXTURE_TEARDOWN(noiommu_trace)
{
	bound_cleanup(&self->b);
}

TEST_F(noiommu_trace, unbind)
{
	struct bound *b = &self->b;

	ASSERT_EQ(0, close(b->device_fd));
	expect_unbind(devices.bdf, b->dev_id);
	ASSERT_TRUE(trace_is_expected());

	b->device_fd = device_open(devices.bdf);
	ASSERT_TRUE(trace_is_expected());
	ASSERT_EQ(0, device_bind(b->device_fd, b->iommufd, &b->dev_id));
	expect_bind(devices.bdf, b->dev_id);
	ASSERT_TRUE(trace_is_expected());
}

/* Each has an iommufd of its own, and with it ids of its own */
TEST_F(noiommu_trace, two_devices)
{
	struct bound *b = &self->b;
	struct bound other;
	s64 hwpt_id;

	if (!devices.other_bdf)
		SKIP(return, "There is no second noiommu device");

	/* In another order, so that the ids are not the same by chance */
	other.iommufd = iommufd_open();
	other.ioas_id = ioas_alloc(other.iommufd);
	other.device_fd = device_open(devices.other_bdf);
	ASSERT_EQ(0, device_bind(other.device_fd, other.iommufd, &other.dev_id));
	ASSERT_NE(b->dev_id, other.dev_id);
	expect_bind(devices.other_bdf, other.dev_id);

	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	hwpt_id = device_attach_to(other.device_fd, other.ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.other_bdf, other.ioas_id, hwpt_id);

	bound_cleanup(&other);
	expect_detach(devices.other_bdf, other.ioas_id, hwpt_id);
	expect_unbind(devices.other_bdf, other.dev_id);
	ASSERT_TRUE(trace_is_expected());
}

TEST_F(noiommu_trace, one_hwpt)
{
	struct bound *b = &self->b;
	s64 hwpt_id;
	u32 dev_id;
	int fd;

	if (!devices.other_bdf)
		SKIP(return, "There is no second noiommu device");

	fd = device_open(devices.other_bdf);
	ASSERT_EQ(0, device_bind(fd, b->iommufd, &dev_id));
	expect_bind(devices.other_bdf, dev_id);

	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_EQ(hwpt_id, device_attach_to(fd, b->ioas_id));
	expect_attach(devices.other_bdf, b->ioas_id, hwpt_id);

	/* One goes, the other stays */
	ASSERT_EQ(0, device_detach(b->device_fd));
	expect_detach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_TRUE(trace_is_expected());
	ASSERT_EQ(0, close(fd));
	expect_detach(devices.other_bdf, b->ioas_id, hwpt_id);
	expect_unbind(devices.other_bdf, dev_id);
	ASSERT_TRUE(trace_is_expected());
}

TEST_F(noiommu_trace, failed_bind)
{
	struct bound *b = &self->b;
	int fd;

	ASSERT_EQ(-EINVAL, device_bind(b->device_fd, b->iommufd, NULL));
	fd = device_open(devices.bdf);
	ASSERT_EQ(-EINVAL, device_bind(fd, b->iommufd, NULL));
	ASSERT_GT(0, device_bind(fd, -1, NULL));
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(trace_is_expected());
}

TEST_F(noiommu_trace, attach_detach)
{
	struct bound *b = &self->b;
	s64 hwpt_id;

	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_TRUE(trace_is_expected());

	/* It is there already */
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_TRUE(trace_is_expected());

	ASSERT_EQ(0, device_detach(b->device_fd));
	expect_detach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_TRUE(trace_is_expected());

	device_detach(b->device_fd);
	ASSERT_TRUE(trace_is_expected());
}

/* What is recorded is the use of a HWPT, not that there is one */
TEST_F(noiommu_trace, hwpt)
{
	struct bound *b = &self->b;
	u32 hwpt_id;

	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0, &hwpt_id));
	ASSERT_TRUE(trace_is_expected());
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, hwpt_id));
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_EQ(0, device_detach(b->device_fd));
	expect_detach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_EQ(0, object_destroy(b->iommufd, hwpt_id));
	ASSERT_TRUE(trace_is_expected());
}

TEST_F(noiommu_trace, replace)
{
	struct bound *b = &self->b;
	u32 ioas_id, hwpt_id;
	s64 auto_id, other_id;

	ioas_id = ioas_alloc(b->iommufd);
	ASSERT_EQ(0, hwpt_alloc(b->iommufd, b->dev_id, b->ioas_id, 0, &hwpt_id));
	auto_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, auto_id);
	expect_attach(devices.bdf, b->ioas_id, auto_id);

	/* To another IOAS */
	other_id = device_attach_to(b->device_fd, ioas_id);
	ASSERT_LT(0, other_id);
	expect_detach(devices.bdf, b->ioas_id, auto_id);
	expect_attach(devices.bdf, ioas_id, other_id);
	ASSERT_TRUE(trace_is_expected());

	/* To a HWPT of the first, and within that IOAS to an automatic one */
	ASSERT_EQ(hwpt_id, device_attach_to(b->device_fd, hwpt_id));
	expect_detach(devices.bdf, ioas_id, other_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	auto_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, auto_id);
	expect_detach(devices.bdf, b->ioas_id, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, auto_id);
	ASSERT_TRUE(trace_is_expected());

	/* To what is none of it */
	ASSERT_GT(0, device_attach_to(b->device_fd, b->dev_id));
	ASSERT_TRUE(trace_is_expected());
}

TEST_F(noiommu_trace, close_attached)
{
	struct bound *b = &self->b;
	s64 hwpt_id;

	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_EQ(0, close(b->device_fd));
	expect_detach(devices.bdf, b->ioas_id, hwpt_id);
	expect_unbind(devices.bdf, b->dev_id);
	ASSERT_TRUE(trace_is_expected());

	b->device_fd = device_open(devices.bdf);
}

/* A device that stays attached, and what ends that */
TEST_F(noiommu_trace, quarantine)
{
	struct bound *b = &self->b;
	struct bound other;
	struct mem mem;
	s64 hwpt_id;

	if (closing_resets(devices.bdf))
		SKIP(return, "The device is reset when it is closed");

	ASSERT_EQ(0, close(b->device_fd));
	b->device_fd = device_open(devices.bdf);
	trace_start();
	ASSERT_EQ(0, device_bind_flags(b->device_fd, b->iommufd, QUARANTINE, NULL));
	expect_bind(devices.bdf, b->dev_id);
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, mem.vaddr, mem.size,
				    IOVA));
	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_EQ(0, close(b->device_fd));
	expect_quarantine(devices.bdf, b->dev_id, b->ioas_id, mem.size);
	ASSERT_TRUE(trace_is_expected());

	/* The next user, first refused */
	bound_init(&other, devices.bdf);
	expect_bind(devices.bdf, other.dev_id);
	ASSERT_EQ(0, close(other.device_fd));
	expect_unbind(devices.bdf, other.dev_id);
	other.device_fd = device_open(devices.bdf);
	ASSERT_EQ(-EBUSY, device_bind_flags(other.device_fd, other.iommufd,
					    QUARANTINE, NULL));
	expect_bind(devices.bdf, other.dev_id);
	expect_unbind(devices.bdf, other.dev_id);
	ASSERT_EQ(0, device_bind_flags(other.device_fd, other.iommufd, QUIET, NULL));
	expect_bind(devices.bdf, other.dev_id);
	expect_release(devices.bdf, b->dev_id, b->ioas_id, mem.size, "quiet");
	expect_detach(devices.bdf, b->ioas_id, hwpt_id);
	expect_unbind(devices.bdf, b->dev_id);
	ASSERT_TRUE(trace_is_expected());
	bound_cleanup(&other);

	mem_free(&mem);
	b->device_fd = device_open(devices.bdf);
}

/* The device goes on using the IOAS until it is closed itself */
TEST_F(noiommu_trace, close_iommufd)
{
	struct bound *b = &self->b;
	s64 hwpt_id;

	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_EQ(0, close(b->iommufd));
	ASSERT_TRUE(trace_is_expected());

	ASSERT_EQ(0, close(b->device_fd));
	expect_detach(devices.bdf, b->ioas_id, hwpt_id);
	expect_unbind(devices.bdf, b->dev_id);
	ASSERT_TRUE(trace_is_expected());

	b->iommufd = iommufd_open();
	b->device_fd = device_open(devices.bdf);
}

struct victim {
	struct bound b;
	s64 hwpt_id;
};

/* A process that uses the device; returns when it does */
static pid_t victim_start(struct victim *victim)
{
	struct bound *b = &victim->b;
	int pipefd[2];
	pid_t pid;
	char c;

	VFIO_ASSERT_EQ(pipe(pipefd), 0);
	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (!pid) {
		bound_init(b, devices.bdf);
		victim->hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
		VFIO_ASSERT_EQ(write(pipefd[1], "", 1), 1);
		for (;;)
			pause();
	}

	/* Hang up if the child does */
	VFIO_ASSERT_EQ(close(pipefd[1]), 0);
	VFIO_ASSERT_EQ(read(pipefd[0], &c, 1), 1);
	VFIO_ASSERT_EQ(close(pipefd[0]), 0);
	return pid;
}

TEST_F(noiommu_trace, killed)
{
	struct bound *b = &self->b;
	struct victim *victim;
	int status;

	ASSERT_EQ(0, close(b->device_fd));
	expect_unbind(devices.bdf, b->dev_id);
	ASSERT_TRUE(trace_is_expected());

	victim = mmap(NULL, sizeof(*victim), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, victim);
	expected.pid = victim_start(victim);
	ASSERT_LT(0, victim->hwpt_id);
	expect_bind(devices.bdf, victim->b.dev_id);
	expect_attach(devices.bdf, victim->b.ioas_id, victim->hwpt_id);

	ASSERT_EQ(0, kill(expected.pid, SIGKILL));
	ASSERT_EQ(expected.pid, waitpid(expected.pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	expect_detach(devices.bdf, victim->b.ioas_id, victim->hwpt_id);
	expect_unbind(devices.bdf, victim->b.dev_id);
	ASSERT_TRUE(trace_is_expected());

	ASSERT_EQ(0, munmap(victim, sizeof(*victim)));
	b->device_fd = device_open(devices.bdf);
}

/* Each event is on or off for itself */
TEST_F(noiommu_trace, off)
{
	struct bound *b = &self->b;
	s64 hwpt_id;

	trace_write(EVENTS "enable", "0");
	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_TRUE(trace_is_expected());

	trace_write(EVENTS "iommufd_noiommu_unbind/enable", "1");
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(0, close(b->device_fd));
	expect_unbind(devices.bdf, b->dev_id);
	b->device_fd = device_open(devices.bdf);
	ASSERT_EQ(0, device_bind(b->device_fd, b->iommufd, &b->dev_id));
	ASSERT_TRUE(trace_is_expected());
}

TEST_F(noiommu_trace, filter)
{
	struct bound *b = &self->b;
	char filter[PATH_MAX];
	s64 hwpt_id;

	snprintf_assert(filter, sizeof(filter), "device == \"%s\"", devices.bdf);
	trace_write(EVENTS "iommufd_noiommu_attach/filter", filter);
	trace_write(EVENTS "iommufd_noiommu_detach/filter", "device == \"none\"");
	hwpt_id = device_attach_to(b->device_fd, b->ioas_id);
	ASSERT_LT(0, hwpt_id);
	expect_attach(devices.bdf, b->ioas_id, hwpt_id);
	ASSERT_EQ(0, device_detach(b->device_fd));
	ASSERT_TRUE(trace_is_expected());
}

/*
 * Physical addresses
 */

FIXTURE(noiommu_trace_pa) {
	struct bound b;
	struct mem mem;
};

FIXTURE_SETUP(noiommu_trace_pa)
{
	struct bound *b = &self->b;

	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_16M));
	bound_init(b, devices.bdf);
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, self->mem.vaddr,
				    self->mem.size, IOVA));
	mem_read_pagemap(&self->mem);
	trace_start();
}

FIXTURE_TEARDOWN(noiommu_trace_pa)
{
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

/* Look up without an array, where the answer has to be as given */
static void lookup_single(const struct bound *b, u64 iova, u64 max, u64 phys,
			  u64 length)
{
	VFIO_ASSERT_TRUE(pa_is(b, iova, max, phys, length));
	expect_get_pa(b->ioas_id, iova, phys, length);
}

/* Look up with an array of @room extents; returns how many came back */
static u32 lookup_extents(const struct bound *b, u64 iova, u64 length, u32 room)
{
	struct iommu_pa_extent *extents = calloc_assert(room, sizeof(*extents));
	u32 i, nr = room;
	u64 phys;

	VFIO_ASSERT_EQ(ioas_get_extents(b->iommufd, b->ioas_id, iova, &length,
					&phys, extents, &nr), 0);
	for (i = 0; i < nr; i++) {
		expect_get_pa(b->ioas_id, iova, extents[i].phys,
			      extents[i].length);
		iova += extents[i].length;
	}

	free(extents);
	return nr;
}

/* The first @nr extents of @mem, as it is laid out */
static void expect_runs(const struct bound *b, const struct mem *mem, u32 nr)
{
	u64 offset = 0, page;

	while (nr--) {
		page = offset / getpagesize();
		expect_get_pa(b->ioas_id, IOVA + offset, mem->phys[page],
			      mem->run[page]);
		offset += mem->run[page];
	}
}

TEST_F(noiommu_trace_pa, single)
{
	const u64 pages[] = { 0, 1, 1000, self->mem.npages - 1 };
	struct bound *b = &self->b;
	u64 iova, phys, run;
	int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		iova = IOVA + pages[i] * getpagesize();
		phys = self->mem.phys[pages[i]];
		run = self->mem.run[pages[i]];

		lookup_single(b, iova, 0, phys, run);
		ASSERT_TRUE(trace_is_expected());

		/* What was given is what counts, to the byte */
		lookup_single(b, iova + 0x123, 0, phys + 0x123, run - 0x123);
		lookup_single(b, iova + 0x123, 7, phys + 0x123, 7);
		ASSERT_TRUE(trace_is_expected());
	}
}

TEST_F(noiommu_trace_pa, extents)
{
	const u32 rooms[] = {
		1, 2, STEP_EXTENTS - 1, STEP_EXTENTS, STEP_EXTENTS + 1,
		2 * STEP_EXTENTS - 1, 2 * STEP_EXTENTS, 3 * STEP_EXTENTS + 1,
	};
	struct bound *b = &self->b;
	int i;

	/* A full array */
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		ASSERT_EQ(rooms[i], lookup_extents(b, IOVA, 0, rooms[i]));
		ASSERT_TRUE(trace_is_expected());
		ASSERT_EQ(rooms[i], lookup_extents(b, IOVA + 0x5432, 0, rooms[i]));
		ASSERT_TRUE(trace_is_expected());
	}

	/* The end of the range */
	ASSERT_EQ(1, lookup_extents(b, IOVA + 0x123, 7, 10));
	lookup_extents(b, IOVA + 0x5432, SZ_1M, self->mem.npages);
	ASSERT_TRUE(trace_is_expected());
}

/* The kernel finds and hands them out in many steps */
TEST_F(noiommu_trace_pa, many_extents)
{
	const u64 nr = mem_nr_runs(&self->mem);
	struct bound *b = &self->b;

	ASSERT_LT(3 * STEP_EXTENTS, nr);
	ASSERT_EQ(nr, lookup_extents(b, IOVA, 0, self->mem.npages));
	ASSERT_TRUE(trace_is_expected());
	ASSERT_EQ(nr, lookup_extents(b, IOVA, self->mem.size, nr));
	ASSERT_TRUE(trace_is_expected());
}

/* An extent ends with its mapping, what is contiguous or not */
TEST_F(noiommu_trace_pa, mappings)
{
	const u64 iova = IOVA + SZ_1G, page_size = getpagesize();
	struct bound *b = &self->b;
	u64 i;

	for (i = 0; i < 2 * STEP_EXTENTS; i++)
		ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id,
					    self->mem.vaddr, page_size,
					    iova + i * page_size));

	ASSERT_EQ(2 * STEP_EXTENTS,
		  lookup_extents(b, iova, 0, 3 * STEP_EXTENTS));
	ASSERT_TRUE(trace_is_expected());
}

/*
 * A step also ends when it has visited enough, which may be in the middle of an
 * extent. That must not show.
 */
TEST_F(noiommu_trace_pa, long_extents)
{
	struct bound *b = &self->b;
	struct mem mem;

	if (!mem_alloc(&mem, MEM_HUGETLB, SZ_64M))
		SKIP(return, "There are not enough huge pages");

	b->ioas_id = ioas_alloc(b->iommufd);
	ASSERT_EQ(0, ioas_huge_pages_set(b->iommufd, b->ioas_id, false));
	trace_write(EVENTS "iommufd_noiommu_attach/enable", "0");
	trace_write(EVENTS "iommufd_noiommu_detach/enable", "0");
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, b->ioas_id, mem.vaddr, mem.size,
				    IOVA));
	mem_read_pagemap(&mem);

	ASSERT_EQ(mem_nr_runs(&mem), lookup_extents(b, IOVA, 0, mem.npages));
	ASSERT_TRUE(trace_is_expected());
	ASSERT_EQ(mem_nr_runs(&mem),
		  lookup_extents(b, IOVA + 0x5432, 0, mem.npages));
	ASSERT_TRUE(trace_is_expected());

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, IOVA, mem.size));
	mem_free(&mem);
}

TEST_F(noiommu_trace_pa, failed)
{
	const u64 end = IOVA + self->mem.size;
	struct bound *b = &self->b;
	struct bound other = *b;

	ASSERT_EQ(-ENOENT, lookup(b, end, 0));
	ASSERT_EQ(-ENOENT, lookup(b, IOVA - 1, 0));
	ASSERT_EQ(-EOVERFLOW, lookup(b, UINT64_MAX, 1));
	other.ioas_id = b->dev_id;
	ASSERT_EQ(-ENOENT, lookup(&other, IOVA, 0));

	/* No device can use the addresses of this one */
	other.ioas_id = ioas_alloc(b->iommufd);
	ASSERT_EQ(0, ioas_map_fixed(b->iommufd, other.ioas_id, self->mem.vaddr,
				    self->mem.size, IOVA));
	ASSERT_EQ(-EOPNOTSUPP, lookup(&other, IOVA, 0));

	cap_set(CAP_SYS_RAWIO, false);
	ASSERT_EQ(-EPERM, lookup(b, IOVA, 0));
	cap_set(CAP_SYS_RAWIO, true);
	ASSERT_TRUE(trace_is_expected());
}

/*
 * What a step found is recorded before it is copied, and stays so if that fails:
 * a part of it may have been seen. No step comes after that. Each but the last
 * one keeps an extent back, of which there may be more.
 */
TEST_F(noiommu_trace_pa, bad_array)
{
	const struct {
		u32 room;
		u32 writable;
		u32 recorded;
	} cases[] = {
		{ 1, 0, 1 },
		{ STEP_EXTENTS, 0, STEP_EXTENTS },
		{ STEP_EXTENTS, STEP_EXTENTS - 1, STEP_EXTENTS },
		{ STEP_EXTENTS + 1, 0, STEP_EXTENTS - 1 },
		{ STEP_EXTENTS + 1, STEP_EXTENTS, STEP_EXTENTS + 1 },
		{ 3 * STEP_EXTENTS, 100, STEP_EXTENTS - 1 },
		{ 3 * STEP_EXTENTS, STEP_EXTENTS - 2, STEP_EXTENTS - 1 },
		{ 3 * STEP_EXTENTS, STEP_EXTENTS - 1, 2 * (STEP_EXTENTS - 1) },
	};
	const long page_size = getpagesize();
	struct iommu_pa_extent *end;
	struct bound *b = &self->b;
	u64 length, phys;
	char *buf;
	u32 nr;
	int i;

	ASSERT_LT(3 * STEP_EXTENTS, mem_nr_runs(&self->mem));
	buf = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	end = (void *)(buf + page_size);
	ASSERT_EQ(0, mprotect(end, page_size, PROT_NONE));

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		length = 0;
		nr = cases[i].room;
		ASSERT_EQ(-EFAULT, ioas_get_extents(b->iommufd, b->ioas_id, IOVA,
						    &length, &phys,
						    end - cases[i].writable,
						    &nr));
		expect_runs(b, &self->mem, cases[i].recorded);
		ASSERT_TRUE(trace_is_expected())
			TH_LOG("Case %d", i);
	}

	ASSERT_EQ(0, munmap(buf, 2 * page_size));
}

/* What is found in one go is recorded also if the struct cannot be written */
TEST_F(noiommu_trace_pa, bad_struct)
{
	struct bound *b = &self->b;
	struct iommu_ioas_get_pa *args;

	args = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, args);
	args->size = GET_PA_SIZE;
	args->ioas_id = b->ioas_id;
	args->iova = IOVA;
	args->length = 1;
	ASSERT_EQ(0, mprotect(args, getpagesize(), PROT_READ));

	ASSERT_EQ(-EFAULT, ioctl_errno(b->iommufd, IOMMU_IOAS_GET_PA, args));
	expect_get_pa(b->ioas_id, IOVA, self->mem.phys[0], 1);
	ASSERT_TRUE(trace_is_expected());

	ASSERT_EQ(0, munmap(args, getpagesize()));
}

TEST_F(noiommu_trace_pa, off)
{
	struct bound *b = &self->b;

	trace_write(GET_PA_EVENT "enable", "0");
	ASSERT_EQ(0, lookup(b, IOVA, 0));
	ASSERT_TRUE(trace_is_expected());

	trace_write(GET_PA_EVENT "enable", "1");
	lookup_single(b, IOVA, 0, self->mem.phys[0], self->mem.run[0]);
	ASSERT_TRUE(trace_is_expected());
}

static void *lookup_thread(void *b)
{
	VFIO_ASSERT_EQ(lookup(b, IOVA, 1), 0);
	return NULL;
}

/* The process that asks is recorded, be it with another thread or inherited fds */
TEST_F(noiommu_trace_pa, process)
{
	struct bound *b = &self->b;
	pthread_t thread;
	int status;
	pid_t pid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, lookup_thread, b));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	expect_get_pa(b->ioas_id, IOVA, self->mem.phys[0], 1);
	ASSERT_TRUE(trace_is_expected());

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		lookup_thread(b);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	expected.pid = pid;
	expect_get_pa(b->ioas_id, IOVA, self->mem.phys[0], 1);
	ASSERT_TRUE(trace_is_expected());
}

/* Who was given the memory at an address? See Documentation/driver-api/vfio.rst. */
TEST_F(noiommu_trace_pa, filter)
{
	const u64 index = self->mem.npages / 2;
	const u64 addr = self->mem.phys[index] + 100;
	const u64 page_size = getpagesize();
	struct bound *b = &self->b;
	char filter[64];
	u64 i;

	snprintf_assert(filter, sizeof(filter), "phys <= %#lx && last >= %#lx",
			addr, addr);
	trace_write(GET_PA_EVENT "filter", filter);

	for (i = 0; i < self->mem.npages; i++)
		ASSERT_EQ(0, lookup(b, IOVA + i * page_size, page_size));
	expect_get_pa(b->ioas_id, IOVA + index * page_size, addr - 100,
		      page_size);
	ASSERT_TRUE(trace_is_expected());

	trace_write(GET_PA_EVENT "filter", "length > 1 && pid > 0");
	ASSERT_EQ(0, lookup(b, IOVA, 1));
	ASSERT_TRUE(trace_is_expected());
	lookup_single(b, IOVA, 2, self->mem.phys[0], 2);
	ASSERT_TRUE(trace_is_expected());
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	if (!trace_init()) {
		fprintf(stderr, "The kernel has no trace events, skipping test.\n");
		exit(KSFT_SKIP);
	}
	restore_afterwards(trace_cleanup);
	return test_harness_run(argc, argv);
}
