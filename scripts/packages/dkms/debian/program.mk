# SPDX-License-Identifier: GPL-2.0-only
# The userspace driver and its library, with the headers of the package
include Build

CFLAGS += -O2 -Wall -D_GNU_SOURCE -I/usr/include/vfio-noiommu

objects := $(noiommu-nvme-y) $(example-y) $(libvfiodma-y)

noiommu-nvme: $(objects:.o=.c) $(wildcard *.h)
	$(CC) $(CFLAGS) -pthread -o $@ $(filter %.c,$^)
