/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --help, --version, and the lists of values.
 * Zone: free.
 */
#include "config/help.h"

#include <string.h>

#include "base/names.h"
#include "base/scope.h"
#include "config/config.h"
#include "config/settings.h"

/* The release whose features and option names we follow. */
#define REFERENCE_VERSION 258

#define COLUMNS 80
#define HELP_COLUMN 28

static const char *const group_titles[] = {
	[GROUP_GENERAL] = NULL,
	[GROUP_IMAGE] = "Image",
	[GROUP_EXECUTION] = "Execution",
	[GROUP_IDENTITY] = "System identity",
	[GROUP_PROPERTIES] = "Properties",
	[GROUP_USERS] = "User namespacing",
	[GROUP_NETWORK] = "Networking",
	[GROUP_SECURITY] = "Security",
	[GROUP_RESOURCES] = "Resources",
	[GROUP_INTEGRATION] = "Integration",
	[GROUP_MOUNTS] = "Mounts",
	[GROUP_CONSOLE] = "Input and output",
	[GROUP_CREDENTIALS] = "Credentials",
};
static_assert(ARRAY_LEN(group_titles) == _GROUP_COUNT, "one title for each group");

/* Prints 'text' from column HELP_COLUMN on, broken at blanks. */
static void print_wrapped(FILE *file, const char *text)
{
	size_t column = HELP_COLUMN;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + length > COLUMNS) {
			(void)fprintf(file, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			(void)fputc(' ', file);
			column++;
		}
		(void)fwrite(text, 1, length, file);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	(void)fputc('\n', file);
}

static void print_row(FILE *file, const struct setting_row *row)
{
	char left[COLUMNS], letter[4] = "  ";
	int used;

	if (row->letter)
		(void)snprintf(letter, sizeof(letter), "-%c", row->letter);
	used = snprintf(left, sizeof(left), "  %s %s%s%s%s%s%s", letter, row->option ? "--" : "",
			row->option ? row->option : "",
			row->argument == ARGUMENT_OPTIONAL ? "[" : "",
			row->argument == ARGUMENT_NONE ? "" : "=", row->metavar ? row->metavar : "",
			row->argument == ARGUMENT_OPTIONAL ? "]" : "");
	if (used < HELP_COLUMN)
		(void)fprintf(file, "%-*s", HELP_COLUMN, left);
	else
		(void)fprintf(file, "%s\n%*s", left, HELP_COLUMN, "");
	print_wrapped(file, row->help);
}

void help_print(FILE *file, const char *program)
{
	int group = GROUP_GENERAL;

	(void)fprintf(file,
		      "Usage: %s [OPTION…] [COMMAND [ARGUMENT…]]\n"
		      "       %s --boot [OPTION…] [ARGUMENT-OF-INIT…]\n"
		      "\nRun a command or boot an operating system in a container.\n\n",
		      program, program);
	for (int i = 0; i < _SETTING_COUNT; i++) {
		const struct setting_row *row = &setting_rows[i];

		if (row->flags & (SETTING_IS_LATER | SETTING_IS_HIDDEN) || !row->help)
			continue;
		if ((int)row->group != group)
			(void)fprintf(file, "\n%s:\n", group_titles[row->group]);
		group = (int)row->group;
		print_row(file, row);
	}
}

void version_print(FILE *file, const char *program)
{
	if (strcmp(program, "systemd-nspawn") == 0)
		(void)fprintf(file, "systemd %d (nspawn %s)\n", REFERENCE_VERSION, VERSION);
	else
		(void)fprintf(file, "nspawn %s\n", VERSION);
}

int help_show(const struct asking *asking, const char *value)
{
	(void)value;
	help_print(stdout, asking->config->program);
	return 1;
}

int version_show(const struct asking *asking, const char *value)
{
	(void)value;
	version_print(stdout, asking->config->program);
	return 1;
}

void names_show(const struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		(void)puts(names->items[i].text);
}
