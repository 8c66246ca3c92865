/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A socket belongs to the network where it was made, whoever has it then.
 * Zone: owing; doomed in the process that goes there.
 */
#include "net/port-inside.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "net/port-socket.h"

/* One socket, or why there is none. */
struct made {
	size_t number;
	int result;
};

int port_network_enter(int fd, bool is_ours)
{
	auto_close int users_fd = is_ours ? -EBADF : ioctl(fd, NS_GET_USERNS);

	if (!is_ours && (users_fd < 0 || setns(users_fd, CLONE_NEWUSER) < 0))
		return -errno;
	return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int send_made(int to_fd, const struct made *made, int fd)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {(void *)made, sizeof(*made)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *passenger = (struct cmsghdr *)control;

	if (fd >= 0) {
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		*passenger = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					      .cmsg_level = SOL_SOCKET,
					      .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(passenger), &fd, sizeof(int));
	}
	return sendmsg(to_fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int make(const struct port_requests *ports, int to_fd)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < ports->count; i++)
		for (size_t j = 0; j < ARRAY_LEN(families); j++) {
			auto_close int fd = -EBADF;
			struct made made = {.number = i};

			made.result = port_socket_open_loopback(&ports->items[i], families[j], &fd);
			if (made.result == -EAFNOSUPPORT && families[j] == AF_INET6)
				continue;
			TRY(send_made(to_fd, &made, fd));
			TRY(made.result);
		}
	return 0;
}

__attribute__((noreturn)) static void go_inside(const struct relay_network *network,
						const struct port_requests *ports, int to_fd)
{
	struct made made = {.number = SIZE_MAX};

	made.result = port_network_enter(network->fd, network->is_ours);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		made.result = -errno;
	if (made.result < 0)
		(void)send_made(to_fd, &made, -EBADF);
	else
		(void)make(ports, to_fd);
	_exit(EXIT_SUCCESS);
}

/* 1: one more, 0: that was all. */
static int receive(int from_fd, struct made *made, int *ret_fd)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {made, sizeof(*made)};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *passenger;
	ssize_t length;

	do
		length = recvmsg(from_fd, &header, MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	if (length <= 0)
		return length < 0 ? -errno : 0;
	passenger = CMSG_FIRSTHDR(&header);
	if (passenger && passenger->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(passenger), sizeof(int));
	return length == sizeof(*made) ? 1 : -EBADMSG;
}

static int take_all(int from_fd, const struct port_requests *ports, port_socket_taker take,
		    void *userdata, const struct port_request **ret_failed)
{
	for (;;) {
		auto_close int fd = -EBADF;
		struct made made = {.number = SIZE_MAX};
		int r = receive(from_fd, &made, &fd);

		if (r <= 0)
			return r;
		if (made.number < ports->count)
			*ret_failed = &ports->items[made.number];
		TRY(made.result);
		TRY(take(&ports->items[made.number], fd, userdata));
		*ret_failed = NULL;
	}
}

int port_sockets_inside(const struct relay_network *network, const struct port_requests *ports,
			port_socket_taker take, void *userdata,
			const struct port_request **ret_failed)
{
	auto_close int fd = -EBADF, other_fd = -EBADF, pidfd = -EBADF;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	int fds[2], r;
	long pid;

	*ret_failed = NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	fd = fds[0];
	other_fd = fds[1];
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid < 0)
		return -errno;
	if (pid == 0)
		go_inside(network, ports, other_fd);
	scope_close(&other_fd);
	other_fd = -EBADF;
	r = take_all(fd, ports, take, userdata, ret_failed);
	pidfd_end(pidfd);
	return r;
}
