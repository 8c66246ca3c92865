/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn logs: shows the end of what a machine wrote on its console.
 * Zone: free.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "control/log-filter.h"
#include "control/supervised.h"
#include "host/places.h"
#include "host/registry.h"
#include "run/console-log.h"

#define CHUNK_BYTES 16384

/* Nobody tells of a supervisor that was killed. */
#define LOOK_AGAIN_MSEC 1000

struct logs {
	const char *machine;
	bool is_previous, follows;
	bool is_terminal;
	const char *directory; /* of a machine that runs, or NULL */
	int fd;
	off_t position;
	struct log_filter filter;
};

static int read_words(int argc, char **argv, struct logs *ret)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--previous") == 0)
			ret->is_previous = true;
		else if (strcmp(argv[i], "--follow") == 0 || strcmp(argv[i], "-f") == 0)
			ret->follows = true;
		else if (*argv[i] == '-' || ret->machine)
			return refuse(EINVAL, "'logs' does not take '%s'", argv[i]);
		else
			ret->machine = argv[i];
	}
	if (!ret->machine)
		return refuse(EINVAL, "'logs' needs the name of a machine");
	return text_is_hostname(ret->machine)
		       ? 0
		       : refuse(EINVAL, "'%s' is not a valid machine name", ret->machine);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * The run that goes on, else the one before; also one whose supervisor was killed, which left its
 * file where it was.
 */
static int find_log(struct arena *arena, struct logs *logs)
{
	const char *directory, *kept, *present;
	struct places places;
	bool runs;

	TRY(places_find(arena, SCOPE_AUTO, &places));
	directory = arena_format(arena, "%s/%s", places.machines, logs->machine);
	present = arena_format(arena, "%s/" CONSOLE_LOG_FILE, directory);
	kept = console_log_kept_path(arena, &places, logs->machine);
	runs = registry_look(directory) == 0;
	logs->directory = runs ? directory : NULL;
	logs->fd = logs->is_previous ? -ENOENT : open_file(present);
	if (logs->fd == -ENOENT && kept && (!runs || logs->is_previous))
		logs->fd = open_file(kept);
	if (logs->fd == -ENOENT && runs && !logs->is_previous) {
		(void)refuse(ENOENT, "Machine '%s' keeps no log of its console", logs->machine);
		hint("Only machines that boot on a console of ours do");
		return -ENOENT;
	}
	if (logs->fd == -ENOENT)
		return refuse(ENOENT, "No run of a machine '%s' has left a log", logs->machine);
	if (logs->fd >= 0 && !runs && !logs->is_previous)
		note("Machine '%s' does not run; this is its last run", logs->machine);
	return logs->fd < 0 ? fail(logs->fd, "Cannot read the log of machine '%s'", logs->machine)
			    : 0;
}

static int print(struct logs *logs, const char *bytes, size_t length)
{
	if (logs->is_terminal)
		log_filter_print(&logs->filter, bytes, length, stdout);
	else
		(void)fwrite(bytes, 1, length, stdout);
	return ferror(stdout) ? -EIO : 0;
}

/* A line that has lost its beginning is left out. */
static int skip_to_line(struct logs *logs)
{
	char bytes[CHUNK_BYTES];
	ssize_t got = pread(logs->fd, bytes, sizeof(bytes), logs->position);
	const char *end = got > 0 ? memchr(bytes, '\n', (size_t)got) : NULL;

	if (end)
		logs->position += end + 1 - bytes;
	return got < 0 ? -errno : 0;
}

/* What is there now. A file that has become shorter begins anew. */
static int print_new(struct logs *logs)
{
	char bytes[CHUNK_BYTES];
	struct stat status;
	ssize_t got;

	if (fstat(logs->fd, &status) < 0)
		return -errno;
	if (status.st_size < logs->position)
		logs->position = 0;
	if (status.st_size - logs->position > CONSOLE_LOG_BYTES) {
		logs->position = status.st_size - CONSOLE_LOG_BYTES;
		TRY(skip_to_line(logs));
	}
	while ((got = pread(logs->fd, bytes, sizeof(bytes), logs->position)) > 0) {
		logs->position += got;
		TRY(print(logs, bytes, (size_t)got));
	}
	if (got < 0)
		return -errno;
	return fflush(stdout) != 0 ? -EIO : 0;
}

/* Until the machine has ended, or nobody reads. */
static int follow(struct logs *logs)
{
	auto_close int watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd fds[] = {{.fd = watch_fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	char path[64], events[4096];
	bool runs = true;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", logs->fd);
	if (watch_fd < 0 || inotify_add_watch(watch_fd, path, IN_MODIFY | IN_ATTRIB) < 0)
		return -errno;
	while (runs) {
		runs = registry_look(logs->directory) == 0;
		TRY(print_new(logs));
		if (!runs)
			break;
		(void)poll(fds, ARRAY_LEN(fds), LOOK_AGAIN_MSEC);
		if (fds[1].revents)
			break;
		while (read(watch_fd, events, sizeof(events)) > 0)
			;
	}
	return 0;
}

int control_logs(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct logs logs = {.fd = -EBADF, .is_terminal = fd_is_terminal(STDOUT_FILENO)};
	int r = read_words(argc, argv, &logs);

	if (r == 0)
		r = find_log(&arena, &logs);
	if (r < 0)
		return EXIT_FAILURE;
	r = logs.follows && logs.directory && !logs.is_previous ? follow(&logs) : print_new(&logs);
	if (logs.is_terminal)
		log_filter_end(&logs.filter, stdout);
	scope_close(&logs.fd);
	if (r < 0)
		(void)fail(r, "Cannot show the log of machine '%s'", logs.machine);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
