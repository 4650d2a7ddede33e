// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel says of the addresses of devices on root buses that see memory each in
 * its way: as it is, at other addresses and with a hole, up to 4 GiB, not coherent.
 *
 * QEMU does not move addresses for these buses, so no device does DMA here; the
 * machines of engine_test have one that does. It is the answers that are compared, with
 * dma-ranges of the devicetree and with /proc/self/pagemap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/sizes.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "mem.h"
#include "random.h"
#include "view.h"

/* More than there is below 4 GiB, so that some of it is above */
#define SIZE		SZ_128M
#define IOVA		(64ULL * SZ_1G)

#define ROOM		256
#define WINDOWS		4000
#define EDGES		64

static char *names[4];

/* edu in each PCI domain; its root bus's node is that of the host bridge */
static bool devices_found(void)
{
	char *list = getenv("EDU"), *name;
	unsigned int domain, i;

	list = list ? strdup(list) : NULL;
	for (name = list ? strtok(list, " ") : NULL; name; name = strtok(NULL, " ")) {
		if (sscanf(name, "%x:", &domain) == 1 && domain < ARRAY_SIZE(names))
			names[domain] = name;
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i])
			return false;
	}

	return true;
}

static void device_view(struct view *view, const char *name)
{
	char path[PATH_MAX], device[PATH_MAX];

	snprintf_assert(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
	VFIO_ASSERT_NOT_NULL(realpath(path, device));
	/* Below the host bridge's folder is that of its root bus */
	while (strncmp(basename(device), "pci", 3))
		dirname(device);
	dirname(device);
	snprintf_assert(path, sizeof(path), "%s/of_node", device);
	view_read(view, path);
}

/* What a bus has to be for a test of it to be worth something */
struct sees {
	bool other_addresses;
	bool cut;
	bool not_all;
	bool coherent;
};

struct lookups {
	struct bound b;
	struct view view;
	struct mem mem;
	struct layout layout;
	struct extents e;
	struct iommu_pa_extent *scratch;
};

FIXTURE(roots) {
	struct lookups l;
};

FIXTURE_VARIANT(roots) {
	u32 domain;
	enum mem_kind kind;
	struct sees sees;
};

FIXTURE_VARIANT_ADD(roots, plain) {
	.domain = 0,
	.kind = MEM_HUGETLB,
	.sees = { .coherent = true },
};

FIXTURE_VARIANT_ADD(roots, moved_huge) {
	.domain = 1,
	.kind = MEM_HUGETLB,
	.sees = { .other_addresses = true, .cut = true, .not_all = true, .coherent = true },
};

FIXTURE_VARIANT_ADD(roots, moved_scattered) {
	.domain = 1,
	.kind = MEM_SCATTERED,
	.sees = { .other_addresses = true, .not_all = true, .coherent = true },
};

FIXTURE_VARIANT_ADD(roots, short_huge) {
	.domain = 2,
	.kind = MEM_HUGETLB,
	.sees = { .not_all = true, .coherent = true },
};

FIXTURE_VARIANT_ADD(roots, short_scattered) {
	.domain = 2,
	.kind = MEM_SCATTERED,
	.sees = { .not_all = true, .coherent = true },
};

FIXTURE_VARIANT_ADD(roots, not_coherent) {
	.domain = 3,
	.kind = MEM_HUGETLB,
};

/* So little memory is there that it cannot be set aside for both kinds */
static void huge_pages_set(u64 nr)
{
	char number[16];

	snprintf_assert(number, sizeof(number), "%lu", nr);
	VFIO_ASSERT_EQ(sysfs_write("/proc/sys/vm/nr_hugepages", number), 0);
}

FIXTURE_SETUP(roots)
{
	huge_pages_set(variant->kind == MEM_HUGETLB ? SIZE / SZ_2M : 0);
	bound_init(&self->l.b, names[variant->domain]);
	ASSERT_LT(0, device_attach_to(self->l.b.device_fd, self->l.b.ioas_id));
	device_view(&self->l.view, names[variant->domain]);

	ASSERT_TRUE(mem_alloc(&self->l.mem, variant->kind, SIZE));
	layout_map(&self->l.layout, &self->l.b, IOVA, SIZE, &self->l.mem, 0);
	mem_read_pagemap(&self->l.mem);
	ASSERT_TRUE(mem_layout_is_apt(&self->l.mem));

	extents_init(&self->l.e, ROOM);
	self->l.scratch = calloc_assert(ROOM, sizeof(*self->l.scratch));
}

FIXTURE_TEARDOWN(roots)
{
	ASSERT_TRUE(extents_untouched(&self->l.e));
	bound_cleanup(&self->l.b);
	mem_free(&self->l.mem);
	huge_pages_set(0);
	extents_cleanup(&self->l.e);
	free(self->l.scratch);
}

static bool roots_check(struct lookups *l, const struct window *w)
{
	return view_check(&l->b, &l->view, &l->layout, w, &l->e, l->scratch);
}

/* The window's prediction, without looking anything up */
static void roots_predict(struct lookups *l, const struct window *w, struct answer *a)
{
	a->extents = l->e.expected;
	view_predict(&l->view, &l->layout, w, l->scratch, a);
}

TEST_F(roots, capability)
{
	ASSERT_TRUE(view_is_told(self->l.b.device_fd, &self->l.view));
	ASSERT_EQ(variant->sees.coherent, self->l.view.coherent);
	ASSERT_EQ(variant->sees.other_addresses, view_translates(&self->l.view));
}

/* From the first byte to the last one, on after what is out of reach */
TEST_F(roots, all)
{
	struct window w = { .iova = IOVA, .length = SIZE, .room = ROOM };
	u64 unreached = 0, reached = 0, page = 0, left;
	bool cut = false, moved = false;
	struct answer a;
	u32 i;

	while (w.length) {
		roots_predict(&self->l, &w, &a);
		ASSERT_TRUE(roots_check(&self->l, &w));
		if (a.ret) {
			ASSERT_EQ(-ERANGE, a.ret);
			unreached += getpagesize();
			a.length = getpagesize();
			a.nr = 0;
		} else {
			reached += a.length;
		}
		for (i = 0; i < a.nr; i++) {
			moved |= a.extents[i].phys != self->l.mem.phys[page];
			left = SIZE - page * getpagesize();
			cut |= a.extents[i].length < min(self->l.mem.run[page], left);
			page += a.extents[i].length / getpagesize();
		}
		w.iova += a.length;
		w.length -= a.length;
		page = (w.iova - IOVA) / getpagesize();
	}

	ASSERT_EQ(SIZE, reached + unreached);
	ASSERT_NE(0, reached);
	ASSERT_EQ(variant->sees.not_all, !!unreached);
	ASSERT_EQ(variant->sees.other_addresses, moved);
	if (variant->sees.cut)
		ASSERT_TRUE(cut);
}

/* Bytes of @mem before which the device's view changes, in the order of IOVAs */
static u32 roots_edges(struct lookups *l, u64 *edges)
{
	u64 page, bus, run, last_bus = 0;
	bool is, was = true;
	u32 nr = 0;

	for (page = 0; page < l->mem.npages && nr < EDGES; page++) {
		is = view_translate(&l->view, l->mem.phys[page], &bus, &run);
		bus -= l->mem.phys[page];
		if (page && (is != was || (is && bus != last_bus)))
			edges[nr++] = page * getpagesize();
		was = is;
		last_bus = bus;
	}

	return nr;
}

TEST_F(roots, random)
{
	u64 edges[EDGES];
	struct window w;
	struct rng rng;
	u32 i, nr;

	nr = roots_edges(&self->l, edges);
	ASSERT_EQ(variant->sees.not_all || variant->sees.other_addresses, nr > 0);

	rng_init(&rng, 1, variant->domain);
	for (i = 0; i < WINDOWS; i++) {
		w.iova = IOVA + rng_below(&rng, SIZE);
		if (nr && i % 2)
			w.iova = IOVA + edges[rng_below(&rng, nr)] + SZ_4K -
				 rng_below(&rng, SZ_8K);
		w.length = rng_below(&rng, 4) ? 1 + rng_below(&rng, SZ_16M) : 0;
		if (!rng_below(&rng, 4))
			w.length = 1 + rng_below(&rng, SZ_16K);
		w.room = rng_below(&rng, 8) ? rng_below(&rng, 8) : rng_below(&rng, ROOM + 1);
		ASSERT_TRUE(roots_check(&self->l, &w)) TH_LOG("Window %u", i);
	}
	TH_LOG("%u windows, %u edges", WINDOWS, nr);
}

/* Without the flag, what is asked for is the CPU's address, whatever the device sees */
TEST_F(roots, cpu)
{
	struct window w = { .iova = IOVA, .length = SIZE, .room = ROOM };
	u64 done;

	for (done = 0; done < SIZE; done += SZ_32M) {
		w.iova = IOVA + done;
		w.length = SZ_16M;
		ASSERT_TRUE(window_check(&self->l.b, &self->l.layout, &w, &self->l.e));
	}
}

/* Devices of all buses in one iommufd: the answer is for the one that is named */
TEST_F(roots, together)
{
	struct window w = { .iova = IOVA, .room = ROOM };
	struct bound others[ARRAY_SIZE(names)];
	struct view view;
	u64 done;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		others[i] = self->l.b;
		if (i == variant->domain)
			continue;
		others[i].device_fd = device_open(names[i]);
		ASSERT_EQ(0, device_bind(others[i].device_fd, self->l.b.iommufd,
					 &others[i].dev_id));
		ASSERT_LT(0, device_attach_to(others[i].device_fd, self->l.b.ioas_id));
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		device_view(&view, names[i]);
		for (done = 0; done < SIZE; done += SZ_2M) {
			w.iova = IOVA + done;
			w.length = SZ_8M;
			ASSERT_TRUE(view_check(&others[i], &view, &self->l.layout, &w, &self->l.e,
					       self->l.scratch)) TH_LOG("%s", names[i]);
		}
		if (i != variant->domain)
			ASSERT_EQ(0, close(others[i].device_fd));
	}
}

/* A lookup for the device @dev_id, of which the answer's address is of no interest */
static int lookup_for(const struct bound *b, u32 dev_id)
{
	struct answer a = { .extents = NULL };
	struct window w = { .iova = IOVA, .length = 1 };
	struct bound other = *b;

	other.dev_id = dev_id;
	view_lookup(&other, &w, &a);
	return a.ret;
}

TEST_F(roots, errors)
{
	struct window w = { .iova = IOVA - 1, .length = SIZE, .room = ROOM };
	union get_pa_args args = {};

	/* Where nothing is mapped */
	ASSERT_TRUE(roots_check(&self->l, &w));
	w.iova = IOVA + SIZE;
	ASSERT_TRUE(roots_check(&self->l, &w));

	/* No such object, or no device */
	ASSERT_EQ(-ENOENT, lookup_for(&self->l.b, 0));
	ASSERT_EQ(-ENOENT, lookup_for(&self->l.b, UINT32_MAX));
	ASSERT_EQ(-ENOENT, lookup_for(&self->l.b, self->l.b.ioas_id));

	/* A device, but not asked for as such; and a flag that there is not */
	get_pa_init(&args.args, GET_PA_EXTENTS_SIZE, self->l.b.ioas_id, IOVA, 1);
	args.args.dev_id = self->l.b.dev_id;
	ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(self->l.b.iommufd, &args));
	args.args.flags = IOMMU_IOAS_GET_PA_DEVICE << 1;
	ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(self->l.b.iommufd, &args));
	args.args.flags |= IOMMU_IOAS_GET_PA_DEVICE;
	ASSERT_EQ(-EOPNOTSUPP, get_pa_raw(self->l.b.iommufd, &args));

	/* A struct that has no room for the device's number names none */
	args.args.size = GET_PA_SIZE;
	args.args.flags = IOMMU_IOAS_GET_PA_DEVICE;
	ASSERT_EQ(-ENOENT, get_pa_raw(self->l.b.iommufd, &args));
}

int main(int argc, char *argv[])
{
	if (!devices_found()) {
		fprintf(stderr, "$EDU has to name a device of each PCI domain from 0 to %zu\n",
			ARRAY_SIZE(names) - 1);
		return KSFT_FAIL;
	}

	return test_harness_run(argc, argv);
}
