/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table between the verbs of machinectl(1) and ours.
 * Zone: free.
 */
#include "control/machinectl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/help.h"
#include "control/request.h"
#include "host/places.h"
#include "host/registry.h"
#include "verbs.h"

#define PROGRAM "machinectl"

enum naming {
	NAMES_ANY,    /* our verb knows what to do about machines that are not ours */
	NAME_OF_OURS, /* the first word, after USER@, must be one of ours */
};

/* clang-format off */
static const struct row {
	const char *word;
	const char *verb;    /* ours; NULL: there is none */
	enum naming names;
	const char *instead; /* without one, and without the host's machinectl */
} rows[] = {
	{"list",        "list",      NAMES_ANY,    NULL},
	{"status",      "status",    NAMES_ANY,    NULL},
	{"show",        "show",      NAMES_ANY,    NULL},
	{"poweroff",    "poweroff",  NAMES_ANY,    NULL},
	{"stop",        "poweroff",  NAMES_ANY,    NULL},
	{"reboot",      "reboot",    NAMES_ANY,    NULL},
	{"restart",     "reboot",    NAMES_ANY,    NULL},
	{"terminate",   "terminate", NAMES_ANY,    NULL},
	{"kill",        "kill",      NAMES_ANY,    NULL},
	{"pause",       "pause",     NAMES_ANY,    NULL},
	{"resume",      "resume",    NAMES_ANY,    NULL},
	{"start",       "start",     NAMES_ANY,    "nspawn --boot --machine=NAME"},
	{"enable",      "enable",    NAMES_ANY,    "systemctl enable systemd-nspawn@NAME.service"},
	{"disable",     "disable",   NAMES_ANY,    "systemctl disable systemd-nspawn@NAME.service"},
	{"login",       "login",     NAME_OF_OURS, NULL},
	{"shell",       "shell",     NAME_OF_OURS, NULL},
	{"bind",        "bind",      NAME_OF_OURS, "nspawn --bind=PATH at the start"},
	{"copy-to",     "copy-to",   NAME_OF_OURS, NULL},
	{"copy-from",   "copy-from", NAME_OF_OURS, "nspawn export NAME FILE"},
	{"list-images",     NULL, NAMES_ANY, "ls /var/lib/machines"},
	{"image-status",    NULL, NAMES_ANY, "nspawn config NAME"},
	{"show-image",      NULL, NAMES_ANY, "nspawn config NAME"},
	{"edit",            NULL, NAMES_ANY, "an editor on /etc/systemd/nspawn/NAME.nspawn"},
	{"cat",             NULL, NAMES_ANY, "nspawn config NAME"},
	{"clone",           NULL, NAMES_ANY, "nspawn --template=PATH --directory=NEW"},
	{"rename",          NULL, NAMES_ANY, "mv in /var/lib/machines"},
	{"read-only",       NULL, NAMES_ANY, "nspawn --read-only"},
	{"remove",          NULL, NAMES_ANY, "rm -r in /var/lib/machines"},
	{"set-limit",       NULL, NAMES_ANY, "a quota of the file system"},
	{"clean",           NULL, NAMES_ANY, "rm -r in /var/lib/machines"},
	{"pull-tar",        NULL, NAMES_ANY, "curl and tar into /var/lib/machines"},
	{"pull-raw",        NULL, NAMES_ANY, "curl into /var/lib/machines"},
	{"import-tar",      NULL, NAMES_ANY, "tar into /var/lib/machines"},
	{"import-raw",      NULL, NAMES_ANY, "cp into /var/lib/machines"},
	{"import-fs",       NULL, NAMES_ANY, "cp -a into /var/lib/machines"},
	{"export-tar",      NULL, NAMES_ANY, "nspawn export NAME FILE of one that runs"},
	{"export-raw",      NULL, NAMES_ANY, "cp from /var/lib/machines"},
	{"list-transfers",  NULL, NAMES_ANY, "importctl"},
	{"cancel-transfer", NULL, NAMES_ANY, "importctl"},
	{"bind-volume",     NULL, NAMES_ANY, "nspawn --bind=PATH at the start"},
	{"unbind-volume",   NULL, NAMES_ANY, "nspawn --bind=PATH at the start"},
};
/* clang-format on */

bool machinectl_is_called(const char *program)
{
	return strcmp(path_last(program), PROGRAM) == 0;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; name && i < verbs_count; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* --- The plan --- */

/* What has no meaning for us, and our verbs need not know: nothing is paged or asked for. */
static bool is_idle(const char *word)
{
	static const char *const idle[] = {"--no-pager", "--no-ask-password", "--full", "-l"};

	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		if (strcmp(word, idle[i]) == 0)
			return true;
	return false;
}

/* Another host, or a machine's own manager: ours to reach is only what is here. */
static bool is_elsewhere(const char *word)
{
	return text_has_prefix(word, "-H") || text_has_prefix(word, "-M") ||
	       text_has_prefix(word, "--host") || text_has_prefix(word, "--machine");
}

/* The name in "USER@NAME", or all of it. */
static const char *name_of(const char *word)
{
	const char *at = strrchr(word, '@');

	return at ? at + 1 : word;
}

/* Options before the verb, which is left at '*i', and how they count. */
static bool read_options(struct arena *arena, int argc, char **argv, int *i,
			 struct machinectl_plan *ret)
{
	int count;

	for (; *i < argc && argv[*i][0] == '-'; *i += count) {
		count = 1;
		if (strcmp(argv[*i], "--help") == 0 || strcmp(argv[*i], "-h") == 0)
			ret->way = MACHINECTL_HELP;
		else if (strcmp(argv[*i], "--version") == 0)
			ret->way = MACHINECTL_VERSION;
		else if (is_elsewhere(argv[*i]))
			ret->way = MACHINECTL_THEIRS;
		else
			(void)request_is_option(argv[*i], &count);
		if (ret->way != MACHINECTL_OURS)
			return false;
		for (int word = *i; word < *i + count && word < argc; word++)
			if (!is_idle(argv[word]))
				strings_add(arena, &ret->words, argv[word]);
	}
	return true;
}

static void read_rest(struct arena *arena, int argc, char **argv, int i, const struct row *row,
		      struct machinectl_plan *ret)
{
	bool is_over = false;
	int count = 1;

	for (; i < argc; i += count) {
		count = 1;
		/* Behind the name of a machine a shell's words are a command's. */
		if (!is_over && argv[i][0] == '-') {
			(void)request_is_option(argv[i], &count);
		} else if (row->names == NAME_OF_OURS && !ret->machine) {
			ret->machine = name_of(argv[i]);
			is_over = strcmp(row->word, "shell") == 0;
		}
		for (int word = i; word < i + count && word < argc; word++)
			if (is_over || !is_idle(argv[word]))
				strings_add(arena, &ret->words, argv[word]);
	}
}

void machinectl_plan(struct arena *arena, int argc, char **argv, struct machinectl_plan *ret)
{
	const struct row *row = NULL;
	int i = 1;

	*ret = (struct machinectl_plan){.way = MACHINECTL_OURS, .word = "list"};
	strings_add(arena, &ret->words, NULL); /* the verb's place */
	if (!read_options(arena, argc, argv, &i, ret))
		return;
	if (i < argc)
		ret->word = argv[i++];
	for (size_t known = 0; known < ARRAY_LEN(rows); known++)
		if (strcmp(rows[known].word, ret->word) == 0)
			row = &rows[known];
	if (!row) {
		ret->way = MACHINECTL_UNKNOWN;
		return;
	}
	ret->instead = row->instead;
	if (!find_verb(row->verb))
		ret->way = MACHINECTL_THEIRS;
	ret->words.items[0] = row->verb;
	read_rest(arena, argc, argv, i, row, ret);
}

/* --- Carrying it out --- */

/* The machine manager's own program, which is not us by another name. */
static const char *find_theirs(void)
{
	static const char *const places[] = {"/usr/bin/" PROGRAM, "/bin/" PROGRAM};
	struct stat own, theirs;

	if (stat("/proc/self/exe", &own) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (stat(places[i], &theirs) == 0 &&
		    (theirs.st_dev != own.st_dev || theirs.st_ino != own.st_ino) &&
		    access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* Returns only if there is none, or it cannot be executed. */
static int run_theirs(const struct machinectl_plan *plan, char **argv)
{
	const char *path = find_theirs();

	if (path) {
		(void)execv(path, argv);
		return fail(-errno, "Cannot execute the machine manager's own program '%s'", path);
	}
	(void)refuse(ENOSYS, "'%s' takes systemd's own machinectl, and there is none on this host",
		     plan->word);
	if (plan->instead)
		hint("In its place: %s", plan->instead);
	return -ENOSYS;
}

/* True if the machine is ours; without one, or for the host, what we know of it does. */
static bool is_ours(struct arena *arena, const char *machine)
{
	struct places places;

	if (!machine || !text_is_hostname(machine) || places_find(arena, SCOPE_AUTO, &places) < 0)
		return false;
	return registry_look(arena_format(arena, "%s/%s", places.machines, machine)) == 0;
}

static bool has_name(const struct machinectl_plan *plan)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].word, plan->word) == 0)
			return rows[i].names == NAME_OF_OURS;
	return false;
}

static void print_help(void)
{
	(void)puts("Usage: " PROGRAM " [OPTION…] VERB [ARGUMENT…]\n\n"
		   "Control machines, by nspawn in the place of systemd's own program.\n\nVerbs:");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct verb *verb = find_verb(rows[i].verb);

		if (verb)
			(void)printf("  %-12s %s\n", rows[i].word, verb->help);
	}
	(void)puts("\nOthers go to systemd's own. The manual page nspawn(1) has the verbs.");
}

/* Our own verbs for machines are as lenient as machinectl when they are called so. */
static int run_ours(struct arena *arena, const struct machinectl_plan *plan)
{
	const struct verb *verb = find_verb(plan->words.items[0]);
	struct strings words = plan->words;

	if (!has_name(plan))
		words.items[0] = arena_format(arena, "%s%s", REQUEST_OF_MACHINECTL, plan->word);
	return verb->run((int)words.count, (char **)words.items);
}

int control_machinectl(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct machinectl_plan plan;

	machinectl_plan(&arena, argc, argv, &plan);
	if (plan.way == MACHINECTL_OURS && has_name(&plan) && !is_ours(&arena, plan.machine) &&
	    find_theirs())
		plan.way = MACHINECTL_THEIRS;
	switch (plan.way) {
	case MACHINECTL_OURS:
		return run_ours(&arena, &plan);
	case MACHINECTL_HELP:
		print_help();
		return output_flush() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	case MACHINECTL_VERSION:
		/* Callers take the second word for a number. */
		version_print(stdout, "systemd-nspawn");
		features_print(stdout);
		return output_flush() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	case MACHINECTL_THEIRS:
		(void)run_theirs(&plan, argv);
		return EXIT_FAILURE;
	case MACHINECTL_UNKNOWN:
	default:
		(void)refuse(EINVAL, "There is no verb '%s'", plan.word);
		hint("'machinectl --help' lists them");
		return EXIT_FAILURE;
	}
}
