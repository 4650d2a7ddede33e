// SPDX-License-Identifier: GPL-2.0-only
/* One lookup of a page after the other, while the host writes down each instruction */
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"

#define BUFFER		MIB(16UL)
#define CALLS		30000UL

/* The host looks for it once a second. */
static void request(const char *line, size_t length)
{
	int fd = open("/dev/ttyS2", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, length) != (ssize_t)length)
		die_errno("write to /dev/ttyS2");
	close(fd);
}

void profile(struct device *dev)
{
	static const char trace[] = "trace\n";
	struct buffer buf;
	struct get_pa get;
	size_t i;

	buffer_alloc(&buf, SCATTERED, BUFFER);
	map(dev, &buf, buf.size);
	request(trace, sizeof(trace) - 1);
	for (i = 0; i < CALLS; i++) {
		get = (struct get_pa){
			.size = GET_PA_SIZE,
			.ioas_id = dev->ioas_id,
			.iova = dev->iova + i * 13 % (BUFFER / PAGE) * PAGE,
			.length = PAGE,
		};
		look_up(dev, &get);
	}
	report(CALLS, "profile/calls");
	unmap(dev, buf.size);
	buffer_free(&buf);
}
