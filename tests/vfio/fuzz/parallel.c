// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "memory.h"
#include "parallel.h"
#include "quarantine.h"
#include "uapi.h"
#include "utils.h"
#include "values.h"


/*
 * Failures
 */

static __printf(2, 3) void worker_fail(struct worker *w, const char *fmt, ...)
{
	struct parallel_shared *shared = w->p->shared;
	va_list args;

	/* The first one counts */
	if (!__atomic_exchange_n(&shared->failed, true, __ATOMIC_SEQ_CST)) {
		va_start(args, fmt);
		vsnprintf(shared->failure, sizeof(shared->failure), fmt, args);
		va_end(args);
	}
	__atomic_store_n(&shared->stop, true, __ATOMIC_SEQ_CST);
}

static bool parallel_stopped(const struct parallel *p)
{
	return __atomic_load_n(&p->shared->stop, __ATOMIC_SEQ_CST);
}

/* A file may also be closed, or be another one than it was a moment ago */
static bool errno_is_sane(unsigned long cmd, int error)
{
	static const int sane[] = {
		0, ENOENT, EINTR, E2BIG, EBADF, EFAULT, EBUSY, EEXIST, EINVAL,
		ENOTTY, ENOSPC, EBADFD, EMSGSIZE, EOPNOTSUPP, EOVERFLOW,
		EADDRINUSE,
	};
	u32 i;

	/* Nobody loses a capability, but a mapping may only be there to be read */
	if (error == EPERM)
		return cmd == IOMMU_IOAS_COPY;

	for (i = 0; i < ARRAY_SIZE(sane); i++) {
		if (error == sane[i])
			return true;
	}

	return false;
}

static time_t parallel_now(void)
{
	struct timespec ts;

	VFIO_ASSERT_EQ(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return ts.tv_sec;
}

/* @since: when the operation began */
static void worker_check_stall(struct worker *w, time_t since, const char *what,
			       unsigned long nr)
{
	const time_t seconds = parallel_now() - since;

	if (seconds >= PARALLEL_STALL_SECONDS)
		worker_fail(w, "%s %#lx took %ld seconds", what, nr, seconds);
}

static int worker_ioctl(struct worker *w, int fd, unsigned long cmd,
			void *args)
{
	time_t start = parallel_now();
	int ret = ioctl_errno(fd, cmd, args);

	worker_check_stall(w, start, "ioctl", _IOC_NR(cmd));
	__atomic_add_fetch(&w->p->shared->ops, 1, __ATOMIC_RELAXED);
	if (!errno_is_sane(cmd, -ret))
		worker_fail(w, "ioctl %#lx: %s", _IOC_NR(cmd), strerror(-ret));

	return ret;
}

/*
 * Arguments
 */

static int worker_iommufd(struct worker *w)
{
	return __atomic_load_n(&w->p->fds[rng_below(&w->rng, PARALLEL_IOMMUFDS)],
			       __ATOMIC_SEQ_CST);
}

static int worker_device(struct worker *w)
{
	u32 nr = w->p->nr_files - PARALLEL_IOMMUFDS;

	return __atomic_load_n(&w->p->fds[PARALLEL_IOMMUFDS + rng_below(&w->rng, nr)],
			       __ATOMIC_SEQ_CST);
}

/* The first ones are what is looked for most of the time */
static u32 worker_id(struct worker *w)
{
	if (rng_one_in(&w->rng, 32))
		return fuzz_wild_id(&w->rng);
	if (rng_one_in(&w->rng, 6))
		return 1 + rng_below(&w->rng, PARALLEL_MAX_ID);

	return 1 + rng_below(&w->rng, 4);
}

static u64 worker_iova(struct worker *w)
{
	const u64 page_size = getpagesize();

	if (rng_one_in(&w->rng, 16))
		return fuzz_iova(&w->rng);

	/* Few, for many operations to meet there, and some at the very end */
	return (rng_below(&w->rng, 16) - 4) * 8 * page_size;
}

static u64 worker_known_iova(struct worker *w)
{
	if (rng_one_in(&w->rng, 4))
		return worker_iova(w);

	return __atomic_load_n(&w->p->known[rng_below(&w->rng,
						      ARRAY_SIZE(w->p->known))],
			       __ATOMIC_RELAXED);
}

static void worker_know(struct worker *w, u64 iova)
{
	__atomic_store_n(&w->p->known[rng_below(&w->rng, ARRAY_SIZE(w->p->known))],
			 iova, __ATOMIC_RELAXED);
}

static u64 worker_length(struct worker *w)
{
	if (rng_one_in(&w->rng, 64))
		return -(u64)SZ_1M;
	/* Where an alignment is needed, that is refused or is in the way later on */
	if (rng_one_in(&w->rng, 64))
		return 1 + rng_below(&w->rng, 8 * getpagesize());

	if (rng_below(&w->rng, 3))
		return 8 * getpagesize();

	return (1 + rng_below(&w->rng, 32)) * getpagesize();
}

/*
 * Mapping
 */

static void op_ioas_alloc(struct worker *w)
{
	struct iommu_ioas_alloc args = {
		.size = sizeof(args),
	};
	struct iommu_destroy destroy = {
		.size = sizeof(destroy),
	};
	int fd = worker_iommufd(w);

	if (worker_ioctl(w, fd, IOMMU_IOAS_ALLOC, &args) ||
	    args.out_ioas_id <= PARALLEL_MAX_ID)
		return;

	destroy.id = args.out_ioas_id;
	worker_ioctl(w, fd, IOMMU_DESTROY, &destroy);
}

static void op_destroy(struct worker *w)
{
	struct iommu_destroy args = {
		.size = sizeof(args),
		.id = worker_id(w),
	};

	worker_ioctl(w, worker_iommufd(w), IOMMU_DESTROY, &args);
}

static void op_map(struct worker *w)
{
	const u64 page_size = getpagesize();
	struct iommu_ioas_map args = {
		.size = sizeof(args),
		.flags = MAP_RW,
		.ioas_id = worker_id(w),
		.user_va = (uintptr_t)w->p->vaddr +
			   rng_below(&w->rng, PARALLEL_PAGES) * page_size,
		.length = worker_length(w),
		.iova = worker_iova(w),
	};

	/* What cannot be pinned stands in the way of every attach later on */
	if (rng_below(&w->rng, 16)) {
		args.user_va = (uintptr_t)w->p->vaddr +
			       rng_below(&w->rng, PARALLEL_PAGES - 32) * page_size;
		args.length = min_t(u64, args.length, 32 * page_size);
	}
	if (rng_below(&w->rng, 4))
		args.flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	if (rng_one_in(&w->rng, 16))
		args.flags &= ~IOMMU_IOAS_MAP_WRITEABLE;
	if (!worker_ioctl(w, worker_iommufd(w), IOMMU_IOAS_MAP, &args))
		worker_know(w, args.iova);
}

#ifdef IOMMU_IOAS_MAP_FILE
static void op_map_file(struct worker *w)
{
	struct iommu_ioas_map_file args = {
		.size = sizeof(args),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = worker_id(w),
		.fd = w->p->memfd,
		.start = rng_below(&w->rng, PARALLEL_PAGES) * getpagesize(),
		.length = worker_length(w),
		.iova = worker_iova(w),
	};

	if (rng_below(&w->rng, 16)) {
		args.start = rng_below(&w->rng, PARALLEL_PAGES - 8) * getpagesize();
		args.length = 8 * getpagesize();
	}
	if (!worker_ioctl(w, worker_iommufd(w), IOMMU_IOAS_MAP_FILE, &args))
		worker_know(w, args.iova);
}
#endif

static void op_copy(struct worker *w)
{
	struct iommu_ioas_copy args = {
		.size = sizeof(args),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = worker_id(w),
		.src_ioas_id = worker_id(w),
		.length = worker_length(w),
		.dst_iova = worker_iova(w),
		.src_iova = worker_known_iova(w),
	};

	if (!worker_ioctl(w, worker_iommufd(w), IOMMU_IOAS_COPY, &args))
		worker_know(w, args.dst_iova);
}

static void op_unmap(struct worker *w)
{
	struct iommu_ioas_unmap args = {
		.size = sizeof(args),
		.ioas_id = worker_id(w),
		.iova = worker_iova(w),
		.length = rng_one_in(&w->rng, 2) ? SZ_1M : worker_length(w),
	};

	if (rng_one_in(&w->rng, 4)) {
		args.iova = 0;
		args.length = UINT64_MAX;
	}
	worker_ioctl(w, worker_iommufd(w), IOMMU_IOAS_UNMAP, &args);
}

static void op_option(struct worker *w)
{
	struct iommu_option args = {
		.size = sizeof(args),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = rng_below(&w->rng, 2),
		.object_id = worker_id(w),
		.val64 = rng_below(&w->rng, 2),
	};

	worker_ioctl(w, worker_iommufd(w), IOMMU_OPTION, &args);
}

#ifdef IOMMU_IOAS_MAP_FILE
static void op_change_process(struct worker *w)
{
	struct iommu_ioas_change_process args = {
		.size = sizeof(args),
	};

	worker_ioctl(w, worker_iommufd(w), IOMMU_IOAS_CHANGE_PROCESS, &args);
}
#endif

/*
 * Lookup
 */

static int compare_phys(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void parallel_read_phys(const struct parallel *p, u64 *phys)
{
	const u64 size = PARALLEL_PAGES * (u64)getpagesize();

	/* A child begins without the entries, and a page that is moved has none */
	VFIO_ASSERT_EQ(madvise(p->mirror, size, MADV_POPULATE_READ), 0);
	pagemap_read(p->mirror, PARALLEL_PAGES, phys);
	qsort(phys, PARALLEL_PAGES, sizeof(*phys), compare_phys);
}

/* Is that a page of the test? It may have been moved before it was pinned. */
static bool page_is_owned(const struct parallel *p, u64 page)
{
	u64 phys[PARALLEL_PAGES];

	if (bsearch(&page, p->phys, PARALLEL_PAGES, sizeof(page), compare_phys))
		return true;

	parallel_read_phys(p, phys);
	return bsearch(&page, phys, PARALLEL_PAGES, sizeof(page), compare_phys);
}

static bool extent_is_owned(const struct parallel *p, u64 phys, u64 length)
{
	const u64 page_size = getpagesize();
	u64 page;

	if (!length || phys + (length - 1) < phys)
		return false;

	for (page = phys & -page_size; page <= phys + (length - 1); page += page_size) {
		if (!page_is_owned(p, page))
			return false;
	}

	return true;
}

static void lookup_verify(struct worker *w,
			  const struct iommu_ioas_get_pa *args, u32 room)
{
	u64 total = 0;
	u32 i;

	__atomic_add_fetch(&w->p->shared->lookups, 1, __ATOMIC_RELAXED);

	if (!room) {
		if (!extent_is_owned(w->p, args->out_phys, args->length))
			worker_fail(w, "%#llx bytes at %#llx are not the test's",
				    args->length, args->out_phys);
		return;
	}

	if (!args->num_extents || args->num_extents > room ||
	    w->extents[0].phys != args->out_phys) {
		worker_fail(w, "%u extents, first at %#llx, room for %u",
			    args->num_extents, args->out_phys, room);
		return;
	}

	for (i = 0; i < args->num_extents; i++) {
		const struct iommu_pa_extent *e = &w->extents[i];

		if (!extent_is_owned(w->p, e->phys, e->length)) {
			worker_fail(w, "Extent %u, %#llx bytes at %#llx, is not the test's",
				    i, e->length, e->phys);
			return;
		}
		total += e->length;
	}
	if (total != args->length)
		worker_fail(w, "Extents of %#lx bytes for %#llx", total, args->length);
}

static void op_lookup(struct worker *w)
{
	struct iommu_ioas_get_pa args = {
		.size = GET_PA_EXTENTS_SIZE,
		.ioas_id = worker_id(w),
		.iova = worker_known_iova(w) + rng_one_in(&w->rng, 4) * 16,
		.length = rng_one_in(&w->rng, 2) ? 0 : worker_length(w),
		.extents_uptr = (uintptr_t)w->extents,
	};
	u32 room = 0;

	if (rng_below(&w->rng, 3))
		room = 1 + rng_below(&w->rng, PARALLEL_EXTENTS);
	args.num_extents = room;

	if (!worker_ioctl(w, worker_iommufd(w), IOMMU_IOAS_GET_PA, &args))
		lookup_verify(w, &args, room);
}

/*
 * Devices
 */

static void op_hwpt_alloc(struct worker *w)
{
	struct iommu_hwpt_alloc args = {
		.size = sizeof(args),
		.dev_id = worker_id(w),
		.pt_id = worker_id(w),
	};
	struct iommu_destroy destroy = {
		.size = sizeof(destroy),
	};
	int fd = worker_iommufd(w);

	if (worker_ioctl(w, fd, IOMMU_HWPT_ALLOC, &args) ||
	    args.out_hwpt_id <= PARALLEL_MAX_ID)
		return;

	destroy.id = args.out_hwpt_id;
	worker_ioctl(w, fd, IOMMU_DESTROY, &destroy);
}

static void op_bind(struct worker *w)
{
	struct vfio_device_bind_iommufd args = {
		.argsz = sizeof(args),
		.flags = rng_below(&w->rng, 4) * QUARANTINE,
		.iommufd = worker_iommufd(w),
	};

	worker_ioctl(w, worker_device(w), VFIO_DEVICE_BIND_IOMMUFD, &args);
}

/*
 * Most likely the memory is gone with the child that mapped it, or something is
 * not aligned
 */
static void worker_unmap_all(struct worker *w, u32 ioas_id)
{
	struct iommu_ioas_unmap args = {
		.size = sizeof(args),
		.ioas_id = ioas_id,
		.length = UINT64_MAX,
	};

	worker_ioctl(w, worker_iommufd(w), IOMMU_IOAS_UNMAP, &args);
}

static void op_attach(struct worker *w)
{
	struct vfio_device_attach_iommufd_pt args = {
		.argsz = sizeof(args),
		.pt_id = worker_id(w),
		.flags = rng_one_in(&w->rng, 8) ? VFIO_DEVICE_ATTACH_PASID : 0,
	};
	int ret;

	PASID_SET(args, rng_below(&w->rng, 2));
	ret = worker_ioctl(w, worker_device(w), VFIO_DEVICE_ATTACH_IOMMUFD_PT, &args);
	if (ret == -EFAULT || ret == -EADDRINUSE)
		worker_unmap_all(w, args.pt_id);
	else if (ret == -EINVAL && rng_one_in(&w->rng, 4))
		op_bind(w);
}

static void op_detach(struct worker *w)
{
	struct vfio_device_detach_iommufd_pt args = {
		.argsz = sizeof(args),
		.flags = rng_one_in(&w->rng, 8) ? VFIO_DEVICE_DETACH_PASID : 0,
	};

	PASID_SET(args, rng_below(&w->rng, 2));
	worker_ioctl(w, worker_device(w), VFIO_DEVICE_DETACH_IOMMUFD_PT, &args);
}

/*
 * Files, memory and processes
 */

/* A file that has just been opened is of use to nobody without */
static void worker_set_up(struct worker *w, u32 i)
{
	u32 n;

	if (i < PARALLEL_IOMMUFDS) {
		for (n = 0; n < 3; n++)
			op_ioas_alloc(w);
		return;
	}

	op_bind(w);
	for (n = 0; n < 3; n++)
		op_attach(w);
}

/* Whoever uses the file at this moment gets EBADF, or an error of another file */
static void worker_reopen(struct worker *w, u32 i)
{
	struct parallel *p = w->p;
	time_t start;
	int fd;

	fd = __atomic_exchange_n(&p->fds[i], -1, __ATOMIC_SEQ_CST);
	/* Somebody else is at it */
	if (fd < 0)
		return;

	start = parallel_now();
	/* fork() copies the files before it copies what we know of them */
	if (close(fd) && !(w->is_child && errno == EBADF))
		worker_fail(w, "close of %s: %s", p->paths[i], strerror(errno));
	worker_check_stall(w, start, "close of file", i);

	fd = open(p->paths[i], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		worker_fail(w, "open of %s: %s", p->paths[i], strerror(errno));
	__atomic_store_n(&p->fds[i], fd, __ATOMIC_SEQ_CST);
	worker_set_up(w, i);
}

static void op_reopen_device(struct worker *w)
{
	u32 nr = w->p->nr_files - PARALLEL_IOMMUFDS;

	worker_reopen(w, PARALLEL_IOMMUFDS + rng_below(&w->rng, nr));
}

static void op_reopen_iommufd(struct worker *w)
{
	worker_reopen(w, rng_below(&w->rng, PARALLEL_IOMMUFDS));
}

/* Take memory away for a moment */
static void op_unmap_memory(struct worker *w)
{
	const u64 page_size = getpagesize();
	const u64 offset = rng_below(&w->rng, PARALLEL_PAGES) * page_size;
	const u64 size = min_t(u64, (1 + rng_below(&w->rng, 64)) * page_size,
			       (PARALLEL_PAGES * page_size - offset));
	char *vaddr = w->p->vaddr + offset;

	/* Nothing else may come to be there */
	VFIO_ASSERT_EQ(mmap(vaddr, size, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), vaddr);
	if (rng_one_in(&w->rng, 2))
		usleep(rng_below(&w->rng, 1000));
	VFIO_ASSERT_EQ(mmap(vaddr, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, w->p->memfd, offset), vaddr);
}

static inline void worker_loop(struct worker *w);

static void op_fork(struct worker *w)
{
	u64 seed = rng_next(&w->rng);

	if (w->is_child || w->child)
		return;

	w->child = fork();
	VFIO_ASSERT_GE(w->child, 0);
	if (w->child)
		return;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->is_child = true;
	rng_init(&w->rng, seed, 0);
	worker_loop(w);
	/* It is always killed, and mostly in the middle of something */
	for (;;)
		pause();
}

static void worker_kill(struct worker *w)
{
	time_t start = parallel_now();
	int status;

	if (!w->child)
		return;

	VFIO_ASSERT_EQ(kill(w->child, SIGKILL), 0);
	VFIO_ASSERT_EQ(waitpid(w->child, &status, 0), w->child);
	worker_check_stall(w, start, "end of child", w->child);
	w->child = 0;

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		worker_fail(w, "A child ended with status %#x", status);
}

static void op_kill(struct worker *w)
{
	worker_kill(w);
}

static const struct parallel_op {
	void (*fn)(struct worker *w);
	u32 weight;
} parallel_ops[] = {
	{ op_lookup, 300 },
	{ op_map, 160 },
	{ op_copy, 80 },
	{ op_unmap, 50 },
	{ op_attach, 80 },
	{ op_detach, 30 },
	{ op_hwpt_alloc, 30 },
	{ op_ioas_alloc, 30 },
	{ op_destroy, 8 },
	{ op_option, 20 },
	{ op_bind, 30 },
	{ op_unmap_memory, 20 },
	{ op_reopen_device, 3 },
	{ op_reopen_iommufd, 2 },
	{ op_fork, 10 },
	{ op_kill, 4 },
#ifdef IOMMU_IOAS_MAP_FILE
	{ op_map_file, 60 },
	{ op_change_process, 5 },
#endif
};

static void worker_loop(struct worker *w)
{
	u32 i, total = 0, choice;

	for (i = 0; i < ARRAY_SIZE(parallel_ops); i++)
		total += parallel_ops[i].weight;

	while (!parallel_stopped(w->p)) {
		choice = rng_below(&w->rng, total);
		for (i = 0; choice >= parallel_ops[i].weight; i++)
			choice -= parallel_ops[i].weight;
		parallel_ops[i].fn(w);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	u32 i;

	for (i = 0; i < w->p->nr_files; i++)
		worker_set_up(w, i);
	worker_loop(w);
	worker_kill(w);

	return NULL;
}

/*
 * The phase
 */

/* Once, for all rounds */
void parallel_init(struct parallel *p, const char *cdev_path,
		   const char *other_bdf)
{
	const u64 size = PARALLEL_PAGES * (u64)getpagesize();
	const char *other = NULL;
	u32 i;

	memset(p, 0, sizeof(*p));
	p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE((void *)p->shared, MAP_FAILED);

	p->memfd = memfd_create("noiommu-fuzz-parallel", 0);
	VFIO_ASSERT_GE(p->memfd, 0);
	VFIO_ASSERT_EQ(ftruncate(p->memfd, size), 0);
	/* What is mapped may go on past its end, and had better find nothing there */
	p->vaddr = mem_reserve(2 * size, SZ_64K);
	VFIO_ASSERT_EQ(mmap(p->vaddr, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, p->memfd, 0), p->vaddr);
	p->mirror = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p->memfd, 0);
	VFIO_ASSERT_NE(p->mirror, MAP_FAILED);
	/* An address is only known as long as reclaim does not take the page */
	VFIO_ASSERT_EQ(mlock(p->mirror, size), 0);

	if (other_bdf)
		other = vfio_pci_get_cdev_path(other_bdf);
	for (i = 0; i < PARALLEL_IOMMUFDS; i++)
		p->paths[p->nr_files++] = "/dev/iommu";
	for (i = 0; i < 2; i++) {
		p->paths[p->nr_files++] = cdev_path;
		if (other)
			p->paths[p->nr_files++] = other;
	}
}

static void parallel_open_all(struct parallel *p)
{
	u32 i;

	for (i = 0; i < p->nr_files; i++) {
		p->fds[i] = open(p->paths[i], O_RDWR | O_CLOEXEC);
		VFIO_ASSERT_GE(p->fds[i], 0);
	}
}

static void parallel_close_all(struct parallel *p, struct rng *rng)
{
	const u32 first = rng_below(rng, p->nr_files);
	u32 i;

	for (i = 0; i < p->nr_files; i++) {
		int fd = p->fds[(first + i) % p->nr_files];

		VFIO_ASSERT_EQ(close(fd), 0);
	}

	for (i = PARALLEL_IOMMUFDS; i < p->nr_files; i++)
		VFIO_ASSERT_EQ(fd_bind_once(open(p->paths[i], O_RDWR), QUIET), 0);
}

static void parallel_prepare_memory(struct parallel *p)
{
	u32 i;

	for (i = 0; i < PARALLEL_PAGES; i++)
		p->mirror[i * (u64)getpagesize()] = i;
	parallel_read_phys(p, p->phys);
}

/* Returns false if something was not as it should be */
bool parallel_run(struct parallel *p, u64 seed, u32 round,
		  u64 milliseconds)
{
	static struct worker workers[PARALLEL_THREADS];
	struct rng rng;
	u32 i;

	rng_init(&rng, ~seed, round);
	p->shared->stop = false;
	parallel_prepare_memory(p);
	parallel_open_all(p);

	for (i = 0; i < PARALLEL_THREADS; i++) {
		struct worker *w = &workers[i];

		memset(w, 0, sizeof(*w));
		w->p = p;
		rng_init(&w->rng, rng_next(&rng), i);
		VFIO_ASSERT_EQ(pthread_create(&w->thread, NULL, worker_main, w), 0);
	}

	for (; milliseconds && !parallel_stopped(p); milliseconds--)
		usleep(1000);
	__atomic_store_n(&p->shared->stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < PARALLEL_THREADS; i++)
		VFIO_ASSERT_EQ(pthread_join(workers[i].thread, NULL), 0);

	parallel_close_all(p, &rng);

	if (p->shared->failed)
		printf("# --seed %lu, round %u: %s\n", seed, round,
		       p->shared->failure);
	return !p->shared->failed;
}
