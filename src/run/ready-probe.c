/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that looks whether a machine is ready.
 * Zone: owing in the supervisor, doomed in the process.
 */
#include "run/ready-probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "run/join.h"
#include "run/launch.h"

#define CONNECT_TIMEOUT_MSEC 1000
#define FIRST_PAUSE_MSEC 20
#define LONGEST_PAUSE_MSEC 500

/* --- A command --- */

/*
 * A command must not hang because nobody reads what it writes, and a device of the host's is
 * nothing to hand over: root inside could change its mode.
 */
static pid_t start_swallowing(int fd)
{
	pid_t parent = getpid(), pid = fork();
	char bytes[4096];

	if (pid != 0)
		return pid;
	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent)
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
	_exit(EXIT_SUCCESS);
}

/* One pipe that is empty for good, and one that is always read. */
static int connect_streams(pid_t *ret_swallowing)
{
	int empty[2], full[2];

	if (pipe2(empty, O_CLOEXEC) < 0 || pipe2(full, O_CLOEXEC) < 0)
		return -errno;
	if (dup2(empty[0], 0) < 0 || dup2(full[1], 1) < 0 || dup2(full[1], 2) < 0)
		return -errno;
	(void)close(empty[0]);
	(void)close(empty[1]);
	(void)close(full[1]);
	*ret_swallowing = start_swallowing(full[0]);
	(void)close(full[0]);
	return *ret_swallowing < 0 ? -errno : 0;
}

static int run_command(const struct machine *machine)
{
	const struct plan *plan = machine->plan;
	const char *words[] = {"/bin/sh", "-c", plan->config->ready.command, NULL};
	const struct join_machine joined = {
		.name = plan->machine,
		.leader = machine->pid,
		.leader_fd = machine->pidfd,
		.cgroup = machine->entry ? machine->entry->cgroup : NULL,
		.has_booted = plan->config->start == START_BOOT,
		.capabilities = {.bounding = plan->capabilities.bounding,
				 .ambient = plan->capabilities.ambient},
		.no_new_privileges = plan->config->no_new_privileges,
		.filter = plan->filter,
		.filter_length = plan->filter_length,
		.environment = machine->entry ? machine->entry->environment : (struct strings){0},
	};
	const struct join_request request = {
		.machine = &joined,
		.kind = JOIN_COMMAND,
		.words = words,
		.mode = CONSOLE_PIPE,
	};
	pid_t swallowing = 0;
	int r;

	if (connect_streams(&swallowing) < 0)
		return JOIN_FAILED;
	r = join(machine->arena, &request);
	/* What the command left running may hold the pipe. */
	(void)kill(swallowing, SIGKILL);
	(void)waitpid(swallowing, NULL, 0);
	return r;
}

/* --- A port --- */

/* For an ordinary user only with the user namespace that the network belongs to. */
static int enter_network(const struct machine *machine)
{
	const struct plan *plan = machine->plan;

	if (!(plan->clone_flags & CLONE_NEWNET) && !plan->config->network_namespace_path)
		return 0;
	if (setns(machine->pidfd, CLONE_NEWNET) == 0)
		return 0;
	return setns(machine->pidfd, CLONE_NEWUSER | CLONE_NEWNET) < 0 ? -errno : 0;
}

/* Where nobody listens on a port that the kernel gives away, a socket may meet itself (tcp(7)). */
static bool met_itself(int fd, int family, uint16_t port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} own = {};
	socklen_t length = sizeof(own);

	return getsockname(fd, &own.any, &length) < 0 ||
	       ntohs(family == AF_INET ? own.four.sin_port : own.six.sin6_port) == port;
}

static bool answers(const struct sockaddr *address, socklen_t length, uint16_t port)
{
	auto_close int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd waiting = {.fd = fd, .events = POLLOUT};
	int problem = 0;
	socklen_t problem_length = sizeof(problem);

	if (fd < 0)
		return false;
	if (connect(fd, address, length) < 0) {
		if (errno != EINPROGRESS || poll(&waiting, 1, CONNECT_TIMEOUT_MSEC) <= 0)
			return false;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &problem_length) < 0 || problem)
			return false;
	}
	return !met_itself(fd, address->sa_family, port);
}

static bool port_answers(uint16_t port)
{
	const struct sockaddr_in four = {.sin_family = AF_INET,
					 .sin_port = htons(port),
					 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const struct sockaddr_in6 six = {.sin6_family = AF_INET6,
					 .sin6_port = htons(port),
					 .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	return answers((const struct sockaddr *)&four, sizeof(four), port) ||
	       answers((const struct sockaddr *)&six, sizeof(six), port);
}

static int await_port(const struct machine *machine)
{
	int pause_msec = FIRST_PAUSE_MSEC;

	if (enter_network(machine) < 0)
		return EXIT_FAILURE;
	/* Cleared by a change of ids in a user namespace. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return EXIT_FAILURE;
	while (!port_answers((uint16_t)machine->plan->config->ready.port)) {
		(void)poll(NULL, 0, pause_msec);
		pause_msec =
			pause_msec * 2 > LONGEST_PAUSE_MSEC ? LONGEST_PAUSE_MSEC : pause_msec * 2;
	}
	return EXIT_SUCCESS;
}

/* --- The process --- */

/* What a terminal sends to the supervisor's group is not for it. */
__attribute__((noreturn)) static void probe(const struct machine *machine, pid_t supervisor)
{
	int kept[] = {machine->pidfd}, r = EXIT_FAILURE;
	sigset_t none;

	(void)setsid();
	(void)prctl(PR_SET_NAME, "nspawn-ready", 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != supervisor ||
	    fd_close_others(3, kept, ARRAY_LEN(kept)) < 0)
		_exit(EXIT_FAILURE);
	if (machine->plan->config->ready.when == READY_EXEC) {
		r = run_command(machine);
	} else {
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		r = await_port(machine);
	}
	_exit(r);
}

int ready_probe_start(const struct machine *machine)
{
	pid_t supervisor = getpid(), pid = fork();
	int fd;

	if (pid == 0)
		probe(machine, supervisor);
	if (pid < 0)
		return -errno;
	fd = pidfd_open(pid, 0);
	if (fd >= 0)
		return fd;
	fd = -errno;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return fd;
}
