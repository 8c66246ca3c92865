/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A further process in a running machine: joined from outside, in all its namespaces and its
 * cgroup, and with no more rights than process 1 got. Nothing in the machine is asked for it.
 *
 * Three processes. The client stays outside, holds the terminal and waits. The joiner enters
 * everything but the PID namespace, so that nobody in the machine sees it while it still has the
 * caller's rights; there it looks up the user, gives up what the machine must not have, and makes
 * the command's process, itself or as another program (run/join-last.h). That process is the
 * client's child and has nothing left to give up but the filter.
 * Zone: owing.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "config/config.h"
#include "confine/capabilities.h"

/* What the command's process gets, as process 1 did. */
struct join_machine {
	const char *name;
	pid_t leader;
	int leader_fd;      /* its pidfd, the caller's */
	const char *cgroup; /* directory of the payload's group, or NULL */
	bool has_booted;    /* an init divides that group, so that only leaves take processes */
	struct capability_plan capabilities;
	bool no_new_privileges;
	const struct sock_filter *filter; /* NULL: none */
	size_t filter_length;
	struct strings environment; /* NAME=VALUE */
};

enum join_kind {
	JOIN_COMMAND, /* words[0] is searched in PATH */
	JOIN_SHELL,   /* the user's login shell, or words[0] in its place; a login environment */
	JOIN_LOGIN,   /* a prompt of the machine's init or login(1), else the shell of root */
};

struct join_request {
	const struct join_machine *machine;
	enum join_kind kind;
	const char *user;         /* USER[:GROUP], names or numbers there; NULL: root */
	const char *const *words; /* NULL-terminated; may be empty but for a command */
	struct strings environment;
	const char *directory; /* NULL: / for a command, the home for a shell */
	enum console_mode mode;
	bool has_systemd;     /* as its init, which has gettys of its own for a login */
	bool takes_last_step; /* the command's process may not have our executable (run/join-copy.h)
			       */
	bool without_terminal; /* relays instead of a pty where a stream is a terminal */
};

/* Exit statuses for what is no command's, as of env(1), timeout(1) and others. */
enum join_status {
	JOIN_FAILED = 125,    /* we could not get that far */
	JOIN_CANNOT = 126,    /* the command is there and cannot be executed */
	JOIN_NOT_FOUND = 127, /* it is not there */
	JOIN_SIGNAL = 128,    /* and the number of the signal that ended it */
};

/*
 * Runs it and waits for it. Returns the status for exit(3): the command's, or one of the above
 * after a sentence.
 */
int join(struct arena *arena, const struct join_request *request);
