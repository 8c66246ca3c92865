/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What verbs print on standard output: tables and fields for people, JSON for programs, both out of
 * the same cells. Texts may come from a guest: in tables they are escaped (base/escape.h), and each
 * takes one line.
 * Zone: free.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum output_form {
	OUTPUT_TEXT,
	OUTPUT_JSON,       /* indented */
	OUTPUT_JSON_SHORT, /* in one line */
};

/* "text", "json", "json-pretty", "json-short" and their like; -EINVAL for others. Silent. */
int output_form_find(const char *word, enum output_form *ret);

/* The same of what --json= takes, where "short" is a form of JSON; NULL: no value. */
#define OUTPUT_JSON_WANTED "pretty, short or off"
int output_json_form_find(const char *word, enum output_form *ret);

/* --- Cells --- */

enum output_kind {
	OUTPUT_NOTHING, /* a hyphen for people, null for programs */
	OUTPUT_A_TEXT,
	OUTPUT_A_NUMBER,
	OUTPUT_A_TRUTH, /* yes or no, true or false */
	OUTPUT_A_LIST,  /* a line each; an array */
	OUTPUT_NUMBERS, /* the same of digits */
	OUTPUT_LINES,   /* a line each; one text with line feeds, as machinectl(1) has it */
};

struct output_cell {
	enum output_kind kind;
	const char *text; /* of a number: how people see it, NULL: as digits */
	int64_t number;
	struct strings list;
};

/* NULL and "" are nothing. Texts are borrowed. */
struct output_cell output_text(const char *text);
struct output_cell output_number(int64_t number);
struct output_cell output_shown(int64_t number, const char *shown);
struct output_cell output_truth(bool is_true);
struct output_cell output_list(const struct strings *list);
struct output_cell output_numbers(const struct strings *digits);
struct output_cell output_lines(const struct strings *list);

/* A new reference. What is no UTF-8 comes with \xHH in it, and the rest as it was. */
json_t *output_json(struct arena *arena, const struct output_cell *cell);

/* --- Tables --- */

struct output_column {
	const char *title; /* for people, NULL: only for programs */
	const char *key;   /* for programs, NULL: only for people */
	bool is_right;     /* numbers are easier to compare that way */
};

struct output_row {
	struct output_cell *cells;
};

struct output_table {
	struct arena *arena;
	const struct output_column *columns;
	size_t column_count;
	struct {
		struct output_row *items;
		size_t count, room;
	} rows;
};

/* Appends a row: a copy of 'cells', of which there is one for each column. */
void output_add(struct output_table *table, const struct output_cell *cells);

struct output_style {
	enum output_form form;
	bool has_no_legend; /* neither titles nor the line at the end */
	const char *things; /* what is counted in that line: "machines"; NULL: nothing */
	const char *thing;  /* one of them */
};

/* Prints it on standard output. Complains itself where that fails. */
int output_print(const struct output_table *table, const struct output_style *style);

/* --- Fields --- */

/* Prints a JSON value, which is then gone, in one of the two forms of JSON. Complains itself. */
int output_print_json(json_t *json, enum output_form form);

/* Hands on what was printed. Complains itself if it cannot be. */
int output_flush(void);

/* --- Words for people; in the arena --- */

/* "1.5M": powers of 1024. */
const char *output_bytes(struct arena *arena, uint64_t bytes);

/* "3d 4h", "2min 5s": the two largest units. */
const char *output_span(struct arena *arena, uint64_t usec);

/* "Sun 2026-11-22 18:00:00 UTC": in local time. */
const char *output_time(struct arena *arena, uint64_t usec);

/* How many columns a terminal needs for a text that was escaped. */
size_t output_width(const char *escaped);
