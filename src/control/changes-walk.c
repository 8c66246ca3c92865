/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares the changes of a throw-away machine with its tree, directory by directory.
 * Zone: free.
 */
#include "control/changes-walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/ladder.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/changes-compare.h"

/* A directory that is gone through. */
struct level {
	struct change change;       /* of itself, for when all in it is done */
	bool has_changes, has_tree; /* which ladders have a rung for it */
	bool is_opaque;             /* nothing of the tree shows but by a change */
	char **names, **others;     /* in both, sorted */
	int count, other_count, i, other;
	size_t path_length;
};

struct walker {
	const struct changes_walk *walk;
	struct ladder changes, tree;
	struct level *levels;
	size_t count, room;
	char *path; /* of what is looked at */
	size_t path_room;
};

static void walker_done(struct walker *walker)
{
	while (walker->count > 0) {
		struct level *level = &walker->levels[--walker->count];

		free(level->names);
		free(level->others);
	}
	free(walker->levels);
	free(walker->path);
	ladder_done(&walker->changes);
	ladder_done(&walker->tree);
}

static bool is_whiteout(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == 0;
}

/* What both sides have of a name, without a look into it. False if neither has it. */
static bool find(const struct changes_walk *walk, bool is_opaque, struct change *ret)
{
	bool was_there = ret->tree_fd >= 0 &&
			 fstatat(ret->tree_fd, ret->name, &ret->before, AT_SYMLINK_NOFOLLOW) == 0;
	bool is_there = ret->changes_fd >= 0 &&
			fstatat(ret->changes_fd, ret->name, &ret->now, AT_SYMLINK_NOFOLLOW) == 0;
	bool is_covered = is_there || is_opaque || !walk->is_overlay;

	ret->now_fd = ret->changes_fd;
	/* A whiteout: how an overlay says that something is gone. */
	if (is_there && walk->is_overlay && is_whiteout(&ret->now))
		is_there = false;
	if (!is_covered && was_there) {
		ret->now = ret->before;
		ret->now_fd = ret->tree_fd;
		ret->kind = CHANGE_SAME;
		return true;
	}
	ret->kind = !was_there ? CHANGE_ADDED : !is_there ? CHANGE_REMOVED : CHANGE_CHANGED;
	return is_there || was_there;
}

/* The path of a name in the lowest directory; it is good until the next one is made. */
static int set_path(struct walker *walker, size_t length, const char *name)
{
	size_t needed = length + strlen(name) + 2;

	if (needed > walker->path_room) {
		char *path = realloc(walker->path, needed * 2);

		if (!path)
			return -ENOMEM;
		walker->path = path;
		walker->path_room = needed * 2;
	}
	walker->path[length] = '/';
	(void)strcpy(walker->path + length + 1, name);
	return 0;
}

static int list_level(const struct walker *walker, struct level *level)
{
	const struct changes_walk *walk = walker->walk;
	bool is_whole = !walk->is_overlay || level->is_opaque || walk->wants_all;

	if (level->has_changes)
		level->count = changes_list(ladder_fd(&walker->changes), &level->names);
	TRY(level->count);
	if (level->has_tree && is_whole)
		level->other_count = changes_list(ladder_fd(&walker->tree), &level->others);
	return level->other_count;
}

/* Takes over both descriptors, of which one may be missing. */
static int go_down(struct walker *walker, const struct change *change, int changes_fd, int tree_fd)
{
	auto_close int owned_fd = changes_fd, owned_tree_fd = tree_fd;
	struct level *level;
	char opaque = 0;

	if (walker->count == walker->room) {
		size_t room = walker->room * 2 + 32;
		struct level *levels = reallocarray(walker->levels, room, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		walker->levels = levels;
		walker->room = room;
	}
	level = &walker->levels[walker->count++];
	*level = (struct level){.change = *change,
				.has_changes = changes_fd >= 0,
				.has_tree = tree_fd >= 0,
				.path_length = walker->path ? strlen(walker->path) : 0};
	if (fgetxattr(changes_fd, "trusted.overlay.opaque", &opaque, 1) < 0)
		(void)fgetxattr(changes_fd, "user.overlay.opaque", &opaque, 1);
	level->is_opaque = opaque == 'y';
	if (level->has_changes)
		TRY(ladder_down(&walker->changes, steal_fd(owned_fd)));
	if (level->has_tree)
		TRY(ladder_down(&walker->tree, steal_fd(owned_tree_fd)));
	return list_level(walker, level);
}

/* All in the lowest directory is done. */
static int go_up(struct walker *walker)
{
	const struct changes_walk *walk = walker->walk;
	struct level *level = &walker->levels[--walker->count];
	struct change change = level->change;

	free(level->names);
	free(level->others);
	if (walker->path)
		walker->path[level->path_length] = '\0';
	if ((level->has_changes && ladder_up(&walker->changes) < 0) ||
	    (level->has_tree && ladder_up(&walker->tree) < 0))
		return fail(-ESTALE, "The directory '%s' was moved meanwhile", walker->path);
	if (walker->count == 0 || (change.kind == CHANGE_SAME && !walk->wants_same))
		return 0;
	change.path = walker->path;
	level = &walker->levels[walker->count - 1];
	change.changes_fd = level->has_changes ? ladder_fd(&walker->changes) : -EBADF;
	change.tree_fd = level->has_tree ? ladder_fd(&walker->tree) : -EBADF;
	change.is_end = true;
	return walk->function(walk->argument, &change);
}

/* Of what is added, all is; of what is removed, nothing more is said. */
static int enter(struct walker *walker, const struct change *change, int made_fd)
{
	bool is_of_tree = change->now_fd == change->tree_fd;
	auto_close int tree_fd = made_fd > 0 ? made_fd : -EBADF;
	auto_close int changes_fd =
		is_of_tree ? -EBADF
			   : changes_open_at(change->changes_fd, change->name, O_DIRECTORY);
	int r;

	if (!is_of_tree &&
	    (changes_fd == -ENOENT || changes_fd == -ENOTDIR || changes_fd == -ELOOP))
		return 0; /* gone meanwhile */
	if (!is_of_tree && changes_fd < 0)
		return fail(changes_fd, "Cannot open the changed directory '%s'", change->path);
	if (tree_fd < 0 && change->kind != CHANGE_ADDED && !(change->aspects & CHANGE_OF_TYPE))
		tree_fd = changes_open_at(change->tree_fd, change->name, O_DIRECTORY);
	if (tree_fd < 0 && is_of_tree)
		return 0;
	r = go_down(walker, change, steal_fd(changes_fd), steal_fd(tree_fd));
	return r < 0 ? fail(r, "Cannot list the directory '%s'", change->path) : 0;
}

static int visit(struct walker *walker, const struct level *level, const char *name)
{
	const struct changes_walk *walk = walker->walk;
	struct change change = {.name = name, .changes_fd = -EBADF, .tree_fd = -EBADF};
	int made_fd = 0;

	TRY(set_path(walker, level->path_length, name));
	change.path = walker->path;
	if (walk->skips && walk->skips(walk->argument, change.path))
		return 0;
	if (level->has_changes)
		change.changes_fd = ladder_fd(&walker->changes);
	if (level->has_tree)
		change.tree_fd = ladder_fd(&walker->tree);
	if (!find(walk, level->is_opaque, &change))
		return 0;
	if (change.kind == CHANGE_CHANGED)
		change_compare(walk, &change);
	if (change.kind != CHANGE_SAME || walk->wants_all ||
	    (S_ISDIR(change.now.st_mode) && walk->wants_same)) {
		made_fd = walk->function(walk->argument, &change);
		TRY(made_fd);
	}
	if (change.kind == CHANGE_REMOVED || !S_ISDIR(change.now.st_mode))
		return 0;
	return enter(walker, &change, made_fd);
}

/* The next name of both lists; NULL at their end. */
static const char *take_name(struct level *level)
{
	const char *name = level->i < level->count ? level->names[level->i] : NULL;
	const char *other = level->other < level->other_count ? level->others[level->other] : NULL;
	int order = !name ? 1 : !other ? -1 : strcmp(name, other);

	if (!name && !other)
		return NULL;
	level->i += order <= 0;
	level->other += order >= 0;
	return order <= 0 ? name : other;
}

static int open_again(int fd)
{
	return fd < 0 ? fd : changes_open_at(fd, ".", O_DIRECTORY);
}

int changes_walk(const struct changes_walk *walk)
{
	__attribute__((cleanup(walker_done))) struct walker walker = {.walk = walk};
	const struct change top = {.path = "/"};
	int r = go_down(&walker, &top, open_again(walk->changes_fd), open_again(walk->tree_fd));

	if (r < 0)
		return fail(r, "Cannot list the directory '%s'", "/");
	while (walker.count > 0) {
		struct level *level = &walker.levels[walker.count - 1];
		const char *name = take_name(level);

		TRY(name ? visit(&walker, level, name) : go_up(&walker));
	}
	return 0;
}
