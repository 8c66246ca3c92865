/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What runs, as whom, where and with which variables.
 * Zone: free.
 */
#include "config/program-values.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/values.h"

int set_chdir(const struct asking *asking, const char *value)
{
	static const char *const api[] = {"/dev", "/proc", "/sys"};
	struct config *config = asking->config;
	char *path;

	if (!*value) {
		config->working_directory = NULL;
		return 0;
	}
	path = path_simplify(&config->arena, value);
	if (!path_is_normalized(path))
		return refuse_value(asking, value, "an absolute path without '..'");
	for (size_t i = 0; i < ARRAY_LEN(api); i++)
		if (path_is_below(path, api[i]))
			return refuse(EINVAL,
				      "%s cannot be '%s': it is in '%s', which the kernel fills",
				      asking->noun, value, api[i]);
	config->working_directory = path;
	return 0;
}

static int set_start(const struct asking *asking, const char *value, enum start_mode mode)
{
	bool is_on = true;

	if (value && parse_bool(value, &is_on) < 0)
		return refuse_value(asking, value, "yes or no");
	if (asking->origin == ORIGIN_FILE && is_on && asking->config->start != START_COMMAND &&
	    asking->config->start != mode)
		return refuse(EINVAL, "%s cannot be combined with '%s'", asking->noun,
			      mode == START_BOOT ? "ProcessTwo=yes" : "Boot=yes");
	asking->config->has_two_starts =
		is_on && asking->config->start != START_COMMAND && asking->config->start != mode;
	if (is_on)
		asking->config->start = mode;
	else if (asking->config->start == mode)
		asking->config->start = START_COMMAND;
	return 0;
}

int set_boot(const struct asking *asking, const char *value)
{
	return set_start(asking, value, START_BOOT);
}

int set_as_pid2(const struct asking *asking, const char *value)
{
	return set_start(asking, value, START_PID2);
}

/* The words of a file's line, which has quotes for what a shell has already resolved for us. */
static int read_words(const struct asking *asking, const char *value, struct strings *ret)
{
	if (text_quoted_words(&asking->config->arena, value, ret) == 0)
		return 0;
	return refuse(EINVAL,
		      "%s has a quote that does not end, or an escape that is none, in '%s'",
		      asking->noun, value);
}

int set_parameters(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;

	if (asking->origin == ORIGIN_FILE)
		return read_words(asking, value, &config->words);
	strings_add(&config->arena, &config->words, value);
	return 0;
}

/*
 * Words of a file. A name alone would take the value from whoever starts the machine, which is
 * nothing that a file should depend on, or be able to spy out.
 */
static int set_variables(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;
	struct strings words = {0};

	TRY(read_words(asking, value, &words));
	for (size_t i = 0; i < words.count; i++)
		if (text_is_assignment(words.items[i]))
			strings_add(&config->arena, &config->environment, words.items[i]);
		else
			(void)refuse_value(asking, words.items[i],
					   "NAME=VALUE with a name of letters, digits and '_'");
	return 0;
}

int set_variable(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;
	const char *equals = strchr(value, '='), *ours;
	size_t length = equals ? (size_t)(equals - value) : strlen(value);

	if (asking->origin == ORIGIN_FILE)
		return set_variables(asking, value);
	if (!text_is_variable_name(value, length))
		return refuse_value(asking, value,
				    "NAME or NAME=VALUE with a name of letters, digits and '_'");
	if (equals) {
		strings_add(&config->arena, &config->environment,
			    arena_copy(&config->arena, value));
		return 0;
	}
	ours = getenv(value);
	if (ours)
		strings_add(&config->arena, &config->environment,
			    arena_format(&config->arena, "%s=%s", value, ours));
	else
		debug("Variable '%s' has no value here, not passing it on", value);
	return 0;
}

int set_user(const struct asking *asking, const char *value)
{
	uint32_t uid;

	/*
	 * Another spelling of a number could be read as a different user later on: no number but a
	 * strict one.
	 */
	if (parse_uid(value, &uid) < 0 && !text_is_user_name(value)) {
		int r = refuse_value(asking, value, "the name or number of a user");

		hint("A number is plain decimal, below 4294967295; a name begins with a letter or "
		     "'_'");
		return r;
	}
	asking->config->user = arena_copy(&asking->config->arena, value);
	return 0;
}

int set_system_scope(const struct asking *asking, const char *value)
{
	(void)value;
	asking->config->scope = SCOPE_SYSTEM;
	return 0;
}

int set_user_scope(const struct asking *asking, const char *value)
{
	if (!value) {
		asking->config->scope = SCOPE_USER;
		return 0;
	}
	TRY(set_user(asking, value));
	/* That this is an old spelling is said by config_check(), which knows about quiet. */
	asking->config->user_is_old_name = true;
	asking->config->origin[SETTING_UID] = asking->origin;
	return 0;
}

int set_kill_signal(const struct asking *asking, const char *value)
{
	char name[SIGNAL_NAME_MAX];
	int number;

	if (strcmp(value, "help") == 0 && asking->origin != ORIGIN_FILE) {
		for (int i = 1; i <= SIGRTMAX; i++)
			/* The C library keeps those between for itself. */
			if (i < 32 || i >= SIGRTMIN)
				(void)puts(signal_name(i, name));
		return 1;
	}
	if (parse_signal(value, &number) < 0)
		return refuse_value(asking, value, "a signal such as SIGTERM, SIGRTMIN+3 or 15");
	asking->config->kill_signal = number;
	return 0;
}

static int set_when(const struct asking *asking, enum ready_when when)
{
	struct ready_request *ready = &asking->config->ready;

	ready->when = when;
	ready->command = NULL;
	ready->port = 0;
	asking->config->ready_by = asking->setting;
	return 0;
}

int set_notify_ready(const struct asking *asking, const char *value)
{
	bool is_on;

	if (parse_bool(value, &is_on) < 0)
		return refuse_value(asking, value, "yes or no");
	return set_when(asking, is_on ? READY_GUEST : READY_DEFAULT);
}

int set_ready(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;
	uint32_t port;

	if (strcmp(value, "spawned") == 0)
		return set_when(asking, READY_SPAWNED);
	if (strcmp(value, "guest") == 0)
		return set_when(asking, READY_GUEST);
	if (text_has_prefix(value, "exec:") && value[strlen("exec:")]) {
		(void)set_when(asking, READY_EXEC);
		config->ready.command = arena_copy(&config->arena, value + strlen("exec:"));
		return 0;
	}
	if (!text_has_prefix(value, "port:") || parse_u32(value + strlen("port:"), &port) < 0 ||
	    port == 0 || port > UINT16_MAX)
		return refuse_value(asking, value, "spawned, guest, exec:COMMAND or port:NUMBER");
	(void)set_when(asking, READY_PORT);
	config->ready.port = port;
	return 0;
}
