/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Goes down and up in trees of any depth with a handful of descriptors.
 * Zone: any.
 */
#include "base/ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/scope.h"

/* Few trees are deeper, and those cost one open more for each directory. */
#define OPEN_MAX_RUNGS 32

/* Who a directory is: a number alone may be given again to another one. */
static int identify(int fd, struct rung *ret)
{
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) < 0)
		return -errno;
	ret->device = makedev(status.stx_dev_major, status.stx_dev_minor);
	ret->inode = status.stx_ino;
	ret->born = status.stx_mask & STATX_BTIME ? (uint64_t)status.stx_btime.tv_sec * 1000000000 +
							    status.stx_btime.tv_nsec
						  : 0;
	return 0;
}

static int make_room(struct ladder *ladder)
{
	size_t room = ladder->room ? ladder->room * 2 : 64;
	struct rung *rungs;

	if (ladder->count < ladder->room)
		return 0;
	rungs = realloc(ladder->rungs, room * sizeof(*rungs));
	if (!rungs)
		return -ENOMEM;
	ladder->rungs = rungs;
	ladder->room = room;
	return 0;
}

int ladder_down(struct ladder *ladder, int fd)
{
	auto_close int owned = fd;
	struct rung rung = {.fd = -EBADF};

	TRY(identify(owned, &rung));
	TRY(make_room(ladder));
	if (ladder->count >= OPEN_MAX_RUNGS) {
		struct rung *far = &ladder->rungs[ladder->count - OPEN_MAX_RUNGS];

		if (far->fd >= 0)
			(void)close(far->fd);
		far->fd = -EBADF;
	}
	rung.fd = steal_fd(owned);
	ladder->rungs[ladder->count++] = rung;
	return 0;
}

static int reopen(struct rung *rung, int below_fd)
{
	auto_close int fd = openat(below_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct rung found = {.fd = -EBADF};

	if (fd < 0)
		return -errno;
	TRY(identify(fd, &found));
	if (found.device != rung->device || found.inode != rung->inode || found.born != rung->born)
		return -ESTALE;
	rung->fd = steal_fd(fd);
	return 0;
}

int ladder_up(struct ladder *ladder)
{
	struct rung *lowest = &ladder->rungs[--ladder->count];
	int r = 0;

	if (ladder->count > 0 && lowest[-1].fd < 0)
		r = reopen(&lowest[-1], lowest->fd);
	if (lowest->fd >= 0)
		(void)close(lowest->fd);
	return r;
}

int ladder_fd(const struct ladder *ladder)
{
	return ladder->count > 0 ? ladder->rungs[ladder->count - 1].fd : -EBADF;
}

void ladder_done(struct ladder *ladder)
{
	for (size_t i = 0; i < ladder->count; i++)
		if (ladder->rungs[i].fd >= 0)
			(void)close(ladder->rungs[i].fd);
	free(ladder->rungs);
	*ladder = (struct ladder){0};
}
