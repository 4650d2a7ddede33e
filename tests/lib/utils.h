/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_UTILS_H
#define TESTS_LIB_UTILS_H

/*
 * More ioctls of iommufd as functions, beside those of libvfio. Unless said
 * otherwise they return 0 or a negative errno.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libvfio/noiommu.h>

/* IOMMU_IOAS_GET_PA as it was before it had extents, and with them */
#define GET_PA_SIZE		40
#define GET_PA_EXTENTS_SIZE	56

#define MAP_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static inline int iommufd_open(void)
{
	int iommufd = open("/dev/iommu", O_RDWR);

	VFIO_ASSERT_GE(iommufd, 0);
	return iommufd;
}

static inline u32 ioas_alloc(int iommufd)
{
	struct iommu_ioas_alloc args = {
		.size = sizeof(args),
	};

	ioctl_assert(iommufd, IOMMU_IOAS_ALLOC, &args);
	return args.out_ioas_id;
}

/* @iova: in with IOMMU_IOAS_MAP_FIXED_IOVA in @flags, out without */
static inline int ioas_map(int iommufd, u32 ioas_id, void *vaddr, u64 length,
			   u32 flags, u64 *iova)
{
	struct iommu_ioas_map args = {
		.size = sizeof(args),
		.flags = flags,
		.ioas_id = ioas_id,
		.user_va = (uintptr_t)vaddr,
		.length = length,
		.iova = *iova,
	};
	int ret = ioctl_errno(iommufd, IOMMU_IOAS_MAP, &args);

	if (!ret)
		*iova = args.iova;
	return ret;
}

/* @pt_id: in: an IOAS or a HWPT; out: the HWPT that the device now uses */
static inline int device_attach(int device_fd, u32 *pt_id)
{
	struct vfio_device_attach_iommufd_pt args = {
		.argsz = sizeof(args),
		.pt_id = *pt_id,
	};
	int ret;

	ret = ioctl_errno(device_fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &args);
	if (!ret)
		*pt_id = args.pt_id;

	return ret;
}

static inline int object_destroy(int iommufd, u32 id)
{
	struct iommu_destroy args = {
		.size = sizeof(args),
		.id = id,
	};

	return ioctl_errno(iommufd, IOMMU_DESTROY, &args);
}

static inline int hwpt_alloc(int iommufd, u32 dev_id, u32 pt_id, u32 flags,
			     u32 *hwpt_id)
{
	struct iommu_hwpt_alloc args = {
		.size = sizeof(args),
		.flags = flags,
		.dev_id = dev_id,
		.pt_id = pt_id,
	};
	int ret;

	ret = ioctl_errno(iommufd, IOMMU_HWPT_ALLOC, &args);
	if (!ret)
		*hwpt_id = args.out_hwpt_id;

	return ret;
}

static inline int ioas_map_fixed(int iommufd, u32 ioas_id, void *vaddr,
				 u64 length, u64 iova)
{
	return ioas_map(iommufd, ioas_id, vaddr, length,
			MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA, &iova);
}

/* iommufd of Linux 6.12 maps no files, but it maps their memory by address */
#ifdef IOMMU_IOAS_MAP_FILE
#define MAPS_FILES	true

static inline int ioas_map_file(int iommufd, u32 ioas_id, int fd, u64 start,
				u64 length, u32 flags, u64 *iova)
{
	struct iommu_ioas_map_file args = {
		.size = sizeof(args),
		.flags = flags,
		.ioas_id = ioas_id,
		.fd = fd,
		.start = start,
		.length = length,
		.iova = *iova,
	};
	int ret;

	ret = ioctl_errno(iommufd, IOMMU_IOAS_MAP_FILE, &args);
	if (!ret)
		*iova = args.iova;

	return ret;
}

#else
#define MAPS_FILES	false

static inline int ioas_map_file(int iommufd, u32 ioas_id, int fd, u64 start,
				u64 length, u32 flags, u64 *iova)
{
	return -ENOTTY;
}

#endif

static inline int ioas_copy_fixed(int iommufd, u32 dst_ioas_id, u64 dst_iova,
				  u32 src_ioas_id, u64 src_iova, u64 length)
{
	struct iommu_ioas_copy args = {
		.size = sizeof(args),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = dst_ioas_id,
		.src_ioas_id = src_ioas_id,
		.length = length,
		.dst_iova = dst_iova,
		.src_iova = src_iova,
	};

	return ioctl_errno(iommufd, IOMMU_IOAS_COPY, &args);
}

static inline int ioas_unmap(int iommufd, u32 ioas_id, u64 iova, u64 length)
{
	struct iommu_ioas_unmap args = {
		.size = sizeof(args),
		.ioas_id = ioas_id,
		.iova = iova,
		.length = length,
	};

	return ioctl_errno(iommufd, IOMMU_IOAS_UNMAP, &args);
}

/* Asserts that a failure writes nothing to the struct, and success the outputs */
static inline int get_pa_checked(int iommufd, struct iommu_ioas_get_pa *args)
{
	struct iommu_ioas_get_pa before = *args;
	struct iommu_ioas_get_pa after;
	int ret;

	ret = ioctl_errno(iommufd, IOMMU_IOAS_GET_PA, args);
	if (ret) {
		VFIO_ASSERT_EQ(memcmp(args, &before, sizeof(before)), 0,
			       "A failing IOMMU_IOAS_GET_PA has written\n");
		return ret;
	}

	after = *args;
	after.length = before.length;
	after.out_phys = before.out_phys;
	if (before.num_extents)
		after.num_extents = before.num_extents;
	VFIO_ASSERT_EQ(memcmp(&after, &before, sizeof(before)), 0);

	return 0;
}

static inline void get_pa_init(struct iommu_ioas_get_pa *args, u32 size,
			       u32 ioas_id, u64 iova, u64 length)
{
	/* The struct may have grown since, and its padding is compared too */
	memset(args, 0, sizeof(*args));
	args->size = size;
	args->ioas_id = ioas_id;
	args->iova = iova;
	args->length = length;
	args->out_phys = 0xdeadbeefdeadbeefULL;
}

/*
 * @length: in: the most bytes to look at, 0 for no limit; out: length of the
 *          physically contiguous run that starts at @iova
 * @phys: out: where it is
 *
 * Asserts what holds for every failure: nothing is written.
 */
static inline int ioas_get_pa(int iommufd, u32 ioas_id, u64 iova, u64 *length,
			      u64 *phys)
{
	struct iommu_ioas_get_pa args;
	int ret;

	get_pa_init(&args, GET_PA_SIZE, ioas_id, iova, *length);
	ret = get_pa_checked(iommufd, &args);
	if (!ret) {
		*length = args.length;
		*phys = args.out_phys;
	}

	return ret;
}

/*
 * @length: in: the most bytes to look at, 0 for no limit; out: bytes that the
 *          extents cover
 * @phys: out: where the first of them is
 * @extents: out: what is there, each physically contiguous
 * @nr: in: the most extents to write; out: those written
 *
 * Asserts what holds for every failure: nothing but the array is written.
 */
static inline int ioas_get_extents(int iommufd, u32 ioas_id, u64 iova,
				   u64 *length, u64 *phys,
				   struct iommu_pa_extent *extents, u32 *nr)
{
	struct iommu_ioas_get_pa args;
	int ret;

	get_pa_init(&args, GET_PA_EXTENTS_SIZE, ioas_id, iova, *length);
	args.num_extents = *nr;
	args.extents_uptr = (uintptr_t)extents;

	ret = get_pa_checked(iommufd, &args);
	if (!ret) {
		*length = args.length;
		*phys = args.out_phys;
		*nr = args.num_extents;
	}

	return ret;
}

/* More than any kernel knows: what lies in it past that has to be zero */
union get_pa_args {
	struct iommu_ioas_get_pa args;
	u8 bytes[256];
};

/* Returns 0 or a negative errno, with which nothing may have been written */
static inline int get_pa_raw(int iommufd, union get_pa_args *args)
{
	union get_pa_args before = *args;
	int ret;

	ret = ioctl_errno(iommufd, IOMMU_IOAS_GET_PA, args);
	if (ret)
		VFIO_ASSERT_EQ(memcmp(args, &before, sizeof(before)), 0,
			       "A failing IOMMU_IOAS_GET_PA has written\n");

	return ret;
}

/* The address behind @iova, which has to have one */
static inline u64 ioas_phys(int iommufd, u32 ioas_id, u64 iova)
{
	u64 length = 1;
	u64 phys;

	VFIO_ASSERT_EQ(ioas_get_pa(iommufd, ioas_id, iova, &length, &phys), 0);
	VFIO_ASSERT_EQ(length, 1);

	return phys;
}

/* Without them, no entry of the page table is larger than a page */
static inline int ioas_huge_pages_set(int iommufd, u32 ioas_id, bool on)
{
	struct iommu_option args = {
		.size = sizeof(args),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = ioas_id,
		.val64 = on,
	};

	return ioctl_errno(iommufd, IOMMU_OPTION, &args);
}

/* A device, bound to an iommufd that has an IOAS; not attached */
struct bound {
	int device_fd;
	int iommufd;
	u32 dev_id;
	u32 ioas_id;
};

static inline void bound_init(struct bound *b, const char *bdf)
{
	b->device_fd = device_open(bdf);
	b->iommufd = iommufd_open();
	VFIO_ASSERT_EQ(device_bind(b->device_fd, b->iommufd, &b->dev_id), 0);
	b->ioas_id = ioas_alloc(b->iommufd);
}

static inline void bound_cleanup(struct bound *b)
{
	VFIO_ASSERT_EQ(close(b->device_fd), 0);
	VFIO_ASSERT_EQ(close(b->iommufd), 0);
}

/* mmap() the start of BAR 0, where registers are, with that in the command register */
static inline void *bar_map(int device_fd, u16 command)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	void *vaddr;

	ioctl_assert(device_fd, VFIO_DEVICE_GET_REGION_INFO, &config);
	ioctl_assert(device_fd, VFIO_DEVICE_GET_REGION_INFO, &bar);
	VFIO_ASSERT_EQ(pwrite(device_fd, &command, sizeof(command),
			      config.offset + PCI_COMMAND),
		       (ssize_t)sizeof(command));
	vaddr = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED,
		     device_fd, bar.offset);
	VFIO_ASSERT_NE(vaddr, MAP_FAILED);

	return vaddr;
}

/* The result of a lookup of which the address is of no interest */
static inline int lookup(const struct bound *b, u64 iova, u64 length)
{
	u64 phys;

	return ioas_get_pa(b->iommufd, b->ioas_id, iova, &length, &phys);
}

/*
 * Does a lookup of at most @max bytes at @iova give the address @phys, and @run
 * bytes that are contiguous from there on?
 */
static inline bool pa_is(const struct bound *b, u64 iova, u64 max, u64 phys,
			 u64 run)
{
	u64 length = max, seen = 0;
	int ret;

	ret = ioas_get_pa(b->iommufd, b->ioas_id, iova, &length, &seen);
	if (!ret && seen == phys && length == run)
		return true;

	fprintf(stderr, "# IOVA %#lx, at most %#lx bytes\n", iova, max);
	fprintf(stderr, "#   Expected: %#lx bytes at %#lx\n", run, phys);
	if (ret)
		fprintf(stderr, "#   Observed: %s\n", strerror(-ret));
	else
		fprintf(stderr, "#   Observed: %#lx bytes at %#lx\n", length, seen);

	return false;
}

#endif /* TESTS_LIB_UTILS_H */
