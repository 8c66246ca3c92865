/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn export: the tree of a running machine with all its changes, as an archive.
 * Zone: owing for the unfinished archive, free besides.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/changes-walk.h"
#include "control/changes.h"
#include "control/tar.h"

#define DEPTH_MAX 256

struct linked {
	dev_t device;
	ino_t inode;
	const char *path;
};

struct extent {
	unsigned int inside, outside, count;
};

struct export
{
	struct arena arena;
	struct registry_entry entry;
	struct tar tar;
	struct {
		struct linked *items;
		size_t count, room;
	} links;
	/* Owners as they are called inside, by /proc/PID/uid_map. */
	struct {
		struct extent items[340]; /* as many as the kernel takes (user_namespaces(7)) */
		size_t count;
	} users, groups;
	bool is_partial; /* something could not be read */
};

/* --- The root of the machine --- */

/* The leader is the supervisor's child, so its number cannot be another process's by now. */
static bool is_child(pid_t pid, pid_t parent)
{
	char path[40];
	auto_free char *text = NULL;
	const char *end;
	int found = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return false;
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %d", &found) == 1 && found == parent;
}

/* A view of its root file system alone, without what is mounted in it. */
static int clone_root(int pidfd)
{
	auto_close int own_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -EBADF;
	int r;

	if (own_fd < 0 || root_fd < 0 || setns(pidfd, CLONE_NEWNS) < 0)
		return -errno;
	fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	r = fd < 0 ? -errno : 0;
	/* Nothing of the machine's may be in reach when names are looked up. */
	if (setns(own_fd, CLONE_NEWNS) < 0 || fchdir(root_fd) < 0 || chroot(".") < 0)
		return -errno;
	return r < 0 ? r : steal_fd(fd);
}

static int open_root(const struct registry_entry *entry)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, entry->leader, 0);

	if (pidfd < 0)
		return -errno;
	if (!is_child(entry->leader, entry->supervisor))
		return -ESRCH;
	return clone_root(pidfd);
}

/* --- Owners --- */

static int read_map(pid_t pid, const char *name, struct extent *items, size_t max, size_t *ret)
{
	char path[40];
	auto_free char *text = NULL;
	int used;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	TRY(file_read(AT_FDCWD, path, 65536, &text, NULL));
	for (const char *line = text; *ret < max; line += used, (*ret)++)
		if (sscanf(line, "%u %u %u%n", &items[*ret].inside, &items[*ret].outside,
			   &items[*ret].count, &used) != 3)
			break;
	return 0;
}

static unsigned int to_inside(const struct extent *items, size_t count, unsigned int id)
{
	for (size_t i = 0; i < count; i++)
		if (id >= items[i].outside && id - items[i].outside < items[i].count)
			return items[i].inside + (id - items[i].outside);
	return 65534;
}

/* --- The walk --- */

static const char *find_link(struct export *export, const struct stat *status, const char *path)
{
	if (S_ISDIR(status->st_mode) || status->st_nlink < 2)
		return NULL;
	for (size_t i = 0; i < export->links.count; i++)
		if (export->links.items[i].device == status->st_dev &&
		    export->links.items[i].inode == status->st_ino)
			return export->links.items[i].path;
	*ARRAY_ADD(&export->arena, &export->links) =
		(struct linked){status->st_dev, status->st_ino, arena_copy(&export->arena, path)};
	return NULL;
}

static int walk(struct export *export, int fd, const char *path, unsigned int depth);

/* What is gone or cannot be read is told, and the rest goes on. */
static int leave_out(struct export *export, const char *path, int r)
{
	if (r == -ENOENT)
		return 0;
	export->is_partial = true;
	warn(r, "Cannot read '/%s', leaving it out", path);
	return 0;
}

static int add(struct export *export, int parent_fd, const char *name, const char *path,
	       unsigned int depth)
{
	char text[PATH_MAX];
	struct stat status;
	struct tar_entry entry = {
		.path = path, .status = &status, .directory_fd = parent_fd, .name = name};
	auto_close int fd = -EBADF;
	bool is_opened;
	ssize_t length;

	if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return leave_out(export, path, -errno);
	if (S_ISSOCK(status.st_mode))
		return 0; /* without whoever listened it is nothing */
	is_opened = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
	if (is_opened) {
		fd = changes_open_at(parent_fd, name, S_ISDIR(status.st_mode) ? O_DIRECTORY : 0);
		/* Once more: it may be something else by now. */
		if (fd < 0 || fstat(fd, &status) < 0 ||
		    !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
			return leave_out(export, path, fd < 0 ? fd : -ESTALE);
	}
	if (S_ISLNK(status.st_mode)) {
		length = readlinkat(parent_fd, name, text, sizeof(text) - 1);
		if (length < 0)
			return leave_out(export, path, -errno);
		text[length] = '\0';
		entry.link = text;
	}
	status.st_uid = to_inside(export->users.items, export->users.count, status.st_uid);
	status.st_gid = to_inside(export->groups.items, export->groups.count, status.st_gid);
	entry.fd = S_ISREG(status.st_mode) ? fd : -EBADF;
	entry.hard_link = find_link(export, &status, path);
	TRY(tar_add(&export->tar, &entry));
	return S_ISDIR(status.st_mode) ? walk(export, fd, path, depth) : 0;
}

static int walk(struct export *export, int fd, const char *path, unsigned int depth)
{
	auto_free char **names = NULL;
	int count = changes_list(fd, &names);

	if (count < 0)
		return leave_out(export, path, count);
	if (depth == DEPTH_MAX)
		return leave_out(export, path, -ELOOP);
	for (int i = 0; i < count; i++) {
		auto_free char *inner = NULL;
		bool is_top = strcmp(path, ".") == 0;

		if (asprintf(&inner, "%s%s%s", is_top ? "" : path, is_top ? "" : "/", names[i]) < 0)
			return -ENOMEM;
		TRY(add(export, fd, names[i], inner, depth + 1));
	}
	return 0;
}

/* --- The verb --- */

static int write_archive(struct export *export, const char *name)
{
	auto_close int root_fd = -EBADF;
	int r;

	TRY(registry_find(&export->arena, name, &export->entry));
	root_fd = open_root(&export->entry);
	if (root_fd < 0)
		return fail(root_fd, "Cannot take a view of the root of machine '%s'", name);
	r = read_map(export->entry.leader, "uid_map", export->users.items,
		     ARRAY_LEN(export->users.items), &export->users.count);
	if (r == 0)
		r = read_map(export->entry.leader, "gid_map", export->groups.items,
			     ARRAY_LEN(export->groups.items), &export->groups.count);
	if (r < 0)
		return fail(r, "Cannot read how the ids of machine '%s' are mapped", name);
	r = add(export, root_fd, ".", ".", 0);
	if (r == 0)
		r = tar_finish(&export->tar);
	if (r < 0)
		return fail(r, "Cannot write the archive of machine '%s'", name);
	return 0;
}

/* Whoever has the name has the whole archive. */
static int export_to_file(struct export *export, const char *machine, const char *path)
{
	auto_free char *partial = NULL;
	auto_close int fd = -EBADF;
	int r;

	if (asprintf(&partial, "%s.nspawn-%d", path, (int)getpid()) < 0)
		return -ENOMEM;
	fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(-errno, "Cannot make the file '%s'", partial);
	export->tar.fd = fd;
	r = write_archive(export, machine);
	if (r == 0 && rename(partial, path) < 0)
		r = fail(-errno, "Cannot make the file '%s'", path);
	if (r < 0)
		(void)unlink(partial);
	return r;
}

static int export_machine(struct export *export, const char *machine, const char *path)
{
	auto_free char *absolute = NULL, *here = NULL;

	if (strcmp(path, "-") == 0) {
		if (isatty(STDOUT_FILENO) == 1)
			return refuse(EINVAL, "An archive is nothing for a terminal");
		export->tar.fd = STDOUT_FILENO;
		return write_archive(export, machine);
	}
	/* The current directory changes on the way. */
	here = getcwd(NULL, 0);
	if (*path == '/' || !here)
		return export_to_file(export, machine, path);
	if (asprintf(&absolute, "%s/%s", here, path) < 0)
		return -ENOMEM;
	return export_to_file(export, machine, absolute);
}

int control_export(int argc, char **argv)
{
	struct export *export = calloc(1, sizeof(*export));
	int r;

	if (argc != 3 || *argv[1] == '-' || !export) {
		(void)refuse(EINVAL, "'export' needs the name of a machine and a file");
		free(export);
		return EXIT_FAILURE;
	}
	r = export_machine(export, argv[1], argv[2]);
	/* What was left out was said. */
	r = r == 0 && export->is_partial ? -EIO : r;
	arena_done(&export->arena);
	free(export);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
