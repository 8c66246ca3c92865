/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints an explanation for programs. What is documented in nspawn-plan(7) stays as it is.
 * Zone: free.
 */
#include <jansson.h>

#include "base/escape.h"
#include "base/scope.h"
#include "run/explain-rows.h"

static const char *const source_names[] = {
	[EXPLAIN_DEFAULT] = "default",         [EXPLAIN_FOUND] = "found",
	[EXPLAIN_OPTION] = "option",           [EXPLAIN_FILE] = "file",
	[EXPLAIN_ENVIRONMENT] = "environment",
};
static_assert(ARRAY_LEN(source_names) == EXPLAIN_ENVIRONMENT + 1, "a name for each source");

static json_t *text_or_null(const struct explanation *e, const char *text)
{
	return text ? json_string(escape_text(e->arena, text)) : json_null();
}

static json_t *list_value(const struct explanation *e, const struct strings *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(array, text_or_null(e, list->items[i]));
	return array;
}

static json_t *field_value(const struct explanation *e, const struct explain_field *field)
{
	switch (field->kind) {
	case EXPLAIN_NUMBER:
		return json_integer(field->number);
	case EXPLAIN_FLAG:
		return json_boolean(field->flag);
	case EXPLAIN_LIST:
		return list_value(e, &field->list);
	case EXPLAIN_TEXT:
	default:
		return text_or_null(e, field->text);
	}
}

static json_t *origin_value(const struct explanation *e, const struct explain_origin *origin)
{
	json_t *object = json_object();

	(void)json_object_set_new(object, "source", json_string(source_names[origin->source]));
	if (origin->name)
		(void)json_object_set_new(object, "name", text_or_null(e, origin->name));
	if (origin->source == EXPLAIN_FILE) {
		(void)json_object_set_new(object, "file", text_or_null(e, origin->file));
		(void)json_object_set_new(object, "line", json_integer(origin->line));
	}
	return object;
}

static json_t *row_value(const struct explanation *e, const struct explain_row *row)
{
	json_t *object = json_object();

	(void)json_object_set_new(object, "name", text_or_null(e, row->name));
	(void)json_object_set_new(object, "value", text_or_null(e, row->value));
	for (size_t i = 0; i < row->fields.count; i++)
		(void)json_object_set_new(object, row->fields.items[i].key,
					  field_value(e, &row->fields.items[i]));
	(void)json_object_set_new(object, "origin", origin_value(e, &row->origin));
	(void)json_object_set_new(object, "reason", text_or_null(e, row->reason));
	return object;
}

int explain_print_json(const struct explanation *explanation, FILE *file)
{
	json_t *root = json_object();
	int r;

	(void)json_object_set_new(root, "version", json_integer(EXPLAIN_JSON_VERSION));
	(void)json_object_set_new(root, "would_start",
				  json_boolean(explanation->found->failures.count == 0));
	for (size_t i = 0; i < explanation->sections.count; i++) {
		const struct explain_section *section = &explanation->sections.items[i];
		json_t *rows = json_array();

		for (size_t row = 0; row < section->rows.count; row++)
			(void)json_array_append_new(
				rows, row_value(explanation, &section->rows.items[row]));
		(void)json_object_set_new(root, section->key, rows);
	}
	/* Nothing above can fail but for memory; then something is missing here. */
	r = root ? json_dumpf(root, file, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;
	json_decref(root);
	return r < 0 || fputc('\n', file) == EOF ? -ENOMEM : 0;
}
