/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_FDS_H
#define TESTS_LIB_FDS_H

/* Open files that go from one process to another */

#include <string.h>
#include <sys/socket.h>

#include <libvfio.h>

#define FDS_MAX			4

union fds_control {
	char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static inline void fds_send(int sock, const int *fds, int nr)
{
	union fds_control control = {};
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	VFIO_ASSERT_LE(nr, FDS_MAX);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	VFIO_ASSERT_EQ(sendmsg(sock, &msg, 0), 1);
}

static inline void fds_receive(int sock, int *fds, int nr)
{
	union fds_control control = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;

	VFIO_ASSERT_EQ(recvmsg(sock, &msg, 0), 1);
	cmsg = CMSG_FIRSTHDR(&msg);
	VFIO_ASSERT_NOT_NULL(cmsg);
	VFIO_ASSERT_EQ(cmsg->cmsg_type, SCM_RIGHTS);
	VFIO_ASSERT_EQ(cmsg->cmsg_len, CMSG_LEN(nr * sizeof(int)));
	memcpy(fds, CMSG_DATA(cmsg), nr * sizeof(int));
}

#endif /* TESTS_LIB_FDS_H */
