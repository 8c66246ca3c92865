/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens both sides of a machine, and directories in them.
 * Zone: free.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "control/changes-walk.h"

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
