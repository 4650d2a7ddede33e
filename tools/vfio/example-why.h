/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an errno of libvfiodma is likely to mean on this machine, and what to do
 * about it. Each says so on standard error, and returns the errno, negative.
 */
#ifndef EXAMPLE_WHY_H
#define EXAMPLE_WHY_H

#include <stddef.h>

#include "vfiodma.h"

int why_no_context(int err);
int why_no_device(int err, const char *bdf);
int why_no_memory(int err, size_t size, enum vfiodma_memory kind);

#endif /* EXAMPLE_WHY_H */
