/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lays out tables, and makes JSON of the same cells.
 * Zone: free.
 */
#include "control/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/names.h"
#include "base/scope.h"
#include "base/text.h"

#define GAP 1 /* blanks between columns */

int output_form_find(const char *word, enum output_form *ret)
{
	static const struct name forms[] = {
		{"text", OUTPUT_TEXT},
		{"off", OUTPUT_TEXT},
		{"short", OUTPUT_TEXT},
		{"json-pretty", OUTPUT_JSON},
		{"pretty", OUTPUT_JSON},
		{"json", OUTPUT_JSON_SHORT},
		{"json-short", OUTPUT_JSON_SHORT},
	};
	static const struct names names = NAMES(forms);
	const struct name *found = names_find(&names, word);

	if (!found)
		return -EINVAL;
	*ret = (enum output_form)found->value;
	return 0;
}

int output_json_form_find(const char *word, enum output_form *ret)
{
	if (word && strcmp(word, "short") != 0)
		return output_form_find(word, ret);
	*ret = word ? OUTPUT_JSON_SHORT : OUTPUT_JSON;
	return 0;
}

/* --- Cells --- */

struct output_cell output_text(const char *text)
{
	return (struct output_cell){.kind = text && *text ? OUTPUT_A_TEXT : OUTPUT_NOTHING,
				    .text = text};
}

struct output_cell output_number(int64_t number)
{
	return (struct output_cell){.kind = OUTPUT_A_NUMBER, .number = number};
}

struct output_cell output_shown(int64_t number, const char *shown)
{
	return (struct output_cell){.kind = OUTPUT_A_NUMBER, .number = number, .text = shown};
}

struct output_cell output_truth(bool is_true)
{
	return (struct output_cell){.kind = OUTPUT_A_TRUTH, .number = is_true};
}

struct output_cell output_list(const struct strings *list)
{
	return (struct output_cell){.kind = OUTPUT_A_LIST, .list = *list};
}

struct output_cell output_numbers(const struct strings *digits)
{
	return (struct output_cell){.kind = OUTPUT_NUMBERS, .list = *digits};
}

struct output_cell output_lines(const struct strings *list)
{
	return (struct output_cell){.kind = list->count > 0 ? OUTPUT_LINES : OUTPUT_NOTHING,
				    .list = *list};
}

static json_t *json_of_text(struct arena *arena, const char *text)
{
	return json_string(text_is_utf8(text) ? text : escape_text(arena, text));
}

static json_t *json_of_list(struct arena *arena, const struct strings *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(array, json_of_text(arena, list->items[i]));
	return array;
}

static json_t *json_of_numbers(const struct strings *digits)
{
	json_t *array = json_array();

	for (size_t i = 0; i < digits->count; i++)
		(void)json_array_append_new(array,
					    json_integer(strtoll(digits->items[i], NULL, 10)));
	return array;
}

static json_t *json_of_lines(struct arena *arena, const struct strings *list)
{
	const char *text = "";

	for (size_t i = 0; i < list->count; i++)
		text = arena_format(arena, "%s%s%s", text, i > 0 ? "\n" : "", list->items[i]);
	return json_of_text(arena, text);
}

json_t *output_json(struct arena *arena, const struct output_cell *cell)
{
	switch (cell->kind) {
	case OUTPUT_A_TEXT:
		return json_of_text(arena, cell->text);
	case OUTPUT_A_NUMBER:
		return json_integer(cell->number);
	case OUTPUT_A_TRUTH:
		return json_boolean(cell->number);
	case OUTPUT_A_LIST:
		return json_of_list(arena, &cell->list);
	case OUTPUT_NUMBERS:
		return json_of_numbers(&cell->list);
	case OUTPUT_LINES:
		return json_of_lines(arena, &cell->list);
	case OUTPUT_NOTHING:
	default:
		return json_null();
	}
}

/* --- Widths --- */

struct range {
	uint32_t first, last;
};

static bool is_among(const struct range *ranges, size_t count, uint32_t point)
{
	for (size_t i = 0; i < count; i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return false;
}

/*
 * As terminals draw them (UAX 11, blocks rather than single characters): marks on the letter
 * before, and what takes two columns. A static executable has no locale to ask.
 */
static size_t width_of(uint32_t point)
{
	static const struct range marks[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},
					     {0x610, 0x61a},   {0x64b, 0x65f},   {0x1ab0, 0x1aff},
					     {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
					     {0xfe20, 0xfe2f}};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},  {0x3400, 0x4dbf},
		{0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},  {0xf900, 0xfaff},
		{0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f},
		{0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

	if (is_among(marks, ARRAY_LEN(marks), point))
		return 0;
	return is_among(wide, ARRAY_LEN(wide), point) ? 2 : 1;
}

size_t output_width(const char *escaped)
{
	size_t width = 0, length;
	uint32_t point = 0;

	for (; *escaped; escaped += length) {
		length = text_decode(escaped, &point);
		width += length > 0 ? width_of(point) : 1;
		length = length > 0 ? length : 1;
	}
	return width;
}

/* --- Tables --- */

void output_add(struct output_table *table, const struct output_cell *cells)
{
	struct output_row *row = ARRAY_ADD(table->arena, &table->rows);

	row->cells = arena_allocate(table->arena, table->column_count * sizeof(*cells));
	memcpy(row->cells, cells, table->column_count * sizeof(*cells));
}

/* The text of line 'line' of a cell, NULL behind the last. */
static const char *cell_line(struct arena *arena, const struct output_cell *cell, size_t line)
{
	bool has_lines = cell->kind == OUTPUT_A_LIST || cell->kind == OUTPUT_NUMBERS ||
			 cell->kind == OUTPUT_LINES;

	if (has_lines && cell->list.count > 0)
		return line < cell->list.count ? escape_text(arena, cell->list.items[line]) : NULL;
	if (line > 0)
		return NULL;
	if (cell->kind == OUTPUT_NOTHING || has_lines)
		return "-";
	if (cell->kind == OUTPUT_A_TRUTH)
		return cell->number ? "yes" : "no";
	if (cell->text)
		return escape_text(arena, cell->text);
	return arena_format(arena, "%" PRId64, cell->number);
}

static size_t column_width(const struct output_table *table, size_t column, bool has_title)
{
	size_t width = has_title ? output_width(table->columns[column].title) : 0, its;
	const char *text;

	for (size_t i = 0; i < table->rows.count; i++)
		for (size_t line = 0;; line++) {
			text = cell_line(table->arena, &table->rows.items[i].cells[column], line);
			if (!text)
				break;
			its = output_width(text);
			width = its > width ? its : width;
		}
	return width;
}

/* One line of the table. 'texts' has NULL for a cell that has no such line. */
static void print_line(const struct output_table *table, const size_t *widths,
		       const char *const *texts)
{
	size_t owed = 0, fill; /* blanks, which nobody wants at the end */

	for (size_t column = 0; column < table->column_count; column++) {
		const char *text = texts[column] ? texts[column] : "";

		if (!table->columns[column].title)
			continue;
		fill = widths[column] - output_width(text);
		if (table->columns[column].is_right) {
			owed += fill;
			fill = 0;
		}
		if (*text)
			(void)printf("%*s%s", (int)owed, "", text);
		owed = (*text ? 0 : owed + output_width(text)) + fill + GAP;
	}
	(void)putchar('\n');
}

static void print_row(const struct output_table *table, const size_t *widths,
		      const struct output_row *row)
{
	const char **texts =
		arena_allocate(table->arena, table->column_count * sizeof(const char *));

	for (size_t line = 0;; line++) {
		bool is_over = true;

		for (size_t column = 0; column < table->column_count; column++) {
			texts[column] = table->columns[column].title
						? cell_line(table->arena, &row->cells[column], line)
						: NULL;
			is_over = is_over && !texts[column];
		}
		if (is_over)
			return;
		print_line(table, widths, texts);
	}
}

static void print_text(const struct output_table *table, const struct output_style *style)
{
	size_t count = table->column_count;
	size_t *widths = arena_allocate(table->arena, count * sizeof(*widths));
	const char **titles = arena_allocate(table->arena, count * sizeof(const char *));
	bool has_legend = !style->has_no_legend;

	for (size_t column = 0; column < count; column++) {
		titles[column] = table->columns[column].title;
		widths[column] = titles[column] ? column_width(table, column, has_legend) : 0;
	}
	if (has_legend && table->rows.count > 0)
		print_line(table, widths, titles);
	for (size_t i = 0; i < table->rows.count; i++)
		print_row(table, widths, &table->rows.items[i]);
	if (!has_legend || !style->things)
		return;
	if (table->rows.count == 0)
		(void)printf("No %s.\n", style->things);
	else
		(void)printf("\n%zu %s listed.\n", table->rows.count,
			     table->rows.count == 1 && style->thing ? style->thing : style->things);
}

static json_t *json_of_row(const struct output_table *table, const struct output_row *row)
{
	json_t *object = json_object();

	for (size_t column = 0; column < table->column_count; column++)
		if (table->columns[column].key)
			(void)json_object_set_new(object, table->columns[column].key,
						  output_json(table->arena, &row->cells[column]));
	return object;
}

int output_print(const struct output_table *table, const struct output_style *style)
{
	json_t *array;

	if (style->form == OUTPUT_TEXT) {
		print_text(table, style);
		return output_flush();
	}
	array = json_array();
	for (size_t i = 0; i < table->rows.count; i++)
		(void)json_array_append_new(array, json_of_row(table, &table->rows.items[i]));
	return output_print_json(array, style->form);
}

/* --- Fields --- */

int output_print_json(json_t *json, enum output_form form)
{
	size_t flags = JSON_ENCODE_ANY | (form == OUTPUT_JSON ? JSON_INDENT(2) : JSON_COMPACT);
	int r = json ? json_dumpf(json, stdout, flags) : -1;

	json_decref(json);
	if (r < 0)
		return fail(-ENOMEM, "Cannot write to standard output");
	(void)putchar('\n');
	return output_flush();
}

int output_flush(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(errno > 0 ? -errno : -EIO, "Cannot write to standard output");
	return 0;
}

/* --- Words for people --- */

const char *output_bytes(struct arena *arena, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	uint64_t tenths = bytes % (UINT64_MAX / 10) * 10;
	size_t unit = 0;

	while (tenths >= (uint64_t)10 * 1024 && unit + 2 < sizeof(units)) {
		tenths /= 1024;
		unit++;
	}
	if (unit == 0)
		return arena_format(arena, "%" PRIu64 "B", bytes);
	return arena_format(arena, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
			    units[unit]);
}

const char *output_span(struct arena *arena, uint64_t usec)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	uint64_t seconds = usec / 1000000;
	size_t unit = 0;

	if (seconds == 0)
		return arena_format(arena, "%" PRIu64 "ms", usec / 1000);
	while (seconds < units[unit].seconds)
		unit++;
	if (unit + 1 == ARRAY_LEN(units) ||
	    seconds % units[unit].seconds / units[unit + 1].seconds == 0)
		return arena_format(arena, "%" PRIu64 "%s", seconds / units[unit].seconds,
				    units[unit].name);
	return arena_format(arena, "%" PRIu64 "%s %" PRIu64 "%s", seconds / units[unit].seconds,
			    units[unit].name,
			    seconds % units[unit].seconds / units[unit + 1].seconds,
			    units[unit + 1].name);
}

const char *output_time(struct arena *arena, uint64_t usec)
{
	time_t seconds = (time_t)(usec / 1000000);
	struct tm broken;
	char text[64];

	if (!localtime_r(&seconds, &broken) ||
	    strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M:%S %Z", &broken) == 0)
		return "?";
	return arena_copy(arena, text);
}
