// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of a VFIO device without an IOMMU that has its addresses from pagemap, as
 * DPDK does. It maps each page of its memory at an IOVA that is the address which
 * pagemap gave, and gives the IOVA to the device. It maps before it binds and attaches
 * the device, which is what pins the memory, so a page can have moved in between: a
 * lookup tells. It adds and removes memory while the device is in use, and hands what
 * it has open to other processes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "dma.h"
#include "edu.h"
#include "fds.h"
#include "mem.h"
#include "utils.h"

/* Pages of memory, each of which is a mapping, and of what is added to it */
#define PAGES			16
#define MORE_PAGES		8

#define COPIES			4
#define OWN_SEED		0x7777ULL

static struct noiommu_devices devices;

struct client {
	struct bound b;
	void *bar;
	/* Of a page, be it a huge one */
	u64 page_size;
};

struct kind {
	enum mem_kind kind;
	u64 page_size;
};

/* The page of @mem, and the address that pagemap has given for it */
static void *page_vaddr(const struct client *c, const struct mem *mem, u64 page)
{
	return mem->vaddr + page * c->page_size;
}

static u64 page_iova(const struct client *c, const struct mem *mem, u64 page)
{
	return mem->phys[page * c->page_size / getpagesize()];
}

static u64 mem_pages(const struct client *c, const struct mem *mem)
{
	return mem->size / c->page_size;
}

static int page_map(const struct client *c, const struct mem *mem, u64 page)
{
	return ioas_map_fixed(c->b.iommufd, c->b.ioas_id, page_vaddr(c, mem, page),
			      c->page_size, page_iova(c, mem, page));
}

static int page_unmap(const struct client *c, const struct mem *mem, u64 page)
{
	return ioas_unmap(c->b.iommufd, c->b.ioas_id, page_iova(c, mem, page),
			  c->page_size);
}

/* Does that for all pages give this result? */
static bool each_page(const struct client *c, const struct mem *mem,
		      int (*function)(const struct client *, const struct mem *, u64),
		      int expected)
{
	u64 page;
	int ret;

	for (page = 0; page < mem_pages(c, mem); page++) {
		ret = function(c, mem, page);
		if (ret != expected) {
			fprintf(stderr, "# Page %lu: %d, not %d\n", page, ret, expected);
			return false;
		}
	}

	return true;
}

static bool mem_alloc_filled(struct mem *mem, enum mem_kind kind, u64 size, u64 seed)
{
	if (!mem_alloc(mem, kind, size))
		return false;
	mem_fill(mem->vaddr, size, seed);
	mem_read_pagemap(mem);

	return true;
}

/* Before there is a device: iommufd, and the memory that there is at the start */
static void client_start(struct client *c, const struct mem *mem, u64 page_size)
{
	c->page_size = page_size;
	c->b.iommufd = iommufd_open();
	c->b.ioas_id = ioas_alloc(c->b.iommufd);
	VFIO_ASSERT_TRUE(each_page(c, mem, page_map, 0));
}

static void client_attach(struct client *c, const char *bdf)
{
	c->b.device_fd = device_open(bdf);
	VFIO_ASSERT_EQ(device_bind(c->b.device_fd, c->b.iommufd, &c->b.dev_id), 0);
	VFIO_ASSERT_GT(device_attach_to(c->b.device_fd, c->b.ioas_id), 0);
}

static void client_drive(struct client *c)
{
	c->bar = bar_map(c->b.device_fd, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void client_stop(struct client *c)
{
	if (c->bar)
		VFIO_ASSERT_EQ(munmap(c->bar, getpagesize()), 0);
	bound_cleanup(&c->b);
}

/* Is all of the range pinned at addresses that are the IOVAs? One lookup tells. */
static bool range_stays(const struct client *c, u64 iova, u64 size)
{
	struct iommu_pa_extent extents[PAGES];
	u32 i, nr = PAGES;
	u64 length = size;
	u64 phys;
	int ret;

	ret = ioas_get_extents(c->b.iommufd, c->b.ioas_id, iova, &length, &phys,
			       extents, &nr);
	if (ret || length != size)
		return false;
	for (i = 0; i < nr; i++) {
		if (extents[i].phys != iova)
			return false;
		iova += extents[i].length;
	}

	return true;
}

static int u64_compare(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

/* Is all of @mem where pagemap said? A lookup for each run of pages that are neighbours */
static bool mem_stays(const struct client *c, const struct mem *mem)
{
	const u64 nr = mem_pages(c, mem);
	u64 iovas[PAGES];
	u64 first, next;

	for (first = 0; first < nr; first++)
		iovas[first] = page_iova(c, mem, first);
	qsort(iovas, nr, sizeof(*iovas), u64_compare);

	for (first = 0; first < nr; first = next) {
		for (next = first + 1; next < nr; next++) {
			if (iovas[next] != iovas[next - 1] + c->page_size)
				break;
		}
		if (!range_stays(c, iovas[first], (next - first) * c->page_size))
			return false;
	}

	return true;
}

FIXTURE(client) {
	struct client c;
	struct mem mem;
	s64 pinned;
};

FIXTURE_VARIANT(client) {
	struct kind kind;
};

FIXTURE_VARIANT_ADD(client, huge_pages) {
	.kind = { .kind = MEM_MEMFD_HUGETLB, .page_size = SZ_2M },
};

FIXTURE_VARIANT_ADD(client, small_pages) {
	.kind = { .kind = MEM_MEMFD, .page_size = SZ_4K },
};

FIXTURE_SETUP(client)
{
	const struct kind *kind = &variant->kind;

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");
	if (!mem_alloc_filled(&self->mem, kind->kind, PAGES * kind->page_size,
			      SRC_SEED))
		SKIP(return, "Not enough of these pages");

	self->pinned = pinned_pages();
	client_start(&self->c, &self->mem, kind->page_size);
}

FIXTURE_TEARDOWN(client)
{
	client_stop(&self->c);
	mem_free(&self->mem);
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned);
}

/* What is mapped is neither pinned nor known to be anywhere before the attach */
TEST_F(client, first_use)
{
	struct client *c = &self->c;
	struct bound *b = &c->b;

	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned);
	ASSERT_EQ(-EOPNOTSUPP, lookup(b, page_iova(c, &self->mem, 0), 1));

	client_attach(c, devices.edu_bdf);
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned + self->mem.npages);
	ASSERT_TRUE(mem_stays(c, &self->mem));

	client_drive(c);
	ASSERT_TRUE(edu_copies(c->bar, &self->mem, &self->mem, PAGES));
}

/* To map once more is EEXIST, before the attach and after it, and changes nothing */
TEST_F(client, map_again)
{
	struct client *c = &self->c;
	struct mem *mem = &self->mem;
	struct bound *b = &c->b;

	ASSERT_TRUE(each_page(c, mem, page_map, -EEXIST));
	client_attach(c, devices.edu_bdf);
	ASSERT_TRUE(each_page(c, mem, page_map, -EEXIST));

	/* Other memory at the same IOVA, and a part of it */
	ASSERT_EQ(-EEXIST, ioas_map_fixed(b->iommufd, b->ioas_id,
					  page_vaddr(c, mem, 1), c->page_size,
					  page_iova(c, mem, 0)));
	ASSERT_EQ(-EEXIST, ioas_map_fixed(b->iommufd, b->ioas_id,
					  page_vaddr(c, mem, 0), SZ_4K,
					  page_iova(c, mem, 0) + c->page_size - SZ_4K));
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned + mem->npages);
	ASSERT_TRUE(mem_stays(c, mem));

	client_drive(c);
	ASSERT_TRUE(edu_copies(c->bar, mem, mem, COPIES));
}

/* Memory comes and goes while the device is in use */
TEST_F(client, run_time)
{
	struct client *c = &self->c;
	struct mem more;
	u64 page;
	int i;

	client_attach(c, devices.edu_bdf);
	client_drive(c);

	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(mem_alloc_filled(&more, variant->kind.kind,
					     MORE_PAGES * c->page_size, DST_SEED));

		/* Not mapped: not pinned, and a lookup does not find it */
		for (page = 0; page < MORE_PAGES; page++)
			ASSERT_EQ(-ENOENT, lookup(&c->b, page_iova(c, &more, page), 1));
		if (self->pinned >= 0)
			ASSERT_PINNED(self->pinned + self->mem.npages);

		ASSERT_TRUE(each_page(c, &more, page_map, 0));
		if (self->pinned >= 0)
			ASSERT_PINNED(self->pinned + self->mem.npages + more.npages);
		ASSERT_TRUE(mem_stays(c, &more));
		ASSERT_TRUE(mem_stays(c, &self->mem));
		ASSERT_TRUE(edu_copies(c->bar, &more, &self->mem, COPIES));
		ASSERT_TRUE(edu_copies(c->bar, &self->mem, &more, COPIES));

		ASSERT_TRUE(each_page(c, &more, page_unmap, 0));
		ASSERT_TRUE(each_page(c, &more, page_unmap, -ENOENT));
		for (page = 0; page < MORE_PAGES; page++)
			ASSERT_EQ(-ENOENT, lookup(&c->b, page_iova(c, &more, page), 1));
		if (self->pinned >= 0)
			ASSERT_PINNED(self->pinned + self->mem.npages);
		mem_free(&more);

		/* The rest is as it was */
		ASSERT_TRUE(mem_stays(c, &self->mem));
	}
	ASSERT_TRUE(edu_copies(c->bar, &self->mem, &self->mem, COPIES));
}

/* A page in the middle is unmapped, which takes its neighbours no address, and comes back */
TEST_F(client, one_page)
{
	const u64 page = PAGES / 2;
	struct client *c = &self->c;
	struct mem *mem = &self->mem;
	u64 i;

	client_attach(c, devices.edu_bdf);
	ASSERT_EQ(0, page_unmap(c, mem, page));
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(i != page, range_stays(c, page_iova(c, mem, i), c->page_size));
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned + mem->npages - mem->npages / PAGES);

	ASSERT_EQ(0, page_map(c, mem, page));
	ASSERT_TRUE(mem_stays(c, mem));
}

/* The second device finds all of the memory mapped, and holds it when the first goes */
TEST_F(client, second_device)
{
	struct client *c = &self->c;
	struct client other = *c;

	if (!devices.other_bdf || devices.bdf != devices.edu_bdf)
		SKIP(return, "There is no second device");

	client_attach(c, devices.edu_bdf);
	client_drive(c);
	ASSERT_TRUE(each_page(&other, &self->mem, page_map, -EEXIST));
	client_attach(&other, devices.other_bdf);
	ASSERT_NE(c->b.dev_id, other.b.dev_id);
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned + self->mem.npages);
	ASSERT_TRUE(edu_copies(c->bar, &self->mem, &self->mem, COPIES));

	ASSERT_EQ(0, munmap(c->bar, getpagesize()));
	c->bar = NULL;
	ASSERT_EQ(0, close(c->b.device_fd));
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned + self->mem.npages);
	ASSERT_TRUE(mem_stays(&other, &self->mem));

	/* And the first comes back */
	client_attach(c, devices.edu_bdf);
	client_drive(c);
	ASSERT_EQ(0, close(other.b.device_fd));
	ASSERT_TRUE(mem_stays(c, &self->mem));
	ASSERT_TRUE(edu_copies(c->bar, &self->mem, &self->mem, COPIES));
}

static void vaddr_move(void *to, void *from, u64 size)
{
	VFIO_ASSERT_EQ(mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
}

/* Let two pages change places, as if the kernel had moved what is in them */
static void pages_exchange(const struct client *c, const struct mem *mem, u64 a, u64 b)
{
	void *hole = mem_mmap_aligned(c->page_size);

	vaddr_move(hole, page_vaddr(c, mem, a), c->page_size);
	vaddr_move(page_vaddr(c, mem, a), page_vaddr(c, mem, b), c->page_size);
	vaddr_move(page_vaddr(c, mem, b), hole, c->page_size);
}

/* Pages that moved between pagemap and the attach: the lookup tells which */
TEST_F(client, moved)
{
	const u64 one = 3, two = 10;
	struct client *c = &self->c;
	struct mem *mem = &self->mem;
	u64 page, iova[2];

	pages_exchange(c, mem, one, two);
	client_attach(c, devices.edu_bdf);

	ASSERT_FALSE(mem_stays(c, mem));
	for (page = 0; page < PAGES; page++)
		ASSERT_EQ(page != one && page != two,
			  range_stays(c, page_iova(c, mem, page), c->page_size));
	iova[0] = page_iova(c, mem, one);
	iova[1] = page_iova(c, mem, two);
	ASSERT_EQ(iova[1], ioas_phys(c->b.iommufd, c->b.ioas_id, iova[0]));
	ASSERT_EQ(iova[0], ioas_phys(c->b.iommufd, c->b.ioas_id, iova[1]));

	/* Otherwise the device finds it out: both pages are still the client's */
	client_drive(c);
	ASSERT_FALSE(edu_copies(c->bar, mem, mem, PAGES));

	/* What to do about it: map these anew, where they are now */
	ASSERT_EQ(0, page_unmap(c, mem, one));
	ASSERT_EQ(0, page_unmap(c, mem, two));
	mem_read_pagemap(mem);
	ASSERT_EQ(iova[1], page_iova(c, mem, one));
	ASSERT_EQ(0, page_map(c, mem, one));
	ASSERT_EQ(0, page_map(c, mem, two));
	ASSERT_TRUE(mem_stays(c, mem));
	ASSERT_TRUE(edu_copies(c->bar, mem, mem, COPIES));
}

/*
 * A second process, which is there before anything is open
 */

FIXTURE(second) {
	struct client c;
	struct mem mem;
	s64 pinned;
	int sock;
	pid_t child;
};

FIXTURE_VARIANT(second) {
	struct kind kind;
	bool first_leaves;
};

FIXTURE_VARIANT_ADD(second, huge_pages) {
	.kind = { .kind = MEM_MEMFD_HUGETLB, .page_size = SZ_2M },
};

FIXTURE_VARIANT_ADD(second, huge_pages_first_leaves) {
	.kind = { .kind = MEM_MEMFD_HUGETLB, .page_size = SZ_2M },
	.first_leaves = true,
};

FIXTURE_VARIANT_ADD(second, small_pages) {
	.kind = { .kind = MEM_MEMFD, .page_size = SZ_4K },
};

FIXTURE_VARIANT_ADD(second, small_pages_first_leaves) {
	.kind = { .kind = MEM_MEMFD, .page_size = SZ_4K },
	.first_leaves = true,
};

/* The memory that the first process has allocated, found in a file of it */
static void mem_share(struct mem *mem, enum mem_kind kind, u64 size, int fd)
{
	*mem = (struct mem){
		.kind = kind,
		.size = size,
		.npages = size / getpagesize(),
		.fd = fd,
	};
	mem->vaddr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, fd, 0);
	VFIO_ASSERT_NE(mem->vaddr, MAP_FAILED);
	mem->phys = calloc_assert(mem->npages, sizeof(*mem->phys));
	mem->run = calloc_assert(mem->npages, sizeof(*mem->run));
	mem_read_pagemap(mem);
}

/* All that the first process could do */
static void second_use(struct client *c, const struct mem *mem, enum mem_kind kind)
{
	struct mem own;

	VFIO_ASSERT_TRUE(mem_stays(c, mem));
	client_drive(c);
	VFIO_ASSERT_TRUE(edu_copies(c->bar, mem, mem, COPIES));
	VFIO_ASSERT_TRUE(each_page(c, mem, page_map, -EEXIST));

	VFIO_ASSERT_TRUE(mem_alloc_filled(&own, kind, MORE_PAGES * c->page_size,
					  OWN_SEED));
	VFIO_ASSERT_TRUE(each_page(c, &own, page_map, 0));
	VFIO_ASSERT_TRUE(mem_stays(c, &own));
	VFIO_ASSERT_TRUE(edu_copies(c->bar, &own, mem, COPIES));
	VFIO_ASSERT_TRUE(edu_copies(c->bar, mem, &own, COPIES));
	VFIO_ASSERT_TRUE(each_page(c, &own, page_unmap, 0));
	mem_free(&own);
	VFIO_ASSERT_TRUE(mem_stays(c, mem));
}

/* The process waits for what it is to use, then for the word to start */
static void second_main(int sock, const struct kind *kind)
{
	struct client c = { .page_size = kind->page_size };
	struct mem mem;
	int fds[3];
	char byte;

	fds_receive(sock, fds, 3);
	VFIO_ASSERT_EQ(read(sock, &c.b.ioas_id, sizeof(c.b.ioas_id)),
		       (ssize_t)sizeof(c.b.ioas_id));
	c.b.iommufd = fds[0];
	c.b.device_fd = fds[1];
	mem_share(&mem, kind->kind, PAGES * kind->page_size, fds[2]);
	VFIO_ASSERT_EQ(write(sock, "", 1), 1);
	VFIO_ASSERT_EQ(read(sock, &byte, 1), 1);

	second_use(&c, &mem, kind->kind);
	client_stop(&c);
	mem_free(&mem);
	exit(KSFT_PASS);
}

FIXTURE_SETUP(second)
{
	const struct kind *kind = &variant->kind;
	int socks[2];

	if (!devices.edu_bdf)
		SKIP(return, "There is no edu device");

	self->pinned = pinned_pages();
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	self->child = fork();
	ASSERT_LE(0, self->child);
	if (!self->child) {
		VFIO_ASSERT_EQ(close(socks[0]), 0);
		second_main(socks[1], kind);
	}
	/* It may end without a word */
	ASSERT_EQ(0, close(socks[1]));
	self->sock = socks[0];

	if (!mem_alloc_filled(&self->mem, kind->kind, PAGES * kind->page_size,
			      SRC_SEED)) {
		kill(self->child, SIGKILL);
		SKIP(return, "Not enough of these pages");
	}
	client_start(&self->c, &self->mem, kind->page_size);
	client_attach(&self->c, devices.edu_bdf);
}

FIXTURE_TEARDOWN(second)
{
	ASSERT_EQ(0, close(self->sock));
	/* If the test failed it may still be there, with the device */
	waitpid(self->child, NULL, 0);
	mem_free(&self->mem);
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned);
}

TEST_F(second, process)
{
	struct client *c = &self->c;
	int status;
	char byte;

	fds_send(self->sock, (int[]){ c->b.iommufd, c->b.device_fd, self->mem.fd }, 3);
	ASSERT_EQ((ssize_t)sizeof(c->b.ioas_id),
		  write(self->sock, &c->b.ioas_id, sizeof(c->b.ioas_id)));
	ASSERT_EQ(1, read(self->sock, &byte, 1));
	if (variant->first_leaves) {
		client_stop(c);
		if (self->pinned >= 0)
			ASSERT_PINNED(self->pinned + self->mem.npages);
	}

	ASSERT_EQ(1, write(self->sock, "", 1));
	ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(KSFT_PASS, WEXITSTATUS(status));
	if (variant->first_leaves)
		return;

	/* The second has left the device to the first as it was, attached and alive */
	ASSERT_TRUE(mem_stays(c, &self->mem));
	if (self->pinned >= 0)
		ASSERT_PINNED(self->pinned + self->mem.npages);
	client_drive(c);
	ASSERT_TRUE(edu_copies(c->bar, &self->mem, &self->mem, COPIES));
	client_stop(c);
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
