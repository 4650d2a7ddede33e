// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of a VFIO device without an IOMMU that are killed: while they set up,
 * map and look up, and in the middle of a transfer by the device.
 *
 * Once a user is gone, nothing may be pinned for it, and the device must not
 * write to memory that is somebody else's by then. The next user has to find it
 * in working order. If others have its files, all that is put off until they
 * are gone too.
 *
 * edu takes 100 ms for a transfer, and goes on with it whoever has the device
 * open, or nobody. What stops it is that it is no bus master.
 *
 * NOIOMMU_ROUNDS is the number of users to kill, NOIOMMU_SEED chooses how.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/io.h>
#include <linux/pci_regs.h>
#include <linux/sizes.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "dma.h"
#include "edu.h"
#include "fds.h"
#include "mem.h"
#include "random.h"
#include "utils.h"

#define ROUNDS			30
#define MILLISECOND		1000000ULL
#define EDU_DMA_NS		(100 * MILLISECOND)

/* Long enough for a transfer on a slow machine */
#define STUCK_NS		(30000 * MILLISECOND)

#define USER_SEED		0x0bad
#define ROOM			1024

static struct noiommu_devices devices;

/* What a user is doing when it is killed */
enum moment {
	SETTING_UP,
	ATTACHING,
	MAPPING,
	LOOKING_UP,
	TRANSFERRING,
	NR_MOMENTS,
};

static const char *const moments[NR_MOMENTS] = {
	"setting up", "attaching", "mapping", "looking up", "transferring",
};

struct plan {
	enum moment moment;
	u64 delay_ns;
	enum mem_kind kind;
	bool map_first;
	bool threads;
	/* The direction of the transfer, and where in the user's memory it is */
	bool to_ram;
	u64 offset;
};

/* What a user tells, in memory that it shares with the test */
struct shared {
	u64 begun_ns;
	u64 ready_ns;
	u32 ioas_id;
	u64 iova;
	u64 phys;
};

struct user {
	struct plan plan;
	struct shared *shared;
	pid_t pid;
	/* A byte comes out of it whenever the user has got further */
	int pipefd[2];
	/* Seen by both if it is a file, the user's own if not */
	struct mem mem;
	/* Where to send the files to, if anywhere */
	int sock;

	u64 killed_ns;

	struct iommu *iommu;
	struct vfio_pci_device *device;
	u64 iova;
};

static void transfer_start(struct vfio_pci_device *device, u64 phys, bool to_ram)
{
	if (to_ram)
		edu_start(device->bars[0].vaddr, EDU_BUF, phys, EDU_DMA_MAX,
			  EDU_DMA_TO_RAM);
	else
		edu_start(device->bars[0].vaddr, phys, EDU_BUF, EDU_DMA_MAX, 0);
}

static bool edu_is_running(struct vfio_pci_device *device)
{
	return readq(device->bars[0].vaddr + EDU_DMA_CMD) & EDU_DMA_RUN;
}

/*
 * The user, which never returns
 */

static void user_lookup(struct user *u)
{
	struct iommu_pa_extent extents[ROOM];
	u64 length = 0, phys;
	u32 nr = ROOM;
	int ret;

	ret = ioas_get_extents(u->iommu->iommufd, u->iommu->ioas_id, u->iova,
			       &length, &phys, extents, &nr);
	/* Another thread may have taken the device away, or the memory */
	if (!u->plan.threads || (ret != -EOPNOTSUPP && ret != -ENOENT))
		VFIO_ASSERT_EQ(ret, 0);
}

static void user_map(struct user *u, void *vaddr, u64 size)
{
	u64 iova = 0;

	VFIO_ASSERT_EQ(ioas_map(u->iommu->iommufd, u->iommu->ioas_id, vaddr,
				size, MAP_RW, &iova), 0);
	VFIO_ASSERT_EQ(ioas_unmap(u->iommu->iommufd, u->iommu->ioas_id, iova,
				  size), 0);
}

static void user_attach(struct user *u)
{
	VFIO_ASSERT_EQ(device_detach(u->device->fd), 0);
	VFIO_ASSERT_GT(device_attach_to(u->device->fd, u->iommu->ioas_id), 0);
}

static void *thread_lookup(void *arg)
{
	for (;;)
		user_lookup(arg);
	return NULL;
}

static void *thread_map(void *arg)
{
	struct user *u = arg;
	struct mem mem;

	VFIO_ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	for (;;)
		user_map(u, mem.vaddr, mem.size);
	return NULL;
}

static void *thread_info(void *arg)
{
	struct user *u = arg;

	for (;;)
		VFIO_ASSERT_EQ(device_get_info(u->device->fd), 0);
	return NULL;
}

static void *thread_attach(void *arg)
{
	for (;;)
		user_attach(arg);
	return NULL;
}

static void user_start_threads(struct user *u)
{
	void *(*const fns[])(void *) = {
		thread_lookup, thread_map,
		/* The memory of a transfer has to stay pinned */
		u->plan.moment == TRANSFERRING ? thread_info : thread_attach,
	};
	pthread_t thread;
	int i;

	for (i = 0; i < ARRAY_SIZE(fns); i++)
		VFIO_ASSERT_EQ(pthread_create(&thread, NULL, fns[i], u), 0);
}

static void user_set_up(struct user *u)
{
	u->iommu = iommu_init(MODE_NOIOMMU);
	if (u->plan.map_first)
		u->iova = mem_map(&u->mem, u->iommu->iommufd,
				  u->iommu->ioas_id, MAP_RW);
	u->device = vfio_pci_device_init(devices.edu_bdf, u->iommu);
	if (!u->plan.map_first)
		u->iova = mem_map(&u->mem, u->iommu->iommufd,
				  u->iommu->ioas_id, MAP_RW);

	vfio_pci_config_writew(u->device, PCI_COMMAND,
			       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			       PCI_COMMAND_INTX_DISABLE);
	vfio_pci_msi_enable(u->device, 0, 1);

	u->shared->ioas_id = u->iommu->ioas_id;
	u->shared->iova = u->iova;
	u->shared->phys = ioas_phys(u->iommu->iommufd, u->iommu->ioas_id,
				    u->iova + u->plan.offset);
}

static void user_tell(struct user *u, u64 *ns)
{
	__atomic_store_n(ns, now_ns(), __ATOMIC_RELEASE);
	VFIO_ASSERT_EQ(write(u->pipefd[1], "", 1), 1);
}

static void user_run(struct user *u)
{
	const struct plan *plan = &u->plan;

	prctl(PR_SET_PDEATHSIG, SIGKILL);

	if (!mem_is_file(&u->mem))
		VFIO_ASSERT_TRUE(mem_alloc(&u->mem, plan->kind, u->mem.size));

	user_tell(u, &u->shared->begun_ns);
	user_set_up(u);
	if (plan->moment == TRANSFERRING)
		transfer_start(u->device, u->shared->phys, plan->to_ram);
	if (u->sock >= 0)
		fds_send(u->sock, (int[]){ u->device->fd, u->iommu->iommufd }, 2);
	if (plan->threads)
		user_start_threads(u);
	user_tell(u, &u->shared->ready_ns);

	for (;;) {
		switch (plan->moment) {
		case ATTACHING:
			/* A thread does that already */
			if (!plan->threads) {
				user_attach(u);
				break;
			}
			fallthrough;
		case LOOKING_UP:
			user_lookup(u);
			break;
		case MAPPING:
			if (!mem_is_file(&u->mem)) {
				user_map(u, u->mem.vaddr, u->mem.size);
				break;
			}
			VFIO_ASSERT_EQ(ioas_unmap(u->iommu->iommufd,
						  u->iommu->ioas_id, u->iova,
						  u->mem.size), 0);
			u->iova = mem_map(&u->mem, u->iommu->iommufd,
					  u->iommu->ioas_id, MAP_RW);
			break;
		default:
			pause();
		}
	}
}

/*
 * The test, which starts users and kills them
 */

static void user_start(struct user *u, u64 size)
{
	u->shared = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(u->shared, MAP_FAILED);

	u->mem.kind = u->plan.kind;
	u->mem.size = size;
	if (mem_is_file(&u->mem)) {
		VFIO_ASSERT_TRUE(mem_alloc(&u->mem, u->plan.kind, size));
		mem_fill(u->mem.vaddr, size, USER_SEED);
	}

	VFIO_ASSERT_EQ(pipe(u->pipefd), 0);
	u->pid = fork();
	VFIO_ASSERT_GE(u->pid, 0);
	if (!u->pid)
		user_run(u);
	VFIO_ASSERT_EQ(close(u->pipefd[1]), 0);
}

static void user_free(struct user *u)
{
	VFIO_ASSERT_EQ(close(u->pipefd[0]), 0);
	VFIO_ASSERT_EQ(munmap(u->shared, getpagesize()), 0);
	if (mem_is_file(&u->mem))
		mem_free(&u->mem);
}

/* When it got there, 0 if it never will. user_kill() finds out why. */
static u64 user_wait(struct user *u, const u64 *ns)
{
	char byte;

	while (!__atomic_load_n(ns, __ATOMIC_ACQUIRE)) {
		if (read(u->pipefd[0], &byte, 1) != 1)
			return 0;
	}

	return *ns;
}

static void sleep_until(u64 end)
{
	u64 ns;

	while ((ns = now_ns()) < end) {
		if (end - ns > MILLISECOND)
			usleep((end - ns) / 2000);
	}
}

/* Returns false if there was nothing to kill any more */
static bool user_kill(struct user *u)
{
	int status;

	VFIO_ASSERT_EQ(kill(u->pid, SIGKILL), 0);
	u->killed_ns = now_ns();
	VFIO_ASSERT_EQ(waitpid(u->pid, &status, 0), u->pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;

	fprintf(stderr, "# The user ended with status %#x\n", status);
	return false;
}

/* Is anything left of the last user, who is gone with all of its files? */
static bool nothing_is_left(s64 pinned)
{
	const u16 command = pci_command(devices.edu_bdf);
	const s64 pinned_now = pinned_pages_wait(pinned);

	if (pinned_now != pinned)
		fprintf(stderr, "# %ld pages are pinned, %ld were before\n",
			pinned_now, pinned);
	if (command & PCI_COMMAND_MASTER)
		fprintf(stderr, "# The device is still a bus master\n");

	return pinned_now == pinned && !(command & PCI_COMMAND_MASTER);
}

static bool bytes_are(const char *what, const char *seen, const char *expected,
		      u64 size)
{
	u64 i = 0;

	if (!memcmp(seen, expected, size))
		return true;

	while (seen[i] == expected[i])
		i++;
	fprintf(stderr, "# %s, offset %#lx\n", what, i);
	fprintf(stderr, "#   Expected: %#x\n", (u8)expected[i]);
	fprintf(stderr, "#   Observed: %#x\n", (u8)seen[i]);
	return false;
}

/*
 * The device, and what is in its buffer. That comes from the last transfer of
 * this test to it, for reading it takes as long as a transfer does.
 */
struct buffer {
	bool known;
	char bytes[EDU_DMA_MAX];
};

/* The memory of a user that is gone, as it may be from now on, and as it was */
struct remains {
	char *vaddr;
	char *bytes;
	u64 size;
};

/* All of the user's memory is as before, but for the target of its transfer */
static bool remains_init(struct remains *r, const struct user *u,
			 const struct buffer *buffer)
{
	const struct plan *plan = &u->plan;
	bool ok;

	memset(r, 0, sizeof(*r));
	if (!mem_is_file(&u->mem))
		return true;

	r->vaddr = u->mem.vaddr;
	r->size = u->mem.size;
	r->bytes = malloc(r->size);
	VFIO_ASSERT_NOT_NULL(r->bytes);
	mem_fill(r->bytes, r->size, USER_SEED);
	if (plan->moment == TRANSFERRING && plan->to_ram &&
	    memcmp(r->bytes + plan->offset, r->vaddr + plan->offset, EDU_DMA_MAX))
		memcpy(r->bytes + plan->offset, buffer->bytes, EDU_DMA_MAX);

	ok = bytes_are("Memory of the user", r->vaddr, r->bytes, r->size);
	if (!ok)
		free(r->bytes);
	return ok;
}

/* Nothing writes there any more */
static bool remains_unchanged(struct remains *r)
{
	bool ok = !r->size || bytes_are("Memory of the user after its end",
					r->vaddr, r->bytes, r->size);

	free(r->bytes);
	return ok;
}

/*
 * A user that comes after one was killed. Its memory is likely to be what the
 * other had.
 */
static void next_init(struct dma *dma)
{
	memset(dma, 0, sizeof(*dma));
	dma->iommu = iommu_init(MODE_NOIOMMU);
	dma->device = vfio_pci_device_init(devices.edu_bdf, dma->iommu);

	VFIO_ASSERT_TRUE(mem_alloc(&dma->src, MEM_SCATTERED, SZ_64K));
	VFIO_ASSERT_TRUE(mem_alloc(&dma->dst, MEM_SCATTERED, SZ_64K));
	dma->src_bytes = malloc(dma->src.size);
	dma->dst_bytes = malloc(dma->dst.size);
	VFIO_ASSERT_NOT_NULL(dma->src_bytes);
	VFIO_ASSERT_NOT_NULL(dma->dst_bytes);
	mem_fill(dma->src.vaddr, dma->src.size, SRC_SEED);
	mem_fill(dma->src_bytes, dma->src.size, SRC_SEED);
	mem_fill(dma->dst.vaddr, dma->dst.size, DST_SEED);
	mem_fill(dma->dst_bytes, dma->dst.size, DST_SEED);

	/* This waits until the device is idle */
	dma_driver_init(dma);

	dma->src_iova = mem_map(&dma->src, dma->iommu->iommufd,
				dma->iommu->ioas_id, MAP_RW);
	dma->dst_iova = mem_map(&dma->dst, dma->iommu->iommufd,
				dma->iommu->ioas_id, MAP_RW);
}

/* Have the device put its buffer into memory, after something known is in it */
static bool next_transfer(struct dma *dma, struct buffer *buffer, u64 offset)
{
	offset %= dma->dst.size;
	if (!buffer->known) {
		dma_copy(dma, offset, offset, EDU_DMA_MAX);
		memcpy(buffer->bytes, dma->src_bytes + offset, EDU_DMA_MAX);
		buffer->known = true;
	} else {
		transfer_start(dma->device, dma_phys(dma, dma->dst_iova + offset), true);
		memcpy(dma->dst_bytes + offset, buffer->bytes, EDU_DMA_MAX);
		while (edu_is_running(dma->device))
			usleep(1000);
	}

	return bytes_are("Memory that the next user wrote to", dma->dst.vaddr,
			 dma->dst_bytes, dma->dst.size) &&
	       bytes_are("Memory that the next user read from", dma->src.vaddr,
			 dma->src_bytes, dma->src.size);
}

/* Put something into the buffer before anybody is killed */
static void buffer_init(struct buffer *buffer)
{
	struct dma dma;

	buffer->known = false;
	next_init(&dma);
	VFIO_ASSERT_TRUE(next_transfer(&dma, buffer, 0));
	dma_cleanup(&dma);
}

/* Is the device as good as new, and the memory at peace, after @u? */
static bool next_user(const struct user *u, struct buffer *buffer)
{
	struct remains remains;
	struct dma dma;
	bool ok;

	if (!remains_init(&remains, u, buffer))
		return false;
	if (u->plan.moment == TRANSFERRING && !u->plan.to_ram)
		buffer->known = false;

	next_init(&dma);
	ok = next_transfer(&dma, buffer, u->plan.offset);
	ok = remains_unchanged(&remains) && ok;
	dma_cleanup(&dma);

	return ok;
}

/*
 * One after the other
 */

static const struct mem_choice {
	enum mem_kind kind;
	u64 size;
} kinds[] = {
	{ MEM_SCATTERED, SZ_128K },
	{ MEM_ORDERED, SZ_128K },
	{ MEM_THP, SZ_2M },
	{ MEM_HUGETLB, SZ_2M },
	{ MEM_MEMFD, SZ_128K },
	{ MEM_MEMFD_HUGETLB, SZ_2M },
};

/* Some of these there may be none of */
static u32 choose_mem(struct mem_choice *choices)
{
	struct mem mem;
	u32 i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (mem_alloc(&mem, kinds[i].kind, kinds[i].size)) {
			choices[nr++] = kinds[i];
			mem_free(&mem);
		}
	}

	return nr;
}

struct kill {
	s64 pinned;
	struct mem_choice choices[ARRAY_SIZE(kinds)];
	u32 nr_choices;
	struct buffer buffer;
	u64 killed[NR_MOMENTS];
	u64 in_flight;
	/* How long the last user took from its start until it was ready */
	u64 set_up_ns;
};

FIXTURE(noiommu_kill) {
	struct kill kill;
};

FIXTURE_SETUP(noiommu_kill)
{
	struct kill *k = &self->kill;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");
	k->pinned = pinned_pages();
	if (k->pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");
	k->set_up_ns = 20 * MILLISECOND;
	k->nr_choices = choose_mem(k->choices);
	buffer_init(&k->buffer);
}

FIXTURE_TEARDOWN(noiommu_kill)
{
}

static void plan_init(struct plan *plan, struct rng *rng, u64 set_up_ns,
		      const struct mem_choice *choice)
{
	/* Half of them during a transfer, and of these most to memory */
	plan->moment = rng_below(rng, 2 * TRANSFERRING);
	if (plan->moment > TRANSFERRING)
		plan->moment = TRANSFERRING;
	plan->to_ram = rng_below(rng, 8);
	plan->threads = plan->moment != SETTING_UP && !rng_below(rng, 4);
	plan->map_first = rng_below(rng, 2);

	if (plan->moment == SETTING_UP)
		plan->delay_ns = rng_below(rng, set_up_ns);
	else if (plan->moment == TRANSFERRING)
		plan->delay_ns = rng_below(rng, EDU_DMA_NS);
	else
		plan->delay_ns = rng_below(rng, 8 * MILLISECOND);

	plan->kind = choice->kind;
	plan->offset = rng_below(rng, choice->size / getpagesize()) *
		       getpagesize();
}

static bool kill_round(struct kill *k, struct rng *rng)
{
	const struct mem_choice *choice =
		&k->choices[rng_below(rng, k->nr_choices)];
	struct user u = { .sock = -1 };
	bool ok;
	u64 ns;

	plan_init(&u.plan, rng, k->set_up_ns, choice);
	user_start(&u, choice->size);

	ns = user_wait(&u, &u.shared->begun_ns);
	if (u.plan.moment != SETTING_UP)
		ns = user_wait(&u, &u.shared->ready_ns);
	sleep_until(ns + u.plan.delay_ns);
	ok = user_kill(&u) && nothing_is_left(k->pinned) &&
	     next_user(&u, &k->buffer) &&
	     nothing_is_left(k->pinned);

	k->killed[u.plan.moment]++;
	if (u.plan.moment == TRANSFERRING &&
	    u.killed_ns - u.shared->ready_ns < EDU_DMA_NS)
		k->in_flight++;
	if (u.shared->ready_ns)
		k->set_up_ns = u.shared->ready_ns - u.shared->begun_ns;
	if (!ok)
		fprintf(stderr, "# After %s%s, %lu us, memory kind %d\n",
			moments[u.plan.moment],
			u.plan.threads ? " with threads" : "",
			u.plan.delay_ns / 1000, u.plan.kind);
	user_free(&u);

	return ok;
}

TEST_F_TIMEOUT(noiommu_kill, rounds, 7200)
{
	const u64 nr = env_u64("NOIOMMU_ROUNDS", ROUNDS);
	const u64 first_seed = env_u64("NOIOMMU_SEED", 1);
	struct kill *k = &self->kill;
	const u64 start = now_ns();
	struct rng rng;
	u64 round;
	int i;

	ASSERT_NE(0, nr);
	ASSERT_NE(0, first_seed);

	for (round = 0; round < nr; round++) {
		rng_init(&rng, first_seed, round);
		ASSERT_TRUE(kill_round(k, &rng))
			TH_LOG("Seed %lu, round %lu", first_seed, round);
	}

	for (i = 0; i < NR_MOMENTS; i++)
		TH_LOG("%lu killed while %s", k->killed[i], moments[i]);
	TH_LOG("%lu of %lu in the middle of a transfer, in %lu ms, seed %lu",
	       k->in_flight, nr, (now_ns() - start) / 1000000, first_seed);

	/*
	 * Otherwise nothing of it was put to the test. Of a few, all may come
	 * too late by chance; by default there are 17.
	 */
	if (k->killed[TRANSFERRING] >= 8)
		ASSERT_NE(0, k->in_flight);
}

/*
 * Users whose files somebody else has got
 */

enum passed {
	PASSED_DEVICE = BIT(0),
	PASSED_IOMMUFD = BIT(1),
};

struct survivor {
	struct user u;
	struct buffer buffer;
	s64 pinned;
	s64 pinned_by_user;
	/* The two ends of what the user sends its files through */
	int socks[2];
	struct bound b;
};

FIXTURE(noiommu_passed) {
	struct survivor s;
};

FIXTURE_VARIANT(noiommu_passed) {
	enum mem_kind kind;
	/* Those that are kept */
	u32 passed;
	/* They have been sent, but not received */
	bool on_the_way;
};

FIXTURE_VARIANT_ADD(noiommu_passed, both) {
	.kind = MEM_MEMFD,
	.passed = PASSED_DEVICE | PASSED_IOMMUFD,
};

FIXTURE_VARIANT_ADD(noiommu_passed, both_own_memory) {
	.kind = MEM_SCATTERED,
	.passed = PASSED_DEVICE | PASSED_IOMMUFD,
};

FIXTURE_VARIANT_ADD(noiommu_passed, device) {
	.kind = MEM_MEMFD,
	.passed = PASSED_DEVICE,
};

FIXTURE_VARIANT_ADD(noiommu_passed, iommufd) {
	.kind = MEM_MEMFD,
	.passed = PASSED_IOMMUFD,
};

FIXTURE_VARIANT_ADD(noiommu_passed, on_the_way) {
	.kind = MEM_MEMFD,
	.passed = PASSED_DEVICE | PASSED_IOMMUFD,
	.on_the_way = true,
};

static void passed_receive(struct survivor *s, u32 passed)
{
	int fds[2];

	fds_receive(s->socks[0], fds, 2);
	s->b.device_fd = fds[0];
	s->b.iommufd = fds[1];
	s->b.ioas_id = s->u.shared->ioas_id;
	if (!(passed & PASSED_DEVICE))
		VFIO_ASSERT_EQ(close(fds[0]), 0);
	if (!(passed & PASSED_IOMMUFD))
		VFIO_ASSERT_EQ(close(fds[1]), 0);
}

FIXTURE_SETUP(noiommu_passed)
{
	struct survivor *s = &self->s;
	struct user *u = &s->u;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");
	s->pinned = pinned_pages();
	if (s->pinned < 0)
		SKIP(return, "The kernel does not count pinned pages");

	buffer_init(&s->buffer);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s->socks));
	u->sock = s->socks[1];
	u->plan.moment = TRANSFERRING;
	u->plan.to_ram = true;
	u->plan.kind = variant->kind;
	u->plan.offset = 5 * getpagesize();

	user_start(u, SZ_128K);
	ASSERT_NE(0, user_wait(u, &u->shared->ready_ns));
	s->pinned_by_user = pinned_pages();
	ASSERT_LE(s->pinned + SZ_128K / getpagesize(), s->pinned_by_user);
	if (!variant->on_the_way)
		passed_receive(s, variant->passed);
	ASSERT_TRUE(user_kill(u));
}

FIXTURE_TEARDOWN(noiommu_passed)
{
	user_free(&self->s.u);
}

/* Does the transfer that the user started arrive at the page? */
static bool passed_arrives(struct survivor *s)
{
	const u64 end = now_ns() + STUCK_NS;
	char *target = s->u.mem.vaddr + s->u.plan.offset;

	while (now_ns() < end) {
		if (!memcmp(target, s->buffer.bytes, EDU_DMA_MAX))
			return true;
		usleep(1000);
	}

	return false;
}

/* The device goes on with what it was doing, and so it may */
static void passed_device_lives(struct __test_metadata *_metadata,
				struct survivor *s)
{
	ASSERT_PINNED(s->pinned_by_user);
	ASSERT_TRUE(pci_command(devices.edu_bdf) & PCI_COMMAND_MASTER);
	if (mem_is_file(&s->u.mem))
		ASSERT_TRUE(passed_arrives(s));
}

static void passed_device_is_gone(struct __test_metadata *_metadata,
				  struct survivor *s)
{
	ASSERT_TRUE(nothing_is_left(s->pinned));
	ASSERT_TRUE(next_user(&s->u, &s->buffer));
	ASSERT_TRUE(nothing_is_left(s->pinned));
}

TEST_F(noiommu_passed, outlives_user)
{
	struct survivor *s = &self->s;
	const u64 iova = s->u.shared->iova;
	struct mem *mem = &s->u.mem;
	struct bound *b = &s->b;

	if (variant->passed & PASSED_DEVICE)
		passed_device_lives(_metadata, s);
	else
		passed_device_is_gone(_metadata, s);

	if (variant->on_the_way) {
		/* Nobody can receive them once both of the ends are closed */
		ASSERT_EQ(0, close(s->socks[1]));
		ASSERT_EQ(0, close(s->socks[0]));
		passed_device_is_gone(_metadata, s);
		return;
	}

	if (variant->passed == PASSED_IOMMUFD) {
		ASSERT_EQ(-EOPNOTSUPP, lookup(b, iova, 1));
		ASSERT_EQ(0, ioas_unmap(b->iommufd, b->ioas_id, 0, UINT64_MAX));
		ASSERT_EQ(-ENOENT, lookup(b, iova, 1));
		ASSERT_EQ(0, close(b->iommufd));
		passed_device_is_gone(_metadata, s);
		return;
	}

	ASSERT_EQ(0, device_get_info(b->device_fd));
	if (variant->passed & PASSED_IOMMUFD) {
		ASSERT_EQ(s->u.shared->phys,
			  ioas_phys(b->iommufd, b->ioas_id,
				    iova + s->u.plan.offset));
		if (mem_is_file(mem)) {
			mem_read_pagemap(mem);
			ASSERT_TRUE(pa_each_page(b, iova, mem));
		}
		ASSERT_EQ(0, close(b->iommufd));
		ASSERT_PINNED(s->pinned_by_user);
	}
	ASSERT_EQ(0, close(b->device_fd));
	passed_device_is_gone(_metadata, s);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
