// SPDX-License-Identifier: GPL-2.0-only
#include <glob.h>
#include <libgen.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/bits.h>
#include <linux/kernel.h>

#include <libvfio/noiommu.h>

/* See Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PFN		GENMASK_ULL(54, 0)
#define PAGEMAP_PRESENT		BIT_ULL(63)

/* 0 but in who puts the machine in order after the tests */
static pid_t tests_pid;

/* A test is a process of its own, and does nothing to devices when that begins */
static void end_with_parent(void)
{
	if (!tests_pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int ioctl_errno(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

int device_open(const char *bdf)
{
	const char *path = vfio_pci_get_cdev_path(bdf);
	int fd = open(path, O_RDWR);

	end_with_parent();
	VFIO_ASSERT_GE(fd, 0, "open(%s) failed\n", path);
	free((void *)path);
	return fd;
}

int device_bind_flags(int device_fd, int iommufd, u32 flags, u32 *dev_id)
{
	struct vfio_device_bind_iommufd args = {
		.argsz = sizeof(args),
		.flags = flags,
		.iommufd = iommufd,
	};
	int ret = ioctl_errno(device_fd, VFIO_DEVICE_BIND_IOMMUFD, &args);

	if (!ret && dev_id)
		*dev_id = args.out_devid;
	return ret;
}

int device_bind(int device_fd, int iommufd, u32 *dev_id)
{
	return device_bind_flags(device_fd, iommufd, 0, dev_id);
}

s64 device_attach_to(int device_fd, u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt args = {
		.argsz = sizeof(args),
		.pt_id = pt_id,
	};

	return ioctl_errno(device_fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &args) ?:
	       (s64)args.pt_id;
}

int device_detach(int device_fd)
{
	struct vfio_device_detach_iommufd_pt args = {
		.argsz = sizeof(args),
	};

	return ioctl_errno(device_fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &args);
}

int device_get_info(int device_fd)
{
	struct vfio_device_info args = {
		.argsz = sizeof(args),
	};

	return ioctl_errno(device_fd, VFIO_DEVICE_GET_INFO, &args);
}

static const char *device_sysfs(char *path, const char *bdf, const char *name)
{
	snprintf_assert(path, PATH_MAX, "/sys/bus/pci/devices/%s/%s", bdf, name);
	return path;
}

static u16 config_readw(const char *bdf, off_t offset)
{
	char path[PATH_MAX];
	u16 value;
	int fd;

	fd = open(device_sysfs(path, bdf, "config"), O_RDONLY);
	VFIO_ASSERT_GE(fd, 0, "%s\n", path);
	VFIO_ASSERT_EQ(pread(fd, &value, sizeof(value), offset),
		       (ssize_t)sizeof(value));
	VFIO_ASSERT_EQ(close(fd), 0);
	return value;
}

u16 pci_command(const char *bdf)
{
	return config_readw(bdf, PCI_COMMAND);
}

bool device_is_edu(const char *bdf)
{
	return config_readw(bdf, PCI_VENDOR_ID) == EDU_VENDOR_ID &&
	       config_readw(bdf, PCI_DEVICE_ID) == EDU_DEVICE_ID;
}

static bool is_unmasked_edu(const char *bdf)
{
	return device_is_edu(bdf) && getenv(EDU_UNMASKED);
}

const char *vfio_dev_find(const char *prefix, bool (*suits)(const char *bdf))
{
	char pattern[64], path[PATH_MAX], *bdf = NULL;
	glob_t found;
	size_t i;

	snprintf_assert(pattern, sizeof(pattern), "/sys/class/vfio-dev/%s*/device",
			prefix);
	if (glob(pattern, 0, NULL, &found))
		return NULL;
	for (i = 0; !bdf && i < found.gl_pathc; i++) {
		VFIO_ASSERT_NOT_NULL(realpath(found.gl_pathv[i], path));
		/* Of PCI devices only */
		if (device_has_sysfs(basename(path), "config") &&
		    suits(basename(path)))
			bdf = strdup(basename(path));
	}
	globfree(&found);
	return bdf;
}

static const char *first_bdf;

static bool is_not_first(const char *bdf)
{
	return strcmp(bdf, first_bdf);
}

void devices_find(struct noiommu_devices *devices, int *argc, char *argv[])
{
	const char *why = "cannot be used, the noiommu mode is off, or not there";
	FILE *mode = fopen(NOIOMMU_MODE, "r");

	first_bdf = vfio_selftests_get_bdf(argc, argv);
	if (mode && fgetc(mode) == 'Y')
		why = iommu_mode_mismatch(MODE_NOIOMMU, first_bdf);
	if (mode)
		fclose(mode);
	if (why) {
		fprintf(stderr, "%s %s, skipping test.\n", first_bdf, why);
		exit(KSFT_SKIP);
	}

	devices->bdf = first_bdf;
	devices->cdev_path = vfio_pci_get_cdev_path(first_bdf);
	devices->other_bdf = vfio_dev_find("noiommu-vfio", is_not_first);
	devices->edu_bdf = is_unmasked_edu(first_bdf) ? first_bdf :
			   vfio_dev_find("noiommu-vfio", is_unmasked_edu);
}

int sysfs_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	int ret = 0;

	end_with_parent();
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	VFIO_ASSERT_EQ(close(fd), 0);
	return ret;
}

int device_sysfs_write(const char *bdf, const char *name, const char *value)
{
	char path[PATH_MAX];

	return sysfs_write(device_sysfs(path, bdf, name), value);
}

bool device_has_sysfs(const char *bdf, const char *name)
{
	char path[PATH_MAX];

	return !access(device_sysfs(path, bdf, name), F_OK);
}

bool device_has_vfio(const char *bdf)
{
	return device_has_sysfs(bdf, "vfio-dev");
}

int device_unbind(const char *bdf)
{
	return device_sysfs_write(bdf, "driver/unbind", bdf);
}

int device_bind_vfio(const char *bdf)
{
	int ret = device_sysfs_write(bdf, "driver_override", "vfio-pci");

	/* A device that was found again may have got the driver that it is for */
	if (!ret && device_has_sysfs(bdf, "driver") && !device_has_vfio(bdf))
		ret = device_unbind(bdf);
	if (!ret)
		ret = sysfs_write("/sys/bus/pci/drivers/vfio-pci/bind", bdf);
	return device_has_vfio(bdf) ? 0 : ret;
}

void noiommu_mode_set(bool on)
{
	VFIO_ASSERT_EQ(sysfs_write(NOIOMMU_MODE, on ? "Y" : "N"), 0);
}

void cap_set(unsigned int cap, bool on)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	u32 *effective = &data[CAP_TO_INDEX(cap)].effective;

	VFIO_ASSERT_EQ(syscall(SYS_capget, &hdr, data), 0);
	if (on)
		*effective |= CAP_TO_MASK(cap);
	else
		*effective &= ~CAP_TO_MASK(cap);
	VFIO_ASSERT_EQ(syscall(SYS_capset, &hdr, data), 0);
}

static void tests_kill(int signal)
{
	kill(tests_pid, SIGKILL);
}

void restore_afterwards(void (*restore)(void))
{
	int status;

	tests_pid = fork();
	VFIO_ASSERT_GE(tests_pid, 0);
	if (!tests_pid)
		return;

	signal(SIGINT, tests_kill);
	signal(SIGTERM, tests_kill);
	while (waitpid(tests_pid, &status, 0) < 0)
		VFIO_ASSERT_EQ(errno, EINTR);
	restore();
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL);
}

void pagemap_read(const void *vaddr, size_t npages, u64 *phys)
{
	const off_t offset = (uintptr_t)vaddr / getpagesize() * sizeof(*phys);
	const size_t size = npages * sizeof(*phys);
	size_t i;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY);
	VFIO_ASSERT_GE(fd, 0);
	VFIO_ASSERT_EQ(pread(fd, phys, size, offset), (ssize_t)size);
	VFIO_ASSERT_EQ(close(fd), 0);

	for (i = 0; i < npages; i++) {
		VFIO_ASSERT_TRUE(phys[i] & PAGEMAP_PRESENT, "Page %lu of %p\n", i, vaddr);
		/* Without CAP_SYS_ADMIN all of them read as 0 */
		phys[i] = (phys[i] & PAGEMAP_PFN) * getpagesize();
		VFIO_ASSERT_NE(phys[i], 0);
	}
}

static s64 pinned_pages_now(void)
{
	s64 acquired = -1, released = -1, value;
	char name[64];
	FILE *file;

	/* Bring in what the CPUs have counted since they were last asked */
	sysfs_write("/proc/sys/vm/stat_refresh", "1");
	file = fopen("/proc/vmstat", "r");
	VFIO_ASSERT_NOT_NULL(file);
	while (fscanf(file, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			acquired = value;
		else if (!strcmp(name, "nr_foll_pin_released"))
			released = value;
	}
	VFIO_ASSERT_EQ(fclose(file), 0);

	return acquired < 0 || released < 0 ? -1 : acquired - released;
}

s64 pinned_pages(void)
{
	s64 pinned = pinned_pages_now();
	int i;

	for (i = 0; i < 10; i++) {
		usleep(1000);
		pinned = min(pinned, pinned_pages_now());
	}
	return pinned;
}

s64 pinned_pages_wait(s64 expected)
{
	s64 pinned = pinned_pages();
	int i;

	for (i = 0; i < 300 && pinned != expected; i++)
		pinned = pinned_pages();
	return pinned;
}

void user_init(struct noiommu_user *user, const char *bdf)
{
	const u64 page_size = getpagesize(), npages = 64;
	struct dma_region *mem = &user->mem;
	struct vfio_pci_driver *driver;
	u64 i;

	end_with_parent();
	memset(user, 0, sizeof(*user));
	user->npages = npages;
	mem->iova = NOIOMMU_IOVA;
	mem->size = npages * page_size;
	mem->vaddr = mmap(NULL, mem->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(mem->vaddr, MAP_FAILED);

	/* Neighbours are rarely contiguous if they are faulted in like this */
	madvise(mem->vaddr, mem->size, MADV_NOHUGEPAGE);
	for (i = 0; i < npages; i++)
		((char *)mem->vaddr)[i * 37 % npages * page_size] = 1;
	for (i = 0; i < mem->size / sizeof(u64); i++)
		((u64 *)mem->vaddr)[i] = i + 1;

	user->iommu = iommu_init(MODE_NOIOMMU);
	user->device = vfio_pci_device_init(bdf, user->iommu);
	iommu_map(user->iommu, mem);
	user->phys = calloc_assert(npages, sizeof(*user->phys));
	pagemap_read(mem->vaddr, npages, user->phys);

	/* The driver keeps its state in the last page */
	driver = &user->device->driver;
	driver->region.size = page_size;
	driver->region.vaddr = mem->vaddr + mem->size - page_size;
	if (driver->ops && device_is_edu(bdf))
		vfio_pci_driver_init(user->device);

	user->bytes = calloc_assert(1, mem->size);
	memcpy(user->bytes, mem->vaddr, mem->size);
}

void user_cleanup(struct noiommu_user *user)
{
	vfio_pci_device_cleanup(user->device);
	if (user->iommu)
		iommu_cleanup(user->iommu);
	VFIO_ASSERT_EQ(munmap(user->mem.vaddr, user->mem.size), 0);
	free(user->phys);
	free(user->bytes);
}

/* Where a device finds the page; without the iommufd, where it has been so far */
static u64 user_phys(struct noiommu_user *user, u64 page)
{
	void *vaddr = user->mem.vaddr + page * getpagesize();

	return user->iommu ? to_iova(user->device, vaddr) : user->phys[page];
}

bool user_finds_memory(struct noiommu_user *user)
{
	u64 i;

	for (i = 0; i < user->npages; i++) {
		if (user_phys(user, i) != user->phys[i])
			return false;
	}
	return true;
}

bool user_copies(struct noiommu_user *user, u64 dst_page, u64 src_page)
{
	const u64 page_size = getpagesize();

	VFIO_ASSERT_EQ(vfio_pci_driver_memcpy(user->device,
					      user_phys(user, src_page),
					      user_phys(user, dst_page),
					      EDU_DMA_MAX), 0);
	memcpy(user->bytes + dst_page * page_size,
	       user->bytes + src_page * page_size, EDU_DMA_MAX);

	return !memcmp(user->mem.vaddr, user->bytes, user->mem.size - page_size);
}

pid_t user_fork(const char *bdf)
{
	struct noiommu_user user;
	int pipefd[2];
	pid_t pid;
	char c;

	VFIO_ASSERT_EQ(pipe(pipefd), 0);
	pid = fork();
	VFIO_ASSERT_GE(pid, 0);
	if (!pid) {
		user_init(&user, bdf);
		vfio_pci_config_writew(user.device, PCI_COMMAND,
				       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		VFIO_ASSERT_EQ(write(pipefd[1], "", 1), 1);
		pause();
	}
	VFIO_ASSERT_EQ(close(pipefd[1]), 0);
	VFIO_ASSERT_EQ(read(pipefd[0], &c, 1), 1);
	VFIO_ASSERT_EQ(close(pipefd[0]), 0);
	return pid;
}

bool device_works(const char *bdf)
{
	struct noiommu_user user;
	bool ret;

	user_init(&user, bdf);
	ret = user_finds_memory(&user) &&
	      (!user.device->driver.initialized || user_copies(&user, 9, 4));
	user_cleanup(&user);
	return ret;
}
