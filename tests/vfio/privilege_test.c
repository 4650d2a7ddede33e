// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process without CAP_SYS_RAWIO may do with a VFIO device that has no
 * IOMMU. It can neither open one nor learn a physical address, whatever its
 * user, whatever capabilities it has in a user namespace of its own, and
 * whatever files it was given. With these it can do what takes no address, like
 * with those of any other device.
 */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/limits.h>
#include <linux/sizes.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "fds.h"
#include "mem.h"
#include "utils.h"

#define IOVA			SZ_4G
#define ROOM			16
#define NOBODY			65534

#define NO_USER_NS		"The user may not have a user namespace"

static struct noiommu_devices devices;

/*
 * Processes that lack the capability, each in a way of its own
 */

enum lesser {
	/* root, with all other capabilities */
	LESSER_ROOT,
	/* Nobody, without any */
	LESSER_NOBODY,
	/* root, and nobody, with all capabilities in a namespace of their own */
	LESSER_ROOT_NS,
	LESSER_NOBODY_NS,
};

static void drop_cap_sys_rawio(void)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_data_struct *d =
		&data[CAP_TO_INDEX(CAP_SYS_RAWIO)];
	const u32 mask = CAP_TO_MASK(CAP_SYS_RAWIO);

	VFIO_ASSERT_EQ(prctl(PR_CAPBSET_DROP, CAP_SYS_RAWIO), 0);
	VFIO_ASSERT_EQ(syscall(SYS_capget, &hdr, data), 0);
	d->effective &= ~mask;
	d->permitted &= ~mask;
	d->inheritable &= ~mask;
	VFIO_ASSERT_EQ(syscall(SYS_capset, &hdr, data), 0);
}

static bool has_cap_sys_rawio(void)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	VFIO_ASSERT_EQ(syscall(SYS_capget, &hdr, data), 0);
	return data[CAP_TO_INDEX(CAP_SYS_RAWIO)].effective &
	       CAP_TO_MASK(CAP_SYS_RAWIO);
}

static void become_nobody(void)
{
	VFIO_ASSERT_EQ(setgroups(0, NULL), 0);
	VFIO_ASSERT_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
	VFIO_ASSERT_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
	/* Or it would not even own its files in /proc */
	VFIO_ASSERT_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
}

static void proc_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	VFIO_ASSERT_GE(fd, 0, "open(%s) failed\n", path);
	VFIO_ASSERT_EQ(write(fd, value, strlen(value)), (ssize_t)strlen(value));
	VFIO_ASSERT_EQ(close(fd), 0);
}

/* Does not return if the kernel has no user namespaces, or not for everyone */
static void enter_user_ns(void)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER))
		_exit(KSFT_SKIP);

	proc_write("/proc/self/setgroups", "deny");
	snprintf_assert(map, sizeof(map), "0 %u 1\n", uid);
	proc_write("/proc/self/uid_map", map);
	snprintf_assert(map, sizeof(map), "0 %u 1\n", gid);
	proc_write("/proc/self/gid_map", map);

	/* Root, from its own point of view */
	VFIO_ASSERT_EQ(geteuid(), 0);
	VFIO_ASSERT_TRUE(has_cap_sys_rawio());
}

static void become(enum lesser lesser)
{
	switch (lesser) {
	case LESSER_ROOT:
		drop_cap_sys_rawio();
		VFIO_ASSERT_FALSE(has_cap_sys_rawio());
		break;
	case LESSER_NOBODY:
		become_nobody();
		VFIO_ASSERT_FALSE(has_cap_sys_rawio());
		break;
	case LESSER_NOBODY_NS:
		become_nobody();
		enter_user_ns();
		break;
	case LESSER_ROOT_NS:
		enter_user_ns();
		break;
	}
}

static mode_t cdev_mode;

static void restore(void)
{
	VFIO_ASSERT_EQ(chmod(devices.cdev_path, cdev_mode), 0);
}

FIXTURE(noiommu_lesser) {
	struct mem mem;
	int socks[2];
	pid_t child;
};

FIXTURE_VARIANT(noiommu_lesser) {
	enum lesser lesser;
};

FIXTURE_VARIANT_ADD(noiommu_lesser, root) {
	.lesser = LESSER_ROOT,
};

FIXTURE_VARIANT_ADD(noiommu_lesser, nobody) {
	.lesser = LESSER_NOBODY,
};

FIXTURE_VARIANT_ADD(noiommu_lesser, root_in_user_ns) {
	.lesser = LESSER_ROOT_NS,
};

FIXTURE_VARIANT_ADD(noiommu_lesser, nobody_in_user_ns) {
	.lesser = LESSER_NOBODY_NS,
};

FIXTURE_SETUP(noiommu_lesser)
{
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->socks));

	/* What is tested is the capability, not the permissions of the file */
	ASSERT_EQ(0, chmod(devices.cdev_path, 0666));
}

FIXTURE_TEARDOWN(noiommu_lesser)
{
	restore();
	ASSERT_EQ(0, close(self->socks[0]));
	/* If the test failed it may still be there, with the device */
	waitpid(self->child, NULL, 0);
	if (self->socks[1] >= 0)
		ASSERT_EQ(0, close(self->socks[1]));
	mem_free(&self->mem);
}

/* The process is there before the files are, so that it has none of them */
static bool lesser_start(pid_t *child, int sock, enum lesser lesser)
{
	*child = fork();
	VFIO_ASSERT_GE(*child, 0);
	if (*child)
		return false;

	/* The end of the other process, whose death would not show otherwise */
	VFIO_ASSERT_EQ(close(sock), 0);
	become(lesser);
	return true;
}

static int lesser_wait(pid_t child)
{
	int status;

	VFIO_ASSERT_EQ(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_refused(int iommufd, u32 ioas_id, u64 iova)
{
	struct iommu_pa_extent extents[ROOM], untouched[ROOM];
	u64 length = 1, phys;
	u32 nr = ROOM;

	VFIO_ASSERT_EQ(ioas_get_pa(iommufd, ioas_id, iova, &length, &phys),
		       -EPERM);
	length = 0;
	VFIO_ASSERT_EQ(ioas_get_pa(iommufd, ioas_id, iova, &length, &phys),
		       -EPERM);

	memset(untouched, 0xa5, sizeof(untouched));
	memset(extents, 0xa5, sizeof(extents));
	VFIO_ASSERT_EQ(ioas_get_extents(iommufd, ioas_id, iova, &length, &phys,
					extents, &nr), -EPERM);
	VFIO_ASSERT_EQ(memcmp(extents, untouched, sizeof(extents)), 0);
}

/* That tells neither what is mapped nor which IOAS there are */
static void assert_lookups_refused(int iommufd, u32 ioas_id)
{
	assert_refused(iommufd, ioas_id, IOVA);
	assert_refused(iommufd, ioas_id, 0);
	assert_refused(iommufd, ioas_id + 1000, IOVA);
}

TEST_F(noiommu_lesser, open)
{
	int fd, status;

	if (lesser_start(&self->child, self->socks[0], variant->lesser)) {
		VFIO_ASSERT_EQ(open(devices.cdev_path, O_RDWR), -1);
		VFIO_ASSERT_EQ(errno, EPERM);
		VFIO_ASSERT_EQ(open(devices.cdev_path, O_RDONLY), -1);
		VFIO_ASSERT_EQ(errno, EPERM);
		exit(KSFT_PASS);
	}
	status = lesser_wait(self->child);
	if (status == KSFT_SKIP)
		SKIP(return, NO_USER_NS);
	ASSERT_EQ(KSFT_PASS, status);

	fd = device_open(devices.bdf);
	ASSERT_EQ(0, close(fd));
}

/* To open it once more, with what the file in /proc leads to */
TEST_F(noiommu_lesser, reopen)
{
	char path[PATH_MAX];
	int fd, status;

	if (lesser_start(&self->child, self->socks[0], variant->lesser)) {
		fds_receive(self->socks[1], &fd, 1);
		snprintf_assert(path, sizeof(path), "/proc/self/fd/%d", fd);
		VFIO_ASSERT_EQ(open(path, O_RDWR), -1);
		VFIO_ASSERT_EQ(errno, EPERM);
		exit(KSFT_PASS);
	}

	fd = device_open(devices.bdf);
	fds_send(self->socks[0], &fd, 1);
	status = lesser_wait(self->child);
	if (status == KSFT_SKIP)
		SKIP(return, NO_USER_NS);
	ASSERT_EQ(KSFT_PASS, status);
	ASSERT_EQ(0, close(fd));
}

/* The process itself had the capability when it opened, mapped and looked up */
TEST_F(noiommu_lesser, drop)
{
	struct bound b;
	int status;

	self->child = fork();
	ASSERT_LE(0, self->child);
	if (!self->child) {
		bound_init(&b, devices.bdf);
		VFIO_ASSERT_EQ(ioas_map_fixed(b.iommufd, b.ioas_id,
					      self->mem.vaddr, self->mem.size,
					      IOVA), 0);
		VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
		mem_read_pagemap(&self->mem);
		VFIO_ASSERT_TRUE(pa_each_page(&b, IOVA, &self->mem));

		become(variant->lesser);
		assert_lookups_refused(b.iommufd, b.ioas_id);
		VFIO_ASSERT_EQ(device_get_info(b.device_fd), 0);
		exit(KSFT_PASS);
	}
	status = lesser_wait(self->child);
	if (status == KSFT_SKIP)
		SKIP(return, NO_USER_NS);
	ASSERT_EQ(KSFT_PASS, status);
}

/* A device in use is passed on, and stays in use by the one who has it from */
TEST_F(noiommu_lesser, given_attached_device)
{
	const u64 iova = 2 * IOVA;
	struct bound b = {};
	struct mem mem;
	s64 pinned;
	int fds[2], status;
	char byte;

	if (lesser_start(&self->child, self->socks[0], variant->lesser)) {
		fds_receive(self->socks[1], fds, 2);
		VFIO_ASSERT_EQ(read(self->socks[1], &b.ioas_id,
				    sizeof(b.ioas_id)),
			       (ssize_t)sizeof(b.ioas_id));
		assert_lookups_refused(fds[1], b.ioas_id);

		/* Its own memory is pinned, but not located either */
		VFIO_ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_32K));
		VFIO_ASSERT_EQ(ioas_map_fixed(fds[1], b.ioas_id, mem.vaddr,
					      mem.size, iova), 0);
		assert_refused(fds[1], b.ioas_id, iova);
		VFIO_ASSERT_EQ(device_get_info(fds[0]), 0);
		VFIO_ASSERT_EQ(write(self->socks[1], "", 1), 1);
		VFIO_ASSERT_EQ(read(self->socks[1], &byte, 1), 1);

		VFIO_ASSERT_EQ(ioas_unmap(fds[1], b.ioas_id, iova, mem.size), 0);
		VFIO_ASSERT_EQ(device_detach(fds[0]), 0);
		assert_lookups_refused(fds[1], b.ioas_id);
		exit(KSFT_PASS);
	}

	bound_init(&b, devices.bdf);
	ASSERT_EQ(0, ioas_map_fixed(b.iommufd, b.ioas_id, self->mem.vaddr,
				    self->mem.size, IOVA));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	mem_read_pagemap(&self->mem);
	pinned = pinned_pages();

	fds_send(self->socks[0], (int[]){ b.device_fd, b.iommufd }, 2);
	ASSERT_EQ((ssize_t)sizeof(b.ioas_id),
		  write(self->socks[0], &b.ioas_id, sizeof(b.ioas_id)));
	/* It may end without a word */
	ASSERT_EQ(0, close(self->socks[1]));
	self->socks[1] = -1;
	if (read(self->socks[0], &byte, 1) == 1) {
		/* Who has the capability looks up for who has the memory */
		/* Not every kernel counts them */
		if (pinned >= 0)
			ASSERT_PINNED(pinned + SZ_32K / getpagesize());
		ASSERT_EQ(0, lookup(&b, iova, SZ_32K));
		ASSERT_TRUE(pa_each_page(&b, IOVA, &self->mem));
		ASSERT_EQ(1, write(self->socks[0], "", 1));
	}
	status = lesser_wait(self->child);
	if (status == KSFT_SKIP)
		SKIP(return, NO_USER_NS);
	ASSERT_EQ(KSFT_PASS, status);
	ASSERT_EQ(-ENOENT, lookup(&b, iova, 1));
	ASSERT_EQ(-EOPNOTSUPP, lookup(&b, IOVA, 1));
	bound_cleanup(&b);
}

/* A device that is only open is of no use to the one who gets it */
TEST_F(noiommu_lesser, given_open_device)
{
	struct bound b;
	int fds[2], status;

	if (lesser_start(&self->child, self->socks[0], variant->lesser)) {
		fds_receive(self->socks[1], fds, 2);
		VFIO_ASSERT_EQ(device_bind(fds[0], fds[1], NULL), -EPERM);
		VFIO_ASSERT_EQ(device_get_info(fds[0]), -EINVAL);
		exit(KSFT_PASS);
	}

	b.device_fd = device_open(devices.bdf);
	b.iommufd = iommufd_open();
	fds_send(self->socks[0], (int[]){ b.device_fd, b.iommufd }, 2);
	status = lesser_wait(self->child);
	if (status == KSFT_SKIP)
		SKIP(return, NO_USER_NS);
	ASSERT_EQ(KSFT_PASS, status);

	/* The attempt has changed nothing for who may bind it */
	ASSERT_EQ(0, device_bind(b.device_fd, b.iommufd, NULL));
	ASSERT_EQ(0, device_get_info(b.device_fd));
	bound_cleanup(&b);
}

/*
 * The capability is that of the thread
 */

#define THREAD_LOOKUPS		2000

FIXTURE(noiommu_threads) {
	struct bound b;
	struct mem mem;
};

FIXTURE_SETUP(noiommu_threads)
{
	bound_init(&self->b, devices.bdf);
	ASSERT_TRUE(mem_alloc(&self->mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(self->b.iommufd, self->b.ioas_id,
				    self->mem.vaddr, self->mem.size, IOVA));
	ASSERT_LT(0, device_attach_to(self->b.device_fd, self->b.ioas_id));
	mem_read_pagemap(&self->mem);
}

FIXTURE_TEARDOWN(noiommu_threads)
{
	bound_cleanup(&self->b);
	mem_free(&self->mem);
}

/* Returns how many of the lookups were refused */
static void *thread_without(void *arg)
{
	struct bound *b = arg;
	u64 i, refused = 0;

	cap_set(CAP_SYS_RAWIO, false);
	for (i = 0; i < THREAD_LOOKUPS; i++)
		refused += lookup(b, IOVA, 1) == -EPERM;

	return (void *)refused;
}

TEST_F(noiommu_threads, one_without)
{
	pthread_t thread;
	void *refused;
	u64 i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_without, &self->b));
	for (i = 0; i < THREAD_LOOKUPS; i++)
		ASSERT_TRUE(pa_is(&self->b, IOVA, 1, self->mem.phys[0], 1));
	ASSERT_EQ(0, pthread_join(thread, &refused));
	ASSERT_EQ(THREAD_LOOKUPS, (u64)refused);
}

int main(int argc, char *argv[])
{
	struct stat st;

	devices_find(&devices, &argc, argv);
	VFIO_ASSERT_EQ(stat(devices.cdev_path, &st), 0);
	cdev_mode = st.st_mode & 07777;
	restore_afterwards(restore);
	return test_harness_run(argc, argv);
}
