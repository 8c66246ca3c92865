/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds our own group: its name in the kernel's tables, its directory under a mount that shows it.
 * Zone: free.
 */
#include "manager/cgroup-find.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/scope.h"

#define TABLE_MAX_BYTES (16u << 20) /* of a mount table; a host with 100 000 mounts still fits */

int cgroup_own_from_text(struct arena *arena, const char *text, char **ret_own)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		if (length > 3 && strncmp(text, "0::", 3) == 0) {
			char *own = arena_copy_n(arena, text + 3, length - 3);

			/* "/../x": outside of our cgroup namespace, out of reach. */
			if (!path_is_normalized(own))
				return -ENOENT;
			*ret_own = own;
			return 0;
		}
		text += length + (text[length] == '\n');
	}
	return -ENOENT;
}

/*
 * The kernel writes blanks and backslashes in paths as three octal digits (proc_pid_mountinfo(5)).
 */
static void unescape_octal(char *text)
{
	char *to = text;

	while (*text) {
		bool is_escape = text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
				 text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
				 text[3] <= '7';

		if (is_escape) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* Splits off the next field; NULL at the end of the line. */
static char *next_field(char **rest)
{
	char *field = strsep(rest, " ");

	return field && *field ? field : NULL;
}

/* "36 35 98:0 ROOT MOUNTPOINT OPTIONS optional… - TYPE SOURCE OPTIONS": true for cgroup2. */
static bool line_is_cgroup2(char *line, char **ret_root, char **ret_mount_point)
{
	char *fields[6], *field, *type;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		fields[i] = next_field(&line);
		if (!fields[i])
			return false;
	}
	do
		field = next_field(&line);
	while (field && strcmp(field, "-") != 0);
	type = next_field(&line);
	if (!type || strcmp(type, "cgroup2") != 0)
		return false;
	unescape_octal(fields[3]);
	unescape_octal(fields[4]);
	*ret_root = fields[3];
	*ret_mount_point = fields[4];
	return true;
}

int cgroup_directory_from_text(struct arena *arena, const char **cursor, const char *own,
			       char **ret_directory)
{
	while (**cursor) {
		size_t length = strcspn(*cursor, "\n");
		char *line = arena_copy_n(arena, *cursor, length), *root, *mount_point;

		*cursor += length + ((*cursor)[length] == '\n');
		if (!line_is_cgroup2(line, &root, &mount_point))
			continue;
		/*
		 * A mount can begin below the root of the hierarchy: of our path only the rest
		 * counts then.
		 */
		if (!path_is_normalized(root) || !path_is_below(own, root))
			continue;
		*ret_directory =
			path_simplify(arena, arena_format(arena, "%s/%s", mount_point,
							  own + (root[1] ? strlen(root) : 0)));
		return 0;
	}
	return -ENOENT;
}

int cgroup_open(int dir_fd, const char *path)
{
	auto_close int fd = openat(dir_fd, path, CGROUP_OPEN_FLAGS);
	struct statfs status;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &status) < 0)
		return -errno;
	return status.f_type == CGROUP2_SUPER_MAGIC ? steal_fd(fd) : -ENOTTY;
}

/*
 * The directory alone is not enough: a process may only be moved, or born, into a group by someone
 * who may also write the cgroup.procs of the nearest common ancestor, which is our own group.
 */
static bool group_is_divisible(int fd)
{
	return faccessat(fd, ".", W_OK, AT_EACCESS) == 0 &&
	       faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

static int probe(struct arena *arena, const char *table, struct cgroup_place *ret_place)
{
	auto_free char *groups = NULL, *mounts = NULL;
	int result = CGROUP_NO_HIERARCHY;
	const char *cursor;
	char *own, *directory;

	TRY(file_read(AT_FDCWD, table, TABLE_MAX_BYTES, &groups,
		      /* ret_length= */ NULL));
	if (cgroup_own_from_text(arena, groups, &own) < 0)
		return CGROUP_NO_HIERARCHY;
	TRY(file_read(AT_FDCWD, "/proc/self/mountinfo", TABLE_MAX_BYTES, &mounts,
		      /* ret_length= */ NULL));
	cursor = mounts;
	while (cgroup_directory_from_text(arena, &cursor, own, &directory) == 0) {
		auto_close int fd = cgroup_open(AT_FDCWD, directory);

		if (fd < 0)
			continue;
		if (group_is_divisible(fd)) {
			ret_place->own_fd = steal_fd(fd);
			ret_place->directory = directory;
			return 0;
		}
		result = CGROUP_NOT_WRITABLE;
	}
	return result;
}

int cgroup_probe(struct arena *arena, struct cgroup_place *ret_place)
{
	return probe(arena, "/proc/self/cgroup", ret_place);
}

int cgroup_probe_process(struct arena *arena, pid_t pid, struct cgroup_place *ret_place)
{
	return probe(arena, arena_format(arena, "/proc/%d/cgroup", pid), ret_place);
}

void cgroup_place_done(struct cgroup_place *place)
{
	if (place->own_fd >= 0)
		(void)close(place->own_fd); /* a directory: nothing to lose */
	place->own_fd = -EBADF;
}
