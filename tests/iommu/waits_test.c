// SPDX-License-Identifier: GPL-2.0-only
/* Lookups that wait: they can be killed, and nobody else waits for them */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <sys/syscall.h>

#include <iommufd_noiommu.h>

static char task_state(pid_t pid)
{
	char path[32], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	assert(file);
	assert(fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
	fclose(file);
	return state;
}

/* Has the state of a process become one of these, within ten seconds? */
static bool wait_for_state(pid_t pid, const char *states)
{
	int i;

	for (i = 0; i != 1000; i++, usleep(10000))
		if (strchr(states, task_state(pid)))
			return true;
	return false;
}

/* A lookup that waits for an attach, which waits for memory, can be killed */
TEST_F(noiommu, get_pa_killed)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage zero = {};
	struct pollfd event = { .events = POLLIN };
	pid_t attach, lookup;
	__u64 length = 0;
	uint32_t ioas_id;
	uint32_t hwpt_id;
	int status;
	__u64 phys;
	void *buf;

	buf = mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	event.fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_NE(-1, event.fd);
	ASSERT_EQ(0, ioctl(event.fd, UFFDIO_API, &api));
	reg.range = (struct uffdio_range){ (uintptr_t)buf, PAGE_SIZE };
	ASSERT_EQ(0, ioctl(event.fd, UFFDIO_REGISTER, &reg));

	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, buf, PAGE_SIZE, TEST_IOVA);
	attach = fork();
	if (!attach)
		_exit(_test_cmd_hwpt_alloc(self->fd, self->device_id, ioas_id,
					   0, 0, &hwpt_id,
					   IOMMU_HWPT_DATA_NONE, NULL, 0));
	/* One that blocks is always in error */
	EXPECT_EQ(1, poll(&event, 1, 10000));
	EXPECT_EQ(POLLIN, event.revents);

	lookup = fork();
	if (!lookup)
		_exit(_test_ioctl_ioas_get_pa(self->fd, ioas_id, TEST_IOVA,
					      &length, &phys, NULL, NULL));
	EXPECT_TRUE(wait_for_state(lookup, "D"));
	kill(lookup, SIGKILL);
	EXPECT_TRUE(wait_for_state(lookup, "Z"));
	EXPECT_EQ('D', task_state(attach));

	zero.range = reg.range;
	EXPECT_EQ(0, ioctl(event.fd, UFFDIO_ZEROPAGE, &zero));
	EXPECT_EQ(lookup, waitpid(lookup, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(attach, waitpid(attach, &status, 0));
	EXPECT_EQ(0, status);
	check_pa(ioas_id, TEST_IOVA, buf, PAGE_SIZE);
	close(event.fd);
}

/* An unbind waits as long as a device is in use, and gives up after this */
#define UNBIND_TIMEOUT 60

struct device_lookup {
	int fd;
	struct iommu_ioas_get_pa args;
	int ret;
};

static void *look_up_device(void *arg)
{
	struct device_lookup *lookup = arg;

	lookup->ret = ioctl(lookup->fd, IOMMU_IOAS_GET_PA, &lookup->args) ?
		      -errno : 0;
	return NULL;
}

/* While a lookup by device waits for the memory of its array, the device can go */
TEST_F(noiommu, unbind_beside_lookup)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage zero = {};
	struct pollfd event = { .events = POLLIN };
	struct device_lookup lookup = {
		.fd = self->fd,
		.args = {
			.size = sizeof(lookup.args),
			.flags = IOMMU_IOAS_GET_PA_DEVICE,
			.ioas_id = self->ioas_id,
			.iova = TEST_IOVA,
			.num_extents = NR_PAGES,
			.dev_id = self->device_id,
		},
	};
	pthread_t thread;
	time_t start;
	void *array;

	array = mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, array);
	lookup.args.extents_uptr = (uintptr_t)array;
	event.fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_NE(-1, event.fd);
	ASSERT_EQ(0, ioctl(event.fd, UFFDIO_API, &api));
	reg.range = (struct uffdio_range){ (uintptr_t)array, PAGE_SIZE };
	ASSERT_EQ(0, ioctl(event.fd, UFFDIO_REGISTER, &reg));

	ASSERT_EQ(0, pthread_create(&thread, NULL, look_up_device, &lookup));
	EXPECT_EQ(1, poll(&event, 1, 10000));
	EXPECT_EQ(POLLIN, event.revents);
	start = time(NULL);
	test_ioctl_destroy(self->stdev_id);
	EXPECT_GT(UNBIND_TIMEOUT / 2, time(NULL) - start);

	zero.range = reg.range;
	EXPECT_EQ(0, ioctl(event.fd, UFFDIO_ZEROPAGE, &zero));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, lookup.ret);
	EXPECT_EQ(BUFFER_SIZE, lookup.args.length);
	close(event.fd);
}

TEST_HARNESS_MAIN
