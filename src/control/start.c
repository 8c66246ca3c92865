/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn start: the service manager starts the machine's unit. Where there is no manager, nspawn
 * stays in the background itself, with the options of the unit.
 * Zone: free; the child after the fork: doomed.
 */
#include "control/units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"

/* --- Without a service manager --- */

/* A socket for sd_notify(3) without a name in the file system, and its address in 'ret_address'. */
static int listen_for_ready(char ret_address[static 64])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = sizeof(address);
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path)) <
		    0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	(void)snprintf(ret_address, 64, "@%.*s",
		       (int)(length - offsetof(struct sockaddr_un, sun_path) - 1),
		       address.sun_path + 1);
	return steal_fd(fd);
}

/* A session of its own: it outlives the terminal. Its messages go into a pipe until it is ready. */
__attribute__((noreturn)) static void become_supervisor(const char *machine, bool is_user,
							const char *address, int error_fd)
{
	char *name = NULL;
	const char *words[] = {"nspawn",
			       "--quiet",
			       "--boot",
			       "--settings=override",
			       NULL, /* the name */
			       is_user ? NULL
				       : "--link-journal=try-guest", /* a user: nothing more */
			       "--network-veth",
			       "-U",
			       NULL};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
	    dup2(error_fd, STDERR_FILENO) < 0 || asprintf(&name, "--machine=%s", machine) < 0)
		_exit(EXIT_FAILURE);
	words[4] = name;
	(void)setsid();
	(void)chdir("/");
	(void)setenv("NOTIFY_SOCKET", address, 1);
	(void)unsetenv("WATCHDOG_USEC");
	(void)execv("/proc/self/exe", (char *const *)words);
	_exit(EXIT_FAILURE);
}

/* Passes on what it says, line by line as it comes. False at its end. */
static bool pass_on(int error_fd)
{
	char text[4096];
	ssize_t length = read(error_fd, text, sizeof(text));

	if (length > 0)
		(void)fd_write_all(STDERR_FILENO, text, (size_t)length);
	return length > 0 || (length < 0 && errno == EINTR);
}

/* Whether one of the messages that wait says READY=1. */
static bool is_ready(int ready_fd)
{
	char text[4097];
	ssize_t length;

	while ((length = recv(ready_fd, text, sizeof(text) - 1, 0)) >= 0) {
		text[length] = '\0';
		if (strncmp(text, "READY=1", 7) == 0 || strstr(text, "\nREADY=1"))
			return true;
	}
	return false;
}

static int await_ready(int ready_fd, int error_fd)
{
	struct pollfd fds[] = {{.fd = error_fd, .events = POLLIN},
			       {.fd = ready_fd, .events = POLLIN}};

	for (;;) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents && is_ready(ready_fd))
			return 0;
		if (fds[0].revents && !pass_on(error_fd))
			return -ECHILD;
	}
}

static int start_in_background(const char *machine, bool is_user)
{
	auto_close int ready_fd = -EBADF, read_fd = -EBADF, write_fd = -EBADF;
	char address[64];
	int pipe_fds[2], r;
	pid_t pid;

	ready_fd = listen_for_ready(address);
	if (ready_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
		return fail(ready_fd < 0 ? ready_fd : -errno,
			    "Cannot prepare to start machine '%s' in the background", machine);
	read_fd = pipe_fds[0];
	write_fd = pipe_fds[1];
	pid = fork();
	if (pid < 0)
		return fail(-errno, "Cannot prepare to start machine '%s' in the background",
			    machine);
	if (pid == 0)
		become_supervisor(machine, is_user, address, write_fd);
	scope_close(&write_fd);
	write_fd = -EBADF;
	r = await_ready(ready_fd, read_fd);
	if (r == 0)
		return 0;
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, NULL, 0);
	return refuse(EIO, "Machine '%s' did not start: %s", machine,
		      r == -ECHILD ? "what nspawn says is above" : strerror(-r));
}

/* --- The verb --- */

static int start(struct arena *arena, const struct strings *machines)
{
	__attribute__((cleanup(bus_close))) struct bus bus = BUS_NONE;
	struct places places;
	int result = 0;

	TRY(units_check_names(machines));
	TRY(places_find(arena, SCOPE_AUTO, &places));
	if (units_open(arena, &places, &bus) == 0)
		return units_start(arena, &bus, machines, places.is_user);
	debug("There is no service manager: nspawn stays in the background itself");
	for (size_t i = 0; i < machines->count; i++)
		if (start_in_background(machines->items[i], places.is_user) < 0)
			result = -EIO;
	return result;
}

int control_start(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct strings machines = {0};

	for (int i = 1; i < argc; i++) {
		if (*argv[i] == '-') {
			(void)refuse(EINVAL, "'start' does not take '%s'", argv[i]);
			return EXIT_FAILURE;
		}
		strings_add(&arena, &machines, argv[i]);
	}
	if (machines.count == 0) {
		(void)refuse(EINVAL, "'start' needs the name of a machine");
		return EXIT_FAILURE;
	}
	return start(&arena, &machines) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
