/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of an explanation, and where each thing comes from.
 * Zone: free.
 */
#include "run/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "run/explain-rows.h"

static const char *hide(const struct explanation *e, const char *text, const char *id)
{
	const char *at = text && id ? strstr(text, id) : NULL;

	if (!at)
		return text;
	return arena_format(e->arena, "%.*s<random>%s", (int)(at - text), text, at + strlen(id));
}

const char *explain_hide_random(const struct explanation *e, const char *text)
{
	/* As facts_look() leaves it: a plan that is only shown has no number of its own. */
	const char *number = e->config->ephemeral ? "0000000000000000" : NULL;

	return hide(e, hide(e, text, e->random_id), number);
}

/* Without its dashes, as in paths. */
static const char *random_id(const struct explanation *e)
{
	const char *dashed = e->plan->machine_uuid;
	char *plain, *end;

	if (e->facts->tree.machine_id_state == MACHINE_ID_VALID || e->config->uuid_is_set)
		return NULL;
	plain = end = arena_allocate(e->arena, strlen(dashed) + 1);
	for (; *dashed; dashed++)
		if (*dashed != '-')
			*end++ = *dashed;
	return plain;
}

struct explain_section *explain_section(struct explanation *e, const char *key, const char *title,
					const char *empty)
{
	struct explain_section *section = ARRAY_ADD(e->arena, &e->sections);

	*section = (struct explain_section){.key = key, .title = title, .empty = empty};
	return section;
}

struct explain_row *explain_row(struct explanation *e, const char *name, const char *value,
				const char *reason)
{
	struct explain_section *section = &e->sections.items[e->sections.count - 1];
	struct explain_row *row = ARRAY_ADD(e->arena, &section->rows);

	*row = (struct explain_row){
		.name = explain_hide_random(e, name),
		.value = explain_hide_random(e, value),
		.reason = reason,
	};
	return row;
}

struct explain_row *explain_rowf(struct explanation *e, const char *name, const char *reason,
				 const char *format, ...)
{
	va_list arguments, again;
	char *value;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	value = arena_allocate(e->arena, (size_t)length + 1);
	(void)vsnprintf(value, (size_t)length + 1, format, again);
	va_end(again);
	return explain_row(e, name, value, reason);
}

static struct explain_field *add_field(struct explanation *e, struct explain_row *row,
				       const char *key, enum explain_kind kind)
{
	struct explain_field *field = ARRAY_ADD(e->arena, &row->fields);

	*field = (struct explain_field){.key = key, .kind = kind};
	return field;
}

void explain_text(struct explanation *e, struct explain_row *row, const char *key, const char *text)
{
	add_field(e, row, key, EXPLAIN_TEXT)->text = explain_hide_random(e, text);
}

void explain_number(struct explanation *e, struct explain_row *row, const char *key, int64_t number)
{
	add_field(e, row, key, EXPLAIN_NUMBER)->number = number;
}

void explain_flag(struct explanation *e, struct explain_row *row, const char *key, bool flag)
{
	add_field(e, row, key, EXPLAIN_FLAG)->flag = flag;
}

struct strings *explain_list(struct explanation *e, struct explain_row *row, const char *key)
{
	return &add_field(e, row, key, EXPLAIN_LIST)->list;
}

const char *explain_join(struct explanation *e, const struct strings *list, const char *separator)
{
	size_t length = 1;
	char *text, *end;

	for (size_t i = 0; i < list->count; i++)
		length += strlen(list->items[i]) + strlen(separator);
	text = end = arena_allocate(e->arena, length);
	for (size_t i = 0; i < list->count; i++)
		end = stpcpy(stpcpy(end, i > 0 ? separator : ""), list->items[i]);
	return text;
}

/* --- Origins --- */

struct explain_origin explain_origin_of(const struct explanation *e, const struct said *said)
{
	char name[SETTING_NAME_MAX];

	if (said->origin == ORIGIN_FILE)
		return (struct explain_origin){
			.source = EXPLAIN_FILE,
			.name = setting_rows[said->setting].key,
			.file = said->file,
			.line = said->line,
		};
	if (said->setting == SETTING_PARAMETERS)
		return (struct explain_origin){.source = EXPLAIN_OPTION, .name = "command line"};
	return (struct explain_origin){
		.source = EXPLAIN_OPTION,
		.name = arena_copy(e->arena, setting_name(said->setting, name)),
	};
}

struct explain_origin explain_origin_in(const struct explanation *e, enum setting setting,
					explain_has has, const void *item)
{
	const struct said_list *said = &e->config->said;

	for (size_t i = said->count; i > 0; i--)
		if (said->items[i - 1].setting == setting &&
		    (!has || has(&said->items[i - 1], item)))
			return explain_origin_of(e, &said->items[i - 1]);
	return (struct explain_origin){.source = EXPLAIN_DEFAULT};
}

struct explain_origin explain_origin(const struct explanation *e, enum setting setting)
{
	return explain_origin_in(e, setting, NULL, NULL);
}

struct explain_origin explain_origin_variable(const char *name)
{
	return (struct explain_origin){.source = EXPLAIN_ENVIRONMENT, .name = name};
}

bool explain_has_word(const struct said *said, const void *item)
{
	const char *rest = said->value ? said->value : "", *word = item;
	size_t length = strlen(word);

	rest += *rest == '~';
	while (*rest) {
		size_t next = strcspn(rest, "," BLANKS);

		if (next == length && strncasecmp(rest, word, length) == 0)
			return true;
		rest += next;
		rest += strspn(rest, "," BLANKS);
	}
	return false;
}

/* --- The whole --- */

void explain_make(struct arena *arena, const struct plan *plan, const struct explain_found *found,
		  struct explanation *ret)
{
	*ret = (struct explanation){
		.arena = arena,
		.config = plan->config,
		.facts = plan->facts,
		.plan = plan,
		.found = found,
	};
	ret->random_id = random_id(ret);
	explain_machine(ret);
	explain_places(ret);
	explain_ids(ret);
	explain_network(ret);
	explain_mounts(ret);
	explain_devices(ret);
	explain_files(ret);
	explain_journal(ret);
	explain_credentials(ret);
	explain_environment(ret);
	explain_limits(ret);
	explain_capabilities(ret);
	explain_labels(ret);
	explain_filter(ret);
	explain_program(ret);
	explain_console(ret);
	explain_end(ret);
	explain_unheeded(ret);
	explain_messages(ret);
}
