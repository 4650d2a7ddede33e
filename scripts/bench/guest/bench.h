/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What physical addresses cost a driver in userspace, on this kernel.
 *
 *	main.c		the command line
 *	count.c		counting instructions; what is printed
 *	device.c	the noiommu cdev: open, bind, attach; mapping and lookup
 *	buffer.c	memory of several kinds
 *	list.c		the ways to the address list of a buffer
 *	cost.c		the figures for each kind and size of buffer
 *	edu.c		from open() to the first DMA
 *	library.c	lookups in libvfiodma
 *	parallel.c	lookups by several threads, by the clock
 *	profile.c	lookups for the host to follow
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/iommufd.h>
#include <linux/types.h>

#define PAGE		4096UL
#define SMALLEST	PAGE
#define LARGEST		(1UL << 30)

#define KIB(n)		((n) << 10)
#define MIB(n)		((n) << 20)

/*
 * The lookup as a program has to spell it that runs on kernels with and without
 * extents: the struct of Linux 7.3, and what this series adds behind it.
 */
struct get_pa {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 out_phys;
	__u32 num_extents;
	__u32 dev_id;
	__aligned_u64 extents_uptr;
};

#define GET_PA			_IO(IOMMUFD_TYPE, 0x95)
#define GET_PA_DEVICE		1 /* flag: as the device sees it */
#define GET_PA_SIZE		offsetof(struct get_pa, num_extents)
#define GET_PA_EXTENTS_SIZE	sizeof(struct get_pa)

/* Likewise of IOMMU_IOAS_MAP_FILE, which headers of Linux 6.12 do not have */
struct map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};

#define MAP_FILE_CMD		_IO(IOMMUFD_TYPE, 0x8f)

/* Physically contiguous memory; the kernel's extents have the same layout. */
struct run {
	__aligned_u64 phys;
	__aligned_u64 length;
};

/* count.c */
static inline __u64 now(void)
{
	return __builtin_ia32_rdtsc();
}

void count_init(void);
__u64 since(__u64 start);
void least(__u64 *best, __u64 value);
void report(__u64 value, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void report_none(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void die_errno(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* device.c */
struct device {
	char node[64];
	int fd;
	int iommufd;
	__u32 dev_id;
	__u32 ioas_id;
	__u64 iova; /* of what is mapped */
};

void device_find(struct device *dev, const char *bdf);
void device_open(struct device *dev);
void device_bind(struct device *dev);
void device_attach(struct device *dev);
void device_start(struct device *dev);
void device_close(struct device *dev);
void device_add_ioas(struct device *other, const struct device *dev);

struct buffer;

void map(struct device *dev, const struct buffer *buf, size_t size);
void unmap(struct device *dev, size_t size);
void look_up(struct device *dev, struct get_pa *get);
bool has_extents(struct device *dev);
bool has_map_file(struct device *dev);

/* buffer.c */
enum kind {
	SCATTERED,
	THP,
	HUGETLB_2M,
	HUGETLB_1G,
	MEMFD,
	KINDS,
};

extern const char *const kind_names[KINDS];

struct buffer {
	enum kind kind;
	char *va;
	size_t size;
	int fd; /* of a memfd */
};

bool buffer_alloc(struct buffer *buf, enum kind kind, size_t size);
void buffer_free(struct buffer *buf);
void *zeroed(size_t size);

/* list.c */
struct list {
	struct run *runs;
	size_t count;
	size_t room;
};

enum way {
	BY_PAGEMAP,	/* one read of /proc/self/pagemap for all of it */
	BY_PAGE,	/* GET_PA, 4 KiB a call */
	BY_RUN,		/* GET_PA of all that is left, which answers a run */
	BY_EXTENTS,	/* GET_PA with room for all */
	BY_DEVICE,	/* the same, as the device sees the memory */
	WAYS,
};

extern const char *const way_names[WAYS];

void list_init(struct list *list, size_t size);
void list_make(struct list *list, enum way way, struct device *dev,
	       const struct buffer *buf, size_t size);
void list_compare(const struct list *list, const struct list *other,
		  const char *what);
void list_check_kind(const struct list *list, enum kind kind, size_t size);
__u64 pagemap_address(const void *va);

/* cost.c, edu.c, library.c, parallel.c, profile.c */
void cost_of_calls(struct device *dev);
void cost_of_buffers(struct device *dev, size_t largest);
void first_dma(const char *bdf);
void cost_of_library(const char *bdf);
void parallel(struct device *dev);
void profile(struct device *dev);

#endif /* BENCH_H */
