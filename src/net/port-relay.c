/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The supervisor's end of the relay: starts it, tells it, and ends it.
 * Zone: owing.
 */
#include "net/port-relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "net/port-relay-serve.h"

#define PATIENCE_SEC 5
#define FLOWS_MAX 32768
#define FDS_OF_FLOW 6 /* of a connection that is busy in both directions */
#define FDS_KEPT 128
#define FDS_WANTED (FLOWS_MAX * FDS_OF_FLOW + PORTS_MAX + FDS_KEPT)

size_t relay_flow_max(size_t fds)
{
	size_t count = fds > FDS_KEPT + FDS_OF_FLOW ? (fds - FDS_KEPT) / FDS_OF_FLOW : 1;

	return count < FLOWS_MAX ? count : FLOWS_MAX;
}

/* Of descriptors root may have more than it is given; others as many as they may give themselves.
 */
static size_t raise_limit(pid_t pid)
{
	struct rlimit limit = {FDS_WANTED, FDS_WANTED}, now = {0};

	(void)prlimit(pid, RLIMIT_NOFILE, NULL, &now);
	if (now.rlim_max > FDS_WANTED)
		limit.rlim_max = now.rlim_max;
	if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) < 0) {
		limit.rlim_cur = limit.rlim_max = now.rlim_max;
		(void)prlimit(pid, RLIMIT_NOFILE, &limit, NULL);
	}
	return limit.rlim_cur;
}

__attribute__((noreturn)) static void become(enum relay_side side, int fd, pid_t supervisor)
{
	int kept[] = {fd};

	/* What a terminal sends to the supervisor's group is not for it. */
	(void)setsid();
	(void)prctl(PR_SET_NAME, "nspawn-ports", 0, 0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != supervisor ||
	    fd_close_others(0, kept, ARRAY_LEN(kept)) < 0)
		_exit(EXIT_FAILURE);
	/* So that no socket has the number of a standard stream. */
	for (int stream = open("/dev/null", O_RDWR | O_CLOEXEC); stream >= 0 && stream < 2;)
		stream = open("/dev/null", O_RDWR | O_CLOEXEC);
	relay_serve(side, fd);
}

int relay_start(struct relay *relay, enum relay_side side)
{
	const struct timeval patience = {.tv_sec = PATIENCE_SEC};
	auto_close int fd = -EBADF, other_fd = -EBADF;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&relay->pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t supervisor = getpid();
	int fds[2];
	long pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	fd = fds[0];
	other_fd = fds[1];
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(side, other_fd, supervisor);
	relay->pid = (pid_t)pid;
	relay->flow_max = relay_flow_max(raise_limit(relay->pid));
	relay->fd = steal_fd(fd);
	return 0;
}

void relay_stop(struct relay *relay)
{
	if (relay->pidfd >= 0)
		pidfd_end(relay->pidfd);
	scope_close(&relay->pidfd);
	scope_close(&relay->fd);
	*relay = RELAY_NONE;
}

/* --- Talking --- */

static int receive(struct relay *relay, int flags, struct relay_report *ret)
{
	ssize_t length;

	do
		length = recv(relay->fd, ret, sizeof(*ret), flags);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == EAGAIN && !(flags & MSG_DONTWAIT) ? -ETIME : -errno;
	return length == sizeof(*ret) ? 0 : -EPIPE;
}

static int tell(struct relay *relay, const struct relay_order *order, int passenger_fd)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {(void *)order, sizeof(*order)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct relay_report report = {0};

	if (passenger_fd >= 0) {
		struct cmsghdr *passenger = (struct cmsghdr *)control;

		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		*passenger = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					      .cmsg_level = SOL_SOCKET,
					      .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(passenger), &passenger_fd, sizeof(int));
	}
	if (sendmsg(relay->fd, &header, MSG_NOSIGNAL) < 0)
		return errno == EAGAIN ? -ETIME : -errno;
	while (!report.is_answer)
		TRY(receive(relay, 0, &report));
	relay->targets = report.targets;
	return report.result;
}

int relay_enter(struct relay *relay, const struct relay_network *network)
{
	const struct relay_order order = {
		.what = RELAY_ORDER_BEGIN,
		.is_ours = network->is_ours,
		.has_links = network->has_links,
	};

	return tell(relay, &order, network->fd);
}

int relay_add(struct relay *relay, const struct port_request *port, int socket_fd)
{
	const struct relay_order order = {.what = RELAY_ORDER_ADD, .port = *port};

	return tell(relay, &order, socket_fd);
}

int relay_remove(struct relay *relay, const struct port_request *port)
{
	const struct relay_order order = {.what = RELAY_ORDER_REMOVE, .port = *port};

	return tell(relay, &order, -EBADF);
}

int relay_hear(struct relay *relay)
{
	struct relay_report report;
	int r = receive(relay, MSG_DONTWAIT, &report);

	if (r < 0)
		return r == -EAGAIN ? 0 : -EPIPE;
	if (memcmp(&relay->targets, &report.targets, sizeof(report.targets)) == 0)
		return 0;
	relay->targets = report.targets;
	return 1;
}
