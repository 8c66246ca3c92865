/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives detached mounts their map, and finds out who refused it.
 * Zone: owing.
 */
#include "mount/id-mount-apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "mount/detached.h"

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 /* Linux 6.15, the same everywhere */
#endif

#define MOUNTINFO_MAX_BYTES ((size_t)8 * 1024 * 1024)

static unsigned int tree_flags(bool recursive)
{
	return AT_EMPTY_PATH | (unsigned int)(recursive ? AT_RECURSIVE : 0);
}

/*
 * Only a clone that nobody has seen can lose its map, so this makes another one. A kernel that
 * cannot is heard of when the new map is refused.
 */
static void drop_map(int *mount_fd, bool recursive)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_IDMAP};
	long fd = syscall(SYS_open_tree_attr, *mount_fd, "",
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | tree_flags(recursive), &attr,
			  sizeof(attr));

	if (fd < 0)
		return;
	(void)close(*mount_fd);
	*mount_fd = (int)fd;
}

static bool is_same_map(const struct id_map *a, const struct id_map *b)
{
	return a->count == b->count &&
	       (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(*a->items)) == 0);
}

static int open_namespace(struct arena *arena, struct id_namespaces *namespaces,
			  const struct id_maps *maps)
{
	struct id_namespace *added;
	int fd;

	for (size_t i = 0; i < namespaces->count; i++)
		if (is_same_map(&namespaces->items[i].maps.users, &maps->users) &&
		    is_same_map(&namespaces->items[i].maps.groups, &maps->groups))
			return namespaces->items[i].fd;
	fd = id_maps_open_namespace(maps);
	if (fd < 0)
		return fd;
	added = ARRAY_ADD(arena, namespaces);
	*added = (struct id_namespace){*maps, fd};
	return fd;
}

void id_namespaces_close(struct id_namespaces *namespaces)
{
	for (size_t i = 0; i < namespaces->count; i++)
		scope_close(&namespaces->items[i].fd);
	namespaces->count = 0;
}

/* --- Who refused --- */

/* In mountinfo blanks and backslashes are \040 and the like (proc_pid_mountinfo(5)). */
static void unescape_octal(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* Cuts "ID PARENT MAJOR:MINOR ROOT TARGET … - TYPE …" up. */
static bool split_line(char *line, const char **ret_device, const char **ret_target,
		       const char **ret_type)
{
	char *type = strstr(line, " - "), *field = NULL;

	if (!type)
		return false;
	type += 3;
	type[strcspn(type, " ")] = '\0';
	for (int i = 0; i < 5; i++) {
		field = strsep(&line, " ");
		if (i == 2)
			*ret_device = field;
	}
	if (!field || !line)
		return false;
	unescape_octal(field);
	*ret_target = field;
	*ret_type = type;
	return true;
}

static bool does_refuse(const char *path, int namespace_fd)
{
	auto_close int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd >= 0 && detached_map(fd, namespace_fd, /* recursive= */ false) == -EINVAL;
}

/* What cannot be mapped: the source itself, or a mount below it. */
struct culprit {
	const char *path, *type;
};

/* Cuts 'text' up, which the result points into. 'source' is NULL for what is not on the host. */
static struct culprit find_culprit(char *text, const char *source, const char *device,
				   int namespace_fd)
{
	struct culprit culprit = {0};
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const char *at = "", *target, *type;

		if (!split_line(line, &at, &target, &type))
			continue;
		if (strcmp(at, device) == 0)
			culprit.type = type;
		if (!source || strcmp(target, source) == 0 || !path_is_below(target, source) ||
		    !does_refuse(target, namespace_fd))
			continue;
		return (struct culprit){target, type};
	}
	return culprit;
}

static int explain_refusal(const struct id_mount *mount, int mount_fd, int namespace_fd)
{
	auto_free char *text = NULL, *source = NULL;
	struct culprit culprit = {0};
	struct stat status;
	char device[32];

	if (mount->is_on_host && mount->recursive && !does_refuse(mount->name, namespace_fd))
		source = realpath(mount->name, NULL);
	if (fstat(mount_fd, &status) == 0 &&
	    file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, &text, NULL) == 0) {
		(void)snprintf(device, sizeof(device), "%u:%u", major(status.st_dev),
			       minor(status.st_dev));
		culprit = find_culprit(text, source, device, namespace_fd);
	}
	if (!culprit.type)
		return refuse(EOPNOTSUPP, "The file system of '%s' cannot map owners", mount->name);
	(void)refuse(EOPNOTSUPP, "The file system %s of '%s' cannot map owners", culprit.type,
		     culprit.path ?: mount->name);
	if (culprit.path)
		hint("With the mount option 'norbind' it is left out");
	return -EOPNOTSUPP;
}

static int explain(const struct id_mount *mount, int r, int mount_fd, int namespace_fd)
{
	if (r == -EINVAL)
		return explain_refusal(mount, mount_fd, namespace_fd);
	if (r == -EPERM) {
		(void)refuse(EPERM,
			     "The owners of '%s' are mapped already, which this kernel cannot drop",
			     mount->name);
		hint("Linux 6.15 or newer can; with an older one, give the directory that this is a mapped mount of");
		return r;
	}
	return fail(r, "Cannot map the owners of '%s'", mount->name);
}

/* --- One mount --- */

static int explain_maps(const struct id_mount *mount, int r)
{
	if (r == -ERANGE)
		return refuse(ERANGE,
			      "The owners of '%s' cannot be users that the machine does not have",
			      mount->name);
	if (r != -E2BIG)
		return fail(r, "Cannot map the owners of '%s'", mount->name);
	return refuse(E2BIG, "The owners of '%s' need a map of more than %d ranges", mount->name,
		      ID_EXTENTS_MAX);
}

int id_mount_apply(struct arena *arena, struct id_namespaces *namespaces,
		   const struct id_mount *mount, int *mount_fd)
{
	struct id_mount_facts facts = mount->facts;
	struct id_maps maps;
	struct stat status;
	int r, namespace_fd;

	drop_map(mount_fd, mount->recursive);
	if (fstat(mount->owner_fd >= 0 ? mount->owner_fd : *mount_fd, &status) < 0)
		return fail(-errno, "Cannot tell who owns '%s'", mount->name);
	facts.source_owner = status.st_uid;
	r = id_mount_maps(arena, mount->request, &facts, &maps);
	if (r < 0)
		return explain_maps(mount, r);
	/* The kernel takes no empty map; nobody is there, whoever the files belong to. */
	if (maps.users.count == 0 || maps.groups.count == 0)
		return fail(-EINVAL, "Cannot map the owners of '%s'", mount->name);
	namespace_fd = open_namespace(arena, namespaces, &maps);
	if (namespace_fd < 0) {
		(void)fail(namespace_fd, "Cannot make a user namespace for the owners of '%s'",
			   mount->name);
		if (namespace_fd == -ENOSPC)
			hint("See /proc/sys/user/max_user_namespaces");
		return namespace_fd;
	}
	r = detached_map(*mount_fd, namespace_fd, mount->recursive);
	return r < 0 ? explain(mount, r, *mount_fd, namespace_fd) : 0;
}
