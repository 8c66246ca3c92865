/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding our own group in texts of the kernel; and, where we may divide it, a machine's groups for
 * real.
 */
#include "manager/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"
#include "base/undo.h"
#include "manager/cgroup-tree.h"
#include "captured.h"
#include "check.h"

#define SKIPPED 77
#define DEPTH 300

static void test_own(struct arena *arena)
{
	char *own = NULL;

	CHECK(cgroup_own_from_text(arena, "0::/\n", &own) == 0);
	CHECK_TEXT(own, "/");
	CHECK(cgroup_own_from_text(arena, "9:name=systemd:/x\n4:memory:/0::/y\n0::/a b/c.scope\n",
				   &own) == 0);
	CHECK_TEXT(own, "/a b/c.scope");
	CHECK(cgroup_own_from_text(arena, "0::/no-newline", &own) == 0);
	CHECK_TEXT(own, "/no-newline");
	CHECK(cgroup_own_from_text(arena, "", &own) == -ENOENT);
	CHECK(cgroup_own_from_text(arena, "4:memory:/x\n", &own) == -ENOENT);
	CHECK(cgroup_own_from_text(arena, "0::/../../other\n", &own) == -ENOENT);
	CHECK(cgroup_own_from_text(arena, "0::\n", &own) == -ENOENT);
	CHECK_TEXT(own, "/no-newline");
}

/* The directory on the first mount of 'text' that shows 'own', or "none". */
static const char *directory_in(struct arena *arena, const char *text, const char *own)
{
	char *directory;

	return cgroup_directory_from_text(arena, &text, own, &directory) == 0 ? directory : "none";
}

static void test_directory(struct arena *arena)
{
	static const char unified[] =
		"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw\n";
	static const char hybrid[] =
		"31 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		"40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
	const char *cursor = unified;
	char *directory;

	CHECK_TEXT(directory_in(arena, unified, "/a/b"), "/sys/fs/cgroup/a/b");
	CHECK_TEXT(directory_in(arena, unified, "/"), "/sys/fs/cgroup");
	CHECK_TEXT(directory_in(arena, hybrid, "/x"), "/sys/fs/cgroup/unified/x");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 /a /m rw - cgroup2 x rw\n", "/a/b"), "/m/b");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 /a /m rw - cgroup2 x rw\n", "/a"), "/m");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 /a /m rw - cgroup2 x rw\n", "/ab"), "none");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 /.. /m rw - cgroup2 x rw\n", "/"), "none");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 / /a\\040b\\134c rw - cgroup2 x rw\n", "/d"),
		   "/a b\\c/d");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 / /m rw - tmpfs cgroup2 rw\n", "/d"), "none");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 / /m rw\n1 2\n\n- cgroup2\n", "/d"), "none");
	CHECK_TEXT(directory_in(arena, "1 2 0:1 / /m rw - cgroup2", "/d"), "/m/d");
	CHECK_TEXT(directory_in(arena, "", "/d"), "none");
	CHECK(cgroup_directory_from_text(arena, &cursor, "/", &directory) == 0);
	CHECK(cgroup_directory_from_text(arena, &cursor, "/", &directory) == -ENOENT);
}

static struct cgroup_request request_for(const char *machine)
{
	return (struct cgroup_request){
		.machine = machine, .owner = geteuid(), .name_is_locked = true};
}

static pid_t start_in(const struct cgroup *cgroup)
{
	struct clone_args arguments = {.flags = CLONE_INTO_CGROUP,
				       .exit_signal = SIGCHLD,
				       .cgroup = (uint64_t)cgroup->payload_fd};
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0)
		for (;;)
			(void)pause();
	return pid;
}

static bool has_group(const struct cgroup_place *place, const char *name)
{
	return faccessat(place->own_fd, name, F_OK, 0) == 0;
}

static void own_group_of(struct arena *arena, pid_t pid, char **ret_own)
{
	auto_free char *text = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	CHECK(file_read(AT_FDCWD, path, 1 << 16, &text, NULL) == 0);
	*ret_own = arena_copy(arena, "");
	CHECK(cgroup_own_from_text(arena, text, ret_own) == 0);
}

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* What a guest may leave: many groups, and very deep ones. */
static void litter(int payload_fd)
{
	int fd = openat(payload_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[32];

	for (int i = 0; i < 150; i++) {
		(void)snprintf(name, sizeof(name), "many %d", i);
		CHECK(mkdirat(payload_fd, name, 0700) == 0);
	}
	for (int i = 0; i < DEPTH; i++) {
		int below_fd;

		CHECK(mkdirat(fd, "other", 0700) == 0 && mkdirat(fd, "deep\x1b\xff", 0700) == 0);
		below_fd = openat(fd, "deep\x1b\xff", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = below_fd;
	}
	(void)close(fd);
}

static void test_life(struct arena *arena, const struct cgroup_place *place, const char *machine)
{
	struct cgroup_request request = request_for(machine);
	struct cgroup cgroup;
	struct undo undo = {};
	char *own, *before, group[128];
	pid_t born, moved;

	request.move_supervisor = true;
	request.owner = geteuid() == 0 ? 12345 : geteuid();
	own_group_of(arena, getpid(), &before);
	(void)snprintf(group, sizeof(group), "nspawn-%s", machine);
	CHECK(cgroup_create(arena, place, &request, &undo, &cgroup) == 0);
	CHECK(has_group(place, group));
	own_group_of(arena, getpid(), &own);
	CHECK(ends_with(own, "/supervisor"));
	if (geteuid() == 0) {
		struct stat status;

		CHECK(fstat(cgroup.payload_fd, &status) == 0 && status.st_uid == 12345);
		CHECK(fstatat(cgroup.payload_fd, "cgroup.procs", &status, 0) == 0 &&
		      status.st_uid == 12345);
		CHECK(fstatat(cgroup.payload_fd, "cgroup.kill", &status, 0) == 0 &&
		      status.st_uid == 0);
		CHECK(fstatat(cgroup.payload_fd, "cgroup.max.depth", &status, 0) == 0 &&
		      status.st_uid == 0);
		CHECK(fstat(cgroup.base_fd, &status) == 0 && status.st_uid == 0);
	}
	born = start_in(&cgroup);
	CHECK(born > 0);
	own_group_of(arena, born, &own);
	CHECK(ends_with(own, "/payload"));
	moved = fork();
	if (moved == 0)
		for (;;)
			(void)pause();
	CHECK(cgroup_move(&cgroup, moved) == 0);
	own_group_of(arena, moved, &own);
	CHECK(ends_with(own, "/payload"));
	litter(cgroup.payload_fd);
	undo_all(&undo); /* kills both */
	CHECK(waitpid(born, NULL, 0) == born && waitpid(moved, NULL, 0) == moved);
	CHECK(!has_group(place, group));
	own_group_of(arena, getpid(), &own);
	CHECK_TEXT(own, before);
}

/* A supervisor that was killed leaves its groups behind, here with a process in it. */
static void test_leftovers(struct arena *arena, const struct cgroup_place *place,
			   const char *machine)
{
	struct cgroup_request request = request_for(machine);
	struct undo lost = {}, refused = {}, undo = {};
	struct captured captured;
	struct cgroup stale, cgroup;
	pid_t pid;

	CHECK(cgroup_create(arena, place, &request, &lost, &stale) == 0);
	pid = start_in(&stale);
	CHECK(pid > 0);
	litter(stale.payload_fd);
	/* Without the lock it might be somebody's. */
	request.name_is_locked = false;
	capture_start(&captured);
	CHECK(cgroup_create(arena, place, &request, &refused, &cgroup) == -EBUSY);
	log_set_sink(NULL, NULL);
	CHECK(captured.failures == 2 && strstr(captured.first, "Cannot make the cgroup"));
	CHECK(refused.count == 0);
	CHECK(kill(pid, 0) == 0);
	request.name_is_locked = true;
	CHECK(cgroup_create(arena, place, &request, &undo, &cgroup) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	undo_all(&undo);
	(void)close(stale.payload_fd);
	(void)close(stale.base_fd);
}

/*
 * A scope's holder stays where it is while a command runs: its group may hand nothing down then, or
 * the payload's would take no process.
 */
static void test_held_unit(struct arena *arena, const struct cgroup_place *place)
{
	struct cgroup_request request = request_for("unused");
	struct cgroup_place unit = {.own_fd = -EBADF};
	struct undo undo = {};
	struct cgroup cgroup;
	char name[64], pid_text[16], *handed_down;
	pid_t holder = fork(), born;

	if (holder == 0)
		for (;;)
			(void)pause();
	(void)snprintf(name, sizeof(name), "test-cgroup-held-%d", getpid());
	(void)snprintf(pid_text, sizeof(pid_text), "%d", holder);
	CHECK(mkdirat(place->own_fd, name, 0755) == 0);
	unit.own_fd = openat(place->own_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(file_write(unit.own_fd, "cgroup.procs", pid_text) == 0);
	unit.directory = arena_format(arena, "%s/%s", place->directory, name);
	request.keep_unit = true;
	request.mover = holder;
	CHECK(cgroup_create(arena, &unit, &request, &undo, &cgroup) == 0);
	CHECK(file_read(cgroup.base_fd, "cgroup.subtree_control", 256, &handed_down, NULL) == 0);
	CHECK(strcspn(handed_down, "\n") == 0);
	free(handed_down);
	born = start_in(&cgroup);
	CHECK(born > 0);
	undo_all(&undo);
	CHECK(waitpid(born, NULL, 0) == born);
	CHECK(kill(holder, SIGKILL) == 0 && waitpid(holder, NULL, 0) == holder);
	(void)close(unit.own_fd);
	CHECK(unlinkat(place->own_fd, name, AT_REMOVEDIR) == 0);
}

/*
 * With keep_unit the group that we are in is divided itself, so it is done in one that was made for
 * it. The child is the supervisor; it goes back where it came from.
 */
static void test_keep_unit(struct arena *arena, const struct cgroup_place *place)
{
	struct cgroup_request request = request_for("unused");
	char unit[64];
	int status;
	pid_t pid;

	(void)snprintf(unit, sizeof(unit), "test-cgroup-unit-%d", getpid());
	CHECK(mkdirat(place->own_fd, unit, 0755) == 0);
	pid = fork();
	if (pid == 0) {
		auto_close int unit_fd =
			openat(place->own_fd, unit, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct cgroup_place here = {.own_fd = -EBADF}, again = {.own_fd = -EBADF};
		struct undo undo = {}, second = {};
		struct cgroup cgroup, nested;
		struct captured captured;
		char *own, *before;

		request.keep_unit = true;
		CHECK(file_write(unit_fd, "cgroup.procs", "0") == 0);
		own_group_of(arena, getpid(), &before);
		CHECK(cgroup_probe(arena, &here) == 0);
		CHECK(cgroup_create(arena, &here, &request, &undo, &cgroup) == 0);
		CHECK_TEXT(cgroup.directory, here.directory);
		own_group_of(arena, getpid(), &own);
		CHECK(ends_with(own, "/supervisor"));
		/*
		 * A second one in the same unit finds the first one's payload, and leaves it alone.
		 */
		pid = start_in(&cgroup);
		CHECK(cgroup_probe(arena, &again) == 0);
		capture_start(&captured);
		CHECK(cgroup_create(arena, &again, &request, &second, &nested) == -EBUSY);
		log_set_sink(NULL, NULL);
		CHECK(captured.failures == 2 && strstr(captured.first, "/payload'"));
		CHECK_TEXT(nested.directory, here.directory);
		undo_all(&second);
		CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
		undo_all(&undo);
		own_group_of(arena, getpid(), &own);
		CHECK_TEXT(own, before);
		cgroup_place_done(&here);
		cgroup_place_done(&again);
		CHECK(file_write(place->own_fd, "cgroup.procs", "0") == 0);
		_exit(check_failures ? 1 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(unlinkat(place->own_fd, unit, AT_REMOVEDIR) == 0);
}

int main(void)
{
	auto_arena struct arena arena = {};
	struct cgroup_place place = {.own_fd = -EBADF};
	char machine[64];
	int r;

	test_own(&arena);
	test_directory(&arena);
	r = cgroup_probe(&arena, &place);
	CHECK(r >= 0);
	if (r == 0) {
		(void)snprintf(machine, sizeof(machine), "test-cgroup-%d", getpid());
		test_life(&arena, &place, machine);
		test_leftovers(&arena, &place, machine);
		test_held_unit(&arena, &place);
		test_keep_unit(&arena, &place);
		CHECK(cgroup_remove_tree(place.own_fd, "test-cgroup-absent") == 0);
		cgroup_place_done(&place);
	}
	return check_failures ? 1 : r > 0 ? SKIPPED : 0;
}
