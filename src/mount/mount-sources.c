/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens what a plan takes from the host, and makes the throw-away directories of empty bind
 * sources.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "ids/ids-inside.h"
#include "mount/detached.h"
#include "mount/devices.h"
#include "mount/mount-apply.h"
#include "mount/overlay.h"

static int clone_tree(const struct mount_sources *sources, int directory_fd, const char *path,
		      bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
			     (unsigned int)(recursive ? AT_RECURSIVE : 0) |
			     (unsigned int)(*path ? 0 : AT_EMPTY_PATH);
	int fd;

	if (sources->are_named)
		fd = openat(directory_fd, *path ? path : ".", O_PATH | O_CLOEXEC);
	else
		fd = open_tree(directory_fd, path, flags);
	return fd < 0 ? -errno : fd;
}

/* The same by a path of the namespace we are in: descriptors keep to the one they were opened in.
 */
static int adopt_one(int *fd, bool recursive)
{
	auto_close int named_fd = *fd, mount_fd = -EBADF;
	struct stat named, found;
	char path[PATH_MAX];

	*fd = -EBADF;
	TRY(fd_path(named_fd, path));
	mount_fd = open_tree(AT_FDCWD, path,
			     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
				     (unsigned int)(recursive ? AT_RECURSIVE : 0));
	if (mount_fd < 0 || fstat(named_fd, &named) < 0 || fstat(mount_fd, &found) < 0)
		return -errno;
	/* Whoever may rename things there cannot make us take something else. */
	if (named.st_dev != found.st_dev || named.st_ino != found.st_ino)
		return -ESTALE;
	*fd = steal_fd(mount_fd);
	return 0;
}

int mount_sources_adopt(struct mount_sources *sources, const struct mount_plan *plan)
{
	int r = sources->lent_tree_fd >= 0 ? 0
					   : adopt_one(&sources->tree_fd, /* recursive= */ true);

	if (r < 0)
		return fail(r, "Cannot take a private view of the tree");
	for (size_t i = 0; i < sources->count; i++) {
		const struct mount_operation *operation = &plan->items[i];

		if (operation->kind == OPERATION_OVERLAY) {
			r = overlay_adopt(sources->overlays[i], adopt_one);
			if (r < 0)
				return fail(r, "Cannot take a view of the layers for '%s'",
					    operation->target);
			continue;
		}
		if (operation->kind != OPERATION_BIND || operation->place == SOURCE_HANDED ||
		    sources->fds[i] < 0)
			continue;
		r = adopt_one(&sources->fds[i], operation->recursive);
		if (r < 0 && operation->need == NEED_FATAL) {
			(void)fail(r, "Cannot open the bind source '%s'", operation->source);
			if (r == -EINVAL && !operation->recursive)
				hint("Something is mounted in it, which only root can leave out");
			return r;
		}
	}
	return 0;
}

/*
 * What is mounted in the tree may be of a kind that cannot be mapped; the tree itself must be. Told
 * here, as only now the file systems are known.
 */
static int map_tree(const struct mount_sources *sources)
{
	int r;

	if (sources->map_fd < 0)
		return 0;
	if (detached_map(sources->tree_fd, sources->map_fd, /* recursive= */ true) == 0)
		return 0;
	r = detached_map(sources->tree_fd, sources->map_fd, /* recursive= */ false);
	if (r == 0) {
		warn(0,
		     "Something mounted in the tree cannot be mapped to the payload's ids, leaving the owners of what is there to 'nobody'");
		return 0;
	}
	(void)fail(r, "Cannot map the owners of the tree to the payload's ids");
	if (r == -EINVAL)
		hint("Its file system has no mapped mounts: --private-users-ownership=chown changes the owners on disk instead");
	return r;
}

static void remove_temporaries(void *argument)
{
	struct mount_sources *sources = argument;

	for (size_t i = 0; i < sources->temporaries.count; i++) {
		int r = ids_inside_remove(AT_FDCWD, sources->temporaries.items[i]);

		if (r < 0)
			warn(r, "Cannot remove the temporary directory '%s', leaving it",
			     sources->temporaries.items[i]);
	}
	sources->temporaries.count = 0;
}

int mount_sources_make_temporary(struct mount_sources *sources, struct undo *undo,
				 const char **ret_path)
{
	char *path = arena_copy(sources->arena, "/var/tmp/nspawn-temp-XXXXXX");
	char *inner;

	if (!mkdtemp(path))
		return fail(-errno,
			    "Cannot make a temporary directory in '/var/tmp' for an empty source");
	if (sources->temporaries.count == 0)
		undo_push(undo, remove_temporaries, sources, "temporary bind sources");
	strings_add(sources->arena, &sources->temporaries, path);
	inner = arena_format(sources->arena, "%s/src", path);
	if (mkdir(inner, 0755) < 0)
		return fail(-errno, "Cannot make the directory '%s'", inner);
	*ret_path = inner;
	return 0;
}

/*
 * Who owns the destination, as the payload sees it; what is missing will be made by its root, and
 * what nobody inside owns is as good as that.
 */
static uint32_t owner_of_target(const struct ids *ids, int directory_fd, const char *target)
{
	auto_close int fd = path_open(directory_fd, target, O_PATH, 0);
	struct stat status;
	uint32_t inside;

	if (fd < 0 || fstat(fd, &status) < 0)
		return 0;
	if (!ids)
		return status.st_uid;
	inside = ids->ownership == IDS_OWNERSHIP_MAP
			 ? status.st_uid - ids->tree_base
			 : id_map_to_inside(&ids->maps.users, status.st_uid);
	return inside != UINT32_MAX && id_map_to_outside(&ids->maps.users, inside) != UINT32_MAX
		       ? inside
		       : 0;
}

/*
 * Files of the tree, and of an overlay, are mapped like the tree's where nothing is said of them:
 * there an id on disk is the same id inside.
 */
static enum id_rule rule_of(const struct mount_sources *sources,
			    const struct mount_operation *operation)
{
	bool is_mapped_anyway = sources->map_fd >= 0 && (operation->kind == OPERATION_OVERLAY ||
							 operation->place == SOURCE_IMAGE);

	return operation->ids->rule == ID_RULE_PLAIN && is_mapped_anyway ? ID_RULE_SAME
									 : operation->ids->rule;
}

int mount_sources_map(struct mount_sources *sources, const struct mount_operation *operation,
		      int directory_fd, const char *name, int owner_fd, int *mount_fd)
{
	/* Only root may map mounts, so these ids are the host's outside. */
	const struct ids *ids =
		sources->ids && sources->ids->writer != IDS_WRITER_NONE ? sources->ids : NULL;
	struct id_request request;
	struct id_mount mount = {
		.request = &request,
		.name = name,
		.is_on_host = operation->place == SOURCE_HOST,
		.recursive = operation->kind == OPERATION_BIND && operation->recursive,
		.facts.machine = ids ? &ids->maps : NULL,
		.owner_fd = owner_fd,
	};

	if (!operation->ids)
		return 0;
	if (sources->are_named) {
		(void)refuse(EPERM, "Only root can map the owners of '%s'", name);
		hint("Leave out '--bind-user=' or the option about owners, or start the machine as root");
		return -EPERM;
	}
	request = *operation->ids;
	request.rule = rule_of(sources, operation);
	if (ids && request.rule != operation->ids->rule)
		mount.facts.base = ids->tree_base;
	if (request.rule == ID_RULE_OWNER)
		mount.facts.destination_owner =
			owner_of_target(ids, directory_fd, operation->target);
	return id_mount_apply(sources->arena, &sources->namespaces, &mount, mount_fd);
}

static int clone_in_tree(const struct mount_sources *sources, int directory_fd,
			 const struct mount_operation *operation)
{
	auto_close int fd = path_open(directory_fd, operation->source, O_PATH, 0);

	return fd < 0 ? fd : clone_tree(sources, fd, "", operation->recursive);
}

static int make_prepared(const struct mount_sources *sources,
			 const struct mount_operation *operation, const struct device_facts *given)
{
	const struct device_owner owner = {sources->root_id, sources->groups};
	auto_close int fd = detached_new_labelled(operation->source, operation->options,
						  operation->context, operation->flags, NULL, 0);
	mode_t mask;
	int r;

	/* Then the child does it, by other means. */
	if (fd < 0 || !devices_can_be_made(fd))
		return -EBADF;
	mask = umask(0);
	r = devices_make(fd, given, &owner);
	(void)umask(mask);
	return r < 0 ? r : steal_fd(fd);
}

static int open_source(struct mount_sources *sources, const struct mount_plan *plan,
		       const struct mount_operation *operation, int directory_fd, struct undo *undo)
{
	const char *path;
	int fd;

	if (operation->is_prepared)
		return make_prepared(sources, operation, plan->devices);
	if (operation->kind != OPERATION_BIND)
		return -EBADF;
	if (operation->place == SOURCE_EMPTY) {
		TRY(mount_sources_make_temporary(sources, undo, &path));
		if (sources->root_id != 0 && chown(path, sources->root_id, sources->root_id) < 0)
			return fail(-errno, "Cannot give the directory '%s' to the payload's root",
				    path);
		return clone_tree(sources, AT_FDCWD, path, false);
	}
	if (operation->place == SOURCE_IMAGE && operation->ids)
		fd = clone_in_tree(sources, directory_fd, operation);
	else if (operation->place == SOURCE_HOST)
		fd = clone_tree(sources, AT_FDCWD, operation->source, operation->recursive);
	else
		return -EBADF;
	if (fd < 0 && operation->need == NEED_FATAL)
		return fail(fd, "Cannot open the bind source '%s'", operation->source);
	return fd < 0 ? -EBADF : fd;
}

static int open_tree_of(const struct mount_plan *plan, int directory_fd, struct mount_sources *ret)
{
	ret->tree_fd = clone_tree(ret, directory_fd, "", /* recursive= */ !plan->tree_is_alone);
	if (ret->tree_fd < 0) {
		(void)fail(ret->tree_fd, "Cannot take a private view of the tree");
		if (ret->tree_fd == -EACCES)
			hint("Its directory needs mode 0500 at least, for whoever starts the machine");
		return ret->tree_fd;
	}
	return map_tree(ret);
}

int mount_sources_open(struct arena *arena, const struct mount_plan *plan, int directory_fd,
		       struct mount_sources *ret, struct undo *undo)
{
	ret->arena = arena;
	ret->fds = arena_allocate(arena, plan->count * sizeof(*ret->fds));
	ret->overlays = arena_allocate(arena, plan->count * sizeof(*ret->overlays));
	ret->count = plan->count;
	for (size_t i = 0; i < plan->count; i++)
		ret->fds[i] = -EBADF;
	if (ret->lent_tree_fd >= 0)
		ret->tree_fd = ret->lent_tree_fd;
	else
		TRY(open_tree_of(plan, directory_fd, ret));
	for (size_t i = 0; i < plan->count; i++) {
		ret->fds[i] = open_source(ret, plan, &plan->items[i], directory_fd, undo);
		if (ret->fds[i] < 0 && ret->fds[i] != -EBADF)
			return ret->fds[i];
		if (ret->fds[i] >= 0)
			TRY(mount_sources_map(ret, &plan->items[i], directory_fd,
					      plan->items[i].source ?: "a new directory", -EBADF,
					      &ret->fds[i]));
		if (plan->items[i].kind == OPERATION_OVERLAY)
			TRY(overlay_open(ret, &plan->items[i], directory_fd, undo,
					 &ret->overlays[i]));
	}
	id_namespaces_close(&ret->namespaces);
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
	id_namespaces_close(&sources->namespaces);
	for (size_t i = 0; i < sources->count; i++) {
		scope_close(&sources->fds[i]);
		sources->fds[i] = -EBADF;
		if (sources->overlays[i])
			overlay_close(sources->overlays[i]);
	}
}
