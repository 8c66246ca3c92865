/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shifts the owners of a tree on disk. Of each object the owner is changed last and says that all
 * the rest is done, of the tree it is the root directory.
 * Zone: owing.
 */
#include "ids/shift.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "base/walk.h"

/*
 * A new owner takes set-user-id bits and file capabilities away. Until they are given back they are
 * kept here, where only root of the host can write: being killed in between must not lose them.
 */
#define KEPT "trusted.nspawn.shift"
#define CAPABILITIES "security.capability"
#define ACCESS_LIST "system.posix_acl_access"
#define DEFAULT_LIST "system.posix_acl_default"

#define NAMES_BYTES 65536
#define VALUE_BYTES 65536
#define CAPABILITIES_BYTES 24

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif
#ifndef CONFIGFS_MAGIC
#define CONFIGFS_MAGIC 0x62656570
#endif
#ifndef FUSECTL_MAGIC
#define FUSECTL_MAGIC 0x65735543
#endif
#ifndef RPC_PIPEFS_MAGIC
#define RPC_PIPEFS_MAGIC 0x67596969
#endif

/* What the kernel fills: their owners are no files' owners. */
/* clang-format off */
static const unsigned long special_file_systems[] = {
	PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
	MQUEUE_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, PSTOREFS_MAGIC, BPF_FS_MAGIC,
	EFIVARFS_MAGIC, SELINUX_MAGIC, SMACK_MAGIC, AUTOFS_SUPER_MAGIC, BINFMTFS_MAGIC, CONFIGFS_MAGIC,
	FUSECTL_MAGIC, HUGETLBFS_MAGIC, NSFS_MAGIC, RPC_PIPEFS_MAGIC,
};
/* clang-format on */

/* What is kept on the object. */
struct kept {
	uint32_t mode;
	uint32_t size; /* 0: no capabilities */
	unsigned char capabilities[CAPABILITIES_BYTES];
};

struct shifting {
	uint32_t shift;
	const struct shift_request *request;
	bool goes_on; /* with what somebody else began: there may be something kept */
	dev_t host_devices;
	struct progress progress;
	unsigned long long count;
	char *names, *value;
};

/* --- What to leave alone --- */

static bool is_filled_by_kernel(const struct shifting *shifting, int fd, const struct statx *status)
{
	struct statfs file_system;

	/* The host's device nodes are on what looks like any file system in memory. */
	if (makedev(status->stx_dev_major, status->stx_dev_minor) == shifting->host_devices)
		return true;
	if (fstatfs(fd, &file_system) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(special_file_systems); i++)
		if ((unsigned long)file_system.f_type == special_file_systems[i])
			return true;
	return false;
}

/* Whether 'fd' is where a mount begins that is none of the tree's. */
static bool is_left_alone(const struct shifting *shifting, int fd, const struct statx *status)
{
	struct statvfs file_system;

	if (status->stx_attributes & STATX_ATTR_AUTOMOUNT)
		return true;
	if (!(status->stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return false;
	if (fstatvfs(fd, &file_system) < 0 || file_system.f_flag & ST_RDONLY)
		return true;
	return is_filled_by_kernel(shifting, fd, status);
}

static bool is_done(const struct shifting *shifting, const struct statx *status)
{
	return shift_id(shifting->shift, status->stx_uid) == status->stx_uid &&
	       shift_id(shifting->shift, status->stx_gid) == status->stx_gid;
}

/* --- One object --- */

static bool has_name(const char *names, ssize_t length, const char *name)
{
	for (const char *at = names; at < names + length; at += strlen(at) + 1)
		if (strcmp(at, name) == 0)
			return true;
	return false;
}

static int shift_list(struct shifting *shifting, const char *path, const char *name)
{
	ssize_t size = getxattr(path, name, shifting->value, VALUE_BYTES);
	int r;

	if (size < 0)
		return errno == ENODATA ? 0 : -errno;
	r = shift_acl(shifting->shift, shifting->value, (size_t)size);
	if (r <= 0)
		return r;
	return setxattr(path, name, shifting->value, (size_t)size, XATTR_REPLACE) < 0 ? -errno : 0;
}

/* What was kept when somebody was killed here counts before what is left of it. 1: there was. */
static int read_kept(const char *path, struct kept *ret)
{
	struct kept kept;
	ssize_t size = getxattr(path, KEPT, &kept, sizeof(kept));

	if (size < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	if (size != sizeof(kept) || kept.size > sizeof(kept.capabilities))
		return -EBADMSG;
	*ret = kept;
	return 1;
}

static int find_kept(const char *path, const struct statx *status, bool has_capabilities,
		     struct kept *ret)
{
	ssize_t size = 0;

	*ret = (struct kept){.mode = status->stx_mode};
	if (has_capabilities)
		size = getxattr(path, CAPABILITIES, ret->capabilities, sizeof(ret->capabilities));
	/* Somebody else's namespace gave them: they count nowhere that we know of. */
	if (size < 0 && errno != ENODATA && errno != EOVERFLOW)
		return -errno;
	ret->size = size < 0 ? 0 : (uint32_t)size;
	return 0;
}

static int give_back(const struct shifting *shifting, const char *path, struct kept *kept)
{
	size_t size = kept->size;

	if (chmod(path, kept->mode & 07777) < 0)
		return -errno;
	if (size > 0) {
		TRY(shift_file_capabilities(shifting->shift, kept->capabilities, &size));
		if (setxattr(path, CAPABILITIES, kept->capabilities, size, 0) < 0)
			return -errno;
	}
	return removexattr(path, KEPT) < 0 && errno != ENODATA && errno != EOPNOTSUPP ? -errno : 0;
}

static int change_owner(const struct shifting *shifting, int fd, const struct statx *status)
{
	if (is_done(shifting, status))
		return 0;
	return fchownat(fd, "", shift_id(shifting->shift, status->stx_uid),
			shift_id(shifting->shift, status->stx_gid), AT_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

/* Changes the owner of what loses something by it. */
static int change_precious(const struct shifting *shifting, int fd, const char *path,
			   const struct statx *status, struct kept *kept, bool is_kept)
{
	/* A file system without such attributes has no capabilities either, only a moment's risk.
	 */
	if (!is_kept && setxattr(path, KEPT, kept, sizeof(*kept), 0) < 0 && errno != EOPNOTSUPP)
		return -errno;
	TRY(change_owner(shifting, fd, status));
	return give_back(shifting, path, kept);
}

static int shift_by_path(struct shifting *shifting, int fd, const char *path,
			 const struct statx *status)
{
	ssize_t length = listxattr(path, shifting->names, NAMES_BYTES);
	struct kept kept;
	int is_kept;

	if (length < 0 && errno != EOPNOTSUPP)
		return -errno;
	if (has_name(shifting->names, length, ACCESS_LIST))
		TRY(shift_list(shifting, path, ACCESS_LIST));
	if (has_name(shifting->names, length, DEFAULT_LIST))
		TRY(shift_list(shifting, path, DEFAULT_LIST));
	if (S_ISDIR(status->stx_mode))
		return change_owner(shifting, fd, status);
	TRY(find_kept(path, status, has_name(shifting->names, length, CAPABILITIES), &kept));
	is_kept = has_name(shifting->names, length, KEPT) ? read_kept(path, &kept) : 0;
	TRY(is_kept);
	if (is_kept == 0 && kept.size == 0 && !(status->stx_mode & (S_ISUID | S_ISGID)))
		return change_owner(shifting, fd, status);
	return change_precious(shifting, fd, path, status, &kept, is_kept);
}

/* Everything that belongs to what 'fd' (O_PATH will do) is open to. */
static int shift_object(struct shifting *shifting, int fd, const struct statx *status)
{
	char path[32];

	if (is_done(shifting, status) &&
	    (!shifting->goes_on || S_ISDIR(status->stx_mode) || S_ISLNK(status->stx_mode)))
		return 0;
	shifting->count++;
	if (S_ISLNK(status->stx_mode))
		return change_owner(shifting, fd, status);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return shift_by_path(shifting, fd, path, status);
}

/* --- The tree --- */

static int look(int fd, const char *name, struct statx *ret)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	return statx(fd, name, flags, STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID, ret) < 0
		       ? -errno
		       : 0;
}

static int look_up(struct shifting *shifting)
{
	if (progress_is_due(&shifting->progress))
		progress_show(&shifting->progress, "Changing the owners of '%s': %llu files",
			      shifting->request->path, shifting->count);
	return interrupt_came() ? -EINTR : 0;
}

static int visit_entry(void *userdata, int directory_fd, const char *name, unsigned char type)
{
	struct shifting *shifting = userdata;
	auto_close int fd = -EBADF;
	struct statx status;
	int r = look(directory_fd, name, &status);

	(void)type;
	/* What has vanished, or is something else each time we look, has somebody who deals with
	 * it. */
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!(status.stx_attributes & (STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT))) {
		if (S_ISDIR(status.stx_mode))
			return WALK_ENTER;
		if (is_done(shifting, &status) && !shifting->goes_on)
			return 0;
	}
	/* From here on of one object, whatever has the name meanwhile. */
	fd = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	TRY(look(fd, "", &status));
	if (is_left_alone(shifting, fd, &status))
		return 0;
	if (S_ISDIR(status.stx_mode))
		return WALK_ENTER;
	if (shifting->count % 64 == 0)
		TRY(look_up(shifting));
	return shift_object(shifting, fd, &status);
}

static int visit_directory(void *userdata, int directory_fd, const char *name, int fd)
{
	struct shifting *shifting = userdata;
	struct statx status;

	(void)directory_fd;
	(void)name;
	TRY(look_up(shifting));
	TRY(look(fd, "", &status));
	if (is_left_alone(shifting, fd, &status))
		return WALK_SKIP;
	TRY(shift_object(shifting, fd, &status));
	return 0;
}

static int leave_directory(void *userdata, int fd)
{
	(void)userdata;
	(void)fd;
	return 0;
}

static void complain(void *userdata, int r, int directory_fd, const char *name)
{
	struct shifting *shifting = userdata;
	char directory[PATH_MAX];

	progress_end(&shifting->progress);
	if (r == -EINTR) {
		(void)refuse(EINTR, "Interrupted while the owners in '%s' were being changed",
			     shifting->request->path);
		hint("Some have changed; the next start with '--private-users-ownership=chown' goes on");
		return;
	}
	if (fd_path(directory_fd, directory) < 0)
		(void)snprintf(directory, sizeof(directory), "%s", shifting->request->path);
	(void)fail(r, "Cannot change the owner of '%s/%s'", directory, name);
	if (r == -EPERM)
		hint("Perhaps nobody may change it: 'lsattr -d' shows that, 'chattr -i -a' ends it");
}

static int mark_busy(const struct shifting *shifting, int fd, const struct statx *status)
{
	int r;

	if (fchown(fd, shift_id(SHIFT_BUSY, status->stx_uid),
		   shift_id(SHIFT_BUSY, status->stx_gid)) == 0)
		return 0;
	r = fail(-errno, "Cannot change the owner of the tree '%s'", shifting->request->path);
	hint("'--private-users-ownership=map' changes nothing on disk");
	return r;
}

static int shift_all(struct shifting *shifting, int fd, const struct statx *status)
{
	static const struct walk_visitor visitor = {
		.entry = visit_entry,
		.enter = visit_directory,
		.leave = leave_directory,
		.complain = complain,
	};
	struct statx last;
	int r;

	shifting->goes_on = (status->stx_uid & 0xFFFF0000u) == SHIFT_BUSY ||
			    (status->stx_gid & 0xFFFF0000u) == SHIFT_BUSY;
	if (!shifting->goes_on)
		TRY(mark_busy(shifting, fd, status));
	TRY(walk(fd, &visitor, shifting));
	/* The directory that says for all the others that they are done. */
	r = look(fd, "", &last);
	if (r == 0)
		r = shift_object(shifting, fd, &last);
	if (r < 0)
		complain(shifting, r, fd, "");
	return r;
}

static dev_t device_of_host_devices(void)
{
	struct stat devices, root;

	/* Where /dev is a directory like any other there is nothing to tell it by. */
	if (stat("/dev", &devices) < 0 || stat("/", &root) < 0 || devices.st_dev == root.st_dev)
		return 0;
	return devices.st_dev;
}

int shift_tree(int directory_fd, uint32_t shift, const struct shift_request *request)
{
	auto_close int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct shifting shifting = {
		.shift = shift,
		.request = request,
		.host_devices = device_of_host_devices(),
	};
	struct interrupt interrupt;
	struct statx status;
	int r = fd < 0 ? -errno : look(fd, "", &status);

	assert(shift_is_valid(shift));
	if (r < 0)
		return fail(r, "Cannot look at the owner of the tree '%s'", request->path);
	if (is_done(&shifting, &status))
		return 0;
	shifting.names = malloc(NAMES_BYTES);
	shifting.value = malloc(VALUE_BYTES);
	if (shifting.names && shifting.value) {
		interrupt_hold(&interrupt);
		progress_start(&shifting.progress);
		r = shift_all(&shifting, fd, &status);
		progress_end(&shifting.progress);
		interrupt_release(&interrupt);
	} else {
		r = fail(-ENOMEM, "Cannot change the owner of the tree '%s'", request->path);
	}
	free(shifting.names);
	free(shifting.value);
	return r;
}
