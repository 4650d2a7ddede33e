// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO device without an IOMMU is taken away while it is in use: its driver is
 * unbound, it is removed in sysfs, or it is unplugged from the machine.
 *
 * Whoever takes it away has to wait for the user, who is told, and who may take
 * his time: until then all that he has goes on, above all his DMA. After that
 * nothing may be left, neither of the device nor in the iommufd.
 *
 * To unplug takes commands for the shell that make the machine do that to the
 * device, and plug it in again:
 *
 *    NOIOMMU_UNPLUG='...' NOIOMMU_PLUG='...'
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/iommufd.h>
#include <linux/limits.h>
#include <linux/pci_regs.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "noiommu_devices.h"
#include "noiommu_dma.h"
#include "noiommu_driver.h"
#include "noiommu_host.h"
#include "noiommu_mem.h"
#include "noiommu_utils.h"

#define IOVA			SZ_4G

/* It takes seconds to press a button, for a slot to blink, and to give up */
#define LIMIT_MS		60000

static struct noiommu_devices devices;

enum removal {
	REMOVAL_UNBIND,
	REMOVAL_SYSFS,
	REMOVAL_UNPLUG,
};

static bool wait_for(bool (*condition)(const char *bdf), const char *bdf,
		     bool value)
{
	int ms;

	for (ms = 0; ms < LIMIT_MS; ms += 10) {
		if (condition(bdf) == value)
			return true;
		usleep(10000);
	}

	return false;
}

static bool has_driver(const char *bdf)
{
	return device_has_sysfs(bdf, "driver");
}

/* Exits with 0 when the device is gone, or else its driver */
static void __noreturn remove_device(enum removal removal)
{
	const char *bdf = devices.bdf;
	bool gone;

	switch (removal) {
	case REMOVAL_UNBIND:
		_exit(device_unbind(bdf) || has_driver(bdf));
	case REMOVAL_SYSFS:
		_exit(device_sysfs_write(bdf, "remove", "1") ||
		      device_exists(bdf));
	case REMOVAL_UNPLUG:
		if (system(getenv("NOIOMMU_UNPLUG")))
			_exit(1);
		gone = wait_for(device_exists, bdf, false);
		_exit(!gone);
	}
	_exit(1);
}

/* A slot that is still on its way off takes nothing, so this asks repeatedly */
static bool plug_device(void)
{
	int ms;

	for (ms = 0; ms < LIMIT_MS; ms += 100) {
		if (device_exists(devices.bdf))
			return true;
		if (!(ms % 2000) && system(getenv("NOIOMMU_PLUG")))
			return false;
		usleep(100000);
	}

	return false;
}

/*
 * A device that was just plugged is in sysfs before a driver can have it, and
 * with the override written the kernel may be the first to bind it.
 */
static bool bind_device(const char *bdf)
{
	return !device_bind_vfio(bdf) || device_has_vfio(bdf);
}

/* Returns false if the device does not come back */
static bool restore_device(enum removal removal)
{
	const char *bdf = devices.bdf;

	if (device_has_vfio(bdf))
		return true;

	if (removal == REMOVAL_SYSFS && !device_exists(bdf) &&
	    sysfs_write("/sys/bus/pci/rescan", "1"))
		return false;
	if (removal == REMOVAL_UNPLUG && !plug_device())
		return false;

	return device_exists(bdf) && wait_for(bind_device, bdf, true);
}

struct removal_data {
	struct mem mem;
	s64 pinned;
	/* The process that removes, and a pipe to tell it when */
	pid_t remover;
	int start_fd;
	/* Path of the cdev */
	const char *path;
};

FIXTURE(removal) {
	struct removal_data d;
};

FIXTURE_VARIANT(removal) {
	enum removal removal;
};

FIXTURE_VARIANT_ADD(removal, unbind) {
	.removal = REMOVAL_UNBIND,
};

FIXTURE_VARIANT_ADD(removal, sysfs) {
	.removal = REMOVAL_SYSFS,
};

FIXTURE_VARIANT_ADD(removal, unplug) {
	.removal = REMOVAL_UNPLUG,
};

FIXTURE_SETUP(removal)
{
	int pipefd[2];
	char c;

	if (variant->removal == REMOVAL_UNPLUG &&
	    (!getenv("NOIOMMU_UNPLUG") || !getenv("NOIOMMU_PLUG")))
		SKIP(return, "Nothing tells how to unplug the device");

	ASSERT_TRUE(restore_device(variant->removal));
	self->d.path = vfio_pci_get_cdev_path(devices.bdf);
	self->d.pinned = pinned_pages_lowest();
	ASSERT_TRUE(mem_alloc(&self->d.mem, MEM_SCATTERED, SZ_64K));

	/* Before the device is open, or it would have it open, too */
	ASSERT_EQ(0, pipe(pipefd));
	self->d.remover = fork();
	ASSERT_LE(0, self->d.remover);
	if (!self->d.remover) {
		close(pipefd[1]);
		if (read(pipefd[0], &c, 1) != 1)
			_exit(1);
		remove_device(variant->removal);
	}
	ASSERT_EQ(0, close(pipefd[0]));
	self->d.start_fd = pipefd[1];
}

FIXTURE_TEARDOWN(removal)
{
	ASSERT_EQ(0, close(self->d.start_fd));
	ASSERT_TRUE(restore_device(variant->removal));
	mem_free(&self->d.mem);
	free((void *)self->d.path);
}

/* Returns when the device can no longer be opened */
static bool removal_start(struct removal_data *d)
{
	VFIO_ASSERT_EQ(write(d->start_fd, "", 1), 1);

	return wait_for(device_has_vfio, devices.bdf, false) &&
	       access(d->path, F_OK) && errno == ENOENT;
}

static bool removal_is_done(struct removal_data *d)
{
	return waitpid(d->remover, NULL, WNOHANG) == d->remover;
}

/* Returns whether there was no problem with it, and nothing is left */
static bool removal_finish(struct removal_data *d)
{
	int status;

	VFIO_ASSERT_EQ(waitpid(d->remover, &status, 0), d->remover);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "# The removal has failed, status %#x\n", status);
		return false;
	}

	if (device_has_vfio(devices.bdf) || !access(d->path, F_OK))
		return false;

	return d->pinned < 0 || pinned_pages_wait(d->pinned) == d->pinned;
}

/* It is a device like any other when it comes back */
static bool works_again(struct removal_data *d, enum removal removal)
{
	struct bound b;
	bool ret;

	if (!restore_device(removal))
		return false;

	bound_init(&b, devices.bdf);
	VFIO_ASSERT_EQ(ioas_map_fixed(b.iommufd, b.ioas_id, d->mem.vaddr,
				      d->mem.size, IOVA), 0);
	VFIO_ASSERT_GT(device_attach_to(b.device_fd, b.ioas_id), 0);
	mem_read_pagemap(&d->mem);
	ret = pa_each_page(&b, IOVA, &d->mem);
	bound_cleanup(&b);

	return ret;
}

/* Have the kernel tell that it wants the device back */
static int request_eventfd(int device_fd)
{
	struct {
		struct vfio_irq_set set;
		__s32 fd;
	} args = {
		.set.argsz = sizeof(args),
		.set.flags = VFIO_IRQ_SET_DATA_EVENTFD |
			     VFIO_IRQ_SET_ACTION_TRIGGER,
		.set.index = VFIO_PCI_REQ_IRQ_INDEX,
		.set.count = 1,
	};

	args.fd = eventfd(0, 0);
	VFIO_ASSERT_GE(args.fd, 0);
	ioctl_assert(device_fd, VFIO_DEVICE_SET_IRQS, &args);

	return args.fd;
}

static bool is_signalled(int eventfd)
{
	struct pollfd pfd = {
		.fd = eventfd,
		.events = POLLIN,
	};

	return poll(&pfd, 1, 15000) == 1;
}

static void attach(struct bound *b, struct mem *mem)
{
	bound_init(b, devices.bdf);
	VFIO_ASSERT_EQ(ioas_map_fixed(b->iommufd, b->ioas_id, mem->vaddr,
				      mem->size, IOVA), 0);
	VFIO_ASSERT_GT(device_attach_to(b->device_fd, b->ioas_id), 0);
	mem_read_pagemap(mem);
}

TEST_F(removal, not_open)
{
	ASSERT_TRUE(removal_start(&self->d));
	ASSERT_TRUE(removal_finish(&self->d));
	ASSERT_TRUE(works_again(&self->d, variant->removal));
}

TEST_F(removal, open)
{
	int fd = device_open(devices.bdf);

	ASSERT_TRUE(removal_start(&self->d));
	ASSERT_FALSE(removal_is_done(&self->d));

	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(removal_finish(&self->d));
	ASSERT_TRUE(works_again(&self->d, variant->removal));
}

TEST_F(removal, bound)
{
	int request_fd;
	struct bound b;

	bound_init(&b, devices.bdf);
	request_fd = request_eventfd(b.device_fd);
	ASSERT_TRUE(removal_start(&self->d));
	ASSERT_TRUE(is_signalled(request_fd));
	ASSERT_FALSE(removal_is_done(&self->d));

	/* It is not too late to attach */
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	ASSERT_EQ(0, device_get_info(b.device_fd, NULL));

	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_TRUE(removal_finish(&self->d));
	ASSERT_EQ(0, close(b.iommufd));
	ASSERT_EQ(0, close(request_fd));
	ASSERT_TRUE(works_again(&self->d, variant->removal));
}

TEST_F(removal, attached)
{
	int request_fd;
	struct bound b;
	struct mem mem;

	attach(&b, &self->d.mem);
	request_fd = request_eventfd(b.device_fd);
	ASSERT_TRUE(removal_start(&self->d));
	ASSERT_TRUE(is_signalled(request_fd));
	ASSERT_FALSE(removal_is_done(&self->d));

	/* Nothing has changed */
	ASSERT_TRUE(pa_each_page(&b, IOVA, &self->d.mem));
	ASSERT_TRUE(mem_alloc(&mem, MEM_SCATTERED, SZ_64K));
	ASSERT_EQ(0, ioas_map_fixed(b.iommufd, b.ioas_id, mem.vaddr, mem.size,
				    2 * IOVA));
	mem_read_pagemap(&mem);
	ASSERT_TRUE(pa_each_page(&b, 2 * IOVA, &mem));
	ASSERT_EQ(0, device_detach(b.device_fd));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));

	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_TRUE(removal_finish(&self->d));
	ASSERT_EQ(-EOPNOTSUPP, lookup(&b, IOVA, 0));
	ASSERT_EQ(-ENOENT, object_destroy(b.iommufd, b.dev_id));

	/* The iommufd is good for the device that comes back */
	ASSERT_TRUE(restore_device(variant->removal));
	b.device_fd = device_open(devices.bdf);
	ASSERT_EQ(0, device_bind(b.device_fd, b.iommufd, NULL));
	ASSERT_LT(0, device_attach_to(b.device_fd, b.ioas_id));
	ASSERT_TRUE(pa_each_page(&b, IOVA, &self->d.mem));
	ASSERT_TRUE(pa_each_page(&b, 2 * IOVA, &mem));

	bound_cleanup(&b);
	mem_free(&mem);
	ASSERT_EQ(0, close(request_fd));
}

TEST_F(removal, iommufd_closed_first)
{
	struct bound b;

	attach(&b, &self->d.mem);
	ASSERT_EQ(0, close(b.iommufd));
	ASSERT_TRUE(removal_start(&self->d));
	ASSERT_FALSE(removal_is_done(&self->d));
	ASSERT_EQ(0, device_get_info(b.device_fd, NULL));

	ASSERT_EQ(0, close(b.device_fd));
	ASSERT_TRUE(removal_finish(&self->d));
	ASSERT_TRUE(works_again(&self->d, variant->removal));
}

TEST_F(removal, dma)
{
	const u64 page_size = getpagesize();
	struct dma dma;

	if (!device_is_edu(devices.bdf))
		SKIP(return, "The device is not edu");

	ASSERT_TRUE(dma_init(&dma, devices.bdf, MEM_SCATTERED, SZ_64K));
	dma_copy(&dma, 2 * page_size, 5 * page_size, EDU_DMA_MAX);
	ASSERT_TRUE(removal_start(&self->d));

	dma_copy(&dma, 7 * page_size, 6 * page_size, EDU_DMA_MAX);
	ASSERT_EQ(0, memcmp(dma.dst.vaddr, dma.dst_bytes, dma.dst.size));
	ASSERT_EQ(0, memcmp(dma.src.vaddr, dma.src_bytes, dma.src.size));
	ASSERT_FALSE(removal_is_done(&self->d));

	dma_cleanup(&dma);
	ASSERT_TRUE(removal_finish(&self->d));
	ASSERT_TRUE(works_again(&self->d, variant->removal));
}

/* The user does not listen, so it is the administrator who makes an end */
TEST_F(removal, user_killed)
{
	int pipefd[2];
	struct bound b;
	pid_t user;
	char c;

	ASSERT_EQ(0, pipe(pipefd));
	user = fork();
	ASSERT_LE(0, user);
	if (!user) {
		attach(&b, &self->d.mem);
		VFIO_ASSERT_EQ(write(pipefd[1], "", 1), 1);
		for (;;)
			pause();
	}
	ASSERT_EQ(0, close(pipefd[1]));
	ASSERT_EQ(1, read(pipefd[0], &c, 1));
	ASSERT_EQ(0, close(pipefd[0]));

	ASSERT_TRUE(removal_start(&self->d));
	ASSERT_FALSE(removal_is_done(&self->d));
	ASSERT_EQ(0, kill(user, SIGKILL));
	ASSERT_EQ(user, waitpid(user, NULL, 0));

	ASSERT_TRUE(removal_finish(&self->d));
	ASSERT_TRUE(works_again(&self->d, variant->removal));
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	return test_harness_run(argc, argv);
}
