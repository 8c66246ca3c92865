/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a verb and says for programs what came of it.
 * Zone: free.
 */
#include "control/outcome.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "control/output.h"

/* 1: it is taken; 0: it is the verb's. */
static int take_word(const char *word, enum output_form *form)
{
	const char *value = word + strlen("--json");

	if (!text_has_prefix(word, "--json") || (*value && *value != '='))
		return 0;
	value = *value ? value + 1 : NULL;
	if (output_json_form_find(value, form) < 0)
		return refuse(EINVAL, "%s takes %s, not '%s'", "Option '--json'",
			      OUTPUT_JSON_WANTED, value);
	return 1;
}

static int print(const char *verb, bool is_done, enum output_form form)
{
	auto_arena struct arena arena = {0};
	const struct output_cell error = output_text(log_first_failure());
	json_t *json = json_object();

	(void)json_object_set_new(json, "verb", json_string(verb));
	(void)json_object_set_new(json, "done", json_boolean(is_done));
	(void)json_object_set_new(json, "error", output_json(&arena, &error));
	return output_print_json(json, form);
}

int outcome_run(int (*verb)(int argc, char **argv), int argc, char **argv)
{
	enum output_form form = OUTPUT_TEXT;
	bool are_options = true, is_stream = false;
	int count = 0, status;

	for (int i = 0; i < argc; i++) {
		int r = are_options && i > 0 ? take_word(argv[i], &form) : 0;

		if (r < 0)
			return EXIT_FAILURE;
		are_options = are_options && strcmp(argv[i], "--") != 0;
		is_stream = is_stream || strcmp(argv[i], "-") == 0;
		if (r == 0)
			argv[count++] = argv[i];
	}
	argv[count] = NULL;
	if (form == OUTPUT_TEXT)
		return verb(count, argv);
	if (is_stream) {
		(void)refuse(EINVAL, "'%s' has a stream for '-', and none for what '--json' says",
			     argv[0]);
		return EXIT_FAILURE;
	}
	status = verb(count, argv);
	return print(argv[0], status == EXIT_SUCCESS, form) < 0 ? EXIT_FAILURE : status;
}
