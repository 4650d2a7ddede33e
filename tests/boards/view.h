/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_BOARDS_VIEW_H
#define TESTS_BOARDS_VIEW_H

/*
 * What a device sees of memory, from the properties of the devicetree as the kernel
 * shows it, and what the kernel has to say of that. Nothing here is learned from VFIO or
 * iommufd.
 */

#include <endian.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/limits.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "layout.h"
#include "utils.h"

#define VIEW_RANGES	16

/* An entry of dma-ranges: memory at @cpu is at @bus for the device */
struct view_range {
	u64 bus;
	u64 cpu;
	u64 size;
};

/* Without a range, all of memory is where it is for the CPU */
struct view {
	struct view_range ranges[VIEW_RANGES];
	u32 nr;
	bool coherent;
};

/* Returns the property's size, or -1 if there is none */
static inline ssize_t view_property(const char *node, const char *name, void *buf,
				    size_t size)
{
	char path[PATH_MAX];
	ssize_t ret;
	int fd;

	snprintf_assert(path, sizeof(path), "%s/%s", node, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	ret = read(fd, buf, size);
	VFIO_ASSERT_GE(ret, 0, "%s\n", path);
	VFIO_ASSERT_LT(ret, (ssize_t)size, "%s is longer than expected\n", path);
	VFIO_ASSERT_EQ(close(fd), 0);

	return ret;
}

static inline bool view_has(const char *node, const char *name)
{
	char path[PATH_MAX];

	snprintf_assert(path, sizeof(path), "%s/%s", node, name);
	return !access(path, F_OK);
}

static inline u32 view_u32(const char *node, const char *name)
{
	u32 cells[2];

	VFIO_ASSERT_EQ(view_property(node, name, cells, sizeof(cells)), 4, "%s/%s\n",
		       node, name);
	return be32toh(cells[0]);
}

/* The number in some cells, of which an address of PCI has one in front that is none */
static inline u64 view_number(const u32 *cells, u32 nr)
{
	u64 value = 0;

	for (; nr; nr--)
		value = value << 32 | be32toh(*cells++);

	return value;
}

/* @bus: the node that has dma-ranges */
static inline void view_read_ranges(struct view *view, const char *bus)
{
	const u32 nr_bus = view_u32(bus, "#address-cells");
	const u32 nr_size = view_u32(bus, "#size-cells");
	u32 cells[VIEW_RANGES * 8 + 1], nr_cpu, nr, i, skipped;
	char parent[PATH_MAX];
	ssize_t size;

	snprintf_assert(parent, sizeof(parent), "%s", bus);
	nr_cpu = view_u32(dirname(parent), "#address-cells");
	nr = nr_bus + nr_cpu + nr_size;
	skipped = nr_bus == 3;

	size = view_property(bus, "dma-ranges", cells, sizeof(cells));
	VFIO_ASSERT_GT(size, 0, "An empty dma-ranges of %s\n", bus);
	view->nr = size / (nr * sizeof(*cells));
	VFIO_ASSERT_EQ(view->nr * nr * sizeof(*cells), (size_t)size);
	VFIO_ASSERT_LE(view->nr, VIEW_RANGES);

	for (i = 0; i < view->nr; i++) {
		const u32 *entry = cells + i * nr;
		struct view_range *range = &view->ranges[i];

		range->bus = view_number(entry + skipped, nr_bus - skipped);
		range->cpu = view_number(entry + nr_bus, nr_cpu);
		range->size = view_number(entry + nr_bus + nr_cpu, nr_size);
	}
}

/*
 * @node: that of a device, or of a root bus for all devices on it. The first dma-ranges
 * on the way to the root is the one that holds; there has to be no other.
 */
static inline void view_read(struct view *view, const char *node)
{
	char root[PATH_MAX], path[PATH_MAX];

	memset(view, 0, sizeof(*view));
	VFIO_ASSERT_NOT_NULL(realpath("/proc/device-tree", root));
	VFIO_ASSERT_NOT_NULL(realpath(node, path), "%s\n", node);
	VFIO_ASSERT_EQ(strncmp(path, root, strlen(root)), 0);

	for (; strcmp(path, root); dirname(path)) {
		view->coherent |= view_has(path, "dma-coherent");
		if (!view_has(path, "dma-ranges"))
			continue;
		VFIO_ASSERT_EQ(view->nr, 0U, "Two of dma-ranges on the way\n");
		view_read_ranges(view, path);
	}
}

/* Where the device finds the byte @cpu, and the bytes from there on that are alike */
static inline bool view_translate(const struct view *view, u64 cpu, u64 *bus, u64 *run)
{
	u32 i;

	*bus = cpu;
	*run = UINT64_MAX;
	if (!view->nr)
		return true;

	for (i = 0; i < view->nr; i++) {
		const struct view_range *range = &view->ranges[i];

		if (cpu < range->cpu || cpu - range->cpu >= range->size)
			continue;
		*bus = range->bus + (cpu - range->cpu);
		*run = range->size - (cpu - range->cpu);
		return true;
	}

	return false;
}

/* The last address that the device has for any memory */
static inline u64 view_last(const struct view *view)
{
	u64 last = 0;
	u32 i;

	if (!view->nr)
		return UINT64_MAX;
	for (i = 0; i < view->nr; i++)
		last = max(last, view->ranges[i].bus + (view->ranges[i].size - 1));

	return last;
}

static inline bool view_translates(const struct view *view)
{
	u32 i;

	for (i = 0; i < view->nr; i++) {
		if (view->ranges[i].bus != view->ranges[i].cpu)
			return true;
	}

	return false;
}

/*
 * What IOMMU_IOAS_GET_PA_DEVICE has to answer: the CPU's answer, cut where the device's
 * view changes. @scratch has room for w->room extents, and for one at least.
 */
static inline void view_predict(const struct view *view, const struct layout *layout,
				const struct window *w, struct iommu_pa_extent *scratch,
				struct answer *a)
{
	struct window cpu_window = *w;
	struct answer cpu = { .extents = scratch };
	u64 start, left, bus, run;
	u32 i;

	cpu_window.room = max(w->room, 1U);
	layout_predict(layout, &cpu_window, &cpu);

	a->ret = cpu.ret;
	a->phys = 0;
	a->length = 0;
	a->nr = 0;
	if (a->ret)
		return;

	for (i = 0; i < cpu.nr; i++) {
		start = cpu.extents[i].phys;
		for (left = cpu.extents[i].length; left; left -= run, start += run) {
			if (!view_translate(view, start, &bus, &run)) {
				if (!a->length)
					a->ret = -ERANGE;
				return;
			}
			run = min(run, left);
			if (!a->length)
				a->phys = bus;
			else if (a->nr >= w->room)
				return;
			a->length += run;
			if (w->room) {
				a->extents[a->nr].phys = bus;
				a->extents[a->nr].length = run;
				a->nr++;
			}
		}
	}
}

/* The lookup that @w describes, as a device sees memory */
static inline void view_lookup(const struct bound *b, const struct window *w,
			       struct answer *a)
{
	struct iommu_ioas_get_pa args;

	get_pa_init(&args, GET_PA_EXTENTS_SIZE, b->ioas_id, w->iova, w->length);
	args.flags = IOMMU_IOAS_GET_PA_DEVICE;
	args.dev_id = b->dev_id;
	args.num_extents = w->room;
	args.extents_uptr = (uintptr_t)a->extents;

	a->ret = get_pa_checked(b->iommufd, &args);
	a->phys = a->ret ? 0 : args.out_phys;
	a->length = a->ret ? 0 : args.length;
	a->nr = a->ret || !w->room ? 0 : args.num_extents;
}

/* Is what a lookup answers what the devicetree and pagemap tell? */
static inline bool view_check(const struct bound *b, const struct view *view,
			      const struct layout *layout, const struct window *w,
			      struct extents *e, struct iommu_pa_extent *scratch)
{
	struct answer expected = { .extents = e->expected };
	struct answer seen = { .extents = e->seen };

	VFIO_ASSERT_LE(w->room, e->room);
	view_predict(view, layout, w, scratch, &expected);
	view_lookup(b, w, &seen);
	if (seen.nr > w->room || !answers_equal(&expected, &seen)) {
		answers_print(w, &expected, &seen);
		return false;
	}
	memset(e->seen, EXTENTS_UNTOUCHED, seen.nr * sizeof(*e->seen));

	return true;
}

/* The capability that a device without an IOMMU has; false if it is not there */
static inline bool view_capability(int device_fd,
				   struct vfio_device_info_cap_noiommu_dma *cap)
{
	union {
		struct vfio_device_info info;
		u8 bytes[512];
	} args = { .info.argsz = sizeof(args) };
	const struct vfio_info_cap_header *header;
	u32 offset;

	ioctl_assert(device_fd, VFIO_DEVICE_GET_INFO, &args);
	if (!(args.info.flags & VFIO_DEVICE_FLAGS_CAPS))
		return false;
	VFIO_ASSERT_LE(args.info.argsz, sizeof(args));

	for (offset = args.info.cap_offset; offset; offset = header->next) {
		VFIO_ASSERT_LE(offset + sizeof(*cap), sizeof(args));
		header = (void *)(args.bytes + offset);
		if (header->id == VFIO_DEVICE_INFO_CAP_NOIOMMU_DMA) {
			memcpy(cap, header, sizeof(*cap));
			return true;
		}
	}

	return false;
}

/* Does the kernel tell a driver what the devicetree says? */
static inline bool view_is_told(int device_fd, const struct view *view)
{
	struct vfio_device_info_cap_noiommu_dma cap;
	const u32 flags = (view->coherent ? VFIO_DEVICE_NOIOMMU_DMA_COHERENT : 0) |
			  (view_translates(view) ? VFIO_DEVICE_NOIOMMU_DMA_TRANSLATED : 0);

	if (!view_capability(device_fd, &cap)) {
		fprintf(stderr, "# There is no capability that tells of DMA\n");
		return false;
	}
	if (cap.flags == flags && cap.last_addr == view_last(view) && !cap.__reserved &&
	    cap.header.version == 1)
		return true;

	fprintf(stderr, "# Flags %#x, last address %#lx expected\n", flags,
		view_last(view));
	fprintf(stderr, "# Flags %#x, last address %#lx observed, version %u\n", cap.flags,
		(u64)cap.last_addr, cap.header.version);
	return false;
}

#endif /* TESTS_BOARDS_VIEW_H */
