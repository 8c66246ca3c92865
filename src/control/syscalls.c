/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn syscalls. The rulings are the filter's own, for a machine that root starts with the
 * options given.
 * Zone: free.
 */
#include "control/syscalls.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/capability-names.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/config.h"
#include "config/merge.h"
#include "confine/confine-plan.h"
#include "confine/syscall-policy.h"

#define JSON_VERSION 1

/* Everything that is known, and what was asked for of it. */
struct listing {
	struct config config;
	struct syscall_request request;
	struct syscall_decision *decisions;
	bool *is_wanted; /* one for each row of the table */
	struct strings unknown;
	bool is_json;
};

static const struct syscall_tables *const tables = &syscall_tables_built;

static bool exists_here(const struct syscall_row *row)
{
	for (size_t abi = 0; abi < tables->abi_count; abi++)
		if (row->number[abi] >= 0)
			return true;
	return false;
}

/* --- What is asked for --- */

static bool want_name(struct listing *listing, const char *name, size_t length)
{
	const struct syscall_row *row = syscall_row_find(tables, name, length);

	if (row)
		listing->is_wanted[row - tables->rows] = true;
	return row;
}

static bool want_group(struct listing *listing, const char *name, size_t length)
{
	const struct syscall_group *group = syscall_group_find(name, length);
	const char *words, *word;
	size_t word_length;

	if (!group)
		return false;
	for (size_t row = 0; !*group->words && row < tables->row_count; row++)
		listing->is_wanted[row] = true;
	for (words = group->words; (word = syscall_words_next(&words, &word_length));)
		(void)(*word == '@' ? want_group(listing, word, word_length)
				    : want_name(listing, word, word_length));
	return true;
}

/* A number counts on the machine's first ABI, the one of its own programs. */
static bool want_number(struct listing *listing, uint32_t number)
{
	for (size_t row = 0; row < tables->row_count; row++)
		if (tables->rows[row].number[0] == (int32_t)number) {
			listing->is_wanted[row] = true;
			return true;
		}
	return false;
}

static void want(struct listing *listing, const char *word)
{
	uint32_t number;
	bool is_known = *word == '@'                    ? want_group(listing, word, strlen(word))
			: parse_u32(word, &number) == 0 ? want_number(listing, number)
							: want_name(listing, word, strlen(word));

	if (!is_known)
		strings_add(&listing->config.arena, &listing->unknown, word);
}

static void want_all(struct listing *listing)
{
	for (size_t row = 0; row < tables->row_count; row++)
		listing->is_wanted[row] = exists_here(&tables->rows[row]);
}

/* --- Words --- */

static const char *verdict_word(const struct syscall_ruling *ruling)
{
	if (ruling->verdict == SYSCALL_MISSING)
		return "ENOSYS";
	if (ruling->verdict == SYSCALL_REFUSED)
		return "EPERM";
	return ruling->condition ? "by arguments" : "allowed";
}

/* As a sentence for people; the same facts are fields in JSON. */
static const char *reason_of(struct arena *arena, const struct syscall_ruling *ruling)
{
	const char *capability = capability_name(ruling->capability);
	const char *group = ruling->word ? arena_format(arena, " (%s)", ruling->word) : "";

	if (ruling->condition)
		return ruling->condition;
	switch (ruling->source) {
	case SYSCALL_DENIED:
		return arena_format(arena, "--system-call-filter=~%s", ruling->word);
	case SYSCALL_ASKED:
		return arena_format(arena, "--system-call-filter=%s", ruling->word);
	case SYSCALL_ALWAYS:
		return ruling->word ? arena_format(arena, "always allowed, as %s", ruling->word)
				    : "always allowed";
	case SYSCALL_RETAINED:
		return arena_format(arena, "%s is kept%s", capability, group);
	case SYSCALL_NOT_RETAINED:
		return arena_format(arena, "%s is not kept%s", capability, group);
	case SYSCALL_EXCLUDED:
		return ruling->reason;
	case SYSCALL_UNLISTED:
	default:
		return "in no list: programs take it for a call that the kernel lacks";
	}
}

static const char *const source_names[] = {
	[SYSCALL_UNLISTED] = "unlisted", [SYSCALL_DENIED] = "denied",
	[SYSCALL_ALWAYS] = "always",     [SYSCALL_RETAINED] = "capability-kept",
	[SYSCALL_ASKED] = "asked",       [SYSCALL_NOT_RETAINED] = "capability-missing",
	[SYSCALL_EXCLUDED] = "excluded",
};
static_assert(ARRAY_LEN(source_names) == SYSCALL_EXCLUDED + 1, "a name for each source");

/* --- Output --- */

static json_t *row_value(struct arena *arena, const struct syscall_row *row,
			 const struct syscall_ruling *ruling)
{
	bool is_capability =
		ruling->source == SYSCALL_RETAINED || ruling->source == SYSCALL_NOT_RETAINED;
	json_t *numbers = json_object();

	for (size_t abi = 0; abi < tables->abi_count; abi++)
		if (row->number[abi] >= 0)
			(void)json_object_set_new(numbers, tables->abis[abi].name,
						  json_integer(row->number[abi]));
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s, s:o}", "name", row->name,
			 "verdict",
			 ruling->verdict == SYSCALL_ALLOWED ? "allowed" : verdict_word(ruling),
			 "source", source_names[ruling->source], "word", ruling->word, "capability",
			 is_capability ? capability_name(ruling->capability) : NULL, "condition",
			 ruling->condition, "reason", reason_of(arena, ruling), "numbers", numbers);
}

static int print_json(struct listing *listing)
{
	struct arena *arena = &listing->config.arena;
	json_t *calls = json_array(), *unknown = json_array(), *root;
	int r;

	for (size_t row = 0; row < tables->row_count; row++)
		if (listing->is_wanted[row])
			(void)json_array_append_new(calls,
						    row_value(arena, &tables->rows[row],
							      &listing->decisions[row].ruling));
	for (size_t i = 0; i < listing->unknown.count; i++)
		(void)json_array_append_new(
			unknown, json_string(escape_text(arena, listing->unknown.items[i])));
	root = json_pack("{s:i, s:b, s:o, s:o}", "version", JSON_VERSION, "is_filtered",
			 listing->config.syscall_filter, "calls", calls, "unknown", unknown);
	r = root ? json_dumpf(root, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;
	json_decref(root);
	return r < 0 || putchar('\n') == EOF ? -ENOMEM : 0;
}

static void print_text(struct listing *listing)
{
	struct arena *arena = &listing->config.arena;
	int name_width = 0;

	if (!listing->config.syscall_filter)
		(void)puts("There is no filter ($SYSTEMD_SECCOMP): every call reaches the kernel. "
			   "With one:");
	for (size_t row = 0; row < tables->row_count; row++)
		if (listing->is_wanted[row] && (int)strlen(tables->rows[row].name) > name_width)
			name_width = (int)strlen(tables->rows[row].name);
	for (size_t row = 0; row < tables->row_count; row++) {
		const struct syscall_ruling *ruling = &listing->decisions[row].ruling;

		if (listing->is_wanted[row])
			(void)printf("%-*s  %-12s  %s%s\n", name_width, tables->rows[row].name,
				     verdict_word(ruling), reason_of(arena, ruling),
				     exists_here(&tables->rows[row])
					     ? ""
					     : "; this architecture lacks it");
	}
	for (size_t i = 0; i < listing->unknown.count; i++)
		(void)printf("%-*s  %-12s  %s\n", name_width,
			     escape_text(arena, listing->unknown.items[i]), "unknown",
			     *listing->unknown.items[i] == '@' ? "no group of this name"
							       : "in no table: it gets ENOSYS");
}

/* --- The verb --- */

/* Takes --json out of the words; it counts before the first that is no option. */
static int take_json(int argc, char **argv, bool *ret_is_json)
{
	int kept = 1;
	bool is_over = false;

	for (int i = 1; i < argc; i++) {
		is_over = is_over || argv[i][0] != '-' || strcmp(argv[i], "--") == 0;
		if (!is_over && strcmp(argv[i], "--json") == 0)
			*ret_is_json = true;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

static int ask(struct listing *listing)
{
	const struct said_list no_files = {0};
	struct config *config = &listing->config;
	const char *unknown;

	TRY(config_merge(config, &no_files));
	unknown = confine_unknown_word(config);
	if (unknown)
		return refuse(
			EINVAL,
			"The system call filter names '%s', which is neither a system call nor a group",
			unknown);
	listing->request = confine_request(
		config, confine_capabilities(config, config->private_users > PRIVATE_USERS_NO) |
				config->capabilities_ambient);
	TRY(syscall_policy_decide(tables, &listing->request, &listing->decisions));
	return 0;
}

static int list(struct listing *listing)
{
	struct config *config = &listing->config;
	int r = 0;

	TRY(ask(listing));
	listing->is_wanted = arena_allocate(&config->arena, tables->row_count);
	for (size_t i = 0; i < config->words.count; i++)
		want(listing, config->words.items[i]);
	if (config->words.count == 0)
		want_all(listing);
	if (listing->is_json)
		r = print_json(listing);
	else
		print_text(listing);
	if (r < 0 || fflush(stdout) == EOF)
		return fail(r < 0 ? r : -errno, "Cannot write to standard output");
	return listing->unknown.count > 0 ? -ENOENT : 0;
}

int control_syscalls(int argc, char **argv)
{
	struct listing listing = {0};
	int r;

	argc = take_json(argc, argv, &listing.is_json);
	r = config_from_command_line(&listing.config, argc, argv);
	if (r == 0)
		r = list(&listing);
	free(listing.decisions);
	arena_done(&listing.config.arena);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
