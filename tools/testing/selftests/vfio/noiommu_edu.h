/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_NOIOMMU_EDU_H
#define SELFTESTS_VFIO_NOIOMMU_EDU_H

/*
 * QEMU's edu, a PCI device for teaching (docs/specs/edu in QEMU). It has a
 * buffer of 4 KiB, a DMA engine that moves bytes between that and RAM, and an
 * MSI. A transfer takes 100 ms. The address it is given is the address that it
 * puts on the bus, if its property dma_mask is wide enough, which is 28 bits
 * unless said otherwise:
 *
 *    -device edu,dma_mask=0xffffffffffffffff
 */

#include <poll.h>
#include <unistd.h>

#include <linux/io.h>
#include <linux/pci_regs.h>
#include <linux/types.h>

#include <libvfio.h>

#define EDU_VENDOR_ID		0x1234
#define EDU_DEVICE_ID		0x11e8

#define EDU_ID			0x00
#define   EDU_ID_MASK		0xffff
#define   EDU_ID_VALUE		0x00ed
#define EDU_FACTORIAL		0x08
#define EDU_STATUS		0x20
#define   EDU_STATUS_COMPUTING	0x01
#define   EDU_STATUS_IRQ	0x80
#define EDU_IRQ_STATUS		0x24
#define   EDU_IRQ_FACTORIAL	0x001
#define   EDU_IRQ_DMA		0x100
#define EDU_IRQ_RAISE		0x60
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define   EDU_DMA_RUN		0x1
#define   EDU_DMA_TO_RAM	0x2
#define   EDU_DMA_IRQ		0x4

#define EDU_BUF			0x40000

/*
 * The buffer has 4096 bytes, but a transfer that reaches its last byte is out
 * of bounds to some versions of QEMU, which then exit.
 */
#define EDU_DMA_MAX		4095

static inline void *edu_bar(struct vfio_pci_device *device)
{
	VFIO_ASSERT_NOT_NULL(device->bars[0].vaddr);
	return device->bars[0].vaddr;
}

/* Make the device ready for DMA. */
static inline void edu_init(struct vfio_pci_device *device)
{
	u16 command;

	VFIO_ASSERT_TRUE(vfio_pci_device_match(device, EDU_VENDOR_ID,
					       EDU_DEVICE_ID));

	command = vfio_pci_config_readw(device, PCI_COMMAND);
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	vfio_pci_config_writew(device, PCI_COMMAND, command);

	VFIO_ASSERT_EQ(readl(edu_bar(device) + EDU_ID) & EDU_ID_MASK,
		       EDU_ID_VALUE);
}

static inline void edu_dma_start(struct vfio_pci_device *device, u64 src,
				 u64 dst, u64 count, u32 flags)
{
	void *bar = edu_bar(device);

	VFIO_ASSERT_LE(count, EDU_DMA_MAX);
	VFIO_ASSERT_EQ(readq(bar + EDU_DMA_CMD) & EDU_DMA_RUN, 0);

	writeq(src, bar + EDU_DMA_SRC);
	writeq(dst, bar + EDU_DMA_DST);
	writeq(count, bar + EDU_DMA_COUNT);
	writeq(EDU_DMA_RUN | flags, bar + EDU_DMA_CMD);
}

static inline void edu_dma_wait(struct vfio_pci_device *device)
{
	int ms;

	for (ms = 0; ms < 10000; ms++) {
		if (!(readq(edu_bar(device) + EDU_DMA_CMD) & EDU_DMA_RUN))
			return;
		usleep(1000);
	}

	VFIO_FAIL("The DMA engine of edu does not finish\n");
}

/* Move @count bytes in RAM from physical address @src to @dst */
static inline void edu_copy(struct vfio_pci_device *device, u64 src, u64 dst,
			    u64 count)
{
	edu_dma_start(device, src, EDU_BUF, count, 0);
	edu_dma_wait(device);
	edu_dma_start(device, EDU_BUF, dst, count, EDU_DMA_TO_RAM);
	edu_dma_wait(device);
}

/*
 * Wait for the first MSI, take it and acknowledge it to the device. Returns the
 * reasons that the device gives for it.
 */
static inline u32 edu_irq_wait(struct vfio_pci_device *device)
{
	struct pollfd pfd = {
		.fd = device->msi_eventfds[0],
		.events = POLLIN,
	};
	u64 nr = 0;
	u32 status;

	VFIO_ASSERT_EQ(poll(&pfd, 1, 10000), 1, "No interrupt from edu\n");
	VFIO_ASSERT_EQ(read(pfd.fd, &nr, sizeof(nr)), (ssize_t)sizeof(nr));
	VFIO_ASSERT_EQ(nr, 1);

	status = readl(edu_bar(device) + EDU_IRQ_STATUS);
	writel(status, edu_bar(device) + EDU_IRQ_ACK);

	return status;
}

#endif /* SELFTESTS_VFIO_NOIOMMU_EDU_H */
