// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's edu has a buffer of 4 KiB, a DMA engine that moves bytes between that and
 * RAM, and one MSI. So a memcpy takes two transfers, of 100 ms each.
 */
#include <stdlib.h>
#include <unistd.h>

#include <linux/errno.h>
#include <linux/io.h>
#include <linux/pci_regs.h>

#include <libvfio.h>

#include "registers.h"

/* Keeps the longest possible sequence of memcpys within some seconds */
#define EDU_MEMCPY_COUNT_MAX	32

struct edu_state {
	/* What edu_memcpy_start() was asked for */
	iova_t src;
	iova_t dst;
	u64 size;

	/* The number of transfers that the device has yet to finish */
	u64 transfers;
};

static inline struct edu_state *to_edu_state(struct vfio_pci_device *device)
{
	return device->driver.region.vaddr;
}

/*
 * The engine drops the bits of an address that the property dma_mask lacks, which
 * has 28 of them unless it is set: -device edu,dma_mask=0xffffffffffffffff. Without an
 * IOMMU it would then overwrite memory that is not the test's, and no register tells.
 * So whoever has set it has to say so.
 */
static int edu_probe(struct vfio_pci_device *device)
{
	if (!vfio_pci_device_match(device, EDU_VENDOR_ID, EDU_DEVICE_ID))
		return -EINVAL;

	return sysfs_has_iommu(device->bdf) || getenv(EDU_UNMASKED) ? 0 : -EINVAL;
}

static void edu_dma_wait(struct vfio_pci_device *device)
{
	void *bar0 = device->bars[0].vaddr;
	u32 attempts = 10000;

	while (readq(bar0 + EDU_DMA_CMD) & EDU_DMA_RUN) {
		VFIO_ASSERT_GT(--attempts, 0);
		usleep(1000);
	}
}

static void edu_init(struct vfio_pci_device *device)
{
	struct edu_state *edu = to_edu_state(device);

	VFIO_ASSERT_GE(device->driver.region.size, sizeof(*edu));

	/*
	 * A previous user may have left in the middle of a transfer, and there
	 * is no reset. Its memory is not its own any more, so let the transfer
	 * come to nothing before the device becomes a bus master again.
	 */
	vfio_pci_config_writew(device, PCI_COMMAND,
			       PCI_COMMAND_MEMORY |
			       PCI_COMMAND_INTX_DISABLE);
	edu_dma_wait(device);
	edu->transfers = 0;

	vfio_pci_config_writew(device, PCI_COMMAND,
			       PCI_COMMAND_MEMORY |
			       PCI_COMMAND_MASTER |
			       PCI_COMMAND_INTX_DISABLE);

	vfio_pci_msi_enable(device, 0, 1);

	device->driver.msi = 0;
	device->driver.max_memcpy_size = EDU_DMA_MAX;
	device->driver.max_memcpy_count = EDU_MEMCPY_COUNT_MAX;
}

static void edu_remove(struct vfio_pci_device *device)
{
	edu_dma_wait(device);
	vfio_pci_msi_disable(device);
}

/* Start the next transfer: into the device's buffer or, every other, out of it. */
static void edu_dma_start(struct vfio_pci_device *device)
{
	struct edu_state *edu = to_edu_state(device);
	void *bar0 = device->bars[0].vaddr;
	bool to_ram = edu->transfers % 2;

	writeq(to_ram ? EDU_BUF : edu->src, bar0 + EDU_DMA_SRC);
	writeq(to_ram ? edu->dst : EDU_BUF, bar0 + EDU_DMA_DST);
	writeq(edu->size, bar0 + EDU_DMA_COUNT);
	writeq(EDU_DMA_RUN | (to_ram ? EDU_DMA_TO_RAM : 0), bar0 + EDU_DMA_CMD);
}

static void edu_memcpy_start(struct vfio_pci_device *device,
			     iova_t src, iova_t dst, u64 size, u64 count)
{
	struct edu_state *edu = to_edu_state(device);

	edu->src = src;
	edu->dst = dst;
	edu->size = size;
	edu->transfers = 2 * count;

	if (count)
		edu_dma_start(device);
}

/*
 * The device has no queue, so all but the first transfer are started from here.
 * Nor does it report errors.
 */
static int edu_memcpy_wait(struct vfio_pci_device *device)
{
	struct edu_state *edu = to_edu_state(device);

	while (edu->transfers) {
		edu_dma_wait(device);
		if (--edu->transfers)
			edu_dma_start(device);
	}

	return 0;
}

static void edu_send_msi(struct vfio_pci_device *device)
{
	void *bar0 = device->bars[0].vaddr;

	writel(EDU_IRQ_FACTORIAL, bar0 + EDU_IRQ_RAISE);
	writel(EDU_IRQ_FACTORIAL, bar0 + EDU_IRQ_ACK);
}

const struct vfio_pci_driver_ops edu_ops = {
	.name = "edu",
	.probe = edu_probe,
	.init = edu_init,
	.remove = edu_remove,
	.memcpy_start = edu_memcpy_start,
	.memcpy_wait = edu_memcpy_wait,
	.send_msi = edu_send_msi,
};
