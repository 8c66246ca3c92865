/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn exec: a command in a running machine. nspawn shell: a user's login shell there.
 * Zone: owing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "control/enter.h"
#include "run/environment.h"
#include "run/join-copy.h"

struct asked {
	const char *verb;
	struct join_request request;
	struct enter enter;
	const char *machine;
	char **all; /* words, the verb's own included */
};

struct option {
	const char *name; /* long; several options may be one */
	char letter;
	bool has_value;
	int (*apply)(struct asked *asked, const char *value);
};

/* --- Options --- */

static int set_user(struct asked *asked, const char *value)
{
	asked->request.user = value;
	return 0;
}

/* NAME alone takes the caller's value; who has none passes nothing on. */
static int set_variable(struct asked *asked, const char *value)
{
	const char *own = strchr(value, '=') ? NULL : getenv(value);

	if (*value == '\0' || *value == '=')
		return refuse(EINVAL, "'%s' takes NAME[=VALUE] for a variable, not '%s'",
			      asked->verb, value);
	if (own)
		value = arena_format(&asked->enter.arena, "%s=%s", value, own);
	if (strchr(value, '='))
		environment_set(&asked->enter.arena, &asked->request.environment, value);
	return 0;
}

static int set_directory(struct asked *asked, const char *value)
{
	if (*value != '/')
		return refuse(EINVAL, "'%s' needs an absolute path in the machine, not '%s'",
			      asked->verb, value);
	asked->request.directory = value;
	return 0;
}

static int set_terminal(struct asked *asked, const char *value)
{
	(void)value;
	asked->request.mode = CONSOLE_INTERACTIVE;
	asked->request.without_terminal = false;
	return 0;
}

static int set_no_terminal(struct asked *asked, const char *value)
{
	(void)value;
	asked->request.mode = CONSOLE_PIPE;
	asked->request.without_terminal = true;
	return 0;
}

/* Standard input is always the command's. */
static int set_interactive(struct asked *asked, const char *value)
{
	(void)asked;
	(void)value;
	return 0;
}

static int set_quiet(struct asked *asked, const char *value)
{
	(void)asked;
	(void)value;
	log_set_level(LOG_WARNING);
	return 0;
}

/* With the names that docker(1) and machinectl(1) have for the same. */
/* clang-format off */
static const struct option options[] = {
	{"user", 'u', true, set_user},
	{"uid", 0, true, set_user},
	{"setenv", 'E', true, set_variable},
	{"env", 'e', true, set_variable},
	{"chdir", 0, true, set_directory},
	{"workdir", 'w', true, set_directory},
	{"tty", 't', false, set_terminal},
	{"no-tty", 'T', false, set_no_terminal},
	{"interactive", 'i', false, set_interactive},
	{"quiet", 'q', false, set_quiet},
};
/* clang-format on */

static const struct option *find_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

static const struct option *find_long(const char *word, size_t length)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strlen(options[i].name) == length &&
		    strncmp(options[i].name, word, length) == 0)
			return &options[i];
	return NULL;
}

static int refuse_option(const struct asked *asked, const char *word)
{
	(void)refuse(EINVAL, "'%s' does not take '%s'", asked->verb, word);
	hint("'nspawn %s --help' says what it takes", asked->verb);
	return -EINVAL;
}

static int refuse_without_value(const struct asked *asked, const char *word)
{
	return refuse(EINVAL, "'%s' needs a value for '%s'", asked->verb, word);
}

/* Return how many words they took. */
static int take_long(struct asked *asked, char **words)
{
	const char *name = words[0] + 2, *equals = strchr(name, '=');
	const struct option *option =
		find_long(name, equals ? (size_t)(equals - name) : strlen(name));

	if (!option || (equals && !option->has_value))
		return refuse_option(asked, words[0]);
	if (option->has_value && !equals && !words[1])
		return refuse_without_value(asked, words[0]);
	TRY(option->apply(asked, equals ? equals + 1 : words[1]));
	return option->has_value && !equals ? 2 : 1;
}

static int take_letters(struct asked *asked, char **words)
{
	for (const char *letter = words[0] + 1; *letter; letter++) {
		const struct option *option = find_letter(*letter);

		if (!option)
			return refuse_option(asked, words[0]);
		if (!option->has_value) {
			TRY(option->apply(asked, NULL));
			continue;
		}
		if (!letter[1] && !words[1])
			return refuse_without_value(asked, words[0]);
		TRY(option->apply(asked, letter[1] ? letter + 1 : words[1]));
		return letter[1] ? 1 : 2;
	}
	return 1;
}

/* Up to the first word that is none. Returns how many words it took. */
static int take_options(struct asked *asked, char **words)
{
	int taken = 0;

	while (words[taken] && words[taken][0] == '-' && words[taken][1]) {
		int r;

		if (strcmp(words[taken], "--") == 0)
			return taken + 1;
		r = words[taken][1] == '-' ? take_long(asked, words + taken)
					   : take_letters(asked, words + taken);
		TRY(r);
		taken += r;
	}
	return taken;
}

/* --- Verbs --- */

static int enter_and_join(struct asked *asked)
{
	TRY(enter_find(&asked->enter, asked->machine));
	asked->request.machine = &asked->enter.machine;
	TRY(join_hide(&asked->request, asked->all));
	return join(&asked->enter.arena, &asked->request);
}

static int run_command(struct asked *asked, char **words)
{
	int taken = take_options(asked, words);

	TRY(taken);
	words += taken;
	if (!*words)
		return refuse(EINVAL, "'%s' needs the name of a machine", asked->verb);
	asked->machine = *words++;
	taken = take_options(asked, words);
	TRY(taken);
	asked->request.words = (const char *const *)words + taken;
	if (!*asked->request.words)
		return refuse(EINVAL, "'%s' needs a command after the name of the machine",
			      asked->verb);
	return enter_and_join(asked);
}

static int status_of(struct asked *asked, int r)
{
	enter_done(&asked->enter);
	return r < 0 ? JOIN_FAILED : r;
}

int control_exec(int argc, char **argv)
{
	struct asked asked = {
		.verb = "exec",
		.request = {.kind = JOIN_COMMAND, .mode = CONSOLE_PIPE},
		.enter = ENTER_NONE,
		.all = argv,
	};

	(void)argc;
	return status_of(&asked, run_command(&asked, argv + 1));
}

/* What follows the machine's name is the program's. */
static int run_shell(struct asked *asked, char **words)
{
	int taken = take_options(asked, words);
	char *at;

	TRY(taken);
	words += taken;
	if (!*words)
		return refuse(EINVAL, "'%s' needs the name of a machine", asked->verb);
	at = strchr(*words, '@');
	if (at)
		asked->request.user =
			arena_format(&asked->enter.arena, "%.*s", (int)(at - *words), *words);
	asked->machine = at ? at + 1 : *words;
	asked->request.words = (const char *const *)words + 1;
	return enter_and_join(asked);
}

int control_shell(int argc, char **argv)
{
	struct asked asked = {
		.verb = "shell",
		.request = {.kind = JOIN_SHELL, .mode = CONSOLE_PIPE},
		.enter = ENTER_NONE,
		.all = argv,
	};

	(void)argc;
	return status_of(&asked, run_shell(&asked, argv + 1));
}
