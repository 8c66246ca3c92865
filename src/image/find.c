/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks for images by name.
 * Zone: free.
 */
#include "image/find.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "host/places.h"

/* What may stand for an image called NAME, in order of precedence. */
static const struct {
	const char *suffix;
	const char *what; /* what we cannot use yet, NULL for a plain tree */
} forms[] = {
	{"", NULL},
	{".raw", "disk image"},
	{".v", "versioned directory"},
	{".raw.v", "versioned disk image"},
	{".mstack", "mount stack"},
};

#define BTRFS_SUBVOLUME_INODE 256 /* of the root of every subvolume */

static bool is_read_only_subvolume(int fd, const struct stat *status)
{
	struct statfs file_system;
	uint64_t flags = 0;

	if (status->st_ino != BTRFS_SUBVOLUME_INODE || fstatfs(fd, &file_system) < 0 ||
	    file_system.f_type != BTRFS_SUPER_MAGIC)
		return false;
	return ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) == 0 && (flags & BTRFS_SUBVOL_RDONLY);
}

static bool is_read_only(int fd, const char *path, const struct stat *status)
{
	struct statvfs file_system;
	unsigned int flags = 0;

	if (path_is_below(path, "/usr"))
		return true;
	if (fstatvfs(fd, &file_system) == 0 && (file_system.f_flag & ST_RDONLY))
		return true;
	/* Not every file system has attributes: failing means there are none. */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL))
		return true;
	return is_read_only_subvolume(fd, status);
}

static bool is_absence(int error)
{
	return error == ENOENT || error == ENOTDIR;
}

/* 0 if 'path' is a tree, 1 if nothing is there, negative after a complaint. */
static int open_candidate(struct arena *arena, const char *path, const char *what,
			  struct found_image *ret)
{
	auto_free char *resolved = NULL;
	auto_close int fd = -EBADF;
	struct stat status;

	if (stat(path, &status) < 0)
		return is_absence(errno) ? 1 : fail(-errno, "Cannot look at image '%s'", path);
	if (!what && !S_ISDIR(status.st_mode))
		what = S_ISBLK(status.st_mode) ? "block device" : "file";
	if (what)
		return refuse(EOPNOTSUPP,
			      "Image '%s' is a %s; only directory trees are available yet", path,
			      what);
	resolved = realpath(path, NULL);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!resolved || fd < 0)
		return fail(-errno, "Cannot open image '%s'", path);
	*ret = (struct found_image){
		.path = arena_copy(arena, path),
		.is_read_only = is_read_only(fd, resolved, &status),
	};
	return 0;
}

static int refuse_not_found(struct arena *arena, const char *name, const struct places *places)
{
	const char *searched = "";

	for (size_t i = 0; places->images[i]; i++)
		searched = arena_format(arena, "%s%s%s", searched, i == 0 ? "" : " ",
					places->images[i]);
	return refuse(ENOENT, "No image for machine '%s' found in: %s", name, searched);
}

int image_find(struct arena *arena, const char *name, const struct places *places,
	       struct found_image *ret)
{
	/*
	 * Machine names are host names and hold none of this; checked again because a path is made
	 * of it.
	 */
	if (*name == '\0' || *name == '.' || strchr(name, '/')) {
		(void)refuse(EINVAL, "'%s' is not a valid machine name", name);
		hint("A tree at a path is named with --directory=");
		return -EINVAL;
	}
	for (size_t i = 0; places->images[i]; i++) {
		for (size_t j = 0; j < ARRAY_LEN(forms); j++) {
			const char *path = arena_format(arena, "%s/%s%s", places->images[i], name,
							forms[j].suffix);
			int r = open_candidate(arena, path, forms[j].what, ret);

			if (r <= 0)
				return r;
		}
	}
	return refuse_not_found(arena, name, places);
}
