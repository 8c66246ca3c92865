/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares the changes of a throw-away machine with its tree, directory by directory.
 * Zone: free.
 */
#include "control/changes-walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/ladder.h"
#include "base/log.h"
#include "base/scope.h"
#include "image/copy.h"

#define CHUNK_BYTES 65536

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

int changes_open_at(int parent_fd, const char *name, int flags)
{
	int fd;

	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	fd = openat(parent_fd, name, flags | O_NOATIME);
	/* Only the owner may ask for that (open(2)). */
	if (fd < 0 && errno == EPERM)
		fd = openat(parent_fd, name, flags);
	return fd < 0 ? -errno : fd;
}

/* --- Lists --- */

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

struct names {
	char **items, *text;
	size_t count, used, room, item_room;
};

static int add_name(struct names *names, const char *name)
{
	size_t length = strlen(name) + 1;

	if (names->used + length > names->room) {
		size_t room = names->room * 2 + length + 1024;
		char *text = realloc(names->text, room);

		if (!text)
			return -ENOMEM;
		names->text = text;
		names->room = room;
	}
	memcpy(names->text + names->used, name, length);
	names->used += length;
	names->count++;
	return 0;
}

static int read_names(DIR *directory, struct names *names)
{
	for (struct dirent *entry; errno = 0, (entry = readdir(directory));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			TRY(add_name(names, entry->d_name));
	return -errno;
}

int changes_list(int fd, char ***ret)
{
	int again_fd = changes_open_at(fd, ".", O_DIRECTORY), r;
	auto_closedir DIR *directory = again_fd < 0 ? NULL : fdopendir(again_fd);
	struct names names = {0};
	char **list, *text;

	TRY(again_fd);
	if (!directory) {
		(void)close(again_fd);
		return -ENOMEM;
	}
	r = read_names(directory, &names);
	list = r < 0 ? NULL : malloc((names.count + 1) * sizeof(*list) + names.used);
	if (!list) {
		free(names.text);
		return r < 0 ? r : -ENOMEM;
	}
	text = (char *)(list + names.count + 1);
	if (names.used > 0)
		memcpy(text, names.text, names.used);
	free(names.text);
	for (size_t i = 0; i < names.count; i++, text += strlen(text) + 1)
		list[i] = text;
	list[names.count] = NULL;
	qsort(list, names.count, sizeof(*list), compare_names);
	*ret = list;
	return (int)names.count;
}

/* --- Two of one name --- */

static ssize_t read_attribute(int fd, const char *name, const char *attribute, char *ret,
			      size_t size)
{
	char path[NAME_MAX + 40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", fd, name);
	return attribute ? lgetxattr(path, attribute, ret, size) : llistxattr(path, ret, size);
}

/* Every attribute of the one is the other's, except what an overlay needs for itself. */
static bool has_attributes_of(int fd, int other_fd, const char *name)
{
	auto_free char *list = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX),
		       *other = malloc(XATTR_SIZE_MAX);
	ssize_t length;

	if (!list || !value || !other)
		return false;
	length = read_attribute(fd, name, NULL, list, XATTR_LIST_MAX);
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(list + i) + 1) {
		ssize_t size, other_size;

		if (copy_is_internal(list + i))
			continue;
		size = read_attribute(fd, name, list + i, value, XATTR_SIZE_MAX);
		other_size = read_attribute(other_fd, name, list + i, other, XATTR_SIZE_MAX);
		if (size >= 0 && (size != other_size || memcmp(value, other, (size_t)size) != 0))
			return false;
	}
	return true;
}

static bool is_metadata_same(const struct change *change)
{
	const struct stat *now = &change->now, *before = &change->before;

	/* A directory's time changes with what is in it, which is told by itself. */
	return now->st_mode == before->st_mode && now->st_uid == before->st_uid &&
	       now->st_gid == before->st_gid &&
	       (S_ISDIR(now->st_mode) || (now->st_mtim.tv_sec == before->st_mtim.tv_sec &&
					  now->st_mtim.tv_nsec == before->st_mtim.tv_nsec)) &&
	       has_attributes_of(change->changes_fd, change->tree_fd, change->name) &&
	       has_attributes_of(change->tree_fd, change->changes_fd, change->name);
}

/* What cannot be read counts as changed. */
static bool is_text_same(const struct change *change)
{
	auto_close int fd = changes_open_at(change->changes_fd, change->name, 0);
	auto_close int other_fd = changes_open_at(change->tree_fd, change->name, 0);
	auto_free char *text = malloc(2 * CHUNK_BYTES);
	ssize_t length, other;

	if (fd < 0 || other_fd < 0 || !text)
		return false;
	do {
		length = read(fd, text, CHUNK_BYTES);
		other = read(other_fd, text + CHUNK_BYTES, CHUNK_BYTES);
		if (length < 0 || length != other ||
		    memcmp(text, text + CHUNK_BYTES, (size_t)length) != 0)
			return false;
	} while (length > 0);
	return true;
}

static bool is_link_same(const struct change *change)
{
	char text[PATH_MAX], other[PATH_MAX];
	ssize_t length = readlinkat(change->changes_fd, change->name, text, sizeof(text));

	return length >= 0 &&
	       length == readlinkat(change->tree_fd, change->name, other, sizeof(other)) &&
	       memcmp(text, other, (size_t)length) == 0;
}

static bool is_content_same(const struct change *change)
{
	const struct stat *now = &change->now, *before = &change->before;

	if (S_ISREG(now->st_mode))
		return now->st_size == before->st_size && is_text_same(change);
	if (S_ISLNK(now->st_mode))
		return is_link_same(change);
	return !(S_ISCHR(now->st_mode) || S_ISBLK(now->st_mode)) || now->st_rdev == before->st_rdev;
}

/* A snapshot gives everything the tree's own inode numbers and times. */
static bool is_untouched(const struct changes_walk *walk, const struct change *change)
{
	const struct stat *now = &change->now, *before = &change->before;

	return !walk->is_overlay && now->st_ino == before->st_ino &&
	       now->st_ctim.tv_sec == before->st_ctim.tv_sec &&
	       now->st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

/* --- The walk --- */

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

static void compare(const struct changes_walk *walk, struct change *change)
{
	if ((change->now.st_mode ^ change->before.st_mode) & S_IFMT)
		change->aspects = CHANGE_OF_TYPE;
	else if (!walk->wants_all && (S_ISDIR(change->now.st_mode) || !is_untouched(walk, change)))
		change->aspects = (is_content_same(change) ? 0 : CHANGE_OF_CONTENT) |
				  (is_metadata_same(change) ? 0 : CHANGE_OF_METADATA);
	if (change->aspects == 0)
		change->kind = CHANGE_SAME;
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
		compare(walk, &change);
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

/* --- Both sides --- */

/* By a view of its own, in which nothing is mounted and reading leaves no time of access. */
static int open_view(const char *path)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOATIME,
					.attr_clr = MOUNT_ATTR__ATIME};
	auto_close int fd = changes_open_at(AT_FDCWD, path, O_DIRECTORY);
	auto_close int view_fd = -EBADF;

	TRY(fd);
	view_fd = open_tree(fd, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned int)AT_EMPTY_PATH);
	if (view_fd < 0)
		return -errno;
	/* A user may not change that, but may read without, as root of the files' owners. */
	if (mount_setattr(view_fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0 &&
	    (errno != EPERM || geteuid() != 0))
		return -errno;
	return changes_open_at(view_fd, ".", O_DIRECTORY);
}

static bool is_in_tree(const struct registry_entry *entry)
{
	return entry->kind == REGISTRY_CHANGES_IN_TREE || entry->kind == REGISTRY_CHANGES_NONE;
}

/* All files of a machine that has no changes apart are in its tree. */
static int open_changes(const struct registry_entry *entry, struct changes_walk *ret)
{
	if (is_in_tree(entry) && ret->wants_all)
		return 0;
	if (entry->kind == REGISTRY_CHANGES_IN_TREE) {
		(void)refuse(EINVAL, "Machine '%s' changes its tree itself", entry->machine);
		hint("Only what was started with '--ephemeral' has changes apart");
		return -EINVAL;
	}
	if (!entry->changes)
		return refuse(EINVAL, "Machine '%s' keeps no changes that could be seen",
			      entry->machine);
	ret->is_overlay = entry->kind == REGISTRY_CHANGES_OVERLAY;
	ret->changes_fd = open_view(entry->changes);
	if (ret->changes_fd < 0)
		return fail(ret->changes_fd, "Cannot open the changes of machine '%s' in '%s'",
			    entry->machine, entry->changes);
	return 0;
}

int changes_open(const struct registry_entry *entry, struct changes_walk *ret)
{
	struct stat status;

	ret->changes_fd = ret->tree_fd = -EBADF;
	TRY(open_changes(entry, ret));
	ret->tree_fd = open_view(entry->tree);
	if (ret->tree_fd < 0 || fstat(ret->tree_fd, &status) < 0)
		return fail(ret->tree_fd < 0 ? ret->tree_fd : -errno,
			    "Cannot open the tree '%s' of machine '%s'", entry->tree,
			    entry->machine);
	if (status.st_dev != entry->tree_device || status.st_ino != entry->tree_inode)
		return refuse(ESTALE,
			      "The tree '%s' is no longer that with which machine '%s' started",
			      entry->tree, entry->machine);
	if (is_in_tree(entry))
		ret->changes_fd = steal_fd(ret->tree_fd);
	return 0;
}

void changes_close(struct changes_walk *walk)
{
	scope_close(&walk->changes_fd);
	scope_close(&walk->tree_fd);
}
