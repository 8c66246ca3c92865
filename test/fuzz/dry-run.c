/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cases as in test/golden: whatever is asked and found, the plan can be shown, as JSON that can be
 * read and as text that drives no terminal.
 */
#include <jansson.h>

#include "base/escape.h"
#include "fake.h"
#include "fuzz.h"

static void check_text(const struct explanation *explanation)
{
	char *text = NULL, piece[ESCAPED_MAX];
	const char *rest;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	MUST(file);
	explain_print_text(explanation, 80, file);
	(void)fclose(file);
	for (rest = text; *rest;)
		/* What would have to be escaped is more than one column. */
		MUST(*rest == '\n' ? (rest++, true) : escape_next(&rest, piece) == 1);
	MUST((size_t)(rest - text) == length);
	free(text);
}

static void check_json(const struct explanation *explanation)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	json_t *read;

	MUST(file);
	MUST(explain_print_json(explanation, file) == 0);
	(void)fclose(file);
	read = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	MUST(read);
	MUST(json_integer_value(json_object_get(read, "version")) == EXPLAIN_JSON_VERSION);
	for (size_t i = 0; i < explanation->sections.count; i++)
		MUST(json_array_size(json_object_get(read, explanation->sections.items[i].key)) ==
		     explanation->sections.items[i].rows.count);
	json_decref(read);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *muted;
	char *text = input_text(data, size);
	struct fake fake;

	if (!muted) /* --help and its like */
		muted = freopen("/dev/null", "we", stdout);
	(void)clearenv();
	log_set_level(LOG_NOTE);
	if (fake_make(&fake, text) == 0) {
		check_text(&fake.explanation);
		check_json(&fake.explanation);
	}
	log_set_sink(NULL, NULL);
	arena_done(&fake.config.arena);
	(void)clearenv();
	free(text);
	return 0;
}
