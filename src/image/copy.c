/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies trees.
 * Zone: owing.
 */
#include "image/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/ladder.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/walk.h"

struct tree {
	struct copying *copying;
	const struct copy_tree_request *request;
	struct ladder targets; /* beside the directories that the walk is in */

	/* One for each of them: it was there before. */
	bool *was_there;
	size_t count, room;
};

/* A name that nobody has where others are at work; of one process there is one at a time. */
#define MAKING_NAME_MAX 64
static void name_making(char ret[MAKING_NAME_MAX])
{
	(void)snprintf(ret, MAKING_NAME_MAX, ".nspawn-copy-%d", (int)getpid());
}

/* A name for the file that is the same for each of its links. */
#define LINK_NAME_MAX 64
static void name_link(const struct stat *status, char ret[LINK_NAME_MAX])
{
	(void)snprintf(ret, LINK_NAME_MAX, "%llx-%llx", (unsigned long long)status->st_dev,
		       (unsigned long long)status->st_ino);
}

/*
 * Of a file with several names the first copy has one more among the links, by which the others
 * find it, however deep they are. On another file system it is a file of its own.
 */
static int copy_linked(struct tree *tree, int path_fd, const char *name, const struct stat *status)
{
	int to_fd = ladder_fd(&tree->targets), links_fd = tree->request->links_fd, r;
	char link[LINK_NAME_MAX];

	name_link(status, link);
	if (linkat(links_fd, link, to_fd, name, 0) == 0)
		return 0;
	if (errno != ENOENT && errno != EMLINK && errno != EXDEV)
		return -errno;
	r = copy_opened(tree->copying, path_fd, to_fd, name);
	if (r != 0)
		return r;
	/* It has as many as it can have: the next one starts anew. */
	(void)unlinkat(links_fd, link, 0);
	return linkat(to_fd, name, links_fd, link, 0) < 0 && errno != EMLINK && errno != EXDEV
		       ? -errno
		       : 0;
}

static int copy_one(struct tree *tree, int path_fd, const char *name, const struct stat *status)
{
	return status->st_nlink > 1
		       ? copy_linked(tree, path_fd, name, status)
		       : copy_opened(tree->copying, path_fd, ladder_fd(&tree->targets), name);
}

int copy_move(int directory_fd, const char *from, int to_directory_fd, const char *to,
	      bool replaces)
{
	struct stat status;

	if (replaces)
		return renameat(directory_fd, from, to_directory_fd, to) < 0 ? -errno : 0;
	if (renameat2(directory_fd, from, to_directory_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	/* Not every file system has that. */
	if (errno != EINVAL)
		return -errno;
	if (fstatat(to_directory_fd, to, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(directory_fd, from, to_directory_fd, to) < 0 ? -errno : 0;
}

/* Finished before it has its name. */
static int merge_one(struct tree *tree, int path_fd, const char *name, const struct stat *status)
{
	int to_fd = ladder_fd(&tree->targets), r;
	char making[MAKING_NAME_MAX];
	struct stat found;

	if (!tree->request->replaces && fstatat(to_fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	name_making(making);
	r = copy_one(tree, path_fd, making, status);
	if (r == 0)
		r = copy_move(to_fd, making, to_fd, name, tree->request->replaces);
	/* Between two names of one file a move does nothing. */
	if (r < 0 || status->st_nlink > 1)
		(void)unlinkat(to_fd, making, 0);
	return r;
}

static int visit_entry(void *userdata, int directory_fd, const char *name, unsigned char type)
{
	auto_close int path_fd = -EBADF;
	struct tree *tree = userdata;
	struct stat status;
	int r;

	if (type == DT_DIR)
		return WALK_ENTER;
	path_fd = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0 || fstat(path_fd, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(status.st_mode))
		return WALK_ENTER;
	r = tree->request->merges ? merge_one(tree, path_fd, name, &status)
				  : copy_one(tree, path_fd, name, &status);
	return r == COPY_LEFT_OUT ? 0 : r;
}

static int make_directory(struct tree *tree, const char *name, bool *ret_was_there)
{
	int parent_fd = ladder_fd(&tree->targets);
	auto_close int fd = -EBADF;

	*ret_was_there = mkdirat(parent_fd, name, 0700) < 0;
	if (*ret_was_there && (errno != EEXIST || !tree->request->merges))
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -EEXIST : -errno;
	return tree->copying->rules && !*ret_was_there && !copy_is_ours(fd) ? -ESTALE
									    : steal_fd(fd);
}

static int go_down(struct tree *tree, int fd, bool was_there)
{
	auto_close int owned_fd = fd;

	if (tree->count == tree->room) {
		size_t room = tree->room * 2 + 64;
		bool *larger = realloc(tree->was_there, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		tree->was_there = larger;
		tree->room = room;
	}
	tree->was_there[tree->count++] = was_there;
	return ladder_down(&tree->targets, steal_fd(owned_fd));
}

static bool is_excepted(const struct tree *tree, int fd)
{
	const struct stat *except = tree->request->except;
	struct stat status;

	return except && fstat(fd, &status) == 0 && status.st_ino == except->st_ino &&
	       status.st_dev == except->st_dev;
}

/* Whoever copies between machines need not know what is mounted where. */
static void tell_mount(struct copying *copying, int fd)
{
	char path[PATH_MAX];

	if (!copying->rules || copying->mounts_told || fd_path(fd, path) < 0)
		return;
	warn(0, "Something is mounted at '%s', copying such places as empty directories", path);
	copying->mounts_told = true;
}

static int visit_directory(void *userdata, int directory_fd, const char *name, int fd)
{
	struct tree *tree = userdata;
	auto_close int to_fd = -EBADF;
	bool was_there = false;
	struct statx status;

	(void)directory_fd;
	if (is_excepted(tree, fd))
		return WALK_SKIP;
	to_fd = make_directory(tree, name, &was_there);
	if (to_fd < 0)
		return to_fd;
	tree->copying->count++;
	if (statx(fd, "", AT_EMPTY_PATH, 0, &status) < 0)
		return -errno;
	if (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		tell_mount(tree->copying, fd);
		if (!was_there)
			TRY(copy_attributes(tree->copying, fd, to_fd));
		return WALK_SKIP;
	}
	return go_down(tree, steal_fd(to_fd), was_there);
}

/* Only now: what is made in a directory changes its times. */
static int leave_directory(void *userdata, int fd)
{
	struct tree *tree = userdata;

	if (!tree->was_there[--tree->count])
		TRY(copy_attributes(tree->copying, fd, ladder_fd(&tree->targets)));
	return ladder_up(&tree->targets);
}

static void complain(void *userdata, int r, int directory_fd, const char *name)
{
	const struct tree *tree = userdata;
	char directory[PATH_MAX];

	if (r == -EINTR)
		return;
	if (r == -ENOSPC || r == -EDQUOT) {
		(void)fail(r, "There is not enough room for a copy of '%s' as '%s'",
			   tree->copying->from, tree->copying->to);
		return;
	}
	if (fd_path(directory_fd, directory) < 0)
		(void)snprintf(directory, sizeof(directory), "%s", tree->copying->from);
	(void)fail(r, "Cannot copy '%s/%s' to '%s'", directory, name, tree->copying->to);
}

int copy_tree(struct copying *copying, const struct copy_tree_request *request)
{
	static const struct walk_visitor visitor = {
		.entry = visit_entry,
		.enter = visit_directory,
		.leave = leave_directory,
		.complain = complain,
	};
	struct tree tree = {.copying = copying, .request = request};
	int r, fd = openat(request->to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	r = fd < 0 ? -errno : ladder_down(&tree.targets, fd);
	if (r < 0)
		complain(&tree, r, request->from_fd, "");
	else
		r = walk(request->from_fd, &visitor, &tree);
	ladder_done(&tree.targets);
	free(tree.was_there);
	if (r < 0 || request->merges)
		return r;
	r = copy_attributes(copying, request->from_fd, request->to_fd);
	if (r < 0)
		complain(&tree, r, request->from_fd, "");
	return r;
}
