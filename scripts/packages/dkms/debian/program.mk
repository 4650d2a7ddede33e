# SPDX-License-Identifier: GPL-2.0-only
# The userspace driver, with the headers of the package
include Build

CFLAGS += -O2 -Wall -D_GNU_SOURCE -I/usr/include/vfio-noiommu

noiommu-nvme: $(noiommu-nvme-y:.o=.c) $(wildcard *.h)
	$(CC) $(CFLAGS) -o $@ $(filter %.c,$^)
