// SPDX-License-Identifier: GPL-2.0
/*
 * A PCI device driven from userspace without an IOMMU: from its address on the
 * bus to a file descriptor that is bound and attached, and back.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "noiommu.h"

#define SYSFS_DEVICES	"/sys/bus/pci/devices"

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

/* Brings "00:04.0" and the like into the form that sysfs uses. */
int noiommu_parse_bdf(const char *text, char *bdf)
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
int noiommu_pci_class(const char *bdf, unsigned int *pci_class)
{
	char path[PATH_MAX];
	FILE *file;
	int found;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/class", bdf);
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

/* Where a symbolic link leads, with room for PATH_MAX; "" if there is none */
static void read_link(const char *path, char *target)
{
	ssize_t len = readlink(path, target, PATH_MAX - 1);

	target[len < 0 ? 0 : len] = '\0';
}

/* No vfio-dev directory: whatever holds the device, it is not vfio. */
static int refuse_unbound(const char *bdf)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *driver;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/driver", bdf);
	read_link(path, target);
	driver = strrchr(target, '/');
	if (driver)
		return refuse(ENODEV,
			      "%s: bound to the driver %s, not to vfio-pci: unbind it, write vfio-pci to its driver_override and %s to /sys/bus/pci/drivers_probe",
			      bdf, driver + 1, bdf);
	return refuse(ENODEV,
		      "%s: not bound to a driver: write vfio-pci to its driver_override and %s to /sys/bus/pci/drivers_probe (vfio-pci takes a device without an IOMMU only with vfio.enable_unsafe_noiommu_mode=1)",
		      bdf, bdf);
}

/* vfio has the device, but its node says that this is not for us. */
static int refuse_plain(const char *bdf, const char *node)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/iommu", bdf);
	if (!access(path, F_OK))
		return refuse(ENODEV,
			      "%s: behind an IOMMU: its node is %s, and it takes IOVAs, not the physical addresses that this driver would give it",
			      bdf, node);
	return refuse(ENODEV,
		      "%s: bound to vfio-pci, but this kernel has no noiommu-vfioN node for it: CONFIG_VFIO_NOIOMMU and CONFIG_VFIO_DEVICE_CDEV on a kernel that knows both together",
		      bdf);
}

/*
 * vfio names a device without an IOMMU noiommu-vfioN, so that nobody takes it
 * for one that is safe to hand out. The name in sysfs is the name in /dev.
 */
static int find_cdev(const char *bdf, char *node, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return refuse_unbound(bdf);
	if (!dir)
		return fail(errno, "opendir %s", path);

	node[0] = '\0';
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(node, size, "%s", entry->d_name);
		found = !strncmp(node, "noiommu-vfio", strlen("noiommu-vfio"));
	}
	closedir(dir);
	return found ? 0 : refuse_plain(bdf, node);
}

static int fail_open(const char *path, const char *missing)
{
	switch (errno) {
	case EPERM:
		return fail(errno, "open %s (needs CAP_SYS_RAWIO)", path);
	case EACCES:
		return fail(errno,
			    "open %s (its mode and owner: run as root, or chown it to this user)",
			    path);
	case ENOENT:
	case ENODEV:
		return fail(errno, "open %s (%s)", path, missing);
	}
	return fail(errno, "open %s", path);
}

static int open_cdev(struct noiommu_device *dev)
{
	char node[NAME_MAX + 1], path[PATH_MAX];
	int err;

	err = find_cdev(dev->bdf, node, sizeof(node));
	if (err)
		return err;
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", node);
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		return fail_open(path,
				 "not in this /dev, or just unbound from vfio-pci");
	note("%s: %s", dev->bdf, path);
	return 0;
}

static int open_iommufd(struct noiommu_device *dev)
{
	dev->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (dev->iommufd < 0)
		return fail_open("/dev/iommu",
				 "needs CONFIG_IOMMUFD, perhaps modprobe iommufd");
	return 0;
}

/* Whether a process has one of two nodes open; no, if we may not look. */
static bool has_open(pid_t pid, const char *node, const char *group)
{
	char path[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid,
			 entry->d_name);
		read_link(path, target);
		found = !strcmp(target, node) || !strcmp(target, group);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Who, other than us, has the device, by its cdev or its group; 0: not found */
static pid_t find_user(struct noiommu_device *dev)
{
	char path[PATH_MAX], node[PATH_MAX], target[PATH_MAX], group[PATH_MAX];
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t pid, found = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dev->fd);
	read_link(path, node);
	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/iommu_group", dev->bdf);
	read_link(path, target);
	snprintf(group, sizeof(group), "/dev/vfio/noiommu-%s",
		 basename(target));
	while (dir && !found && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && pid != getpid() && has_open(pid, node, group))
			found = pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* EBUSY if the group is in use, EINVAL if the cdev is, or for other reasons */
static int refuse_used(struct noiommu_device *dev, int err)
{
	char path[PATH_MAX], program[PATH_MAX];
	pid_t pid = find_user(dev);

	if (!pid)
		return fail(err,
			    "VFIO_DEVICE_BIND_IOMMUFD (is %s in use by a process that can not be seen from here?)",
			    dev->bdf);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	read_link(path, program);
	return refuse(err, "%s: in use by process %d (%s): end it, or wait for its end",
		      dev->bdf, pid, program);
}

/* Until it is bound to an iommufd, a cdev answers to no other ioctl. */
static int bind_device(struct noiommu_device *dev)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = dev->iommufd,
	};

	if (!ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return 0;
	if (errno == EBUSY || errno == EINVAL)
		return refuse_used(dev, errno);
	if (errno == EPERM)
		return fail(errno,
			    "VFIO_DEVICE_BIND_IOMMUFD (needs CAP_SYS_RAWIO)");
	return fail(errno, "VFIO_DEVICE_BIND_IOMMUFD");
}

/*
 * An IOAS maps IOVAs to memory. A device without an IOMMU never sees an IOVA:
 * here it only names a piece of memory, to ask for its addresses and to unmap it.
 * Without a device that is attached, IOMMU_IOAS_GET_PA is refused.
 */
static int attach_ioas(struct noiommu_device *dev)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};

	if (ioctl(dev->iommufd, IOMMU_IOAS_ALLOC, &alloc))
		return fail(errno, "IOMMU_IOAS_ALLOC");
	attach.pt_id = alloc.out_ioas_id;
	/* The kernel puts the id of the page table it made into pt_id. */
	if (ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		return fail(errno, "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
	dev->ioas_id = alloc.out_ioas_id;
	dev->attached = true;
	note("attached to IOAS %u", dev->ioas_id);
	return 0;
}

/*
 * Asks for an address that can not be there, the IOAS being empty. How the
 * kernel refuses tells whether it could answer; better to know that before the
 * device has been touched. E2BIG is the answer of Linux 7.3 to an array: it
 * takes a struct that ends before that.
 */
static int probe_get_pa(struct noiommu_device *dev)
{
	struct iommu_pa_extent extent;
	struct iommu_ioas_get_pa get = {
		.size = sizeof(get),
		.ioas_id = dev->ioas_id,
		.length = 1,
		.num_extents = 1,
		.extents_uptr = (__u64)(unsigned long)&extent,
	};
	int err;

	err = ioctl(dev->iommufd, IOMMU_IOAS_GET_PA, &get) ? errno : 0;
	if (err == E2BIG) {
		note("IOMMU_IOAS_GET_PA: no extents, one run a call");
		get.size = offsetof(struct iommu_ioas_get_pa, num_extents);
		err = ioctl(dev->iommufd, IOMMU_IOAS_GET_PA, &get) ? errno : 0;
	}
	if (err == ENOTTY)
		return fail(err,
			    "IOMMU_IOAS_GET_PA (this kernel does not have it)");
	if (err == EPERM)
		return fail(err, "IOMMU_IOAS_GET_PA (needs CAP_SYS_RAWIO)");
	dev->get_pa_size = get.size;
	return 0;
}

/* Regions are parts of the cdev's file: the BARs, the configuration space. */
static int get_region(struct noiommu_device *dev, unsigned int index,
		      struct vfio_region_info *region)
{
	*region = (struct vfio_region_info) {
		.argsz = sizeof(*region),
		.index = index,
	};
	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, region))
		return fail(errno, "VFIO_DEVICE_GET_REGION_INFO(%u)", index);
	return 0;
}

static int find_config(struct noiommu_device *dev)
{
	struct vfio_region_info region;
	int err;

	err = get_region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &region);
	if (!err)
		dev->config = region.offset;
	return err;
}

/* count 0 turns all of them off; otherwise, one event for the first. */
static int set_irqs(struct noiommu_device *dev, unsigned int index,
		    unsigned int count, __s32 event)
{
	/* An irq_set ends in an array of what it sets: here, one eventfd. */
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(event)];
	} irq = {
		.set = {
			.argsz = sizeof(irq),
			.flags = VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = index,
			.count = count,
		},
	};

	irq.set.flags |= count ? VFIO_IRQ_SET_DATA_EVENTFD :
				 VFIO_IRQ_SET_DATA_NONE;
	memcpy(irq.set.data, &event, sizeof(event));
	return ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, &irq) ? -errno : 0;
}

/* Makes an eventfd that each of some interrupt will add one to. */
static int listen_irq(struct noiommu_device *dev, unsigned int index,
		      int *eventfd_out)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;

	if (event < 0)
		return fail(errno, "eventfd");
	err = set_irqs(dev, index, 1, event);
	if (err) {
		close(event);
		return fail(-err, "VFIO_DEVICE_SET_IRQS(%u)", index);
	}
	*eventfd_out = event;
	return 0;
}

/*
 * An earlier driver may have left the device at work. One that has no reset must
 * be stopped by its own registers before it gets the bus.
 */
static int reset_device(struct noiommu_device *dev)
{
	if (!ioctl(dev->fd, VFIO_DEVICE_RESET))
		return 0;
	if (errno != EINVAL)
		return fail(errno, "VFIO_DEVICE_RESET");
	note("%s: has no reset", dev->bdf);
	return 0;
}

int noiommu_open(struct noiommu_device *dev, const char *bdf)
{
	int err;

	*dev = (struct noiommu_device) {
		.fd = -1,
		.iommufd = -1,
		.request = -1,
	};
	snprintf(dev->bdf, sizeof(dev->bdf), "%s", bdf);

	err = open_cdev(dev);
	if (!err)
		err = open_iommufd(dev);
	if (!err)
		err = bind_device(dev);
	if (!err)
		err = attach_ioas(dev);
	if (!err)
		err = probe_get_pa(dev);
	if (!err)
		err = find_config(dev);
	if (!err)
		err = listen_irq(dev, VFIO_PCI_REQ_IRQ_INDEX, &dev->request);
	if (!err)
		err = reset_device(dev);
	if (err)
		noiommu_close(dev);
	return err;
}

/*
 * Whoever unbinds or removes the device waits until its file is closed. A driver
 * has to look now and then whether somebody does, and then stop and close it.
 */
int noiommu_check_request(struct noiommu_device *dev)
{
	struct pollfd request = { .fd = dev->request, .events = POLLIN };

	if (poll(&request, 1, 0) <= 0)
		return 0;
	return refuse(ECANCELED,
		      "%s: let go, as it is being unbound from vfio-pci or removed",
		      dev->bdf);
}

/*
 * The device must have been stopped before this. Detaching it drops the page
 * table, and with that the addresses are no longer good; closing unbinds, and
 * closing the iommufd ends the IOAS.
 */
void noiommu_close(struct noiommu_device *dev)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};
	struct iommu_destroy destroy = {
		.size = sizeof(destroy),
		.id = dev->ioas_id,
	};

	if (dev->attached) {
		if (ioctl(dev->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach))
			fail(errno, "VFIO_DEVICE_DETACH_IOMMUFD_PT");
		if (ioctl(dev->iommufd, IOMMU_DESTROY, &destroy))
			fail(errno, "IOMMU_DESTROY");
		dev->attached = false;
	}
	if (dev->fd >= 0)
		close(dev->fd);
	if (dev->iommufd >= 0)
		close(dev->iommufd);
	if (dev->request >= 0)
		close(dev->request);
	dev->fd = -1;
	dev->iommufd = -1;
	dev->request = -1;
}

/*
 * vfio hands out a device that may not master the bus. Memory space is for the
 * CPU's access to the BARs. INTx stays off either way: it is not handled here,
 * and the line may be shared with devices of the kernel's.
 */
int noiommu_set_bus_master(struct noiommu_device *dev, bool on)
{
	__u16 command;

	if (pread(dev->fd, &command, sizeof(command),
		  dev->config + PCI_COMMAND) != sizeof(command))
		return fail(errno, "read the PCI command register");
	command = le16toh(command);
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE;
	if (on)
		command |= PCI_COMMAND_MASTER;
	else
		command &= ~PCI_COMMAND_MASTER;
	command = htole16(command);
	if (pwrite(dev->fd, &command, sizeof(command),
		   dev->config + PCI_COMMAND) != sizeof(command))
		return fail(errno, "write the PCI command register");
	return 0;
}

int noiommu_map_bar(struct noiommu_device *dev, unsigned int bar,
		    void **regs, size_t *size)
{
	struct vfio_region_info region;
	int err;

	err = get_region(dev, VFIO_PCI_BAR0_REGION_INDEX + bar, &region);
	if (err)
		return err;
	if (!region.size || !(region.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return refuse(ENODEV, "%s: BAR%u can not be mapped", dev->bdf,
			      bar);
	*regs = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     dev->fd, region.offset);
	if (*regs == MAP_FAILED)
		return fail(errno, "mmap BAR%u", bar);
	*size = region.size;
	return 0;
}

/* Each interrupt of MSI-X vector 0 will add one to an eventfd. */
int noiommu_enable_msix(struct noiommu_device *dev, int *eventfd_out)
{
	struct vfio_irq_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
	};

	if (ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &info))
		return fail(errno, "VFIO_DEVICE_GET_IRQ_INFO");
	if (!info.count)
		return refuse(ENODEV, "%s: has no MSI-X, and can only be polled",
			      dev->bdf);
	return listen_irq(dev, VFIO_PCI_MSIX_IRQ_INDEX, eventfd_out);
}

void noiommu_disable_msix(struct noiommu_device *dev, int eventfd)
{
	int err = set_irqs(dev, VFIO_PCI_MSIX_IRQ_INDEX, 0, -1);

	if (err)
		fail(-err, "VFIO_DEVICE_SET_IRQS, off");
	close(eventfd);
}
