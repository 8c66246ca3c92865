/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens running machines, and paths in them.
 * Zone: free, but for a moment in which a machine may be frozen; a process of its own thaws it.
 */
#include "control/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/process.h"
#include "base/scope.h"
#include "host/places.h"

/* How long a machine may take to stand still. Who waits for a disk does so longer. */
#define FREEZE_MSEC 500

static int open_of_leader(const struct guest *guest, const char *what, int flags)
{
	struct pollfd end = {.fd = guest->pidfd, .events = POLLIN};
	auto_close int fd = -EBADF;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)guest->entry.leader, what);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* While it is there the number is its own. */
	return poll(&end, 1, 0) != 0 ? -ESRCH : steal_fd(fd);
}

static int open_root(struct arena *arena, struct guest *guest)
{
	auto_close int users_fd = open_of_leader(guest, "ns/user", O_RDONLY);

	TRY(users_fd);
	guest->has_own_ids = !process_namespace_is_ours(users_fd, "user");
	guest->root_fd = open_of_leader(guest, "root", O_PATH | O_DIRECTORY);
	TRY(guest->root_fd);
	return guest->is_joined ? 0 : id_maps_read(arena, guest->entry.leader, &guest->maps);
}

int guest_open(struct arena *arena, const struct places *places, const char *machine,
	       struct guest *ret)
{
	struct guest guest = GUEST_NONE;
	int r;

	TRY(registry_find(arena, places, machine, &guest.entry));
	guest.is_joined = places->is_user;
	r = registry_leader(&guest.entry, &guest.pidfd);
	if (r == 0)
		r = open_root(arena, &guest);
	if (r < 0) {
		guest_close(&guest);
		return r == -ESRCH || r == -ENOENT
			       ? refuse(ESRCH, "No machine named '%s' is running", machine)
			       : fail(r, "Cannot open the root of machine '%s'", machine);
	}
	*ret = guest;
	return 0;
}

void guest_close(struct guest *guest)
{
	scope_close(&guest->pidfd);
	scope_close(&guest->root_fd);
	guest->pidfd = guest->root_fd = -EBADF;
}

/* --- Frozen --- */

static bool has_line(const struct guest *guest, const char *file, const char *line)
{
	auto_free char *path = NULL, *text = NULL;

	return asprintf(&path, "%s/%s", guest->entry.cgroup, file) > 0 &&
	       file_read(AT_FDCWD, path, 4096, &text, NULL) == 0 && strstr(text, line);
}

static void set_frozen(const struct guest *guest, const char *value)
{
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/cgroup.freeze", guest->entry.cgroup) > 0)
		(void)file_write(AT_FDCWD, path, value); /* without it there is another try */
}

/* Who thaws it is nobody that a user ends: it waits until we say so, or are gone. */
static pid_t start_thawing(const struct guest *guest, int ends[2])
{
	sigset_t all;
	pid_t pid;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, NULL);
		(void)close(ends[0]);
		(void)!read(ends[1], &byte, 1);
		set_frozen(guest, "0");
		_exit(EXIT_SUCCESS);
	}
	(void)close(ends[1]);
	if (pid > 0)
		return pid;
	(void)close(ends[0]);
	return -errno;
}

static int resolve_frozen(const struct guest *guest, const char *path, int flags)
{
	int ends[2], r;
	pid_t pid;

	/* One that is paused cannot move anything, and must stay so. */
	if (!guest->entry.cgroup || has_line(guest, "cgroup.freeze", "1"))
		return path_open(guest->root_fd, path, flags, 0);
	pid = start_thawing(guest, ends);
	if (pid < 0)
		return pid;
	set_frozen(guest, "1");
	for (int waited = 0; waited < FREEZE_MSEC && !has_line(guest, "cgroup.events", "frozen 1");
	     waited++)
		(void)usleep(1000);
	r = path_open(guest->root_fd, path, flags, 0);
	(void)close(ends[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int guest_resolve(const struct guest *guest, const char *path, int flags)
{
	int fd = path_open(guest->root_fd, path, flags, 0);

	return fd == -EAGAIN ? resolve_frozen(guest, path, flags) : fd;
}

int guest_resolve_parent(const struct guest *guest, const char *path, char *ret_name)
{
	int fd = path_open_parent(guest->root_fd, path, ret_name);
	auto_free char *parent = NULL;

	if (fd != -EAGAIN)
		return fd;
	/* The name is known; what was declined is the way to it. */
	parent = strndup(path, (size_t)(path_last(path) - path));
	if (!parent)
		return -ENOMEM;
	return resolve_frozen(guest, parent, O_PATH | O_DIRECTORY);
}
