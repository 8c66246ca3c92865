/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds and runs newuidmap(1) and newgidmap(1).
 * Zone: owing.
 */
#include "ids/newidmap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"

static const struct {
	const char *name, *file;
} programs[] = {
	[NEWIDMAP_USERS] = {"newuidmap", "/etc/subuid"},
	[NEWIDMAP_GROUPS] = {"newgidmap", "/etc/subgid"},
};
static_assert(ARRAY_LEN(programs) == _NEWIDMAP_COUNT, "one row for each program");

/* The first is where NixOS keeps what is set-user-id. */
static const char *const system_directories[] = {
	"/run/wrappers/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin", NULL,
};

#define STATUS_MAX_BYTES ((size_t)64 * 1024)

const char *newidmap_find(struct arena *arena, enum newidmap_program program,
			  const char *const *directories)
{
	for (const char *const *each = directories ? directories : system_directories; *each;
	     each++) {
		const char *path = arena_format(arena, "%s/%s", *each, programs[program].name);
		struct stat status;

		if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

/* Whether one who may not trace everybody traces us, such as a user's strace(1). */
static bool is_traced_by_user(void)
{
	auto_free char *text = NULL;
	const char *line;
	struct stat status;
	char path[64];

	if (file_read(AT_FDCWD, "/proc/self/status", STATUS_MAX_BYTES, &text, NULL) < 0)
		return false;
	line = strstr(text, "\nTracerPid:\t");
	if (!line)
		return false;
	line += strlen("\nTracerPid:\t");
	if (strncmp(line, "0\n", 2) == 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%.*s", (int)strcspn(line, "\n"), line);
	return stat(path, &status) < 0 || status.st_uid != 0;
}

const char *newidmap_obstacle(void)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return "no_new_privs";
	return is_traced_by_user() ? "a tracer" : NULL;
}

/* "newuidmap PID INSIDE OUTSIDE COUNT …" */
static char **make_words(struct arena *arena, enum newidmap_program program, pid_t pid,
			 const struct id_map *map)
{
	struct strings words = {0};

	strings_add(arena, &words, programs[program].name);
	strings_add(arena, &words, arena_format(arena, "%d", (int)pid));
	for (size_t i = 0; i < map->count; i++) {
		const struct id_extent *extent = &map->items[i];

		strings_add(arena, &words, arena_format(arena, "%u", extent->inside));
		strings_add(arena, &words, arena_format(arena, "%u", extent->outside));
		strings_add(arena, &words, arena_format(arena, "%u", extent->count));
	}
	return (char **)words.items;
}

/*
 * Our signals are blocked and some ignored; what it must not do is hold our descriptors: it may
 * outlive us only by its last words.
 */
__attribute__((noreturn)) static void become(const char *path, char *const *words, int error_fd)
{
	char *const environment[] = {(char *)"LC_ALL=C", NULL};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
	    dup2(error_fd, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(126);
	(void)execve(path, words, environment);
	_exit(127);
}

#define COMPLAINT_MAX 512

/* Up to a buffer's worth of what it says; the rest is read and forgotten, or it would wait. */
static void read_complaint(int fd, char ret[COMPLAINT_MAX])
{
	char more[256];
	size_t used = 0;
	ssize_t n;

	for (;;) {
		bool is_full = used == COMPLAINT_MAX - 1;

		n = read(fd, is_full ? more : ret + used,
			 is_full ? sizeof(more) : COMPLAINT_MAX - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!is_full)
			used += (size_t)n;
	}
	ret[used] = '\0';
	ret[strcspn(ret, "\n")] = '\0'; /* the first line has the reason */
}

static int wait_for(pid_t child, int *ret_status)
{
	while (waitpid(child, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The exit status, or a negative errno. */
static int run(const char *path, char *const *words, char complaint[COMPLAINT_MAX])
{
	auto_close int ours = -EBADF;
	int both[2], status;
	pid_t child;

	if (pipe2(both, O_CLOEXEC) < 0)
		return -errno;
	ours = both[0];
	child = fork();
	if (child == 0)
		become(path, words, both[1]);
	(void)close(both[1]);
	if (child < 0)
		return -errno;
	read_complaint(ours, complaint);
	TRY(wait_for(child, &status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int write_one(struct arena *arena, enum newidmap_program program, const char *path,
		     pid_t pid, const struct id_map *map)
{
	char complaint[COMPLAINT_MAX] = "";
	int r = run(path, make_words(arena, program, pid, map), complaint);

	if (r == 0)
		return 0;
	if (r < 0)
		return fail(r, "Cannot run '%s' to map the ids of the machine", path);
	(void)refuse(EPERM, "'%s' did not map the ids of the machine: %s", path,
		     *complaint ? complaint : "it did not say why");
	hint("It must be set-user-id root or have its file capability, neither a tracer nor "
	     "no-new-privileges may take that away, and '%s' must give these ids to you",
	     programs[program].file);
	return -EPERM;
}

int newidmap_write(const char *const paths[_NEWIDMAP_COUNT], pid_t pid, const struct id_maps *maps)
{
	auto_arena struct arena arena = {0};

	TRY(write_one(&arena, NEWIDMAP_USERS, paths[NEWIDMAP_USERS], pid, &maps->users));
	return write_one(&arena, NEWIDMAP_GROUPS, paths[NEWIDMAP_GROUPS], pid, &maps->groups);
}
