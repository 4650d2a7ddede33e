// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/bits.h>

#include <libvfio.h>

/* See Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PFN		GENMASK_ULL(54, 0)
#define PAGEMAP_PRESENT		BIT_ULL(63)

static void pagemap_entries(const void *vaddr, size_t npages, u64 *entries)
{
	off_t offset = (uintptr_t)vaddr / getpagesize() * sizeof(*entries);
	size_t size = npages * sizeof(*entries);
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY);
	VFIO_ASSERT_GE(fd, 0);
	VFIO_ASSERT_EQ(pread(fd, entries, size, offset), (ssize_t)size);
	VFIO_ASSERT_EQ(close(fd), 0);
}

void pagemap_read(const void *vaddr, size_t npages, u64 *phys)
{
	size_t i;

	pagemap_entries(vaddr, npages, phys);

	for (i = 0; i < npages; i++) {
		VFIO_ASSERT_TRUE(phys[i] & PAGEMAP_PRESENT,
				 "Page %lu of %p is not present\n", i, vaddr);

		/* Without CAP_SYS_ADMIN all of them read as 0 */
		phys[i] = (phys[i] & PAGEMAP_PFN) * getpagesize();
		VFIO_ASSERT_NE(phys[i], 0);
	}
}

bool pagemap_present(const void *vaddr)
{
	u64 entry;

	pagemap_entries(vaddr, 1, &entry);
	return entry & PAGEMAP_PRESENT;
}
