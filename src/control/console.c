/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn console: attaches this terminal to the console of a running machine.
 * Zone: owing, a terminal's modes.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/door.h"
#include "control/supervised.h"
#include "host/places.h"
#include "run/console-keys.h"
#include "run/console-terminal.h"
#include "run/control.h"

#define CHUNK_BYTES 16384

/* How long the end of a connection may take to be seen after the end of the console. */
#define END_PATIENCE_MSEC 500

enum end {
	END_NONE,
	END_DETACHED, /* by the keys for it */
	END_MACHINE,  /* its console is over */
	END_TOLD,     /* by a signal */
	END_OUTPUT,   /* nobody reads what we write */
};

struct attachment {
	const struct registry_entry *entry;
	struct bus bus;
	int stream_fd, signal_fd;
	bool has_input;
	struct console_keys keys;
	struct console_terminal terminal;
};

/* --- The size --- */

/* The guest learns how large the terminal is, unless it has one whose size counts more. */
static void tell_size(struct attachment *attachment)
{
	static const struct bus_call call = {.path = CONTROL_PATH,
					     .interface = CONTROL_INTERFACE,
					     .member = "ResizeConsole",
					     .signature = "uu"};
	struct bus_writer body = {0};
	struct bus_message reply;
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return;
	bus_put_u32(&body, size.ws_col);
	bus_put_u32(&body, size.ws_row);
	bus_set_patience(&attachment->bus, DOOR_PATIENCE_MSEC);
	if (bus_call(&attachment->bus, &call, &body, NULL, &reply) < 0)
		debug("The size of the terminal is not told");
	bus_writer_done(&body);
}

/* --- Bytes --- */

static bool has_detached(struct attachment *attachment, const char *bytes, size_t length)
{
	uint64_t now = clock_now_usec();

	for (size_t i = 0; i < length; i++)
		if (console_keys_feed(&attachment->keys, (unsigned char)bytes[i], now) ==
		    CONSOLE_KILL)
			return true;
	return false;
}

static enum end pass_input(struct attachment *attachment)
{
	char bytes[CHUNK_BYTES];
	ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes)), sent = 0;

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return END_NONE;
	if (got <= 0) {
		attachment->has_input = false;
		return END_NONE;
	}
	if (fd_is_terminal(STDIN_FILENO) && has_detached(attachment, bytes, (size_t)got))
		return END_DETACHED;
	while (sent < got) {
		ssize_t n = send(attachment->stream_fd, bytes + sent, (size_t)(got - sent),
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return END_MACHINE;
		sent += n;
	}
	return END_NONE;
}

static enum end pass_output(struct attachment *attachment)
{
	char bytes[CHUNK_BYTES];
	ssize_t got = recv(attachment->stream_fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return END_NONE;
	if (got <= 0)
		return END_MACHINE;
	console_terminal_watch_line(&attachment->terminal, bytes, (size_t)got);
	return fd_write_all(STDOUT_FILENO, bytes, (size_t)got) < 0 ? END_OUTPUT : END_NONE;
}

static enum end hear_signal(struct attachment *attachment)
{
	struct signalfd_siginfo info;

	if (read(attachment->signal_fd, &info, sizeof(info)) != sizeof(info))
		return END_NONE;
	if (info.ssi_signo != SIGWINCH)
		return END_TOLD;
	tell_size(attachment);
	return END_NONE;
}

static enum end turn(struct attachment *attachment)
{
	struct pollfd fds[] = {
		{.fd = attachment->has_input ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = attachment->stream_fd, .events = POLLIN},
		{.fd = attachment->signal_fd, .events = POLLIN},
	};
	enum end end = END_NONE;

	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return END_NONE;
	if (fds[2].revents)
		end = hear_signal(attachment);
	if (!end && fds[1].revents)
		end = pass_output(attachment);
	if (!end && fds[0].revents)
		end = pass_input(attachment);
	return end;
}

/* --- The beginning and the end --- */

static int watch_signals(void)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return fail(-errno, "Cannot watch signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? fail(-errno, "Cannot watch signals") : fd;
}

static int attach(struct attachment *attachment)
{
	static const struct bus_call call = {.member = "OpenConsole", .signature = ""};
	const struct bus_writer nothing = {0};
	struct bus_message reply;

	TRY(door_open(attachment->entry, &attachment->bus));
	TRY(door_call(&attachment->bus, attachment->entry, &call, &nothing, &reply));
	attachment->stream_fd = bus_take_fd(&attachment->bus);
	if (attachment->stream_fd < 0)
		return fail(-EPROTO, "Cannot talk with the supervisor of machine '%s'",
			    attachment->entry->machine);
	return 0;
}

/* If only our stream has ended, we were not fast enough for the machine. */
static bool supervisor_is_gone(const struct attachment *attachment)
{
	struct pollfd end = {.fd = attachment->bus.fd, .events = POLLIN};

	return poll(&end, 1, END_PATIENCE_MSEC) > 0;
}

static int conclude(const struct attachment *attachment, enum end end)
{
	const char *machine = attachment->entry->machine;

	if (end == END_DETACHED)
		note("Detached from machine '%s', which goes on", machine);
	else if (end == END_MACHINE && supervisor_is_gone(attachment))
		note("Machine '%s' has ended", machine);
	else if (end == END_MACHINE)
		return refuse(EPIPE, "Machine '%s' writes faster than this terminal shows",
			      machine);
	return end == END_TOLD ? -EINTR : 0;
}

static int stay_attached(struct attachment *attachment)
{
	enum end end = END_NONE;

	attachment->signal_fd = watch_signals();
	TRY(attachment->signal_fd);
	(void)signal(SIGPIPE, SIG_IGN);
	if (fd_is_terminal(STDIN_FILENO)) {
		note("Attached to machine '%s'; press ^] three times within 1s to detach",
		     attachment->entry->machine);
		console_terminal_save(&attachment->terminal);
		console_terminal_enter_raw(&attachment->terminal);
	}
	tell_size(attachment);
	while (!end)
		end = turn(attachment);
	console_terminal_leave_raw(&attachment->terminal);
	return conclude(attachment, end);
}

static int attach_to(struct arena *arena, const char *machine)
{
	struct attachment attachment = {
		.bus = BUS_NONE, .stream_fd = -EBADF, .signal_fd = -EBADF, .has_input = true};
	struct registry_entry entry;
	struct places places;
	int r;

	TRY(places_find(arena, SCOPE_AUTO, &places));
	TRY(registry_find(arena, &places, machine, &entry));
	attachment.entry = &entry;
	r = attach(&attachment);
	if (r == 0)
		r = stay_attached(&attachment);
	scope_close(&attachment.signal_fd);
	scope_close(&attachment.stream_fd);
	bus_close(&attachment.bus);
	return r;
}

int control_console(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	const char *machine = NULL;

	for (int i = 1; i < argc; i++) {
		if (*argv[i] == '-' || machine) {
			(void)refuse(EINVAL, "'console' does not take '%s'", argv[i]);
			return EXIT_FAILURE;
		}
		machine = argv[i];
	}
	if (!machine) {
		(void)refuse(EINVAL, "'console' needs the name of a machine");
		return EXIT_FAILURE;
	}
	return attach_to(&arena, machine) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
