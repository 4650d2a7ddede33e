/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_PAGEMAP_H
#define SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

/*
 * Physical address of the page behind each of the @npages pages that start at
 * @vaddr. All of them must be present; reading their addresses takes
 * CAP_SYS_ADMIN.
 */
void pagemap_read(const void *vaddr, size_t npages, u64 *phys);

/* Is there a page behind @vaddr at present? */
bool pagemap_present(const void *vaddr);

#endif /* SELFTESTS_VFIO_LIB_INCLUDE_LIBVFIO_PAGEMAP_H */
