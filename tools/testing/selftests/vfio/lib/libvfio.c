// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/limits.h>

#include <libvfio.h>

extern const struct vfio_pci_driver_ops edu_ops;

static bool is_bdf(const char *str)
{
	unsigned int domain, bus, slot, func;
	int length = 0;

	return sscanf(str, "%x:%x:%x.%x%n", &domain, &bus, &slot, &func,
		      &length) == 4 && !str[length];
}

const char *vfio_selftests_get_bdf(int *argc, char *argv[])
{
	const char *bdf = getenv("VFIO_SELFTESTS_BDF");

	if (*argc > 1 && is_bdf(argv[*argc - 1]))
		bdf = argv[--*argc];
	if (bdf)
		return bdf;

	fprintf(stderr, "%s: No device, skipping test.\n", argv[0]);
	fprintf(stderr, "Name one, like 0000:00:04.0, last or in $VFIO_SELFTESTS_BDF.\n");
	exit(KSFT_SKIP);
}

static const char *sysfs_path(char *path, const char *bdf, const char *name)
{
	snprintf_assert(path, PATH_MAX, "/sys/bus/pci/devices/%s/%s", bdf, name);
	return path;
}

/* Groups that VFIO makes up are called vfio-noiommu, others have other names */
bool sysfs_has_iommu(const char *bdf)
{
	char path[PATH_MAX], name[32];
	bool made_up;
	FILE *file;

	if (access(sysfs_path(path, bdf, "iommu_group"), F_OK))
		return false;

	file = fopen(sysfs_path(path, bdf, "iommu_group/name"), "r");
	if (!file)
		return true;
	made_up = fscanf(file, "%31s", name) == 1 &&
		  !strcmp(name, "vfio-noiommu");
	VFIO_ASSERT_EQ(fclose(file), 0);

	return !made_up;
}

int sysfs_iommu_group_get(const char *bdf)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	length = readlink(sysfs_path(path, bdf, "iommu_group"), target,
			  sizeof(target) - 1);
	VFIO_ASSERT_GT(length, 0, "%s\n", path);
	target[length] = 0;

	return atoi(basename(target));
}

const char *vfio_pci_get_cdev_path(const char *bdf)
{
	char path[PATH_MAX], *cdev_path = NULL;
	struct dirent *entry;
	DIR *dir;

	dir = opendir(sysfs_path(path, bdf, "vfio-dev"));
	VFIO_ASSERT_NOT_NULL(dir, "%s\n", path);
	while (!cdev_path && (entry = readdir(dir))) {
		if (strstr(entry->d_name, "vfio"))
			VFIO_ASSERT_GT(asprintf(&cdev_path, "/dev/vfio/devices/%s",
						entry->d_name), 0);
	}
	VFIO_ASSERT_EQ(closedir(dir), 0);
	VFIO_ASSERT_NOT_NULL(cdev_path, "%s is empty\n", path);

	return cdev_path;
}

static bool is_noiommu_cdev_path(const char *path)
{
	return strstr(path, "/noiommu-vfio");
}

/* The name is in sysfs even if the kernel is built without cdevs */
bool vfio_pci_has_noiommu_cdev(const char *bdf)
{
	const char *path = vfio_pci_get_cdev_path(bdf);
	bool ret;

	ret = is_noiommu_cdev_path(path) && !access(path, F_OK);
	free((void *)path);

	return ret;
}

const char *iommu_mode_mismatch(const char *mode, const char *bdf)
{
	const bool noiommu = !strcmp(mode, MODE_NOIOMMU);

	if (sysfs_has_iommu(bdf))
		return noiommu ? "has an IOMMU" : NULL;
	if (!noiommu)
		return "has no IOMMU";
	return vfio_pci_has_noiommu_cdev(bdf) ? NULL : "has no noiommu cdev";
}

struct iommu *iommu_init(const char *mode)
{
	struct iommu_ioas_alloc alloc = {
		.size = sizeof(alloc),
	};
	struct iommu *iommu;

	iommu = calloc_assert(1, sizeof(*iommu));
	iommu->noiommu = !strcmp(mode, MODE_NOIOMMU);
	VFIO_ASSERT_TRUE(iommu->noiommu || !strcmp(mode, MODE_IOMMUFD),
			 "%s\n", mode);
	iommu->iommufd = open("/dev/iommu", O_RDWR);
	VFIO_ASSERT_GE(iommu->iommufd, 0);
	ioctl_assert(iommu->iommufd, IOMMU_IOAS_ALLOC, &alloc);
	iommu->ioas_id = alloc.out_ioas_id;
	INIT_LIST_HEAD(&iommu->dma_regions);

	return iommu;
}

struct iommu_iova_range *iommu_iova_ranges(struct iommu *iommu, u32 *nranges)
{
	struct iommu_ioas_iova_ranges args = {
		.size = sizeof(args),
		.ioas_id = iommu->ioas_id,
	};
	struct iommu_iova_range *ranges;

	/* Without room for any it only counts them */
	VFIO_ASSERT_NE(ioctl(iommu->iommufd, IOMMU_IOAS_IOVA_RANGES, &args), 0);
	VFIO_ASSERT_EQ(errno, EMSGSIZE);
	ranges = calloc_assert(args.num_iovas, sizeof(*ranges));
	args.allowed_iovas = (uintptr_t)ranges;
	ioctl_assert(iommu->iommufd, IOMMU_IOAS_IOVA_RANGES, &args);
	*nranges = args.num_iovas;
	return ranges;
}

void iommu_cleanup(struct iommu *iommu)
{
	VFIO_ASSERT_EQ(close(iommu->iommufd), 0);
	free(iommu);
}

int __iommu_map(struct iommu *iommu, struct dma_region *region)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = iommu->ioas_id,
		.user_va = (uintptr_t)region->vaddr,
		.length = region->size,
		.iova = region->iova,
	};

	if (ioctl(iommu->iommufd, IOMMU_IOAS_MAP, &map))
		return -errno;

	list_add(&region->link, &iommu->dma_regions);
	return 0;
}

void iommu_unmap(struct iommu *iommu, struct dma_region *region)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = iommu->ioas_id,
		.iova = region->iova,
		.length = region->size,
	};

	ioctl_assert(iommu->iommufd, IOMMU_IOAS_UNMAP, &unmap);
	list_del_init(&region->link);
}

/* The physical address of @vaddr or, behind an IOMMU, its IOVA */
int __iommu_hva2iova(struct iommu *iommu, void *vaddr, iova_t *iova)
{
	struct iommu_ioas_get_pa args = {
		.size = offsetof(struct iommu_ioas_get_pa, num_extents),
		.ioas_id = iommu->ioas_id,
		.length = 1,
	};
	struct dma_region *region;

	list_for_each_entry(region, &iommu->dma_regions, link) {
		if (vaddr < region->vaddr || vaddr >= region->vaddr + region->size)
			continue;

		args.iova = region->iova + (vaddr - region->vaddr);
		args.out_phys = args.iova;
		if (iommu->noiommu && ioctl(iommu->iommufd, IOMMU_IOAS_GET_PA, &args))
			return -errno;
		if (iova)
			*iova = args.out_phys;
		return 0;
	}

	return -ENOENT;
}

static void config_access(struct vfio_pci_device *device, bool write,
			  size_t offset, u16 *value)
{
	off_t at = device->config_space.offset + offset;
	ssize_t ret;

	ret = write ? pwrite(device->fd, value, sizeof(*value), at) :
		      pread(device->fd, value, sizeof(*value), at);
	VFIO_ASSERT_EQ(ret, (ssize_t)sizeof(*value));
}

u16 vfio_pci_config_readw(struct vfio_pci_device *device, size_t offset)
{
	u16 value;

	config_access(device, false, offset, &value);
	return value;
}

void vfio_pci_config_writew(struct vfio_pci_device *device, size_t offset,
			    u16 value)
{
	config_access(device, true, offset, &value);
}

bool vfio_pci_device_match(struct vfio_pci_device *device, u16 vendor_id,
			   u16 device_id)
{
	return vfio_pci_config_readw(device, PCI_VENDOR_ID) == vendor_id &&
	       vfio_pci_config_readw(device, PCI_DEVICE_ID) == device_id;
}

void vfio_pci_irq_set(struct vfio_pci_device *device, u32 index, u32 vector,
		      u32 count, int *fds)
{
	struct {
		struct vfio_irq_set irq;
		int fd;
	} args = {
		.irq.argsz = sizeof(args),
		.irq.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
			     (count ? VFIO_IRQ_SET_DATA_EVENTFD :
				      VFIO_IRQ_SET_DATA_NONE),
		.irq.index = index,
		.irq.start = vector,
		.irq.count = count,
	};

	VFIO_ASSERT_LE(count, 1);
	if (count)
		args.fd = *fds;
	ioctl_assert(device->fd, VFIO_DEVICE_SET_IRQS, &args);
}

void vfio_pci_msi_enable(struct vfio_pci_device *device, u32 vector, int count)
{
	VFIO_ASSERT_EQ(vector, 0);
	VFIO_ASSERT_EQ(count, 1);
	VFIO_ASSERT_LT(device->msi_eventfds[0], 0);

	device->msi_eventfds[0] = eventfd(0, 0);
	VFIO_ASSERT_GE(device->msi_eventfds[0], 0);
	vfio_pci_irq_set(device, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, device->msi_eventfds);
}

void vfio_pci_msi_disable(struct vfio_pci_device *device)
{
	vfio_pci_irq_set(device, VFIO_PCI_MSI_IRQ_INDEX, 0, 0, NULL);
	VFIO_ASSERT_EQ(close(device->msi_eventfds[0]), 0);
	device->msi_eventfds[0] = -1;
}

static void region_get(struct vfio_pci_device *device, u32 index,
		       struct vfio_region_info *info)
{
	info->argsz = sizeof(*info);
	info->index = index;
	ioctl_assert(device->fd, VFIO_DEVICE_GET_REGION_INFO, info);
}

static void bar_map(struct vfio_pci_device *device, u32 index)
{
	struct vfio_pci_bar *bar = &device->bars[index];

	region_get(device, VFIO_PCI_BAR0_REGION_INDEX + index, &bar->info);
	if (!(bar->info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;

	bar->vaddr = mmap(NULL, bar->info.size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, device->fd, bar->info.offset);
	VFIO_ASSERT_NE(bar->vaddr, MAP_FAILED);
}

static void bar_unmap(struct vfio_pci_bar *bar)
{
	if (bar->vaddr)
		VFIO_ASSERT_EQ(munmap(bar->vaddr, bar->info.size), 0);
}

static void device_attach_cdev(struct vfio_pci_device *device)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = device->iommu->ioas_id,
	};
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = device->iommu->iommufd,
	};
	const char *path = vfio_pci_get_cdev_path(device->bdf);

	/* A device must not be given IOVAs for physical addresses */
	VFIO_ASSERT_EQ(is_noiommu_cdev_path(path), device->iommu->noiommu,
		       "%s\n", path);

	device->fd = open(path, O_RDWR);
	VFIO_ASSERT_GE(device->fd, 0, "%s\n", path);
	free((void *)path);
	ioctl_assert(device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	ioctl_assert(device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

struct vfio_pci_device *vfio_pci_device_init(const char *bdf,
					     struct iommu *iommu)
{
	struct vfio_pci_device *device = calloc_assert(1, sizeof(*device));
	int i;

	device->bdf = bdf;
	device->iommu = iommu;
	device->msi_eventfds[0] = -1;
	device_attach_cdev(device);

	device->msi_info.argsz = sizeof(device->msi_info);
	device->msi_info.index = VFIO_PCI_MSI_IRQ_INDEX;
	ioctl_assert(device->fd, VFIO_DEVICE_GET_IRQ_INFO, &device->msi_info);
	region_get(device, VFIO_PCI_CONFIG_REGION_INDEX, &device->config_space);
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		bar_map(device, i);

	if (!edu_ops.probe(device))
		device->driver.ops = &edu_ops;

	return device;
}

void vfio_pci_device_cleanup(struct vfio_pci_device *device)
{
	int i;

	if (device->driver.initialized)
		device->driver.ops->remove(device);
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		bar_unmap(&device->bars[i]);
	VFIO_ASSERT_EQ(close(device->fd), 0);
	free(device);
}

void vfio_pci_driver_init(struct vfio_pci_device *device)
{
	device->driver.ops->init(device);
	device->driver.initialized = true;
}

int vfio_pci_driver_memcpy(struct vfio_pci_device *device, iova_t src,
			   iova_t dst, u64 size)
{
	VFIO_ASSERT_TRUE(device->driver.initialized);
	VFIO_ASSERT_LE(size, device->driver.max_memcpy_size);
	device->driver.ops->memcpy_start(device, src, dst, size, 1);
	return device->driver.ops->memcpy_wait(device);
}

void vfio_pci_driver_send_msi(struct vfio_pci_device *device)
{
	VFIO_ASSERT_TRUE(device->driver.initialized);
	device->driver.ops->send_msi(device);
}
