/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies one object with what belongs to it.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "image/copy.h"

/* So much at once that asking for signals in between costs nothing, and nobody waits long. */
#define CHUNK_BYTES (8u << 20)

/* What the names of extended attributes may be at most (xattr(7)). */
#define NAMES_BYTES 65536

void copying_done(struct copying *copying)
{
	free(copying->names);
	free(copying->value);
	copying->names = copying->value = NULL;
}

/* --- Attributes --- */

/* By this name whatever is open can be worked on, also what can only be opened with O_PATH. */
#define FD_NAME_MAX 32
static void name_fd(int fd, char ret[FD_NAME_MAX])
{
	(void)snprintf(ret, FD_NAME_MAX, "/proc/self/fd/%d", fd);
}

static int make_buffers(struct copying *copying)
{
	if (!copying->names)
		copying->names = malloc(2 * NAMES_BYTES);
	if (!copying->value)
		copying->value = malloc(COPY_VALUE_BYTES);
	return copying->names && copying->value ? 0 : -ENOMEM;
}

/* The names of all attributes, one after the other; 0 where there are none. */
static ssize_t list(const char *path, char *names)
{
	ssize_t length = listxattr(path, names, NAMES_BYTES);

	if (length < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	return length;
}

static bool has_name(const char *names, ssize_t length, const char *name)
{
	for (const char *at = names; at < names + length; at += strlen(at) + 1)
		if (strcmp(at, name) == 0)
			return true;
	return false;
}

/* A label that the target's own policy gives is no loss. */
static bool is_label(const char *name)
{
	return text_has_prefix(name, "security.") && strcmp(name, "security.capability") != 0;
}

bool copy_is_internal(const char *attribute)
{
	return text_has_prefix(attribute, "trusted.overlay.") ||
	       text_has_prefix(attribute, "user.overlay.");
}

/* XFS shows its access lists a second time, in its own form. */
static bool is_left_out(const struct copying *copying, const char *name)
{
	return text_has_prefix(name, "trusted.SGI_ACL_") ||
	       (copying->is_layer && copy_is_internal(name));
}

static int set_attribute(struct copying *copying, const char *path, const char *name, size_t size)
{
	if (setxattr(path, name, copying->value, size, 0) == 0)
		return 0;
	if (is_label(name))
		return 0;
	if (errno != EOPNOTSUPP && errno != EPERM)
		return -errno;
	if (!copying->loss_was_told)
		warn(-errno, "'%s' does not take the extended attribute '%s', copying without",
		     copying->to, name);
	copying->loss_was_told = true;
	return 0;
}

static bool keeps(const struct copying *copying, const char *name, size_t *size)
{
	const struct copy_rules *rules = copying->rules;

	return !rules || !rules->keeps || rules->keeps(rules->argument, name, copying->value, size);
}

static int add_attributes(struct copying *copying, const char *from, const char *to,
			  ssize_t *ret_length)
{
	ssize_t length = list(from, copying->names);

	TRY((int)length);
	for (const char *name = copying->names; name < copying->names + length;
	     name += strlen(name) + 1) {
		size_t length_of_value;
		ssize_t size;

		if (is_left_out(copying, name))
			continue;
		size = getxattr(from, name, copying->value, COPY_VALUE_BYTES);
		if (size < 0 && errno == ENODATA)
			continue; /* taken away meanwhile */
		if (size < 0 && errno == EOVERFLOW && copying->rules)
			continue; /* capabilities of a root that is nobody here */
		if (size < 0)
			return -errno;
		length_of_value = (size_t)size;
		if (!keeps(copying, name, &length_of_value))
			continue;
		TRY(set_attribute(copying, to, name, length_of_value));
	}
	*ret_length = length;
	return 0;
}

static int remove_others(struct copying *copying, const char *to, ssize_t wanted)
{
	char *names = copying->names + NAMES_BYTES;
	ssize_t length = list(to, names);

	TRY((int)length);
	for (const char *name = names; name < names + length; name += strlen(name) + 1)
		if (!has_name(copying->names, wanted, name) && !is_label(name) &&
		    !is_left_out(copying, name) && removexattr(to, name) < 0 && errno != ENODATA)
			return -errno;
	return 0;
}

static int copy_extended(struct copying *copying, int from_fd, int to_fd, bool is_new)
{
	char from[FD_NAME_MAX], to[FD_NAME_MAX];
	ssize_t length = 0;

	TRY(make_buffers(copying));
	name_fd(from_fd, from);
	name_fd(to_fd, to);
	TRY(add_attributes(copying, from, to, &length));
	return is_new ? 0 : remove_others(copying, to, length);
}

/* In this order: a new owner takes set-user-id bits and capabilities away, a change changes times.
 */
static int dress(struct copying *copying, int from_fd, int to_fd, const struct stat *status,
		 bool is_new)
{
	const struct timespec times[] = {status->st_atim, status->st_mtim};
	char to[FD_NAME_MAX];

	name_fd(to_fd, to);
	if (fchownat(to_fd, "", status->st_uid, status->st_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	TRY(copy_extended(copying, from_fd, to_fd, is_new));
	if (!S_ISLNK(status->st_mode) && chmod(to, status->st_mode & 07777) < 0)
		return -errno;
	return utimensat(to_fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* True: it is left out. */
static bool apply_rules(const struct copying *copying, int fd, struct stat *status)
{
	const struct copy_rules *rules = copying->rules;

	return rules && rules->leaves_out && rules->leaves_out(rules->argument, fd, status);
}

int copy_attributes(struct copying *copying, int from_fd, int to_fd)
{
	struct stat status;

	if (fstat(from_fd, &status) < 0)
		return -errno;
	(void)apply_rules(copying, from_fd, &status);
	return dress(copying, from_fd, to_fd, &status, copying->target_is_fresh);
}

/* --- Contents --- */

int copy_look_up(struct copying *copying)
{
	if (copying->is_interruptible && interrupt_came())
		return -EINTR;
	if (copying->progress && progress_is_due(copying->progress))
		progress_show(copying->progress, "Copying '%s' to '%s': %llu files, %llu MiB",
			      copying->from, copying->to, (unsigned long long)copying->count,
			      (unsigned long long)(copying->bytes >> 20));
	return 0;
}

static bool is_no_clone(int error)
{
	return error == EOPNOTSUPP || error == EXDEV || error == ENOTTY || error == ENOSYS;
}

/* True if the kernel has made the contents shared. */
static bool clone_contents(struct copying *copying, int from_fd, int to_fd)
{
	if (copying->clones_fail)
		return false;
	if (ioctl(to_fd, FICLONE, from_fd) == 0)
		return true;
	copying->clones_fail = is_no_clone(errno);
	return false;
}

/* As much as is possible at once, in the kernel in one way or the other. */
static ssize_t copy_some(int from_fd, int to_fd, off_t *at, size_t length)
{
	off_t to_at = *at;
	ssize_t copied = copy_file_range(from_fd, at, to_fd, &to_at, length, 0);

	if (copied >= 0 ||
	    (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP))
		return copied;
	if (lseek(to_fd, *at, SEEK_SET) < 0)
		return -1;
	return sendfile(to_fd, from_fd, at, length);
}

static int copy_extent(struct copying *copying, int from_fd, int to_fd, off_t at, off_t end)
{
	while (at < end) {
		off_t left = end - at;
		ssize_t copied = copy_some(from_fd, to_fd, &at,
					   left < (off_t)CHUNK_BYTES ? (size_t)left : CHUNK_BYTES);

		if (copied < 0 && errno == EINTR)
			continue;
		if (copied < 0)
			return -errno;
		if (copied == 0)
			break; /* it became shorter meanwhile */
		copying->bytes += (uint64_t)copied;
		if (at < end)
			TRY(copy_look_up(copying));
	}
	return 0;
}

/* As much as there still is. Holes stay holes. */
static int copy_contents(struct copying *copying, int from_fd, int to_fd, off_t size)
{
	off_t at = 0;

	if (size == 0)
		return 0;
	if (clone_contents(copying, from_fd, to_fd)) {
		copying->bytes += (uint64_t)size;
		return 0;
	}
	while (at < size) {
		off_t data = lseek(from_fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break; /* a hole to the end */
		if (data < 0)
			return -errno;
		hole = lseek(from_fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		TRY(copy_extent(copying, from_fd, to_fd, data, hole < size ? hole : size));
		at = hole;
	}
	return ftruncate(to_fd, size) < 0 ? -errno : 0;
}

/* --- Objects --- */

/* Opened without waiting for anybody, and without effect on what is no regular file after all. */
static int open_regular(int path_fd)
{
	char path[FD_NAME_MAX];
	int fd;

	name_fd(path_fd, path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
	if (fd < 0 && errno == EPERM)
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The descriptors of these three are of the new object. */
static int make_regular(struct copying *copying, int path_fd, const struct stat *status, int to_fd,
			const char *name)
{
	auto_close int from_fd = open_regular(path_fd), fd = -EBADF;
	int r;

	if (from_fd < 0)
		return from_fd;
	fd = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = copy_contents(copying, from_fd, fd, status->st_size);
	if (r < 0) {
		(void)unlinkat(to_fd, name, 0);
		return r;
	}
	return steal_fd(fd);
}

/*
 * Who else is at work there may have put something of somebody else's in its place, which must not
 * get the owner of ours.
 */
static int open_made(const struct copying *copying, int to_fd, const char *name)
{
	auto_close int fd = openat(to_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return copying->rules && !copy_is_ours(fd) ? -ESTALE : steal_fd(fd);
}

bool copy_is_ours(int fd)
{
	struct stat status;

	/* An id that is none changes nothing and tells what it is (setfsuid(2)). */
	return fstat(fd, &status) == 0 && status.st_uid == (uid_t)setfsuid((uid_t)-1);
}

static int make_link(const struct copying *copying, int path_fd, int to_fd, const char *name)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(path_fd, "", text, sizeof(text));

	if (length < 0)
		return -errno;
	if ((size_t)length == sizeof(text))
		return -ENAMETOOLONG;
	text[length] = '\0';
	return symlinkat(text, to_fd, name) < 0 ? -errno : open_made(copying, to_fd, name);
}

static int make_node(const struct copying *copying, const struct stat *status, int to_fd,
		     const char *name)
{
	if (mknodat(to_fd, name, (status->st_mode & S_IFMT) | 0600, status->st_rdev) < 0)
		return -errno;
	return open_made(copying, to_fd, name);
}

static int make_object(struct copying *copying, int path_fd, const struct stat *status, int to_fd,
		       const char *name)
{
	if (S_ISREG(status->st_mode))
		return make_regular(copying, path_fd, status, to_fd, name);
	if (S_ISLNK(status->st_mode))
		return make_link(copying, path_fd, to_fd, name);
	return make_node(copying, status, to_fd, name);
}

int copy_opened(struct copying *copying, int path_fd, int to_directory_fd, const char *to_name)
{
	auto_close int fd = -EBADF;
	struct stat status;
	int r;

	if (fstat(path_fd, &status) < 0)
		return -errno;
	TRY(copy_look_up(copying));
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (apply_rules(copying, path_fd, &status))
		return COPY_LEFT_OUT;
	fd = make_object(copying, path_fd, &status, to_directory_fd, to_name);
	if (fd < 0)
		return fd;
	r = dress(copying, path_fd, fd, &status, copying->target_is_fresh);
	if (r < 0)
		(void)unlinkat(to_directory_fd, to_name, 0);
	copying->count++;
	return r;
}

int copy_object(struct copying *copying, int from_directory_fd, const char *from_name,
		int to_directory_fd, const char *to_name)
{
	auto_close int path_fd =
		openat(from_directory_fd, from_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return path_fd < 0 ? -errno : copy_opened(copying, path_fd, to_directory_fd, to_name);
}
