// SPDX-License-Identifier: GPL-2.0-only
/* A lookup in libvfiodma's table: no call of the kernel */
#include <unistd.h>

#include "bench.h"
#include "vfiodma.h"

#define LOOKUPS		8192
#define REPEATS		5
#define NOTHING		2	/* instructions */

/* What is compared with: a function of the same kind, of two instructions */
__u64 nothing(const struct vfiodma_ctx *ctx, const void *va);

__asm__(".text\n"
	"nothing:\n"
	"	mov %rsi, %rax\n"
	"	ret\n");

typedef __u64 (*lookup)(const struct vfiodma_ctx *ctx, const void *va);

static __u64 call_all(struct vfiodma_ctx *ctx, const struct buffer *buf,
		      lookup look_up)
{
	volatile lookup call = look_up;
	__u64 best = ~0ULL, start, sum;
	size_t page, i;
	int repeat;

	for (repeat = 0; repeat < REPEATS; repeat++) {
		page = sum = 0;
		start = now();
		for (i = 0; i < LOOKUPS; i++) {
			sum += call(ctx, buf->va + page);
			page = (page + 13 * PAGE) % buf->size;
		}
		least(&best, since(start));
		__asm__ volatile("" : : "r" (sum));
	}
	return best;
}

static void check(struct vfiodma_ctx *ctx, const struct buffer *buf)
{
	size_t page;

	for (page = 0; page < buf->size; page += PAGE)
		if (vfiodma_addr(ctx, buf->va + page) !=
		    pagemap_address(buf->va + page))
			die("the library is wrong about a page");
}

/* From the first instruction of vfiodma_addr() through its return, rounded */
static void measure(struct vfiodma_ctx *ctx, enum kind kind, size_t size)
{
	__u64 with, without;
	struct buffer buf;

	if (!buffer_alloc(&buf, kind, size)) {
		report_none("lookup/%s", kind_names[kind]);
		return;
	}
	if (vfiodma_map(ctx, buf.va, size, 0, NULL, NULL))
		die("vfiodma_map failed");
	check(ctx, &buf);
	without = call_all(ctx, &buf, nothing);
	with = call_all(ctx, &buf, vfiodma_addr);
	report(NOTHING + (with - without + LOOKUPS / 2) / LOOKUPS,
	       "lookup/%s", kind_names[kind]);
	vfiodma_unmap(ctx, buf.va);
	buffer_free(&buf);
}

void cost_of_library(const char *bdf)
{
	struct vfiodma_device *dev;
	struct vfiodma_ctx *ctx;

	if (vfiodma_ctx_create(&ctx) || vfiodma_device_open(ctx, bdf, 0, &dev))
		die("libvfiodma does not open %s", bdf);
	measure(ctx, SCATTERED, MIB(16UL));
	measure(ctx, HUGETLB_2M, MIB(64UL));
	vfiodma_device_close(dev);
	vfiodma_ctx_destroy(ctx);
}
