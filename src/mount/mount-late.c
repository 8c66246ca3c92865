/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells what shows the payload its own namespaces from what makes the tree.
 * Zone: free.
 */
#include "mount/mount-late.h"

#include <string.h>

#include "base/scope.h"
#include "mount/api-mounts.h"

/* Whether the path is the directory or in it. */
static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

struct lateness {
	bool sysfs, dev, tmp;
};

/*
 * The host's network is shown by a sysfs of the host's, which only the host's root can mount. The
 * user's own mounts on what is late are late as well, or they would be covered; /tmp is early where
 * there are any, as links of the tree may lead into it. An init unmounts /tmp when it ends, and can
 * only if that is not locked.
 */
static bool is_late(const struct mount_operation *operation, const struct lateness *lateness)
{
	static const char *const late[] = {"/proc", "/dev/pts", "/dev/mqueue", NESTING_PROC};

	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		if (is_below(operation->target, late[i]))
			return true;
	if (is_below(operation->target, "/sys") || is_below(operation->target, NESTING_SYS))
		return lateness->sysfs;
	if (strcmp(operation->target, "/tmp") == 0 && operation->kind == OPERATION_NEW &&
	    !operation->is_custom)
		return lateness->tmp;
	return operation->is_custom && lateness->dev && is_below(operation->target, "/dev");
}

void mount_plan_put_late_last(struct arena *arena, const struct mount_facts *facts,
			      struct mount_plan *plan)
{
	struct mount_operation *late = arena_allocate(arena, plan->count * sizeof(*late));
	struct lateness lateness = {
		.sysfs = facts->network_is_private && !facts->network_is_joined,
		.tmp = facts->ids_are_own,
	};
	size_t late_count = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const struct mount_operation *operation = &plan->items[i];

		if (operation->is_custom && strcmp(operation->target, "/dev") == 0)
			lateness.dev = true;
		if (operation->is_custom && strcmp(operation->target, "/") != 0)
			lateness.tmp = false;
	}
	plan->early_count = 0;
	for (size_t i = 0; i < plan->count; i++)
		if (is_late(&plan->items[i], &lateness))
			late[late_count++] = plan->items[i];
		else
			plan->items[plan->early_count++] = plan->items[i];
	memcpy(plan->items + plan->early_count, late, late_count * sizeof(*late));
}
