/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a user namespace for one function, and the two functions that are wanted most.
 * Zone: owing.
 */
#include "ids/ids-inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/tree-remove.h"
#include "config/config.h"
#include "ids/ids.h"

/* What a function of ours exits with for a negative errno, which is less than 200. */
#define STATUS_OTHER 255

static int status_of(int r)
{
	return r >= 0 ? 0 : -r < STATUS_OTHER ? -r : STATUS_OTHER;
}

/* Root only once there is a map; until then nobody. */
__attribute__((noreturn)) static void live_inside(int mapped_fd, ids_inside_function function,
						  void *argument)
{
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || read(mapped_fd, &byte, 1) != 1 ||
	    setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(EPERM);
	(void)close(mapped_fd);
	_exit(function(argument));
}

int ids_inside(const struct id_maps *maps, unsigned long clone_flags, ids_inside_function function,
	       void *argument)
{
	auto_arena struct arena arena = {0};
	const char *programs[_NEWIDMAP_COUNT];
	struct clone_args arguments = {.flags = CLONE_NEWUSER | clone_flags,
				       .exit_signal = SIGCHLD};
	auto_close int mapped_fd = -EBADF, child_fd = -EBADF;
	int ends[2], status = 0, r;
	long pid;

	for (int i = 0; i < _NEWIDMAP_COUNT; i++) {
		programs[i] = newidmap_find(&arena, (enum newidmap_program)i, NULL);
		if (!programs[i])
			return -EPERM;
	}
	/* A socket and not a pipe: writing to one that has died raises no signal. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	mapped_fd = ends[0];
	child_fd = ends[1];
	(void)fflush(NULL);
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)close(mapped_fd);
		live_inside(child_fd, function, argument);
	}
	r = newidmap_write(programs, (pid_t)pid, maps);
	if (r == 0 && send(mapped_fd, "", 1, MSG_NOSIGNAL) != 1)
		r = -EPERM;
	scope_close(&mapped_fd);
	mapped_fd = -EBADF;
	scope_close(&child_fd);
	child_fd = -EBADF;
	while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* --- Maps --- */

static int read_map(struct arena *arena, pid_t pid, const char *file, struct id_map *ret)
{
	struct id_extent *items = NULL;
	size_t count = 0, room = 0;
	auto_free char *text = NULL;
	char path[48], *rest = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	TRY(file_read(AT_FDCWD, path, (size_t)64 * 1024, &text, NULL));
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct id_extent extent;

		if (sscanf(line, "%u %u %u", &extent.inside, &extent.outside, &extent.count) == 3)
			*(struct id_extent *)array_grow(arena, &items, &count, &room,
							sizeof(*items)) = extent;
	}
	*ret = (struct id_map){items, count};
	return count > 0 ? 0 : -ENODATA;
}

int ids_inside_maps_of(struct arena *arena, pid_t pid, struct id_maps *ret)
{
	TRY(read_map(arena, pid, "uid_map", &ret->users));
	return read_map(arena, pid, "gid_map", &ret->groups);
}

/* All ids that are ours, with ourselves as root. */
static int find_own_maps(struct arena *arena, struct id_maps *ret)
{
	const struct config config = {0};
	struct ids_facts facts;
	struct subid_request users, groups;

	TRY(ids_facts_gather(arena, &config, -EBADF, &facts));
	if (facts.may_map || facts.programs_obstacle || facts.subuids.count == 0 ||
	    facts.subgids.count == 0)
		return -EPERM;
	users = (struct subid_request){.own_id = facts.uid, .ranges = &facts.subuids};
	groups = (struct subid_request){.own_id = facts.gid, .ranges = &facts.subgids};
	subid_map(arena, &users, SUBID_OWN, &ret->users);
	subid_map(arena, &groups, SUBID_OWN, &ret->groups);
	return 0;
}

static int run_with_own_maps(ids_inside_function function, void *argument)
{
	auto_arena struct arena arena = {0};
	struct id_maps maps;
	int r;

	TRY(find_own_maps(&arena, &maps));
	r = ids_inside(&maps, 0, function, argument);
	return r > 0 ? -r : r;
}

/* --- What is done there --- */

struct entry {
	int parent_fd;
	const char *name;
};

static int remove_entry(void *argument)
{
	const struct entry *entry = argument;

	return status_of(tree_remove(entry->parent_fd, entry->name));
}

/* What belongs to the user alone goes without a namespace, which costs three processes. */
int ids_inside_remove(int parent_fd, const char *name)
{
	struct entry entry = {parent_fd, name};
	int r = tree_remove(parent_fd, name), again;

	if ((r != -EPERM && r != -EACCES) || geteuid() == 0)
		return r;
	again = run_with_own_maps(remove_entry, &entry);
	return again == 0 ? 0 : r;
}

struct pair {
	int from_fd, fd;
};

static int copy_owners(void *argument)
{
	const struct pair *pair = argument;
	struct stat status;

	if (fstat(pair->from_fd, &status) < 0 ||
	    fchown(pair->fd, status.st_uid, status.st_gid) < 0 ||
	    fchmod(pair->fd, status.st_mode & 07777) < 0)
		return status_of(-errno);
	return 0;
}

/* Nobody is who has no id inside; it must not become the owner. */
static bool are_ours(const struct id_maps *maps, const struct stat *status)
{
	return id_map_to_inside(&maps->users, status->st_uid) != UINT32_MAX &&
	       id_map_to_inside(&maps->groups, status->st_gid) != UINT32_MAX;
}

int ids_inside_copy_owners(int from_fd, int fd)
{
	auto_arena struct arena arena = {0};
	struct pair pair = {from_fd, fd};
	struct id_maps maps;
	struct stat status;
	int r = -copy_owners(&pair);

	if (r != -EPERM || geteuid() == 0)
		return r;
	if (fstat(from_fd, &status) < 0)
		return -errno;
	if (find_own_maps(&arena, &maps) == 0 && are_ours(&maps, &status))
		return -ids_inside(&maps, 0, copy_owners, &pair);
	return fchmod(fd, status.st_mode & 07777) < 0 ? -errno : 0;
}
