/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes and removes the directories of struct exchange, on the host's side.
 * Zone: owing.
 */
#include "mount/exchange.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "host/places.h"
#include "mount/detached.h"
#include "mount/mount-plan.h"

/* The payload fills it: it must not be able to fill the host's memory. */
#define EXPORT_OPTIONS "mode=0755,size=4m,nr_inodes=64"
#define EXPORT_FLAGS \
	(MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC | \
	 MOUNT_FLAG_NOSYMFOLLOW)

/* A mount over a mount over a mount is no accident any more. */
#define STALE_MOUNTS_MAX 16

/* Deeper than what machinectl(1) makes for a bind. */
#define CONTENTS_DEPTH_MAX 8

bool exchange_name(struct arena *arena, const struct places *places, const char *machine,
		   struct exchange *ret)
{
	*ret = (struct exchange){NULL, NULL};
	if (!places->incoming)
		return false;
	ret->incoming = arena_format(arena, "%s/%s", places->incoming, machine);
	ret->export = arena_format(arena, "%s/%s", places->export, machine);
	return true;
}

static void unmount_all(const char *path)
{
	for (int i = 0; i < STALE_MOUNTS_MAX; i++)
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return;
}

/* The directory and its parents below /run, mode 0755 for those. */
static int make_directory(const char *path, mode_t mode)
{
	char parent[PATH_MAX];

	for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	/* Whatever umask and an earlier start made of it. */
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int empty_directory(int directory_fd, unsigned int depth);

/* An entry that is neither a mount point nor a link; what cannot be removed is left to rmdir(2). */
static void remove_entry(int directory_fd, const char *name, unsigned int depth)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	auto_close int fd = -EBADF;

	if (unlinkat(directory_fd, name, 0) == 0)
		return;
	fd = (int)syscall(SYS_openat2, directory_fd, name, &how, sizeof(how));
	if (fd >= 0 && depth > 0)
		(void)empty_directory(fd, depth - 1);
	(void)unlinkat(directory_fd, name, AT_REMOVEDIR);
}

/* Never through a mount: below it is something else than what was made here. */
static int empty_directory(int directory_fd, unsigned int depth)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *directory;

	if (fd < 0)
		return -errno;
	directory = fdopendir(fd);
	if (!directory) {
		(void)close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(directory))) {
		char path[sizeof("/proc/self/fd//") + 12 + NAME_MAX];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", fd, entry->d_name);
		unmount_all(path);
		remove_entry(fd, entry->d_name, depth);
	}
	(void)closedir(directory);
	return 0;
}

/* What the host's tools made in it on their way into the machine and did not come to remove. */
static void remove_contents(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		(void)empty_directory(fd, CONTENTS_DEPTH_MAX);
}

static void remove_directory(const char *path)
{
	char parent[PATH_MAX];

	if (rmdir(path) < 0 && errno == ENOTEMPTY) {
		remove_contents(path);
		(void)rmdir(path);
	}
	/* Ours as well, and empty unless another machine has something in it. */
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	(void)rmdir(parent);
}

static void remove_incoming(void *argument)
{
	struct exchange *exchange = argument;

	unmount_all(exchange->incoming);
	remove_directory(exchange->incoming);
}

static void remove_export(void *argument)
{
	struct exchange *exchange = argument;

	unmount_all(exchange->export);
	remove_directory(exchange->export);
}

/*
 * Read-only for the host: nobody there puts anything in by mistake, and nobody follows a link that
 * the guest made.
 */
static int mount_export(const char *path, uint32_t owner)
{
	auto_close int mount_fd = -EBADF;
	char options[128];

	(void)snprintf(options, sizeof(options), EXPORT_OPTIONS ",uid=%u,gid=%u", owner, owner);
	mount_fd = detached_new("tmpfs", options, EXPORT_FLAGS, NULL, 0);
	if (mount_fd < 0)
		return mount_fd;
	return move_mount(mount_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int exchange_make(struct exchange *exchange, uint32_t owner, struct undo *undo)
{
	int r;

	unmount_all(exchange->incoming);
	r = make_directory(exchange->incoming, 0600);
	if (r < 0) {
		warn(r,
		     "Cannot make the directory '%s', the host cannot mount into the running machine",
		     exchange->incoming);
		return r;
	}
	undo_push(undo, remove_incoming, exchange, "directory for mounts into the machine");

	unmount_all(exchange->export);
	r = make_directory(exchange->export, 0755);
	if (r >= 0) {
		undo_push(undo, remove_export, exchange, "directory for sockets of the machine");
		r = mount_export(exchange->export, owner);
	}
	if (r < 0)
		warn(r,
		     "Cannot mount '%s', the machine has no place for sockets that the host can reach",
		     exchange->export);
	return r;
}

static int clean(const char *path)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : fail(-errno, "Cannot look at the directory '%s'", path);
	unmount_all(path);
	remove_directory(path);
	if (lstat(path, &status) == 0)
		return fail(-ENOTEMPTY, "Cannot remove the directory '%s'", path);
	note("Removed the directory '%s'", path);
	return 1;
}

int exchange_clean(const struct exchange *exchange)
{
	int incoming, export;

	if (!exchange->incoming)
		return 0;
	incoming = clean(exchange->incoming);
	export = clean(exchange->export);

	return incoming < 0 ? incoming : export < 0 ? export : incoming + export;
}
