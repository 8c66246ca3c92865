/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fills the templates below shell-completion/ from the tables of settings and verbs. Not part of
 * nspawn: 'ninja completion' runs it, and what it writes is committed.
 * Zone: free.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/help.h"
#include "config/settings.h"
#include "config/values.h"
#include "confine/syscall-tables.h"
#include "host/places.h"
#include "verbs.h"

enum shell {
	BASH,
	ZSH,
	FISH,
	_SHELL_COUNT
};

static const char *const files[_SHELL_COUNT] = {
	[BASH] = "bash/nspawn",
	[ZSH] = "zsh/_nspawn",
	[FISH] = "fish/nspawn.fish",
};

/* What the value of an option is, in the eyes of somebody who completes it. */
enum kind {
	KIND_NONE,
	KIND_FREE,
	KIND_WORDS,
	KIND_COMMAS, /* words between commas */
	KIND_DENIED, /* one word, perhaps after a '~' */
	KIND_LIMIT,  /* a word, then '=' */
	KIND_DIRECTORY,
	KIND_PATH,
	KIND_TREE_PATH,
	KIND_BIND,
	KIND_MACHINE,
	KIND_USER,
	KIND_VARIABLE,
	_KIND_COUNT
};

/* The functions are those of the templates; %s is the words. */
/* clang-format off */
static const struct {
	const char *bash, *zsh, *fish;
} kinds[] = {
	[KIND_NONE]      = {"", "", ""},
	[KIND_FREE]      = {"free", " ", "-x"},
	[KIND_WORDS]     = {"words", "(%s)", "-x -a '%s'"},
	[KIND_COMMAS]    = {"commas", "_values -s , name %s", "-x -a '(__nspawn_commas %s)'"},
	[KIND_DENIED]    = {"denied", "_nspawn_denied %s", "-x -a '(__nspawn_denied %s)'"},
	[KIND_LIMIT]     = {"limit", "{compadd -S = - %s}", "-x -a '(string join \\n %s)='"},
	[KIND_DIRECTORY] = {"directory", "_files -/", "-x -a '(__fish_complete_directories)'"},
	[KIND_PATH]      = {"path", "_files", "-r -F"},
	[KIND_TREE_PATH] = {"tree", "_nspawn_tree_files", "-x -a '(__nspawn_tree_files)'"},
	[KIND_BIND]      = {"bind", "_nspawn_bind", "-x -a '(__nspawn_bind)'"},
	[KIND_MACHINE]   = {"machine", "_nspawn_machines", "-x -a '(__nspawn_machines)'"},
	[KIND_USER]      = {"user", "_nspawn_users", "-x -a '(__nspawn_users)'"},
	[KIND_VARIABLE]  = {"variable", "_parameters -g \"*export*\" -S =", "-x -a '(set -nx)='"},
};
/* clang-format on */
static_assert(ARRAY_LEN(kinds) == _KIND_COUNT, "one row for each kind");

/* What the rows of the settings table do not tell. */
static const struct {
	enum setting setting;
	enum kind kind;
} known[] = {
	{SETTING_DIRECTORY, KIND_DIRECTORY},
	{SETTING_TEMPLATE, KIND_DIRECTORY},
	{SETTING_OCI_BUNDLE, KIND_DIRECTORY},
	{SETTING_EPHEMERAL_DIR, KIND_DIRECTORY},
	{SETTING_PIVOT_ROOT, KIND_TREE_PATH},
	{SETTING_MACHINE, KIND_MACHINE},
	{SETTING_UID, KIND_USER},
	{SETTING_SETENV, KIND_VARIABLE},
	{SETTING_RLIMIT, KIND_LIMIT},
	{SETTING_KILL_SIGNAL, KIND_WORDS},
	{SETTING_SYSTEM_CALL_FILTER, KIND_DENIED},
};

static struct arena arena; /* a program of one job: everything is its arena's */

static enum kind kind_of(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];

	if (!row->metavar)
		return KIND_NONE;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].setting == setting)
			return known[i].kind;
	if (strcmp(row->metavar, "LIST") == 0)
		return KIND_COMMAS;
	if (strcmp(row->metavar, "[~]LIST") == 0)
		return KIND_DENIED;
	if (row->choices || strcmp(row->metavar, "BOOL") == 0)
		return KIND_WORDS;
	if (row->flags & SETTING_IS_PATH)
		return strchr(row->metavar, ':') ? KIND_BIND : KIND_PATH;
	return strncmp(row->metavar, "PATH", 4) == 0 ? KIND_TREE_PATH : KIND_FREE;
}

/* Adds 'word' to the words of 'text', with 'separator' between them. */
static void add_word(const char **text, const char *separator, const char *word)
{
	*text = arena_format(&arena, "%s%s%s", *text, **text ? separator : "", word);
}

static const char *signal_words(void)
{
	static const int realtime[] = {3, 4, 5}; /* systemd's halt, poweroff and reboot */
	const char *text = "";
	char name[SIGNAL_NAME_MAX];

	for (int i = 1; i < 32; i++)
		if (i != SIGKILL && i != SIGSTOP)
			add_word(&text, " ", signal_name(i, name));
	for (size_t i = 0; i < ARRAY_LEN(realtime); i++)
		add_word(&text, " ", signal_name(SIGRTMIN + realtime[i], name));
	return text;
}

/* The words that the setting accepts, between blanks. */
static const char *words_of(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];
	/* 'all' is no capability, and taking all away is no use. */
	const char *text = setting == SETTING_CAPABILITY ? "all" : "";

	if (setting == SETTING_KILL_SIGNAL)
		return signal_words();
	if (setting == SETTING_SYSTEM_CALL_FILTER)
		for (const struct syscall_group *group = syscall_groups; group->name; group++)
			add_word(&text, " ", group->name);
	else if (row->choices)
		for (size_t i = 0; i < row->choices->count; i++)
			add_word(&text, " ", row->choices->items[i].text);
	else
		text = "yes no";
	return text;
}

static bool has_words(enum kind kind)
{
	return kind == KIND_WORDS || kind == KIND_COMMAS || kind == KIND_DENIED ||
	       kind == KIND_LIMIT;
}

/* 'text' with a backslash before each of 'special'; an apostrophe as 'apostrophe'. */
static const char *escape(const char *text, const char *special, const char *apostrophe)
{
	const char *result = "";

	for (; *text; text++)
		result = *text == '\'' ? arena_format(&arena, "%s%s", result, apostrophe)
				       : arena_format(&arena, "%s%s%c", result,
						      strchr(special, *text) ? "\\" : "", *text);
	return result;
}

/* --- Rows of one shell for one setting --- */

static const char *bash_value_row(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];
	enum kind kind = kind_of(setting);
	const char *names = "";

	if (kind == KIND_NONE)
		return "";
	if (row->letter)
		names = arena_format(&arena, "-%c", row->letter);
	if (row->option)
		add_word(&names, "|", arena_format(&arena, "--%s", row->option));
	return arena_format(&arena, "%s) kind=%s%s%s%s ;;\n", names, kinds[kind].bash,
			    has_words(kind) ? " offers='" : "",
			    has_words(kind) ? words_of(setting) : "", has_words(kind) ? "'" : "");
}

static const char *action_of(enum setting setting, enum shell shell)
{
	enum kind kind = kind_of(setting);
	const char *format = shell == ZSH ? kinds[kind].zsh : kinds[kind].fish;
	const char *mark = strstr(format, "%s");

	if (!mark)
		return format;
	return arena_format(&arena, "%.*s%s%s", (int)(mark - format), format, words_of(setting),
			    mark + 2);
}

static const char *zsh_option_row(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];
	bool is_optional = row->argument == ARGUMENT_OPTIONAL;
	const char *value = "", *help = escape(row->help, "[]:\\", "'\\''"), *names;
	bool has_value = row->metavar, is_many = row->flags & SETTING_IS_REPEATABLE;
	const char *equals = is_optional ? "=-" : has_value ? "=" : "";

	if (has_value)
		value = arena_format(&arena, "%s%s:%s", is_optional ? "::" : ":",
				     escape(row->metavar, "[]:\\", ""), action_of(setting, ZSH));
	if (!row->option)
		names = arena_format(&arena, "'%s-%c%s", is_many ? "*" : "", row->letter,
				     has_value ? "+" : "");
	else if (!row->letter)
		names = arena_format(&arena, "'%s--%s%s", is_many ? "*" : "", row->option, equals);
	else
		names = arena_format(
			&arena, "%s{-%c%s,--%s%s}'",
			is_many ? "'*'"
				: arena_format(&arena, "'(-%c --%s)'", row->letter, row->option),
			row->letter, has_value ? "+" : "", row->option, equals);
	return arena_format(&arena, "%s[%s]%s'\n", names, help, value);
}

static const char *fish_option_row(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];
	const char *names = "", *action = action_of(setting, FISH);

	if (row->letter)
		names = arena_format(&arena, " -s %c", row->letter);
	if (row->option)
		names = arena_format(&arena, "%s -l %s", names, row->option);
	/* fish knows an optional value as one that is not required. */
	if (row->argument == ARGUMENT_OPTIONAL && strncmp(action, "-x", 2) == 0)
		action = arena_format(&arena, "-f%s", action + 2);
	return arena_format(&arena, "complete -c $program -n __nspawn_in_options%s%s%s -d '%s'\n",
			    names, *action ? " " : "", action, escape(row->help, "\\", "\\'"));
}

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

#define MACHINE "[NAME]"
#define GROUP "@GROUP"

/* Verbs with 'mark' in their synopsis, which tells what their words are. */
static const char *verb_words(const char *separator, const char *mark)
{
	const char *text = "";

	for (size_t i = 0; i < verbs_count; i++)
		if (strstr(verbs[i].synopsis, mark))
			add_word(&text, separator, verbs[i].name);
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

/* 'text' without its last character: what was put together left a separator there. */
static const char *without_last(const char *text)
{
	return *text ? arena_copy_n(&arena, text, strlen(text) - 1) : text;
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
		{"verbs", verb_words(separator, "")},
		{"verb_words", verb_words(" ", "")},
		{"verb_rows", verb_rows(shell)},
		{"machine_verbs", verb_words(separator, MACHINE)},
		{"machine_verb_words", verb_words(" ", MACHINE)},
		{"group_verbs", verb_words(separator, GROUP)},
		{"group_verb_words", verb_words(" ", GROUP)},
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
