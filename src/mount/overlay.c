/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes overlays out of layers that were opened before the clone.
 * Zone: owing for overlay_open(), doomed for overlay_make().
 */
#include "mount/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "host/host.h"
#include "mount/detached.h"
#include "mount/mount-apply.h"
#include "mount/overlay-top.h"

/* The kernel takes a list of layers of 255 characters; "59:58:…:0". */
#define LAYERS_MAX 60

struct overlay_sources {
	int *fds; /* detached clones of the layers; of a writable top, of the directory it is in */
	size_t count;
	struct overlay_top *writable; /* NULL: none, or in memory */
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

/* --- In the parent --- */

static int clone_layer(const struct mount_sources *sources, const struct mount_layer *layer)
{
	auto_close int fd = open(layer->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int clone = fd < 0               ? -errno
		    : sources->are_named ? steal_fd(fd)
					 : detached_clone(fd, /* recursive= */ false);

	return clone < 0 ? fail(clone, "Cannot open the layer '%s' of an overlay",
				overlay_layer_name(layer))
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
		TRY(overlay_top_open(sources, &layer, directory_fd, operation->ids, undo,
				     &overlay->writable));
		*fd = sources->are_named ? openat(overlay->writable->parent_fd, ".",
						  O_PATH | O_DIRECTORY | O_CLOEXEC)
					 : detached_clone(overlay->writable->parent_fd,
							  /* recursive= */ false);
		if (*fd < 0)
			return fail(*fd, "Cannot take a view of the directory of '%s'",
				    overlay_layer_name(&layer));
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
			    overlay_layer_name(&layer));
	overlay->count++;
	return *fd < 0 ? 0
		       : mount_sources_map(
				 sources, operation, directory_fd, overlay_layer_name(&layer),
				 overlay->writable ? overlay->writable->lock_fd : -EBADF, fd);
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
static int attach_writable(struct scaffold *scaffold, const struct overlay_top *writable,
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

/* Where it cannot make its work directory, the kernel makes an overlay read-only, and says nothing.
 */
static int check_owners(const struct mount_operation *operation, int fd)
{
	struct statfs file_system;

	if (!operation->ids || !has_writable_top(operation))
		return 0;
	if (fstatfs(fd, &file_system) < 0)
		return -errno;
	if (!(file_system.f_flags & ST_RDONLY))
		return 0;
	(void)refuse(EACCES, "The overlay for '%s' cannot be written with the owners it is to have",
		     operation->target);
	hint("The top layer has to belong to who becomes root inside, group included");
	return -ECANCELED;
}

static int create(const struct scaffold *scaffold, const struct mount_operation *operation,
		  bool is_of_user)
{
	bool is_writable = has_writable_top(operation);
	auto_close int context_fd = fsopen("overlay", FSOPEN_CLOEXEC);
	int r = context_fd < 0 ? -errno
			       : configure(scaffold, context_fd, is_writable, !operation->is_custom,
					   is_of_user);

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
	auto_close int fd =
		fsmount(context_fd, FSMOUNT_CLOEXEC, is_writable ? 0 : MOUNT_ATTR_RDONLY);

	if (fd < 0)
		return -errno;
	TRY(check_owners(operation, fd));
	return steal_fd(fd);
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
