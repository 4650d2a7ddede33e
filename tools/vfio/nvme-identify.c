// SPDX-License-Identifier: GPL-2.0
/* What an NVMe controller says about itself and its namespaces */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "example.h"
#include "nvme.h"

#define NVME_IDENTIFY_NAMESPACE	0
#define NVME_IDENTIFY_CTRL	1
#define NVME_IDENTIFY_ACTIVE	2
#define NVME_IDENTIFY_SIZE	4096

/* No controller is given longer, whatever it says */
#define MAX_SHUTDOWN_MS	60000

/* The answer is a page of its own: one PRP says where it goes. */
static int identify(struct nvme_ctrl *ctrl, unsigned int what, __u32 nsid)
{
	struct nvme_command command = {
		.opcode = NVME_ADMIN_IDENTIFY,
		.nsid = htole32(nsid),
		.prp1 = htole64(nvme_page_address(ctrl, PAGE_IDENTIFY)),
		.cdw10 = htole32(what),
	};
	void *page = nvme_page(ctrl, PAGE_IDENTIFY);
	int err;

	memset(page, 0, NVME_IDENTIFY_SIZE);
	vfiodma_sync_for_device(ctrl->dev->vfio, page, NVME_IDENTIFY_SIZE);
	err = nvme_admin_command(ctrl, "Identify", &command);
	vfiodma_sync_for_cpu(ctrl->dev->vfio, page, NVME_IDENTIFY_SIZE);
	return err;
}

/* Strings in Identify are padded with blanks, not terminated. */
static void copy_text(char *to, const char *from, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	while (size && to[size - 1] == ' ')
		size--;
	to[size] = '\0';
}

static __u32 get_le32(const char *data)
{
	__le32 value;

	memcpy(&value, data, sizeof(value));
	return le32toh(value);
}

/* RTD3E, in microseconds: how long shutting down may take */
static __u64 shutdown_timeout_ms(__u32 rtd3e)
{
	__u64 timeout_ms = rtd3e / 1000;

	if (timeout_ms < NVME_SHUTDOWN_MS)
		return NVME_SHUTDOWN_MS;
	if (timeout_ms > MAX_SHUTDOWN_MS)
		return MAX_SHUTDOWN_MS;
	return timeout_ms;
}

int nvme_identify_ctrl(struct nvme_ctrl *ctrl)
{
	const char *data = nvme_page(ctrl, PAGE_IDENTIFY);
	unsigned int mdts;
	int err;

	err = identify(ctrl, NVME_IDENTIFY_CTRL, 0);
	if (err)
		return err;
	copy_text(ctrl->serial, data + 4, 20);
	copy_text(ctrl->model, data + 24, 40);
	copy_text(ctrl->firmware, data + 64, 8);
	mdts = (__u8)data[77];
	if (mdts && mdts < 32)
		ctrl->max_transfer = (__u64)ctrl->page_size << mdts;
	ctrl->shutdown_ms = shutdown_timeout_ms(get_le32(data + 88));
	ctrl->namespaces = get_le32(data + 516);
	note("%s, serial %s, at most %llu bytes a command", ctrl->model,
	     ctrl->serial, (unsigned long long)ctrl->max_transfer);
	return 0;
}

/* Of the LBA formats that a namespace could have, one is in use. */
static __u32 lba_format(const char *data)
{
	unsigned int flbas = (__u8)data[26];

	/* With more than 16 formats, the index has two more bits. */
	if ((__u8)data[25] < 16)
		flbas &= 0xf;
	else
		flbas = (flbas & 0xf) | (flbas >> 5 & 3) << 4;
	return get_le32(data + 128 + 4 * flbas);
}

/* There may be fewer namespaces than numbers for them; the list is in order. */
static int refuse_inactive(struct nvme_ctrl *ctrl, __u32 id)
{
	__u32 first = 0;

	if (!identify(ctrl, NVME_IDENTIFY_ACTIVE, 0))
		first = get_le32(nvme_page(ctrl, PAGE_IDENTIFY));
	if (!first)
		return refuse(ENODEV, "namespace %u: not active, nor is any other",
			      id);
	return refuse(ENODEV,
		      "namespace %u: not active; the first that is has number %u",
		      id, first);
}

int nvme_identify_namespace(struct nvme_ctrl *ctrl, __u32 id,
			    struct nvme_namespace *ns)
{
	const char *data = nvme_page(ctrl, PAGE_IDENTIFY);
	unsigned int format, shift;
	__le64 blocks;
	int err;

	if (!id || id > ctrl->namespaces)
		return refuse(EINVAL,
			      "namespace %u: this controller's are 1 to %u",
			      id, ctrl->namespaces);
	err = identify(ctrl, NVME_IDENTIFY_NAMESPACE, id);
	if (err)
		return err;
	memcpy(&blocks, data, sizeof(blocks));
	format = lba_format(data);
	shift = format >> 16 & 0xff;
	if (!blocks)
		return refuse_inactive(ctrl, id);
	if (shift < 9 || shift > 24)
		return refuse(EOPNOTSUPP,
			      "namespace %u: blocks of 2^%u bytes are not supported",
			      id, shift);
	/* With metadata, the controller would write where nothing is mapped. */
	if (format & 0xffff)
		return refuse(EOPNOTSUPP,
			      "namespace %u: blocks with %u bytes of metadata are not supported",
			      id, format & 0xffff);
	ns->id = id;
	ns->blocks = le64toh(blocks);
	ns->block_size = 1u << shift;
	return 0;
}
