/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one setting looks like in the completion of each shell, out of its row in the table.
 * Zone: free.
 */
#include "generate-rows.h"

#include <signal.h>
#include <string.h>

#include "base/names.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/help.h"
#include "confine/syscall-tables.h"

struct arena arena;

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

void add_word(const char **text, const char *separator, const char *word)
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

const char *words_of(enum setting setting)
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

const char *escape(const char *text, const char *special, const char *apostrophe)
{
	const char *result = "";

	for (; *text; text++)
		result = *text == '\'' ? arena_format(&arena, "%s%s", result, apostrophe)
				       : arena_format(&arena, "%s%s%c", result,
						      strchr(special, *text) ? "\\" : "", *text);
	return result;
}

const char *bash_value_row(enum setting setting)
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

const char *zsh_option_row(enum setting setting)
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

const char *fish_option_row(enum setting setting)
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
