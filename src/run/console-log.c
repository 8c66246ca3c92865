/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes a file that forgets its beginning, and keeps one for each name.
 * Zone: owing.
 */
#include "run/console-log.h"

#include <dirent.h>
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
#include "base/scope.h"
#include "base/text.h"
#include "host/places.h"

/* The hole grows by this much at a time: seldom, and in whole pages of any size. */
#define HOLE_STEP_BYTES (64 * 1024)

/* Machines that are not there any more shall not fill a disk. */
#define KEPT_MAX 64
#define KEPT_END ".log"

/* --- While it runs --- */

void console_log_open(const char *directory, struct console_log *ret)
{
	auto_free char *path = NULL;

	*ret = CONSOLE_LOG_NONE;
	if (!directory || asprintf(&path, "%s/" CONSOLE_LOG_FILE, directory) < 0)
		return;
	ret->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ret->fd < 0)
		warn(-errno, "Cannot keep the console's output in '%s', going on without", path);
}

void console_log_close(struct console_log *log)
{
	scope_close(&log->fd);
	*log = CONSOLE_LOG_NONE;
}

/* Where a file cannot have holes it begins anew. */
static void forget_beginning(struct console_log *log)
{
	off_t hole = log->end - CONSOLE_LOG_BYTES;

	hole -= hole % HOLE_STEP_BYTES;
	if (hole <= log->hole_end)
		return;
	log->hole_end = hole;
	if (fallocate(log->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, hole) == 0)
		return;
	if (log->end < (off_t)2 * CONSOLE_LOG_BYTES)
		return;
	if (ftruncate(log->fd, 0) < 0)
		console_log_close(log);
	log->end = log->hole_end = 0;
}

void console_log_write(struct console_log *log, const char *bytes, size_t length)
{
	if (log->fd < 0)
		return;
	if (pwrite(log->fd, bytes, length, log->end) != (ssize_t)length) {
		debug("The console's output is not kept any more");
		console_log_close(log);
		return;
	}
	log->end += (off_t)length;
	forget_beginning(log);
}

/* --- Afterwards --- */

const char *console_log_kept_path(struct arena *arena, const struct places *places,
				  const char *machine)
{
	return places->logs ? arena_format(arena, "%s/%s" KEPT_END, places->logs, machine) : NULL;
}

/* Removes the one that was written first, if there are too many. */
static void remove_oldest(int directory_fd)
{
	int again = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = again < 0 ? NULL : fdopendir(again);
	char oldest[NAME_MAX + 1] = "";
	time_t oldest_time = 0;
	const struct dirent *item;
	unsigned int count = 0;

	while (directory && (item = readdir(directory))) {
		struct stat status;

		if (*item->d_name == '.' ||
		    fstatat(directory_fd, item->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		count++;
		if (*oldest && status.st_mtime >= oldest_time)
			continue;
		(void)snprintf(oldest, sizeof(oldest), "%s", item->d_name);
		oldest_time = status.st_mtime;
	}
	if (count > KEPT_MAX)
		(void)unlinkat(directory_fd, oldest, 0);
	if (directory)
		(void)closedir(directory);
}

/* The last of it, which is all that is not a hole. */
static int read_end(int fd, char **ret_text, size_t *ret_length)
{
	off_t size = lseek(fd, 0, SEEK_END);
	off_t begin = size > CONSOLE_LOG_BYTES ? size - CONSOLE_LOG_BYTES : 0;

	if (size < 0 || lseek(fd, begin, SEEK_SET) < 0)
		return -errno;
	return fd_read_all(fd, (size_t)CONSOLE_LOG_BYTES + HOLE_STEP_BYTES, ret_text, ret_length);
}

/* Complete or not at all: under another name first. */
static int write_kept(int directory_fd, const char *name, const char *text, size_t length)
{
	auto_close int fd = -EBADF;
	char unfinished[NAME_MAX + 1];
	int r;

	(void)snprintf(unfinished, sizeof(unfinished), ".#%.*s.%d", NAME_MAX - 16, name, getpid());
	fd = openat(directory_fd, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, length);
	if (r == 0 && renameat(directory_fd, unfinished, directory_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(directory_fd, unfinished, 0);
	return r;
}

static int open_logs(const struct places *places)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s", places->logs);
	for (char *slash = path; slash && (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	(void)mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int keep(const struct places *places, int fd, const char *machine)
{
	auto_close int directory_fd = open_logs(places);
	auto_free char *text = NULL;
	char name[NAME_MAX + 1];
	size_t length = 0;

	TRY(directory_fd);
	TRY(read_end(fd, &text, &length));
	if (length == 0)
		return 0;
	(void)snprintf(name, sizeof(name), "%s" KEPT_END, machine);
	TRY(write_kept(directory_fd, name, text, length));
	remove_oldest(directory_fd);
	return 0;
}

void console_log_keep(const struct places *places, const char *directory, const char *machine)
{
	auto_free char *path = NULL;
	auto_close int fd = -EBADF;
	int r;

	if (!places->logs || !directory || asprintf(&path, "%s/" CONSOLE_LOG_FILE, directory) < 0)
		return;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	r = keep(places, fd, machine);
	if (r < 0)
		debug("Cannot keep what the console showed in '%s': %s", places->logs,
		      strerror(-r));
	(void)unlink(path);
}
