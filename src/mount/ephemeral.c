/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes and removes directories of throw-away changes. One is locked (flock(2)) while its machine
 * runs, so one that can be locked is a dead machine's.
 * Zone: owing.
 */
#include "mount/ephemeral.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "ids/ids-inside.h"
#include "image/btrfs.h"

/* What begins with a dot is nobody's image, also where trees are looked for. */
#define PREFIX ".nspawn-ephemeral-"
#define EARLY "." /* before it */
#define CHANGES "changes"

char *ephemeral_path(struct arena *arena, const char *parent, const uint8_t id[8])
{
	uint64_t number;

	memcpy(&number, id, sizeof(number));
	return arena_format(arena, "%s/" PREFIX "%016llx/" CHANGES,
			    strcmp(parent, "/") == 0 ? "" : parent, (unsigned long long)number);
}

static int lock_directory(int parent_fd, const char *name)
{
	auto_close int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return -errno;
	/* In a directory that everybody may write to, the name alone says nothing. */
	if (fstat(fd, &status) < 0 || status.st_uid != geteuid())
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return steal_fd(fd);
}

/* A snapshot goes at once, with the subvolumes in it; whatever stays of it is walked through. */
static int remove_all(int parent_fd, const char *name, int own_fd)
{
	int r = btrfs_remove(own_fd, CHANGES);

	if (r < 0 && r != -EINVAL && r != -ENOENT)
		debug("Cannot remove the snapshot in '%s' (%s), emptying it", name,
		      strerrordesc_np(-r));
	return ids_inside_remove(parent_fd, name);
}

static void remove_if_stale(int parent_fd, const char *name)
{
	bool is_early = text_has_prefix(name, EARLY PREFIX);
	auto_close int lock_fd = -EBADF;

	if (!is_early && !text_has_prefix(name, PREFIX))
		return;
	lock_fd = lock_directory(parent_fd, name);
	if (lock_fd < 0)
		return;
	debug("Removing the changes '%s' of a machine that was killed", name);
	/* Somebody may be about to lock it, and to give it its name: only an empty one goes. */
	if (is_early)
		(void)unlinkat(parent_fd, name, AT_REMOVEDIR);
	else
		(void)remove_all(parent_fd, name, lock_fd);
}

/* Best effort: what cannot be removed blocks nobody. */
static void remove_stale(int parent_fd)
{
	auto_closedir DIR *directory = NULL;
	int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		scope_close(&fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(directory));)
		remove_if_stale(parent_fd, entry->d_name);
}

/* Locked before it has the name by which remove_stale() of another machine would find it whole. */
static int try_make_locked(int parent_fd, const char *early, const char *name)
{
	auto_close int fd = -EBADF;

	if (mkdirat(parent_fd, early, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = lock_directory(parent_fd, early);
	if (fd == -ENOENT || fd == -EWOULDBLOCK)
		return -EAGAIN;
	if (fd < 0 || renameat2(parent_fd, early, parent_fd, name, RENAME_NOREPLACE) < 0) {
		int r = fd < 0 ? fd : -errno;

		(void)unlinkat(parent_fd, early, AT_REMOVEDIR);
		return r == -ENOENT ? -EAGAIN : r;
	}
	return steal_fd(fd);
}

/* Others that start may take the early one for a dead machine's; then it is made again. */
static int make_locked(int parent_fd, const char *name)
{
	char early[NAME_MAX + 1];
	int r = -EAGAIN;

	(void)snprintf(early, sizeof(early), EARLY "%s", name);
	for (int tries = 0; tries < 100 && r == -EAGAIN; tries++)
		r = try_make_locked(parent_fd, early, name);
	return r;
}

static void remove_changes(void *argument)
{
	struct ephemeral *ephemeral = argument;
	int r = remove_all(AT_FDCWD, ephemeral->path, ephemeral->lock_fd);

	if (r < 0)
		warn(r, "Cannot remove the changes in '%s', leaving them", ephemeral->path);
	(void)close(ephemeral->lock_fd);
	scope_close(&ephemeral->changes_fd);
	free(ephemeral->path);
}

/* Who may write to a directory may rename what is in it, unless that is the owner's (inode(7)). */
static bool can_be_replaced(int parent_fd)
{
	struct stat status;

	if (fstat(parent_fd, &status) < 0 || (status.st_uid != 0 && status.st_uid != geteuid()))
		return true;
	return status.st_mode & (S_IWGRP | S_IWOTH) && !(status.st_mode & S_ISVTX);
}

/* As /var/tmp is in most containers: the kernel takes no changes of one overlay on another. */
static int refuse_overlay(int parent_fd, const char *parent)
{
	struct statfs status;

	if (fstatfs(parent_fd, &status) < 0 || status.f_type != OVERLAYFS_SUPER_MAGIC)
		return 0;
	(void)refuse(EOPNOTSUPP,
		     "The machine's changes cannot lie in '%s', which is part of an overlay",
		     parent);
	hint("Name a directory of another file system, such as a tmpfs, with --ephemeral-dir=");
	return -EOPNOTSUPP;
}

/* -EOPNOTSUPP: the file system declines, for reasons that only it knows. */
static int make_snapshot(int tree_fd, const char *path, struct ephemeral *ret)
{
	int r = btrfs_snapshot(tree_fd, ret->lock_fd, CHANGES);

	if (r < 0) {
		note("No snapshot of the tree can be made (%s): keeping the changes in an overlay",
		     strerrordesc_np(-r));
		(void)ids_inside_remove(AT_FDCWD,
					ret->path); /* an overlay may want the same name */
		return -EOPNOTSUPP;
	}
	ret->changes_fd =
		openat(ret->lock_fd, CHANGES, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return ret->changes_fd < 0 ? fail(-errno, "Cannot open the snapshot '%s'", path) : 0;
}

int ephemeral_make(const char *path, int tree_fd, bool is_snapshot, struct ephemeral *ret,
		   struct undo *undo)
{
	auto_close int parent_fd = -EBADF, changes_fd = -EBADF;
	auto_free char *own = strndup(path, (size_t)(path_last(path) - path) - 1);
	auto_free char *parent = NULL;
	int r;

	if (!own)
		return fail(-ENOMEM, "Cannot make a directory for the machine's changes");
	parent = strndup(own, (size_t)(path_last(own) - own));
	parent_fd = parent ? open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (parent_fd < 0)
		return fail(-errno, "Cannot open the directory '%s' for the machine's changes",
			    parent);
	if (can_be_replaced(parent_fd)) {
		(void)refuse(
			EPERM,
			"Others could put something else in the place of the machine's changes in '%s'",
			parent);
		hint("Give a directory that only root may write to, or set its sticky bit");
		return -EPERM;
	}
	if (!is_snapshot)
		TRY(refuse_overlay(parent_fd, parent));
	remove_stale(parent_fd);
	ret->lock_fd = make_locked(parent_fd, path_last(own));
	if (ret->lock_fd < 0)
		return fail(ret->lock_fd,
			    "Cannot make the directory '%s' for the machine's changes", own);
	ret->path = own;
	own = NULL;
	undo_push(undo, remove_changes, ret, "throw-away changes");
	ret->changes_fd = -EBADF;
	if (is_snapshot)
		return make_snapshot(tree_fd, path, ret);
	if (mkdirat(ret->lock_fd, CHANGES, 0755) < 0)
		return fail(-errno, "Cannot make the directory '%s' for the machine's changes",
			    path);
	changes_fd = openat(ret->lock_fd, CHANGES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = changes_fd < 0 ? -errno : ids_inside_copy_owners(tree_fd, changes_fd);
	return r < 0 ? fail(r, "Cannot give '%s' the owner and mode of the tree", path) : 0;
}
