/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Divides our own group for one machine, and takes everything back.
 * Zone: owing.
 *
 * Only the payload group is ever the guest's. Limits belong on the group above it, which its cgroup
 * namespace hides.
 */
#include "manager/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/undo.h"
#include "manager/cgroup-tree.h"

/*
 * What the container's root must own to manage its groups, and nothing that limits it
 * (cgroup-v2.rst, Delegation).
 */
/* clang-format off */
static const char *const delegated_files[] = {
	"cgroup.controllers",
	"cgroup.events",
	"cgroup.procs",
	"cgroup.stat",
	"cgroup.subtree_control",
	"cgroup.threads",
	"memory.oom.group",
	"memory.reclaim",
};
/* clang-format on */

/*
 * CONTROLLERS
 * ---------------------------------------------------------------------------------------------------
 */

static int read_line(int group_fd, const char *file, char *buffer, size_t bytes)
{
	auto_close int fd = openat(group_fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, buffer, bytes - 1);
	if (length < 0)
		return -errno;
	buffer[length] = '\0';
	buffer[strcspn(buffer, "\n")] = '\0';
	return 0;
}

static bool has_word(const char *line, const char *word)
{
	size_t length = strlen(word);

	for (; *line; line += strcspn(line, " "), line += strspn(line, " "))
		if (strcspn(line, " ") == length && strncmp(line, word, length) == 0)
			return true;
	return false;
}

/*
 * Switches controllers on for the groups below, one write each: a kernel may decline one of them
 * (cpu with real-time processes about) and the others are still wanted. None is essential, so
 * nothing is said. 'wanted' is NULL for all; what was switched on goes to 'ret_enabled', unless
 * that is NULL.
 */
static void enable_controllers(int group_fd, const char *wanted, char *ret_enabled)
{
	char available[CGROUP_CONTROLLERS_MAX], active[CGROUP_CONTROLLERS_MAX], *rest = available,
										*name;

	if (read_line(group_fd, "cgroup.controllers", available, sizeof(available)) < 0 ||
	    read_line(group_fd, "cgroup.subtree_control", active, sizeof(active)) < 0)
		return;
	while ((name = strsep(&rest, " "))) {
		char change[CGROUP_CONTROLLERS_MAX + 1];
		size_t used;

		if (!*name || has_word(active, name) || (wanted && !has_word(wanted, name)))
			continue;
		(void)snprintf(change, sizeof(change), "+%s", name);
		if (file_write(group_fd, "cgroup.subtree_control", change) < 0 || !ret_enabled)
			continue;
		used = strlen(ret_enabled);
		(void)snprintf(ret_enabled + used, CGROUP_CONTROLLERS_MAX - used, "%s%s",
			       used ? " " : "", name);
	}
}

/* The kernel lets a group with processes, like our own, do that only at the hierarchy's root. */
static void ask_above(const struct cgroup *cgroup, const struct cgroup_request *request)
{
	if (!request->keep_unit && (request->all_controllers || request->controllers))
		enable_controllers(cgroup->place->own_fd,
				   request->all_controllers ? NULL : request->controllers,
				   /* ret_enabled= */ NULL);
}

static void disable_controllers(struct cgroup *cgroup)
{
	char *rest = cgroup->enabled, *name;

	while ((name = strsep(&rest, " "))) {
		char change[CGROUP_CONTROLLERS_MAX + 1];

		if (!*name)
			continue;
		(void)snprintf(change, sizeof(change), "-%s", name);
		(void)file_write(cgroup->base_fd, "cgroup.subtree_control",
				 change); /* the move back will tell */
	}
	cgroup->enabled[0] = '\0';
}

/*
 * MAKING
 * --------------------------------------------------------------------------------------------------------
 */

static void close_group(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* a directory: nothing to lose */
	*fd = -EBADF;
}

static void undo_payload(void *argument)
{
	struct cgroup *cgroup = argument;
	int r;

	(void)cgroup_kill(cgroup); /* usually nothing is left to kill */
	close_group(&cgroup->payload_fd);
	r = cgroup_remove_tree(cgroup->base_fd, "payload");
	if (r < 0)
		warn(r, "Cannot remove the cgroup '%s/payload', leaving it behind",
		     cgroup->directory);
}

/* 'mover' into a group. */
static int move_into(const struct cgroup *cgroup, int group_fd)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", cgroup->mover);
	return file_write(group_fd, "cgroup.procs", text);
}

static void undo_supervisor(void *argument)
{
	struct cgroup *cgroup = argument;
	int r = 0;

	if (cgroup->supervisor_is_moved) {
		/* A group cannot both hand controllers down and have processes of its own. */
		if (cgroup->keep_unit)
			disable_controllers(cgroup);
		r = move_into(cgroup, cgroup->place->own_fd);
		cgroup->supervisor_is_moved = r < 0;
	}
	if (r == 0)
		r = cgroup_remove_tree(cgroup->base_fd, "supervisor");
	if (r < 0)
		warn(r, "Cannot remove the cgroup '%s/supervisor', leaving it behind",
		     cgroup->directory);
}

static void undo_base(void *argument)
{
	struct cgroup *cgroup = argument;
	int r = 0;

	close_group(&cgroup->base_fd);
	if (!cgroup->keep_unit)
		r = cgroup_remove_tree(cgroup->place->own_fd, cgroup->name);
	if (r < 0)
		warn(r, "Cannot remove the cgroup '%s', leaving it behind", cgroup->directory);
}

/*
 * A group of our name from an earlier run. Its processes may only be killed if nobody can be
 * supervising them.
 */
static int remove_stale(int parent_fd, const char *name, bool may_kill)
{
	if (may_kill) {
		auto_close int fd = cgroup_open(parent_fd, name);

		if (fd < 0)
			return fd == -ENOENT ? 0 : fd;
		TRY(file_write(fd, "cgroup.kill", "1"));
	}
	return cgroup_remove_tree(parent_fd, name);
}

/*
 * Makes 'name' below 'parent_fd' and opens it, after what may be there from an earlier run is gone.
 */
static int make_group(int parent_fd, const char *name, bool may_kill)
{
	int r;

	if (mkdirat(parent_fd, name, 0755) < 0) {
		if (errno != EEXIST)
			return -errno;
		r = remove_stale(parent_fd, name, may_kill);
		if (r < 0)
			return r;
		if (mkdirat(parent_fd, name, 0755) < 0)
			return -errno;
	}
	r = cgroup_open(parent_fd, name);
	if (r < 0)
		(void)unlinkat(parent_fd, name,
			       AT_REMOVEDIR); /* the first failure is the one to tell */
	return r;
}

static int tell_make_failure(int r, const char *directory, const char *name)
{
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return CGROUP_NOT_WRITABLE;
	(void)fail(r, "Cannot make the cgroup '%s/%s'", directory, name);
	if (r == -EBUSY)
		hint("Another machine lives in it, or what an earlier run left: that can be ended through its cgroup.kill");
	if (r == -EAGAIN)
		hint("A cgroup.max.descendants or cgroup.max.depth above it is reached");
	return r;
}

/* False where '..' left the mount of the hierarchy, or had nowhere to go. */
static bool is_parent_group(int parent_fd, int fd)
{
	struct stat parent, child;

	return fstat(parent_fd, &parent) == 0 && fstat(fd, &child) == 0 &&
	       parent.st_dev == child.st_dev && parent.st_ino != child.st_ino;
}

/*
 * With keep_unit a supervisor that was started again finds itself where its predecessor had moved
 * to.
 */
static int open_unit_base(struct arena *arena, struct cgroup *cgroup)
{
	const struct cgroup_place *place = cgroup->place;
	size_t length = strlen(place->directory) - strlen(path_last(place->directory));

	if (strcmp(path_last(place->directory), "supervisor") == 0) {
		auto_close int above_fd = cgroup_open(place->own_fd, "..");

		if (above_fd >= 0 && is_parent_group(above_fd, place->own_fd)) {
			cgroup->directory = arena_copy_n(arena, place->directory,
							 length > 1 ? length - 1 : length);
			return steal_fd(above_fd);
		}
	}
	cgroup->directory = place->directory;
	return cgroup_open(place->own_fd, ".");
}

static void name_base(const char *machine, char ret[NAME_MAX + 1])
{
	(void)snprintf(ret, NAME_MAX + 1, "nspawn-%s", machine);
}

static int make_base(struct arena *arena, const struct cgroup_request *request,
		     struct cgroup *cgroup)
{
	const struct cgroup_place *place = cgroup->place;
	int fd;

	if (request->keep_unit) {
		fd = open_unit_base(arena, cgroup);
		if (fd < 0)
			return fail(fd, "Cannot open the cgroup '%s'", place->directory);
	} else {
		name_base(request->machine, cgroup->name);
		cgroup->directory = arena_format(arena, "%s/%s", place->directory, cgroup->name);
		fd = make_group(place->own_fd, cgroup->name, request->name_is_locked);
		if (fd < 0)
			return tell_make_failure(fd, place->directory, cgroup->name);
	}
	cgroup->base_fd = fd;
	return 0;
}

static int make_payload(const struct cgroup_request *request, struct undo *undo,
			struct cgroup *cgroup)
{
	/*
	 * Without a group of the machine's own the lock on its name says nothing about whose
	 * payload that is.
	 */
	bool may_kill = request->name_is_locked && !request->keep_unit;
	int fd = make_group(cgroup->base_fd, "payload", may_kill);

	if (fd < 0)
		return tell_make_failure(fd, cgroup->directory, "payload");
	cgroup->payload_fd = fd;
	undo_push(undo, undo_payload, cgroup, "the payload's cgroup");
	return 0;
}

static int move_supervisor(struct undo *undo, struct cgroup *cgroup)
{
	auto_close int fd = -EBADF;
	int r;

	if (cgroup->keep_unit && cgroup->directory != cgroup->place->directory)
		return 0; /* we were started in it: nothing to do, and not ours to remove */
	fd = make_group(cgroup->base_fd, "supervisor", /* may_kill= */ false);
	if (fd < 0)
		return tell_make_failure(fd, cgroup->directory, "supervisor");
	undo_push(undo, undo_supervisor, cgroup, "the supervisor's cgroup");
	r = move_into(cgroup, fd);
	if (r < 0)
		return fail(r, "Cannot move into the cgroup '%s/supervisor'", cgroup->directory);
	cgroup->supervisor_is_moved = true;
	return 0;
}

/* Everything that we make belongs to our own user already. */
static int delegate(const struct cgroup *cgroup, uid_t owner)
{
	if (owner == geteuid())
		return 0;
	if (fchown(cgroup->payload_fd, owner, owner) < 0)
		return fail(-errno, "Cannot give the cgroup '%s/payload' to user %u",
			    cgroup->directory, owner);
	for (size_t i = 0; i < ARRAY_LEN(delegated_files); i++)
		if (fchownat(cgroup->payload_fd, delegated_files[i], owner, owner,
			     AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return fail(-errno, "Cannot give '%s/payload/%s' to user %u",
				    cgroup->directory, delegated_files[i], owner);
	return 0;
}

int cgroup_create(struct arena *arena, const struct cgroup_place *place,
		  const struct cgroup_request *request, struct undo *undo,
		  struct cgroup *ret_cgroup)
{
	struct cgroup *cgroup = ret_cgroup;
	int r;

	*cgroup = CGROUP_NONE;
	cgroup->place = place;
	cgroup->keep_unit = request->keep_unit;
	cgroup->mover = request->mover;
	r = make_base(arena, request, cgroup);
	if (r != 0)
		return r;
	undo_push(undo, undo_base, cgroup, "the machine's cgroup");
	/*
	 * First out of the base, then controllers on, then the leaf: only then are its files
	 * complete to be given away. With a process left in the base some controllers (cpu, pids)
	 * could still be switched on, but then no group below it would take a process.
	 */
	if (request->move_supervisor || (request->keep_unit && request->mover == 0)) {
		r = move_supervisor(undo, cgroup);
		if (r != 0)
			return r;
	}
	ask_above(cgroup, request);
	if (request->mover == 0 || cgroup->supervisor_is_moved)
		enable_controllers(cgroup->base_fd, /* wanted= */ NULL, cgroup->enabled);
	r = make_payload(request, undo, cgroup);
	if (r != 0)
		return r;
	return delegate(cgroup, request->owner);
}

int cgroup_clean(const struct cgroup_place *place, const char *machine)
{
	char name[NAME_MAX + 1];

	name_base(machine, name);
	if (faccessat(place->own_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	TRY(remove_stale(place->own_fd, name, /* may_kill= */ true));
	return 1;
}

int cgroup_move(const struct cgroup *cgroup, pid_t pid)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d", pid);
	return file_write(cgroup->payload_fd, "cgroup.procs", text);
}

unsigned long long cgroup_memory_kills(const struct cgroup *cgroup)
{
	static const char key[] = "\noom_kill ";
	auto_free char *text = NULL;
	const char *at;

	/* The payload's own group has no numbers where nothing is handed down to it. */
	if (file_read(cgroup->payload_fd, "memory.events", 4096, &text, /* ret_length= */ NULL) <
		    0 &&
	    file_read(cgroup->base_fd, "memory.events", 4096, &text, /* ret_length= */ NULL) < 0)
		return 0;
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

int cgroup_kill(const struct cgroup *cgroup)
{
	return cgroup->payload_fd < 0 ? 0 : file_write(cgroup->payload_fd, "cgroup.kill", "1");
}
