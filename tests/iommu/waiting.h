/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls that wait for a page of memory, for as long as a test likes */
#ifndef WAITING_H
#define WAITING_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
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

/* An ioctl in a thread of its own; ret is 0 or a negative errno when it has ended */
struct waiting_call {
	int fd;
	unsigned long request;
	void *args;
	int ret;
	pthread_t thread;
};

static inline void *waiting_call_run(void *arg)
{
	struct waiting_call *call = arg;

	call->ret = ioctl(call->fd, call->request, call->args) ? -errno : 0;
	return NULL;
}

static inline void waiting_call_start(struct __test_metadata *_metadata,
				      struct waiting_call *call)
{
	ASSERT_EQ(0, pthread_create(&call->thread, NULL, waiting_call_run,
				    call));
}

static inline void waiting_call_join(struct __test_metadata *_metadata,
				     struct waiting_call *call)
{
	ASSERT_EQ(0, pthread_join(call->thread, NULL));
}

#endif
