// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device without an IOMMU is taken away while it is in use: its driver is unbound,
 * it is removed in sysfs, or it is unplugged from the machine, by commands for the
 * shell in NOIOMMU_UNPLUG and NOIOMMU_PLUG. Whoever does that has to wait for the
 * user, who is told and for whom all goes on. After that nothing may be left.
 */
#include <signal.h>
#include <time.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <libvfio/noiommu.h>

#include "kselftest_harness.h"

/* It takes seconds to press a button, for a slot to blink, and to give up */
#define LIMIT_SECONDS		60
#define TEST_SECONDS		(5 * LIMIT_SECONDS)

/* Long enough for a removal that does not wait to show */
#define PATIENCE_MS		300

static struct noiommu_devices devices;

static bool device_exists(const char *bdf)
{
	return device_has_sysfs(bdf, "config");
}

static bool wait_for(bool (*condition)(const char *bdf), bool value, int seconds)
{
	const time_t end = time(NULL) + seconds;

	do {
		if (condition(devices.bdf) == value)
			return true;
		usleep(10000);
	} while (time(NULL) <= end);
	return false;
}

static bool remove_by_unbind(const char *bdf)
{
	return !device_unbind(bdf) && !device_has_sysfs(bdf, "driver");
}

static bool remove_in_sysfs(const char *bdf)
{
	return !device_sysfs_write(bdf, "remove", "1") && !device_exists(bdf);
}

static bool remove_by_unplug(const char *bdf)
{
	return !system(getenv("NOIOMMU_UNPLUG")) &&
	       wait_for(device_exists, false, LIMIT_SECONDS);
}

/* To be asked repeatedly: a slot that is still on its way off takes nothing */
static bool comes_back(const char *bdf)
{
	sysfs_write("/sys/bus/pci/rescan", "1");
	if (!device_exists(bdf) && getenv("NOIOMMU_PLUG"))
		VFIO_ASSERT_EQ(system(getenv("NOIOMMU_PLUG")), 0);
	return wait_for(device_exists, true, 2) && !device_bind_vfio(bdf);
}

static bool is_back(void)
{
	return device_has_vfio(devices.bdf) ||
	       wait_for(comes_back, true, LIMIT_SECONDS);
}

static void restore(void)
{
	if (!is_back())
		fprintf(stderr, "# %s does not come back\n", devices.bdf);
}

FIXTURE(removal) {
	s64 pinned;
	/* The process that removes, and a pipe to tell it when */
	pid_t remover;
	int start_fd;
};

FIXTURE_VARIANT(removal) {
	/* Returns true when the device is gone, or else its driver */
	bool (*remove)(const char *bdf);
};

FIXTURE_VARIANT_ADD(removal, unbind) { .remove = remove_by_unbind };
FIXTURE_VARIANT_ADD(removal, sysfs) { .remove = remove_in_sysfs };
FIXTURE_VARIANT_ADD(removal, unplug) { .remove = remove_by_unplug };

FIXTURE_SETUP(removal)
{
	int pipefd[2];
	pid_t pid;
	char c;

	if (variant->remove == remove_by_unplug &&
	    (!getenv("NOIOMMU_UNPLUG") || !getenv("NOIOMMU_PLUG")))
		SKIP(return, "Nothing tells how to unplug the device");

	ASSERT_TRUE(is_back());
	self->pinned = pinned_pages();

	/* Before the device is open, or it would have it open, too */
	ASSERT_EQ(0, pipe(pipefd));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(pipefd[1]);
		_exit(read(pipefd[0], &c, 1) != 1 ||
		      !variant->remove(devices.bdf));
	}
	ASSERT_EQ(0, close(pipefd[0]));
	self->remover = pid;
	self->start_fd = pipefd[1];
}

/* The process of the test is gone, and what it had open */
FIXTURE_TEARDOWN_PARENT(removal)
{
	EXPECT_TRUE(is_back());
}

/* Returns when the device can no longer be opened */
static bool removal_start(int start_fd)
{
	VFIO_ASSERT_EQ(write(start_fd, "", 1), 1);
	return wait_for(device_has_vfio, false, LIMIT_SECONDS) &&
	       access(devices.cdev_path, F_OK) && errno == ENOENT;
}

static bool removal_waits(pid_t remover)
{
	int ms;

	for (ms = 0; ms < PATIENCE_MS; ms += 10) {
		if (waitpid(remover, NULL, WNOHANG))
			return false;
		usleep(10000);
	}
	return true;
}

/* Was there no problem with it, is nothing left, and does the device work again? */
static bool removal_finish(pid_t remover, s64 pinned)
{
	int status;

	VFIO_ASSERT_EQ(waitpid(remover, &status, 0), remover);
	if (status) {
		fprintf(stderr, "# The removal has failed, status %#x\n", status);
		return false;
	}
	if (device_has_vfio(devices.bdf) || !access(devices.cdev_path, F_OK) ||
	    (pinned >= 0 && pinned_pages_wait(pinned) != pinned))
		return false;

	return is_back() && device_works(devices.bdf);
}

TEST_F_TIMEOUT(removal, not_open, TEST_SECONDS)
{
	ASSERT_TRUE(removal_start(self->start_fd));
	ASSERT_TRUE(removal_finish(self->remover, self->pinned));
}

TEST_F_TIMEOUT(removal, open, TEST_SECONDS)
{
	int fd = device_open(devices.bdf);

	ASSERT_TRUE(removal_start(self->start_fd));
	ASSERT_TRUE(removal_waits(self->remover));
	ASSERT_EQ(0, close(fd));
	ASSERT_TRUE(removal_finish(self->remover, self->pinned));
}

TEST_F_TIMEOUT(removal, attached, TEST_SECONDS)
{
	struct noiommu_user user;
	struct pollfd pfd = { .events = POLLIN };

	user_init(&user, devices.bdf);
	/* The user is told that the kernel wants the device back */
	pfd.fd = eventfd(0, 0);
	ASSERT_LE(0, pfd.fd);
	vfio_pci_irq_set(user.device, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &pfd.fd);
	ASSERT_TRUE(removal_start(self->start_fd));
	ASSERT_EQ(1, poll(&pfd, 1, LIMIT_SECONDS * 1000));
	ASSERT_TRUE(removal_waits(self->remover));

	/* Nothing has changed */
	ASSERT_TRUE(user_finds_memory(&user));
	if (user.device->driver.initialized)
		ASSERT_TRUE(user_copies(&user, 30, 7));
	ASSERT_EQ(0, device_detach(user.device->fd));
	ASSERT_LT(0, device_attach_to(user.device->fd, user.iommu->ioas_id));
	ASSERT_TRUE(user_finds_memory(&user));
	ASSERT_TRUE(removal_waits(self->remover));

	/* The iommufd is good for the device that comes back */
	vfio_pci_device_cleanup(user.device);
	ASSERT_TRUE(removal_finish(self->remover, self->pinned));
	ASSERT_EQ(-EOPNOTSUPP, __iommu_hva2iova(user.iommu, user.mem.vaddr, NULL));
	user.device = vfio_pci_device_init(devices.bdf, user.iommu);
	ASSERT_TRUE(user_finds_memory(&user));
	user_cleanup(&user);
}

/* The user does not listen and is killed, which closes the iommufd first */
TEST_F_TIMEOUT(removal, user_killed, TEST_SECONDS)
{
	pid_t pid = user_fork(devices.bdf);

	ASSERT_TRUE(removal_start(self->start_fd));
	ASSERT_TRUE(removal_waits(self->remover));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_TRUE(removal_finish(self->remover, self->pinned));
}

int main(int argc, char *argv[])
{
	devices_find(&devices, &argc, argv);
	restore_afterwards(restore);
	return test_harness_run(argc, argv);
}
