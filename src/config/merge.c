/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts together what several sources say.
 * Zone: free.
 */
#include "config/merge.h"

#include <string.h>

#include "base/log.h"
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

struct matters {
	bool is_hidden[_SETTING_COUNT]; /* by its first setting */
};

/* Whether a file may say this at all; warns if not. */
static bool may_say(const struct said *said)
{
	const struct setting_row *row = &setting_rows[said->setting];

	if (said->is_trusted || row->flags & SETTING_IS_HARMLESS)
		return true;
	warn(0, "%s:%u: Key '%s' counts only in a trusted file, ignoring it", said->file,
	     said->line, row->key);
	return false;
}

/*
 * An untrusted list that allows one system call could allow any: such a file says nothing about
 * system calls at all.
 */
static bool allows_system_calls(const struct said *said)
{
	return said->setting == SETTING_SYSTEM_CALL_FILTER && !said->is_trusted && *said->value &&
	       *said->value != '~';
}

/* What counts of 'files' by trust. */
static void drop_untrusted(struct arena *arena, const struct said_list *files,
			   struct said_list *ret)
{
	bool filter_is_void = false;

	for (size_t i = 0; i < files->count; i++)
		if (allows_system_calls(&files->items[i])) {
			warn(0,
			     "%s:%u: Only a trusted file may allow system calls, ignoring the whole filter of untrusted files",
			     files->items[i].file, files->items[i].line);
			filter_is_void = true;
		}
	for (size_t i = 0; i < files->count; i++) {
		const struct said *said = &files->items[i];

		if (filter_is_void && said->setting == SETTING_SYSTEM_CALL_FILTER &&
		    !said->is_trusted)
			continue;
		if (may_say(said))
			*ARRAY_ADD(arena, ret) = *said;
	}
}

/* An untrusted file may ask for other things than an option, but not for less confinement. */
static bool is_outranked(const struct config *config, const struct said *said)
{
	return config->origin[said->setting] != ORIGIN_DEFAULT && !said->is_trusted &&
	       setting_rows[said->setting].flags & SETTING_CONFINES;
}

/* What of 'files' stands against the options, and what it then hides. */
static void weigh_files(const struct config *config, const struct said_list *files,
			struct said_list *ret_files, struct matters *ret_hidden)
{
	bool overrides = config->settings == SETTINGS_OVERRIDE;
	struct matters asked = {0};
	struct arena *arena = &((struct config *)config)->arena;

	for (int i = 0; i < _SETTING_COUNT; i++)
		if (config->origin[i] != ORIGIN_DEFAULT)
			asked.is_hidden[matter_of((enum setting)i)] = true;
	for (size_t i = 0; i < files->count; i++) {
		const struct said *said = &files->items[i];
		enum setting matter = matter_of(said->setting);

		if (asked.is_hidden[matter] && !said->adds &&
		    (!overrides || is_outranked(config, said))) {
			debug("%s:%u: Key '%s' gives way to what the command line says", said->file,
			      said->line, setting_rows[said->setting].key);
			continue;
		}
		*ARRAY_ADD(arena, ret_files) = *said;
		if (overrides && !said->adds)
			ret_hidden->is_hidden[matter] = true;
	}
}

/* Appends 'said', or for a reset takes back what is there of the same setting. */
static void add(struct arena *arena, struct said_list *list, const struct said *said)
{
	size_t kept = 0;

	if (!said_is_reset(said)) {
		*ARRAY_ADD(arena, list) = *said;
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].setting != said->setting)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static int apply(struct config *config, const struct said *said)
{
	struct config before = *config;
	struct log_place place = {said->file, said->line};
	int r;

	if (said->origin != ORIGIN_FILE)
		return setting_apply(config, said);
	log_set_place(&place);
	r = setting_apply(config, said);
	log_set_place(NULL);
	if (r < 0) {
		/* Nothing of a value that is refused stays, but what the arena grew by. */
		before.arena = config->arena;
		*config = before;
	}
	return 0;
}

static int apply_all(struct config *config, const struct said_list *list)
{
	config_defaults(config);
	for (size_t i = 0; i < list->count; i++)
		TRY(apply(config, &list->items[i]));
	return config_from_environment(config);
}

int config_merge(struct config *config, const struct said_list *files)
{
	struct said_list options = config->said, trusted = {0}, weighed = {0}, merged = {0};
	struct arena *arena = &config->arena;
	struct matters hidden = {0};
	bool overrides = config->settings == SETTINGS_OVERRIDE;

	if (files->count == 0 && !config->has_resets)
		return 0;
	drop_untrusted(arena, files, &trusted);
	weigh_files(config, &trusted, &weighed, &hidden);
	for (size_t i = 0; !overrides && i < weighed.count; i++)
		add(arena, &merged, &weighed.items[i]);
	for (size_t i = 0; i < options.count; i++)
		if (options.items[i].adds || !hidden.is_hidden[matter_of(options.items[i].setting)])
			add(arena, &merged, &options.items[i]);
	for (size_t i = 0; overrides && i < weighed.count; i++)
		add(arena, &merged, &weighed.items[i]);
	return apply_all(config, &merged);
}
