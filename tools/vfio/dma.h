/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The order in which a device and this process see what the other has written:
 * registers, and memory that both use. For the library and the examples.
 */
#ifndef DMA_H
#define DMA_H

#include <endian.h>
#include <stdbool.h>
#include <linux/types.h>

/* What can be assumed of a device where the kernel does not say it */
#ifdef __x86_64__
#define DMA_COHERENT_UNLESS_KNOWN	true
#else
#define DMA_COHERENT_UNLESS_KNOWN	false
#endif

/*
 * A device is another observer of memory, and the CPU may let it see loads and
 * stores in another order than the program's. x86 does not, as far as a driver
 * can tell: there it is enough to hold the compiler back. arm64 does, and to a
 * device the barriers between CPUs (dmb ish) do not apply: it takes the outer
 * shareable ones. On riscv they have to name device input and output.
 */
#if defined(__x86_64__)
static inline void dma_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void dma_read_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
#elif defined(__aarch64__)
static inline void dma_barrier(void)
{
	__asm__ __volatile__("dmb osh" : : : "memory");
}

static inline void dma_read_barrier(void)
{
	__asm__ __volatile__("dmb oshld" : : : "memory");
}
#elif defined(__riscv)
static inline void dma_barrier(void)
{
	__asm__ __volatile__("fence iorw, iorw" : : : "memory");
}

static inline void dma_read_barrier(void)
{
	__asm__ __volatile__("fence ir, iorw" : : : "memory");
}
#else
/* The full barrier between CPUs: check whether it orders accesses of devices. */
static inline void dma_barrier(void)
{
	__sync_synchronize();
}

static inline void dma_read_barrier(void)
{
	__sync_synchronize();
}
#endif

/*
 * Loads what the device may change. The load is one access, and a new one each
 * time: without the barrier, the compiler could use what a loop has loaded before.
 */
#define READ_ONCE(x)					\
	(__atomic_signal_fence(__ATOMIC_SEQ_CST),	\
	 __atomic_load_n(&(x), __ATOMIC_RELAXED))

static inline __u32 mmio_read32(const void *addr)
{
	return le32toh(READ_ONCE(*(const __u32 *)addr));
}

/*
 * Whatever was loaded or stored before is done when the device sees this: a
 * command is in its queue before the doorbell rings for it, and a completion
 * has been read before its entry is given back.
 */
static inline void mmio_write32(void *addr, __u32 value)
{
	dma_barrier();
	__atomic_store_n((__u32 *)addr, htole32(value), __ATOMIC_RELAXED);
}

#endif /* DMA_H */
