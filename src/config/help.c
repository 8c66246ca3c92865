/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --help, --version, and the lists of values.
 * Zone: free.
 */
#include "config/help.h"

#include <string.h>

#include "base/names.h"
#include "base/scope.h"
#include "config/check.h"
#include "config/config.h"
#include "config/pager.h"
#include "config/values.h"
#include "verbs.h"

/* The release whose features and option names we follow. */
#define REFERENCE_VERSION 258

#define COLUMNS 80
#define HELP_COLUMN 28

static const char *const group_titles[] = {
	[GROUP_GENERAL] = "General",         [GROUP_IMAGE] = "Image",
	[GROUP_EXECUTION] = "Execution",     [GROUP_IDENTITY] = "System identity",
	[GROUP_PROPERTIES] = "Properties",   [GROUP_USERS] = "User namespacing",
	[GROUP_NETWORK] = "Networking",      [GROUP_SECURITY] = "Security",
	[GROUP_RESOURCES] = "Resources",     [GROUP_INTEGRATION] = "Integration",
	[GROUP_MOUNTS] = "Mounts",           [GROUP_CONSOLE] = "Input/output",
	[GROUP_CREDENTIALS] = "Credentials",
};
static_assert(ARRAY_LEN(group_titles) == _GROUP_COUNT, "one title for each group");

/* Where the text goes, and what it is to look like. */
struct page {
	FILE *file;
	const char *bold, *plain;
};

/* What --version names, each by the setting that is refused where it is lacking. */
static const struct {
	const char *name;
	enum setting setting;
} features[] = {
	{"SECCOMP", SETTING_SYSTEM_CALL_FILTER},
	{"SELINUX", SETTING_SELINUX_CONTEXT},
	{"APPARMOR", SETTING_APPARMOR_PROFILE},
	{"USERNS", SETTING_PRIVATE_USERS},
	{"VETH", SETTING_NETWORK_VETH},
	{"IMAGES", SETTING_IMAGE},
	{"OCI", SETTING_OCI_BUNDLE},
	{"OVERLAYS", SETTING_OVERLAY},
	{"JOURNAL", SETTING_LINK_JOURNAL},
	{"CREDENTIALS", SETTING_LOAD_CREDENTIAL},
};

bool help_is_reference(const char *program)
{
	return strcmp(program, "systemd-nspawn") == 0;
}

bool setting_is_available(enum setting setting)
{
	return !(setting_rows[setting].flags & SETTING_IS_LATER);
}

bool setting_is_shown(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];

	return setting_is_available(setting) && !(row->flags & SETTING_IS_HIDDEN) &&
	       (row->option || row->letter);
}

const char *help_long_option(enum setting setting, char buffer[HELP_OPTION_MAX])
{
	const struct setting_row *row = &setting_rows[setting];
	bool is_optional = row->argument == ARGUMENT_OPTIONAL;

	(void)snprintf(buffer, HELP_OPTION_MAX, "--%s%s%s%s%s", row->option, is_optional ? "[" : "",
		       row->metavar ? "=" : "", row->metavar ? row->metavar : "",
		       is_optional ? "]" : "");
	return buffer;
}

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

/* A row of two columns; on two lines where the left one is too long. */
static void print_row(FILE *file, const char *left, const char *help)
{
	size_t columns = 0;

	for (const char *c = left; *c; c++)
		columns += (*c & 0xc0) != 0x80; /* UTF-8 */
	if (columns < HELP_COLUMN)
		(void)fprintf(file, "%s%*s", left, (int)(HELP_COLUMN - columns), "");
	else
		(void)fprintf(file, "%s\n%*s", left, HELP_COLUMN, "");
	print_wrapped(file, help);
}

static void print_setting(FILE *file, enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];
	char left[HELP_OPTION_MAX + 8], option[HELP_OPTION_MAX] = "", letter[4] = "  ";

	if (row->letter)
		(void)snprintf(letter, sizeof(letter), "-%c", row->letter);
	if (row->option)
		(void)help_long_option(setting, option);
	(void)snprintf(left, sizeof(left), "  %s %s", letter, option);
	print_row(file, left, row->help);
}

static void print_title(const struct page *page, const char *title)
{
	(void)fprintf(page->file, "\n%s%s:%s\n", page->bold, title, page->plain);
}

static void print_usage(const struct page *page, const char *program)
{
	bool has_verbs = !help_is_reference(program) && verbs_count > 0;

	(void)fprintf(page->file,
		      "%sUsage:%s %s [OPTION…] [COMMAND [ARGUMENT…]]\n"
		      "       %s --boot [OPTION…] [ARGUMENT-OF-INIT…]\n",
		      page->bold, page->plain, program, program);
	if (has_verbs)
		(void)fprintf(page->file, "       %s VERB [ARGUMENT…]\n", program);
	(void)fprintf(page->file, "\nRun a command or boot an operating system in a container.\n");
	if (!has_verbs)
		return;
	print_title(page, "Verbs");
	for (size_t i = 0; i < verbs_count; i++) {
		char left[HELP_OPTION_MAX];

		(void)snprintf(left, sizeof(left), "  %s %s", verbs[i].name, verbs[i].synopsis);
		print_row(page->file, left, verbs[i].help);
	}
}

static void print_help(const struct page *page, const char *program)
{
	int group = _GROUP_COUNT;

	print_usage(page, program);
	for (int i = 0; i < _SETTING_COUNT; i++) {
		enum setting_group its = setting_rows[i].group;

		if (!setting_is_shown((enum setting)i))
			continue;
		if ((int)its != group)
			print_title(page, group_titles[its]);
		group = (int)its;
		print_setting(page->file, (enum setting)i);
	}
	(void)fprintf(
		page->file,
		"\nWhat is on is put off like --boot=no. Lists add to those of a settings file\n"
		"like --bind+=PATH, or begin anew like --bind=. 'help' lists fixed values.\n"
		"The manual page nspawn(1) has an example for each option.\n");
}

void help_print(FILE *file, const char *program)
{
	print_help(&(struct page){file, "", ""}, program);
}

int help_show(const struct asking *asking, const char *value)
{
	struct page page = {.bold = "", .plain = ""};
	struct pager pager;

	(void)value;
	pager_open(&pager, asking->config->no_pager);
	page.file = pager.file;
	if (pager.is_coloured) {
		page.bold = "\033[1m";
		page.plain = "\033[0m";
	}
	print_help(&page, asking->config->program);
	TRY(pager_close(&pager));
	return 1;
}

void version_print(FILE *file, const char *program)
{
	if (help_is_reference(program))
		(void)fprintf(file, "systemd %d (nspawn %s)\n", REFERENCE_VERSION, VERSION);
	else
		(void)fprintf(file, "nspawn %s\n", VERSION);
}

void features_print(FILE *file)
{
	struct config defaults = {0};

	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		enum setting setting = features[i].setting;
		bool is_there = setting_is_available(setting);

		(void)fprintf(file, "%s%c%s", i ? " " : "", is_there ? '+' : '-', features[i].name);
	}
	config_defaults(&defaults);
	(void)fprintf(file, "\ndefault: settings=%s register=%s resolv-conf=%s timezone=%s\n",
		      names_text(&settings_names, (int)defaults.settings),
		      names_text(&register_names, (int)defaults.register_machine),
		      names_text(&resolv_conf_names,
				 RESOLV_CONF_VALUE(defaults.resolv_conf, defaults.resolv_source)),
		      names_text(&timezone_names, (int)defaults.timezone));
}

int version_show(const struct asking *asking, const char *value)
{
	struct pager pager;

	(void)value;
	pager_open(&pager, true);
	version_print(pager.file, asking->config->program);
	features_print(pager.file);
	TRY(pager_close(&pager));
	return 1;
}

void names_show(const struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		(void)puts(names->items[i].text);
}
