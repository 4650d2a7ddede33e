// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the page table of the noiommu HWPT
 *
 * Nothing uses the memory that is mapped, so any physical address will do. They
 * are chosen such that those of neighbours are contiguous, or are not.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/vmstat.h>

#include "iommufd_private.h"
#include "noiommu_pt.h"

#define FRAME ((unsigned long)SZ_4K)

/* What the items of one table cover if each of them is for a frame */
#define TABLE_ITEMS (PAGE_SIZE / sizeof(unsigned long))
#define LEAF_SPAN (TABLE_ITEMS * FRAME)

/* Where most tests map */
#define BASE (LEAF_SPAN * 3)

struct pt_test {
	struct iommu_domain *domain;
	long tables;
};

/* All tables there are. With more than one CPU the count lags behind. */
static long count_tables(void)
{
	return global_node_page_state(NR_IOMMU_PAGES);
}

static long tables(struct kunit *test)
{
	struct pt_test *priv = test->priv;

	return count_tables() - priv->tables;
}

static int pt_test_init(struct kunit *test)
{
	struct pt_test *priv;

	priv = kunit_kzalloc(test, sizeof(*priv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, priv);
	test->priv = priv;
	priv->tables = count_tables();
	priv->domain = iommufd_noiommu_domain_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, priv->domain);
	return 0;
}

static void pt_test_exit(struct kunit *test)
{
	struct pt_test *priv = test->priv;

	if (priv && !IS_ERR_OR_NULL(priv->domain)) {
		iommu_domain_free(priv->domain);
		if (!IS_ENABLED(CONFIG_SMP))
			KUNIT_EXPECT_EQ(test, tables(test), 0);
	}
}

static struct iommu_domain *domain_of(struct kunit *test)
{
	return ((struct pt_test *)test->priv)->domain;
}

static int map(struct kunit *test, unsigned long iova, phys_addr_t phys,
	       size_t size)
{
	return iommu_map(domain_of(test), iova, phys, size,
			 IOMMU_READ | IOMMU_WRITE, GFP_KERNEL);
}

static size_t unmap(struct kunit *test, unsigned long iova, size_t size)
{
	return iommu_unmap(domain_of(test), iova, size);
}

static phys_addr_t phys_at(struct kunit *test, unsigned long iova)
{
	return iommu_iova_to_phys(domain_of(test), iova);
}

static unsigned long read_runs(struct kunit *test, unsigned long iova,
			       unsigned long length,
			       struct pt_iommu_run *array, unsigned int max,
			       unsigned int *nr)
{
	struct pt_iommu_runs runs = {
		.runs = array,
		.max = max,
		.nr = *nr,
		.max_items = UINT_MAX,
	};
	unsigned long done;

	done = iommufd_domain_read_range(domain_of(test), iova, length, &runs);
	*nr = runs.nr;
	return done;
}

/* An entry of every size there is, in a place that has no other */
static void test_sizes(struct kunit *test)
{
	unsigned int lg2;

	for (lg2 = ilog2(FRAME); lg2 < min(BITS_PER_LONG, ilog2(NOIOMMU_PHYS_END)); lg2++) {
		const unsigned long size = 1UL << lg2;
		const unsigned long iova = size;
		const phys_addr_t phys = size;

		KUNIT_ASSERT_EQ(test, map(test, iova, phys, size), 0);
		KUNIT_ASSERT_EQ(test, phys_at(test, iova + 1), phys + 1);
		KUNIT_ASSERT_EQ(test, phys_at(test, iova + size / 2 + 5),
				phys + size / 2 + 5);
		KUNIT_ASSERT_EQ(test, phys_at(test, iova + size - 1),
				phys + size - 1);
		KUNIT_ASSERT_EQ(test, phys_at(test, iova - 1), 0);
		KUNIT_ASSERT_EQ(test, phys_at(test, iova + size), 0);
		KUNIT_ASSERT_EQ(test, unmap(test, iova, size), size);
		KUNIT_ASSERT_EQ(test, phys_at(test, iova + 1), 0);
	}
}

/* From the first byte to the last, each of which needs another top */
static void test_whole_space(struct kunit *test)
{
	const unsigned long last = -FRAME;
	unsigned int lg2;

	KUNIT_ASSERT_EQ(test, map(test, 0, SZ_1M, FRAME), 0);
	for (lg2 = ilog2(FRAME); lg2 < BITS_PER_LONG; lg2++)
		KUNIT_ASSERT_EQ(test, map(test, 1UL << lg2,
					  SZ_2M + lg2 * 2 * FRAME, FRAME), 0);
	KUNIT_ASSERT_EQ(test, map(test, last, SZ_4M, FRAME), 0);

	KUNIT_EXPECT_EQ(test, phys_at(test, 0), SZ_1M);
	for (lg2 = ilog2(FRAME); lg2 < BITS_PER_LONG; lg2++)
		KUNIT_EXPECT_EQ(test, phys_at(test, (1UL << lg2) + 7),
				SZ_2M + lg2 * 2 * FRAME + 7);
	KUNIT_EXPECT_EQ(test, phys_at(test, ULONG_MAX), SZ_4M + FRAME - 1);

	KUNIT_EXPECT_EQ(test, unmap(test, last, FRAME), FRAME);
	for (lg2 = ilog2(FRAME); lg2 < BITS_PER_LONG; lg2++)
		KUNIT_EXPECT_EQ(test, unmap(test, 1UL << lg2, FRAME), FRAME);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, FRAME), FRAME);
}

/* The top is made for the first IOVA, smaller and larger ones come later */
static void test_top_grows(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, phys_at(test, 0), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, ULONG_MAX), 0);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE, FRAME), 0);

	KUNIT_ASSERT_EQ(test, map(test, BASE, SZ_1M, FRAME), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, 0), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, ULONG_MAX), 0);
	KUNIT_ASSERT_EQ(test, map(test, 0, SZ_2M, FRAME), 0);
	KUNIT_ASSERT_EQ(test, map(test, ULONG_MAX / 2 + 1, SZ_4M, FRAME), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE), SZ_1M);
	KUNIT_EXPECT_EQ(test, phys_at(test, 0), SZ_2M);
	KUNIT_EXPECT_EQ(test, phys_at(test, ULONG_MAX / 2 + 1), SZ_4M);

	KUNIT_EXPECT_EQ(test, unmap(test, BASE, FRAME), FRAME);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, FRAME), FRAME);
	KUNIT_EXPECT_EQ(test, unmap(test, ULONG_MAX / 2 + 1, FRAME), FRAME);
}

/* Nothing is overwritten, and what was mapped before the failure is undone */
static void test_occupied(struct kunit *test)
{
	const unsigned long huge = LEAF_SPAN;

	KUNIT_ASSERT_EQ(test, map(test, BASE, 0, huge), 0);
	KUNIT_EXPECT_EQ(test, map(test, BASE, SZ_1M, FRAME), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, map(test, BASE + huge - FRAME, SZ_1M, FRAME),
			-EADDRINUSE);
	KUNIT_EXPECT_EQ(test, map(test, BASE, 0, huge), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, map(test, BASE - huge, huge, 2 * huge),
			-EADDRINUSE);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE - 1), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE + FRAME), FRAME);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE, huge), huge);

	/* Smaller ones in the way of a larger one: in its table, and below */
	KUNIT_ASSERT_EQ(test, map(test, BASE + 7 * FRAME, SZ_1M, FRAME), 0);
	KUNIT_EXPECT_EQ(test, map(test, BASE, SZ_64K, SZ_64K), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, map(test, BASE, huge, huge), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE + 7 * FRAME), SZ_1M);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE + 7 * FRAME, FRAME), FRAME);
	KUNIT_EXPECT_EQ(test, map(test, BASE, huge, huge), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE + 7), huge + 7);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE, huge), huge);
}

static void test_unmap_ends_at_hole(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(test, BASE, SZ_1M, 3 * FRAME), 0);
	KUNIT_ASSERT_EQ(test, map(test, BASE + 4 * FRAME, SZ_2M, FRAME), 0);

	KUNIT_EXPECT_EQ(test, unmap(test, BASE, LEAF_SPAN), 3 * FRAME);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE + 4 * FRAME), SZ_2M);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE, FRAME), 0);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE + 4 * FRAME, FRAME), FRAME);
}

/* A frame number that an entry has no room for */
static void test_phys_limit(struct kunit *test)
{
	const u64 limit = min((u64)ULONG_MAX >> 2, (BIT_ULL(52) >> 12) - 1) + 1;

	if (sizeof(phys_addr_t) < sizeof(u64))
		kunit_skip(test, "There is no such memory");

	KUNIT_EXPECT_EQ(test, map(test, BASE, (limit - 1) * FRAME, FRAME), 0);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE + 9), (limit - 1) * FRAME + 9);
	KUNIT_EXPECT_EQ(test, map(test, BASE + FRAME, limit * FRAME, FRAME),
			-ERANGE);
	KUNIT_EXPECT_EQ(test, phys_at(test, BASE + FRAME), 0);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE, FRAME), FRAME);
}

/* Runs over entries of several sizes, cut wherever the caller wants */
static void test_read_runs(struct kunit *test)
{
	const unsigned long start = BASE + LEAF_SPAN - 3 * FRAME;
	const struct {
		unsigned long length;
		phys_addr_t phys;
	} part[] = {
		{ 3 * FRAME, SZ_4M - 3 * FRAME },
		{ LEAF_SPAN, SZ_4M },		/* goes on, in another table */
		{ FRAME, SZ_1M },
		{ FRAME, SZ_2M },
		{ 2 * FRAME, SZ_2M + FRAME },	/* goes on */
	};
	const unsigned long run[] = {
		3 * FRAME + LEAF_SPAN, FRAME, 3 * FRAME,
	};
	const phys_addr_t phys[] = { SZ_4M - 3 * FRAME, SZ_1M, SZ_2M };
	const unsigned long total = LEAF_SPAN + 7 * FRAME;
	struct pt_iommu_run array[4];
	unsigned long iova = start;
	unsigned int nr, i;

	for (i = 0; i != ARRAY_SIZE(part); i++) {
		KUNIT_ASSERT_EQ(test, map(test, iova, part[i].phys,
					  part[i].length), 0);
		iova += part[i].length;
	}

	nr = 0;
	KUNIT_EXPECT_EQ(test, read_runs(test, start, total, array, 4, &nr),
			total);
	KUNIT_ASSERT_EQ(test, nr, 3);
	for (i = 0; i != nr; i++) {
		KUNIT_EXPECT_EQ(test, array[i].phys, phys[i]);
		KUNIT_EXPECT_EQ(test, array[i].len, run[i]);
	}

	/* To the hole behind it, and not from there */
	nr = 0;
	KUNIT_EXPECT_EQ(test, read_runs(test, start, total + 1, array, 4, &nr),
			total);
	KUNIT_EXPECT_EQ(test, nr, 3);
	nr = 0;
	KUNIT_EXPECT_EQ(test, read_runs(test, start + total, 1, array, 4, &nr),
			0);
	KUNIT_EXPECT_EQ(test, nr, 0);

	/* Both ends within an entry */
	nr = 0;
	KUNIT_EXPECT_EQ(test, read_runs(test, start + 5, total - 10, array, 4,
					&nr), total - 10);
	KUNIT_ASSERT_EQ(test, nr, 3);
	KUNIT_EXPECT_EQ(test, array[0].phys, phys[0] + 5);
	KUNIT_EXPECT_EQ(test, array[0].len, run[0] - 5);
	KUNIT_EXPECT_EQ(test, array[2].len, run[2] - 5);

	/* Within one entry */
	nr = 0;
	KUNIT_EXPECT_EQ(test, read_runs(test, start + 3 * FRAME + 11, 17, array,
					4, &nr), 17);
	KUNIT_EXPECT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, array[0].phys, SZ_4M + 11);
	KUNIT_EXPECT_EQ(test, array[0].len, 17);

	/* Room for two, then go on from there in the last of them */
	nr = 0;
	KUNIT_EXPECT_EQ(test, read_runs(test, start, total, array, 2, &nr),
			run[0] + run[1]);
	KUNIT_EXPECT_EQ(test, nr, 2);
	nr = 1;
	array[0] = (struct pt_iommu_run){ .phys = SZ_2M - 1, .len = 1 };
	KUNIT_EXPECT_EQ(test, read_runs(test, start + run[0] + run[1], run[2],
					array, 1, &nr), run[2]);
	KUNIT_EXPECT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, array[0].phys, SZ_2M - 1);
	KUNIT_EXPECT_EQ(test, array[0].len, run[2] + 1);

	/* The only one is full, and what comes does not continue it */
	KUNIT_EXPECT_EQ(test, read_runs(test, start, total, array, 1, &nr), 0);
	KUNIT_EXPECT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, array[0].len, run[2] + 1);

	for (iova = start, i = 0; i != ARRAY_SIZE(part); i++) {
		KUNIT_EXPECT_EQ(test, unmap(test, iova, part[i].length),
				part[i].length);
		iova += part[i].length;
	}
}

/* Items are counted, and reading goes on where they ran out */
static void test_read_max_items(struct kunit *test)
{
	const unsigned long length = 4 * LEAF_SPAN;
	struct pt_iommu_run run;
	struct pt_iommu_runs runs = { .runs = &run, .max = 1 };
	unsigned long done = 0, found;
	unsigned int steps = 0;

	/* Contiguous, but each entry has a frame */
	while (done != length) {
		KUNIT_ASSERT_EQ(test, map(test, BASE + done, SZ_64M + done,
					  FRAME), 0);
		done += FRAME;
	}

	for (done = 0; done != length; done += found) {
		runs.max_items = 1;
		found = iommufd_domain_read_range(domain_of(test), BASE + done,
						  length - done, &runs);
		KUNIT_ASSERT_EQ(test, found, LEAF_SPAN);
		KUNIT_ASSERT_EQ(test, runs.max_items, 0);
		steps++;
	}
	KUNIT_EXPECT_EQ(test, steps, 4);
	KUNIT_EXPECT_EQ(test, runs.nr, 1);
	KUNIT_EXPECT_EQ(test, run.phys, SZ_64M);
	KUNIT_EXPECT_EQ(test, run.len, length);

	runs.max_items = 0;
	KUNIT_EXPECT_EQ(test, iommufd_domain_read_range(domain_of(test), BASE,
							FRAME, &runs), 0);
	runs.nr = 0;
	runs.max_items = 2 * TABLE_ITEMS + 9;
	KUNIT_EXPECT_EQ(test, iommufd_domain_read_range(domain_of(test), BASE,
							2 * LEAF_SPAN, &runs),
			2 * LEAF_SPAN);
	KUNIT_EXPECT_EQ(test, runs.max_items, 9);
	KUNIT_EXPECT_EQ(test, unmap(test, BASE, length), length);
}

/* What it costs in memory */
static void test_tables(struct kunit *test)
{
	const unsigned int nr_leaves = 16;
	const unsigned long length = nr_leaves * LEAF_SPAN;
	unsigned long done;

	if (IS_ENABLED(CONFIG_SMP))
		kunit_skip(test, "Each CPU has counts of its own");

	KUNIT_EXPECT_EQ(test, tables(test), 0);

	/* Scattered memory: an item each, and a top */
	for (done = 0; done != length; done += FRAME)
		KUNIT_ASSERT_EQ(test, map(test, done, SZ_64M + 2 * done, FRAME),
				0);
	KUNIT_EXPECT_EQ(test, tables(test), nr_leaves + 1);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, length), length);
	KUNIT_EXPECT_EQ(test, tables(test), 1);

	/* As contiguous as a table: an item each, in the top */
	for (done = 0; done != length; done += LEAF_SPAN)
		KUNIT_ASSERT_EQ(test, map(test, done, LEAF_SPAN + 2 * done,
					  LEAF_SPAN), 0);
	KUNIT_EXPECT_EQ(test, tables(test), 1);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, length), length);
	KUNIT_EXPECT_EQ(test, tables(test), 1);

	/* Emptied piece by piece, the table stays for those who share it */
	KUNIT_ASSERT_EQ(test, map(test, 0, SZ_1M, FRAME), 0);
	KUNIT_ASSERT_EQ(test, map(test, FRAME, SZ_2M, FRAME), 0);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, FRAME), FRAME);
	KUNIT_EXPECT_EQ(test, unmap(test, FRAME, FRAME), FRAME);
	KUNIT_EXPECT_EQ(test, tables(test), 2);

	/* Until something larger takes its place */
	KUNIT_ASSERT_EQ(test, map(test, 0, 0, LEAF_SPAN), 0);
	KUNIT_EXPECT_EQ(test, tables(test), 1);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, LEAF_SPAN), LEAF_SPAN);
}

/* What is mapped, frame by frame; 0 is nothing */
#define NR_SHADOW 4096

struct shadow {
	phys_addr_t phys[NR_SHADOW];
	/* Frames of a mapping, at its first one */
	unsigned int length[NR_SHADOW];
};

static void shadow_check(struct kunit *test, const struct shadow *shadow,
			 unsigned long iova, unsigned int first,
			 unsigned int nr)
{
	struct pt_iommu_run run;
	unsigned int nr_runs = 0;
	unsigned int i = 0;
	unsigned long length;

	while (i != nr && shadow->phys[first + i] &&
	       shadow->phys[first + i] == shadow->phys[first] + i * FRAME)
		i++;
	length = read_runs(test, iova + first * FRAME, nr * FRAME, &run, 1,
			   &nr_runs);
	KUNIT_ASSERT_EQ(test, length, i * FRAME);
	KUNIT_ASSERT_EQ(test, nr_runs, i ? 1 : 0);
	if (i) {
		KUNIT_ASSERT_EQ(test, run.phys, shadow->phys[first]);
		KUNIT_ASSERT_EQ(test, run.len, i * FRAME);
	}
	KUNIT_ASSERT_EQ(test, phys_at(test, iova + first * FRAME + 3),
			shadow->phys[first] ? shadow->phys[first] + 3 : 0);
}

static void shadow_map(struct kunit *test, struct shadow *shadow,
		       unsigned long iova, struct rnd_state *rnd)
{
	unsigned int first = prandom_u32_state(rnd) % NR_SHADOW;
	unsigned int order = prandom_u32_state(rnd) % 11;
	unsigned int nr, i, used = 0;
	phys_addr_t phys;

	nr = 1 + prandom_u32_state(rnd) % (1U << order);
	/* Half of them are aligned to their size, for large entries */
	if (prandom_u32_state(rnd) & 1)
		first = round_down(first, 1U << order);
	nr = min(nr, NR_SHADOW - first);
	phys = (1 + prandom_u32_state(rnd) % 1024) * (phys_addr_t)SZ_1M +
	       (prandom_u32_state(rnd) & 3 ? first % 256 * FRAME : 0);

	for (i = 0; i != nr; i++)
		used += shadow->phys[first + i] != 0;
	KUNIT_ASSERT_EQ(test, map(test, iova + first * FRAME, phys, nr * FRAME),
			used ? -EADDRINUSE : 0);
	if (used)
		return;
	for (i = 0; i != nr; i++)
		shadow->phys[first + i] = phys + i * FRAME;
	shadow->length[first] = nr;
}

static void shadow_unmap(struct kunit *test, struct shadow *shadow,
			 unsigned long iova, unsigned int first)
{
	unsigned int nr = shadow->length[first];

	if (!nr)
		return;
	KUNIT_ASSERT_EQ(test, unmap(test, iova + first * FRAME, nr * FRAME),
			nr * FRAME);
	memset(&shadow->phys[first], 0, nr * sizeof(shadow->phys[0]));
	shadow->length[first] = 0;
}

/* Whatever happened to it, it has what a simple array has */
static void test_random(struct kunit *test)
{
	/* Over the edge of a table of tables, where that is not all there is */
	const unsigned long edge = BITS_PER_LONG == 64 ?
				   LEAF_SPAN * TABLE_ITEMS : BASE;
	const unsigned long iova = edge - 1777 * FRAME;
	struct rnd_state rnd;
	struct shadow *shadow;
	unsigned int first, i;

	shadow = kunit_kzalloc(test, sizeof(*shadow), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, shadow);
	prandom_seed_state(&rnd, 612);

	for (i = 0; i != 20000; i++) {
		if (prandom_u32_state(&rnd) % 5 < 2)
			shadow_map(test, shadow, iova, &rnd);
		else
			shadow_unmap(test, shadow, iova,
				     prandom_u32_state(&rnd) % NR_SHADOW);
		first = prandom_u32_state(&rnd) % NR_SHADOW;
		shadow_check(test, shadow, iova, first,
			     1 + prandom_u32_state(&rnd) % (NR_SHADOW - first));
	}

	for (i = 0; i != NR_SHADOW; i++)
		shadow_check(test, shadow, iova, i, 1);
	for (i = 0; i != NR_SHADOW; i++)
		shadow_unmap(test, shadow, iova, i);
	for (i = 0; i != NR_SHADOW; i++)
		shadow_check(test, shadow, iova, i, 1);
}

#define NR_THREADS 4
#define NR_ROUNDS 100

/* A thread with every NR_THREADS-th piece of the space, in the same tables */
struct neighbour {
	struct iommu_domain *domain;
	unsigned int number;
	unsigned int wrong;
	struct completion done;
};

static unsigned int neighbour_round(struct neighbour *n, unsigned int round)
{
	const unsigned long piece = 8 * FRAME;
	const unsigned long step = NR_THREADS * piece;
	/* Where there are no tables yet, all threads need them at once */
	const unsigned long start = round * 4 * LEAF_SPAN;
	const unsigned long end = start + 4 * LEAF_SPAN;
	unsigned int wrong = 0;
	unsigned long iova;

	for (iova = start + n->number * piece; iova < end; iova += step) {
		phys_addr_t phys = SZ_64M + iova + round * SZ_1M;
		unsigned long size = round & 1 ? piece : FRAME;

		wrong += iommu_map(n->domain, iova, phys, size,
				   IOMMU_READ | IOMMU_WRITE, GFP_KERNEL) != 0;
	}
	for (iova = start + n->number * piece; iova < end; iova += step) {
		phys_addr_t phys = SZ_64M + iova + round * SZ_1M;
		unsigned long size = round & 1 ? piece : FRAME;

		wrong += iommu_iova_to_phys(n->domain, iova) != phys;
		wrong += iommu_unmap(n->domain, iova, size) != size;
		wrong += iommu_iova_to_phys(n->domain, iova) != 0;
	}
	return wrong;
}

static int neighbour_thread(void *arg)
{
	struct neighbour *n = arg;
	unsigned int round;

	for (round = 0; round != NR_ROUNDS; round++) {
		n->wrong += neighbour_round(n, round);
		cond_resched();
	}
	complete(&n->done);
	return 0;
}

/* Ranges that have nothing in common but tables are mapped at the same time */
static void test_neighbours(struct kunit *test)
{
	struct neighbour n[NR_THREADS] = {};
	struct task_struct *task;
	unsigned int i;

	for (i = 0; i != NR_THREADS; i++) {
		n[i].domain = domain_of(test);
		n[i].number = i;
		init_completion(&n[i].done);
		task = kthread_run(neighbour_thread, &n[i], "noiommu_pt/%u", i);
		if (IS_ERR(task)) {
			KUNIT_FAIL(test, "No thread: %pe", task);
			complete(&n[i].done);
		}
	}
	for (i = 0; i != NR_THREADS; i++) {
		wait_for_completion(&n[i].done);
		KUNIT_EXPECT_EQ(test, n[i].wrong, 0);
	}
}

static struct kunit_case noiommu_pt_cases[] = {
	KUNIT_CASE(test_sizes),
	KUNIT_CASE(test_whole_space),
	KUNIT_CASE(test_top_grows),
	KUNIT_CASE(test_occupied),
	KUNIT_CASE(test_unmap_ends_at_hole),
	KUNIT_CASE(test_phys_limit),
	KUNIT_CASE(test_read_runs),
	KUNIT_CASE(test_read_max_items),
	KUNIT_CASE(test_tables),
	KUNIT_CASE(test_random),
	KUNIT_CASE(test_neighbours),
	{}
};

static struct kunit_suite noiommu_pt_suite = {
	.name = "noiommu_pt",
	.init = pt_test_init,
	.exit = pt_test_exit,
	.test_cases = noiommu_pt_cases,
};

kunit_test_suites(&noiommu_pt_suite);
