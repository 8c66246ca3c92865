/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory of an overlay that takes its changes: found, locked, and given a neighbour that the
 * kernel works in.
 * Zone: owing.
 */
#include "mount/overlay-top.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "ids/ids-inside.h"
#include "mount/mount-apply.h"

#define WORK_PREFIX ".nspawn-work-"

const char *overlay_layer_name(const struct mount_layer *layer)
{
	return layer->path ? layer->path : "a new directory";
}

/* One debt for all: how many there are is the user's to say. */
static void release_writables(void *argument)
{
	struct mount_sources *sources = argument;

	for (const struct overlay_top *writable = sources->writables; writable;
	     writable = writable->next) {
		int r = ids_inside_remove(writable->parent_fd, writable->work);

		if (r < 0)
			warn(r, "Cannot remove the work directory '%s' of an overlay, leaving it",
			     writable->work);
		(void)close(writable->lock_fd);
		(void)close(writable->parent_fd);
	}
	sources->writables = NULL;
}

/* The caller's own path, seen by the caller's eyes: links in it are followed. */
static int open_host_parent(const char *path, char *ret_name)
{
	auto_free char *resolved = realpath(path, NULL);
	const char *name = path_last(resolved ? resolved : path);
	char parent[PATH_MAX];
	int fd;

	if (!*name)
		return -EINVAL;
	if (snprintf(parent, sizeof(parent), "%.*s", (int)(name - (resolved ? resolved : path)),
		     resolved ? resolved : path) >= (int)sizeof(parent))
		return -ENAMETOOLONG;
	(void)snprintf(ret_name, NAME_MAX + 1, "%s", name);
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens the directory that holds the layer, and tells the layer's name in it. */
static int open_parent(const struct mount_layer *layer, int directory_fd, char *ret_name)
{
	if (layer->place == SOURCE_IMAGE)
		return path_open_parent(directory_fd, layer->path, ret_name);
	return open_host_parent(layer->path, ret_name);
}

static int lock_layer(struct overlay_top *writable, const struct mount_layer *layer)
{
	auto_close int fd = -EBADF;
	struct statx status;

	if (mkdirat(writable->parent_fd, writable->name, 0755) < 0 && errno != EEXIST)
		return fail(-errno, "Cannot make the top layer '%s' of an overlay",
			    overlay_layer_name(layer));
	fd = openat(writable->parent_fd, writable->name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "Cannot open the top layer '%s' of an overlay",
			    overlay_layer_name(layer));
	/* The kernel wants its own directory on the same mount, and beside is another one. */
	if (statx(fd, "", AT_EMPTY_PATH, 0, &status) == 0 &&
	    status.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		(void)refuse(EINVAL, "The top layer '%s' of an overlay is a mount point",
			     overlay_layer_name(layer));
		hint("Use a directory in it");
		return -EINVAL;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		(void)refuse(EBUSY, "The top layer '%s' of an overlay is in use by another machine",
			     overlay_layer_name(layer));
		hint("Give each machine a top layer of its own, or mount with --overlay-ro=");
		return -EBUSY;
	}
	writable->lock_fd = steal_fd(fd);
	return 0;
}

/*
 * The work directory has a name of its own for each layer, so that one that a killed run left is
 * used again instead of staying for ever; the kernel empties it. With owner= it belongs to who has
 * the layer: the host's root may be nobody there, and what is his could not be opened.
 */
static int make_work(const struct overlay_top *writable, bool is_mapped)
{
	auto_close int fd = -EBADF;
	struct stat top;

	if (mkdirat(writable->parent_fd, writable->work, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (!is_mapped)
		return 0;
	fd = openat(writable->parent_fd, writable->work,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || fstat(writable->lock_fd, &top) < 0 ||
			       fchown(fd, top.st_uid, top.st_gid) < 0
		       ? -errno
		       : 0;
}

int overlay_top_open(struct mount_sources *sources, const struct mount_layer *layer,
		     int directory_fd, bool is_mapped, struct undo *undo, struct overlay_top **ret)
{
	int r;

	struct overlay_top *writable = arena_allocate(sources->arena, sizeof(*writable));
	auto_close int parent_fd = open_parent(layer, directory_fd, writable->name);

	if (parent_fd < 0)
		return fail(parent_fd, "Cannot open the directory of the top layer '%s'",
			    overlay_layer_name(layer));
	(void)snprintf(writable->work, sizeof(writable->work), WORK_PREFIX "%.200s",
		       writable->name);
	writable->parent_fd = parent_fd;
	TRY(lock_layer(writable, layer));
	(void)steal_fd(parent_fd);
	if (!sources->writables)
		undo_push(undo, release_writables, sources, "work directories of overlays");
	writable->next = sources->writables;
	sources->writables = writable;
	r = make_work(writable, is_mapped);
	if (r < 0)
		return fail(r, "Cannot make the directory '%s' beside the top layer '%s'",
			    writable->work, overlay_layer_name(layer));
	*ret = writable;
	return 0;
}
