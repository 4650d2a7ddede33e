// SPDX-License-Identifier: GPL-2.0-only
/*
 * More memory than is good for a VFIO device without an IOMMU: nearly all that
 * the machine has, more than a process may lock, and more than there is. It is
 * mapped or refused as a whole, and all of it comes back.
 *
 * NOIOMMU_MIB is the most to map of what the machine has. It may be more than
 * that.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/sizes.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "mem.h"
#include "random.h"
#include "utils.h"

#define IOVA			SZ_4G
#define ROOM			4096

static struct noiommu_devices devices;

/* The value of a line of /proc/meminfo, in its own unit */
static u64 meminfo_read(const char *name)
{
	u64 value, found = UINT64_MAX;
	char line[128], seen[64];
	FILE *file;

	file = fopen("/proc/meminfo", "r");
	VFIO_ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63[^:]: %lu", seen, &value) == 2 &&
		    !strcmp(seen, name))
			found = value;
	}
	VFIO_ASSERT_EQ(fclose(file), 0);
	VFIO_ASSERT_NE(found, UINT64_MAX, "There is no %s\n", name);

	return found;
}

/*
 * RLIMIT_MEMLOCK
 */

enum account {
	ACCOUNT_USER,
	ACCOUNT_PROCESS,
};

FIXTURE(noiommu_limit) {
	struct bound b;
	struct mem mem;
	s64 pinned;
};

FIXTURE_VARIANT(noiommu_limit) {
	enum account account;
	enum mem_kind kind;
};

FIXTURE_VARIANT_ADD(noiommu_limit, user) {
	.account = ACCOUNT_USER,
	.kind = MEM_SCATTERED,
};

FIXTURE_VARIANT_ADD(noiommu_limit, user_memfd) {
	.account = ACCOUNT_USER,
	.kind = MEM_MEMFD,
};

FIXTURE_VARIANT_ADD(noiommu_limit, process) {
	.account = ACCOUNT_PROCESS,
	.kind = MEM_SCATTERED,
};

FIXTURE_VARIANT_ADD(noiommu_limit, process_memfd) {
	.account = ACCOUNT_PROCESS,
	.kind = MEM_MEMFD,
};

/* iommufd does not count the memory of those who may lock as much as they like */
static void cap_ipc_lock_drop(void)
{
	cap_set(CAP_IPC_LOCK, false);
}

static void memlock_set(u64 size)
{
	const struct rlimit limit = { .rlim_cur = size, .rlim_max = size };

	VFIO_ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

FIXTURE_SETUP(noiommu_limit)
{
	struct iommu_option args = {
		.size = sizeof(args),
		.option_id = IOMMU_OPTION_RLIMIT_MODE,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = variant->account == ACCOUNT_PROCESS,
	};
	struct bound *b = &self->b;

	self->pinned = pinned_pages();
	if (self->pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");

	/* The last page is one too many, after several batches of iommufd */
	ASSERT_TRUE(mem_alloc(&self->mem, variant->kind, SZ_8M));
	cap_ipc_lock_drop();
	memlock_set(self->mem.size - getpagesize());

	b->device_fd = device_open(devices.bdf);
	b->iommufd = iommufd_open();
	/* It has to be set before there is anything in it */
	ASSERT_EQ(0, ioctl_errno(b->iommufd, IOMMU_OPTION, &args));
	ASSERT_EQ(0, device_bind(b->device_fd, b->iommufd, NULL));
	b->ioas_id = ioas_alloc(b->iommufd);
}

FIXTURE_TEARDOWN(noiommu_limit)
{
	bound_cleanup(&self->b);
	ASSERT_PINNED(self->pinned);
	mem_free(&self->mem);
}

/* Map that many pages of the memory, from its start on */
static int limit_map(struct bound *b, struct mem *mem, u64 npages, u64 iova)
{
	return mem_map_part(b, mem, 0, npages * getpagesize(), iova);
}

TEST_F(noiommu_limit, map_attached)
{
	const u64 npages = self->mem.npages, page_size = getpagesize();
	const s64 most = self->pinned + npages - 1;
	struct bound *b = &self->b;
	int i;

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));

	/* Again and again: what was refused or unmapped does not count */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(-ENOMEM, limit_map(b, &self->mem, npages, IOVA));
		ASSERT_PINNED(self->pinned);
		ASSERT_EQ(-ENOENT, lookup(b, IOVA, 0));

		ASSERT_EQ(0, limit_map(b, &self->mem, npages - 1, IOVA));
		ASSERT_PINNED(most);
		ASSERT_EQ(0, lookup(b, IOVA + (npages - 2) * page_size, 0));

		/* Not even one more */
		ASSERT_EQ(-ENOMEM, limit_map(b, &self->mem, 1, 2 * IOVA));
		ASSERT_PINNED(most);
		ASSERT_EQ(-ENOENT, lookup(b, 2 * IOVA, 0));

		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, 0, UINT64_MAX));
		ASSERT_PINNED(self->pinned);
	}
}

TEST_F(noiommu_limit, attach_mapped)
{
	const u64 npages = self->mem.npages;
	const s64 most = self->pinned + npages - 1;
	struct bound *b = &self->b;
	int i;

	for (i = 0; i < 3; i++) {
		/* Without a device nothing is pinned, and nothing is too much */
		ASSERT_EQ(0, limit_map(b, &self->mem, npages - 1, IOVA));
		ASSERT_EQ(0, limit_map(b, &self->mem, 1, 2 * IOVA));
		ASSERT_PINNED(self->pinned);

		ASSERT_EQ(-ENOMEM, device_attach_to(b->device_fd, b->ioas_id));
		ASSERT_PINNED(self->pinned);
		ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));
		ASSERT_EQ(-EOPNOTSUPP, lookup(b, 2 * IOVA, 0));

		/* It is not attached, but can be */
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, 2 * IOVA,
					getpagesize()));
		ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
		ASSERT_PINNED(most);
		ASSERT_EQ(0, lookup(b, IOVA, 0));

		ASSERT_EQ(0, device_detach(b->device_fd));
		ASSERT_PINNED(self->pinned);
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, 0, UINT64_MAX));
	}
}

/*
 * More huge pages than there are, which is no matter for the OOM killer
 */

FIXTURE(noiommu_exhausted) {
	struct bound b;
	s64 pinned;
	u64 free;
	u64 size;
	char *vaddr;
	int fd;
};

FIXTURE_VARIANT(noiommu_exhausted) {
	bool file;
	int error;
};

/* A fault that cannot be served, as for any other access by the kernel */
FIXTURE_VARIANT_ADD(noiommu_exhausted, anonymous) {
	.error = -EFAULT,
};

FIXTURE_VARIANT_ADD(noiommu_exhausted, memfd) {
	.file = true,
	.error = -ENOMEM,
};

/* Huge pages that the kernel may make when there is none left */
static u64 hugetlb_overcommit(void)
{
	FILE *file = fopen("/proc/sys/vm/nr_overcommit_hugepages", "r");
	int found;
	u64 nr;

	VFIO_ASSERT_NOT_NULL(file);
	found = fscanf(file, "%lu", &nr);
	VFIO_ASSERT_EQ(found, 1);
	VFIO_ASSERT_EQ(fclose(file), 0);

	return nr;
}

FIXTURE_SETUP(noiommu_exhausted)
{
	if (meminfo_read("Hugepagesize") * 1024 != SZ_2M ||
	    !meminfo_read("HugePages_Free"))
		SKIP(return, "No huge page of 2 MiB is free");
	if (meminfo_read("HugePages_Rsvd") || hugetlb_overcommit())
		SKIP(return, "Those that are free are not all that one can get");
	if (variant->file && !MAPS_FILES)
		SKIP(return, "iommufd of this kernel maps no files");
	self->free = meminfo_read("HugePages_Free");
	self->pinned = pinned_pages();
	if (self->pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");

	/* Nothing reserves them, so that only pinning needs them */
	self->size = (self->free + 1) * SZ_2M;
	if (variant->file) {
		self->fd = memfd_create("noiommu", MFD_HUGETLB | MFD_HUGE_2MB);
		ASSERT_LE(0, self->fd);
		ASSERT_EQ(0, ftruncate(self->fd, self->size));
	} else {
		self->vaddr = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				   MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
		ASSERT_NE(MAP_FAILED, self->vaddr);
	}
	bound_init(&self->b, devices.bdf);
}

FIXTURE_TEARDOWN(noiommu_exhausted)
{
	bound_cleanup(&self->b);
	ASSERT_PINNED(self->pinned);
	if (self->vaddr)
		ASSERT_EQ(0, munmap(self->vaddr, self->size));
	if (variant->file)
		ASSERT_EQ(0, close(self->fd));
	ASSERT_EQ(self->free, meminfo_read("HugePages_Free"));
}

static int exhausted_map(struct bound *b, char *vaddr, int fd, u64 size)
{
	u64 iova = IOVA;

	if (vaddr)
		return ioas_map_fixed(b->iommufd, b->ioas_id, vaddr, size, iova);
	return ioas_map_file(b->iommufd, b->ioas_id, fd, 0, size,
			     MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA, &iova);
}

TEST_F(noiommu_exhausted, map_attached)
{
	struct bound *b = &self->b;

	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(variant->error,
		  exhausted_map(b, self->vaddr, self->fd, self->size));
	ASSERT_PINNED(self->pinned);
	ASSERT_EQ(-ENOENT, lookup(b, IOVA, 0));

	/* All that there are */
	ASSERT_EQ(0, exhausted_map(b, self->vaddr, self->fd,
				   self->size - SZ_2M));
	ASSERT_EQ(0, meminfo_read("HugePages_Free"));
	ASSERT_EQ(0, lookup(b, IOVA + self->size - SZ_2M - 1, 0));
}

TEST_F(noiommu_exhausted, attach_mapped)
{
	struct bound *b = &self->b;

	ASSERT_EQ(0, exhausted_map(b, self->vaddr, self->fd, self->size));
	ASSERT_EQ(variant->error, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_PINNED(self->pinned);
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, IOVA, 0));

	ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, 0, UINT64_MAX));
	ASSERT_EQ(0, exhausted_map(b, self->vaddr, self->fd,
				   self->size - SZ_2M));
	ASSERT_LT(0, device_attach_to(b->device_fd, b->ioas_id));
	ASSERT_EQ(0, meminfo_read("HugePages_Free"));
}

/*
 * Nearly all memory
 */

/* For each step. A slow machine with all of debugging takes a part of it. */
#define MOST_SECONDS		120ULL

/* When NOIOMMU_MIB is not set */
#define MOST_MIB		4096

/* Who asks for more has to wait for it */
static u64 most_limit_ns(void)
{
	return getenv("NOIOMMU_MIB") ? UINT64_MAX :
				       MOST_SECONDS * 1000000000ULL;
}

FIXTURE(noiommu_most) {
	s64 pinned;
	u64 npages;
	u64 free_kb;
};

FIXTURE_VARIANT(noiommu_most) {
	bool thp;
	bool map_first;
};

FIXTURE_VARIANT_ADD(noiommu_most, small_pages) {
};

FIXTURE_VARIANT_ADD(noiommu_most, thp_map_first) {
	.thp = true,
	.map_first = true,
};

FIXTURE_SETUP(noiommu_most)
{
	u64 available_kb = meminfo_read("MemAvailable");

	self->pinned = pinned_pages();
	if (self->pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");

	/* What can be reclaimed may as well not be: leave it to others */
	self->free_kb = meminfo_read("MemFree");
	self->npages = min_t(u64, self->free_kb, available_kb) * 1024 / 10 * 9 /
		       SZ_2M * SZ_2M / getpagesize();
	self->npages = min_t(u64, self->npages,
			     env_u64("NOIOMMU_MIB", MOST_MIB) *
			     (SZ_1M / getpagesize()));
	ASSERT_NE(0, self->npages);
}

FIXTURE_TEARDOWN(noiommu_most)
{
	ASSERT_PINNED(self->pinned);
}

/* If there is not enough in spite of all, this process has to pay for it */
static void most_start(void)
{
	FILE *file;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	file = fopen("/proc/self/oom_score_adj", "w");
	VFIO_ASSERT_NOT_NULL(file);
	VFIO_ASSERT_GT(fprintf(file, "1000"), 0);
	VFIO_ASSERT_EQ(fclose(file), 0);
}

static char *most_mmap(u64 npages, bool thp)
{
	const u64 size = npages * getpagesize();
	char *vaddr = mem_mmap_aligned(size);

	/* Fails where there are no transparent huge pages to turn on or off */
	madvise(vaddr, size, thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return vaddr;
}

static void step_end(const char *name, u64 *start)
{
	const u64 now = now_ns();

	printf("# %s: %lu ms\n", name, (now - *start) / 1000000);
	fflush(stdout);
	VFIO_ASSERT_LT(now - *start, most_limit_ns());
	*start = now;
}

/* Compare every page with pagemap, some thousand at a time */
static void most_check(const struct bound *b, const char *vaddr, u64 npages)
{
	const u64 page_size = getpagesize();
	static struct iommu_pa_extent extents[ROOM];
	static u64 expected[ROOM];
	u64 page = 0, length, phys, i, at;
	u32 nr, e;

	while (page < npages) {
		const u64 step = min_t(u64, ROOM, npages - page);

		length = step * page_size;
		nr = ROOM;
		VFIO_ASSERT_EQ(ioas_get_extents(b->iommufd, b->ioas_id,
						IOVA + page * page_size, &length,
						&phys, extents, &nr), 0);
		VFIO_ASSERT_EQ(length, step * page_size);

		pagemap_read(vaddr + page * page_size, step, expected);
		for (e = 0, i = 0; e < nr; e++) {
			for (at = 0; at < extents[e].length; at += page_size)
				VFIO_ASSERT_EQ(extents[e].phys + at,
					       expected[i++]);
		}
		VFIO_ASSERT_EQ(i, step);
		page += step;
	}
}

static void most_run(s64 pinned, u64 npages, bool thp, bool map_first)
{
	const u64 size = npages * getpagesize();
	struct bound b;
	char *vaddr;
	u64 start;

	most_start();
	vaddr = most_mmap(npages, thp);
	bound_init(&b, devices.bdf);

	start = now_ns();
	if (!map_first)
		VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
	VFIO_ASSERT_EQ(ioas_map_fixed(b.iommufd, b.ioas_id, vaddr, size, IOVA), 0);
	if (map_first)
		VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
	step_end("map and attach", &start);
	VFIO_ASSERT_EQ(pinned_pages_wait(pinned + npages), pinned + (s64)npages);

	most_check(&b, vaddr, npages);
	step_end("look up and compare", &start);

	if (map_first) {
		VFIO_ASSERT_EQ(device_detach(b.device_fd), 0);
		VFIO_ASSERT_EQ(pinned_pages_wait(pinned), pinned);
		step_end("detach", &start);
	}
	VFIO_ASSERT_EQ(ioas_unmap(b.iommufd, b.ioas_id, IOVA, size), 0);
	VFIO_ASSERT_EQ(pinned_pages_wait(pinned), pinned);
	step_end("unmap", &start);
	bound_cleanup(&b);
	exit(KSFT_PASS);
}

TEST_F_TIMEOUT(noiommu_most, map_and_look_up, 7200)
{
	int status;
	pid_t pid;

	TH_LOG("%lu MiB of %lu MiB, of which %lu MiB are free",
	       self->npages * getpagesize() / SZ_1M, meminfo_read("MemTotal") / 1024,
	       self->free_kb / 1024);

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		most_run(self->pinned, self->npages, variant->thp,
			 variant->map_first);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(KSFT_PASS, WEXITSTATUS(status));
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	VFIO_ASSERT_EQ(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid;
}

/* In the middle of it */
TEST_F_TIMEOUT(noiommu_most, kill, 7200)
{
	struct bound b;
	s64 taken;
	int status;
	pid_t pid;
	u64 start;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *vaddr;

		most_start();
		vaddr = most_mmap(self->npages, variant->thp);
		bound_init(&b, devices.bdf);
		if (!variant->map_first)
			VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
		VFIO_ASSERT_EQ(ioas_map_fixed(b.iommufd, b.ioas_id, vaddr,
					      self->npages * getpagesize(),
					      IOVA), 0);
		if (variant->map_first)
			VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
		/* That was too fast */
		_exit(KSFT_SKIP);
	}

	start = now_ns();
	do {
		usleep(1000);
		taken = pinned_pages() - self->pinned;
	} while (taken < (s64)self->npages / 4 && !has_ended(pid) &&
		 now_ns() - start < most_limit_ns());
	start = now_ns();
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	TH_LOG("%ld of %lu pages were pinned, %lu ms to die", taken,
	       self->npages, (now_ns() - start) / 1000000);
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		SKIP(return, "It was over before it was killed");
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(SIGKILL, WTERMSIG(status));
	ASSERT_LE((s64)self->npages / 4, taken);
	ASSERT_PINNED(self->pinned);

	bound_init(&b, devices.bdf);
	bound_cleanup(&b);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
