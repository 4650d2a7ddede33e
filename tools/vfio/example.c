// SPDX-License-Identifier: GPL-2.0
/* What the example programs have in common: libvfiodma, and words for its errors */
/* For program_invocation_short_name, however this is compiled */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include "dma.h"
#include "example.h"
#include "example-why.h"

bool verbose;

static void say(const char *fmt, va_list args)
{
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, args);
}

/* What failed, and why: for calls that leave a reason in errno. */
int fail(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	return -err;
}

/* The same for what we find out ourselves: the text has the reason. */
int refuse(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return -err;
}

void note(const char *fmt, ...)
{
	va_list args;

	if (!verbose)
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Digits and what must follow them: no sign, blank or 0x, as scanf() takes. */
static bool parse_hex(const char **text, char end, unsigned int max,
		      unsigned int *value)
{
	size_t digits = strspn(*text, "0123456789abcdefABCDEF");

	if (!digits || digits > 8 || (*text)[digits] != end)
		return false;
	*value = strtoul(*text, NULL, 16);
	*text += digits + 1;
	return *value <= max;
}

int example_parse_number(const char *text, __u64 min, __u64 max, __u64 *number)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	/* It takes "-1" for a very large number. */
	if (*text < '0' || *text > '9' || errno || *end || value < min ||
	    value > max)
		return refuse(EINVAL, "%s: not a number from %llu to %llu",
			      text, (unsigned long long)min,
			      (unsigned long long)max);
	*number = value;
	return 0;
}

/* Brings "00:04.0" and the like into the form that sysfs uses. */
int example_parse_bdf(const char *text, char *bdf)
{
	unsigned int domain = 0, bus, slot, function;

	if (strchr(text, ':') != strrchr(text, ':') &&
	    !parse_hex(&text, ':', ~0u, &domain))
		return -EINVAL;
	if (!parse_hex(&text, ':', 0xff, &bus) ||
	    !parse_hex(&text, '.', 0x1f, &slot) ||
	    !parse_hex(&text, '\0', 7, &function))
		return -EINVAL;
	snprintf(bdf, BDF_SIZE, "%04x:%02x:%02x.%u", domain, bus, slot,
		 function);
	return 0;
}

/*
 * Which class of device this is, as sysfs has it: base class, sub-class and
 * programming interface, eight bits each. It can be read before anything is done
 * to the device.
 */
int example_pci_class(const char *bdf, unsigned int *pci_class)
{
	char path[PATH_MAX];
	FILE *file;
	int found;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", bdf);
	file = fopen(path, "r");
	if (!file && errno == ENOENT)
		return refuse(ENODEV, "%s: there is no such PCI device", bdf);
	if (!file)
		return fail(errno, "open %s", path);
	found = fscanf(file, "%x", pci_class);
	fclose(file);
	if (found != 1)
		return refuse(EIO, "%s: does not read as a number", path);
	return 0;
}

int example_create(struct vfiodma_ctx **ctx)
{
	int err = vfiodma_ctx_create(ctx);

	return err ? why_no_context(-err) : 0;
}

/* Only a device without an IOMMU is limited in what it reaches, or not coherent. */
static int check_dma(struct device *dev)
{
	struct vfiodma_dma_info info = { .size = sizeof(info) };
	int err = vfiodma_device_dma_info(dev->vfio, &info);

	if (!err)
		note("%s: %scoherent, addresses %s the CPU's, up to %#llx%s",
		     dev->bdf, info.coherent ? "" : "not ",
		     info.translated ? "unlike" : "as",
		     (unsigned long long)info.last_addr,
		     info.encrypted ? ", memory is encrypted" : "");
	dev->coherent = err ? DMA_COHERENT_UNLESS_KNOWN : info.coherent;
	err = vfiodma_sync_for_cpu(dev->vfio, NULL, 0);
	return err ? refuse(-err,
			    "%s: is not known to be coherent with the CPU's caches, which a program can do nothing about on this architecture",
			    dev->bdf) : 0;
}

int example_open(struct device *dev, struct vfiodma_ctx *ctx, const char *bdf)
{
	int err;

	*dev = (struct device) { .ctx = ctx };
	snprintf(dev->bdf, sizeof(dev->bdf), "%s", bdf);
	err = vfiodma_device_open(ctx, bdf, 0, &dev->vfio);
	if (err)
		return why_no_device(-err, bdf);
	note("%s: %s an IOMMU%s", bdf,
	     vfiodma_device_has_iommu(dev->vfio) ? "behind" : "without",
	     vfiodma_device_has_reset(dev->vfio) ? "" : ", has no reset");
	err = check_dma(dev);
	if (err)
		vfiodma_device_close(dev->vfio);
	return err;
}

/*
 * Whoever unbinds or removes the device waits until it is closed. A driver has to
 * look now and then whether somebody does, and then stop and close it.
 */
int example_check_request(struct device *dev)
{
	if (!vfiodma_device_requested(dev->vfio))
		return 0;
	return refuse(ECANCELED,
		      "%s: let go, as it is being unbound from vfio-pci or removed",
		      dev->bdf);
}

int example_set_master(struct device *dev, bool on)
{
	int err = vfiodma_device_set_master(dev->vfio, on);

	return err ? fail(-err, "%s: turn bus mastering %s", dev->bdf,
			  on ? "on" : "off") : 0;
}

int example_map_bar(struct device *dev, unsigned int bar, void **regs,
		    size_t *size)
{
	int err = vfiodma_region_map(dev->vfio, bar, regs, size);

	return err ? fail(-err, "%s: map BAR%u", dev->bdf, bar) : 0;
}

/* Each interrupt of MSI-X vector 0 will add one to an eventfd. */
int example_enable_msix(struct device *dev, int *eventfd_out)
{
	int event, err;

	if (!vfiodma_irq_count(dev->vfio, VFIODMA_MSIX))
		return refuse(ENODEV, "%s: has no MSI-X, and can only be polled",
			      dev->bdf);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return fail(errno, "eventfd");
	err = vfiodma_irq_set(dev->vfio, VFIODMA_MSIX, 0, 1, &event);
	if (err) {
		close(event);
		return fail(-err, "%s: turn MSI-X on", dev->bdf);
	}
	*eventfd_out = event;
	return 0;
}

void example_disable_msix(struct device *dev, int eventfd)
{
	int err = vfiodma_irq_disable(dev->vfio, VFIODMA_MSIX);

	if (err)
		fail(-err, "%s: turn MSI-X off", dev->bdf);
	close(eventfd);
}

/*
 * A file that is opened gets the lowest free number. If that was the standard
 * output's, what is printed would go to the file: to the device, that is. Without
 * standard error, messages are dropped; to write to standard output that is not
 * there stays an error.
 */
bool example_open_standard_files(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null",
			 fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY) != fd)
			return false;
	return true;
}

/* What could not be printed must not look like success. */
int example_close_standard_files(int status)
{
	bool lost = ferror(stdout) || ferror(stderr);

	errno = 0;
	if (!fclose(stdout) && !lost)
		return status;
	fail(errno ? errno : EIO, "write what was to be printed");
	return status == EXIT_OK ? EXIT_FAILED : status;
}
