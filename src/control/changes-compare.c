/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares two objects of one name: a machine's and its tree's.
 * Zone: free.
 */
#include "control/changes-compare.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/scope.h"
#include "image/copy.h"

#define CHUNK_BYTES 65536

static ssize_t read_attribute(int fd, const char *name, const char *attribute, char *ret,
			      size_t size)
{
	char path[NAME_MAX + 40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", fd, name);
	return attribute ? lgetxattr(path, attribute, ret, size) : llistxattr(path, ret, size);
}

/* Every attribute of the one is the other's, except what an overlay needs for itself. */
static bool has_attributes_of(int fd, int other_fd, const char *name)
{
	auto_free char *list = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX),
		       *other = malloc(XATTR_SIZE_MAX);
	ssize_t length;

	if (!list || !value || !other)
		return false;
	length = read_attribute(fd, name, NULL, list, XATTR_LIST_MAX);
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(list + i) + 1) {
		ssize_t size, other_size;

		if (copy_is_internal(list + i))
			continue;
		size = read_attribute(fd, name, list + i, value, XATTR_SIZE_MAX);
		other_size = read_attribute(other_fd, name, list + i, other, XATTR_SIZE_MAX);
		if (size >= 0 && (size != other_size || memcmp(value, other, (size_t)size) != 0))
			return false;
	}
	return true;
}

static bool is_metadata_same(const struct change *change)
{
	const struct stat *now = &change->now, *before = &change->before;

	/* A directory's time changes with what is in it, which is told by itself. */
	return now->st_mode == before->st_mode && now->st_uid == before->st_uid &&
	       now->st_gid == before->st_gid &&
	       (S_ISDIR(now->st_mode) || (now->st_mtim.tv_sec == before->st_mtim.tv_sec &&
					  now->st_mtim.tv_nsec == before->st_mtim.tv_nsec)) &&
	       has_attributes_of(change->changes_fd, change->tree_fd, change->name) &&
	       has_attributes_of(change->tree_fd, change->changes_fd, change->name);
}

/* What cannot be read counts as changed. */
static bool is_text_same(const struct change *change)
{
	auto_close int fd = changes_open_at(change->changes_fd, change->name, 0);
	auto_close int other_fd = changes_open_at(change->tree_fd, change->name, 0);
	auto_free char *text = malloc(2 * CHUNK_BYTES);
	ssize_t length, other;

	if (fd < 0 || other_fd < 0 || !text)
		return false;
	do {
		length = read(fd, text, CHUNK_BYTES);
		other = read(other_fd, text + CHUNK_BYTES, CHUNK_BYTES);
		if (length < 0 || length != other ||
		    memcmp(text, text + CHUNK_BYTES, (size_t)length) != 0)
			return false;
	} while (length > 0);
	return true;
}

static bool is_link_same(const struct change *change)
{
	char text[PATH_MAX], other[PATH_MAX];
	ssize_t length = readlinkat(change->changes_fd, change->name, text, sizeof(text));

	return length >= 0 &&
	       length == readlinkat(change->tree_fd, change->name, other, sizeof(other)) &&
	       memcmp(text, other, (size_t)length) == 0;
}

static bool is_content_same(const struct change *change)
{
	const struct stat *now = &change->now, *before = &change->before;

	if (S_ISREG(now->st_mode))
		return now->st_size == before->st_size && is_text_same(change);
	if (S_ISLNK(now->st_mode))
		return is_link_same(change);
	return !(S_ISCHR(now->st_mode) || S_ISBLK(now->st_mode)) || now->st_rdev == before->st_rdev;
}

/* A snapshot gives everything the tree's own inode numbers and times. */
static bool is_untouched(const struct changes_walk *walk, const struct change *change)
{
	const struct stat *now = &change->now, *before = &change->before;

	return !walk->is_overlay && now->st_ino == before->st_ino &&
	       now->st_ctim.tv_sec == before->st_ctim.tv_sec &&
	       now->st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

void change_compare(const struct changes_walk *walk, struct change *change)
{
	if ((change->now.st_mode ^ change->before.st_mode) & S_IFMT)
		change->aspects = CHANGE_OF_TYPE;
	else if (!walk->wants_all && (S_ISDIR(change->now.st_mode) || !is_untouched(walk, change)))
		change->aspects = (is_content_same(change) ? 0 : CHANGE_OF_CONTENT) |
				  (is_metadata_same(change) ? 0 : CHANGE_OF_METADATA);
	if (change->aspects == 0)
		change->kind = CHANGE_SAME;
}
