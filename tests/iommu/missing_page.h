/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MISSING_PAGE_H
#define MISSING_PAGE_H

#include <fcntl.h>
#include <poll.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* A page that whoever touches it waits for, until it is given */
struct missing_page {
	void *va;
	int fd;
};

static inline void missing_page_init(struct __test_metadata *_metadata,
			      struct missing_page *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	page->va = mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page->va);
	/* One that blocks is always in error to poll() */
	page->fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_NE(-1, page->fd);
	ASSERT_EQ(0, ioctl(page->fd, UFFDIO_API, &api));
	reg.range = (struct uffdio_range){ (uintptr_t)page->va, PAGE_SIZE };
	ASSERT_EQ(0, ioctl(page->fd, UFFDIO_REGISTER, &reg));
}

/* Until somebody waits for it */
static inline void missing_page_wait(struct __test_metadata *_metadata,
			      const struct missing_page *page)
{
	struct pollfd event = { .fd = page->fd, .events = POLLIN };

	EXPECT_EQ(1, poll(&event, 1, 10000));
	EXPECT_EQ(POLLIN, event.revents);
}

static inline void missing_page_give(struct __test_metadata *_metadata,
			      const struct missing_page *page)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)page->va, PAGE_SIZE },
	};

	EXPECT_EQ(0, ioctl(page->fd, UFFDIO_ZEROPAGE, &zero));
}

#endif
