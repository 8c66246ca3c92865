/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What runs, where its console is, how it is stopped, what stays, and what a start would say.
 * Zone: free.
 */
#include <string.h>

#include "base/failures.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/check.h"
#include "config/values.h"
#include "run/explain-rows.h"
#include "run/power.h"

/* --- Program --- */

static const char *quote_all(struct explanation *e, const struct strings *words)
{
	struct strings quoted = {0};

	for (size_t i = 0; i < words->count; i++)
		strings_add(e->arena, &quoted, text_quote(e->arena, words->items[i]));
	return explain_join(e, &quoted, " ");
}

static void explain_what_runs(struct explanation *e)
{
	const struct plan *plan = e->plan;
	struct explain_row *row;

	if (plan->programs.count > 0) {
		row = explain_row(e, "program", explain_join(e, &plan->programs, ", "),
				  "the first of these that the tree has");
		if (e->config->start == START_BOOT && e->facts->tree.init_path) {
			row->value = e->facts->tree.init_path;
			row->reason = "the first init program that the tree has";
			row->origin = EXPLAIN_FOUND_ORIGIN;
		}
	} else {
		row = explain_row(e, "program", plan->arguments.items[0],
				  strchr(plan->arguments.items[0], '/')
					  ? "a path in the tree"
					  : "looked for in the PATH above, in the tree");
		row->origin = explain_origin(e, SETTING_PARAMETERS);
	}
	*explain_list(e, row, "candidates") = plan->programs;
	row = explain_row(e, "arguments", quote_all(e, &plan->arguments),
			  plan->is_login_shell             ? "as a login shell"
			  : e->config->start == START_BOOT ? "the first is replaced by its path"
							   : NULL);
	if (e->config->words.count > 0)
		row->origin = explain_origin(e, SETTING_PARAMETERS);
	*explain_list(e, row, "argv") = plan->arguments;
}

/* As bound_users_identify() does it. */
const struct bound_user *explain_bound_user(const struct explanation *e)
{
	const struct bound_users *users = &e->facts->bound_users;
	const char *asked = e->config->user;
	uint32_t number = 0;
	bool is_number = asked && parse_uid(asked, &number) == 0;

	for (size_t i = 0; asked && i < users->count; i++)
		if (is_number ? users->items[i].id == number
			      : strcmp(users->items[i].name, asked) == 0)
			return &users->items[i];
	return NULL;
}

static void explain_ready(struct explanation *e)
{
	const struct ready_request *ready = &e->config->ready;
	enum setting by = e->config->ready_by ? e->config->ready_by : SETTING_NOTIFY_READY;

	if (ready->when == READY_EXEC)
		explain_rowf(e, "ready", "tried every second", "when '%s' succeeds inside",
			     ready->command)
			->origin = explain_origin(e, by);
	else if (ready->when == READY_PORT)
		explain_rowf(e, "ready", "tried again and again", "when TCP port %u answers inside",
			     ready->port)
			->origin = explain_origin(e, by);
	else
		explain_row(e, "ready",
			    ready->when == READY_GUEST ? "when process 1 says so" : "once it runs",
			    NULL)
			->origin = explain_origin(e, by);
}

static void explain_program_rest(struct explanation *e)
{
	const struct config *config = e->config;
	const struct bound_user *bound = explain_bound_user(e);

	if (bound)
		explain_rowf(e, "user", "a user of the host by --bind-user",
			     "%s, user and group %u", bound->name, bound->id)
			->origin = explain_origin(e, SETTING_UID);
	else
		explain_row(e, "user", config->user ? config->user : "root",
			    config->user ? "looked up in the tree" : NULL)
			->origin = explain_origin(e, SETTING_UID);
	explain_row(e, "directory",
		    config->working_directory     ? config->working_directory
		    : config->start == START_BOOT ? "/"
						  : "the user's home",
		    NULL)
		->origin = explain_origin(e, SETTING_CHDIR);
	if (e->facts->activation_fds > 0)
		explain_rowf(e, "sockets", "a service manager passed them", "%u",
			     e->facts->activation_fds)
			->origin = explain_origin_variable("$LISTEN_FDS");
	explain_ready(e);
}

void explain_program(struct explanation *e)
{
	(void)explain_section(e, "program", "Program", NULL);
	explain_what_runs(e);
	explain_program_rest(e);
}

/* --- Console --- */

static const char *console_reason(const struct explanation *e)
{
	bool both = e->facts->is_terminal[0] && e->facts->is_terminal[1];

	if (e->config->console == CONSOLE_DEFAULT || e->config->console == CONSOLE_AUTOPIPE)
		return both ? "standard input and output are terminals"
			    : "standard input or output is no terminal";
	return NULL;
}

static struct explain_origin console_origin(const struct explanation *e)
{
	struct explain_origin origin = explain_origin(e, SETTING_CONSOLE);

	return origin.source == EXPLAIN_DEFAULT ? explain_origin(e, SETTING_PIPE) : origin;
}

void explain_console(struct explanation *e)
{
	static const char *const streams[] = {"standard input", "standard output",
					      "standard error"};
	const struct console_plan *plan = &e->plan->console;
	struct explain_row *row;

	(void)explain_section(e, "console", "Console", NULL);
	row = explain_row(e, "mode", names_text(&console_names, (int)plan->mode),
			  console_reason(e));
	row->origin = console_origin(e);
	explain_flag(e, row, "input_is_forwarded", plan->input_is_forwarded);
	explain_flag(e, row, "output_is_forwarded", plan->output_is_forwarded);
	for (int stream = 0; stream < 3; stream++) {
		bool is_pty = plan->stream_is_pty[stream];

		row = explain_row(e, streams[stream], is_pty ? "a terminal of its own" : "yours",
				  !is_pty                     ? "handed over as it is"
				  : stream == 0               ? plan->input_is_forwarded
									? "what you type goes there"
									: "what you type stays outside"
				  : plan->output_is_forwarded ? "what it prints comes to you"
							      : "what it prints stays there");
		explain_flag(e, row, "is_pty", is_pty);
	}
	if (plan->tint)
		explain_row(e, "background", "tinted", "so that you see where you are")->origin =
			explain_origin(e, SETTING_BACKGROUND);
}

/* --- End --- */

static const char *power_off_words(const struct explanation *e, enum init_kind kind)
{
	int number = power_signal(kind, POWER_OFF);
	char name[SIGNAL_NAME_MAX];

	if (number > 0)
		return arena_copy(e->arena, signal_name(number, name));
	return kind == INIT_UNKNOWN ? "SIGTERM, then SIGKILL" : "a message in its own protocol";
}

static void explain_stop(struct explanation *e)
{
	const struct plan *plan = e->plan;
	enum init_kind kind = e->facts->tree.init_kind;
	char name[SIGNAL_NAME_MAX];
	struct explain_row *row;

	if (plan->kill_signal > 0) {
		row = explain_row(e, "stop",
				  arena_copy(e->arena, signal_name(plan->kill_signal, name)),
				  "sent to process 1 when nspawn is asked to stop");
	} else if (plan->uses_init_protocol && e->found->tree_is_unseen) {
		row = explain_row(e, "stop", "unknown", "it depends on the kind of init");
	} else if (plan->uses_init_protocol) {
		row = explain_row(e, "stop", power_off_words(e, kind),
				  arena_format(e->arena, "how init of the kind '%s' is powered off",
					       init_kind_name(kind)));
	} else {
		row = explain_row(e, "stop", "SIGKILL", "a command is not asked, but ended");
	}
	row->origin = explain_origin(e, SETTING_KILL_SIGNAL);
}

void explain_end(struct explanation *e)
{
	bool tree_stays = config_keeps_tree(e->config);

	(void)explain_section(e, "end", "End", NULL);
	explain_stop(e);
	(void)explain_row(e, "exit status",
			  e->config->start == START_BOOT
				  ? e->config->keep_unit ? "0 after power-off, 133 after reboot"
							 : "0 after power-off"
				  : "the command's own",
			  e->config->start == START_BOOT && !e->config->keep_unit
				  ? "a reboot starts it again, as from the beginning"
				  : NULL);
	(void)explain_row(e, "taken back",
			  arena_format(e->arena, "locks, control groups%s%s%s",
				       e->plan->net.count > 0 ? ", links" : "",
				       e->plan->has_exchange ? ", directories on the host" : "",
				       e->plan->delta ? ", what was changed in the tree" : ""),
			  "mounts end with the machine");
	(void)explain_row(e, "stays", tree_stays ? "nothing" : "what was written into the tree",
			  tree_stays ? NULL : "missing directories to mount on among it");
}

/* --- Messages --- */

static void explain_list_of(struct explanation *e, const struct explain_messages *messages)
{
	for (size_t i = 0; i < messages->count; i++) {
		const struct explain_message *message = &messages->items[i];
		struct explain_row *row = explain_row(e, message->sentence, NULL, message->advice);

		explain_text(e, row, "advice", message->advice);
		explain_text(e, row, "identifier", failure_identifier(message->failure));
	}
}

void explain_messages(struct explanation *e)
{
	(void)explain_section(e, "warnings", "Warnings of the start", NULL);
	explain_list_of(e, &e->found->warnings);
	(void)explain_section(e, "unseen", "Could not look", NULL);
	explain_list_of(e, &e->found->unseen);
	(void)explain_section(e, "failures", "Would fail", NULL);
	explain_list_of(e, &e->found->failures);
}
