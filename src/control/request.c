/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the words behind a verb by a table.
 * Zone: free.
 */
#include "control/request.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"

/* Stores a value, NULL for none; -EINVAL for one that does not fit. */
typedef int (*request_set)(struct arena *arena, struct request *request, const char *value);

static int set_json(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	return output_json_form_find(value, &request->form);
}

static int set_form(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	return output_form_find(value, &request->form);
}

static int set_no_legend(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->has_no_legend = true;
	return 0;
}

static int set_quiet(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->is_quiet = true;
	return 0;
}

static int set_all(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->shows_all = true;
	return 0;
}

static int set_values_only(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->values_only = true;
	return 0;
}

static int add_properties(struct arena *arena, struct request *request, const char *value)
{
	text_words(arena, value, ",", &request->properties);
	return 0;
}

static int add_value_property(struct arena *arena, struct request *request, const char *value)
{
	request->values_only = true;
	return add_properties(arena, request, value);
}

static int set_addresses(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	if (strcmp(value, "all") == 0) {
		request->addresses_max = ADDRESSES_ALL;
		return 0;
	}
	return parse_u32(value, &request->addresses_max);
}

static int set_lines(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	return parse_u32(value, &request->lines);
}

static int set_whom(struct arena *arena, struct request *request, const char *value)
{
	static const struct name whoms[] = {
		{"all", KILL_ALL}, {"leader", KILL_LEADER}, {"supervisor", KILL_SUPERVISOR}};
	static const struct names names = NAMES(whoms);
	const struct name *found = names_find(&names, value);

	(void)arena;
	if (!found)
		return -EINVAL;
	request->whom = (enum kill_whom)found->value;
	return 0;
}

static int set_signal(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	return parse_signal(value, &request->signal);
}

static int set_no_wait(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->waits_not = true;
	return 0;
}

static int set_timeout(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	return parse_span(value, 1000000, &request->timeout_usec);
}

static int set_once(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->is_once = true;
	return 0;
}

static int set_delay(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	TRY(parse_span(value, 1000000, &request->delay_usec));
	return request->delay_usec >= 100000 && request->delay_usec <= UINT64_C(3600) * 1000000
		       ? 0
		       : -EINVAL;
}

static int set_system(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->scope = SCOPE_SYSTEM;
	return 0;
}

static int set_user(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)value;
	request->scope = SCOPE_USER;
	return 0;
}

static int set_nothing(struct arena *arena, struct request *request, const char *value)
{
	(void)arena;
	(void)request;
	(void)value;
	return 0;
}

enum value {
	NONE,
	ONE,
	PERHAPS, /* behind '=' only */
};

#define ANY_VERB 0

/* clang-format off */
static const struct row {
	const char *option;
	char letter;
	enum value value;
	unsigned int takes; /* one of these bits */
	request_set set;
	const char *wanted; /* what the value is, for a message */
} rows[] = {
	{"json",          0,   PERHAPS, REQUEST_FORM,       set_json,           OUTPUT_JSON_WANTED},
	{"output",        'o', ONE,     REQUEST_FORM,       set_form,           "text, json, json-pretty or json-short"},
	{"no-legend",     0,   NONE,    REQUEST_LEGEND,     set_no_legend,      NULL},
	{"all",           'a', NONE,    REQUEST_ALL,        set_all,            NULL},
	{"max-addresses", 0,   ONE,     REQUEST_ADDRESSES,  set_addresses,      "a number or 'all'"},
	{"property",      'p', ONE,     REQUEST_PROPERTIES, add_properties,     "names of properties"},
	{NULL,            'P', ONE,     REQUEST_PROPERTIES, add_value_property, "names of properties"},
	{"value",         0,   NONE,    REQUEST_PROPERTIES, set_values_only,    NULL},
	{"lines",         'n', ONE,     REQUEST_LINES,      set_lines,          "a number of lines"},
	{"kill-whom",     0,   ONE,     REQUEST_KILL,       set_whom,           "all, leader or supervisor"},
	{"kill-who",      0,   ONE,     REQUEST_KILL,       set_whom,           "all, leader or supervisor"},
	{"signal",        's', ONE,     REQUEST_KILL,       set_signal,         "the name or number of a signal"},
	{"no-wait",       0,   NONE,    REQUEST_WAIT,       set_no_wait,        NULL},
	{"timeout",       0,   ONE,     REQUEST_WAIT,       set_timeout,        "a time like 90s"},
	{"once",          0,   NONE,    REQUEST_TOP,        set_once,           NULL},
	{"delay",         'd', ONE,     REQUEST_TOP,        set_delay,          "a time from 100ms to 1h"},
	{"system",        0,   NONE,    ANY_VERB,           set_system,         NULL},
	{"user",          0,   NONE,    ANY_VERB,           set_user,           NULL},
	{"quiet",         'q', NONE,    ANY_VERB,           set_quiet,          NULL},
	{"no-pager",      0,   NONE,    ANY_VERB,           set_nothing,        NULL},
	/* Of machinectl, where others read them or nothing has to be done. */
	{"full",            'l', NONE, REQUEST_EVERYTHING, set_nothing, NULL},
	{"no-ask-password", 0,   NONE, REQUEST_EVERYTHING, set_nothing, NULL},
	{"force",           0,   NONE, REQUEST_EVERYTHING, set_nothing, NULL},
	{"now",             0,   NONE, REQUEST_EVERYTHING, set_nothing, NULL},
	{"read-only",       0,   NONE, REQUEST_EVERYTHING, set_nothing, NULL},
	{"mkdir",           0,   NONE, REQUEST_EVERYTHING, set_nothing, NULL},
	{"uid",             0,   ONE,  REQUEST_EVERYTHING, set_nothing, "a user"},
	{"setenv",          'E', ONE,  REQUEST_EVERYTHING, set_nothing, "NAME=VALUE"},
	{"verify",          0,   ONE,  REQUEST_EVERYTHING, set_nothing, "no, checksum or signature"},
	{"format",          0,   ONE,  REQUEST_EVERYTHING, set_nothing, "a format"},
	{"runner",          0,   ONE,  REQUEST_EVERYTHING, set_nothing, "nspawn or vmspawn"},
};
/* clang-format on */

/* The row of an option, or NULL; 'ret_value' is what stands in the same word, or NULL. */
static const struct row *find(const char *word, const char **ret_value)
{
	size_t length;

	*ret_value = NULL;
	if (word[0] != '-' || word[1] == '\0' || strcmp(word, "--") == 0)
		return NULL;
	if (word[1] != '-') {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (rows[i].letter == word[1]) {
				*ret_value = word[2] ? word + 2 : NULL;
				return &rows[i];
			}
		return NULL;
	}
	length = strcspn(word + 2, "=");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].option && strlen(rows[i].option) == length &&
		    strncmp(rows[i].option, word + 2, length) == 0) {
			*ret_value = word[2 + length] == '=' ? word + 3 + length : NULL;
			return &rows[i];
		}
	return NULL;
}

bool request_is_option(const char *word, int *ret_words)
{
	const char *value;
	const struct row *row = find(word, &value);

	if (row)
		*ret_words = row->value == ONE && !value ? 2 : 1;
	return row;
}

static int apply(struct arena *arena, const struct row *row, const char *word, const char *value,
		 struct request *request)
{
	const char *name = arena_format(arena, "Option '%.*s'",
					word[1] == '-' ? (int)strcspn(word, "=") : 2, word);

	if (row->value == NONE && value && word[1] == '-')
		return refuse(EINVAL, "Option '%s' takes no argument, but got '%s'",
			      arena_copy_n(arena, word, strcspn(word, "=")), value);
	if (row->value == ONE && !value)
		return refuse(EINVAL, "Option '%s' requires an argument", word);
	if (row->set(arena, request, value) < 0)
		return refuse(EINVAL, "%s takes %s, not '%s'", name, row->wanted, value);
	return 0;
}

/* Our own name of a verb. */
static const char *verb_of(const char *verb)
{
	return text_has_prefix(verb, REQUEST_OF_MACHINECTL) ? verb + strlen(REQUEST_OF_MACHINECTL)
							    : verb;
}

/* One word that begins with '-'. Returns how many words it took, or -EINVAL. */
static int read_option(struct arena *arena, char **words, unsigned int takes,
		       struct request *request)
{
	const char *value, *word = words[0];
	const struct row *row = find(word, &value);
	bool is_taken =
		row && (row->takes == ANY_VERB || takes & row->takes || takes & REQUEST_EVERYTHING);
	int count = 1;

	if (!is_taken) {
		(void)refuse(EINVAL, "'%s' does not take '%s'", request->verb, word);
		hint("'nspawn %s --help' says what it takes", verb_of(request->verb));
		return -EINVAL;
	}
	if (row->value == NONE && value && word[1] != '-') {
		/* Letters together: the others come behind the first. */
		TRY(apply(arena, row, word, NULL, request));
		words[0] = arena_format(arena, "-%s", value);
		return 0;
	}
	if (row->value == ONE && !value && words[1]) {
		value = words[1];
		count = 2;
	}
	TRY(apply(arena, row, word, value, request));
	return count;
}

int request_read(struct arena *arena, int argc, char **argv, unsigned int takes,
		 struct request *ret)
{
	bool is_over = false, is_lenient = text_has_prefix(argv[0], REQUEST_OF_MACHINECTL);
	int r;

	takes |= is_lenient ? REQUEST_EVERYTHING : 0;
	*ret = (struct request){
		.verb = argv[0],
		.addresses_max = 1,
		.lines = 10,
		.signal = SIGTERM,
		.timeout_usec = UINT64_C(90) * 1000000,
		.delay_usec = 1000000,
		.scope = SCOPE_AUTO,
		/* What is killed is gone when that program returns. */
		.waits_not = is_lenient && !strstr(argv[0], "terminate"),
	};
	for (int i = 1; i < argc;) {
		if (!is_over && strcmp(argv[i], "--") == 0) {
			is_over = true;
			i++;
		} else if (is_over || argv[i][0] != '-' || argv[i][1] == '\0') {
			strings_add(arena, &ret->names, argv[i++]);
		} else {
			r = read_option(arena, argv + i, takes, ret);
			TRY(r);
			i += r;
		}
	}
	if (ret->is_quiet)
		log_set_level(LOG_WARNING);
	return 0;
}

int request_read_no_names(struct arena *arena, int argc, char **argv, unsigned int takes,
			  struct request *ret)
{
	TRY(request_read(arena, argc, argv, takes, ret));
	if (ret->names.count > 0)
		return refuse(EINVAL, "'%s' does not take '%s'", ret->verb, ret->names.items[0]);
	return 0;
}

int request_read_names(struct arena *arena, int argc, char **argv, unsigned int takes,
		       struct request *ret)
{
	TRY(request_read(arena, argc, argv, takes, ret));
	if (ret->names.count == 0)
		return refuse(EINVAL, "'%s' needs the name of a machine", ret->verb);
	return 0;
}
