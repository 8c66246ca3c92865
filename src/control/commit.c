/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn commit: writes what a running throw-away machine changed into its tree. Each file is
 * finished under a name of its own and takes the place of the old one at once.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/tree-remove.h"
#include "control/changes-walk.h"
#include "control/changes.h"
#include "control/inside.h"
#include "image/copy.h"

/* A file with several names, and the first of them that was committed. */
struct linked {
	dev_t device;
	ino_t inode;
	const char *path;
};

struct commit {
	struct arena arena;
	struct registry_entry entry;
	struct changes_walk walk;
	struct strings paths;
	bool *is_found; /* one for each path: something changed there */
	struct {
		struct linked *items;
		size_t count, room;
	} links;
	struct copying copying;
	size_t count, temporary;
	bool shows_progress;
};

static bool skips(void *argument, const char *path)
{
	const struct commit *commit = argument;
	bool is_skipped = commit->paths.count > 0;

	for (size_t i = 0; i < commit->paths.count && is_skipped; i++)
		is_skipped = !path_is_below(path, commit->paths.items[i]) &&
			     !path_is_below(commit->paths.items[i], path);
	return is_skipped;
}

static bool is_time_same(const struct stat *now, const struct stat *before)
{
	return now->st_mtim.tv_sec == before->st_mtim.tv_sec &&
	       now->st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

/* Directories above a wanted path come along if they are new. */
static bool is_wanted(struct commit *commit, const struct change *change)
{
	bool is_directory = change->kind != CHANGE_REMOVED && S_ISDIR(change->now.st_mode);
	bool is_new = change->kind == CHANGE_ADDED || (change->aspects & CHANGE_OF_TYPE);
	bool is_wanted = commit->paths.count == 0;

	for (size_t i = 0; i < commit->paths.count; i++) {
		const char *path = commit->paths.items[i];

		if (path_is_below(change->path, path)) {
			commit->is_found[i] = commit->is_found[i] || change->kind != CHANGE_SAME;
			is_wanted = true;
		} else if (is_directory && is_new && path_is_below(path, change->path)) {
			is_wanted = true;
		}
	}
	/* What was made in a directory changed its time, for the machine and then for us. */
	return is_wanted && (change->kind != CHANGE_SAME ||
			     (change->is_end && !is_time_same(&change->now, &change->before)));
}

/* A name that nobody has; what a commit that was killed left there is its first use's victim. */
static void name_temporary(struct commit *commit, char ret[64])
{
	(void)snprintf(ret, 64, ".nspawn-commit-%d-%zu", (int)getpid(), commit->temporary++);
}

/* Another name of what was committed before is linked to it. Returns 1 if it is. */
static int link_known(struct commit *commit, const struct change *change, const char *temporary)
{
	char name[NAME_MAX + 1];

	if (S_ISDIR(change->now.st_mode) || change->now.st_nlink < 2)
		return 0;
	for (size_t i = 0; i < commit->links.count; i++) {
		const struct linked *linked = &commit->links.items[i];
		auto_close int fd = -EBADF;

		if (linked->device != change->now.st_dev || linked->inode != change->now.st_ino)
			continue;
		fd = path_open_parent(commit->walk.tree_fd, linked->path, name);
		if (fd == -ENAMETOOLONG)
			return 0; /* so deep that it can only be a file of its own */
		TRY(fd);
		return linkat(fd, name, change->tree_fd, temporary, 0) < 0 ? -errno : 1;
	}
	*ARRAY_ADD(&commit->arena, &commit->links) = (struct linked){
		change->now.st_dev, change->now.st_ino, arena_copy(&commit->arena, change->path)};
	return 0;
}

/* Puts 'temporary' where the old one is, which a directory makes two steps of. */
static int replace(struct commit *commit, const struct change *change, const char *temporary)
{
	char aside[64];

	if (change->kind == CHANGE_ADDED ||
	    (!S_ISDIR(change->before.st_mode) && !S_ISDIR(change->now.st_mode)))
		return renameat(change->tree_fd, temporary, change->tree_fd, change->name) < 0
			       ? -errno
			       : 0;
	name_temporary(commit, aside);
	if (renameat2(change->tree_fd, temporary, change->tree_fd, change->name, RENAME_EXCHANGE) <
		    0 ||
	    renameat(change->tree_fd, temporary, change->tree_fd, aside) < 0)
		return -errno;
	return tree_remove(change->tree_fd, aside);
}

static int put(struct commit *commit, const struct change *change)
{
	char temporary[64];
	int r;

	name_temporary(commit, temporary);
	(void)tree_remove(change->tree_fd, temporary);
	r = link_known(commit, change, temporary);
	if (r == 0 && S_ISDIR(change->now.st_mode))
		r = mkdirat(change->tree_fd, temporary, 0700) < 0 ? -errno : 0;
	else if (r == 0)
		r = copy_object(&commit->copying, change->changes_fd, change->name, change->tree_fd,
				temporary);
	if (r >= 0)
		r = replace(commit, change, temporary);
	if (r < 0)
		(void)tree_remove(change->tree_fd, temporary);
	return r;
}

/* What is made in a directory changes its times, so it gets the rest when all in it is done. */
static int dress(struct commit *commit, const struct change *change)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	auto_close int from_fd = openat(change->changes_fd, change->name, flags);
	auto_close int to_fd = from_fd < 0 ? -1 : openat(change->tree_fd, change->name, flags);

	return to_fd < 0 ? -errno : copy_attributes(&commit->copying, from_fd, to_fd);
}

static int act(struct commit *commit, const struct change *change)
{
	bool is_directory = change->kind != CHANGE_REMOVED && S_ISDIR(change->now.st_mode);
	bool is_new = change->kind == CHANGE_ADDED || (change->aspects & CHANGE_OF_TYPE);
	int r;

	if (change->kind == CHANGE_REMOVED)
		return tree_remove(change->tree_fd, change->name);
	/* A directory that is there keeps its name. */
	if (is_directory && (change->is_end || !is_new))
		return change->is_end ? dress(commit, change) : 0;
	r = put(commit, change);
	if (r < 0 || !is_directory)
		return r;
	return changes_open_at(change->tree_fd, change->name, O_DIRECTORY);
}

static int commit_change(void *argument, const struct change *change)
{
	struct commit *commit = argument;
	bool is_counted = !change->is_end && change->kind != CHANGE_SAME;
	int r;

	if (!is_wanted(commit, change))
		return 0;
	r = interrupt_came() ? -EINTR : change->tree_fd < 0 ? -ENOENT : act(commit, change);
	if (r == -EINTR) {
		(void)refuse(EINTR, "Interrupted after %zu changes were written", commit->count);
		hint("Each of them is whole; the rest is still there to be committed");
		return r;
	}
	if (r < 0)
		return fail(r, "Cannot write '%s' into the tree '%s'", change->path,
			    commit->entry.tree);
	commit->count += is_counted;
	if (commit->shows_progress && is_counted && commit->count % 64 == 0)
		(void)fprintf(stderr, "\r%zu changes written", commit->count);
	return r;
}

static int add_path(struct commit *commit, const char *path)
{
	if (!path_is_normalized(path) || strstr(path, "/../")) {
		(void)refuse(EINVAL, "'%s' is no absolute path in the machine", path);
		hint("Give it as 'nspawn diff' shows it");
		return -EINVAL;
	}
	if (strcmp(path, "/") != 0)
		strings_add(&commit->arena, &commit->paths, path);
	return 0;
}

static int check_found(const struct commit *commit)
{
	for (size_t i = 0; i < commit->paths.count; i++)
		if (!commit->is_found[i])
			return refuse(ENOENT, "Nothing changed in machine '%s' at '%s'",
				      commit->entry.machine, commit->paths.items[i]);
	return 0;
}

/* Machines that run on the tree share it; of those that write to it there is one at a time. */
static int lock_tree(const struct commit *commit)
{
	if (flock(commit->walk.tree_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return refuse(EBUSY, "Somebody else writes changes into the tree '%s'", commit->entry.tree);
}

static int commit_all(const struct places *places, struct commit *commit)
{
	int r;

	TRY(registry_find(&commit->arena, places, commit->copying.from, &commit->entry));
	commit->is_found = arena_allocate(&commit->arena, (commit->paths.count + 1) * sizeof(bool));
	TRY(changes_open(&commit->entry, &commit->walk));
	TRY(lock_tree(commit));
	commit->shows_progress = isatty(STDERR_FILENO) == 1;
	r = changes_walk(&commit->walk);
	if (commit->shows_progress && commit->count >= 64)
		(void)fputc('\n', stderr);
	if (syncfs(commit->walk.tree_fd) < 0 && r == 0)
		r = fail(-errno, "Cannot write what was committed to disk");
	TRY(r);
	TRY(check_found(commit));
	note("Committed %zu %s of machine '%s' to '%s'", commit->count,
	     commit->count == 1 ? "change" : "changes", commit->entry.machine, commit->entry.tree);
	return 0;
}

static int commit_uninterrupted(const struct places *places, void *argument)
{
	struct interrupt interrupt;
	int r;

	interrupt_hold(&interrupt);
	r = commit_all(places, argument);
	interrupt_release(&interrupt);
	return r;
}

int control_commit(int argc, char **argv)
{
	struct commit commit = {.walk = {.changes_fd = -EBADF,
					 .tree_fd = -EBADF,
					 .wants_same = true,
					 .function = commit_change,
					 .skips = skips}};
	int r = 0;

	if (argc < 2 || *argv[1] == '-') {
		(void)refuse(EINVAL, "'commit' needs the name of a machine");
		return EXIT_FAILURE;
	}
	commit.walk.argument = &commit;
	commit.copying = (struct copying){
		.from = argv[1], .to = argv[1], .is_interruptible = true, .is_layer = true};
	for (int i = 2; i < argc && r == 0; i++)
		r = add_path(&commit, argv[i]);
	if (r == 0)
		r = control_inside(argv[1], commit_uninterrupted, &commit);
	changes_close(&commit.walk);
	copying_done(&commit.copying);
	arena_done(&commit.arena);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
