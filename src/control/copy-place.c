/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes copies beside their places.
 * Zone: owing.
 */
#include "control/copy-place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/tree-remove.h"
#include "base/undo.h"

#define COPY "copy"
#define LINKS "links"

#define STREAM_BYTES ((size_t)256 * 1024)
#define STREAM_LOOK_MSEC 200

/* A directory whose name nobody foresees, and that nobody else may enter. */
struct workshop {
	int parent_fd, fd;
	char name[64];
	struct stat status;
};

static int say(const struct copying *copying, const struct copy_place *place, int r)
{
	if (r == -EINTR) {
		(void)refuse(EINTR, "Interrupted while '%s' was being copied", copying->from);
		if (!place->name)
			hint("Files that were copied until then are whole and stay");
		return r;
	}
	if (r == -ENOSPC || r == -EDQUOT)
		return fail(r, "There is not enough room for a copy of '%s' as '%s'", copying->from,
			    copying->to);
	return fail(r, "Cannot copy '%s' to '%s'", copying->from, copying->to);
}

/* --- The workshop --- */

/* Others may be at work there: what has its name by now need not be what we made. */
static void leave(void *argument)
{
	struct workshop *workshop = argument;
	struct stat found;

	if (fstatat(workshop->parent_fd, workshop->name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	    found.st_ino == workshop->status.st_ino && found.st_dev == workshop->status.st_dev)
		(void)tree_remove(workshop->parent_fd, workshop->name);
	scope_close(&workshop->fd);
}

static int make_directory(int parent_fd, const char *name)
{
	auto_close int fd = -EBADF;

	if (mkdirat(parent_fd, name, 0700) < 0)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return copy_is_ours(fd) ? steal_fd(fd) : -ESTALE;
}

static int enter(struct workshop *workshop, struct undo *undo)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	(void)snprintf(workshop->name, sizeof(workshop->name), ".nspawn-copy-%016llx",
		       (unsigned long long)number);
	workshop->fd = make_directory(workshop->parent_fd, workshop->name);
	TRY(workshop->fd);
	if (fstat(workshop->fd, &workshop->status) < 0)
		return -errno;
	undo_push(undo, leave, workshop, "workshop of a copy");
	return 0;
}

/* --- What is made in it --- */

/* Complains itself. */
static int make_tree(struct copying *copying, const struct copy_place *place,
		     const struct workshop *workshop, int from_fd)
{
	auto_close int to_fd =
		place->name ? make_directory(workshop->fd, COPY)
			    : openat(place->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int links_fd = make_directory(workshop->fd, LINKS);
	struct copy_tree_request request = {
		.from_fd = from_fd,
		.to_fd = to_fd,
		.links_fd = links_fd,
		.except = &workshop->status,
		.merges = !place->name,
		.replaces = place->replaces,
	};
	int r;

	if (to_fd < 0 || links_fd < 0)
		return say(copying, place, to_fd < 0 ? to_fd : links_fd);
	r = copy_tree(copying, &request);
	if (r == -EEXIST && !place->replaces)
		hint("With '--force' files that are there already are replaced");
	return r == -EINTR ? say(copying, place, r) : r;
}

static int move_out(const struct copying *copying, const struct copy_place *place,
		    const struct workshop *workshop)
{
	int r = copy_move(workshop->fd, COPY, place->directory_fd, place->name, place->replaces);

	return r < 0 ? say(copying, place, r) : 0;
}

static int refuse_taken(const struct copying *copying, const struct copy_place *place,
			bool is_directory)
{
	const char *last = path_last(copying->to);
	char path[PATH_MAX];
	struct stat status;

	if (!place->name ||
	    fstatat(place->directory_fd, place->name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (place->replaces && !is_directory))
		return 0;
	if (is_directory)
		return refuse(ENOTDIR, "'%s' is there already, and is no directory", copying->to);
	/* What goes into a directory has its name there from where it comes. */
	(void)snprintf(path, sizeof(path), "%s%s%s", copying->to,
		       strcmp(last, place->name) == 0 || *last == '\0' ? "" : "/",
		       strcmp(last, place->name) == 0 ? "" : place->name);
	(void)refuse(EEXIST, "'%s' is there already", path);
	hint("With '--force' it is replaced");
	return -EEXIST;
}

int copy_to_place(struct copying *copying, const struct copy_place *place, int from_fd)
{
	auto_undo struct undo undo = {0};
	struct workshop workshop = {.parent_fd = place->directory_fd, .fd = -EBADF};
	struct stat status;
	int r;

	if (fstat(from_fd, &status) < 0)
		return say(copying, place, -errno);
	TRY(refuse_taken(copying, place, S_ISDIR(status.st_mode)));
	r = enter(&workshop, &undo);
	if (r < 0)
		return say(copying, place, r);
	if (S_ISDIR(status.st_mode)) {
		TRY(make_tree(copying, place, &workshop, from_fd));
		return place->name ? move_out(copying, place, &workshop) : 0;
	}
	r = copy_opened(copying, from_fd, workshop.fd, COPY);
	if (r == COPY_LEFT_OUT)
		return refuse(ENODEV, "'%s' is a device, and devices do not leave a machine",
			      copying->from);
	return r < 0 ? say(copying, place, r) : move_out(copying, place, &workshop);
}

/* --- Streams --- */

/* Signals wait, so whoever has nothing to say for long must not be waited for with them. */
static int wait_for(struct copying *copying, int fd)
{
	struct pollfd input = {.fd = fd, .events = POLLIN};
	int r;

	do {
		TRY(copy_look_up(copying));
		r = poll(&input, 1, STREAM_LOOK_MSEC);
	} while (r == 0);
	return r < 0 && errno != EINTR ? -errno : 0;
}

static int copy_stream(struct copying *copying, int from_fd, int to_fd)
{
	auto_free char *buffer = malloc(STREAM_BYTES);
	ssize_t length;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		TRY(wait_for(copying, from_fd));
		length = read(from_fd, buffer, STREAM_BYTES);
		if (length < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (length == 0)
			return 0;
		if (length < 0)
			continue;
		TRY(fd_write_all(to_fd, buffer, (size_t)length));
		copying->bytes += (uint64_t)length;
	}
}

static int make_file(struct copying *copying, const struct workshop *workshop, int from_fd)
{
	auto_close int fd = openat(workshop->fd, COPY,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	mode_t mask = umask(0);

	(void)umask(mask);
	if (fd < 0)
		return -errno;
	TRY(copy_stream(copying, from_fd, fd));
	return fchmod(fd, 0666 & ~mask) < 0 ? -errno : 0;
}

int copy_stream_to_place(struct copying *copying, const struct copy_place *place, int from_fd)
{
	auto_undo struct undo undo = {0};
	struct workshop workshop = {.parent_fd = place->directory_fd, .fd = -EBADF};
	int r;

	TRY(refuse_taken(copying, place, /* is_directory= */ false));
	r = enter(&workshop, &undo);
	if (r == 0)
		r = make_file(copying, &workshop, from_fd);
	return r < 0 ? say(copying, place, r) : move_out(copying, place, &workshop);
}
