// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bits.h>
#include <linux/iommufd.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "memory.h"
#include "model.h"
#include "quarantine.h"
#include "uapi.h"
#include "utils.h"


struct m_ictx *model_ictx_open(void)
{
	struct m_ictx *ictx = calloc_assert(1, sizeof(*ictx));

	ictx->users = 1;
	return ictx;
}

void model_ictx_put(struct m_ictx *ictx)
{
	u32 id;

	if (--ictx->users)
		return;

	for (id = 1; id < MODEL_IDS; id++) {
		if (ictx->objects[id].type == M_IOAS)
			free(ictx->objects[id].ioas);
	}
	free(ictx);
}

/*
 * Objects
 */

struct m_object *model_get(struct m_ictx *ictx, u32 id,
			   enum m_type type)
{
	struct m_object *obj;

	if (id >= MODEL_IDS)
		return NULL;

	obj = &ictx->objects[id];
	if (obj->type == M_NONE || (type != M_ANY && obj->type != type))
		return NULL;

	return obj;
}

/* The ID that the next object gets, which is the lowest that is free */
static u32 model_next_id(struct m_ictx *ictx)
{
	u32 id = 1;

	while (ictx->objects[id].type != M_NONE) {
		id++;
		VFIO_ASSERT_LT(id, MODEL_IDS);
	}

	return id;
}

u32 model_nr_objects(struct m_ictx *ictx)
{
	u32 id, nr = 0;

	for (id = 1; id < MODEL_IDS; id++)
		nr += ictx->objects[id].type != M_NONE;

	return nr;
}

static struct m_object *model_new(struct m_ictx *ictx, enum m_type type,
				  u32 *id)
{
	struct m_object *obj;

	*id = model_next_id(ictx);
	obj = &ictx->objects[*id];
	obj->type = type;
	obj->nr_devices = 0;
	obj->ioas = NULL;

	return obj;
}

int model_ioas_alloc(struct m_ictx *ictx, u32 flags, u32 *id)
{
	if (flags)
		return -EOPNOTSUPP;

	model_new(ictx, M_IOAS, id)->ioas =
		calloc_assert(1, sizeof(struct m_ioas));
	return 0;
}

static void model_hwpt_free(struct m_ictx *ictx, u32 id)
{
	struct m_object *obj = &ictx->objects[id];

	obj->ioas->nr_hwpts--;
	if (obj->ioas->auto_hwpt == id)
		obj->ioas->auto_hwpt = 0;
	obj->type = M_NONE;
}

int model_destroy(struct m_ictx *ictx, u32 id)
{
	struct m_object *obj = model_get(ictx, id, M_ANY);

	if (!obj)
		return -ENOENT;

	switch (obj->type) {
	case M_IOAS:
		if (obj->ioas->nr_hwpts)
			return -EBUSY;
		free(obj->ioas);
		obj->type = M_NONE;
		return 0;
	case M_HWPT:
		if (obj->nr_devices)
			return -EBUSY;
		model_hwpt_free(ictx, id);
		return 0;
	default:
		return -EBUSY;
	}
}

/*
 * Areas
 */

/* The index of the first area that ends at @iova or later */
static u32 model_find(const struct m_ioas *ioas, u64 iova)
{
	u32 i;

	for (i = 0; i < ioas->nr_areas; i++) {
		const struct m_area *area = &ioas->areas[i];

		if (area->iova + (area->length - 1) >= iova)
			break;
	}

	return i;
}

static u64 model_area_last(const struct m_area *area)
{
	return area->iova + (area->length - 1);
}

static void model_insert(struct m_ioas *ioas, const struct m_area *area)
{
	const u32 i = model_find(ioas, area->iova);

	VFIO_ASSERT_LT(ioas->nr_areas, MODEL_AREAS);
	memmove(&ioas->areas[i + 1], &ioas->areas[i],
		(ioas->nr_areas++ - i) * sizeof(*area));
	ioas->areas[i] = *area;
}

static void model_remove(struct m_ioas *ioas, u32 i)
{
	memmove(&ioas->areas[i], &ioas->areas[i + 1],
		(--ioas->nr_areas - i) * sizeof(*ioas->areas));
}

u64 model_align(const struct m_ioas *ioas)
{
	u64 align = ioas->nr_hwpts ? MODEL_DOMAIN_ALIGN : 1;

	if (ioas->no_huge_pages)
		align = max_t(u64, align, getpagesize());

	return align;
}

static bool model_all_aligned(const struct m_ioas *ioas, u64 align)
{
	u32 i;

	for (i = 0; i < ioas->nr_areas; i++) {
		const struct m_area *area = &ioas->areas[i];

		if ((area->iova | area->length | area->src.address) & (align - 1))
			return false;
	}

	return true;
}

/*
 * Choosing an IOVA
 */

struct m_choice {
	u64 length;
	u64 align;
	u64 page_offset;
};

/* Moves @start to where @choice could go if there is nothing up to @last */
static bool model_fits(const struct m_choice *choice, u64 *start, u64 last)
{
	u64 aligned = *start + (choice->align - 1);

	if (aligned < *start)
		return false;
	aligned &= ~(choice->align - 1);
	aligned |= choice->page_offset;

	if (aligned >= last || last - aligned < choice->length - 1)
		return false;

	*start = aligned;
	return true;
}

/* The first place between @start and @last, which are allowed, that is free */
static bool model_choose_in(const struct m_ioas *ioas,
			    const struct m_choice *choice, u64 start,
			    u64 last, u64 *iova)
{
	u32 i;

	if (!model_fits(choice, &start, last))
		return false;

	for (i = model_find(ioas, start); ; i++) {
		const struct m_area *area = &ioas->areas[i];

		if (i == ioas->nr_areas || area->iova > last) {
			*iova = start;
			return model_fits(choice, iova, last);
		}

		*iova = start;
		if (area->iova > start && model_fits(choice, iova, area->iova - 1))
			return true;
		if (model_area_last(area) >= last)
			return false;
		start = model_area_last(area) + 1;
	}
}

static u64 model_choice_align(u64 address, u64 length)
{
	u64 align = 1;

	while (align < length)
		align <<= 1;
	if (address)
		align = min(align, address & -address);

	return min(align, mem_max_align());
}

/* The first place from @first on that is free, and allowed */
static int model_choose_from(const struct m_ioas *ioas,
			     const struct m_choice *choice, u64 first,
			     u64 *iova)
{
	const u64 last = UINT64_MAX - getpagesize();
	u64 start, end;
	u32 i;

	if (!ioas->nr_allowed)
		return model_choose_in(ioas, choice, first, last, iova) ? 0 :
			-ENOSPC;

	for (i = 0; i < ioas->nr_allowed; i++) {
		start = ioas->allowed[i].start;
		end = ioas->allowed[i].last;
		/* Ranges that adjoin are one */
		while (i + 1 < ioas->nr_allowed &&
		       ioas->allowed[i + 1].start == end + 1)
			end = ioas->allowed[++i].last;

		start = max(start, first);
		end = min(end, last);
		if (start <= end &&
		    model_choose_in(ioas, choice, start, end, iova))
			return 0;
	}

	return -ENOSPC;
}

/* No physical address is as high: what x86 processors say, or all that there may be */
static inline u64 model_noiommu_first(void)
{
	static unsigned int bits;
	char line[256];
	FILE *file;

	if (bits)
		return BIT_ULL(bits);

	file = fopen("/proc/cpuinfo", "r");
	VFIO_ASSERT_NOT_NULL(file, "Failed to open /proc/cpuinfo\n");
	while (!bits && fgets(line, sizeof(line), file))
		if (sscanf(line, "address sizes : %u bits physical", &bits) != 1)
			bits = 0;
	fclose(file);

	if (!bits)
		bits = 52;
	return BIT_ULL(bits);
}

static int model_choose(const struct m_ioas *ioas, u64 address, u64 length,
			u64 *iova)
{
	const u64 page_size = getpagesize();
	struct m_choice choice = {
		.length = length,
		.page_offset = address % page_size,
	};

	if (length >= UINT64_MAX / 2)
		return -EOVERFLOW;

	choice.align = model_choice_align(address, length);
	if (choice.align < model_align(ioas))
		return -EINVAL;

	if (ioas->nr_hwpts &&
	    !model_choose_from(ioas, &choice, model_noiommu_first(), iova))
		return 0;
	return model_choose_from(ioas, &choice, page_size, iova);
}

/*
 * Map, copy, unmap
 */

static int model_check_iova(const struct m_ioas *ioas, u64 iova, u64 length)
{
	u32 i;

	if (iova & (model_align(ioas) - 1))
		return -EINVAL;
	if (iova + (length - 1) < iova)
		return -EOVERFLOW;

	i = model_find(ioas, iova);
	if (i < ioas->nr_areas && ioas->areas[i].iova <= iova + (length - 1))
		return -EEXIST;

	return 0;
}

static int model_map_flags(u32 flags)
{
	if (flags & ~MODEL_MAP_FLAGS)
		return -EOPNOTSUPP;
	if (!(flags & MAP_RW))
		return -EINVAL;

	return 0;
}

/* Gives @areas their IOVAs, from @at on */
static int model_place_areas(struct m_area *areas, u32 nr, u32 flags,
			     u64 at, u64 align)
{
	const u64 page_size = getpagesize();
	u32 i;

	for (i = 0; i < nr; i++) {
		struct m_area *area = &areas[i];

		if (flags & IOMMU_IOAS_MAP_WRITEABLE && !area->src.writable)
			return -EPERM;
		/* A whole that is aligned can have parts that are not */
		if ((area->src.address % page_size | at | area->length) & (align - 1))
			return -EINVAL;
		area->iova = at;
		at += area->length;
	}

	return 0;
}

/* What is common to mapping and copying: @areas get their IOVA and are added */
static int model_map_areas(struct m_ioas *ioas, struct m_area *areas,
			   u32 nr, u64 length, u32 flags, u64 *iova)
{
	const u64 align = model_align(ioas);
	u64 at = *iova;
	int ret;
	u32 i;

	if (!length || length & (align - 1))
		return -EINVAL;

	if (flags & IOMMU_IOAS_MAP_FIXED_IOVA)
		ret = model_check_iova(ioas, at, length);
	else
		ret = model_choose(ioas, areas[0].src.address, length, &at);
	if (ret)
		return ret;

	ret = model_place_areas(areas, nr, flags, at, align);
	if (ret)
		return ret;

	for (i = 0; ioas->nr_hwpts && i < nr; i++) {
		ret = source_pin(&areas[i].src, areas[i].length);
		if (ret)
			return ret;
	}

	*iova = at;
	for (i = 0; i < nr; i++)
		model_insert(ioas, &areas[i]);

	return 0;
}

/* Can the number of pages be computed without an overflow? */
static bool model_length_ok(u64 address, u64 length)
{
	const u64 page_size = getpagesize();
	/* Linux 6.12 leaves room for any offset in a page */
	const u64 offset = HAS_FILES ? address % page_size : page_size;

	return length && length <= UINT64_MAX - page_size - offset;
}

/* What a mapping has to fulfil whatever it maps, and where it goes */
static int model_map_target(struct m_ictx *ictx, u32 ioas_id, u64 length, u32 flags,
			    u64 iova, struct m_ioas **ioas)
{
	struct m_object *obj;

	if (flags & ~MODEL_MAP_FLAGS)
		return -EOPNOTSUPP;
	if (iova == UINT64_MAX || length == UINT64_MAX)
		return -EOVERFLOW;
	if (model_map_flags(flags))
		return -EINVAL;

	obj = model_get(ictx, ioas_id, M_IOAS);
	if (!obj)
		return -ENOENT;

	*ioas = obj->ioas;
	return 0;
}

int model_map(struct m_ictx *ictx, u32 ioas_id, u64 address,
	      u64 length, u32 flags, u64 *iova)
{
	struct m_area area = {
		.length = length,
		.src.address = address,
		.src.writable = flags & IOMMU_IOAS_MAP_WRITEABLE,
	};
	struct m_ioas *ioas;
	int ret;

	ret = model_map_target(ictx, ioas_id, length, flags, *iova, &ioas);
	if (ret)
		return ret;
	if (!HAS_FILES && !model_length_ok(address, length))
		return -EINVAL;
	if (address + length < address)
		return -EOVERFLOW;
	if (!model_length_ok(address, length))
		return -EINVAL;

	return model_map_areas(ioas, &area, 1, length, flags, iova);
}

int model_map_file(struct m_ictx *ictx, u32 ioas_id,
		   const struct fuzz_file *file, u64 start,
		   u64 length, u32 flags, u64 *iova)
{
	struct m_area area = {
		.length = length,
		.src.address = start,
		.src.file = file,
		.src.writable = flags & IOMMU_IOAS_MAP_WRITEABLE,
	};
	struct m_ioas *ioas;
	int ret;

	ret = model_map_target(ictx, ioas_id, length, flags, *iova, &ioas);
	if (ret)
		return ret;
	if (!length)
		return -EINVAL;
	if (start + (length - 1) < start)
		return -EOVERFLOW;
	if (file->fd < 0)
		return -EBADF;
	if (!file->size || !model_length_ok(start, length))
		return -EINVAL;

	return model_map_areas(ioas, &area, 1, length, flags, iova);
}

/*
 * The parts of the areas behind a range, which has to be mapped without a hole.
 * Returns how many there are.
 */
static int model_collect(const struct m_ioas *ioas, u64 iova, u64 length,
			 struct m_area *areas)
{
	const u64 last = iova + (length - 1);
	u32 i, nr = 0;

	if (!length)
		return -EINVAL;
	if (last < iova)
		return -EOVERFLOW;

	for (i = model_find(ioas, iova); i < ioas->nr_areas; i++) {
		const struct m_area *area = &ioas->areas[i];

		if (area->iova > iova)
			return -ENOENT;

		areas[nr] = *area;
		areas[nr].src.address += iova - area->iova;
		areas[nr].length = min(last, model_area_last(area)) - iova + 1;
		nr++;
		if (model_area_last(area) >= last)
			return nr;
		iova = model_area_last(area) + 1;
	}

	return -ENOENT;
}

/* Returns 1 if there may be more areas than the model has room for */
int model_copy(struct m_ictx *ictx, struct m_copy *copy)
{
	struct m_area areas[MODEL_AREAS];
	struct m_object *src, *dst;
	int nr;

	if (copy->flags & ~MODEL_MAP_FLAGS)
		return -EOPNOTSUPP;
	if (copy->length == UINT64_MAX || copy->src_iova == UINT64_MAX ||
	    copy->dst_iova == UINT64_MAX)
		return -EOVERFLOW;
	if (model_map_flags(copy->flags))
		return -EINVAL;

	src = model_get(ictx, copy->src_id, M_IOAS);
	if (!src)
		return -ENOENT;
	nr = model_collect(src->ioas, copy->src_iova, copy->length, areas);
	if (nr < 0)
		return nr;

	dst = model_get(ictx, copy->dst_id, M_IOAS);
	if (!dst)
		return -ENOENT;
	if (nr + dst->ioas->nr_areas > MODEL_AREAS)
		return 1;

	return model_map_areas(dst->ioas, areas, nr, copy->length, copy->flags,
			       &copy->dst_iova);
}

/* Areas that come before the one that stands in the way are gone */
static int model_unmap_range(struct m_ioas *ioas, u64 iova, u64 last,
			     u64 *unmapped)
{
	u32 i;

	*unmapped = 0;
	for (;;) {
		i = model_find(ioas, iova);
		if (i == ioas->nr_areas || ioas->areas[i].iova > last)
			return 0;
		if (ioas->areas[i].iova < iova ||
		    model_area_last(&ioas->areas[i]) > last)
			return -ENOENT;

		*unmapped += ioas->areas[i].length;
		iova = model_area_last(&ioas->areas[i]) + 1;
		model_remove(ioas, i);
		if (!iova)
			return 0;
	}
}

int model_unmap(struct m_ictx *ictx, u32 ioas_id, u64 iova,
		u64 *length)
{
	struct m_object *obj = model_get(ictx, ioas_id, M_IOAS);
	u64 unmapped;
	int ret;

	if (!obj)
		return -ENOENT;
	if (!iova && *length == UINT64_MAX)
		return model_unmap_range(obj->ioas, 0, UINT64_MAX, length);

	if (iova == UINT64_MAX || *length == UINT64_MAX)
		return -EOVERFLOW;
	if (!*length)
		return -EINVAL;
	if (iova + (*length - 1) < iova)
		return -EOVERFLOW;

	ret = model_unmap_range(obj->ioas, iova, iova + (*length - 1), &unmapped);
	if (!ret && !unmapped)
		ret = -ENOENT;
	*length = unmapped;

	return ret;
}

/*
 * IOVA ranges and options
 */

int model_allow(struct m_ictx *ictx, u32 ioas_id,
		const struct m_range *ranges, u32 nr)
{
	struct m_object *obj = model_get(ictx, ioas_id, M_IOAS);
	struct m_range sorted[MODEL_ALLOWED];
	u32 i, j;

	if (!obj)
		return -ENOENT;

	for (i = 0; i < nr; i++) {
		if (ranges[i].start >= ranges[i].last)
			return -EINVAL;
		for (j = i; j && sorted[j - 1].start > ranges[i].start; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = ranges[i];
		if ((j && sorted[j - 1].last >= sorted[j].start) ||
		    (j < i && sorted[j].last >= sorted[j + 1].start))
			return -EINVAL;
	}

	obj->ioas->nr_allowed = nr;
	memcpy(obj->ioas->allowed, sorted, nr * sizeof(*sorted));
	return 0;
}

int model_huge_pages(struct m_ictx *ictx, u32 ioas_id, u16 op,
		     u64 *value)
{
	struct m_object *obj = model_get(ictx, ioas_id, M_IOAS);
	struct m_ioas *ioas;

	if (!obj)
		return -ENOENT;
	ioas = obj->ioas;

	if (op == IOMMU_OPTION_OP_GET) {
		*value = !ioas->no_huge_pages;
		return 0;
	}
	if (op != IOMMU_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (*value > 1)
		return -EINVAL;

	if (!*value && !ioas->no_huge_pages) {
		if (ioas->nr_hwpts && ioas->nr_areas)
			return -EINVAL;
		if (!model_all_aligned(ioas, getpagesize()))
			return -EADDRINUSE;
	}
	ioas->no_huge_pages = !*value;

	return 0;
}

/* Only memory of files can be charged to somebody else */
int model_change_process(struct m_ictx *ictx)
{
	u32 id, i;

	for (id = 1; id < MODEL_IDS; id++) {
		struct m_object *obj = model_get(ictx, id, M_IOAS);

		for (i = 0; obj && i < obj->ioas->nr_areas; i++) {
			if (!obj->ioas->areas[i].src.file)
				return -EINVAL;
		}
	}

	return 0;
}

/*
 * HWPTs and devices
 */

/* Can what is mapped be pinned for a new HWPT? */
static int model_add_domain(const struct m_ioas *ioas)
{
	const u64 align = model_align(ioas);
	int ret;
	u32 i;

	if (align < MODEL_DOMAIN_ALIGN &&
	    !model_all_aligned(ioas, MODEL_DOMAIN_ALIGN))
		return -EADDRINUSE;

	for (i = 0; i < ioas->nr_areas; i++) {
		ret = source_pin(&ioas->areas[i].src, ioas->areas[i].length);
		if (ret)
			return ret;
	}

	return 0;
}

static int model_hwpt_new(struct m_ictx *ictx, struct m_ioas *ioas, u32 *id)
{
	int ret = model_add_domain(ioas);

	if (ret)
		return ret;

	model_new(ictx, M_HWPT, id)->ioas = ioas;
	ioas->nr_hwpts++;
	return 0;
}

int model_hwpt_alloc(struct m_ictx *ictx,
		     const struct m_hwpt_alloc *args, u32 *id)
{
	struct m_object *obj;

	if (args->reserved)
		return -EOPNOTSUPP;
	if (!args->data_type != !args->data_len)
		return -EINVAL;
	if (!model_get(ictx, args->dev_id, M_DEVICE))
		return -ENOENT;

	obj = model_get(ictx, args->pt_id, M_ANY);
	if (!obj || obj->type == M_DEVICE || obj->type == M_HELD)
		return -EINVAL;
	/* There is no IOMMU to offer anything, least of all nesting */
	if (obj->type == M_HWPT || args->flags || args->data_len)
		return -EOPNOTSUPP;

	return model_hwpt_new(ictx, obj->ioas, id);
}

int model_bind(struct m_device *dev, struct m_ictx *ictx, u32 *id)
{
	if (dev->shared->busy)
		return -EINVAL;

	model_new(ictx, M_DEVICE, id);
	dev->shared->busy = true;
	dev->ictx = ictx;
	dev->dev_id = *id;
	dev->hwpt_id = 0;
	dev->by_pasid = false;
	dev->quarantine = false;
	ictx->users++;

	return 0;
}

/* Can it be bound with these flags? Otherwise it is not. */
int model_bind_check(struct m_device *dev, u32 flags)
{
	if (!dev->shared->held_ictx || (flags & (QUARANTINE | QUIET)) != QUARANTINE)
		return 0;

	model_device_close(dev);
	return -EBUSY;
}

void model_bind_flags(struct m_device *dev, u32 flags)
{
	if (flags & QUIET)
		model_release(dev->shared);
	dev->quarantine = flags & QUARANTINE;
}

static void model_hwpt_put(struct m_ictx *ictx, u32 hwpt_id)
{
	struct m_object *hwpt = &ictx->objects[hwpt_id];

	if (!--hwpt->nr_devices && hwpt->ioas->auto_hwpt == hwpt_id)
		model_hwpt_free(ictx, hwpt_id);
}

/* The HWPT that @pt_id stands for, made if need be */
static int model_resolve_pt(struct m_ictx *ictx, u32 pt_id, u32 *hwpt_id)
{
	struct m_object *obj = &ictx->objects[pt_id];
	int ret;

	*hwpt_id = pt_id;
	if (obj->type == M_HWPT)
		return 0;

	*hwpt_id = obj->ioas->auto_hwpt;
	if (*hwpt_id)
		return 0;

	ret = model_hwpt_new(ictx, obj->ioas, hwpt_id);
	if (!ret)
		obj->ioas->auto_hwpt = *hwpt_id;

	return ret;
}

int model_attach(struct m_device *dev, bool with_pasid, u32 pasid,
		 u32 *pt_id)
{
	struct m_ictx *ictx = dev->ictx;
	struct m_object *obj;
	u32 hwpt_id;
	int ret;

	if (with_pasid && pasid > INT32_MAX)
		return -ENOSPC;
	obj = model_get(ictx, *pt_id, M_ANY);
	if (!obj || obj->type == M_HELD)
		return -ENOENT;
	if (obj->type == M_DEVICE || (with_pasid && pasid))
		return -EINVAL;
	/* What one way has attached the other cannot replace */
	if (dev->hwpt_id && dev->by_pasid != with_pasid)
		return -EBUSY;

	ret = model_resolve_pt(ictx, *pt_id, &hwpt_id);
	if (ret)
		return ret;

	ictx->objects[hwpt_id].nr_devices++;
	if (dev->hwpt_id)
		model_hwpt_put(ictx, dev->hwpt_id);
	dev->hwpt_id = hwpt_id;
	dev->by_pasid = with_pasid;
	*pt_id = hwpt_id;

	return 0;
}

void model_detach(struct m_device *dev, bool by_pasid)
{
	if (!dev->hwpt_id || dev->by_pasid != by_pasid)
		return;

	model_hwpt_put(dev->ictx, dev->hwpt_id);
	dev->hwpt_id = 0;
}

static void model_unbind(struct m_ictx *ictx, u32 dev_id)
{
	ictx->objects[dev_id].type = M_NONE;
	model_ictx_put(ictx);
}

/* Is the device left as it is, with the memory that it can reach? */
static bool model_hold(struct m_device *dev)
{
	struct m_shared *shared = dev->shared;

	if (!dev->quarantine || !dev->hwpt_id || shared->resets ||
	    !dev->ictx->objects[dev->hwpt_id].ioas->nr_areas)
		return false;

	shared->held_ictx = dev->ictx;
	shared->held_dev_id = dev->dev_id;
	dev->ictx->objects[dev->dev_id].type = M_HELD;
	shared->held_hwpt_id = dev->hwpt_id;
	return true;
}

void model_release(struct m_shared *shared)
{
	struct m_ictx *ictx = shared->held_ictx;

	if (!ictx)
		return;

	shared->held_ictx = NULL;
	model_hwpt_put(ictx, shared->held_hwpt_id);
	model_unbind(ictx, shared->held_dev_id);
}

void model_device_close(struct m_device *dev)
{
	if (!dev->ictx)
		return;

	if (!model_hold(dev)) {
		model_detach(dev, dev->by_pasid);
		model_unbind(dev->ictx, dev->dev_id);
	}
	dev->ictx = NULL;
	dev->shared->busy = false;
}

/*
 * Lookup
 */

/* Add the extents of a part of an area. Returns false if there is no more room. */
static bool model_lookup_area(struct m_lookup *l, u32 max,
			      const struct source *src, u64 length)
{
	static u64 phys[MEM_PAGES];
	const u64 page_size = getpagesize();
	struct iommu_pa_extent *e;
	u64 offset = src->address % page_size;
	u64 i, run;

	source_phys(src, length, phys);

	for (i = 0; length; i++, offset = 0, length -= run) {
		run = min(length, page_size - offset);
		if (i && phys[i] == phys[i - 1] + page_size) {
			l->extents[l->nr - 1].length += run;
			l->length += run;
			continue;
		}
		if (l->nr == max)
			return false;

		e = &l->extents[l->nr++];
		e->phys = phys[i] + offset;
		e->length = run;
		l->length += run;
	}

	return true;
}

static int model_lookup_found(struct m_lookup *l, const struct m_area *areas,
			      int nr_areas)
{
	const bool has_array = l->nr;
	const u32 max = l->nr ?: 1;
	int i;

	l->length = 0;
	l->nr = 0;

	/* Without an array there is one extent, and it ends with its area */
	for (i = 0; i < (has_array ? nr_areas : 1); i++) {
		if (!model_lookup_area(l, max, &areas[i].src, areas[i].length))
			break;
	}

	l->phys = l->extents[0].phys;
	if (!has_array)
		l->nr = 0;

	return l->nr > l->writable ? -EFAULT : 0;
}

/* As model_collect(), up to the first hole */
static int model_collect_some(const struct m_ioas *ioas, u64 iova, u64 last,
			      struct m_area *areas)
{
	u32 i, nr = 0;

	for (i = model_find(ioas, iova); i < ioas->nr_areas; i++) {
		const struct m_area *area = &ioas->areas[i];

		if (area->iova > iova)
			break;

		areas[nr] = *area;
		areas[nr].src.address += iova - area->iova;
		areas[nr].length = min(last, model_area_last(area)) - iova + 1;
		nr++;
		if (model_area_last(area) >= last)
			break;
		iova = model_area_last(area) + 1;
	}

	return nr;
}

int model_lookup(struct m_ictx *ictx, u32 ioas_id, struct m_lookup *l)
{
	struct m_area areas[MODEL_AREAS];
	u64 last = l->iova + (l->length - 1);
	struct m_object *obj;
	int nr;

	if (l->iova == UINT64_MAX)
		return -EOVERFLOW;
	if (!l->length || last < l->iova)
		last = UINT64_MAX;
	obj = model_get(ictx, ioas_id, M_IOAS);
	if (!obj)
		return -ENOENT;
	if (l->by_device && !model_get(ictx, l->dev_id, M_DEVICE))
		return -ENOENT;

	nr = model_collect_some(obj->ioas, l->iova, last, areas);
	if (!nr)
		return -ENOENT;
	if (!obj->ioas->nr_hwpts)
		return -EOPNOTSUPP;

	return model_lookup_found(l, areas, nr);
}
