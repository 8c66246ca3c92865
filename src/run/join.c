/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of a further process in a running machine: makes the joiner, then waits between the
 * caller's terminal, signals and the command's end.
 * Zone: owing.
 */
#include "run/join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "manager/cgroup-find.h"
#include "run/console.h"
#include "run/join-inside.h"
#include "run/join-last.h"
#include "run/join-leader.h"
#include "run/join-relay.h"
#include "run/program.h"
#include "run/supervise.h"

/*
 * Where an init divides the machine's group, processes can only be in leaves of it; one at the top
 * would keep the init from handing controllers down (cgroup-v2.rst, "No Internal Process
 * Constraint").
 */
#define LEAF_NAME "exec"

struct client {
	struct join_inside inside;
	struct join_relays relays;
	struct handshake handshake;
	struct handshake_watch watch;
	struct handshake_fault fault; /* of the last step */
	struct console console;
	int signal_fd, joiner_fd, command_fd, child_fd;
	int status; /* when the joiner found that nothing can be run */
	bool has_failed, is_told, is_stopping;
};

/* --- The joiner --- */

static long clone_joiner(struct client *client, int cgroup_fd)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&client->joiner_fd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	return pid < 0 ? -errno : pid;
}

/* Not removed again: the next one uses it too, and the machine's end takes it along. */
static long clone_into_leaf(struct client *client, int cgroup_fd)
{
	auto_close int leaf_fd = -EBADF;

	if (mkdirat(cgroup_fd, LEAF_NAME, 0755) < 0 && errno != EEXIST)
		return -errno;
	leaf_fd = cgroup_open(cgroup_fd, LEAF_NAME);
	return leaf_fd < 0 ? leaf_fd : clone_joiner(client, leaf_fd);
}

/* Being born in the group costs nothing; being moved there would take milliseconds. */
static long clone_into_cgroup(struct client *client)
{
	const struct join_machine *machine = client->inside.request->machine;
	const char *directory = machine->cgroup;
	auto_close int cgroup_fd = directory ? cgroup_open(AT_FDCWD, directory) : -ENOENT;
	long pid = cgroup_fd;

	if (cgroup_fd >= 0)
		pid = machine->has_booted ? -EBUSY : clone_joiner(client, cgroup_fd);
	if (pid == -EBUSY)
		pid = clone_into_leaf(client, cgroup_fd);
	if (pid >= 0)
		return pid;
	if (directory)
		debug("The command cannot be in the machine's cgroup (%s), leaving it in ours",
		      strerrordesc_np((int)-pid));
	return clone_joiner(client, -EBADF);
}

/* Who takes the last step has no sentences. Returns the status for it. */
static int explain_fault(const struct client *client)
{
	auto_close int root_fd = -EBADF;
	char path[32];
	int r;

	if (client->fault.at != LAST_STEP_EXECUTE) {
		(void)join_last_explain(&client->fault, client->inside.request->machine->name);
		return JOIN_FAILED;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)client->inside.pid);
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = program_explain(root_fd, client->fault.object, client->fault.error);
	return r == -ENOENT ? JOIN_NOT_FOUND : JOIN_CANNOT;
}

static int explain_silence(struct client *client, int r)
{
	if (r == HANDSHAKE_IS_FAILED && client->fault.error)
		return -explain_fault(client);
	/* Who is killed with the machine may have got no further than its sentence. */
	if (r == HANDSHAKE_IS_FAILED || client->handshake.has_complained)
		return HANDSHAKE_IS_FAILED;
	if (r == -EINTR)
		return refuse(EINTR, "Told to stop while the command was still being set up");
	/* With its cgroup, or with the last process of its PID namespace. */
	return refuse(ESRCH, "Machine '%s' has just ended", client->inside.request->machine->name);
}

/* The command may have failed before the joiner has said that it exists. */
static int hear_joined(struct client *client)
{
	int passengers[_PASSENGER_COUNT], r;

	do {
		r = handshake_hear(&client->handshake, HANDSHAKE_JOINED, passengers);
		client->has_failed = client->has_failed || r == HANDSHAKE_IS_FAILED;
	} while (r == HANDSHAKE_IS_FAILED);
	if (r < 0)
		return explain_silence(client, client->has_failed ? HANDSHAKE_IS_FAILED : r);
	/* None where the machine's own init has put something on our terminal. */
	client->command_fd = passengers[PASSENGER_PIDFD];
	return console_start(&client->console, &client->inside.console,
			     passengers[PASSENGER_CONSOLE]);
}

/* A file system of the machine's may hold it up, but not when it has said that it gives up. */
static void end_joiner(struct client *client, int r)
{
	siginfo_t info = {0};

	if (r < 0 && !client->has_failed)
		pidfd_end(client->joiner_fd);
	while (waitid(P_PIDFD, (id_t)client->joiner_fd, &info, WEXITED) < 0 && errno == EINTR)
		;
	client->status = info.si_code == CLD_EXITED ? info.si_status : 0;
	scope_close(&client->joiner_fd);
}

static int make_joiner(struct client *client)
{
	struct handshake other;
	long pid;
	int r;

	if (client->inside.request->takes_last_step) {
		client->inside.image_fd = join_last_make();
		TRY(client->inside.image_fd);
	}
	r = handshake_open(&client->handshake, &other);
	if (r < 0)
		return fail(r, "Cannot make the socket for talking with the command");
	client->inside.handshake = other;
	client->inside.client_fd = client->handshake.fd;
	client->watch = (struct handshake_watch){client->signal_fd, &client->joiner_fd};
	client->handshake.watch = &client->watch;
	client->handshake.fault = &client->fault;
	pid = clone_into_cgroup(client);
	if (pid == 0)
		join_inside(&client->inside);
	scope_close(&other.fd);
	if (pid < 0)
		return fail((int)pid, "Cannot make a process for machine '%s'",
			    client->inside.request->machine->name);
	join_relays_hand_over(&client->relays);
	r = hear_joined(client);
	end_joiner(client, r);
	return r;
}

/* --- Waiting --- */

static void signal_command(const struct client *client, int number)
{
	if (client->command_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, client->command_fd, number, NULL, 0);
}

static void stop_with_command(struct client *client)
{
	signal_command(client, SIGSTOP);
	console_suspend(&client->console);
	signal_command(client, SIGCONT);
}

static void take_signal(struct client *client)
{
	struct signalfd_siginfo info;

	if (read(client->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGWINCH:
		console_window_changed(&client->console);
		break;
	case SIGTSTP:
		stop_with_command(client);
		break;
	case SIGCONT:
		console_resumed(&client->console);
		signal_command(client, SIGCONT);
		break;
	case SIGTERM:
		/* Whoever says it twice means it. */
		signal_command(client, client->is_stopping ? SIGKILL : SIGTERM);
		client->is_stopping = true;
		break;
	default:
		signal_command(client, (int)info.ssi_signo);
		client->is_stopping = client->is_stopping || client->command_fd < 0;
	}
}

/* Nobody is left to type: as when a terminal is closed, but for good. */
static int leave(struct client *client)
{
	console_stop(&client->console);
	signal_command(client, SIGKILL);
	return client->command_fd < 0;
}

static int waited_for(const struct client *client)
{
	return client->command_fd >= 0 ? client->command_fd
				       : client->inside.request->machine->leader_fd;
}

static int wait_once(struct client *client)
{
	struct pollfd fds[3 + CONSOLE_POLLFDS] = {
		{.fd = waited_for(client), .events = POLLIN},
		{.fd = client->signal_fd, .events = POLLIN},
		{.fd = client->is_told ? -1 : client->handshake.fd, .events = POLLIN},
	};
	size_t count = console_pollfds(&client->console, fds + 3);
	int r = poll(fds, 3 + count, -1);

	if (r < 0)
		return errno == EINTR ? 0 : fail(-errno, "Cannot wait for the command");
	if (fds[2].revents) {
		r = handshake_overhear(&client->handshake);
		client->has_failed = client->has_failed || r == HANDSHAKE_IS_FAILED;
		client->is_told = r != 0;
	}
	if (fds[1].revents)
		take_signal(client);
	r = console_dispatch(&client->console, fds + 3, count);
	TRY(r);
	if (client->is_stopping && client->command_fd < 0)
		return 1;
	if (r == CONSOLE_KILL && leave(client))
		return 1;
	return fds[0].revents ? 1 : 0;
}

/* What it said while it ended is still there. */
static void hear_the_rest(struct client *client)
{
	while (!client->is_told) {
		int r = handshake_overhear(&client->handshake);

		client->has_failed = client->has_failed || r == HANDSHAKE_IS_FAILED;
		client->is_told = r != 0;
	}
}

static int status_of_command(struct client *client)
{
	siginfo_t info = {0};

	if (client->command_fd < 0)
		return 0;
	while (waitid(P_PIDFD, (id_t)client->command_fd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return JOIN_FAILED;
	hear_the_rest(client);
	if (client->fault.error)
		return explain_fault(client);
	return info.si_code == CLD_EXITED ? info.si_status : JOIN_SIGNAL + info.si_status;
}

static int wait_for_command(struct client *client)
{
	int r;

	do
		r = wait_once(client);
	while (r == 0);
	if (r < 0) {
		(void)leave(client);
		(void)status_of_command(client);
		return JOIN_FAILED;
	}
	r = status_of_command(client);
	(void)console_drain(&client->console, client->signal_fd);
	join_relays_finish(&client->relays);
	return r;
}

/* --- The whole --- */

static void plan_console(struct client *client)
{
	const struct join_request *request = client->inside.request;
	const char *term = getenv("TERM");
	bool is_terminal[3], is_dumb = !term || !*term || strcmp(term, "dumb") == 0;

	for (int stream = 0; stream < 3; stream++)
		is_terminal[stream] = !request->without_terminal && fd_is_terminal(stream);
	console_decide(request->mode, is_terminal, is_dumb, &client->inside.console);
	if (!is_dumb && client->inside.console.output_stream >= 0 &&
	    fd_is_terminal(client->inside.console.output_stream))
		client->inside.term = term;
}

/* A stub init has never executed anything in its user namespace, and is root's to look at. */
static int find_namespaces(struct client *client)
{
	const struct join_machine *machine = client->inside.request->machine;
	struct join_inside *inside = &client->inside;
	int r;

	inside->pid = machine->leader;
	inside->pid_fd = machine->leader_fd;
	r = join_leader_namespaces(inside->pid, &inside->namespaces);
	if (r == -EACCES || r == -EPERM) {
		r = join_leader_child(machine->leader, &inside->pid, &client->child_fd);
		inside->pid_fd = client->child_fd;
	}
	if (r >= 0 && client->child_fd >= 0)
		r = join_leader_namespaces(inside->pid, &inside->namespaces);
	if (r == -ESRCH)
		return explain_silence(client, r);
	return r < 0 ? fail(r, "Cannot look at machine '%s'", machine->name) : 0;
}

static int run(struct client *client)
{
	const struct join_machine *machine = client->inside.request->machine;

	client->signal_fd = supervise_block_signals();
	TRY(client->signal_fd);
	TRY(join_leader_wait(machine->name, machine->leader));
	TRY(find_namespaces(client));
	plan_console(client);
	TRY(join_relays_open(&client->relays, client->inside.request->without_terminal,
			     client->inside.streams));
	TRY(make_joiner(client));
	return wait_for_command(client);
}

int join(struct arena *arena, const struct join_request *request)
{
	struct client client = {
		.inside = {.request = request, .arena = arena, .image_fd = -EBADF},
		.relays = JOIN_RELAYS_NONE,
		.handshake = {.fd = -EBADF},
		.signal_fd = -EBADF,
		.joiner_fd = -EBADF,
		.command_fd = -EBADF,
		.child_fd = -EBADF,
	};
	int r = run(&client);

	console_stop(&client.console);
	join_relays_finish(&client.relays);
	scope_close(&client.command_fd);
	scope_close(&client.child_fd);
	scope_close(&client.inside.image_fd);
	scope_close(&client.handshake.fd);
	scope_close(&client.signal_fd);
	return r < 0 ? (client.status ? client.status : JOIN_FAILED) : r;
}
