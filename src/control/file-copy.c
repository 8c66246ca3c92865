/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies single files with everything that belongs to them.
 * Zone: owing.
 */
#include "control/file-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/scope.h"
#include "control/changes-walk.h"

/* The last part of the path is not followed by the l-calls, and what is before is a descriptor. */
#define PATH_BYTES (NAME_MAX + 40)

static const char *make_path(int fd, const char *name, char ret[PATH_BYTES])
{
	(void)snprintf(ret, PATH_BYTES, "/proc/self/fd/%d/%s", fd, name);
	return ret;
}

/* Within one file system the kernel does it, between two we do. */
static ssize_t copy_part(int from_fd, off_t at, int to_fd, size_t length)
{
	off_t from = at, to = at;
	ssize_t copied = copy_file_range(from_fd, &from, to_fd, &to, length, 0);
	char text[16384];

	if (copied >= 0 || (errno != EXDEV && errno != EOPNOTSUPP && errno != EINVAL))
		return copied < 0 ? -errno : copied;
	copied = pread(from_fd, text, length < sizeof(text) ? length : sizeof(text), at);
	if (copied > 0)
		copied = pwrite(to_fd, text, (size_t)copied, at);
	return copied < 0 ? -errno : copied;
}

/* Data only; what lies between stays a hole. */
static int copy_data(int from_fd, int to_fd, off_t size)
{
	for (off_t at = 0; at < size;) {
		off_t begin = lseek(from_fd, at, SEEK_DATA), end;

		if (begin < 0)
			break; /* ENXIO: a hole up to the end */
		end = lseek(from_fd, begin, SEEK_HOLE);
		while (begin < end) {
			ssize_t copied = copy_part(from_fd, begin, to_fd, (size_t)(end - begin));

			if (copied < 0)
				return (int)copied;
			if (copied == 0)
				break; /* shorter meanwhile */
			begin += copied;
		}
		at = end;
	}
	return ftruncate(to_fd, size) < 0 ? -errno : 0;
}

static int copy_regular(int from_fd, const char *from_name, int to_fd, const char *name)
{
	auto_close int source_fd = changes_open_at(from_fd, from_name, 0);
	auto_close int copy_fd = -EBADF;
	struct stat status;

	TRY(source_fd);
	if (fstat(source_fd, &status) < 0 || !S_ISREG(status.st_mode))
		return -ESTALE;
	copy_fd = openat(to_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (copy_fd < 0)
		return -errno;
	if (ioctl(copy_fd, FICLONE, source_fd) == 0)
		return 0;
	return copy_data(source_fd, copy_fd, status.st_size);
}

static int copy_link(int from_fd, const char *from_name, int to_fd, const char *name)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(from_fd, from_name, text, sizeof(text) - 1);

	if (length < 0)
		return errno == EINVAL ? -ESTALE : -errno;
	text[length] = '\0';
	return symlinkat(text, to_fd, name) < 0 ? -errno : 0;
}

static int copy_attributes(const char *from, const char *to)
{
	auto_free char *list = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
	ssize_t length, size;

	if (!list || !value)
		return -ENOMEM;
	/* First those that only the old one had, such as an access list. */
	length = llistxattr(to, list, XATTR_LIST_MAX);
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(list + i) + 1)
		if (!changes_is_internal(list + i) && lgetxattr(from, list + i, NULL, 0) < 0 &&
		    errno == ENODATA)
			(void)lremovexattr(to, list + i);
	length = llistxattr(from, list, XATTR_LIST_MAX);
	if (length < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(list + i) + 1) {
		if (changes_is_internal(list + i))
			continue;
		size = lgetxattr(from, list + i, value, XATTR_SIZE_MAX);
		if (size >= 0 && lsetxattr(to, list + i, value, (size_t)size, 0) < 0)
			return -errno;
	}
	return 0;
}

int file_dress(int from_fd, const char *from_name, const struct stat *status, int to_fd,
	       const char *name)
{
	const struct timespec times[2] = {status->st_atim, status->st_mtim};
	char from[PATH_BYTES], to[PATH_BYTES];

	/* In this order: a new owner takes set-user-id bits and capabilities away. */
	if (fchownat(to_fd, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(status->st_mode) && fchmodat(to_fd, name, status->st_mode & 07777, 0) < 0)
		return -errno;
	TRY(copy_attributes(make_path(from_fd, from_name, from), make_path(to_fd, name, to)));
	return utimensat(to_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int file_copy(int from_fd, const char *from_name, const struct stat *status, int to_fd,
	      const char *name)
{
	mode_t mode = status->st_mode;
	int r;

	if (S_ISDIR(mode))
		return mkdirat(to_fd, name, 0700) < 0 ? -errno : 0;
	if (S_ISREG(mode))
		r = copy_regular(from_fd, from_name, to_fd, name);
	else if (S_ISLNK(mode))
		r = copy_link(from_fd, from_name, to_fd, name);
	else if (S_ISSOCK(mode))
		return -ENOTSUP;
	else
		r = mknodat(to_fd, name, (mode & S_IFMT) | 0600, status->st_rdev) < 0 ? -errno : 0;
	TRY(r);
	return file_dress(from_fd, from_name, status, to_fd, name);
}
