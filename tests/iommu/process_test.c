// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is mapped by file goes over to another process */
#include <sys/capability.h>

#include <iommufd_noiommu.h>

static void drop_ipc_lock(struct __test_metadata *_metadata)
{
	const cap_value_t cap = CAP_IPC_LOCK;
	cap_t caps = cap_get_proc();

	ASSERT_NE(NULL, caps);
	ASSERT_EQ(0, cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_CLEAR));
	ASSERT_EQ(0, cap_set_proc(caps));
	cap_free(caps);
}

/* In KiB */
static long get_vm_pinned(pid_t pid)
{
	char path[32], line[128];
	long pinned = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %ld", &pinned) == 1)
			break;
	fclose(file);
	return pinned;
}

TEST_F(noiommu, change_process)
{
	struct iommu_ioas_change_process cmd = {
		.size = sizeof(cmd),
	};
	pid_t parent = getpid();
	int status;
	pid_t child;
	__u64 iova;

	/* Without it nothing is accounted for */
	drop_ipc_lock(_metadata);
	test_ioctl_ioas_unmap(TEST_IOVA, BUFFER_SIZE);

	test_ioctl_ioas_map(buffer, PAGE_SIZE, &iova);
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
	check_pa(self->ioas_id, iova, buffer, PAGE_SIZE);
	test_ioctl_ioas_unmap(iova, PAGE_SIZE);

	test_ioctl_ioas_map_file(mfd, PAGE_SIZE, 2 * PAGE_SIZE, &iova);
	check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
	check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE);

	child = fork();
	if (!child) {
		long npin = 2 * PAGE_SIZE / 1024;

		ASSERT_EQ(npin, get_vm_pinned(parent));
		ASSERT_EQ(0, get_vm_pinned(getpid()));

		ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));

		ASSERT_EQ(0, get_vm_pinned(parent));
		ASSERT_EQ(npin, get_vm_pinned(getpid()));
		check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE,
			 2 * PAGE_SIZE);
		exit(0);
	}
	ASSERT_NE(-1, child);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);

	/* The new owner is dead, the memory is still where the device has it */
	check_pa(self->ioas_id, iova, mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE);
	check_refs(mfd_buffer + PAGE_SIZE, 2 * PAGE_SIZE, 1);
	test_ioctl_ioas_unmap(iova, 2 * PAGE_SIZE);
	check_refs(mfd_buffer, BUFFER_SIZE, 0);
}

TEST_HARNESS_MAIN
