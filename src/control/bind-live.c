/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries a mount from the host's namespaces into a machine's.
 * Zone: owing: what is attached and cannot be confirmed is taken off again.
 */
#include "control/bind-live.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/process.h"
#include "base/scope.h"
#include "mount/detached.h"
#include "mount/mount-plan.h"

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000u
#endif

/* The one name in the place where a mount waits for its machine. */
#define STAGED "staged"

uint64_t bind_live_number(int fd)
{
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE | STATX_MNT_ID, &status) < 0 ||
	    !(status.stx_mask & (STATX_MNT_ID_UNIQUE | STATX_MNT_ID)))
		return 0;
	return status.stx_mnt_id;
}

/* --- Namespaces --- */

static int enter_users(int users_fd)
{
	if (setns(users_fd, CLONE_NEWUSER) < 0)
		return -errno;
	(void)setgroups(0, NULL); /* refused where there is only one id */
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int open_users(const struct guest *guest)
{
	char path[48];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)guest->entry.leader);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Mounts in a namespace of our own, which shows the host nothing. */
static int enter_own_mounts(void)
{
	struct mount_attr attributes = {.propagation = MS_PRIVATE};

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof(attributes)) < 0)
		return -errno;
	return 0;
}

/* --- The way in --- */

static int open_source(const struct bind_live *live)
{
	int fd = open_tree(AT_FDCWD, live->source,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				   (live->recursive ? AT_RECURSIVE : 0u));

	return fd < 0 ? -errno : fd;
}

static int finish_source(struct bind_live *live)
{
	unsigned int flags = live->read_only ? MOUNT_FLAG_READ_ONLY : 0;

	if (live->mount_fd < 0)
		live->mount_fd = open_source(live);
	TRY(live->mount_fd);
	return detached_set_flags(live->mount_fd, flags, live->recursive);
}

/*
 * Attached in a namespace of ours, in a file system of its own, which is the current directory: it
 * goes along to the next namespace.
 */
static int stage(const struct bind_live *live)
{
	auto_close int stage_fd = detached_new("tmpfs", "mode=0711", 0, NULL, 0);
	auto_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), target_fd = -EBADF;
	struct stat status;

	TRY(stage_fd);
	if (root_fd < 0 || fstat(live->mount_fd, &status) < 0)
		return -errno;
	TRY(detached_attach(stage_fd, root_fd));
	target_fd =
		path_make(stage_fd, STAGED, S_ISDIR(status.st_mode) ? PATH_DIRECTORY : PATH_FILE,
			  0700, geteuid());
	TRY(target_fd);
	TRY(detached_attach(live->mount_fd, target_fd));
	return fchdir(stage_fd) < 0 ? -errno : 0;
}

/*
 * When a mount comes to a namespace of less right, the kernel locks its flags
 * (mount_namespaces(7)): root of the machine could make a read-only one writable otherwise.
 */
static int take_locked(struct bind_live *live, int users_fd)
{
	TRY(stage(live));
	scope_close(&live->mount_fd);
	live->mount_fd = -EBADF;
	TRY(enter_users(users_fd));
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	live->mount_fd =
		open_tree(AT_FDCWD, STAGED,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_RECURSIVE);
	return live->mount_fd < 0 ? -errno : 0;
}

/* The user namespace between ours and the machine's, where an ordinary user made one. */
static int open_between(int users_fd)
{
	auto_close int fd = ioctl(users_fd, NS_GET_PARENT);

	if (fd < 0)
		return -errno;
	return process_namespace_is_ours(fd, "user") ? -ENOENT : steal_fd(fd);
}

/* Where owners are the machine's own, the way leads through its user namespace. */
static int prepare(struct bind_live *live)
{
	auto_close int users_fd = open_users(live->guest), between_fd = -EBADF;

	TRY(users_fd);
	if (!live->guest->has_own_ids)
		return finish_source(live);
	if (!live->guest->is_joined) {
		TRY(finish_source(live));
		TRY(enter_own_mounts());
		return take_locked(live, users_fd);
	}
	between_fd = open_between(users_fd);
	TRY(enter_users(between_fd >= 0 ? between_fd : users_fd));
	TRY(enter_own_mounts());
	TRY(finish_source(live));
	return between_fd >= 0 ? take_locked(live, users_fd) : 0;
}

static int say(const struct bind_live *live, int r)
{
	(void)fail(r, "Cannot bring '%s' into machine '%s'", live->source,
		   live->guest->entry.machine);
	if (r == -EINVAL && !live->recursive && live->guest->is_joined)
		hint("Something is mounted in it, which only root can leave out");
	return r;
}

/* --- The target --- */

static int open_target(const struct bind_live *live)
{
	const char *machine = live->guest->entry.machine;
	struct stat source, target;
	auto_close int fd = -EBADF;

	if (fstat(live->mount_fd, &source) < 0)
		return say(live, -errno);
	fd = guest_resolve(live->guest, live->path, O_PATH);
	if (fd == -ENOENT && live->makes)
		fd = path_make(live->guest->root_fd, live->path,
			       S_ISDIR(source.st_mode) ? PATH_DIRECTORY : PATH_FILE,
			       S_ISDIR(source.st_mode) ? 0755 : 0644, 0);
	if (fd == -ENOENT) {
		(void)fail(fd, "Cannot open '%s' in machine '%s'", live->path, machine);
		if (!live->makes)
			hint("With '--mkdir' it is made");
		return fd;
	}
	if (fd < 0 || fstat(fd, &target) < 0)
		return fail(fd < 0 ? fd : -errno, "Cannot open '%s' in machine '%s'", live->path,
			    machine);
	if (S_ISDIR(source.st_mode) != S_ISDIR(target.st_mode))
		return refuse(ENOTDIR, "'%s' is %s directory, but '%s' in machine '%s' is %s",
			      live->source, S_ISDIR(source.st_mode) ? "a" : "no", live->path,
			      machine, S_ISDIR(target.st_mode) ? "one" : "none");
	return steal_fd(fd);
}

/* By the descriptor's name: no path of the machine is involved. */
static int unmount(const struct bind_live *live, int fd)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%d", fd);
	if (fchdir(live->proc_fd) < 0 || umount2(name, MNT_DETACH) < 0)
		return -errno;
	return 0;
}

static int enter_machine(const struct bind_live *live)
{
	return setns(live->guest->pidfd, CLONE_NEWNS) < 0 ? -errno : 0;
}

/* Who moves directories about in there may have moved this one. */
static bool is_there(const struct bind_live *live)
{
	auto_close int fd = path_open(live->guest->root_fd, live->path, O_PATH, 0);

	return fd >= 0 && bind_live_number(fd) == bind_live_number(live->mount_fd);
}

int bind_live_attach(struct bind_live *live)
{
	auto_close int target_fd = -EBADF;
	int r = prepare(live);

	if (r < 0)
		return say(live, r);
	target_fd = open_target(live);
	TRY(target_fd);
	r = enter_machine(live);
	if (r == 0)
		r = detached_attach(live->mount_fd, target_fd);
	if (r < 0)
		return fail(r, "Cannot mount '%s' at '%s' in machine '%s'", live->source,
			    live->path, live->guest->entry.machine);
	if (!is_there(live)) {
		(void)unmount(live, live->mount_fd);
		return refuse(ESTALE, "Machine '%s' moved '%s' meanwhile, nothing is mounted",
			      live->guest->entry.machine, live->path);
	}
	if (dprintf(live->record_fd, "%llu\n",
		    (unsigned long long)bind_live_number(live->mount_fd)) < 0)
		warn(-errno, "Cannot note the mount at '%s', so that 'unbind' will decline it",
		     live->path);
	return 0;
}

/* --- The way out --- */

static bool is_noted(const struct bind_live *live, uint64_t number)
{
	auto_free char *text = NULL;
	char line[32], *at;

	if (number == 0 || lseek(live->record_fd, 0, SEEK_SET) < 0 ||
	    fd_read_all(live->record_fd, 1 << 20, &text, NULL) < 0)
		return false;
	(void)snprintf(line, sizeof(line), "%llu\n", (unsigned long long)number);
	at = strstr(text, line);
	return at && (at == text || at[-1] == '\n');
}

/* Of a mount that is there. */
static int check_mount(const struct bind_live *live, int fd)
{
	const char *machine = live->guest->entry.machine;
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH, 0, &status) < 0)
		return fail(-errno, "Cannot open '%s' in machine '%s'", live->path, machine);
	if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return refuse(EINVAL, "Nothing is mounted at '%s' in machine '%s'", live->path,
			      machine);
	if (!is_noted(live, bind_live_number(fd)))
		return refuse(
			EPERM,
			"What is mounted at '%s' in machine '%s' was not brought there by 'bind'",
			live->path, machine);
	return 0;
}

int bind_live_detach(struct bind_live *live)
{
	auto_close int fd = guest_resolve(live->guest, live->path, O_PATH);
	auto_close int users_fd = open_users(live->guest);
	int r = users_fd;

	if (fd < 0)
		return fail(fd, "Cannot open '%s' in machine '%s'", live->path,
			    live->guest->entry.machine);
	TRY(check_mount(live, fd));
	if (r >= 0 && live->guest->has_own_ids)
		r = enter_users(users_fd);
	if (r >= 0)
		r = enter_machine(live);
	if (r >= 0)
		r = unmount(live, fd);
	return r < 0 ? fail(r, "Cannot unmount '%s' in machine '%s'", live->path,
			    live->guest->entry.machine)
		     : 0;
}
