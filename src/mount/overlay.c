/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes overlays out of layers that were opened before the clone.
 * Zone: owing for overlay_open(), doomed for overlay_make().
 */
#include "mount/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "host/host.h"
#include "ids/ids-inside.h"
#include "mount/detached.h"
#include "mount/mount-apply.h"

/* The kernel takes a list of layers of 255 characters; "59:58:…:0". */
#define LAYERS_MAX 60

#define WORK_PREFIX ".nspawn-work-"

/* The directory that takes the changes, and the kernel's own beside it: both on one mount. */
struct writable {
	struct writable *next;
	int lock_fd;   /* the layer itself, locked for as long as the machine runs */
	int parent_fd; /* on the host, for taking the work directory away */
	char name[NAME_MAX + 1], work[NAME_MAX + 1];
};

struct overlay_sources {
	int *fds; /* detached clones of the layers; of a writable top, of the directory it is in */
	size_t count;
	struct writable *writable; /* NULL: none, or in memory */
	/* Made in a user namespace: what is noted on files is an attribute that a user may write.
	 */
	bool is_of_user;
};

static bool has_writable_top(const struct mount_operation *operation)
{
	return !(operation->flags & MOUNT_FLAG_READ_ONLY);
}

int overlay_copy_attributes(int from_fd, int to_fd)
{
	struct stat status;

	if (fstat(from_fd, &status) < 0 || fchown(to_fd, status.st_uid, status.st_gid) < 0 ||
	    fchmod(to_fd, status.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static const char *layer_name(const struct mount_layer *layer)
{
	return layer->path ? layer->path : "a new directory";
}

/* --- In the parent --- */

/* One debt for all: how many there are is the user's to say. */
static void release_writables(void *argument)
{
	struct mount_sources *sources = argument;

	for (const struct writable *writable = sources->writables; writable;
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

static int lock_layer(struct writable *writable, const struct mount_layer *layer)
{
	auto_close int fd = -EBADF;
	struct statx status;

	if (mkdirat(writable->parent_fd, writable->name, 0755) < 0 && errno != EEXIST)
		return fail(-errno, "Cannot make the top layer '%s' of an overlay",
			    layer_name(layer));
	fd = openat(writable->parent_fd, writable->name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "Cannot open the top layer '%s' of an overlay",
			    layer_name(layer));
	/* The kernel wants its own directory on the same mount, and beside is another one. */
	if (statx(fd, "", AT_EMPTY_PATH, 0, &status) == 0 &&
	    status.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		(void)refuse(EINVAL, "The top layer '%s' of an overlay is a mount point",
			     layer_name(layer));
		hint("Use a directory in it");
		return -EINVAL;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		(void)refuse(EBUSY, "The top layer '%s' of an overlay is in use by another machine",
			     layer_name(layer));
		hint("Give each machine a top layer of its own, or mount with --overlay-ro=");
		return -EBUSY;
	}
	writable->lock_fd = steal_fd(fd);
	return 0;
}

static int open_writable(struct mount_sources *sources, const struct mount_layer *layer,
			 int directory_fd, struct undo *undo, struct writable **ret)
{
	struct writable *writable = arena_allocate(sources->arena, sizeof(*writable));
	auto_close int parent_fd = open_parent(layer, directory_fd, writable->name);

	if (parent_fd < 0)
		return fail(parent_fd, "Cannot open the directory of the top layer '%s'",
			    layer_name(layer));
	(void)snprintf(writable->work, sizeof(writable->work), WORK_PREFIX "%.200s",
		       writable->name);
	writable->parent_fd = parent_fd;
	TRY(lock_layer(writable, layer));
	(void)steal_fd(parent_fd);
	if (!sources->writables)
		undo_push(undo, release_writables, sources, "work directories of overlays");
	writable->next = sources->writables;
	sources->writables = writable;
	*ret = writable;
	return 0;
}

/*
 * The work directory has a name of its own for each layer, so that one that a killed run left is
 * used again instead of staying for ever; the kernel empties it. With owner= it belongs to who has
 * the layer: the host's root may be nobody there, and what is his could not be opened.
 */
static int make_work(const struct writable *writable, bool is_mapped)
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

static int clone_layer(const struct mount_sources *sources, const struct mount_layer *layer)
{
	auto_close int fd = open(layer->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int clone = fd < 0               ? -errno
		    : sources->are_named ? steal_fd(fd)
					 : detached_clone(fd, /* recursive= */ false);

	return clone < 0
		       ? fail(clone, "Cannot open the layer '%s' of an overlay", layer_name(layer))
		       : clone;
}

/* As it is before anything is mounted in the tree. */
static int clone_layer_of_tree(const struct mount_layer *layer, int directory_fd)
{
	auto_close int fd = path_open(directory_fd, layer->path, O_PATH | O_DIRECTORY, 0);
	int clone = fd < 0 ? fd : detached_clone(fd, /* recursive= */ false);

	return clone < 0 ? fail(clone, "Cannot open the layer '%s' of an overlay", layer->path)
			 : clone;
}

/*
 * Adds the descriptor of one layer. -EBADF for what is only found in the container, where mounts
 * may be on it by then, or made there.
 */
static int open_layer(struct mount_sources *sources, const struct mount_operation *operation,
		      int directory_fd, struct undo *undo, struct overlay_sources *overlay)
{
	struct mount_layer layer = operation->layers[overlay->count];
	bool is_top = overlay->count == operation->layer_count - 1;
	int *fd = &overlay->fds[overlay->count], r;

	*fd = -EBADF;
	if (layer.place == SOURCE_EMPTY) {
		TRY(mount_sources_make_temporary(sources, undo, &layer.path));
		layer.place = SOURCE_HOST;
	}
	if (is_top && has_writable_top(operation) && layer.place != SOURCE_MEMORY) {
		TRY(open_writable(sources, &layer, directory_fd, undo, &overlay->writable));
		r = make_work(overlay->writable, operation->ids);
		if (r < 0)
			return fail(r, "Cannot make the directory '%s' beside the top layer '%s'",
				    overlay->writable->work, layer_name(&layer));
		*fd = sources->are_named ? openat(overlay->writable->parent_fd, ".",
						  O_PATH | O_DIRECTORY | O_CLOEXEC)
					 : detached_clone(overlay->writable->parent_fd,
							  /* recursive= */ false);
		if (*fd < 0)
			return fail(*fd, "Cannot take a view of the directory of '%s'",
				    layer_name(&layer));
	} else if (layer.place == SOURCE_HOST) {
		*fd = clone_layer(sources, &layer);
		TRY(*fd);
	} else if (layer.place == SOURCE_IMAGE && operation->ids) {
		*fd = clone_layer_of_tree(&layer, directory_fd);
		TRY(*fd);
	}
	/* Before they are stacked: an overlay itself cannot be mapped. */
	r = *fd >= 0 && sources->map_fd >= 0 && !operation->ids
		    ? detached_map(*fd, sources->map_fd, /* recursive= */ false)
		    : 0;
	if (r < 0)
		return fail(r, "Cannot map the owners of the layer '%s' to the payload's ids",
			    layer_name(&layer));
	overlay->count++;
	return *fd < 0 ? 0
		       : mount_sources_map(sources, operation, directory_fd, layer_name(&layer),
					   overlay->writable ? overlay->writable->lock_fd : -EBADF,
					   fd);
}

int overlay_open(struct mount_sources *sources, const struct mount_operation *operation,
		 int directory_fd, struct undo *undo, struct overlay_sources **ret)
{
	struct overlay_sources *overlay = arena_allocate(sources->arena, sizeof(*overlay));

	if (operation->layer_count > LAYERS_MAX)
		return refuse(E2BIG,
			      "An overlay on '%s' of %zu directories is too high: %d are possible",
			      operation->target, operation->layer_count, LAYERS_MAX);
	overlay->is_of_user = (sources->ids && sources->ids->writer == IDS_WRITER_MANAGER) ||
			      host_is_in_user_namespace();
	overlay->fds = arena_allocate(sources->arena, operation->layer_count * sizeof(int));
	*ret = overlay;
	while (overlay->count < operation->layer_count)
		TRY(open_layer(sources, operation, directory_fd, undo, overlay));
	return 0;
}

int overlay_adopt(struct overlay_sources *overlay, overlay_adopt_function adopt)
{
	overlay->is_of_user = true;
	for (size_t i = 0; i < overlay->count; i++)
		if (overlay->fds[i] >= 0)
			TRY(adopt(&overlay->fds[i], /* recursive= */ false));
	return 0;
}

void overlay_close(struct overlay_sources *overlay)
{
	for (size_t i = 0; i < overlay->count; i++) {
		scope_close(&overlay->fds[i]);
		overlay->fds[i] = -EBADF;
	}
}

/* --- In the container --- */

/* Where layers are attached while the kernel takes them: it refuses what is mounted nowhere. */
struct scaffold {
	int fd, top_fd, work_fd;
	bool is_attached;
	char lowers[256]; /* "1:0", the upper first, as the kernel wants it */
	size_t lower_count;
	int linked_fds[LAYERS_MAX]; /* 0 for those that are attached */
};

static int make_scaffold(struct scaffold *scaffold)
{
	scaffold->fd = detached_new("tmpfs", "mode=0700,size=1m", 0, NULL, 0);
	if (scaffold->fd < 0)
		return scaffold->fd;
	/* Any directory of the host's will do; it goes away with the host's root. */
	if (move_mount(scaffold->fd, "", AT_FDCWD, "/sys", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	scaffold->is_attached = true;
	return fchdir(scaffold->fd) < 0 ? -errno : 0;
}

static void scaffold_done(struct scaffold *scaffold)
{
	for (size_t i = 0; i < scaffold->lower_count; i++)
		if (scaffold->linked_fds[i] > 0)
			(void)close(scaffold->linked_fds[i]);
	/* The overlay has views of its own. Whatever else stands in this place is below. */
	if (scaffold->is_attached)
		(void)umount2("/sys", MNT_DETACH);
	scope_close(&scaffold->fd);
	scope_close(&scaffold->top_fd);
	scope_close(&scaffold->work_fd);
}

static int attach_layer(const struct scaffold *scaffold, const char *name, int layer_fd)
{
	auto_close int place_fd = -EBADF;

	if (mkdirat(scaffold->fd, name, 0700) < 0)
		return -errno;
	place_fd = openat(scaffold->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return place_fd < 0 ? -errno : detached_attach(layer_fd, place_fd);
}

/* The layer is on a mount of this namespace already: a link to it will do. */
static int link_layer(struct scaffold *scaffold, const char *name, const struct mount_layer *layer,
		      int root_fd, int *ret_fd)
{
	char target[32];

	*ret_fd = path_open(root_fd, layer->path, O_PATH | O_DIRECTORY, 0);
	if (*ret_fd < 0) {
		(void)fail(*ret_fd, "Cannot open the layer '%s' of an overlay", layer->path);
		return -ECANCELED;
	}
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", *ret_fd);
	return symlinkat(target, scaffold->fd, name) < 0 ? -errno : 0;
}

static int attach_lowers(struct scaffold *scaffold, const struct mount_operation *operation,
			 const struct overlay_sources *overlay, int root_fd)
{
	size_t used = 0;

	scaffold->lower_count = operation->layer_count - has_writable_top(operation);
	for (size_t i = scaffold->lower_count; i-- > 0;) {
		char name[24];

		(void)snprintf(name, sizeof(name), "%zu", i);
		used += (size_t)snprintf(scaffold->lowers + used, sizeof(scaffold->lowers) - used,
					 "%s%s", used ? ":" : "", name);
		if (overlay->fds[i] >= 0)
			TRY(attach_layer(scaffold, name, overlay->fds[i]));
		else
			TRY(link_layer(scaffold, name, &operation->layers[i], root_fd,
				       &scaffold->linked_fds[i]));
	}
	return 0;
}

/* A file system in memory with the two directories that a writable overlay needs. */
static int attach_memory(struct scaffold *scaffold, const char *options)
{
	auto_close int memory_fd = detached_new("tmpfs", options, 0, NULL, 0);

	if (memory_fd < 0)
		return memory_fd;
	TRY(attach_layer(scaffold, "memory", memory_fd));
	if (mkdirat(memory_fd, "top", 0755) < 0 || mkdirat(memory_fd, "work", 0700) < 0)
		return -errno;
	scaffold->top_fd = openat(memory_fd, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scaffold->work_fd = openat(memory_fd, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return scaffold->top_fd < 0 || scaffold->work_fd < 0 ? -errno : 0;
}

/* The top and work directories on the layer's own mount, now that it is attached. */
static int attach_writable(struct scaffold *scaffold, const struct writable *writable,
			   int parent_fd)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	TRY(attach_layer(scaffold, "top", parent_fd));
	scaffold->top_fd = openat(parent_fd, writable->name, flags);
	if (scaffold->top_fd < 0)
		return -errno;
	scaffold->work_fd = openat(parent_fd, writable->work, flags);
	return scaffold->work_fd < 0 ? -errno : 0;
}

/* By descriptor: there is no name in it that could need quoting, or change. */
static int set_path(int context_fd, const char *key, int fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fsconfig(context_fd, FSCONFIG_SET_STRING, key, path, 0) < 0 ? -errno : 0;
}

static int configure(const struct scaffold *scaffold, int context_fd, bool is_writable,
		     bool is_changes, bool is_of_user)
{
	static const char *const plain[] = {"redirect_dir", "metacopy", "index"};

	(void)fsconfig(context_fd, FSCONFIG_SET_STRING, "source", "overlay", 0);
	if (is_of_user && fsconfig(context_fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return -errno;
	if (fsconfig(context_fd, FSCONFIG_SET_STRING, "lowerdir", scaffold->lowers, 0) < 0)
		return -errno;
	if (is_writable) {
		TRY(set_path(context_fd, "upperdir", scaffold->top_fd));
		TRY(set_path(context_fd, "workdir", scaffold->work_fd));
	}
	/*
	 * What is looked at afterwards must stand in the top layer as it is; best effort. With
	 * attributes of users it does, and "off" would be refused.
	 */
	if (is_changes && !is_of_user)
		for (size_t i = 0; i < ARRAY_LEN(plain); i++)
			(void)fsconfig(context_fd, FSCONFIG_SET_STRING, plain[i], "off", 0);
	/*
	 * What is thrown away need not reach the disk: else each file that is copied up is written
	 * out before the payload goes on, and at the end all that the host's file system owes.
	 */
	if (is_changes && is_writable)
		(void)fsconfig(context_fd, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
	return fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

static int create(const struct scaffold *scaffold, const struct mount_operation *operation,
		  bool is_of_user)
{
	bool is_writable = has_writable_top(operation);
	auto_close int context_fd = fsopen("overlay", FSOPEN_CLOEXEC);
	int fd, r = context_fd < 0 ? -errno
				   : configure(scaffold, context_fd, is_writable,
					       !operation->is_custom, is_of_user);

	if (r < 0) {
		char complaint[256] = "";

		if (context_fd >= 0)
			detached_complaint(context_fd, complaint, sizeof(complaint));
		(void)fail(r, "Cannot make an overlay for '%s'", operation->target);
		if (*complaint)
			hint("The kernel says: %s", complaint);
		else if (r == -EINVAL && is_of_user)
			/* They are locked in our user namespace: nobody may look below them. */
			hint("Only root can lay changes over a directory that other file systems are mounted in");
		return -ECANCELED; /* said already */
	}
	fd = fsmount(context_fd, FSMOUNT_CLOEXEC, is_writable ? 0 : MOUNT_ATTR_RDONLY);
	return fd < 0 ? -errno : fd;
}

/* What is new shows the mode and the owner of what is below it. */
static int dress_top(const struct scaffold *scaffold, const struct overlay_sources *overlay)
{
	size_t below = scaffold->lower_count - 1;

	return overlay_copy_attributes(overlay->fds[below] < 0 ? scaffold->linked_fds[below]
							       : overlay->fds[below],
				       scaffold->top_fd);
}

int overlay_make(const struct mount_operation *operation, int root_fd,
		 const struct overlay_sources *overlay)
{
	__attribute__((cleanup(scaffold_done))) struct scaffold scaffold = {
		.fd = -EBADF, .top_fd = -EBADF, .work_fd = -EBADF};
	const struct mount_layer *top = &operation->layers[operation->layer_count - 1];

	TRY(make_scaffold(&scaffold));
	TRY(attach_lowers(&scaffold, operation, overlay, root_fd));
	if (has_writable_top(operation) && top->place == SOURCE_MEMORY)
		TRY(attach_memory(&scaffold, top->path));
	else if (has_writable_top(operation))
		TRY(attach_writable(&scaffold, overlay->writable,
				    overlay->fds[scaffold.lower_count]));
	if (top->place == SOURCE_MEMORY || top->place == SOURCE_EMPTY)
		TRY(dress_top(&scaffold, overlay));
	return create(&scaffold, operation, overlay->is_of_user);
}
