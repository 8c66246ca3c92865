/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The signals that a supervisor, and whoever waits as it does, takes as messages.
 * Zone: owing.
 */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "base/scope.h"
#include "run/supervise.h"

/* Those that tell us to stop come first. */
#define STOP_SIGNALS 4
static const int watched_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

static sigset_t first_signals(size_t count)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		(void)sigaddset(&set, watched_signals[i]);
	return set;
}

int supervise_watch_stop(void)
{
	const sigset_t set = first_signals(STOP_SIGNALS);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? fail(-errno, "Cannot watch signals") : fd;
}

int supervise_block_signals(void)
{
	const sigset_t set = first_signals(ARRAY_LEN(watched_signals));
	int fd;

	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return fail(-errno, "Cannot block signals");
	/* A reader of our output that goes away must not take the machine down unasked. */
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? fail(-errno, "Cannot watch signals") : fd;
}
