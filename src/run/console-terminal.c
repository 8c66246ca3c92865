/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The modes and the size of the caller's terminal.
 * Zone: owing, in the supervisor.
 */
#include "run/console-terminal.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "run/console-plan.h"

/* A process that is not in the foreground may not change the terminal, and has no reason to. */
static bool is_in_foreground(int terminal_fd)
{
	pid_t foreground = tcgetpgrp(terminal_fd);

	return foreground < 0 ||
	       foreground == getpgrp(); /* negative: not our controlling terminal, no job control */
}

static int set_modes(int fd, const struct termios *modes)
{
	/* Not TCSADRAIN: that would wait for a terminal whose reader is stuck. */
	while (tcsetattr(fd, TCSANOW, modes) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

void console_terminal_save(struct console_terminal *terminal)
{
	terminal->can_be_raw = tcgetattr(STDIN_FILENO, &terminal->saved) >= 0;
	terminal->raw_is_due = terminal->can_be_raw;
}

void console_terminal_enter_raw(struct console_terminal *terminal)
{
	struct termios output;

	if (!terminal->raw_is_due || !is_in_foreground(STDIN_FILENO))
		return;
	terminal->raw = terminal->saved;
	cfmakeraw(&terminal->raw);
	if (set_modes(STDIN_FILENO, &terminal->raw) < 0)
		return;
	terminal->is_raw = true;
	terminal->raw_is_due = false;
	/* What the driver made of it, to know it again. */
	(void)tcgetattr(STDIN_FILENO, &terminal->raw);
	terminal->shows_messages = fd_is_terminal(STDERR_FILENO);
	log_set_raw_terminal(terminal->shows_messages);

	/*
	 * The guest's pty has processed the output already. Nothing is left to do if it is the same
	 * terminal.
	 */
	if (tcgetattr(STDOUT_FILENO, &output) < 0 || !(output.c_oflag & OPOST))
		return;
	terminal->saved_oflag = output.c_oflag;
	output.c_oflag &= ~(tcflag_t)OPOST;
	terminal->output_is_raw = set_modes(STDOUT_FILENO, &output) >= 0;
}

/*
 * A shell that took the terminal back has set its own modes; ours from long ago would break its
 * line editing.
 */
static bool modes_are_ours(const struct console_terminal *terminal)
{
	struct termios now;

	if (is_in_foreground(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &now) < 0)
		return true;
	return now.c_iflag == terminal->raw.c_iflag && now.c_oflag == terminal->raw.c_oflag &&
	       now.c_lflag == terminal->raw.c_lflag;
}

void console_terminal_leave_raw(struct console_terminal *terminal)
{
	struct termios output;
	sigset_t stop, before;

	if (!terminal->is_raw)
		return;
	/* In the background changing modes would stop us, on the way out and for good. */
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stop, &before);
	if (terminal->output_is_raw && tcgetattr(STDOUT_FILENO, &output) >= 0) {
		output.c_oflag = terminal->saved_oflag;
		(void)set_modes(STDOUT_FILENO,
				&output); /* fails if the terminal is gone, then nobody minds */
	}
	if (modes_are_ours(terminal))
		(void)set_modes(STDIN_FILENO, &terminal->saved);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	terminal->is_raw = terminal->raw_is_due = terminal->output_is_raw = false;
	log_set_raw_terminal(false);
}

void console_terminal_resumed(struct console_terminal *terminal)
{
	/*
	 * is_raw stays: if nobody touched the terminal after all, it has to be restored in the end.
	 */
	terminal->raw_is_due = terminal->can_be_raw;
	log_set_raw_terminal(false);
	console_terminal_enter_raw(terminal);
}

/* Programs divide by it: a terminal has some size, the one they all had once if nobody knows
 * better. */
static unsigned short size_from_environment(const char *name, unsigned short otherwise)
{
	const char *text = getenv(name);
	unsigned long value = 0;

	for (const char *c = text; c && *c; c++) {
		if (*c < '0' || *c > '9')
			return otherwise;
		value = value * 10 + (unsigned long)(*c - '0');
		if (value > USHRT_MAX)
			return otherwise;
	}
	return value > 0 ? (unsigned short)value : otherwise;
}

bool console_terminal_size(const struct console_plan *plan, struct winsize *ret_size)
{
	/*
	 * The caller's own descriptor, not our second one, which is not there for every kind of
	 * output.
	 */
	if (plan->output_stream >= 0 && ioctl(plan->output_stream, TIOCGWINSZ, ret_size) >= 0)
		return true;
	return plan->input_is_forwarded && ioctl(STDIN_FILENO, TIOCGWINSZ, ret_size) >= 0;
}

struct winsize console_terminal_initial_size(const struct console_plan *plan)
{
	struct winsize size = {};

	if (console_terminal_size(plan, &size) && size.ws_row > 0 && size.ws_col > 0)
		return size;
	return (struct winsize){
		.ws_row = size_from_environment("LINES", 24),
		.ws_col = size_from_environment("COLUMNS", 80),
	};
}

void console_terminal_watch_line(const struct console_terminal *terminal, const char *bytes,
				 size_t length)
{
	const char *newline = memrchr(bytes, '\n', length);
	bool is_open = false;

	if (!terminal->is_raw || !terminal->shows_messages)
		return;
	for (const char *c = newline ? newline + 1 : bytes; c < bytes + length; c++) {
		if (*c == '\033' && c + 1 < bytes + length && c[1] == '[') {
			for (c += 2; c < bytes + length && (*c < '@' || *c > '~');)
				c++;
			continue;
		}
		is_open = is_open || (unsigned char)*c > ' ';
	}
	if (newline || is_open)
		log_set_line_is_open(is_open);
}
