/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_VFIO_FUZZ_MODEL_H
#define TESTS_VFIO_FUZZ_MODEL_H

/*
 * A model of iommufd and of VFIO devices without an IOMMU: it tells of every
 * operation what it has to return and to output, IDs and IOVAs included, and
 * changes its own state likewise. Where more than one error applies, the model
 * checks in the order that the kernel does.
 *
 * Nothing here is ever learned from an ioctl. Physical addresses come from
 * /proc/self/pagemap, of memory that is pinned when it is asked.
 */

#include <stdbool.h>

#include <linux/iommufd.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include "memory.h"

/* More than the fuzzer lets there be, it destroys some when it comes close */
#define MODEL_IDS	64
#define MODEL_AREAS	192
#define MODEL_ALLOWED	8

/* The granule of the page table that such a device is given */
#define MODEL_DOMAIN_ALIGN	SZ_4K

#define MODEL_MAP_FLAGS (MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA)

struct m_area {
	u64 iova;
	u64 length;
	struct source src;
};

struct m_range {
	u64 start;
	u64 last;
};

struct m_ioas {
	/* Both in the order of their IOVAs */
	u32 nr_areas;
	struct m_area areas[MODEL_AREAS];
	u32 nr_allowed;
	struct m_range allowed[MODEL_ALLOWED];

	u32 nr_hwpts;
	/* The HWPT that attaching to the IOAS made, 0 if there is none */
	u32 auto_hwpt;
	bool no_huge_pages;
};

enum m_type {
	M_NONE,
	M_IOAS,
	M_HWPT,
	M_DEVICE,
	/* A device in quarantine, which is used by its ID no more */
	M_HELD,
	/* Not a type: any of them */
	M_ANY,
};

struct m_object {
	enum m_type type;
	/* Of the IOAS, or of the IOAS that the HWPT is of */
	struct m_ioas *ioas;
	/* Devices attached to the HWPT */
	u32 nr_devices;
};

struct m_ictx {
	/* The file, and every device that is bound */
	u32 users;
	struct m_object objects[MODEL_IDS];
};

/* What the files of a device have in common */
struct m_shared {
	/* Whether any of them is bound */
	bool busy;
	/* Opening and closing are a reset */
	bool resets;
	/* In quarantine: where it has stayed bound and attached, or NULL */
	struct m_ictx *held_ictx;
	u32 held_dev_id;
	u32 held_hwpt_id;
};

/* Of a file of a device. Only one file of a device at a time can be bound. */
struct m_device {
	/* NULL if it is not bound */
	struct m_ictx *ictx;
	struct m_shared *shared;
	bool quarantine;
	u32 dev_id;
	/* 0 if it is not attached */
	u32 hwpt_id;
	/* It is attached by naming PASID 0, which the kernel keeps apart */
	bool by_pasid;
};

struct m_copy {
	u32 flags;
	u32 dst_id;
	u32 src_id;
	u64 length;
	u64 dst_iova;
	u64 src_iova;
};

struct m_hwpt_alloc {
	u32 flags;
	u32 dev_id;
	u32 pt_id;
	u32 data_type;
	u32 data_len;
	u32 reserved;
};

struct m_lookup {
	u64 iova;
	/* in: the most bytes; out: those covered */
	u64 length;
	/* in: the most extents, 0 for no array; out: those there are */
	u32 nr;
	u64 phys;
	/* As this device sees memory, which is as the CPU does */
	bool by_device;
	u32 dev_id;
	/* Extents that can be stored, the next one is a fault */
	u32 writable;
	struct iommu_pa_extent *extents;
};

struct m_ictx *model_ictx_open(void);
void model_ictx_put(struct m_ictx *ictx);
struct m_object *model_get(struct m_ictx *ictx, u32 id, enum m_type type);
u32 model_nr_objects(struct m_ictx *ictx);
int model_ioas_alloc(struct m_ictx *ictx, u32 flags, u32 *id);
int model_destroy(struct m_ictx *ictx, u32 id);
u64 model_align(const struct m_ioas *ioas);
int model_map(struct m_ictx *ictx, u32 ioas_id, u64 address, u64 length,
	      u32 flags, u64 *iova);
int model_map_file(struct m_ictx *ictx, u32 ioas_id,
		   const struct fuzz_file *file, u64 start, u64 length,
		   u32 flags, u64 *iova);
int model_copy(struct m_ictx *ictx, struct m_copy *copy);
int model_unmap(struct m_ictx *ictx, u32 ioas_id, u64 iova, u64 *length);
int model_allow(struct m_ictx *ictx, u32 ioas_id, const struct m_range *ranges,
		u32 nr);
int model_huge_pages(struct m_ictx *ictx, u32 ioas_id, u16 op, u64 *value);
int model_change_process(struct m_ictx *ictx);
int model_hwpt_alloc(struct m_ictx *ictx, const struct m_hwpt_alloc *args,
		     u32 *id);
int model_bind(struct m_device *dev, struct m_ictx *ictx, u32 *id);
int model_bind_check(struct m_device *dev, u32 flags);
void model_bind_flags(struct m_device *dev, u32 flags);
void model_release(struct m_shared *shared);
int model_attach(struct m_device *dev, bool with_pasid, u32 pasid, u32 *pt_id);
void model_detach(struct m_device *dev, bool by_pasid);
void model_device_close(struct m_device *dev);
int model_lookup(struct m_ictx *ictx, u32 ioas_id, struct m_lookup *l);

#endif /* TESTS_VFIO_FUZZ_MODEL_H */
