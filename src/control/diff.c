/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn diff: prints what a running throw-away machine changed.
 * Zone: free.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/changes-walk.h"
#include "control/changes.h"
#include "control/inside.h"

static const struct {
	char letter;
	const char *word;
} kinds[] = {
	[CHANGE_ADDED] = {'A', "added"},
	[CHANGE_CHANGED] = {'C', "changed"},
	[CHANGE_REMOVED] = {'D', "removed"},
};

static const char *type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFCHR:
	case S_IFBLK:
		return "device";
	case S_IFIFO:
		return "fifo";
	default:
		return "socket";
	}
}

static int print_change(void *argument, const struct change *change)
{
	struct arena arena = {0};

	(void)argument;
	if (change->is_end)
		return 0;
	(void)printf("%c %s", kinds[change->kind].letter, escape_text(&arena, change->path));
	if (change->aspects & CHANGE_OF_TYPE)
		(void)printf(" (%s, was %s)", type_of(change->now.st_mode),
			     type_of(change->before.st_mode));
	else if (change->aspects == CHANGE_OF_METADATA)
		(void)fputs(" (metadata)", stdout);
	(void)putchar('\n');
	arena_done(&arena);
	return ferror(stdout) ? -EIO : 0;
}

static int add_change(void *argument, const struct change *change)
{
	struct arena arena = {0};
	json_t *json, *path;

	if (change->is_end)
		return 0;
	json = json_object();
	path = json_string(change->path);
	/* What is no UTF-8 comes with \xHH in it. */
	(void)json_object_set_new(json, "path",
				  path ? path : json_string(escape_text(&arena, change->path)));
	(void)json_object_set_new(json, "change", json_string(kinds[change->kind].word));
	if (change->kind != CHANGE_REMOVED)
		(void)json_object_set_new(json, "type", json_string(type_of(change->now.st_mode)));
	if (change->kind != CHANGE_ADDED)
		(void)json_object_set_new(json, "was",
					  json_string(type_of(change->before.st_mode)));
	if (change->kind == CHANGE_CHANGED) {
		bool is_whole = change->aspects & (CHANGE_OF_TYPE | CHANGE_OF_CONTENT);

		(void)json_object_set_new(json, "content", json_boolean(is_whole));
		(void)json_object_set_new(
			json, "metadata",
			json_boolean(change->aspects & (CHANGE_OF_TYPE | CHANGE_OF_METADATA)));
	}
	arena_done(&arena);
	return json_array_append_new(argument, json) < 0 ? -ENOMEM : 0;
}

struct diff {
	const char *machine;
	bool is_json;
};

static int diff(const struct places *places, void *argument)
{
	const struct diff *request = argument;
	struct arena arena = {0};
	struct registry_entry entry;
	__attribute__((cleanup(changes_close))) struct changes_walk walk = {
		.changes_fd = -EBADF, .tree_fd = -EBADF, .function = print_change};
	json_t *list = json_array();
	int r;

	TRY(registry_find(&arena, places, request->machine, &entry));
	TRY(changes_open(&entry, &walk));
	if (request->is_json) {
		walk.function = add_change;
		walk.argument = list;
	}
	r = changes_walk(&walk);
	if (r == 0 && request->is_json) {
		(void)json_dumpf(list, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	}
	json_decref(list);
	arena_done(&arena);
	return r;
}

int control_diff(int argc, char **argv)
{
	struct diff request = {0};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			request.is_json = true;
		} else if (*argv[i] == '-' || request.machine) {
			(void)refuse(EINVAL, "'diff' does not take '%s'", argv[i]);
			return EXIT_FAILURE;
		} else {
			request.machine = argv[i];
		}
	}
	if (!request.machine) {
		(void)refuse(EINVAL, "'diff' needs the name of a machine");
		return EXIT_FAILURE;
	}
	return control_inside(request.machine, diff, &request) < 0 || fflush(stdout) != 0
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}
