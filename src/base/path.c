/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In-root resolution on top of openat2(2), and lexical path work.
 * Zone: any.
 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"

int path_open(int root_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (*path == '\0')
		path = ".";
	/*
	 * EAGAIN: a rename or mount raced with '..' somewhere; the kernel asks to try again
	 * (openat2(2)).
	 */
	for (int tries = 0; tries < 64; tries++) {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* Splits off the last component; the parent keeps its leading slash or is empty. */
static int split_last(const char *path, char *ret_parent, char *ret_name)
{
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end == start || end - start > NAME_MAX || start >= PATH_MAX)
		return end == start ? -EINVAL : -ENAMETOOLONG;
	memcpy(ret_name, path + start, end - start);
	ret_name[end - start] = '\0';
	if (strcmp(ret_name, ".") == 0 || strcmp(ret_name, "..") == 0)
		return -EINVAL;
	memcpy(ret_parent, path, start);
	ret_parent[start] = '\0';
	return 0;
}

int path_open_parent(int root_fd, const char *path, char *ret_name)
{
	char parent[PATH_MAX], name[NAME_MAX + 1];
	int fd;

	TRY(split_last(path, parent, name));
	fd = path_open(root_fd, parent, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		strcpy(ret_name, name);
	return fd;
}

static int make_last(int parent_fd, const char *name, enum path_kind kind, mode_t mode, uid_t uid)
{
	auto_close int fd = -EBADF;
	bool is_new;

	if (kind == PATH_DIRECTORY) {
		is_new = mkdirat(parent_fd, name, mode) == 0;
		if (!is_new && errno != EEXIST)
			return -errno;
	} else {
		auto_close int created =
			openat(parent_fd, name,
			       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

		is_new = created >= 0;
		if (!is_new && errno != EEXIST)
			return -errno;
	}
	fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (is_new && fchownat(fd, "", uid, uid, AT_EMPTY_PATH) < 0)
		return -errno;
	return steal_fd(fd);
}

int path_make(int root_fd, const char *path, enum path_kind kind, mode_t mode, uid_t uid)
{
	char parent[PATH_MAX], name[NAME_MAX + 1];
	auto_close int parent_fd = -EBADF;
	struct stat status;
	int fd;

	fd = path_open(root_fd, path, O_PATH, 0);
	if (fd != -ENOENT)
		return fd;
	TRY(split_last(path, parent, name));
	parent_fd = path_make(root_fd, parent, PATH_DIRECTORY, 0755, uid);
	if (parent_fd < 0)
		return parent_fd;
	/* Something there that leads nowhere: a dangling link. */
	if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISLNK(status.st_mode) ? -ENOENT : -EAGAIN;
	return make_last(parent_fd, name, kind, mode, uid);
}

int path_read(int root_fd, const char *path, size_t max, char **ret_text, size_t *ret_length)
{
	/* O_NONBLOCK: a FIFO in the guest must not hold us up before we see that it is one. */
	auto_close int fd = path_open(root_fd, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat status;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	return fd_read_all(fd, max, ret_text, ret_length);
}

int path_status(int root_fd, const char *path, mode_t *ret_mode)
{
	auto_close int fd = path_open(root_fd, path, O_PATH, 0);
	struct stat status;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (ret_mode)
		*ret_mode = status.st_mode;
	return 0;
}

int path_read_link(struct arena *arena, int root_fd, const char *path, char **ret_text)
{
	char name[NAME_MAX + 1], text[PATH_MAX];
	auto_close int parent_fd = path_open_parent(root_fd, path, name);
	ssize_t length;

	if (parent_fd < 0)
		return parent_fd;
	length = readlinkat(parent_fd, name, text, sizeof(text));
	if (length < 0)
		return -errno;
	if ((size_t)length == sizeof(text))
		return -ENAMETOOLONG;
	*ret_text = arena_copy_n(arena, text, (size_t)length);
	return 0;
}

char *path_simplify(struct arena *arena, const char *path)
{
	char *result = arena_allocate(arena, strlen(path) + 2), *end = result;

	if (*path == '/')
		*end++ = '/';
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length > 0 && !(length == 1 && *path == '.')) {
			if (end > result && end[-1] != '/')
				*end++ = '/';
			memcpy(end, path, length);
			end += length;
		}
		path += length + (path[length] == '/');
	}
	if (end == result)
		*end++ = '.';
	*end = '\0';
	return result;
}

int path_absolute(struct arena *arena, const char *path, char **ret_path)
{
	char directory[PATH_MAX];

	if (*path == '/') {
		*ret_path = path_simplify(arena, path);
		return 0;
	}
	if (!getcwd(directory, sizeof(directory)))
		return -errno;
	*ret_path = path_simplify(arena, arena_format(arena, "%s/%s", directory, path));
	return 0;
}

bool path_is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	while (length > 0 && prefix[length - 1] == '/')
		length--;
	return strncmp(path, prefix, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

bool path_is_normalized(const char *path)
{
	if (*path != '/')
		return false;
	if (path[1] == '\0')
		return true;
	while (*path == '/') {
		size_t length = strcspn(++path, "/");

		if (length == 0 || (length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += length;
	}
	return true;
}

const char *path_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
