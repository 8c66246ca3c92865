/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints an explanation for people: a heading for each section, below it three columns of words.
 * Zone: free.
 */
#include <string.h>

#include "base/escape.h"
#include "base/scope.h"
#include "run/explain-rows.h"

#define INDENT 2
#define GAP 2

/* The share of a line that names may take, and of what is left the most and the least that values
 * may, in percent. */
#define NAME_SHARE 34
#define VALUE_SHARE 66
#define VALUE_LEAST 40

enum column {
	COLUMN_NAME,
	COLUMN_VALUE,
	COLUMN_REASON,
	_COLUMN_COUNT,
};

struct printer {
	const struct explanation *explanation;
	FILE *file;
	size_t columns;
	size_t start[_COLUMN_COUNT], width[_COLUMN_COUNT];
};

/* Columns that 'length' bytes of printable UTF-8 take. */
static size_t columns_of(const char *text, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

/*
 * Finds the next line of '*text' of at most 'width' columns, broken at a blank; a longer word is a
 * line of its own. Moves '*text' to the line after it.
 */
static size_t take_line(const char **text, size_t width, const char **ret_line)
{
	const char *line = *text + strspn(*text, " ");
	size_t taken = 0;

	for (;;) {
		size_t next = taken + (taken > 0), word = strcspn(line + next, " ");

		if (taken > 0 && (!line[taken] || columns_of(line, next + word) > width))
			break;
		taken = next + word;
		if (!line[taken])
			break;
	}
	*text = line + taken + strspn(line + taken, " ");
	*ret_line = line;
	return taken;
}

static const char *origin_text(const struct explanation *e, const struct explain_origin *origin)
{
	switch (origin->source) {
	case EXPLAIN_FILE:
		return arena_format(e->arena, "[%s:%u]", origin->file, origin->line);
	case EXPLAIN_FOUND:
		return "[found]";
	case EXPLAIN_OPTION:
	case EXPLAIN_ENVIRONMENT:
		return arena_format(e->arena, "[%s]", origin->name);
	case EXPLAIN_DEFAULT:
	default:
		return "";
	}
}

static const char *reason_text(const struct explanation *e, const struct explain_row *row)
{
	const char *origin = origin_text(e, &row->origin);

	if (!row->reason)
		return origin;
	return arena_format(e->arena, "%s%s%s", row->reason, *origin ? " " : "", origin);
}

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Rows that differ in nothing but the name are shown as one. */
static bool is_alike(const struct explain_row *a, const struct explain_row *b)
{
	return a->value && is_same(a->value, b->value) && is_same(a->reason, b->reason) &&
	       a->origin.source == b->origin.source && is_same(a->origin.name, b->origin.name) &&
	       is_same(a->origin.file, b->origin.file) && a->origin.line == b->origin.line &&
	       a->is_usual == b->is_usual && !is_same(a->name, b->name);
}

/* The rows from 'first' on that are shown as one, at least that. */
static size_t count_alike(const struct explain_section *section, size_t first)
{
	const struct explain_row *rows = section->rows.items;
	size_t last = first;

	while (last + 1 < section->rows.count && is_alike(&rows[first], &rows[last + 1]))
		last++;
	return last - first + 1;
}

static void cells_of(const struct explanation *e, const struct explain_row *row, size_t count,
		     const char *cells[_COLUMN_COUNT])
{
	struct strings names = {0};

	for (size_t i = 0; i < count; i++)
		strings_add(e->arena, &names, row[i].name);
	cells[COLUMN_NAME] =
		escape_text(e->arena, explain_join((struct explanation *)e, &names, ", "));
	cells[COLUMN_VALUE] = escape_text(e->arena, row->value ? row->value : "");
	cells[COLUMN_REASON] = escape_text(e->arena, reason_text(e, row));
}

static void print_cells(const struct printer *p, const char *cells[_COLUMN_COUNT])
{
	while (*cells[COLUMN_NAME] || *cells[COLUMN_VALUE] || *cells[COLUMN_REASON]) {
		size_t at = 0;

		for (size_t column = 0; column < _COLUMN_COUNT; column++) {
			const char *line;
			size_t length;

			if (!*cells[column])
				continue;
			/* Something before it is longer than its column: the next line then. */
			if (at > 0 && at + GAP > p->start[column])
				break;
			length = take_line(&cells[column], p->width[column], &line);
			(void)fprintf(p->file, "%*s%.*s", (int)(p->start[column] - at), "",
				      (int)length, line);
			at = p->start[column] + columns_of(line, length);
		}
		(void)fputc('\n', p->file);
	}
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool is_in_columns(const struct explain_row *row)
{
	return row->value && !row->is_usual;
}

/* A column is as wide as its longest cell, within its share. */
static void measure(struct printer *p, const struct explain_section *section)
{
	size_t widest[_COLUMN_COUNT] = {0}, used;

	for (size_t i = 0, count; i < section->rows.count; i += count) {
		const char *cells[_COLUMN_COUNT];

		count = count_alike(section, i);
		if (!is_in_columns(&section->rows.items[i]))
			continue;
		cells_of(p->explanation, &section->rows.items[i], count, cells);
		for (size_t column = 0; column < _COLUMN_COUNT; column++) {
			size_t width = columns_of(cells[column], strlen(cells[column]));

			widest[column] = width > widest[column] ? width : widest[column];
		}
	}
	p->width[COLUMN_NAME] = smaller(widest[COLUMN_NAME], p->columns * NAME_SHARE / 100);
	used = INDENT + p->width[COLUMN_NAME] + GAP;
	p->width[COLUMN_VALUE] = p->columns - used;
	if (widest[COLUMN_REASON] > 0) {
		size_t left = p->columns - used - GAP;
		size_t both = widest[COLUMN_VALUE] + widest[COLUMN_REASON];
		/* In proportion, so that neither gets much longer than the other. */
		size_t share = left * widest[COLUMN_VALUE] / both;

		share = smaller(share, left * VALUE_SHARE / 100);
		if (share < left * VALUE_LEAST / 100)
			share = left * VALUE_LEAST / 100;
		if (both <= left)
			share = widest[COLUMN_VALUE];
		p->width[COLUMN_VALUE] = smaller(widest[COLUMN_VALUE], share);
	}
	p->start[COLUMN_NAME] = INDENT;
	p->start[COLUMN_VALUE] = used;
	p->start[COLUMN_REASON] =
		used + p->width[COLUMN_VALUE] + (p->width[COLUMN_VALUE] ? GAP : 0);
	p->width[COLUMN_REASON] = p->columns - p->start[COLUMN_REASON];
}

/* A paragraph from column 'indent' on. */
static void print_paragraph(const struct printer *p, const char *text, size_t indent)
{
	const char *rest = escape_text(p->explanation->arena, text);

	while (*rest) {
		const char *line;
		size_t length = take_line(&rest, p->columns - indent, &line);

		(void)fprintf(p->file, "%*s%.*s\n", (int)indent, "", (int)length, line);
	}
}

/* A message and, further in, what to do about it. */
static void print_sentence(const struct printer *p, const struct explain_row *row)
{
	print_paragraph(p, row->name, INDENT);
	if (row->reason)
		print_paragraph(p, row->reason, 3 * INDENT);
}

/* What is as usual is only named. */
static void print_usual(const struct printer *p, const struct explain_section *section)
{
	struct strings names = {0};
	struct explanation *e = (struct explanation *)p->explanation;

	for (size_t i = 0; i < section->rows.count; i++)
		if (section->rows.items[i].is_usual)
			strings_add(e->arena, &names, section->rows.items[i].name);
	if (names.count > 0)
		print_paragraph(p,
				arena_format(e->arena, "%ss usual: %s",
					     names.count < section->rows.count ? "All else a" : "A",
					     explain_join(e, &names, ", ")),
				INDENT);
}

static void print_section(struct printer *p, const struct explain_section *section)
{
	if (section->rows.count == 0 && !section->empty)
		return;
	(void)fprintf(p->file, "\n%s\n", section->title);
	if (section->rows.count == 0)
		print_paragraph(p, section->empty, INDENT);
	measure(p, section);
	for (size_t i = 0, count; i < section->rows.count; i += count) {
		const struct explain_row *row = &section->rows.items[i];
		const char *cells[_COLUMN_COUNT];

		count = count_alike(section, i);
		if (!row->value)
			print_sentence(p, row);
		if (!is_in_columns(row))
			continue;
		cells_of(p->explanation, row, count, cells);
		print_cells(p, cells);
	}
	print_usual(p, section);
}

void explain_print_text(const struct explanation *explanation, unsigned int columns, FILE *file)
{
	struct printer p = {.explanation = explanation, .file = file, .columns = columns};
	bool fails = explanation->found->failures.count > 0;

	print_paragraph(&p, "What would happen, in this order. Nothing was started or changed.", 0);
	print_paragraph(
		&p,
		"[Brackets] say who asked for it: an option, a line of a file, a $VARIABLE; or "
		"that it was found like this. What has none is the default.",
		0);
	for (size_t i = 0; i < explanation->sections.count; i++)
		print_section(&p, &explanation->sections.items[i]);
	(void)fprintf(file, "\n%s\n",
		      fails ? "This start would fail."
			    : "Nothing is known that would be in the way of this start.");
}
