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

enum bind_word {
	BIND_RECURSIVE,
	BIND_FLAT,
	BIND_PLAIN_IDS,
	BIND_MAPPED_IDS,
};

/* clang-format off */
static const struct name bind_word_table[] = {
	{"rbind", BIND_RECURSIVE},
	{"norbind", BIND_FLAT},
	{"noidmap", BIND_PLAIN_IDS},
	{"idmap", BIND_MAPPED_IDS},
	{"rootidmap", BIND_MAPPED_IDS},
	{"owneridmap", BIND_MAPPED_IDS},
};
/* clang-format on */
static const struct names bind_words = NAMES(bind_word_table);

static int read_bind_options(const struct asking *asking, const char *text,
			     struct mount_request *request)
{
	struct strings words = {0};

	text_words(&asking->config->arena, text, ",", &words);
	for (size_t i = 0; i < words.count; i++) {
		const struct name *name = names_find(&bind_words, words.items[i]);

		if (!name) {
			int r = refuse(EINVAL, "%s does not know the mount option '%s'",
				       asking->noun, words.items[i]);

			/* Which is how other programs spell it. */
			if (strcmp(words.items[i], "ro") == 0)
				hint("Read-only mounts are asked for with '--bind-ro', in files with 'BindReadOnly='");
			else
				hint("Known mount options: rbind, norbind, noidmap, idmap, rootidmap, "
				     "owneridmap");
			return r;
		}
		if (name->value == BIND_MAPPED_IDS)
			return refuse(EOPNOTSUPP,
				      "%s with the mount option '%s' is not available yet",
				      asking->noun, words.items[i]);
		if (name->value != BIND_PLAIN_IDS)
			request->recursive = name->value == BIND_RECURSIVE;
	}
	return 0;
}

int set_bind(const struct asking *asking, const char *value)
{
	struct mount_request request = {.kind = MOUNT_BIND, .recursive = true};
	struct strings fields = {0};
	const char *destination;

	request.read_only = asking->setting == SETTING_BIND_RO;
	if (text_split(&asking->config->arena, value, ':', 0, &fields) < 0 || fields.count > 3) {
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
		TRY(read_bind_options(asking, fields.items[2], &request));
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

/* LOWEST[:HIGHER…]:TOP:DESTINATION, or LOWER:TOP, which appears where the top layer is. */
int set_overlay(const struct asking *asking, const char *value)
{
	struct mount_request request = {.kind = MOUNT_OVERLAY};
	struct arena *arena = &asking->config->arena;
	struct layer_request *layers;
	struct strings fields = {0};

	request.read_only = asking->setting == SETTING_OVERLAY_RO;
	if (text_split(arena, value, ':', 0, &fields) < 0 || fields.count < 2)
		return refuse_value(asking, value, "LOWER[:LOWER…]:TOP:DESTINATION");
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
