// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench cost [MIB]	counts instructions; buffers of up to so many MiB (1024)
 * bench parallel	lookups a second
 * bench profile	calls for the host to follow, instruction by instruction
 *
 * $EDU is the PCI address of a device that is bound to vfio-pci. Prints a line
 * for each figure: its name, and a number or "none".
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* Init names one device or more; the first will do. */
static const char *first_device(void)
{
	char *list = getenv("EDU");
	const char *bdf = list ? strtok(list, " ") : NULL;

	if (!bdf)
		die("$EDU names no device");
	return bdf;
}

int main(int argc, char **argv)
{
	const char *bdf = first_device();
	size_t largest = LARGEST;
	struct device dev;

	if (argc > 2)
		largest = MIB(strtoul(argv[2], NULL, 0));
	if (argc < 2 || argc > 3 || largest < SMALLEST || largest > LARGEST)
		die("usage: bench cost [MIB] | bench parallel | bench profile");

	count_init();
	device_find(&dev, bdf);
	if (!strcmp(argv[1], "parallel")) {
		device_start(&dev);
		parallel(&dev);
	} else if (!strcmp(argv[1], "profile")) {
		device_start(&dev);
		profile(&dev);
	} else {
		first_dma(bdf);
		cost_of_library(bdf);
		device_start(&dev);
		cost_of_calls(&dev);
		cost_of_buffers(&dev, largest);
	}
	device_close(&dev);
	return 0;
}
