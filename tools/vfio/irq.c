// SPDX-License-Identifier: GPL-2.0
/* Interrupts: each adds one to an eventfd */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "internal.h"

static int set_irqs(struct vfiodma_device *dev, struct vfio_irq_set *set)
{
	int ret = ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set);

	if (ret < 0)
		return -errno;
	/* So many vectors could be had, and none of them is on. */
	return ret ? -ENOSPC : 0;
}

/* Without an eventfd for each: of all vectors, for a count of 0 */
static int set_plain(struct vfiodma_device *dev, unsigned int index,
		     unsigned int action, unsigned int count)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | action,
		.index = index,
		.count = count,
	};

	return set_irqs(dev, &set);
}

int irq_set(struct vfiodma_device *dev, unsigned int index, unsigned int first,
	    unsigned int count, const int *eventfds)
{
	size_t data = count * sizeof(int32_t);
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + data);
	int err;

	if (!set)
		return -ENOMEM;
	set->argsz = sizeof(*set) + data;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->start = first;
	set->count = count;
	memcpy(set->data, eventfds, data);
	err = set_irqs(dev, set);
	free(set);
	return err;
}

int vfiodma_irq_count(struct vfiodma_device *dev, enum vfiodma_irq irq)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = irq };

	if ((unsigned int)irq > VFIODMA_MSIX)
		return -EINVAL;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &info))
		return -errno;
	return info.count;
}

/* An INTx that the command register holds off does not reach anybody. */
static int hold_intx(struct vfiodma_device *dev, bool hold)
{
	return region_set_command(dev, hold ? 0 : PCI_COMMAND_INTX_DISABLE,
				  hold ? PCI_COMMAND_INTX_DISABLE : 0);
}

static void note_irqs(struct vfiodma_device *dev, enum vfiodma_irq irq, bool on)
{
	pthread_mutex_lock(&dev->lock);
	if (on)
		dev->irqs |= 1u << irq;
	else
		dev->irqs &= ~(1u << irq);
	pthread_mutex_unlock(&dev->lock);
}

static bool has_irqs(struct vfiodma_device *dev, enum vfiodma_irq irq)
{
	bool on;

	pthread_mutex_lock(&dev->lock);
	on = dev->irqs & 1u << irq;
	pthread_mutex_unlock(&dev->lock);
	return on;
}

int vfiodma_irq_set(struct vfiodma_device *dev, enum vfiodma_irq irq,
		    unsigned int first, unsigned int count, const int *eventfds)
{
	int most = vfiodma_irq_count(dev, irq), err;

	if (most < 0)
		return most;
	if (!count || first >= (unsigned int)most ||
	    count > (unsigned int)most - first)
		return -EINVAL;
	err = irq_set(dev, irq, first, count, eventfds);
	if (err)
		return err;
	note_irqs(dev, irq, true);
	return irq == VFIODMA_INTX ? hold_intx(dev, false) : 0;
}

int vfiodma_irq_unmask(struct vfiodma_device *dev)
{
	return set_plain(dev, VFIO_PCI_INTX_IRQ_INDEX,
			 VFIO_IRQ_SET_ACTION_UNMASK, 1);
}

int vfiodma_irq_disable(struct vfiodma_device *dev, enum vfiodma_irq irq)
{
	int count = vfiodma_irq_count(dev, irq), err;

	if (count <= 0)
		return count < 0 ? count : -EINVAL;
	if (!has_irqs(dev, irq))
		return 0;
	if (irq == VFIODMA_INTX)
		hold_intx(dev, true);
	err = set_plain(dev, irq, VFIO_IRQ_SET_ACTION_TRIGGER, 0);
	if (!err)
		note_irqs(dev, irq, false);
	return err;
}
