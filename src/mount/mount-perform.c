/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries out single operations of a mount plan. One small function for each kind, chosen by a
 * table. Zone: doomed. We are PID 1 of the payload's namespaces, still with the host's view of the
 * file system until mount_enter(); nothing here may open a path of the tree but through base/path.
 */
#include "mount/mount-perform.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "mount/detached.h"
#include "mount/devices.h"
#include "mount/host-files.h"
#include "mount/mount-complain.h"
#include "mount/overlay.h"
#include "mount/run-host.h"

static int make_instance(const struct mount_site *site, const struct mount_operation *operation)
{
	const char *options = operation->options;
	char complaint[256] = "";
	int fd = 0;

	/* What the user says of owners is meant as inside. */
	if (operation->is_custom && options && site->maps)
		fd = id_mount_options(site->sources->arena, options, site->maps, &options);
	if (fd == 0)
		fd = detached_new_labelled(operation->source, options, operation->context,
					   operation->flags, complaint, sizeof(complaint));
	if (fd < 0 && operation->context && !operation->is_custom) {
		(void)fail(fd, "Cannot make the %s for '%s' with the SELinux context '%s'",
			   operation->source, operation->target, operation->context);
		return -ECANCELED; /* said already */
	}
	if (fd >= 0 || !operation->is_custom)
		return fd;
	(void)fail(fd, "Cannot make a %s with the options '%s' for '%s'", operation->source,
		   operation->options, operation->target);
	/* The kernel knows better than an errno what it disliked. */
	if (*complaint)
		hint("The kernel says: %s", complaint);
	return -ECANCELED; /* said already */
}

static int open_target(const struct mount_site *site, const struct mount_operation *operation,
		       enum path_kind kind)
{
	if (operation->makes_target)
		return path_make(site->root_fd, operation->target, kind,
				 kind == PATH_DIRECTORY ? 0755 : 0644, site->root_id);
	return path_open(site->root_fd, operation->target, O_PATH, 0);
}

static bool is_mount_point(int fd)
{
	struct statx status;

	return statx(fd, "", AT_EMPTY_PATH, 0, &status) == 0 &&
	       (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Descriptors of our own mounts are kept: a later mount of the user's may cover their paths. */
static int *keeper_of(struct mount_site *site, const char *target)
{
	return strcmp(target, "/dev") == 0       ? &site->dev_fd
	       : strcmp(target, "/dev/pts") == 0 ? &site->pts_fd
	       : strcmp(target, "/run") == 0     ? &site->run_fd
	       : strcmp(target, "/proc") == 0    ? &site->proc_fd
						 : NULL;
}

/* The user put something else over the root: from here on that is the root. */
static int adopt_root(struct mount_site *site, const struct mount_operation *operation,
		      int mount_fd)
{
	int fd;

	if (strcmp(operation->target, "/") != 0)
		return 0;
	fd = fcntl(mount_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	site->root_fd = fd;
	return 0;
}

static int perform_new(struct mount_site *site, const struct mount_operation *operation,
		       int source_fd)
{
	auto_close int target_fd = open_target(site, operation, PATH_DIRECTORY), mount_fd = -EBADF;
	int *keeper = operation->is_custom ? NULL : keeper_of(site, operation->target);

	if (target_fd < 0)
		return target_fd;
	if (operation->skips_mount_point && is_mount_point(target_fd))
		return 0;
	mount_fd = source_fd >= 0 ? fcntl(source_fd, F_DUPFD_CLOEXEC, 3)
				  : make_instance(site, operation);
	if (mount_fd < 0)
		return source_fd >= 0 ? -errno : mount_fd;
	TRY(detached_attach(mount_fd, target_fd));
	TRY(adopt_root(site, operation, mount_fd));
	if (keeper)
		*keeper = steal_fd(mount_fd);
	return 0;
}

/*
 * sysfs shows the network namespace of who mounts it; attached where it goes away with the host's
 * root.
 */
static int open_sysfs(struct mount_site *site)
{
	if (site->sysfs_fd >= 0)
		return 0;
	/* In a user namespace it must not show more than the host's does (mount_namespaces(7)). */
	site->sysfs_fd = detached_new("sysfs", NULL,
				      MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV |
					      MOUNT_FLAG_NOEXEC,
				      NULL, 0);
	if (site->sysfs_fd < 0)
		return site->sysfs_fd;
	return move_mount(site->sysfs_fd, "", AT_FDCWD, "/sys", MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

/* A detached clone of what the operation binds. */
static int clone_source(struct mount_site *site, const struct mount_operation *operation)
{
	auto_close int fd = -EBADF;

	if (operation->place == SOURCE_SYSFS) {
		TRY(open_sysfs(site));
		fd = path_open(site->sysfs_fd, operation->source, O_PATH, 0);
	} else if (operation->place == SOURCE_IMAGE) {
		fd = path_open(site->sources->tree_fd, operation->source, O_PATH, 0);
	} else {
		fd = path_open(site->root_fd, operation->source, O_PATH, 0);
	}
	return fd < 0 ? fd : detached_clone(fd, operation->recursive);
}

/* The target again, with other flags: looked up only once. */
static int perform_seal(struct mount_site *site, const struct mount_operation *operation)
{
	auto_close int target_fd = path_open(site->root_fd, operation->target, O_PATH, 0),
		       mount_fd = -EBADF;

	if (target_fd < 0)
		return target_fd;
	mount_fd = detached_clone(target_fd, operation->recursive);
	if (mount_fd < 0)
		return mount_fd;
	TRY(detached_set_flags(mount_fd, operation->flags, operation->recursive));
	return detached_attach(mount_fd, target_fd);
}

static int perform_bind(struct mount_site *site, const struct mount_operation *operation,
			int source_fd)
{
	auto_close int own_fd = -EBADF, target_fd = -EBADF;
	struct stat status;
	int mount_fd = source_fd;

	if (operation->place == SOURCE_TARGET)
		return perform_seal(site, operation);
	if (operation->place == SOURCE_HOST && source_fd < 0)
		return -ENOENT; /* missing when the sources were opened; not fatal then */
	if (operation->place == SOURCE_HANDED && source_fd < 0)
		return 0;
	if (source_fd < 0)
		mount_fd = own_fd = clone_source(site, operation);
	if (mount_fd < 0)
		return mount_fd;
	if (fstat(mount_fd, &status) < 0)
		return -errno;
	target_fd =
		open_target(site, operation, S_ISDIR(status.st_mode) ? PATH_DIRECTORY : PATH_FILE);
	if (target_fd < 0)
		return target_fd;
	TRY(detached_set_flags(mount_fd, operation->flags, operation->recursive));
	TRY(detached_attach(mount_fd, target_fd));
	return adopt_root(site, operation, mount_fd);
}

static int perform_overlay(struct mount_site *site, const struct mount_operation *operation,
			   int source_fd)
{
	auto_close int target_fd = open_target(site, operation, PATH_DIRECTORY), mount_fd = -EBADF;

	(void)source_fd;
	if (target_fd < 0)
		return target_fd;
	mount_fd = overlay_make(operation, site->root_fd,
				site->sources->overlays[operation - site->plan->items]);
	if (mount_fd < 0)
		return mount_fd;
	TRY(detached_attach(mount_fd, target_fd));
	return adopt_root(site, operation, mount_fd);
}

/* A detached clone of the node that is of the same kind as what it is to cover. */
static int clone_inaccessible(const struct mount_site *site, mode_t kind)
{
	auto_close int node_fd =
		openat(site->run_fd, run_host_inaccessible(kind), O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return node_fd < 0 ? -errno : detached_clone(node_fd, /* recursive= */ false);
}

static int perform_cover(struct mount_site *site, const struct mount_operation *operation,
			 int source_fd)
{
	auto_close int target_fd = open_target(site, operation, PATH_FILE), own_fd = -EBADF;
	struct stat status;
	int mount_fd = source_fd;

	if (target_fd < 0)
		return target_fd;
	if (fstat(target_fd, &status) < 0)
		return -errno;
	if (mount_fd < 0)
		mount_fd = own_fd = clone_inaccessible(site, status.st_mode);
	if (mount_fd < 0)
		return mount_fd;
	TRY(detached_set_flags(mount_fd,
			       MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV |
				       MOUNT_FLAG_NOEXEC,
			       false));
	return detached_attach(mount_fd, target_fd);
}

static int perform_remount(struct mount_site *site, const struct mount_operation *operation,
			   int source_fd)
{
	auto_close int target_fd = open_target(site, operation, PATH_DIRECTORY);

	(void)source_fd;
	return target_fd < 0
		       ? target_fd
		       : detached_set_flags(target_fd, operation->flags, operation->recursive);
}

static int perform_directory(struct mount_site *site, const struct mount_operation *operation,
			     int source_fd)
{
	auto_close int fd =
		path_make(site->root_fd, operation->target, PATH_DIRECTORY, 0755, site->root_id);

	(void)source_fd;
	return fd < 0 ? fd : 0;
}

/*
 * What a tree of a distribution's packages may leave out, and every start needs
 * (file-hierarchy(7)).
 */
static int perform_base(struct mount_site *site, const struct mount_operation *operation,
			int source_fd)
{
	static const struct {
		const char *name, *link_target;
		mode_t mode;
	} rows[] = {
		{"bin", "usr/bin", 0},     {"lib", "usr/lib", 0}, {"sbin", "usr/sbin", 0},
		{"lib64", "usr/lib64", 0}, {"root", NULL, 0750},  {"usr", NULL, 0755},
		{"var", NULL, 0755},       {"etc", NULL, 0755},   {"proc", NULL, 0555},
		{"sys", NULL, 0555},       {"dev", NULL, 0555},   {"run", NULL, 0555},
	};

	(void)operation;
	(void)source_fd;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r;

		if (faccessat(site->root_fd, rows[i].name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (!rows[i].link_target)
			r = mkdirat(site->root_fd, rows[i].name, rows[i].mode);
		else if (path_status(site->root_fd, rows[i].link_target, NULL) == 0)
			r = symlinkat(rows[i].link_target, site->root_fd, rows[i].name);
		else
			continue;
		/*
		 * A read-only tree must do with what it has; what is really missing fails where it
		 * is needed.
		 */
		if (r < 0 && errno != EROFS && errno != EEXIST) {
			(void)fail(-errno, "Cannot make '/%s' in the tree", rows[i].name);
			return -ECANCELED; /* said already */
		}
	}
	return 0;
}

static int perform_devices(struct mount_site *site, const struct mount_operation *operation,
			   int source_fd)
{
	const int *fd = &site->sources->fds[operation - site->plan->items];

	(void)source_fd;
	/* The operation before this one has mounted a /dev that was filled in advance. */
	if ((operation - 1)->is_prepared && fd[-1] >= 0)
		return 0;
	return devices_make(site->dev_fd, site->plan->devices, NULL) < 0 ? -ECANCELED : 0;
}

static int perform_run_host(struct mount_site *site, const struct mount_operation *operation,
			    int source_fd)
{
	(void)operation;
	(void)source_fd;
	if (run_host_make(site->run_fd, site->run_host) < 0)
		return -ECANCELED;
	site->kmsg_fd = run_host_open_kmsg(site->run_fd);
	if (site->kmsg_fd < 0)
		return site->kmsg_fd;
	site->run_host_fd = openat(site->run_fd, "host", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return site->run_host_fd < 0 ? -errno : 0;
}

static int perform_host_files(struct mount_site *site, const struct mount_operation *operation,
			      int source_fd)
{
	(void)operation;
	(void)source_fd;
	host_files_apply(site->host_files, site->root_fd, site->run_host_fd, site->root_id);
	return 0;
}

static bool has_os_release(const struct mount_site *site)
{
	return path_status(site->root_fd, "/etc/os-release", NULL) == 0 ||
	       path_status(site->root_fd, "/usr/lib/os-release", NULL) == 0;
}

static int machine_id_replace(int root_fd, const char *path, const char *id)
{
	char name[NAME_MAX + 1], text[40];
	auto_close int parent_fd = path_open_parent(root_fd, path, name);
	auto_close int fd = -EBADF;

	TRY(parent_fd);
	(void)snprintf(text, sizeof(text), "%s\n", id);
	if (unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int perform_os_check(struct mount_site *site, const struct mount_operation *operation,
			    int source_fd)
{
	bool usr_is_enough = strcmp(operation->source, OS_CHECK_WANTS_USR) == 0;

	(void)source_fd;
	if (has_os_release(site) ||
	    (usr_is_enough && path_status(site->root_fd, "/usr", NULL) == 0))
		return 0;
	(void)refuse(
		ENOENT,
		"What is mounted makes no operating system: there is neither %s nor /etc/os-release",
		usr_is_enough ? "/usr" : "/usr/lib/os-release");
	hint("Look at the sources of the mounts on '/', '/usr' and '/etc'; '--no-os-check' starts it all the same");
	return -ECANCELED;
}

/* In the changes where they are kept, else on top: a tree that stays as it is takes no file. */
static int perform_machine_id(struct mount_site *site, const struct mount_operation *operation,
			      int source_fd)
{
	auto_close int target_fd = -EBADF, memory_fd = -EBADF, file_fd = -EBADF;
	int r;

	(void)source_fd;
	r = machine_id_replace(site->root_fd, operation->target, operation->source);
	if (r != -EROFS)
		return r;
	memory_fd = detached_new("tmpfs", "mode=0755,size=64k", 0, NULL, 0);
	TRY(memory_fd);
	TRY(machine_id_replace(memory_fd, "/machine-id", operation->source));
	target_fd = path_open(site->root_fd, operation->target, O_PATH, 0);
	TRY(target_fd);
	file_fd = open_tree(memory_fd, "machine-id",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (file_fd < 0)
		return -errno;
	TRY(detached_set_flags(file_fd, MOUNT_FLAG_READ_ONLY, /* recursive= */ false));
	return detached_attach(file_fd, target_fd);
}

typedef int (*perform_function)(struct mount_site *site, const struct mount_operation *operation,
				int source_fd);

/* clang-format off */
static const perform_function perform[] = {
	[OPERATION_BASE] = perform_base,
	[OPERATION_NEW] = perform_new,
	[OPERATION_BIND] = perform_bind,
	[OPERATION_OVERLAY] = perform_overlay,
	[OPERATION_MACHINE_ID] = perform_machine_id,
	[OPERATION_COVER] = perform_cover,
	[OPERATION_DEVICES] = perform_devices,
	[OPERATION_RUN_HOST] = perform_run_host,
	[OPERATION_DIRECTORY] = perform_directory,
	[OPERATION_REMOUNT] = perform_remount,
	[OPERATION_HOST_FILES] = perform_host_files,
	[OPERATION_OS_CHECK] = perform_os_check,
};
/* clang-format on */
static_assert(ARRAY_LEN(perform) == _OPERATION_COUNT, "every kind of operation is performed");

static int settle(const struct mount_site *site, const struct mount_operation *operation, int r)
{
	if (r >= 0 || (r == -ENOENT && operation->need == NEED_IF_EXISTS))
		return 0;
	if (operation->need == NEED_NICE) {
		debug("Nothing is mounted on '%s' (%s)", operation->target, strerrordesc_np(-r));
		return 0;
	}
	if (r != -ECANCELED) /* the sentence was said closer to the cause */
		mount_complain(site->root_fd, operation, r);
	return -ECANCELED;
}

int mount_perform(struct mount_site *site, const struct mount_operation *operation, int source_fd)
{
	return settle(site, operation, perform[operation->kind](site, operation, source_fd));
}

int mount_take_source(struct mount_site *site, const struct mount_operation *operation)
{
	if (operation->kind == OPERATION_COVER && !operation->is_custom)
		return clone_inaccessible(site, S_IFREG);
	if (operation->kind == OPERATION_BIND && operation->place == SOURCE_TREE &&
	    !operation->is_custom)
		return clone_source(site, operation);
	return -EBADF;
}
