/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts files of the host into the guest's tree: copies, replaces, binds, links or deletes, by
 * descriptor and in-root.
 * Zone: doomed.
 */
#include "mount/host-files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "mount/ifupdown.h"

/* Zone files have a few kilobytes. */
#define SOURCE_MAX_BYTES ((size_t)1024 * 1024)

/* One file on its way. */
struct job {
	const struct host_file_action *action;
	int root_fd;
	int run_host_fd; /* for what is bound and no file of the host */
	int parent_fd;   /* the directory of the target, O_PATH */
	char name[NAME_MAX + 1];
	uid_t root_uid;
};

/* Writes 'bytes' through an open regular file and makes it root's. */
static int fill_file(const struct job *job, int fd, const char *text, size_t bytes)
{
	TRY(fd_write_all(fd, text, bytes));
	if (fchown(fd, job->root_uid, job->root_uid) < 0 || fchmod(fd, 0644) < 0)
		return -errno;
	return 0;
}

/*
 * A free name beside the target. It need not be secret, only unused: nothing of the guest runs yet,
 * and O_EXCL and symlinkat(2) do not overwrite.
 */
static void make_temporary_name(const struct job *job, char name[NAME_MAX + 1])
{
	uint64_t number = 0;

	(void)!getrandom(&number, sizeof(number), 0);
	(void)snprintf(name, NAME_MAX + 1, ".#%.200s%016jx", job->name, (uintmax_t)number);
}

/* rename(2) replaces what is at the name, a link included, and never follows it. */
static int move_into_place(const struct job *job, const char *temporary)
{
	if (renameat(job->parent_fd, temporary, job->parent_fd, job->name) == 0)
		return 0;
	int r = -errno;

	(void)unlinkat(job->parent_fd, temporary, 0);
	return r;
}

static int replace_with(const struct job *job, const char *text, size_t bytes)
{
	char temporary[NAME_MAX + 1];
	auto_close int fd = -EBADF;
	int r;

	make_temporary_name(job, temporary);
	fd = openat(job->parent_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fill_file(job, fd, text, bytes);
	if (r < 0) {
		(void)unlinkat(job->parent_fd, temporary, 0);
		return r;
	}
	return move_into_place(job, temporary);
}

/* With a line of ours that names 'host' there is no other one, nor without. */
static bool is_kept_line(const char *line, size_t length, const char *mark)
{
	size_t marked = strlen(mark);

	return length < marked || memcmp(line + length - marked, mark, marked) != 0;
}

/* True if the file says itself what the host is called, in a line that is not ours. */
static bool names_host(const char *line, size_t length)
{
	const char *found = memmem(line, length, "host", 4);

	return found && found > line && strchr(BLANKS, found[-1]) &&
	       (found + 4 == line + length || strchr(BLANKS, found[4])) && *line != '#';
}

#define LOOPBACK_LINES "127.0.0.1 localhost %.16s\n::1 localhost %.16s\n"
#define LOOPBACK_MAX_BYTES 80

/* What is there without our lines, and then these. */
static int compose(const struct job *job, char **ret_text, size_t *ret_bytes)
{
	const struct host_file_action *action = job->action;
	auto_free char *present = NULL, *text = NULL;
	bool is_named = false;
	size_t bytes = 0, used = 0;
	int r = path_read(job->root_fd, action->target, SOURCE_MAX_BYTES, &present, &bytes);

	if (r < 0 && r != -ENOENT)
		return r;
	text = malloc(bytes + LOOPBACK_MAX_BYTES + strlen(action->text) + 1);
	if (!text)
		return -ENOMEM;
	for (size_t at = 0; at < bytes;) {
		const char *end = memchr(present + at, '\n', bytes - at);
		size_t length = end ? (size_t)(end - present) - at : bytes - at;

		if (is_kept_line(present + at, length, action->mark)) {
			is_named |= names_host(present + at, length);
			memcpy(text + used, present + at, length);
			used += length;
			text[used++] = '\n';
		}
		at += length + 1;
	}
	/* A file of ours alone lacks what everybody expects to be known. */
	if (used == 0)
		used = (size_t)snprintf(text, LOOPBACK_MAX_BYTES, LOOPBACK_LINES, action->mark,
					action->mark);
	if (!is_named)
		memcpy(text + used, action->text, strlen(action->text));
	*ret_bytes = used + (is_named ? 0 : strlen(action->text));
	*ret_text = steal_ptr(text);
	return 0;
}

/* What shall stand in the target. */
static int read_source(const struct job *job, char **ret_text, size_t *ret_bytes)
{
	const struct host_file_action *action = job->action;

	if (action->mark)
		return compose(job, ret_text, ret_bytes);
	if (!action->text)
		return file_read(AT_FDCWD, action->source, SOURCE_MAX_BYTES, ret_text, ret_bytes);
	*ret_text = strdup(action->text);
	*ret_bytes = strlen(action->text);
	return *ret_text ? 0 : -ENOMEM;
}

static int do_replace(const struct job *job)
{
	auto_free char *text = NULL;
	size_t bytes;

	TRY(read_source(job, &text, &bytes));
	return replace_with(job, text, bytes);
}

/* Opens what is at the target's name itself (O_PATH). */
static int open_target(const struct job *job, struct stat *ret_status)
{
	auto_close int fd = openat(job->parent_fd, job->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_status) < 0)
		return -errno;
	return steal_fd(fd);
}

static int leave_alone(const struct job *job, const char *why)
{
	debug("'%s' in the tree %s, leaving it alone", job->action->target, why);
	return 0;
}

/* Most starts find what the one before left; then the disk has nothing to write. */
static bool has_content(const struct job *job, const char *text, size_t bytes)
{
	auto_close int fd = openat(job->parent_fd, job->name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	char present[4096];

	while (fd >= 0 && bytes > 0) {
		ssize_t got = read(fd, present, bytes < sizeof(present) ? bytes : sizeof(present));

		if (got <= 0 || memcmp(present, text, (size_t)got) != 0)
			return false;
		text += got;
		bytes -= (size_t)got;
	}
	return fd >= 0;
}

/* A file that is not there yet, and its directory. */
static int make_file(const struct job *job, const char *path, const char *text)
{
	char directory[PATH_MAX], name[NAME_MAX + 1];
	auto_close int directory_fd = -EBADF, parent_fd = -EBADF, fd = -EBADF;

	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(path_last(path) - path - 1),
		       path);
	directory_fd = path_make(job->root_fd, directory, PATH_DIRECTORY, 0755, job->root_uid);
	TRY(directory_fd);
	parent_fd = path_open_parent(job->root_fd, path, name);
	TRY(parent_fd);
	fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fill_file(job, fd, text, strlen(text));
}

/*
 * The link belongs to a program of the tree that will write what it leads to, in /run, which is
 * fresh: until it has, or where it does not run, the names are ours. resolvconf(8) begins with the
 * records that it finds.
 */
static int fill_link(const struct job *job)
{
	static const char resolvconf[] = "/run/resolvconf/";
	char text[PATH_MAX] = "", path[PATH_MAX];
	ssize_t length = readlinkat(job->parent_fd, job->name, text, sizeof(text) - 1);
	const char *rest = text;
	int r;

	if (length < 0)
		return -errno;
	rest += *rest == '/' ? 1 : strncmp(rest, "../", 3) == 0 ? 3 : 0;
	if (rest == text || strncmp(rest, "run/", 4) != 0 || strstr(rest, ".."))
		return leave_alone(job, "is a symbolic link");
	(void)snprintf(path, sizeof(path), "/%.*s", (int)sizeof(path) - 2, rest);
	r = make_file(job, path, job->action->text);
	if (r == 0 && strncmp(path, resolvconf, strlen(resolvconf)) == 0)
		r = make_file(job, "/run/resolvconf/interface/host0.nspawn", job->action->text);
	return r == -EEXIST ? 0 : r;
}

static int do_copy(const struct job *job)
{
	auto_close int place = -EBADF, fd = -EBADF;
	auto_free char *text = NULL;
	struct stat status;
	char path[64];
	size_t bytes;

	place = open_target(job, &status);
	if (place >= 0 && S_ISLNK(status.st_mode))
		return job->action->fills_link ? fill_link(job)
					       : leave_alone(job, "is a symbolic link");
	if (place >= 0 && !S_ISREG(status.st_mode))
		return -EINVAL;
	TRY(read_source(job, &text, &bytes));
	/*
	 * A file with further names may be shared with other trees (cloned as hard links) or with
	 * the host: writing through it would change them all.
	 */
	if (place == -ENOENT || (place >= 0 && status.st_nlink > 1))
		return replace_with(job, text, bytes);
	TRY(place);
	if ((size_t)status.st_size == bytes && has_content(job, text, bytes))
		return 0;
	/* Through the descriptor, so that what is opened is the regular file that was looked at. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	return fill_file(job, fd, text, bytes);
}

static int make_mount_point(const struct job *job)
{
	auto_close int fd =
		openat(job->parent_fd, job->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return fill_file(job, fd, "", 0);
}

/* A clone of the file that is to be bound. */
static int open_bound(const struct job *job)
{
	auto_close int fd = -EBADF;
	auto_free char *text = NULL;
	size_t bytes;
	int mount;

	if (!job->action->text) {
		mount = open_tree(AT_FDCWD, job->action->source,
				  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		return mount < 0 ? -errno : mount;
	}
	TRY(read_source(job, &text, &bytes));
	fd = openat(job->run_host_fd, job->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	TRY(fill_file(job, fd, text, bytes));
	mount = open_tree(job->run_host_fd, job->name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return mount < 0 ? -errno : mount;
}

static int bind_host_file(const struct job *job)
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.propagation = MS_PRIVATE,
	};
	auto_close int target = -EBADF, mount = -EBADF;
	struct stat status;

	mount = open_bound(job);
	TRY(mount);
	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return -errno;
	target = open_target(job, &status);
	if (target == -ENOENT) {
		TRY(make_mount_point(job));
		target = open_target(job, &status);
	}
	TRY(target);
	if (!S_ISREG(status.st_mode))
		return S_ISLNK(status.st_mode) ? -ELOOP : -EINVAL;
	if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return -errno;
	return 0;
}

static int do_bind(const struct job *job)
{
	int r = bind_host_file(job);

	if (r < 0) {
		debug("Cannot bind '%s' to '%s' in the tree (%s), copying it instead",
		      job->action->source ?: "a file of ours", job->action->target,
		      strerrordesc_np(-r));
		r = do_copy(job);
	}
	return r;
}

/* True if the target is a link to this zone already, however it is spelled. */
static bool is_linked_to_zone(const struct job *job, const char *zone)
{
	static const char database[] = "usr/share/zoneinfo/";
	char text[PATH_MAX], *start = text;
	ssize_t length = readlinkat(job->parent_fd, job->name, text, sizeof(text) - 1);

	if (length < 0)
		return false;
	text[length] = '\0';
	if (*start == '/')
		start++;
	else if (strncmp(start, "../", 3) == 0)
		start += 3;
	return strncmp(start, database, strlen(database)) == 0 &&
	       strcmp(start + strlen(database), zone) == 0;
}

static int do_symlink(const struct job *job)
{
	char path[PATH_MAX], temporary[NAME_MAX + 1];
	const char *zone = job->action->zone;

	if (is_linked_to_zone(job, zone))
		return 0;
	(void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
	if (path_status(job->root_fd, path, NULL) < 0)
		return do_bind(job); /* the guest does not know this zone */
	(void)snprintf(path, sizeof(path), "../usr/share/zoneinfo/%s", zone);
	make_temporary_name(job, temporary);
	if (symlinkat(path, job->parent_fd, temporary) < 0)
		return -errno;
	if (fchownat(job->parent_fd, temporary, job->root_uid, job->root_uid, AT_SYMLINK_NOFOLLOW) <
	    0) {
		int r = -errno;

		(void)unlinkat(job->parent_fd, temporary, 0);
		return r;
	}
	return move_into_place(job, temporary);
}

static int do_delete(const struct job *job)
{
	return unlinkat(job->parent_fd, job->name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static const struct {
	int (*function)(const struct job *job);
	const char *verb;
} ways[] = {
	[HOW_AUTO] = {NULL, NULL},
	[HOW_OFF] = {NULL, NULL},
	[HOW_COPY] = {do_copy, "copy"},
	[HOW_REPLACE] = {do_replace, "copy"},
	[HOW_BIND] = {do_bind, "bind"},
	[HOW_SYMLINK] = {do_symlink, "link"},
	[HOW_DELETE] = {do_delete, "delete"},
};
static_assert(ARRAY_LEN(ways) == HOW_DELETE + 1, "one function for each way");

static int open_directory(const struct job *job, char *ret_name)
{
	const char *target = job->action->target;
	char directory[PATH_MAX];

	if (job->action->makes_directory) {
		(void)snprintf(directory, sizeof(directory), "%.*s",
			       (int)(path_last(target) - target - 1), target);
		auto_close int fd =
			path_make(job->root_fd, directory, PATH_DIRECTORY, 0755, job->root_uid);
		TRY(fd);
	}
	return path_open_parent(job->root_fd, target, ret_name);
}

static void apply_action(struct job job)
{
	const struct host_file_action *action = job.action;
	auto_close int parent_fd = -EBADF;
	int r;

	if (action->is_for_ifupdown && !ifupdown_asks(job.root_fd))
		return;
	r = parent_fd = open_directory(&job, job.name);
	if (parent_fd >= 0) {
		job.parent_fd = parent_fd;
		r = ways[action->how].function(&job);
	}
	if (r < 0 && action->source)
		warn(r, "Cannot %s the host's '%s' to '%s' in the tree, leaving that as it is",
		     ways[action->how].verb, action->source, action->target);
	else if (r == -EROFS && action->text)
		debug("'%s' is not there and cannot be made, going on without", action->target);
	else if (r < 0 && action->text)
		warn(r, "Cannot write '%s' in the tree, leaving it as it is", action->target);
	else if (r < 0)
		warn(r, "Cannot delete '%s' in the tree, leaving it as it is", action->target);
}

void host_files_apply(const struct host_file_plan *plan, int root_fd, int run_host_fd,
		      uid_t root_uid)
{
	for (size_t i = 0; i < plan->count; i++)
		apply_action((struct job){.action = &plan->actions[i],
					  .root_fd = root_fd,
					  .run_host_fd = run_host_fd,
					  .root_uid = root_uid});
}
