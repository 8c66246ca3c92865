/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides which of the guest's streams are our pseudo-terminal, and which way bytes are forwarded.
 * Zone: free.
 */
#include "run/console-plan.h"

#include "base/log.h"
#include "base/scope.h"

static enum console_mode resolve_mode(enum console_mode asked, bool both_are_terminals)
{
	if (asked == CONSOLE_DEFAULT)
		return both_are_terminals ? CONSOLE_INTERACTIVE : CONSOLE_READ_ONLY;
	if (asked == CONSOLE_AUTOPIPE)
		return both_are_terminals ? CONSOLE_INTERACTIVE : CONSOLE_PIPE;
	return asked;
}

void console_decide(enum console_mode asked, const bool is_terminal[3], bool terminal_is_dumb,
		    struct console_plan *ret_plan)
{
	/*
	 * Where a person looks first. Standard input comes last: terminals are usually open both
	 * ways.
	 */
	static const int by_preference[] = {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
	struct console_plan plan = {
		.mode = resolve_mode(asked,
				     is_terminal[STDIN_FILENO] && is_terminal[STDOUT_FILENO]),
		.output_stream = -EBADF,
	};
	bool is_pipe = plan.mode == CONSOLE_PIPE;

	for (int stream = 0; stream < 3; stream++) {
		plan.stream_is_pty[stream] = !is_pipe || is_terminal[stream];
		plan.pty_is_needed = plan.pty_is_needed || plan.stream_is_pty[stream];
	}
	plan.input_is_forwarded =
		plan.mode == CONSOLE_INTERACTIVE || (is_pipe && is_terminal[STDIN_FILENO]);
	plan.output_is_forwarded = plan.pty_is_needed && plan.mode != CONSOLE_PASSIVE;
	if (plan.output_is_forwarded && !is_pipe)
		plan.output_stream = STDOUT_FILENO;
	/*
	 * A prompt or an echo on the pty must not end up in data: it goes to a terminal and nowhere
	 * else.
	 */
	for (size_t i = 0; i < ARRAY_LEN(by_preference) && is_pipe && plan.output_stream < 0; i++)
		if (is_terminal[by_preference[i]])
			plan.output_stream = by_preference[i];
	plan.term_is_passed = !is_pipe && is_terminal[STDOUT_FILENO] && !terminal_is_dumb;
	*ret_plan = plan;
}

void console_decide_tint(const char *colour, const bool is_terminal[3], bool colours_are_wanted,
			 struct console_plan *plan)
{
	const char *obstacle = NULL;

	plan->tint = NULL;
	if (!colour)
		return;
	if (plan->mode != CONSOLE_INTERACTIVE)
		obstacle = "the console is not interactive";
	else if (!is_terminal[STDOUT_FILENO])
		obstacle = "the output is no terminal";
	else if (!plan->term_is_passed)
		obstacle = "the terminal is dumb";
	else if (!colours_are_wanted)
		obstacle = "colours are not wanted";
	if (obstacle)
		debug("Leaving the background as it is: %s", obstacle);
	else
		plan->tint = colour;
}
