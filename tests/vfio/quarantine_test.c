// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that cannot be reset, and may go on with DMA after its user is gone: the
 * memory of that user has to be kept from everybody else for as long as it says, and
 * no longer.
 *
 * The memory is of huge pages, of which the kernel tells exactly how many are free. A
 * page that was given back would be among those that the next user takes, since that
 * takes all of them; there the device's transfer has to show, and it does if nothing
 * is held.
 */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <linux/io.h>
#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "mem.h"
#include "quarantine.h"
#include "utils.h"

#define IOVA			SZ_4G
#define HUGE			SZ_2M
#define NR_HUGE			4
#define SIZE			(NR_HUGE * HUGE)
#define NOBODY			65534
#define ROUNDS			100

static struct noiommu_devices devices;

/* One that can be reset, and is when it is opened and closed; NULL if there is none */
static const char *reset_bdf;

static long huge_pages_free(void)
{
	char line[128];
	long nr = -1;
	FILE *file = fopen("/proc/meminfo", "r");

	VFIO_ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "HugePages_Free: %ld", &nr);
	VFIO_ASSERT_EQ(fclose(file), 0);
	return nr;
}

static void *huge_pages_alloc(long nr)
{
	void *vaddr = mmap(NULL, nr * HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			   MAP_POPULATE, -1, 0);

	VFIO_ASSERT_NE(vaddr, MAP_FAILED, "%ld huge pages\n", nr);
	return vaddr;
}

/* Bound and attached, with huge pages that are mapped; where those are */
static void *bound_with_memory(struct bound *b, const char *bdf, u32 flags)
{
	void *vaddr;

	bound_init_flags(b, bdf, flags);
	vaddr = huge_pages_alloc(NR_HUGE);
	VFIO_ASSERT_EQ(ioas_map_fixed(b->iommufd, b->ioas_id, vaddr, SIZE,
				      IOVA), 0);
	return vaddr;
}

/* What a user that is going to die tells */
struct told {
	u64 phys;
};

/* The rest of what a user does before it is gone */
enum end {
	END_KILLED,
	END_EXITS,
	END_UNMAPS,
	END_DETACHES,
	/* It has nothing mapped */
	END_IDLE,
};

static void user_run(const char *bdf, u32 flags, enum end end, int fd)
{
	struct told told = {};
	struct bound b;
	void *vaddr;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (end == END_IDLE) {
		bound_init_flags(&b, bdf, flags);
	} else {
		vaddr = bound_with_memory(&b, bdf, flags);
		mem_fill(vaddr, SIZE, 1);
		pagemap_read(vaddr, 1, &told.phys);
		VFIO_ASSERT_EQ(ioas_phys(b.iommufd, b.ioas_id, IOVA), told.phys);
	}
	if (end == END_UNMAPS)
		VFIO_ASSERT_EQ(ioas_unmap(b.iommufd, b.ioas_id, IOVA, SIZE), 0);
	if (end == END_DETACHES)
		VFIO_ASSERT_EQ(device_detach(b.device_fd), 0);
	VFIO_ASSERT_EQ(write(fd, &told, sizeof(told)), (ssize_t)sizeof(told));
	if (end != END_KILLED)
		_exit(0);
	for (;;)
		pause();
}

/* A user that has come and gone; where its memory was */
static u64 user_was(const char *bdf, u32 flags, enum end end)
{
	struct told told;
	int pipefd[2], status;
	pid_t pid;

	VFIO_ASSERT_EQ(pipe(pipefd), 0);
	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (!pid)
		user_run(bdf, flags, end, pipefd[1]);
	VFIO_ASSERT_EQ(close(pipefd[1]), 0);
	VFIO_ASSERT_EQ(read(pipefd[0], &told, sizeof(told)),
		       (ssize_t)sizeof(told));
	VFIO_ASSERT_EQ(close(pipefd[0]), 0);
	if (end == END_KILLED)
		VFIO_ASSERT_EQ(kill(pid, SIGKILL), 0);
	VFIO_ASSERT_EQ(waitpid(pid, &status, 0), pid);
	VFIO_ASSERT_EQ(end == END_KILLED ? WIFSIGNALED(status) :
					   WIFEXITED(status) && !status, true);
	return told.phys;
}

FIXTURE(quarantine) {
	const char *bdf;
	long free;
	s64 pinned;
};

FIXTURE_SETUP(quarantine)
{
	self->bdf = devices.edu_bdf;
	if (!self->bdf)
		SKIP(return, "There is no edu device");
	ASSERT_FALSE(closing_resets(self->bdf));

	/* What a test that failed has left */
	if (!device_has_vfio(self->bdf))
		ASSERT_EQ(0, device_bind_vfio(self->bdf));
	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	self->free = huge_pages_free();
	ASSERT_LE(2 * NR_HUGE, self->free);
	self->pinned = pinned_pages();
}

FIXTURE_TEARDOWN(quarantine)
{
	/* Nothing is lost, of whatever was held */
	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_EQ(self->free, huge_pages_free());
	ASSERT_PINNED(self->pinned);
}

/* All that a user had is pinned and not free, and nothing else */
#define ASSERT_HELD(_held) do {						\
	const bool __held = (_held);					\
									\
	ASSERT_EQ(self->free - (__held ? NR_HUGE : 0), huge_pages_free()); \
	ASSERT_PINNED(self->pinned +					\
		      (__held ? SIZE / getpagesize() : 0));		\
	ASSERT_EQ(__held, is_held(self->bdf));				\
} while (0)

TEST_F(quarantine, killed)
{
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_HELD(true);
	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_HELD(false);
}

TEST_F(quarantine, exits)
{
	user_was(self->bdf, QUARANTINE, END_EXITS);
	ASSERT_HELD(true);
}

TEST_F(quarantine, not_asked_for)
{
	user_was(self->bdf, 0, END_KILLED);
	ASSERT_HELD(false);
	user_was(self->bdf, QUIET, END_KILLED);
	ASSERT_HELD(false);
}

/* It is of one bind, the next has to ask for it anew */
TEST_F(quarantine, asked_for_before)
{
	user_was(self->bdf, QUARANTINE, END_DETACHES);
	user_was(self->bdf, 0, END_KILLED);
	ASSERT_HELD(false);
}

TEST_F(quarantine, nothing_to_hold)
{
	user_was(self->bdf, QUARANTINE, END_DETACHES);
	ASSERT_HELD(false);
	user_was(self->bdf, QUARANTINE, END_UNMAPS);
	ASSERT_HELD(false);
	user_was(self->bdf, QUARANTINE, END_IDLE);
	ASSERT_HELD(false);
}

/* One user's memory at most, whoever comes after */
TEST_F(quarantine, next_users)
{
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_EQ(-EBUSY, bind_once(self->bdf, QUARANTINE));
	user_was(self->bdf, 0, END_KILLED);
	ASSERT_HELD(true);

	/* Its own is held now, and not the first one's */
	user_was(self->bdf, QUARANTINE | QUIET, END_KILLED);
	ASSERT_HELD(true);
	user_was(self->bdf, QUARANTINE | QUIET, END_DETACHES);
	ASSERT_HELD(false);
}

/* A bind that fails says nothing of the device */
TEST_F(quarantine, failed_bind)
{
	int fd, null_fd;

	user_was(self->bdf, QUARANTINE, END_KILLED);
	fd = device_open(self->bdf);
	ASSERT_EQ(-EINVAL, device_bind_flags(fd, -1, QUIET, NULL));
	null_fd = open("/dev/null", O_RDWR);
	ASSERT_LE(0, null_fd);
	ASSERT_GT(0, device_bind_flags(fd, null_fd, QUIET, NULL));
	ASSERT_EQ(0, close(null_fd));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(-EINVAL, bind_once(self->bdf, QUIET | 1U << 15));
	ASSERT_EQ(-EINVAL, bind_once(self->bdf, QUIET | 1U << 18));
	ASSERT_HELD(true);
}

/* Neither does one whose answer cannot be stored */
TEST_F(quarantine, bad_pointer)
{
	struct vfio_device_bind_iommufd *args;
	int fd, iommufd;

	args = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, args);
	user_was(self->bdf, QUARANTINE, END_KILLED);
	fd = device_open(self->bdf);
	iommufd = iommufd_open();
	args->argsz = sizeof(*args);
	args->flags = QUIET;
	args->iommufd = iommufd;
	ASSERT_EQ(0, mprotect(args, getpagesize(), PROT_READ));
	ASSERT_EQ(-EFAULT, ioctl_errno(fd, VFIO_DEVICE_BIND_IOMMUFD, args));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, close(iommufd));
	ASSERT_EQ(0, munmap(args, getpagesize()));
	ASSERT_HELD(true);
}

/* Who is refused has bound nothing, and the file is still good for a bind */
TEST_F(quarantine, refused)
{
	int fd, iommufd;

	user_was(self->bdf, QUARANTINE, END_KILLED);
	fd = device_open(self->bdf);
	iommufd = iommufd_open();
	ASSERT_EQ(-EBUSY, device_bind_flags(fd, iommufd, QUARANTINE, NULL));
	ASSERT_EQ(-EINVAL, device_get_info(fd));
	ASSERT_EQ(-EBUSY, device_bind_flags(fd, iommufd, QUARANTINE, NULL));
	ASSERT_EQ(0, device_bind_flags(fd, iommufd, QUARANTINE | QUIET, NULL));
	ASSERT_EQ(0, device_get_info(fd));
	ASSERT_EQ(-EINVAL, device_bind_flags(fd, iommufd, QUIET, NULL));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, close(iommufd));
	ASSERT_HELD(false);
}

/* The device is given the address that its last user gave it, and writes there */
static void edu_goes_on(const char *bdf, u64 phys)
{
	int fd = device_open(bdf), iommufd = iommufd_open();
	void *bar;

	VFIO_ASSERT_EQ(device_bind(fd, iommufd, NULL), 0);
	bar = bar_map(fd, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	writeq(EDU_BUF, bar + EDU_DMA_SRC);
	writeq(phys, bar + EDU_DMA_DST);
	writeq(EDU_DMA_MAX, bar + EDU_DMA_COUNT);
	writeq(EDU_DMA_RUN | EDU_DMA_TO_RAM, bar + EDU_DMA_CMD);
	while (readq(bar + EDU_DMA_CMD) & EDU_DMA_RUN)
		usleep(1000);
	VFIO_ASSERT_EQ(munmap(bar, getpagesize()), 0);
	VFIO_ASSERT_EQ(close(fd), 0);
	VFIO_ASSERT_EQ(close(iommufd), 0);
}

/* Does what it writes hit somebody, in one of all the pages that there are to have? */
static bool dma_hits_others(const char *bdf, u64 phys)
{
	const long nr = huge_pages_free();
	u64 *word, *vaddr = huge_pages_alloc(nr);
	bool hit = false;

	mem_fill(vaddr, nr * HUGE, 2);
	edu_goes_on(bdf, phys);
	for (word = vaddr; word != vaddr + nr * HUGE / sizeof(*word); word++)
		hit |= *word != mem_pattern(2, (word - vaddr) * sizeof(*word));
	VFIO_ASSERT_EQ(munmap(vaddr, nr * HUGE), 0);
	return hit;
}

TEST_F(quarantine, dma)
{
	u64 phys;

	/* It does without */
	phys = user_was(self->bdf, 0, END_KILLED);
	ASSERT_TRUE(dma_hits_others(self->bdf, phys));

	phys = user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_FALSE(dma_hits_others(self->bdf, phys));
	ASSERT_HELD(true);

	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_TRUE(dma_hits_others(self->bdf, phys));
}

/* Whoever has the iommufd is a user still, and decides about the memory */
TEST_F(quarantine, iommufd_is_open)
{
	u64 phys, length = 1, seen;
	struct bound b;
	void *vaddr;

	vaddr = bound_with_memory(&b, self->bdf, QUARANTINE);
	phys = ioas_phys(b.iommufd, b.ioas_id, IOVA);
	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_EQ(0, munmap(vaddr, SIZE));
	ASSERT_HELD(true);

	/* It is as if the device was attached */
	ASSERT_EQ(0, ioas_get_pa(b.iommufd, b.ioas_id, IOVA, &length, &seen));
	ASSERT_EQ(phys, seen);
	ASSERT_EQ(-EBUSY, object_destroy(b.iommufd, b.ioas_id));
	ASSERT_EQ(0, ioas_unmap(b.iommufd, b.ioas_id, IOVA, SIZE));
	ASSERT_EQ(self->free, huge_pages_free());

	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_EQ(0, object_destroy(b.iommufd, b.ioas_id));
	ASSERT_EQ(0, close(b.iommufd));
	ASSERT_HELD(false);
}

/*
 * Nobody can use the device any more that was bound, by an ioctl which would have to
 * end before the quarantine can. Another bind of it is another device.
 */
TEST_F(quarantine, device_is_gone)
{
	u32 hwpt_id, dev_id;
	struct bound b;
	void *vaddr;

	vaddr = bound_with_memory(&b, self->bdf, QUARANTINE);
	ASSERT_EQ(0, hwpt_alloc(b.iommufd, b.dev_id, b.ioas_id, 0, &hwpt_id));
	ASSERT_EQ(0, object_destroy(b.iommufd, hwpt_id));
	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_HELD(true);
	ASSERT_EQ(-ENOENT, hwpt_alloc(b.iommufd, b.dev_id, b.ioas_id, 0,
				      &hwpt_id));
	ASSERT_EQ(-EBUSY, object_destroy(b.iommufd, b.dev_id));

	b.device_fd = device_open(self->bdf);
	ASSERT_EQ(0, device_bind(b.device_fd, b.iommufd, &dev_id));
	ASSERT_NE(b.dev_id, dev_id);
	ASSERT_EQ(0, hwpt_alloc(b.iommufd, dev_id, b.ioas_id, 0, &hwpt_id));
	ASSERT_EQ(0, object_destroy(b.iommufd, hwpt_id));
	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_HELD(true);

	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_EQ(-ENOENT, object_destroy(b.iommufd, b.dev_id));
	ASSERT_EQ(0, close(b.iommufd));
	ASSERT_EQ(0, munmap(vaddr, SIZE));
	ASSERT_HELD(false);
}

/* The same user comes again, with what it has mapped */
TEST_F(quarantine, same_iommufd)
{
	struct bound b;
	void *vaddr;

	vaddr = bound_with_memory(&b, self->bdf, QUARANTINE);
	ASSERT_EQ(0, close(b.device_fd));
	b.device_fd = device_open(self->bdf);
	ASSERT_EQ(0, device_bind(b.device_fd, b.iommufd, NULL));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_HELD(true);

	b.device_fd = device_open(self->bdf);
	ASSERT_EQ(0, device_bind_flags(b.device_fd, b.iommufd,
				       QUARANTINE | QUIET, NULL));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	ASSERT_EQ(0, device_detach(b.device_fd));
	bound_cleanup(&b);
	ASSERT_EQ(0, munmap(vaddr, SIZE));
	ASSERT_HELD(false);
}

#ifdef VFIO_DEVICE_ATTACH_PASID
/* PASID 0 is none, but VFIO keeps it like the others */
TEST_F(quarantine, attached_by_pasid)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.flags = VFIO_DEVICE_ATTACH_PASID,
	};
	struct bound b;
	void *vaddr;
	int i;

	vaddr = huge_pages_alloc(NR_HUGE);
	for (i = 0; i < 2; i++) {
		bound_init(&b, self->bdf);
		ASSERT_EQ(0, close(b.device_fd));
		b.device_fd = device_open(self->bdf);
		ASSERT_EQ(0, device_bind_flags(b.device_fd, b.iommufd,
					       QUARANTINE | QUIET, NULL));
		ASSERT_EQ(0, ioas_map_fixed(b.iommufd, b.ioas_id, vaddr, SIZE,
					    IOVA));
		attach.pt_id = b.ioas_id;
		ASSERT_EQ(0, ioctl_errno(b.device_fd,
					 VFIO_DEVICE_ATTACH_IOMMUFD_PT,
					 &attach));
		bound_cleanup(&b);
		ASSERT_TRUE(is_held(self->bdf));
	}
	ASSERT_EQ(0, munmap(vaddr, SIZE));
	ASSERT_HELD(true);
}
#endif

/* Nobody's limit, of which an earlier process has used some */
static int map_as_nobody(const char *bdf, u32 flags, u64 size, u64 limit)
{
	const struct rlimit memlock = { limit, limit };
	struct bound b;
	int ret, status;
	void *vaddr;
	pid_t pid;

	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (pid) {
		VFIO_ASSERT_EQ(waitpid(pid, &status, 0), pid);
		VFIO_ASSERT_TRUE(WIFEXITED(status));
		return -WEXITSTATUS(status);
	}

	bound_init_flags(&b, bdf, flags);
	VFIO_ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &memlock), 0);
	VFIO_ASSERT_EQ(setgroups(0, NULL), 0);
	VFIO_ASSERT_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
	VFIO_ASSERT_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
	vaddr = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(vaddr, MAP_FAILED);
	ret = ioas_map_fixed(b.iommufd, b.ioas_id, vaddr, size, IOVA);
	_exit(-ret);
}

TEST_F(quarantine, accounted)
{
	ASSERT_EQ(0, map_as_nobody(self->bdf, 0, SZ_4M, SZ_4M));
	ASSERT_EQ(-ENOMEM, map_as_nobody(self->bdf, 0, SZ_4M + SZ_64K, SZ_4M));

	ASSERT_EQ(0, map_as_nobody(self->bdf, QUARANTINE, SZ_1M, SZ_4M));
	ASSERT_EQ(-ENOMEM, map_as_nobody(self->bdf, 0, SZ_4M, SZ_4M));
	ASSERT_EQ(0, map_as_nobody(self->bdf, 0, SZ_4M - SZ_1M, SZ_4M));
	ASSERT_EQ(0, map_as_nobody(self->bdf, QUIET, SZ_4M, SZ_4M));
}

TEST_F_TIMEOUT(quarantine, again_and_again, 600)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		user_was(self->bdf, QUARANTINE | QUIET, END_KILLED);
	ASSERT_HELD(true);
}

/* The device goes, or its driver */

TEST_F(quarantine, unbound)
{
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_EQ(0, device_unbind(self->bdf));
	ASSERT_EQ(self->free, huge_pages_free());
	ASSERT_EQ(0, device_bind_vfio(self->bdf));
	ASSERT_HELD(false);
}

TEST_F(quarantine, removed)
{
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_EQ(0, device_sysfs_write(self->bdf, "remove", "1"));
	ASSERT_EQ(self->free, huge_pages_free());
	ASSERT_EQ(0, sysfs_write("/sys/bus/pci/rescan", "1"));
	ASSERT_EQ(0, device_bind_vfio(self->bdf));
	ASSERT_HELD(false);
}

/* It is held for as long as the next user has the device */
TEST_F(quarantine, unbound_in_use)
{
	int fd, iommufd, status;
	pid_t pid;

	user_was(self->bdf, QUARANTINE, END_KILLED);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* It stops itself until the device is open */
		raise(SIGSTOP);
		_exit(device_unbind(self->bdf) ? 1 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	fd = device_open(self->bdf);
	iommufd = iommufd_open();
	ASSERT_EQ(0, device_bind(fd, iommufd, NULL));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	while (device_has_vfio(self->bdf))
		usleep(1000);
	ASSERT_EQ(self->free - NR_HUGE, huge_pages_free());
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, close(iommufd));

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(self->free, huge_pages_free());
	ASSERT_EQ(0, device_bind_vfio(self->bdf));
}

TEST_F(quarantine, mode_is_turned_off)
{
	user_was(self->bdf, QUARANTINE, END_KILLED);
	noiommu_mode_set(false);
	ASSERT_HELD(true);
	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_HELD(false);
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_HELD(true);
	noiommu_mode_set(true);
	ASSERT_HELD(true);
}

/*
 * A device that can be reset, by methods that the administrator can take away
 */

FIXTURE(quarantine_reset) {
	const char *bdf;
	long free;
	s64 pinned;
};

FIXTURE_SETUP(quarantine_reset)
{
	self->bdf = reset_bdf;
	if (!self->bdf)
		SKIP(return, "There is no device that can be reset");
	ASSERT_EQ(0, device_sysfs_write(self->bdf, "reset_method", "default"));
	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	self->free = huge_pages_free();
	self->pinned = pinned_pages();
}

FIXTURE_TEARDOWN(quarantine_reset)
{
	ASSERT_EQ(0, device_sysfs_write(self->bdf, "reset_method", "default"));
	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_EQ(self->free, huge_pages_free());
	ASSERT_PINNED(self->pinned);
}

static void reset_disable(const char *bdf)
{
	VFIO_ASSERT_EQ(device_sysfs_write(bdf, "reset_method", "\n"), 0);
}

TEST_F(quarantine_reset, closing_resets)
{
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_HELD(false);
}

TEST_F(quarantine_reset, closing_cannot_reset)
{
	reset_disable(self->bdf);
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_HELD(true);
	ASSERT_EQ(0, bind_once(self->bdf, QUIET));
	ASSERT_HELD(false);
}

/* It could be reset when it was opened, but not any more */
TEST_F(quarantine_reset, reset_before)
{
	struct bound b;
	void *vaddr;

	vaddr = bound_with_memory(&b, self->bdf, QUARANTINE);
	ASSERT_EQ(0, ioctl_errno(b.device_fd, VFIO_DEVICE_RESET, NULL));
	reset_disable(self->bdf);
	bound_cleanup(&b);
	ASSERT_EQ(0, munmap(vaddr, SIZE));
	ASSERT_HELD(true);
}

/* The next user's open does what was not to be had before */
TEST_F(quarantine_reset, opening_resets)
{
	reset_disable(self->bdf);
	user_was(self->bdf, QUARANTINE, END_KILLED);
	ASSERT_HELD(true);
	ASSERT_EQ(0, device_sysfs_write(self->bdf, "reset_method", "default"));
	ASSERT_EQ(0, bind_once(self->bdf, QUARANTINE));
	ASSERT_HELD(false);
}

static bool can_be_reset(const char *bdf)
{
	return closing_resets(bdf) && device_has_sysfs(bdf, "reset_method");
}

static void restore(void)
{
	noiommu_mode_set(true);
	if (reset_bdf)
		device_sysfs_write(reset_bdf, "reset_method", "default");
	if (devices.edu_bdf && !device_has_vfio(devices.edu_bdf))
		device_bind_vfio(devices.edu_bdf);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	reset_bdf = vfio_dev_find("noiommu-vfio", can_be_reset);
	restore_afterwards(restore);
	return test_harness_run(argc, argv);
}
