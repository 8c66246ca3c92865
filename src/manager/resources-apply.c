/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes limits into the machine's group, and what they were before back.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/undo.h"
#include "manager/resources.h"

/* What a kept group had before us. */
struct old_limits {
	int group_fd;
	char texts[_RESOURCE_COUNT][RESOURCE_TEXT_MAX]; /* empty: untouched */
};

/* A group has the files of the controllers that the one above hands down. */
static bool has_file(int group_fd, enum resource resource)
{
	return faccessat(group_fd, resource_kinds[resource].file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The kernel has it on cgroup2 at all, as far as can be seen from the group above. */
static bool is_within_reach(const struct resources_request *request, enum resource resource)
{
	auto_free char *text = NULL;
	const char *name = resource_kinds[resource].controller, *at;
	size_t length = strlen(name);

	if (request->parent_fd < 0 ||
	    file_read(request->parent_fd, "cgroup.controllers", 4096, &text,
		      /* ret_length= */ NULL) < 0)
		return false;
	for (at = text; *at; at += strcspn(at, " \n"), at += strspn(at, " \n"))
		if (strcspn(at, " \n") == length && strncmp(at, name, length) == 0)
			return true;
	return false;
}

static int refuse_limit(const struct resources_request *request, enum resource resource)
{
	const struct resource_kind *kind = &resource_kinds[resource];

	(void)refuse(EOPNOTSUPP,
		     "Cannot limit machine '%s' by '%s': its cgroup has no controller '%s'",
		     request->machine, kind->setting, kind->controller);
	if (is_within_reach(request, resource))
		hint("The cgroup above has it, but other processes in it as well: start nspawn by "
		     "'systemd-run --scope -p Delegate=yes', or alone in a cgroup with '--keep-unit'");
	else
		hint("Each cgroup above '%s' has to hand it down in its cgroup.subtree_control; what is "
		     "mounted as version 1 cannot be, until the kernel is started with "
		     "'cgroup_no_v1=%s'",
		     request->directory, resource_kinds[resource].controller);
	return -EOPNOTSUPP;
}

/* Of a property, which callers pass everywhere. */
static void note_limit(const struct resources_request *request, enum resource resource)
{
	const struct resource_kind *kind = &resource_kinds[resource];

	note("The cgroup of machine '%s' has no controller '%s': '--property=%s=' has no effect",
	     request->machine, kind->controller, kind->property);
}

static int read_text(int group_fd, const char *file, char ret[RESOURCE_TEXT_MAX])
{
	auto_close int fd = openat(group_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t length = fd < 0 ? -1 : read(fd, ret, RESOURCE_TEXT_MAX - 1);

	if (length < 0)
		return -errno;
	ret[length] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static void restore(void *argument)
{
	struct old_limits *old = argument;

	for (size_t i = 0; i < _RESOURCE_COUNT; i++)
		if (*old->texts[i])
			(void)file_write(old->group_fd, resource_kinds[i].file, old->texts[i]);
	(void)fremovexattr(old->group_fd, RESOURCES_ATTRIBUTE);
	scope_close(&old->group_fd);
}

static int write_limit(const struct resources_request *request, enum resource resource,
		       uint64_t value, struct old_limits *old)
{
	const struct resource_kind *kind = &resource_kinds[resource];
	char text[RESOURCE_TEXT_MAX];
	int r;

	if (old && read_text(request->group_fd, kind->file, old->texts[resource]) < 0)
		*old->texts[resource] = '\0';
	resource_format(resource, value, text);
	r = file_write(request->group_fd, kind->file, text);
	return r < 0 ? fail(r, "Cannot write '%s' to '%s/%s'", text, request->directory, kind->file)
		     : 0;
}

static struct old_limits *keep_old(struct arena *arena, const struct resources_request *request,
				   struct undo *undo)
{
	struct old_limits *old = arena_allocate(arena, sizeof(*old));

	*old = (struct old_limits){.group_fd = fcntl(request->group_fd, F_DUPFD_CLOEXEC, 3)};
	undo_push(undo, restore, old, "limits");
	return old;
}

int resources_apply(struct arena *arena, const struct resources_request *request, struct undo *undo)
{
	struct resource_wish wishes[_RESOURCE_COUNT];
	struct old_limits *old = NULL;
	const char *ours = "";

	resources_wanted(request->config, wishes);
	for (int i = 0; i < _RESOURCE_COUNT; i++) {
		const struct resource_wish *wish = &wishes[i];

		if (!wish->is_set)
			continue;
		if (request->group_fd < 0 || !has_file(request->group_fd, (enum resource)i)) {
			if (!wish->is_property)
				return refuse_limit(request, (enum resource)i);
			note_limit(request, (enum resource)i);
			continue;
		}
		ours = arena_format(arena, "%s%s=%llu ", ours, resource_kinds[i].name,
				    (unsigned long long)wish->value);
		if (request->is_managed)
			continue;
		if (request->is_kept && !old)
			old = keep_old(arena, request, undo);
		TRY(write_limit(request, (enum resource)i, wish->value, old));
	}
	if (*ours)
		(void)fsetxattr(request->group_fd, RESOURCES_ATTRIBUTE, ours, strlen(ours), 0);
	return 0;
}
