/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn config: gathers what counts and what does not, then prints it as a table or as JSON.
 * Zone: free.
 */
#include "control/config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/config.h"
#include "config/merge.h"
#include "config/settings-file.h"
#include "run/facts.h"

/*
 * What holds if nobody says anything. Without a row are settings that have no value then: what adds
 * up, and what only changes what the tree or the kernel decides.
 */
/* clang-format off */
static const char *const fallbacks[_SETTING_COUNT] = {
	[SETTING_SETTINGS] = "yes",
	[SETTING_READ_ONLY] = "no",
	[SETTING_VOLATILE] = "no",
	[SETTING_AS_PID2] = "no",
	[SETTING_BOOT] = "no",
	[SETTING_UID] = "root",
	[SETTING_NOTIFY_READY] = "no",
	[SETTING_SUPPRESS_SYNC] = "no",
	[SETTING_REGISTER] = "auto",
	[SETTING_KEEP_UNIT] = "no",
	[SETTING_PRIVATE_USERS] = "no",
	[SETTING_PRIVATE_NETWORK] = "no",
	[SETTING_NO_NEW_PRIVILEGES] = "no",
	[SETTING_RESOLV_CONF] = "auto",
	[SETTING_TIMEZONE] = "auto",
	[SETTING_LINK_JOURNAL] = "auto",
};
/* clang-format on */

const char *control_fallback(enum setting setting)
{
	return fallbacks[setting];
}

/* Letters that say what an option with a value says. */
static const struct {
	enum setting spelling, setting;
	const char *text;
} spellings[] = {
	{SETTING_PRIVATE_USERS_PICK, SETTING_PRIVATE_USERS, "pick"},
	{SETTING_LINK_JOURNAL_TRY_GUEST, SETTING_LINK_JOURNAL, "try-guest"},
	{SETTING_PIPE, SETTING_CONSOLE, "pipe"},
};

/* One value that holds. */
struct value {
	const char *text;
	const struct said *said; /* NULL: nobody said it */
	enum origin origin;
};

struct values {
	struct value *items;
	size_t count, room;
};

struct report {
	struct config config;
	struct facts facts;
	struct values values[_SETTING_COUNT];
};

/* --- What holds --- */

static const char *text_of(const struct said *said)
{
	if (setting_rows[said->setting].flags & SETTING_IS_SECRET)
		return "(secret)";
	return said->value ? said->value : "yes";
}

static void add_value(struct report *report, enum setting setting, struct value value)
{
	struct values *values = &report->values[setting];

	*ARRAY_ADD(&report->config.arena, values) = value;
}

/* What was said, but something else holds. */
static void forget_value(struct report *report, struct values *values, const char *why)
{
	struct said copy = *values->items[0].said;

	copy.why_not = why;
	*ARRAY_ADD(&report->config.arena, &report->config.unheeded) = copy;
	values->count = 0;
}

static const char *fallback_of(const struct report *report, enum setting setting)
{
	if (setting == SETTING_HOSTNAME)
		return report->facts.machine;
	if (setting == SETTING_READ_ONLY && report->facts.image_is_read_only)
		return "yes";
	return fallbacks[setting];
}

static void collect_said(struct report *report, const struct said *said)
{
	enum setting setting = said->setting;
	const char *text = text_of(said);
	struct values *values;

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
		if (said->setting == spellings[i].spelling) {
			setting = spellings[i].setting;
			text = spellings[i].text;
		}
	values = &report->values[setting];
	if (values->count > 0 && !(setting_rows[setting].flags & SETTING_IS_REPEATABLE))
		forget_value(report, values, "said again later");
	add_value(report, setting, (struct value){text, said, said->origin});
}

static void collect(struct report *report)
{
	const struct config *config = &report->config;
	struct values *read_only = &report->values[SETTING_READ_ONLY];

	for (size_t i = 0; i < config->said.count; i++)
		collect_said(report, &config->said.items[i]);
	if (report->facts.image_is_read_only && !config->read_only && read_only->count > 0)
		forget_value(report, read_only, "the image itself is read-only");
	for (int i = 0; i < _SETTING_COUNT; i++) {
		enum setting setting = (enum setting)i;
		const char *fallback = fallback_of(report, setting);

		if (report->values[i].count > 0)
			continue;
		if (config->origin[i] == ORIGIN_ENVIRONMENT)
			add_value(report, setting,
				  (struct value){config->suppress_sync ? "yes" : "no", NULL,
						 ORIGIN_ENVIRONMENT});
		else if (fallback)
			add_value(report, setting, (struct value){.text = fallback});
	}
}

/* What somebody said, and what files can say. */
static bool is_shown(const struct report *report, enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];

	if (report->values[setting].count > 0)
		return true;
	if (row->flags & SETTING_IS_LATER)
		return false;
	return row->key && (!(row->flags & SETTING_IS_HIDDEN) || setting == SETTING_PARAMETERS);
}

/* As in a file where there is a key. */
static const char *name_of(enum setting setting, char buffer[SETTING_NAME_MAX])
{
	return setting_rows[setting].key ? setting_rows[setting].key
					 : setting_name(setting, buffer);
}

/* --- Text --- */

#define NAME_WIDTH 29
#define VALUE_WIDTH 30

static void print_escaped(struct arena *arena, const char *text, int width)
{
	(void)printf("%-*s ", width, escape_text(arena, text));
}

static void print_origin(struct arena *arena, const struct said *said, enum origin origin)
{
	switch (origin) {
	case ORIGIN_DEFAULT:
		(void)fputs("default", stdout);
		break;
	case ORIGIN_FILE:
		(void)printf("%s:%u%s", escape_text(arena, said->file), said->line,
			     said->is_trusted ? "" : " (not trusted)");
		break;
	case ORIGIN_OPTION:
		(void)fputs("command line", stdout);
		break;
	case ORIGIN_ENVIRONMENT:
		(void)fputs("environment", stdout);
		break;
	}
}

static void print_values(struct report *report, enum setting setting)
{
	struct arena *arena = &report->config.arena;
	const struct values *values = &report->values[setting];
	char buffer[SETTING_NAME_MAX];
	const char *name = name_of(setting, buffer);

	if (values->count == 0) {
		(void)printf("%-*s %-*s default\n", NAME_WIDTH, name, VALUE_WIDTH, "-");
		return;
	}
	for (size_t i = 0; i < values->count; i++) {
		const struct value *value = &values->items[i];

		(void)printf("%-*s ", NAME_WIDTH, i == 0 ? name : "");
		print_escaped(arena, value->text, VALUE_WIDTH);
		print_origin(arena, value->said, value->origin);
		(void)putchar('\n');
	}
}

static void print_unheeded(struct report *report)
{
	struct arena *arena = &report->config.arena;
	const struct said_list *unheeded = &report->config.unheeded;
	char buffer[SETTING_NAME_MAX];

	if (unheeded->count > 0)
		(void)puts("\nSaid, but does not count:");
	for (size_t i = 0; i < unheeded->count; i++) {
		const struct said *said = &unheeded->items[i];

		(void)printf("%-*s ", NAME_WIDTH, name_of(said->setting, buffer));
		print_escaped(arena, text_of(said), VALUE_WIDTH);
		print_origin(arena, said, said->origin);
		(void)printf(": %s\n", escape_text(arena, said->why_not));
	}
}

static void print_text(struct report *report)
{
	struct arena *arena = &report->config.arena;

	(void)printf("Machine '%s' in '%s'\n", report->facts.machine,
		     escape_text(arena, report->facts.directory));
	(void)printf("\n%-*s %-*s FROM\n", NAME_WIDTH, "SETTING", VALUE_WIDTH, "VALUE");
	for (int i = 0; i < _SETTING_COUNT; i++)
		if (is_shown(report, (enum setting)i))
			print_values(report, (enum setting)i);
	print_unheeded(report);
}

/* --- JSON --- */

static const char *const origin_words[] = {
	[ORIGIN_DEFAULT] = "default",
	[ORIGIN_FILE] = "file",
	[ORIGIN_OPTION] = "option",
	[ORIGIN_ENVIRONMENT] = "environment",
};

/* What is no UTF-8, as only words of the command line can be, comes with \xHH in it. */
static json_t *json_text(struct arena *arena, const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string(escape_text(arena, text));
}

static json_t *json_value(struct arena *arena, const struct value *value)
{
	json_t *json = json_object();

	(void)json_object_set_new(json, "value", json_text(arena, value->text));
	(void)json_object_set_new(json, "origin", json_string(origin_words[value->origin]));
	if (value->origin != ORIGIN_FILE)
		return json;
	(void)json_object_set_new(json, "file", json_text(arena, value->said->file));
	(void)json_object_set_new(json, "line", json_integer(value->said->line));
	(void)json_object_set_new(json, "trusted", json_boolean(value->said->is_trusted));
	return json;
}

static json_t *json_setting(struct arena *arena, enum setting setting, const struct values *values)
{
	const struct setting_row *row = &setting_rows[setting];
	json_t *json = json_object(), *list = json_array();
	char name[SETTING_NAME_MAX];

	(void)json_object_set_new(json, "key", row->key ? json_string(row->key) : json_null());
	(void)json_object_set_new(json, "option",
				  row->option || row->letter
					  ? json_string(setting_name(setting, name))
					  : json_null());
	for (size_t i = 0; i < values->count; i++)
		(void)json_array_append_new(list, json_value(arena, &values->items[i]));
	(void)json_object_set_new(json, "values", list);
	return json;
}

static json_t *json_unheeded(struct arena *arena, const struct said_list *unheeded)
{
	json_t *list = json_array();

	for (size_t i = 0; i < unheeded->count; i++) {
		const struct said *said = &unheeded->items[i];
		const struct values values = {
			.items = &(struct value){text_of(said), said, said->origin},
			.count = 1,
		};
		json_t *json = json_setting(arena, said->setting, &values);

		(void)json_object_set_new(json, "reason", json_text(arena, said->why_not));
		(void)json_array_append_new(list, json);
	}
	return list;
}

static void print_json(struct report *report)
{
	struct arena *arena = &report->config.arena;
	json_t *json = json_object(), *settings = json_array();

	(void)json_object_set_new(json, "machine", json_text(arena, report->facts.machine));
	(void)json_object_set_new(json, "directory", json_text(arena, report->facts.directory));
	for (int i = 0; i < _SETTING_COUNT; i++)
		if (is_shown(report, (enum setting)i))
			(void)json_array_append_new(
				settings, json_setting(arena, (enum setting)i, &report->values[i]));
	(void)json_object_set_new(json, "settings", settings);
	(void)json_object_set_new(json, "unheeded", json_unheeded(arena, &report->config.unheeded));
	(void)json_dumpf(json, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(json);
}

/* --- The verb --- */

/*
 * Our own words out of 'argv': --json anywhere among the options, and a first word that is none,
 * the machine's name. The rest is as for a start.
 */
static int read_words(struct report *report, int argc, char **argv, bool *ret_json)
{
	struct arena *arena = &report->config.arena;
	char **words = arena_allocate(arena, ((size_t)argc + 2) * sizeof(*words));
	bool is_over = false, has_name = false;
	int count = 0;

	words[count++] = arena_copy(arena, "nspawn");
	for (int i = 1; i < argc; i++) {
		is_over = is_over || strcmp(argv[i], "--") == 0;
		if (!is_over && strcmp(argv[i], "--json") == 0) {
			*ret_json = true;
		} else if (count == 1 && !has_name && *argv[i] != '-') {
			words[count++] = arena_format(arena, "--machine=%s", argv[i]);
			has_name = true;
		} else {
			words[count++] = argv[i];
		}
	}
	return config_from_command_line(&report->config, count, words);
}

static int gather(struct report *report)
{
	struct config *config = &report->config;
	struct said_list files = {0};

	TRY(facts_locate(config, &report->facts));
	TRY(settings_files_read(config, report->facts.places.settings, report->facts.directory,
				report->facts.machine, &files));
	TRY(config_merge(config, &files));
	collect(report);
	return 0;
}

int control_config(int argc, char **argv)
{
	struct report report = {0};
	bool is_json = false;
	int r = read_words(&report, argc, argv, &is_json);

	if (r != 0)
		return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (gather(&report) < 0)
		return EXIT_FAILURE;
	if (is_json)
		print_json(&report);
	else
		print_text(&report);
	/* What a start would complain of, last. */
	return config_check(&report.config) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
