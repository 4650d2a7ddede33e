// SPDX-License-Identifier: GPL-2.0
/* Opening a device, and what it may do on the bus */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "internal.h"

/*
 * Until it is bound to an iommufd, a cdev answers to no other ioctl. EINVAL: it is
 * bound, by this file or another; EBUSY: its group is in use.
 */
static int bind_device(struct vfiodma_device *dev)
{
	struct abi_device_bind bind = {
		.argsz = sizeof(bind),
		.iommufd = dev->ctx->iommufd,
	};

	if (ioctl(dev->fd, ABI_DEVICE_BIND, &bind))
		return errno == EINVAL ? -EBUSY : -errno;
	dev->id = bind.out_devid;
	return 0;
}

/*
 * EADDRINUSE: the device has no such IOVAs as something is mapped at. EINVAL: an
 * IOMMU takes no memory of a heap, and there is some, or it cannot be used at all.
 */
static int attach_error(const struct vfiodma_device *dev)
{
	if (errno == EADDRINUSE ||
	    (errno == EINVAL && dev->has_iommu && dev->ctx->mappings))
		return -EADDRNOTAVAIL;
	return -errno;
}

static int attach(struct vfiodma_device *dev)
{
	struct abi_device_attach attach = {
		.argsz = sizeof(attach),
		.pt_id = dev->ctx->ioas_id,
	};

	if (ioctl(dev->fd, ABI_DEVICE_ATTACH, &attach))
		return attach_error(dev);
	dev->attached = true;
	return 0;
}

static void detach(struct vfiodma_device *dev)
{
	struct abi_device_detach detach = { .argsz = sizeof(detach) };

	/* That the device is gone is no reason to keep the file. */
	if (dev->attached)
		ioctl(dev->fd, ABI_DEVICE_DETACH, &detach);
	dev->attached = false;
}

/*
 * INTx stays off until it is asked for: the line may be shared with devices of the
 * kernel's, and nobody would answer an interrupt.
 */
static int take_off_bus(struct vfiodma_device *dev)
{
	return region_set_command(dev, PCI_COMMAND_MASTER,
				  PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
}

static int listen_request(struct vfiodma_device *dev)
{
	dev->request = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->request < 0)
		return -errno;
	return irq_set(dev, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &dev->request);
}

/*
 * An earlier driver may have left the device at work: it must not master the bus
 * before it was reset. A reset restores the command register.
 */
static int start(struct vfiodma_device *dev, unsigned int flags)
{
	int err;

	err = take_off_bus(dev);
	if (!err)
		err = listen_request(dev);
	if (!err && !(flags & VFIODMA_NO_RESET) && vfiodma_device_has_reset(dev))
		err = vfiodma_device_reset(dev);
	return err;
}

static int enter(struct vfiodma_device *dev)
{
	struct vfiodma_ctx *ctx = dev->ctx;
	int err = -EXDEV;

	ctx_lock(ctx);
	if (map_accepts(ctx, dev))
		err = attach(dev);
	if (!err)
		err = map_enter(ctx, dev);
	if (err)
		detach(dev);
	ctx_unlock(ctx);
	return err;
}

/*
 * Detaching unpins the memory. Of a device that could not be stopped that is left to
 * the kernel, which stops it as its file is closed.
 */
static void leave(struct vfiodma_device *dev, bool stopped)
{
	struct vfiodma_ctx *ctx = dev->ctx;

	ctx_lock(ctx);
	map_leave(ctx, dev);
	if (stopped)
		detach(dev);
	ctx_unlock(ctx);
}

/*
 * Gives everything back, however far it was opened. Before it is attached, the device
 * may be at work for somebody else, or none whose registers are known.
 */
static void discard(struct vfiodma_device *dev)
{
	if (dev->attached)
		leave(dev, !take_off_bus(dev));
	region_unmap_all(dev);
	close(dev->fd);
	if (dev->request >= 0)
		close(dev->request);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}

/* Takes the descriptor over, whatever comes of it. */
static int open_device(struct vfiodma_ctx *ctx, int fd, unsigned int flags,
		       struct vfiodma_device **dev_out)
{
	struct vfiodma_device *dev = calloc(1, sizeof(*dev));
	int err;

	if (!dev) {
		close(fd);
		return -ENOMEM;
	}
	dev->ctx = ctx;
	dev->fd = fd;
	dev->request = -1;
	pthread_mutex_init(&dev->lock, NULL);
	err = sysfs_check_node(fd, &dev->has_iommu);
	if (!err)
		err = bind_device(dev);
	if (!err)
		err = reach_read(dev);
	if (!err)
		err = enter(dev);
	if (!err)
		err = start(dev, flags);
	if (err)
		discard(dev);
	else
		*dev_out = dev;
	return err;
}

int vfiodma_device_open(struct vfiodma_ctx *ctx, const char *bdf,
			unsigned int flags, struct vfiodma_device **dev_out)
{
	char path[PATH_MAX];
	int fd, err;

	if (flags & ~VFIODMA_NO_RESET)
		return -EINVAL;
	err = sysfs_find_node(bdf, path, sizeof(path));
	if (err)
		return err;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return open_device(ctx, fd, flags, dev_out);
}

int vfiodma_device_open_fd(struct vfiodma_ctx *ctx, int fd, unsigned int flags,
			   struct vfiodma_device **dev_out)
{
	int copy;

	if (flags & ~VFIODMA_NO_RESET)
		return -EINVAL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? -errno : open_device(ctx, copy, flags, dev_out);
}

void vfiodma_device_close(struct vfiodma_device *dev)
{
	if (dev)
		discard(dev);
}

int vfiodma_device_fd(const struct vfiodma_device *dev)
{
	return dev->fd;
}

bool vfiodma_device_has_iommu(const struct vfiodma_device *dev)
{
	return dev->has_iommu;
}

bool vfiodma_device_has_reset(const struct vfiodma_device *dev)
{
	return dev->flags & VFIO_DEVICE_FLAGS_RESET;
}

int vfiodma_device_reset(struct vfiodma_device *dev)
{
	int err;

	if (!vfiodma_device_has_reset(dev))
		return -EOPNOTSUPP;
	err = region_set_command(dev, PCI_COMMAND_MASTER, PCI_COMMAND_MEMORY);
	if (!err && ioctl(dev->fd, VFIO_DEVICE_RESET))
		err = -errno;
	return err;
}

int vfiodma_device_set_master(struct vfiodma_device *dev, bool on)
{
	return region_set_command(dev, on ? 0 : PCI_COMMAND_MASTER,
				  PCI_COMMAND_MEMORY |
				  (on ? PCI_COMMAND_MASTER : 0));
}

int vfiodma_device_request_fd(const struct vfiodma_device *dev)
{
	return dev->request;
}

bool vfiodma_device_requested(const struct vfiodma_device *dev)
{
	struct pollfd request = { .fd = dev->request, .events = POLLIN };

	return poll(&request, 1, 0) > 0;
}
