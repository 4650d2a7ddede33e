# SPDX-License-Identifier: GPL-2.0
LIBVFIO_SRCDIR := $(selfdir)/vfio/lib

LIBVFIO_C := libvfio.c
LIBVFIO_C += noiommu.c
LIBVFIO_C += drivers/edu/edu.c

LIBVFIO_OUTPUT := $(OUTPUT)/libvfio
LIBVFIO_O := $(patsubst %.c, $(LIBVFIO_OUTPUT)/%.o, $(LIBVFIO_C))
LIBVFIO_O_DIRS := $(sort $(patsubst %/, %, $(dir $(LIBVFIO_O))))

$(LIBVFIO_O_DIRS):
	mkdir -p $@

CFLAGS += -I$(LIBVFIO_SRCDIR)/include

$(LIBVFIO_O): $(LIBVFIO_OUTPUT)/%.o: $(LIBVFIO_SRCDIR)/%.c | $(LIBVFIO_O_DIRS)
	$(CC) $(CFLAGS) $(CPPFLAGS) $(TARGET_ARCH) -c $< -o $@

EXTRA_CLEAN += $(LIBVFIO_OUTPUT)
