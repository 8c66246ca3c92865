/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks through trees without recursion: the stack is on the heap, and of each directory above only
 * the names are kept that are still to be entered.
 * Zone: any.
 */
#include "base/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ladder.h"
#include "base/scope.h"

#define ENTRIES_BYTES 32768

/* Names of directories to be entered, each with its NUL. */
struct level {
	char *names;
	size_t length, room, position;
};

struct walker {
	const struct walk_visitor *visitor;
	void *userdata;
	struct ladder ladder;
	struct level *levels; /* one for each rung */
	size_t count, room;
	char *entries;
};

static void walker_done(struct walker *walker)
{
	while (walker->count > 0)
		free(walker->levels[--walker->count].names);
	free(walker->levels);
	free(walker->entries);
	ladder_done(&walker->ladder);
}

static int complain(struct walker *walker, int r, const char *name)
{
	walker->visitor->complain(walker->userdata, r, ladder_fd(&walker->ladder), name);
	return r;
}

/* Looking at a directory is no use of it that should show; but only its owner may hide it. */
static int open_directory(int parent_fd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent_fd, name, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = openat(parent_fd, name, flags);
	return fd < 0 ? -errno : fd;
}

static int level_add(struct level *level, const char *name)
{
	size_t length = strlen(name) + 1;

	if (level->length + length > level->room) {
		size_t room = (level->length + length) * 2 + 256;
		char *names = realloc(level->names, room);

		if (!names)
			return -ENOMEM;
		level->names = names;
		level->room = room;
	}
	memcpy(level->names + level->length, name, length);
	level->length += length;
	return 0;
}

static int push_level(struct walker *walker)
{
	if (walker->count == walker->room) {
		size_t room = walker->room ? walker->room * 2 : 64;
		struct level *levels = realloc(walker->levels, room * sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		walker->levels = levels;
		walker->room = room;
	}
	walker->levels[walker->count++] = (struct level){0};
	return 0;
}

static int visit_entry(struct walker *walker, const struct dirent64 *entry)
{
	int r;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	r = walker->visitor->entry(walker->userdata, ladder_fd(&walker->ladder), entry->d_name,
				   entry->d_type);
	if (r == WALK_ENTER)
		r = level_add(&walker->levels[walker->count - 1], entry->d_name);
	return r < 0 ? complain(walker, r, entry->d_name) : 0;
}

/* All entries of the lowest directory. */
static int visit_entries(struct walker *walker)
{
	int fd = ladder_fd(&walker->ladder);

	for (;;) {
		ssize_t length = getdents64(fd, walker->entries, ENTRIES_BYTES);

		if (length < 0)
			return complain(walker, -errno, "");
		if (length == 0)
			return 0;
		for (ssize_t at = 0; at < length;) {
			const struct dirent64 *entry =
				(const struct dirent64 *)(void *)(walker->entries + at);

			at += entry->d_reclen;
			TRY(visit_entry(walker, entry));
		}
	}
}

/* Takes over 'fd'. */
static int go_down(struct walker *walker, int fd)
{
	int r = ladder_down(&walker->ladder, fd);

	if (r == 0)
		r = push_level(walker);
	if (r < 0)
		return complain(walker, r, "");
	return visit_entries(walker);
}

static int enter(struct walker *walker, const char *name)
{
	int parent_fd = ladder_fd(&walker->ladder);
	auto_close int fd = open_directory(parent_fd, name);
	int r = fd;

	if (fd == -ENOENT)
		return 0; /* gone meanwhile */
	if (r >= 0)
		r = walker->visitor->enter(walker->userdata, parent_fd, name, fd);
	if (r < 0)
		return complain(walker, r, name);
	return r == WALK_SKIP ? 0 : go_down(walker, steal_fd(fd));
}

static int go_up(struct walker *walker)
{
	int r = walker->count == 1
			? 0
			: walker->visitor->leave(walker->userdata, ladder_fd(&walker->ladder));

	if (r < 0)
		return complain(walker, r, "");
	free(walker->levels[--walker->count].names);
	r = ladder_up(&walker->ladder);
	return r < 0 ? complain(walker, r, "") : 0;
}

int walk(int fd, const struct walk_visitor *visitor, void *userdata)
{
	__attribute__((cleanup(walker_done))) struct walker walker = {
		.visitor = visitor, .userdata = userdata, .entries = malloc(ENTRIES_BYTES)};
	auto_close int top_fd = open_directory(fd, ".");

	if (!walker.entries || top_fd < 0) {
		int r = walker.entries ? top_fd : -ENOMEM;

		visitor->complain(userdata, r, fd, "");
		return r;
	}
	TRY(go_down(&walker, steal_fd(top_fd)));
	while (walker.count > 0) {
		struct level *level = &walker.levels[walker.count - 1];
		const char *name = level->names + level->position;

		if (level->position == level->length) {
			TRY(go_up(&walker));
			continue;
		}
		level->position += strlen(name) + 1;
		TRY(enter(&walker, name));
	}
	return 0;
}
