/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes trees out of others: a snapshot where that is possible, else a copy. It is made in a
 * workshop, a locked directory beside its place, and moved there when it is whole.
 * Zone: owing.
 */
#include "image/template.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/path.h"
#include "base/progress.h"
#include "base/scope.h"
#include "base/tree-remove.h"
#include "base/undo.h"
#include "host/locks.h"
#include "host/places.h"
#include "image/copy.h"
#include "image/snapshot.h"

#define TREE "tree"
#define LINKS "links"

/* Each round lost means that somebody else's start has just ended. */
#define TRIES_MAX 100

struct workshop {
	int parent_fd;               /* where the tree is to be */
	const char *name;            /* as what */
	char own_name[NAME_MAX + 1]; /* of the workshop itself */
	int fd;                      /* locked */
};

static bool is_there(const char *directory)
{
	struct stat status;

	return lstat(directory, &status) == 0;
}

/* --- The workshop --- */

static bool is_still_named(const struct workshop *workshop, int fd)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 &&
	       fstatat(workshop->parent_fd, workshop->own_name, &theirs, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* 0, or -EBUSY: another start holds it; -EAGAIN: it has just gone. */
static int try_enter(struct workshop *workshop)
{
	auto_close int fd = -EBADF;
	struct stat status;

	if (mkdirat(workshop->parent_fd, workshop->own_name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(workshop->parent_fd, workshop->own_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	/* Where everybody may make directories, the name alone says nothing. */
	if (fstat(fd, &status) < 0 || status.st_uid != geteuid() || status.st_mode & 077)
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!is_still_named(workshop, fd))
		return -EAGAIN;
	workshop->fd = steal_fd(fd);
	return 0;
}

static int empty(const struct workshop *workshop)
{
	snapshot_delete(workshop->fd, TREE);
	TRY(tree_remove(workshop->fd, TREE));
	return tree_remove(workshop->fd, LINKS);
}

static void leave(void *argument)
{
	struct workshop *workshop = argument;
	int r = empty(workshop);

	if (r < 0)
		warn(r, "Cannot remove what was made of '%s' in '%s', leaving it", workshop->name,
		     workshop->own_name);
	(void)unlinkat(workshop->parent_fd, workshop->own_name, AT_REMOVEDIR);
	(void)close(workshop->fd);
}

static int refuse_busy(const struct template_request *request)
{
	(void)refuse(EBUSY, "Another start is making the tree '%s' out of a template just now",
		     request->directory);
	hint("Start this one when that is done");
	return -EBUSY;
}

static int enter(struct workshop *workshop, const struct template_request *request)
{
	int r = -EAGAIN;

	for (int tries = 0; tries < TRIES_MAX && r == -EAGAIN; tries++)
		r = try_enter(workshop);
	if (r == -EBUSY)
		return refuse_busy(request);
	if (r < 0)
		return fail(r, "Cannot make the directory '%s' beside the new tree '%s'",
			    workshop->own_name, request->directory);
	return 0;
}

/* --- The tree --- */

/* The template alone, without what is mounted in it, where we may have that. */
static int take_view(int template_fd)
{
	auto_close int view_fd =
		open_tree(template_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int fd = openat(view_fd < 0 ? template_fd : view_fd, ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int make_directory(const struct workshop *workshop, const char *name)
{
	int fd;

	if (mkdirat(workshop->fd, name, 0700) < 0)
		return -errno;
	fd = openat(workshop->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What is made in the workshop would inherit an access list that its parent has for new files. */
static void clear_default_list(const struct workshop *workshop)
{
	(void)fremovexattr(workshop->fd, "system.posix_acl_default");
}

static int copy(const struct workshop *workshop, const struct template_request *request,
		int template_fd)
{
	auto_close int from_fd = take_view(template_fd), to_fd = -EBADF, links_fd = -EBADF;
	auto_progress struct progress progress = {0};
	auto_copying struct copying copying = {
		.from = request->template,
		.to = request->directory,
		.progress = &progress,
		.is_interruptible = true,
		.target_is_fresh = true,
	};
	struct stat except;
	int r = from_fd;

	if (r >= 0)
		r = to_fd = make_directory(workshop, TREE);
	if (r >= 0)
		r = links_fd = make_directory(workshop, LINKS);
	if (r >= 0 && fstat(workshop->fd, &except) < 0)
		r = -errno;
	if (r < 0)
		return fail(r, "Cannot begin with a copy of '%s' as '%s'", request->template,
			    request->directory);
	progress_start(&progress);
	return copy_tree(&copying, &(struct copy_tree_request){.from_fd = from_fd,
							       .to_fd = to_fd,
							       .links_fd = links_fd,
							       .except = &except});
}

static int make(const struct workshop *workshop, const struct template_request *request,
		int template_fd)
{
	int r;

	if (snapshot_is_possible(template_fd)) {
		r = snapshot_make(template_fd, workshop->fd, TREE);
		if (r == 0)
			return 0;
		debug("No snapshot of '%s': %s", request->template, strerror(-r));
		r = empty(workshop);
		if (r < 0)
			return fail(r, "Cannot begin with a copy of '%s' as '%s'",
				    request->template, request->directory);
	}
	clear_default_list(workshop);
	return copy(workshop, request, template_fd);
}

static int move_out(const struct workshop *workshop, const struct template_request *request)
{
	if (renameat2(workshop->fd, TREE, workshop->parent_fd, workshop->name, RENAME_NOREPLACE) ==
	    0)
		return 0;
	return fail(-errno, "Cannot move the finished tree to '%s'", request->directory);
}

/* A start that was made at the same time may have been quicker. */
static int make_unless_there(const struct workshop *workshop,
			     const struct template_request *request, int template_fd)
{
	struct stat status;
	int r = empty(workshop);

	if (r < 0)
		return fail(r, "Cannot remove what an earlier start has left of '%s'",
			    request->directory);
	if (fstatat(workshop->parent_fd, workshop->name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	note("Making the tree '%s' out of '%s'", request->directory, request->template);
	r = make(workshop, request, template_fd);
	if (r == -EINTR) {
		(void)refuse(EINTR, "Interrupted while '%s' was being made: removing what there is",
			     request->directory);
		return r;
	}
	TRY(r);
	return move_out(workshop, request);
}

/* With its slash, so that "/" is one too. */
static char *copy_parent(const struct template_request *request)
{
	const char *path = request->directory;

	return strndup(path, (size_t)(path_last(path) - path));
}

/* A host without a service manager may not have that one place yet. */
static int open_parent(const struct template_request *request)
{
	auto_free char *parent = copy_parent(request);
	int fd;

	if (!parent)
		return -ENOMEM;
	if (path_is_below(request->directory, request->places->image_home))
		(void)mkdir(request->places->image_home, 0700);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_in_workshop(const struct template_request *request, int template_fd,
			    struct undo *undo)
{
	auto_close int parent_fd = open_parent(request);
	struct workshop workshop = {
		.parent_fd = parent_fd, .name = path_last(request->directory), .fd = -EBADF};
	size_t mark = undo_mark(undo);
	int r;

	if (parent_fd < 0)
		return fail(parent_fd, "Cannot open the directory of the new tree '%s'",
			    request->directory);
	if (snprintf(workshop.own_name, sizeof(workshop.own_name), ".#%s.making", workshop.name) >=
	    (int)sizeof(workshop.own_name))
		return fail(-ENAMETOOLONG, "Cannot open the directory of the new tree '%s'",
			    request->directory);
	TRY(enter(&workshop, request));
	undo_push(undo, leave, &workshop, "workshop of a tree");
	r = make_unless_there(&workshop, request, template_fd);
	undo_to(undo, mark);
	return r;
}

static int open_template(const struct template_request *request)
{
	int fd = open(request->template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fail(-errno, "Cannot open the template '%s'", request->template) : fd;
}

static int apply(const struct template_request *request)
{
	auto_undo struct undo undo = {0};
	auto_close int fd = open_template(request);
	struct locks locks = {0};
	const struct lock_request lock = {
		.tree = request->locks ? request->template : NULL,
		.tree_is_shared = true,
		.places = request->places,
	};

	TRY(fd);
	TRY(locks_take(&locks, &lock, &undo));
	return make_in_workshop(request, fd, &undo);
}

int template_apply(const struct template_request *request)
{
	struct interrupt interrupt;
	int r;

	if (is_there(request->directory)) {
		note("There is '%s' already: nothing is taken from the template '%s'",
		     request->directory, request->template);
		return 0;
	}
	interrupt_hold(&interrupt);
	r = apply(request);
	interrupt_release(&interrupt);
	return r;
}

enum template_way template_look(const struct template_request *request)
{
	auto_close int fd = open(request->template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int parent_fd = -EBADF;
	auto_free char *parent = copy_parent(request);

	if (is_there(request->directory))
		return TEMPLATE_WAY_NONE;
	parent_fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return snapshot_is_possible(fd) && snapshot_is_shared(fd, parent_fd) ? TEMPLATE_WAY_SNAPSHOT
									     : TEMPLATE_WAY_COPY;
}
