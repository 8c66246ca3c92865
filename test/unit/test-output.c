/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What verbs print: columns, lines, escapes, JSON, and words for people. */
#include "control/output.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/scope.h"
#include "check.h"

static struct arena arena;

/* What is printed on standard output meanwhile. */
static char *printed(const struct output_table *table, const struct output_style *style)
{
	static char text[4096];
	FILE *file = tmpfile();
	int before = dup(STDOUT_FILENO);
	size_t length;

	(void)fflush(stdout);
	(void)dup2(fileno(file), STDOUT_FILENO);
	CHECK(output_print(table, style) == 0);
	(void)dup2(before, STDOUT_FILENO);
	(void)close(before);
	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	(void)fclose(file);
	return text;
}

static const struct output_column columns[] = {
	{"NAME", "name", false}, {"SIZE", "size", true},  {"ADDRESSES", "addresses", false},
	{NULL, "is_on", false},  {"OTHERS", NULL, false},
};

static void test_table(void)
{
	struct output_table table = {.arena = &arena, .columns = columns, .column_count = 5};
	const struct output_style legend = {.things = "machines", .thing = "machine"};
	const struct output_style bare = {.has_no_legend = true, .things = "machines"};
	const struct output_style json = {.form = OUTPUT_JSON_SHORT};
	struct strings two = {0}, none = {0};

	CHECK_TEXT(printed(&table, &legend), "No machines.\n");
	CHECK_TEXT(printed(&table, &bare), "");
	CHECK_TEXT(printed(&table, &json), "[]\n");
	strings_add(&arena, &two, "10.0.0.1");
	strings_add(&arena, &two, "fe80::1\x1b[m");
	output_add(&table, (struct output_cell[]){output_text("a\nb"), output_shown(1024, "1K"),
						  output_lines(&two), output_truth(true),
						  output_text(NULL)});
	CHECK_TEXT(printed(&table, &legend), "NAME   SIZE ADDRESSES     OTHERS\n"
					     "a\\x0ab   1K 10.0.0.1      -\n"
					     "            fe80::1\\x1b[m\n"
					     "\n1 machine listed.\n");
	output_add(&table, (struct output_cell[]){output_text("\xe6\xbc\xa2"), output_number(-7),
						  output_lines(&none), output_truth(false),
						  output_list(&two)});
	CHECK_TEXT(printed(&table, &bare), "a\\x0ab 1K 10.0.0.1      -\n"
					   "          fe80::1\\x1b[m\n"
					   "\xe6\xbc\xa2     -7 -             10.0.0.1\n"
					   "                        fe80::1\\x1b[m\n");
	CHECK_TEXT(
		printed(&table, &json),
		"[{\"name\":\"a\\nb\",\"size\":1024,\"addresses\":\"10.0.0.1\\nfe80::1\\u001B[m\","
		"\"is_on\":true},{\"name\":\"\xe6\xbc\xa2\",\"size\":-7,\"addresses\":null,"
		"\"is_on\":false}]\n");
}

static void test_text_that_is_no_utf8(void)
{
	struct output_cell cell = output_text("a\xff\xc3");
	json_t *json = output_json(&arena, &cell);

	CHECK_TEXT(json_string_value(json), "a\\xff\\xc3");
	json_decref(json);
}

static void test_words(void)
{
	CHECK_TEXT(output_bytes(&arena, 0), "0B");
	CHECK_TEXT(output_bytes(&arena, 1023), "1023B");
	CHECK_TEXT(output_bytes(&arena, 1536), "1.5K");
	CHECK_TEXT(output_bytes(&arena, (uint64_t)5 << 30), "5.0G");
	CHECK_TEXT(output_span(&arena, 999), "0ms");
	CHECK_TEXT(output_span(&arena, 61000000), "1min 1s");
	CHECK_TEXT(output_span(&arena, (uint64_t)86400 * 1000000 * 3), "3d");
	CHECK_TEXT(output_span(&arena, (uint64_t)3600 * 1000000 * 25), "1d 1h");
	(void)setenv("TZ", "UTC", 1);
	CHECK_TEXT(output_time(&arena, (uint64_t)86400 * 1000000), "Fri 1970-01-02 00:00:00 UTC");
}

static void test_widths(void)
{
	CHECK(output_width("") == 0);
	CHECK(output_width("a\xcc\x88") == 1);        /* a letter with a mark */
	CHECK(output_width("\xf0\x9f\x90\xa7") == 2); /* a penguin */
}

static void test_forms(void)
{
	enum output_form form = OUTPUT_TEXT;

	CHECK(output_form_find("json", &form) == 0 && form == OUTPUT_JSON_SHORT);
	CHECK(output_form_find("json-pretty", &form) == 0 && form == OUTPUT_JSON);
	CHECK(output_form_find("xml", &form) == -EINVAL);
}

int main(void)
{
	test_table();
	test_text_that_is_no_utf8();
	test_words();
	test_widths();
	test_forms();
	arena_done(&arena);
	return check_result();
}
