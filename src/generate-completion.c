/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fills the templates below shell-completion/ from the tables of settings and verbs. Not part of
 * nspawn: 'ninja completion' runs it, and what it writes is committed.
 * Zone: free.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/help.h"
#include "config/settings.h"
#include "host/places.h"
#include "generate-rows.h"
#include "verbs.h"

static const char *const files[_SHELL_COUNT] = {
	[BASH] = "bash/nspawn",
	[ZSH] = "zsh/_nspawn",
	[FISH] = "fish/nspawn.fish",
};

/* --- What stands for the marks of the templates --- */

static const char *all_rows(const char *(*row_of)(enum setting setting))
{
	const char *text = "";

	for (int i = 0; i < _SETTING_COUNT; i++)
		if (setting_is_shown((enum setting)i))
			text = arena_format(&arena, "%s%s", text, row_of((enum setting)i));
	return text;
}

static const char *option_words(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];
	const char *text = "";

	if (row->letter)
		text = arena_format(&arena, "-%c ", row->letter);
	if (row->option && row->argument != ARGUMENT_REQUIRED)
		text = arena_format(&arena, "%s--%s ", text, row->option);
	if (row->option && row->metavar)
		text = arena_format(&arena, "%s--%s= ", text, row->option);
	return text;
}

static const char *optional_pattern(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];

	return row->argument == ARGUMENT_OPTIONAL ? arena_format(&arena, "--%s|", row->option) : "";
}

static const char *long_value_words(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];

	return row->option && row->argument == ARGUMENT_REQUIRED
		       ? arena_format(&arena, "--%s ", row->option)
		       : "";
}

static const char *letters(bool take_values)
{
	const char *text = "";

	for (int i = 0; i < _SETTING_COUNT; i++)
		if (setting_rows[i].letter && setting_is_shown((enum setting)i) &&
		    (setting_rows[i].argument == ARGUMENT_REQUIRED) == take_values)
			text = arena_format(&arena, "%s%c", text, setting_rows[i].letter);
	return text;
}

/* 'text' without its last character: what was put together left a separator there. */
static const char *without_last(const char *text)
{
	return *text ? arena_copy_n(&arena, text, strlen(text) - 1) : text;
}

/* What the words of a verb are, as its synopsis and this table tell. */
enum words {
	WORDS_ANY,
	WORDS_IMAGE,   /* a machine, running or not */
	WORDS_RUNNING, /* machines that run */
	WORDS_PATHS,   /* one of them, and then files */
	WORDS_COMMAND, /* one of them, and then a command */
	WORDS_ONE,     /* one of them, and then nothing that is known here */
	WORDS_GROUP,   /* system calls */
};

static enum words words_of_verb(const struct verb *verb)
{
	static const char *const of_images[] = {"config", "start", "enable", "disable"};

	for (size_t i = 0; i < ARRAY_LEN(of_images); i++)
		if (strcmp(verb->name, of_images[i]) == 0)
			return WORDS_IMAGE;
	if (strstr(verb->synopsis, "@GROUP"))
		return WORDS_GROUP;
	if (strstr(verb->synopsis, "HOST-PATH") || strstr(verb->synopsis, "FILE"))
		return WORDS_PATHS;
	if (strstr(verb->synopsis, "COMMAND") || strstr(verb->synopsis, "PROGRAM"))
		return WORDS_COMMAND;
	if (strstr(verb->synopsis, "NAME…"))
		return WORDS_RUNNING;
	return strstr(verb->synopsis, "NAME") ? WORDS_ONE : WORDS_ANY;
}

/* The options that a verb has of its own, with "=" where a value follows; NULL: those of a start.
 */
static const char *verb_options(const struct verb *verb)
{
	const char *text = "";

	if (words_of_verb(verb) == WORDS_COMMAND)
		return "--user= --setenv= --chdir= --tty --no-tty --quiet";
	if (strstr(verb->synopsis, "[OPTION…]"))
		return NULL;
	for (const char *rest = strstr(verb->synopsis, "--"); rest; rest = strstr(rest, "--")) {
		size_t length = 2 + strspn(rest + 2, "abcdefghijklmnopqrstuvwxyz-");

		add_word(&text, " ", arena_copy_n(&arena, rest, length + (rest[length] == '=')));
		rest += length;
	}
	return text;
}

/* One option of a verb, for a shell that has a row for each. */
static const char *verb_option_row(enum shell shell, const char *verb, const char *option)
{
	size_t length = strcspn(option, "=");
	const char *name = arena_copy_n(&arena, option, length);
	bool has_value = option[length] == '=';

	if (shell == ZSH)
		return arena_format(&arena, "'%s%s' ", option, has_value ? ":value: " : "");
	return arena_format(&arena, "complete -c $program -n '__nspawn_is_verb %s' -l %s%s\n", verb,
			    name + 2, has_value ? " -x" : "");
}

/* For each verb with options of its own: what makes the shell offer them. */
static const char *verb_option_rows(enum shell shell)
{
	const char *text = "";

	for (size_t i = 0; i < verbs_count; i++) {
		const char *options = verb_options(&verbs[i]), *rows = "";

		if (!options)
			continue;
		for (const char *rest = options; *rest && shell != BASH;) {
			size_t length = strcspn(rest, " ");

			rows = arena_format(&arena, "%s%s", rows,
					    verb_option_row(shell, verbs[i].name,
							    arena_copy_n(&arena, rest, length)));
			rest += length + (rest[length] == ' ');
		}
		text = shell == BASH  ? arena_format(&arena, "%s%s) offers='%s' ;;\n", text,
						     verbs[i].name, options)
		       : shell == ZSH ? arena_format(&arena, "%s%s) own=(%s) ;;\n", text,
						     verbs[i].name, without_last(rows))
				      : arena_format(&arena, "%s%s", text, rows);
	}
	return text;
}

static const char *verb_words(const char *separator, enum words words)
{
	const char *text = "";

	for (size_t i = 0; i < verbs_count; i++)
		if (words == WORDS_ANY || words_of_verb(&verbs[i]) == words)
			add_word(&text, separator, verbs[i].name);
	return text;
}

static const char *own_option_verbs(void)
{
	const char *text = "";

	for (size_t i = 0; i < verbs_count; i++)
		if (verb_options(&verbs[i]))
			add_word(&text, " ", verbs[i].name);
	return text;
}

static const char *verb_rows(enum shell shell)
{
	const char *text = "";

	for (size_t i = 0; i < verbs_count; i++)
		text = shell == ZSH
			       ? arena_format(&arena, "%s'%s:%s'\n", text, verbs[i].name,
					      escape(verbs[i].help, ":\\", "'\\''"))
			       : arena_format(&arena,
					      "%scomplete -c $program -n __nspawn_at_verb -a %s "
					      "-d '%s'\n",
					      text, verbs[i].name,
					      escape(verbs[i].help, "\\", "\\'"));
	return text;
}

static const char *folders(const char *before, const char *separator, const char *after)
{
	const char *text = "";

	for (const char *const *folder = places_of_system.images; *folder; folder++)
		add_word(&text, separator, *folder);
	return arena_format(&arena, "%s%s%s", before, text, after);
}

static const char *options_of(enum shell shell)
{
	return shell == BASH  ? without_last(all_rows(option_words))
	       : shell == ZSH ? all_rows(zsh_option_row)
			      : all_rows(fish_option_row);
}

static const char *warning_of(enum shell shell)
{
	return arena_format(&arena,
			    "Made by 'ninja completion' out of %s.in and the settings table.",
			    strchr(files[shell], '/') + 1);
}

/* What stands for the mark 'name' in the template of 'shell'; NULL if there is no such mark. */
static const char *text_of_mark(const char *name, enum shell shell)
{
	const char *separator = shell == FISH ? " " : "|";
	const struct {
		const char *name, *text;
	} marks[] = {
		{"warning", warning_of(shell)},
		{"options", options_of(shell)},
		{"values", all_rows(bash_value_row)},
		{"optional", without_last(all_rows(optional_pattern))},
		{"long_values", without_last(all_rows(long_value_words))},
		{"plain_letters", letters(false)},
		{"value_letters", letters(true)},
		{"verbs", verb_words(separator, WORDS_ANY)},
		{"verb_words", verb_words(" ", WORDS_ANY)},
		{"verb_rows", verb_rows(shell)},
		{"machine_verbs", verb_words(separator, WORDS_IMAGE)},
		{"machine_verb_words", verb_words(" ", WORDS_IMAGE)},
		{"running_verbs", verb_words(separator, WORDS_RUNNING)},
		{"running_verb_words", verb_words(" ", WORDS_RUNNING)},
		{"running", places_of_system.machines},
		{"path_verbs", verb_words(separator, WORDS_PATHS)},
		{"path_verb_words", verb_words(" ", WORDS_PATHS)},
		{"command_verbs", verb_words(separator, WORDS_COMMAND)},
		{"command_verb_words", verb_words(" ", WORDS_COMMAND)},
		{"one_verbs", verb_words(separator, WORDS_ONE)},
		{"one_verb_words", verb_words(" ", WORDS_ONE)},
		{"own_option_verb_words", own_option_verbs()},
		{"verb_option_rows", verb_option_rows(shell)},
		{"group_verbs", verb_words(separator, WORDS_GROUP)},
		{"group_verb_words", verb_words(" ", WORDS_GROUP)},
		{"groups", words_of(SETTING_SYSTEM_CALL_FILTER)},
		{"folders", folders("", " ", "")},
		{"folders_comma", folders("{", ",", "}")},
	};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (strcmp(marks[i].name, name) == 0)
			return marks[i].text;
	return NULL;
}

/* Writes each line of 'rows' behind 'indent'. */
static void write_rows(FILE *file, const char *indent, int width, const char *rows)
{
	while (*rows) {
		int length = (int)strcspn(rows, "\n");

		(void)fprintf(file, "%.*s%.*s\n", width, indent, length, rows);
		rows += length + (rows[length] == '\n');
	}
}

static int fill_line(FILE *file, const char *line, enum shell shell)
{
	int indent = (int)strspn(line, " \t");

	for (const char *rest = line; *rest;) {
		const char *mark = strchr(rest, '@'), *end = mark ? mark + 1 : NULL;
		const char *text = NULL;

		if (mark)
			end += strspn(end, "abcdefghijklmnopqrstuvwxyz_");
		if (mark && *end == '@')
			text = text_of_mark(
				arena_copy_n(&arena, mark + 1, (size_t)(end - mark) - 1), shell);
		if (text && mark == line + indent && !end[1]) {
			write_rows(file, line, indent, text);
			return 0;
		}
		if (mark && *end == '@' && end > mark + 1 && !text)
			return refuse(EINVAL, "Nothing is known for the mark '%.*s'",
				      (int)(end - mark) + 1, mark);
		if (!text)
			end = mark ? mark : rest + strlen(rest) - 1;
		(void)fprintf(file, "%.*s%s", (int)((text ? mark : end + 1) - rest), rest,
			      text ? text : "");
		rest = end + 1;
	}
	(void)fputc('\n', file);
	return 0;
}

static int fill(const char *template, enum shell shell, char **ret_text)
{
	size_t size = 0;
	FILE *file = open_memstream(ret_text, &size);
	int r = 0;

	if (!file)
		return fail(-errno, "Cannot make a stream");
	while (*template && r == 0) {
		size_t length = strcspn(template, "\n");

		r = fill_line(file, arena_copy_n(&arena, template, length), shell);
		template += length + (template[length] == '\n');
	}
	(void)fclose(file);
	return r;
}

/* Writes the completion file of 'shell' below 'folder', or tells whether it is as it would be. */
static int make(const char *folder, enum shell shell, bool is_check)
{
	const char *path = arena_format(&arena, "%s/%s", folder, files[shell]);
	auto_free char *template = NULL, *text = NULL, *before = NULL;
	auto_fclose FILE *file = NULL;
	int r;

	r = file_read(AT_FDCWD, arena_format(&arena, "%s.in", path), 1 << 20, &template, NULL);
	if (r < 0)
		return fail(r, "Cannot read the template '%s.in'", path);
	TRY(fill(template, shell, &text));
	if (is_check) {
		TRY(file_read(AT_FDCWD, path, 1 << 20, &before, NULL));
		if (strcmp(before, text) == 0)
			return 0;
		return refuse(EINVAL, "'%s' is old: 'ninja completion' makes it anew", path);
	}
	file = fopen(path, "we");
	if (!file || fputs(text, file) < 0 || fflush(file) != 0)
		return fail(-errno, "Cannot write '%s'", path);
	return 0;
}

/*
 * The settings table for the tests of documents, a row a line, tabs between: option, letter, value
 * as --help has it, key, and what the flags say.
 */
static void print_table(void)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} flags[] = {
		{SETTING_IS_LATER, "later"},       {SETTING_IS_HIDDEN, "hidden"},
		{SETTING_IS_OBSOLETE, "obsolete"}, {SETTING_IS_HARMLESS, "harmless"},
		{SETTING_CONFINES, "confines"},    {SETTING_IS_REPEATABLE, "repeatable"},
	};

	for (size_t i = 0; i < _SETTING_COUNT; i++) {
		const struct setting_row *row = &setting_rows[i];
		char option[HELP_OPTION_MAX];
		const char *text = row->option ? help_long_option((enum setting)i, option) + 2 : "";

		(void)printf("%s\t%c\t%s\t%s\t", row->option ? row->option : "-",
			     row->letter ? row->letter : '-',
			     row->option ? text + strlen(row->option) : "",
			     row->key ? row->key : "-");
		for (size_t j = 0; j < ARRAY_LEN(flags); j++)
			if (row->flags & flags[j].flag)
				(void)printf("%s ", flags[j].name);
		(void)puts("");
	}
}

int main(int argc, char **argv)
{
	bool is_check = argc == 3 && strcmp(argv[1], "--check") == 0;
	int r = 0;

	if (argc == 2 && strcmp(argv[1], "--table") == 0) {
		print_table();
		return EXIT_SUCCESS;
	}
	if (argc != 2 + is_check) {
		(void)fprintf(stderr, "Usage: generate-completion --table | [--check] FOLDER\n");
		return EXIT_FAILURE;
	}
	for (int i = 0; i < _SHELL_COUNT && r >= 0; i++)
		r = make(argv[argc - 1], (enum shell)i, is_check);
	arena_done(&arena);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
