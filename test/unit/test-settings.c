/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every row of the settings table: well-formed, found by its names, and refusing what is missing,
 * empty or junk.
 */
#include "config/settings.h"

#include <errno.h>

#include "base/names.h"
#include "base/scope.h"
#include "base/text.h"
#include "captured.h"
#include "check.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/config.h"
#include "config/credential-values.h"
#include "config/help.h"
#include "config/label-values.h"
#include "config/limit-values.h"
#include "config/values.h"

#define ROWS(i) for (int i = 0; i < _SETTING_COUNT; i++)

static struct captured captured;

/* The result for a command line of these words behind the program's name. */
static int run(const char *first, const char *second)
{
	char *words[] = {(char[]){"nspawn"}, (char *)(size_t)first, (char *)(size_t)second, NULL};
	struct config config = {0};
	int r;

	capture_start(&captured);
	r = config_from_command_line(&config, first ? second ? 3 : 2 : 1, words);
	if (r == 0)
		r = config_check(&config);
	arena_done(&config.arena);
	return r;
}

static void test_well_formed(void)
{
	ROWS(i)
	{
		const struct setting_row *row = &setting_rows[i];

		CHECK(row->option || row->letter || row->key);
		CHECK((row->argument == ARGUMENT_NONE || row->argument == ARGUMENT_SWITCH) ==
		      (row->metavar == NULL));
		CHECK(!(row->flags & SETTING_IS_LATER) == (row->parse != NULL));
		CHECK(row->help || row->flags & SETTING_IS_HIDDEN);
		CHECK(!(row->flags & SETTING_IS_HARMLESS) || row->key);
		for (int j = 0; j < i; j++) {
			const struct setting_row *other = &setting_rows[j];

			CHECK(!row->option || !other->option ||
			      strcmp(row->option, other->option) != 0);
			CHECK(!row->letter || row->letter != other->letter);
			CHECK(!row->key || !other->key || strcmp(row->key, other->key) != 0);
			CHECK(row->group >= other->group);
		}
	}
}

static void test_names(void)
{
	char name[SETTING_NAME_MAX];

	ROWS(i)
	{
		const struct setting_row *row = &setting_rows[i];

		CHECK(strlen(setting_name((enum setting)i, name)) > 1);
		if (row->letter)
			CHECK(setting_from_letter(row->letter) == i);
		if (row->key)
			CHECK(setting_from_key(row->key) == i);
	}
	CHECK(setting_from_letter('y') == -ENOENT && setting_from_letter('\0') == -ENOENT);
	CHECK(setting_from_key("Exec.boot") == -ENOENT && setting_from_key("Boot") == -ENOENT);
	CHECK_TEXT(setting_name(SETTING_PRIVATE_USERS_PICK, name), "-U");
	CHECK_TEXT(setting_name(SETTING_PARAMETERS, name), "Exec.Parameters");
}

/* What systemd.nspawn(5) files may hold. */
static void test_keys(void)
{
	static const char *const keys[] = {
		"Exec.Boot",
		"Exec.ProcessTwo",
		"Exec.Parameters",
		"Exec.Ephemeral",
		"Exec.Environment",
		"Exec.User",
		"Exec.WorkingDirectory",
		"Exec.PivotRoot",
		"Exec.Capability",
		"Exec.DropCapability",
		"Exec.AmbientCapability",
		"Exec.NoNewPrivileges",
		"Exec.NotifyReady",
		"Exec.Ready",
		"Exec.SuppressSync",
		"Exec.KillSignal",
		"Exec.Personality",
		"Exec.Hostname",
		"Exec.MachineID",
		"Exec.PrivateUsers",
		"Exec.PrivateUsersDelegate",
		"Exec.Nesting",
		"Exec.SystemCallFilter",
		"Exec.RestrictAddressFamilies",
		"Exec.LimitCPU",
		"Exec.LimitRTTIME",
		"Exec.OOMScoreAdjust",
		"Exec.CPUAffinity",
		"Exec.LinkJournal",
		"Exec.ResolvConf",
		"Exec.Timezone",
		"Files.ReadOnly",
		"Files.Volatile",
		"Files.Bind",
		"Files.BindReadOnly",
		"Files.TemporaryFileSystem",
		"Files.Overlay",
		"Files.OverlayReadOnly",
		"Files.Inaccessible",
		"Files.Device",
		"Files.BindUser",
		"Files.BindUserShell",
		"Files.PrivateUsersOwnership",
		"Files.PrivateUsersChown",
		"Network.Private",
		"Network.VirtualEthernet",
		"Network.VirtualEthernetExtra",
		"Network.Interface",
		"Network.MACVLAN",
		"Network.IPVLAN",
		"Network.Bridge",
		"Network.Zone",
		"Network.Setup",
		"Network.NamespacePath",
		"Network.Port",
		"Network.HostPort",
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		CHECK(setting_from_key(keys[i]) >= 0);
	ROWS(i)
	count += setting_rows[i].key != NULL;
	CHECK(count == ARRAY_LEN(keys) + 19); /* of the sixteen limits, two are listed */
}

/* Refused by exactly one sentence, perhaps with a hint below, that names the option. */
static void check_refused(const char *option, int r)
{
	char quoted[112];

	(void)snprintf(quoted, sizeof(quoted), "'%s'", option);
	if (r >= 0 || captured.failures < 1 || captured.failures > 2 ||
	    !strstr(captured.first, quoted)) {
		check_failures++;
		fprintf(stderr, "%s: %d, %s", option, r, captured.all);
	}
}

static void test_missing(void)
{
	ROWS(i)
	{
		const struct setting_row *row = &setting_rows[i];
		char word[96], letter[] = {'-', row->letter, '\0'};

		(void)snprintf(word, sizeof(word), "--%s", row->option);
		if (row->option && row->argument == ARGUMENT_REQUIRED)
			check_refused(word, run(word, NULL));
		if (row->letter && row->argument == ARGUMENT_REQUIRED)
			check_refused(letter, run(letter, NULL));
		if (row->option && row->argument == ARGUMENT_NONE) {
			char with_value[128];

			(void)snprintf(with_value, sizeof(with_value), "%s=yes", word);
			check_refused(word, run(with_value, NULL));
			(void)snprintf(with_value, sizeof(with_value), "%s=", word);
			check_refused(word, run(with_value, NULL));
		}
		if (row->option && row->argument == ARGUMENT_OPTIONAL)
			CHECK(run(word, NULL) == 0);
	}
}

/* A path may have any bytes, a credential's value too; what a label means is the kernel's to say.
 */
static bool takes_junk(const struct setting_row *row, const char *value)
{
	/* Odd, but names of interfaces. */
	if (row->group == GROUP_NETWORK && strcmp(value, "=:~,") == 0)
		return true;
	return row->flags & (SETTING_IS_PATH | SETTING_IS_SECRET) ||
	       row->parse == load_credential ||
	       ((row->parse == set_selinux_context || row->parse == set_apparmor_profile) &&
		!text_has_controls(value));
}

static void test_empty_and_junk(void)
{
	static const char *const junk[] = {"\001 junk\\", "=:~,", "/../..:..:x", "junk\033"};

	ROWS(i)
	{
		const struct setting_row *row = &setting_rows[i];
		bool may_be_empty =
			row->flags & (SETTING_MAY_BE_EMPTY | SETTING_IS_REPEATABLE) &&
			!(row->flags & SETTING_IS_LATER) &&
			(row->group != GROUP_NETWORK || row->flags & SETTING_MAY_BE_EMPTY);
		char word[128], option[96];

		if (!row->option || row->argument == ARGUMENT_NONE)
			continue;
		(void)snprintf(option, sizeof(option), "--%s", row->option);
		(void)snprintf(word, sizeof(word), "--%s=", row->option);
		if (may_be_empty)
			CHECK(run(word, NULL) == 0 && captured.failures == 0);
		else
			check_refused(option, run(word, NULL));
		if (row->argument == ARGUMENT_REQUIRED && !may_be_empty)
			check_refused(option, run(option, ""));
		for (size_t j = 0; j < ARRAY_LEN(junk); j++) {
			(void)snprintf(word, sizeof(word), "--%s=%s", row->option, junk[j]);
			if (row->flags & SETTING_IS_LATER || !takes_junk(row, junk[j]))
				check_refused(option, run(word, NULL));
		}
	}
}

static void test_later(void)
{
	ROWS(i)
	{
		const struct setting_row *row = &setting_rows[i];
		char word[96], letter[] = {'-', row->letter, '\0'};

		if (!(row->flags & SETTING_IS_LATER))
			continue;
		(void)snprintf(word, sizeof(word), "--%s", row->option);
		if (row->option)
			CHECK(run(word, "1") < 0 && strstr(captured.all, "is not available yet"));
		if (row->letter)
			CHECK(run(letter, "1") < 0 && strstr(captured.all, "is not available yet"));
		if (row->key) {
			struct config config = {0};

			capture_start(&captured);
			CHECK(setting_apply(&config, &(struct said){.setting = (enum setting)i,
								    .value = "1",
								    .origin = ORIGIN_FILE}) < 0);
			CHECK(strstr(captured.all, row->key) &&
			      strstr(captured.all, "not available yet"));
		}
	}
}

/* Each word of a table is taken by its option, or said to come later, and leads back to itself. */
static void test_choices(void)
{
	ROWS(i)
	{
		const struct setting_row *row = &setting_rows[i];

		for (size_t j = 0; row->choices && j < row->choices->count; j++) {
			const struct name *name = &row->choices->items[j];
			char word[128];
			int r;

			CHECK(names_find(row->choices, name->text) == name);
			/* AF_LOCAL and AF_ROUTE are second names. */
			if (strcmp(name->text, "AF_LOCAL") != 0 &&
			    strcmp(name->text, "AF_ROUTE") != 0)
				CHECK_TEXT(names_text(row->choices, name->value), name->text);
			(void)snprintf(word, sizeof(word), "--%s=%s%s", row->option, name->text,
				       row->choices == &limit_names ? "=1" : "");
			r = run(word, NULL);
			/* 'managed' and the ends of a cable are not had alone. */
			CHECK(r == 0 || (r < 0 && (strstr(captured.first, "not available yet") ||
						   strstr(captured.first, "of its own") ||
						   strstr(captured.first, "not asked for"))));
			if (row->flags & SETTING_IS_LATER)
				continue;
			(void)snprintf(word, sizeof(word), "--%s=help", row->option);
			CHECK(run(word, NULL) == 1 && captured.failures == 0);
		}
	}
	CHECK(run("--kill-signal=help", NULL) == 1 && captured.failures == 0);
}

/* Every available option is in the help, no other is, and a line fits the terminal. */
static void test_help(void)
{
	auto_free char *text = NULL;
	size_t size = 0, width = 0;
	FILE *file = open_memstream(&text, &size);

	help_print(file, "nspawn");
	CHECK(fclose(file) == 0);
	ROWS(i)
	{
		const struct setting_row *row = &setting_rows[i];
		bool is_shown = !(row->flags & (SETTING_IS_LATER | SETTING_IS_HIDDEN));
		char option[96];

		if (!row->option)
			continue;
		(void)snprintf(option, sizeof(option), " --%s%s", row->option,
			       !row->metavar                        ? " "
			       : row->argument == ARGUMENT_OPTIONAL ? "[="
								    : "=");
		CHECK((strstr(text, option) != NULL) == is_shown);
	}
	for (const char *c = text; *c; c++) {
		width = *c == '\n' ? 0 : width + ((*c & 0xc0) != 0x80);
		CHECK(width <= 80);
	}
}

static void check_version(const char *program, const char *expected)
{
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	version_print(file, program);
	CHECK(fclose(file) == 0);
	CHECK_TEXT(text, expected);
}

int main(void)
{
	/* Lists of values go there. */
	CHECK(freopen("/dev/null", "w", stdout) != NULL);
	test_well_formed();
	test_names();
	test_keys();
	test_missing();
	test_empty_and_junk();
	test_later();
	test_choices();
	test_help();
	check_version("nspawn", "nspawn " VERSION "\n");
	check_version("systemd-nspawn", "systemd 258 (nspawn " VERSION ")\n");
	return check_result();
}
