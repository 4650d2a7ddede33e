// SPDX-License-Identifier: GPL-2.0
/* What a driver asks while it is at work: no call here takes a lock. */
#include <assert.h>
#include <errno.h>

#include "internal.h"

static_assert(NO_ADDR == VFIODMA_NO_ADDR, "a lookup gives what the table has");

uint64_t vfiodma_addr(const struct vfiodma_ctx *ctx, const void *va)
{
	return table_get(&ctx->table, (uintptr_t)va);
}

static uint64_t end_of(const struct iovec *piece)
{
	return (uintptr_t)piece->iov_base + piece->iov_len;
}

ssize_t vfiodma_sg(const struct vfiodma_ctx *ctx, const void *va, size_t length,
		   struct iovec *pieces, size_t room)
{
	uint64_t at = (uintptr_t)va, addr, run;
	struct iovec piece = { 0 };
	size_t count = 0;

	for (; length; length -= run, at += run) {
		addr = table_get_run(&ctx->table, at, &run);
		if (addr == NO_ADDR)
			return -ENOENT;
		if (run > length)
			run = length;
		if (count && addr == end_of(&piece)) {
			piece.iov_len += run;
		} else {
			if (pieces && count == room)
				return -ENOSPC;
			piece.iov_base = (void *)(uintptr_t)addr;
			piece.iov_len = run;
			count++;
		}
		if (pieces)
			pieces[count - 1] = piece;
	}
	return count;
}
