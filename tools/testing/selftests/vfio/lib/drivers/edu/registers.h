/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VFIO_LIB_DRIVERS_EDU_REGISTERS_H
#define SELFTESTS_VFIO_LIB_DRIVERS_EDU_REGISTERS_H

/* See docs/specs/edu in QEMU. All registers are in BAR 0. */

#define EDU_VENDOR_ID		0x1234
#define EDU_DEVICE_ID		0x11e8

/* In the environment: the engine of every edu reaches all of memory, see edu_probe() */
#define EDU_UNMASKED		"VFIO_SELFTESTS_EDU_UNMASKED"

#define EDU_IRQ_FACTORIAL	0x001
#define EDU_IRQ_RAISE		0x60
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define   EDU_DMA_RUN		0x1
#define   EDU_DMA_TO_RAM	0x2
#define   EDU_DMA_IRQ		0x4

/* Where the DMA engine sees the device's own buffer */
#define EDU_BUF			0x40000

/*
 * The buffer has 4096 bytes, but a transfer that reaches its last byte is out
 * of bounds to some versions of QEMU, which then exit.
 */
#define EDU_DMA_MAX		4095

#endif /* SELFTESTS_VFIO_LIB_DRIVERS_EDU_REGISTERS_H */
