// SPDX-License-Identifier: GPL-2.0-only
/* Lookups that wait: they can be killed, and nobody else waits for them */
#include <time.h>

#include <iommufd_noiommu.h>

#include "waiting.h"

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
	struct missing_page page;
	pid_t attach, lookup;
	__u64 length = 0;
	uint32_t ioas_id;
	uint32_t hwpt_id;
	int status;
	__u64 phys;

	missing_page_init(_metadata, &page);
	test_ioctl_ioas_alloc(&ioas_id);
	test_ioctl_ioas_map_fixed_id(ioas_id, page.va, PAGE_SIZE, TEST_IOVA);
	attach = fork();
	ASSERT_LE(0, attach);
	if (!attach)
		_exit(_test_cmd_hwpt_alloc(self->fd, self->device_id, ioas_id,
					   0, 0, &hwpt_id,
					   IOMMU_HWPT_DATA_NONE, NULL, 0));
	missing_page_wait(_metadata, &page);

	lookup = fork();
	ASSERT_LE(0, lookup);
	if (!lookup)
		_exit(_test_ioctl_ioas_get_pa(self->fd, ioas_id, TEST_IOVA,
					      &length, &phys, NULL, NULL));
	EXPECT_TRUE(wait_for_state(lookup, "D"));
	kill(lookup, SIGKILL);
	EXPECT_TRUE(wait_for_state(lookup, "Z"));
	EXPECT_EQ('D', task_state(attach));

	missing_page_give(_metadata, &page);
	EXPECT_EQ(lookup, waitpid(lookup, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(attach, waitpid(attach, &status, 0));
	EXPECT_EQ(0, status);
	check_pa(ioas_id, TEST_IOVA, page.va, PAGE_SIZE);
	close(page.fd);
}

/* An unbind waits as long as a device is in use, and gives up after this */
#define UNBIND_TIMEOUT 60

/* While a lookup by device waits for the memory of its array, the device can go */
TEST_F(noiommu, unbind_beside_lookup)
{
	struct missing_page page;
	struct iommu_ioas_get_pa args = {
		.size = sizeof(args),
		.flags = IOMMU_IOAS_GET_PA_DEVICE,
		.ioas_id = self->ioas_id,
		.iova = TEST_IOVA,
		.num_extents = NR_PAGES,
		.dev_id = self->device_id,
	};
	struct waiting_call lookup = {
		.fd = self->fd,
		.request = IOMMU_IOAS_GET_PA,
		.args = &args,
	};
	time_t start;

	missing_page_init(_metadata, &page);
	args.extents_uptr = (uintptr_t)page.va;
	waiting_call_start(_metadata, &lookup);
	missing_page_wait(_metadata, &page);
	start = time(NULL);
	test_ioctl_destroy(self->stdev_id);
	EXPECT_GT(UNBIND_TIMEOUT / 2, time(NULL) - start);

	missing_page_give(_metadata, &page);
	waiting_call_join(_metadata, &lookup);
	EXPECT_EQ(0, lookup.ret);
	EXPECT_EQ(BUFFER_SIZE, args.length);
	close(page.fd);
}

TEST_HARNESS_MAIN
