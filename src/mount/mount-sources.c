/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens what a plan takes from the host, and makes the throw-away directories of empty bind
 * sources.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/scope.h"
#include "mount/mount-apply.h"

/*
 * A payload can nest directories deeper than this only to be a nuisance; then the rest stays and is
 * named.
 */
#define REMOVE_DEPTH_MAX 256

static int clone_tree(int directory_fd, const char *path, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
			     (unsigned int)(recursive ? AT_RECURSIVE : 0) |
			     (unsigned int)(*path ? 0 : AT_EMPTY_PATH);
	int fd = open_tree(directory_fd, path, flags);

	return fd < 0 ? -errno : fd;
}

/* Removes what 'name' in 'parent_fd' is, without following links: the payload wrote it. */
static int remove_below(int parent_fd, const char *name, unsigned int depth)
{
	auto_closedir DIR *directory = NULL;
	auto_close int fd = -EBADF;

	if (unlinkat(parent_fd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth == 0)
		return -ELOOP;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	directory = fdopendir(fd);
	if (!directory)
		return -errno;
	(void)steal_fd(fd);
	for (struct dirent *entry; (entry = readdir(directory));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			TRY(remove_below(dirfd(directory), entry->d_name, depth - 1));
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static void remove_temporaries(void *argument)
{
	struct mount_sources *sources = argument;

	for (size_t i = 0; i < sources->temporaries.count; i++) {
		int r = remove_below(AT_FDCWD, sources->temporaries.items[i], REMOVE_DEPTH_MAX);

		if (r < 0)
			warn(r, "Cannot remove the temporary directory '%s', leaving it",
			     sources->temporaries.items[i]);
	}
	sources->temporaries.count = 0;
}

/* Private to root on the outside; the 'src' inside is what the payload sees. */
static int make_temporary(struct mount_sources *sources, struct undo *undo)
{
	char *path = arena_copy(sources->arena, "/var/tmp/nspawn-temp-XXXXXX");
	char *inner;

	if (!mkdtemp(path))
		return fail(
			-errno,
			"Cannot make a temporary directory in '/var/tmp' for an empty bind source");
	if (sources->temporaries.count == 0)
		undo_push(undo, remove_temporaries, sources, "temporary bind sources");
	strings_add(sources->arena, &sources->temporaries, path);
	inner = arena_format(sources->arena, "%s/src", path);
	if (mkdir(inner, 0755) < 0)
		return fail(-errno, "Cannot make the directory '%s'", inner);
	return clone_tree(AT_FDCWD, inner, false);
}

static int open_source(struct mount_sources *sources, const struct mount_operation *operation,
		       struct undo *undo)
{
	int fd;

	if (operation->kind != OPERATION_BIND)
		return -EBADF;
	if (operation->place == SOURCE_EMPTY)
		return make_temporary(sources, undo);
	if (operation->place != SOURCE_HOST)
		return -EBADF;
	fd = clone_tree(AT_FDCWD, operation->source, operation->recursive);
	if (fd < 0 && operation->need == NEED_FATAL)
		return fail(fd, "Cannot open the bind source '%s'", operation->source);
	return fd < 0 ? -EBADF : fd;
}

int mount_sources_open(struct arena *arena, const struct mount_plan *plan, int directory_fd,
		       struct mount_sources *ret, struct undo *undo)
{
	ret->arena = arena;
	ret->fds = arena_allocate(arena, plan->count * sizeof(*ret->fds));
	ret->count = plan->count;
	for (size_t i = 0; i < plan->count; i++)
		ret->fds[i] = -EBADF;
	ret->tree_fd = clone_tree(directory_fd, "", true);
	if (ret->tree_fd < 0)
		return fail(ret->tree_fd, "Cannot take a private view of the tree");
	for (size_t i = 0; i < plan->count; i++) {
		ret->fds[i] = open_source(ret, &plan->items[i], undo);
		if (ret->fds[i] < 0 && ret->fds[i] != -EBADF)
			return ret->fds[i];
	}
	return 0;
}

void mount_sources_hand(struct mount_sources *sources, const struct mount_plan *plan,
			const char *target, int mount_fd)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].place == SOURCE_HANDED &&
		    plan->items[i].kind == OPERATION_BIND &&
		    strcmp(plan->items[i].target, target) == 0) {
			sources->fds[i] = mount_fd;
			return;
		}
	scope_close(&mount_fd);
}

void mount_sources_close(struct mount_sources *sources)
{
	scope_close(&sources->tree_fd);
	sources->tree_fd = -EBADF;
	for (size_t i = 0; i < sources->count; i++) {
		scope_close(&sources->fds[i]);
		sources->fds[i] = -EBADF;
	}
}
