/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies between the caller's terminal and pipes.
 * Zone: owing.
 */
#include "run/join-relay.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"

/* The terminal's keys are for the client, which forwards what they mean. */
__attribute__((noreturn)) static void copy(int from, int to)
{
	char bytes[16384];
	ssize_t got;

	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (dup2(from, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0 ||
	    close_range(2, ~0U, 0) < 0)
		_exit(EXIT_FAILURE);
	while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
		if (fd_write_all(STDOUT_FILENO, bytes, (size_t)got) < 0)
			_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

static int open_relay(struct join_relays *relays, int stream)
{
	bool is_input = stream == STDIN_FILENO;
	auto_close int outer = -EBADF;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	relays->inner[stream] = ends[is_input ? 0 : 1];
	outer = ends[is_input ? 1 : 0];
	relays->processes[stream] = fork();
	if (relays->processes[stream] < 0)
		return -errno;
	if (relays->processes[stream] == 0)
		copy(is_input ? stream : outer, is_input ? outer : stream);
	return 0;
}

int join_relays_open(struct join_relays *relays, bool is_wanted, int ret_streams[3])
{
	for (int stream = 0; stream < 3; stream++) {
		ret_streams[stream] = stream;
		if (!is_wanted || !fd_is_terminal(stream))
			continue;
		if (open_relay(relays, stream) < 0)
			return fail(-errno, "Cannot make a pipe for the command");
		ret_streams[stream] = relays->inner[stream];
	}
	return 0;
}

void join_relays_hand_over(struct join_relays *relays)
{
	for (int stream = 0; stream < 3; stream++) {
		scope_close(&relays->inner[stream]);
		relays->inner[stream] = -EBADF;
	}
}

void join_relays_finish(struct join_relays *relays)
{
	join_relays_hand_over(relays);
	for (int stream = 0; stream < 3; stream++) {
		pid_t *process = &relays->processes[stream];

		if (*process <= 0)
			continue;
		/* Output ends with its last writer; input may be waited for without end. */
		if (stream == STDIN_FILENO)
			(void)kill(*process, SIGKILL);
		while (waitpid(*process, NULL, 0) < 0 && errno == EINTR)
			;
		*process = 0;
	}
}
