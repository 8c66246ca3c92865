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
};

/* A name for the file that is the same for each of its links. */
#define LINK_NAME_MAX 64
static void name_link(const struct stat *status, char ret[LINK_NAME_MAX])
{
	(void)snprintf(ret, LINK_NAME_MAX, "%llx-%llx", (unsigned long long)status->st_dev,
		       (unsigned long long)status->st_ino);
}

/*
 * Of a file with several names the first copy has one more among the links, by which the others
 * find it, however deep they are.
 */
static int copy_linked(struct tree *tree, int from_fd, const char *name, const struct stat *status)
{
	int to_fd = ladder_fd(&tree->targets), links_fd = tree->request->links_fd;
	char link[LINK_NAME_MAX];

	name_link(status, link);
	if (linkat(links_fd, link, to_fd, name, 0) == 0)
		return 0;
	if (errno != ENOENT && errno != EMLINK)
		return -errno;
	TRY(copy_object(tree->copying, from_fd, name, to_fd, name));
	/* It has as many as it can have: the next one starts anew. */
	(void)unlinkat(links_fd, link, 0);
	return linkat(to_fd, name, links_fd, link, 0) < 0 && errno != EMLINK ? -errno : 0;
}

static int visit_entry(void *userdata, int directory_fd, const char *name, unsigned char type)
{
	struct tree *tree = userdata;
	struct stat status;

	if (type == DT_DIR)
		return WALK_ENTER;
	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(status.st_mode))
		return WALK_ENTER;
	if (status.st_nlink > 1)
		return copy_linked(tree, directory_fd, name, &status);
	return copy_object(tree->copying, directory_fd, name, ladder_fd(&tree->targets), name);
}

static int make_directory(struct tree *tree, const char *name)
{
	int parent_fd = ladder_fd(&tree->targets), fd;

	if (mkdirat(parent_fd, name, 0700) < 0)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool is_excepted(const struct tree *tree, int fd)
{
	const struct stat *except = tree->request->except;
	struct stat status;

	return except && fstat(fd, &status) == 0 && status.st_ino == except->st_ino &&
	       status.st_dev == except->st_dev;
}

static int visit_directory(void *userdata, int directory_fd, const char *name, int fd)
{
	struct tree *tree = userdata;
	auto_close int to_fd = -EBADF;
	struct statx status;

	(void)directory_fd;
	if (is_excepted(tree, fd))
		return WALK_SKIP;
	to_fd = make_directory(tree, name);
	if (to_fd < 0)
		return to_fd;
	tree->copying->count++;
	if (statx(fd, "", AT_EMPTY_PATH, 0, &status) < 0)
		return -errno;
	if (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		TRY(copy_attributes(tree->copying, fd, to_fd));
		return WALK_SKIP;
	}
	return ladder_down(&tree->targets, steal_fd(to_fd));
}

/* Only now: what is made in a directory changes its times. */
static int leave_directory(void *userdata, int fd)
{
	struct tree *tree = userdata;

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
	if (r < 0)
		return r;
	r = copy_attributes(copying, request->from_fd, request->to_fd);
	if (r < 0)
		complain(&tree, r, request->from_fd, "");
	return r;
}
