/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts together what several sources say.
 * Zone: free.
 */
#include "config/merge.h"

#include <string.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/check.h"
#include "config/config.h"
#include "config/environment-variables.h"

/*
 * Settings that are one matter: who speaks of one of them speaks for all. All others are a matter
 * of their own.
 */
static const struct {
	enum setting first, last;
} matters[] = {
	{SETTING_AS_PID2, SETTING_PARAMETERS},
	{SETTING_NOTIFY_READY, SETTING_READY},
	{SETTING_PRIVATE_USERS, SETTING_PRIVATE_USERS_DELEGATE},
	{SETTING_PRIVATE_NETWORK, SETTING_NETWORK_NAMESPACE_PATH},
	{SETTING_CAPABILITY, SETTING_AMBIENT_CAPABILITY},
	{SETTING_BIND, SETTING_OVERLAY_RO},
};

static enum setting matter_of(enum setting setting)
{
	for (size_t i = 0; i < ARRAY_LEN(matters); i++)
		if (setting >= matters[i].first && setting <= matters[i].last)
			return matters[i].first;
	return setting;
}

struct merge {
	struct config *config;
	struct arena *arena;
	bool overrides; /* files are the stronger source */

	/* By a matter's first setting, but the last by setting */
	bool is_asked[_SETTING_COUNT];   /* an option, or a variable, spoke of it */
	bool is_decided[_SETTING_COUNT]; /* a trusted file spoke of it */
	bool is_hidden[_SETTING_COUNT];  /* by overriding files: what options say does not count */
	bool is_spoken[_SETTING_COUNT];  /* an option said it, be it with "+=" */

	struct said_list unheeded;
	const struct said *unmet_users, *unmet_network; /* asked for in a way we do not do */
};

static const struct setting_row *row_of(const struct said *said)
{
	return &setting_rows[said->setting];
}

static void leave_out(struct merge *merge, const struct said *said, const char *why)
{
	struct said copy = *said;

	copy.why_not = why;
	*ARRAY_ADD(merge->arena, &merge->unheeded) = copy;
	if (said->origin == ORIGIN_FILE)
		debug("%s:%u: Key '%s' does not count: %s", said->file, said->line,
		      row_of(said)->key, why);
}

/* --- Files among themselves --- */

/*
 * An untrusted list that allows one system call could allow any: such a file says nothing about
 * system calls at all.
 */
static bool allows_system_calls(const struct said *said)
{
	return said->setting == SETTING_SYSTEM_CALL_FILTER && !said->is_trusted && *said->value &&
	       *said->value != '~';
}

static bool has_void_filter(const struct said_list *files)
{
	bool is_void = false;

	for (size_t i = 0; i < files->count; i++)
		if (allows_system_calls(&files->items[i])) {
			warn(0,
			     "%s:%u: Only a trusted file may allow system calls, ignoring the whole filter of untrusted files",
			     files->items[i].file, files->items[i].line);
			is_void = true;
		}
	return is_void;
}

/* NULL if a file may say this at all. Warns of what needs trust. */
static const char *why_not_said(const struct merge *merge, const struct said *said,
				bool filter_is_void)
{
	if (said->is_trusted)
		return NULL;
	if (!(row_of(said)->flags & SETTING_IS_HARMLESS)) {
		warn(0, "%s:%u: Key '%s' counts only in a trusted file, ignoring it", said->file,
		     said->line, row_of(said)->key);
		return "counts only in a trusted file";
	}
	if (filter_is_void && said->setting == SETTING_SYSTEM_CALL_FILTER)
		return "only a trusted file may allow system calls";
	if (merge->is_decided[matter_of(said->setting)])
		return "a trusted file speaks of this";
	return NULL;
}

static void take_back(struct merge *merge, struct said_list *list, const struct said *reset)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].setting != reset->setting)
			list->items[kept++] = list->items[i];
		else
			leave_out(merge, &list->items[i],
				  reset->origin == ORIGIN_FILE
					  ? arena_format(merge->arena, "taken back by %s:%u",
							 reset->file, reset->line)
					  : "taken back by an option");
	list->count = kept;
}

/* What counts of 'files' by trust, with nothing in it that is taken back. */
static void sort_files(struct merge *merge, const struct said_list *files, struct said_list *ret)
{
	bool filter_is_void = has_void_filter(files), is_there[_SETTING_COUNT] = {0};

	for (size_t i = 0; i < files->count; i++)
		if (files->items[i].is_trusted)
			merge->is_decided[matter_of(files->items[i].setting)] = true;
	for (size_t i = 0; i < files->count; i++) {
		const struct said *said = &files->items[i];
		const char *why = why_not_said(merge, said, filter_is_void);

		if (why) {
			leave_out(merge, said, why);
		} else if (*said->value) {
			*ARRAY_ADD(merge->arena, ret) = *said;
			is_there[said->setting] = true;
		} else if (is_there[said->setting]) {
			/* Looked for only if it is there: a file may reset a thousand times. */
			take_back(merge, ret, said);
			is_there[said->setting] = false;
		}
	}
}

/* --- Files against options --- */

static void hear_options(struct merge *merge)
{
	const struct config *config = merge->config;

	for (int i = 0; i < _SETTING_COUNT; i++)
		if (config->origin[i] != ORIGIN_DEFAULT) {
			merge->is_asked[matter_of((enum setting)i)] = true;
			merge->is_spoken[i] = true;
		}
	for (size_t i = 0; i < config->said.count; i++)
		merge->is_spoken[config->said.items[i].setting] = true;
}

static bool gives_way(const struct merge *merge, const struct said *said)
{
	if (!said->is_trusted && row_of(said)->flags & SETTING_CONFINES &&
	    merge->is_spoken[said->setting])
		return true;
	return merge->is_asked[matter_of(said->setting)] && !merge->overrides &&
	       !(said->adds && said->is_trusted);
}

static void weigh_files(struct merge *merge, const struct said_list *files, struct said_list *ret)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct said *said = &files->items[i];

		if (gives_way(merge, said)) {
			leave_out(merge, said, "gives way to the command line");
			continue;
		}
		*ARRAY_ADD(merge->arena, ret) = *said;
		if (merge->overrides && !said->adds)
			merge->is_hidden[matter_of(said->setting)] = true;
	}
}

static void add_options(struct merge *merge, const struct said_list *options, struct said_list *ret)
{
	for (size_t i = 0; i < options->count; i++) {
		const struct said *said = &options->items[i];

		if (!said->adds && merge->is_hidden[matter_of(said->setting)])
			leave_out(merge, said, "a file overrides it");
		else if (said_is_reset(said))
			take_back(merge, ret, said);
		else
			*ARRAY_ADD(merge->arena, ret) = *said;
	}
}

static void add_files(struct merge *merge, const struct said_list *files, struct said_list *ret)
{
	for (size_t i = 0; i < files->count; i++)
		*ARRAY_ADD(merge->arena, ret) = files->items[i];
}

/* --- The configuration anew --- */

/* "No" to what is not available yet asks for what we do anyway. */
static bool asks_for_nothing(const struct said *said)
{
	const struct setting_row *row = row_of(said);
	bool is_on;

	return row->flags & SETTING_IS_LATER && row->argument == ARGUMENT_SWITCH &&
	       parse_bool(said->value, &is_on) == 0 && !is_on;
}

static void remember_unmet(struct merge *merge, const struct said *said)
{
	if (said->setting == SETTING_PRIVATE_USERS)
		merge->unmet_users = said;
	else if (matter_of(said->setting) == SETTING_PRIVATE_NETWORK)
		merge->unmet_network = said;
}

static int apply(struct merge *merge, const struct said *said)
{
	struct config *config = merge->config, before = *config;
	struct log_place place = {said->file, said->line};
	int r;

	if (said->origin != ORIGIN_FILE)
		return setting_apply(config, said);
	if (asks_for_nothing(said))
		return 0;
	log_set_place(&place);
	r = setting_apply(config, said);
	log_set_place(NULL);
	if (r == 0)
		return 0;
	/* Nothing of a value that is refused stays, but what the arena grew by. */
	before.arena = config->arena;
	*config = before;
	leave_out(merge, said, "refused, as a warning told");
	/* A word misspelt is a user namespace wanted all the same. */
	if (r == -EOPNOTSUPP || said->setting == SETTING_PRIVATE_USERS ||
	    matter_of(said->setting) == SETTING_PRIVATE_NETWORK)
		remember_unmet(merge, said);
	return 0;
}

/*
 * What a file says wrong is left out. But a machine that was to be kept apart from the host is not
 * started without that.
 */
static int check_isolation(const struct merge *merge)
{
	const struct said *users = merge->unmet_users, *network = merge->unmet_network;

	if (users) {
		(void)refuse(EINVAL,
			     "Without '%s' the machine's root would be the host's: not starting it",
			     row_of(users)->key);
		hint("Correct line %u of '%s', or take it out if you mean that", users->line,
		     users->file);
		return -EINVAL;
	}
	if (network && !merge->config->private_network && !config_has_links(merge->config) &&
	    !merge->config->network_namespace_path) {
		(void)refuse(
			EINVAL,
			"Without '%s' the machine would use the host's network: not starting it",
			row_of(network)->key);
		hint("Correct it, or write Private=yes into '%s' for a network with nothing but lo and take line %u out",
		     network->file, network->line);
		return -EINVAL;
	}
	return 0;
}

static int apply_all(struct merge *merge, const struct said_list *list)
{
	struct config *config = merge->config;

	config_defaults(config);
	for (size_t i = 0; i < list->count; i++)
		TRY(apply(merge, &list->items[i]));
	TRY(check_isolation(merge));
	config->unheeded = merge->unheeded;
	return config_from_environment(config);
}

int config_merge(struct config *config, const struct said_list *files)
{
	struct said_list options = config->said, sorted = {0}, weighed = {0}, merged = {0};
	struct merge merge = {
		.config = config,
		.arena = &config->arena,
		.overrides = config->settings == SETTINGS_OVERRIDE,
	};

	if (files->count == 0 && !config->has_resets)
		return 0;
	hear_options(&merge);
	sort_files(&merge, files, &sorted);
	weigh_files(&merge, &sorted, &weighed);
	if (!merge.overrides)
		add_files(&merge, &weighed, &merged);
	add_options(&merge, &options, &merged);
	if (merge.overrides)
		add_files(&merge, &weighed, &merged);
	return apply_all(&merge, &merged);
}
