/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grammar of mounts: fields between colons, backslash before a colon that belongs to a path.
 * Zone: free.
 */
#include "config/mount-values.h"

#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/owner-values.h"
#include "config/values.h"

/*
 * Where in the container: absolute. '..' is refused because the order of mounts is made from the
 * text, which says nothing about where '..' behind a symbolic link leads.
 */
static int read_destination(const struct asking *asking, const char *value, const char *text,
			    const char **ret)
{
	char *path;

	if (*text != '/' && strcmp(text, value) == 0)
		return refuse(EINVAL, "%s needs an absolute path in the container, not '%s'",
			      asking->noun, text);
	if (*text != '/')
		return refuse(
			EINVAL,
			"%s needs an absolute path in the container, which '%s' of '%s' is not",
			asking->noun, text, value);
	path = path_simplify(&asking->config->arena, text);
	if (!path_is_normalized(path))
		return refuse(EINVAL,
			      "%s cannot use '%s': the path in the container has '..' in it",
			      asking->noun, value);
	*ret = path;
	return 0;
}

static struct mount_request *add_request(struct config *config, const struct mount_request *request)
{
	struct mount_request *added = ARRAY_ADD(&config->arena, &config->mounts);

	/* ARRAY_ADD() returns the new element, which is the last. */
	*added = *request;
	added->position = config->mounts.count - 1;
	return added;
}

/* An empty text leaves both results as they are. */
static int read_source(const struct asking *asking, const char *text, const char **ret,
		       bool *ret_is_in_tree)
{
	struct arena *arena = &asking->config->arena;
	char *path;
	int r;

	if (!*text)
		return 0;
	if (*text == '+' && text[1] != '/')
		return refuse(EINVAL, "%s needs an absolute path after '+', not '%s'", asking->noun,
			      text);
	if (*text == '+') {
		*ret = path_simplify(arena, text + 1);
		*ret_is_in_tree = true;
		return 0;
	}
	if (*text != '/' && asking->origin == ORIGIN_FILE)
		return refuse(EINVAL,
			      "%s needs an absolute path in a file, as '%s' could be anywhere",
			      asking->noun, text);
	r = path_absolute(arena, text, &path);
	if (r < 0)
		return fail(r, "Cannot tell where '%s' of '%s' is: no current directory", text,
			    asking->noun);
	*ret = path;
	return 0;
}

int set_bind(const struct asking *asking, const char *value)
{
	struct mount_request request = {.kind = MOUNT_BIND, .recursive = true};
	struct strings fields = {0};
	const char *destination;

	request.read_only = asking->setting == SETTING_BIND_RO;
	/* Owners may have colons between user and group. */
	if (text_split(&asking->config->arena, value, ':', 3, &fields) < 0) {
		int r = refuse_value(asking, value, "SOURCE[:DESTINATION[:OPTIONS]]");

		hint("Write a colon or a backslash that belongs to a path with a backslash before "
		     "it");
		return r;
	}
	destination =
		fields.count > 1 ? fields.items[1] : fields.items[0] + (*fields.items[0] == '+');
	TRY(read_destination(asking, value, destination, &request.destination));
	TRY(read_source(asking, fields.items[0], &request.source, &request.source_is_in_tree));
	if (fields.count > 2)
		TRY(read_mount_words(asking, fields.items[2], &request.recursive, &request.ids));
	add_request(asking->config, &request);
	return 0;
}

int set_tmpfs(const struct asking *asking, const char *value)
{
	struct mount_request request = {.kind = MOUNT_TMPFS};
	struct strings fields = {0};

	/* The options are the file system's own, colons included (mpol=, see tmpfs(5)). */
	if (text_split(&asking->config->arena, value, ':', 2, &fields) < 0)
		return refuse_value(asking, value, "PATH[:OPTIONS]");
	TRY(read_destination(asking, value, fields.items[0], &request.destination));
	if (fields.count > 1 && *fields.items[1])
		request.options = fields.items[1];
	add_request(asking->config, &request);
	return 0;
}

int set_inaccessible(const struct asking *asking, const char *value)
{
	struct mount_request request = {.kind = MOUNT_INACCESSIBLE};

	TRY(read_destination(asking, value, value, &request.destination));
	if (strcmp(request.destination, "/") == 0)
		return refuse(EINVAL, "%s cannot cover '/': nothing could run", asking->noun);
	add_request(asking->config, &request);
	return 0;
}

/* Behind the directories, the fields from the first one on that can only be about owners. */
static int read_overlay_words(const struct asking *asking, struct strings *fields,
			      struct mount_request *request)
{
	struct arena *arena = &asking->config->arena;
	size_t directories = 2;
	const char *words;

	while (directories < fields->count && !is_about_owners(fields->items[directories]))
		directories++;
	if (directories == fields->count)
		return 0;
	words = fields->items[directories];
	for (size_t i = directories + 1; i < fields->count; i++)
		words = arena_format(arena, "%s:%s", words, fields->items[i]);
	fields->count = directories;
	return read_mount_words(asking, words, NULL, &request->ids);
}

/*
 * LOWEST[:HIGHER…]:TOP:DESTINATION[:OWNERS], or LOWER:TOP[:OWNERS], which appears where the top
 * layer is.
 */
int set_overlay(const struct asking *asking, const char *value)
{
	struct mount_request request = {.kind = MOUNT_OVERLAY};
	struct arena *arena = &asking->config->arena;
	struct layer_request *layers;
	struct strings fields = {0};

	request.read_only = asking->setting == SETTING_OVERLAY_RO;
	if (text_split(arena, value, ':', 0, &fields) < 0 || fields.count < 2)
		return refuse_value(asking, value, "LOWER[:LOWER…]:TOP:DESTINATION");
	TRY(read_overlay_words(asking, &fields, &request));
	request.layer_count = fields.count == 2 ? 2 : fields.count - 1;
	request.layers = layers = arena_allocate(arena, request.layer_count * sizeof(*layers));
	for (size_t i = 0; i < request.layer_count; i++) {
		if (!*fields.items[i] && (i < request.layer_count - 1 || fields.count == 2))
			return refuse(EINVAL,
				      "%s can have no directory but the top one empty, not '%s'",
				      asking->noun, value);
		TRY(read_source(asking, fields.items[i], &layers[i].path,
				&layers[i].path_is_in_tree));
	}
	TRY(read_destination(asking, value,
			     fields.count == 2 ? fields.items[1] + (*fields.items[1] == '+')
					       : fields.items[fields.count - 1],
			     &request.destination));
	add_request(asking->config, &request);
	return 0;
}

int set_pivot_root(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;
	struct strings fields = {0};
	const char *paths[2] = {NULL, NULL};

	if (*value && (text_split(&config->arena, value, ':', 0, &fields) < 0 || fields.count > 2))
		return refuse_value(asking, value, "NEW[:OLD]");
	for (size_t i = 0; i < fields.count; i++)
		TRY(read_destination(asking, value, fields.items[i], &paths[i]));
	for (size_t i = 0; i < fields.count; i++)
		if (strcmp(paths[i], "/") == 0)
			return refuse_value(asking, value, "directories below the root");
	config->pivot_new = paths[0];
	config->pivot_old = paths[1];
	return 0;
}
