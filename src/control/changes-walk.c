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

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"

/* Each level holds two descriptors; a path of this many parts has no use but to be one too many. */
#define DEPTH_MAX 256

#define CHUNK_BYTES 65536

struct place {
	int changes_fd, tree_fd; /* one of them may be missing */
	const char *path;
	bool is_opaque; /* nothing of the tree shows but by a change */
	unsigned int depth;
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

bool changes_is_internal(const char *attribute)
{
	return text_has_prefix(attribute, "trusted.overlay.") ||
	       text_has_prefix(attribute, "user.overlay.");
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

		if (changes_is_internal(list + i))
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

static int walk_directory(const struct changes_walk *walk, const struct place *place);

/* Of what is added, all is; of what is removed, nothing more is said. */
static int walk_into(const struct changes_walk *walk, const struct place *place,
		     struct change *change, int made_fd)
{
	auto_close int changes_fd = -EBADF, tree_fd = made_fd;
	struct place inner = {.path = change->path, .depth = place->depth + 1};
	char opaque = 0;

	changes_fd = changes_open_at(change->changes_fd, change->name, O_DIRECTORY);
	if (changes_fd == -ENOENT || changes_fd == -ENOTDIR)
		return 0; /* gone meanwhile */
	if (changes_fd < 0)
		return fail(changes_fd, "Cannot open the changed directory '%s'", change->path);
	if (inner.depth > DEPTH_MAX)
		return refuse(ELOOP, "The directory '%s' is nested too deeply", change->path);
	if (tree_fd <= 0)
		tree_fd = change->kind == CHANGE_ADDED || (change->aspects & CHANGE_OF_TYPE)
				  ? -EBADF
				  : changes_open_at(change->tree_fd, change->name, O_DIRECTORY);
	if (fgetxattr(changes_fd, "trusted.overlay.opaque", &opaque, 1) < 0)
		(void)fgetxattr(changes_fd, "user.overlay.opaque", &opaque, 1);
	inner.changes_fd = changes_fd;
	inner.tree_fd = tree_fd;
	inner.is_opaque = opaque == 'y';
	TRY(walk_directory(walk, &inner));
	change->is_end = true;
	return change->kind == CHANGE_SAME && !walk->wants_same
		       ? 0
		       : walk->function(walk->argument, change);
}

static int look(const struct changes_walk *walk, const struct place *place, const char *name,
		struct change *ret, bool *ret_is_there)
{
	bool was_there = place->tree_fd >= 0 &&
			 fstatat(place->tree_fd, name, &ret->before, AT_SYMLINK_NOFOLLOW) == 0;
	bool is_there = fstatat(place->changes_fd, name, &ret->now, AT_SYMLINK_NOFOLLOW) == 0;

	/* A whiteout: how an overlay says that something is gone. */
	if (is_there && walk->is_overlay && S_ISCHR(ret->now.st_mode) && ret->now.st_rdev == 0)
		is_there = false;
	*ret_is_there = is_there || was_there;
	ret->kind = !was_there ? CHANGE_ADDED : !is_there ? CHANGE_REMOVED : CHANGE_CHANGED;
	if (ret->kind != CHANGE_CHANGED)
		return 0;
	if ((ret->now.st_mode ^ ret->before.st_mode) & S_IFMT)
		ret->aspects = CHANGE_OF_TYPE;
	else if (!S_ISDIR(ret->now.st_mode) && is_untouched(walk, ret))
		ret->kind = CHANGE_SAME;
	else
		ret->aspects = (is_content_same(ret) ? 0 : CHANGE_OF_CONTENT) |
			       (is_metadata_same(ret) ? 0 : CHANGE_OF_METADATA);
	if (ret->aspects == 0)
		ret->kind = CHANGE_SAME;
	return 0;
}

static int walk_entry(const struct changes_walk *walk, const struct place *place, const char *name)
{
	auto_free char *path = NULL;
	struct change change = {
		.name = name, .changes_fd = place->changes_fd, .tree_fd = place->tree_fd};
	bool is_there;
	int made_fd = 0;

	if (asprintf(&path, "%s/%s", place->path, name) < 0)
		return -ENOMEM;
	if (walk->skips && walk->skips(walk->argument, path))
		return 0;
	change.path = path;
	TRY(look(walk, place, name, &change, &is_there));
	if (!is_there)
		return 0;
	if (change.kind != CHANGE_SAME || (S_ISDIR(change.now.st_mode) && walk->wants_same)) {
		made_fd = walk->function(walk->argument, &change);
		TRY(made_fd);
	}
	if (change.kind == CHANGE_REMOVED || !S_ISDIR(change.now.st_mode))
		return 0;
	return walk_into(walk, place, &change, made_fd);
}

static int walk_directory(const struct changes_walk *walk, const struct place *place)
{
	auto_free char **names = NULL, **others = NULL;
	bool is_whole = !walk->is_overlay || place->is_opaque;
	int count = changes_list(place->changes_fd, &names), other_count = 0, i = 0, other = 0;

	if (count >= 0 && is_whole && place->tree_fd >= 0)
		other_count = changes_list(place->tree_fd, &others);
	if (count < 0 || other_count < 0)
		return fail(count < 0 ? count : other_count, "Cannot list the directory '%s'",
			    *place->path ? place->path : "/");
	while (i < count || other < other_count) {
		int order = i == count             ? 1
			    : other == other_count ? -1
						   : strcmp(names[i], others[other]);

		TRY(walk_entry(walk, place, order <= 0 ? names[i] : others[other]));
		i += order <= 0;
		other += order >= 0;
	}
	return 0;
}

int changes_walk(const struct changes_walk *walk)
{
	const struct place top = {
		.changes_fd = walk->changes_fd, .tree_fd = walk->tree_fd, .path = ""};

	return walk_directory(walk, &top);
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
	if (view_fd < 0 ||
	    mount_setattr(view_fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return -errno;
	return changes_open_at(view_fd, ".", O_DIRECTORY);
}

int changes_open(const struct registry_entry *entry, struct changes_walk *ret)
{
	struct stat status;

	ret->changes_fd = ret->tree_fd = -EBADF;
	if (entry->kind == REGISTRY_CHANGES_IN_TREE) {
		(void)refuse(EINVAL, "Machine '%s' changes its tree itself", entry->machine);
		hint("Only what was started with '--ephemeral' has changes apart");
		return -EINVAL;
	}
	if (entry->kind == REGISTRY_CHANGES_LOST || !entry->changes)
		return refuse(EINVAL, "Machine '%s' keeps no changes that could be seen",
			      entry->machine);
	ret->is_overlay = entry->kind == REGISTRY_CHANGES_OVERLAY;
	ret->changes_fd = open_view(entry->changes);
	if (ret->changes_fd < 0)
		return fail(ret->changes_fd, "Cannot open the changes of machine '%s' in '%s'",
			    entry->machine, entry->changes);
	ret->tree_fd = open_view(entry->tree);
	if (ret->tree_fd < 0 || fstat(ret->tree_fd, &status) < 0)
		return fail(ret->tree_fd < 0 ? ret->tree_fd : -errno,
			    "Cannot open the tree '%s' of machine '%s'", entry->tree,
			    entry->machine);
	if (status.st_dev != entry->tree_device || status.st_ino != entry->tree_inode)
		return refuse(ESTALE,
			      "The tree '%s' is no longer that with which machine '%s' started",
			      entry->tree, entry->machine);
	return 0;
}

void changes_close(struct changes_walk *walk)
{
	scope_close(&walk->changes_fd);
	scope_close(&walk->tree_fd);
}
