/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds a machine for a further process, with the rights that its first one got.
 * Zone: free.
 */
#include "control/enter.h"

#include <string.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "confine/syscalls.h"
#include "control/usage.h"
#include "host/places.h"
#include "host/registry.h"

void enter_done(struct enter *enter)
{
	scope_close(&enter->machine.leader_fd);
	arena_done(&enter->arena);
}

/* Without the one that belongs to the machine nothing may run there. */
static int find_filter(struct enter *enter, const struct registry_entry *entry)
{
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT};
	struct syscall_filter filter;
	int r;

	if (entry->filter && strcmp(entry->filter, "none") == 0)
		return 0;
	if (entry->filter && strcmp(entry->filter, "own") == 0) {
		r = registry_read_filter(&enter->arena, entry, &enter->machine.filter,
					 &enter->machine.filter_length);
	} else {
		r = syscalls_choose(&request, &filter);
		if (r >= 0 && filter.owned)
			r = -ENOTSUP;
		enter->machine.filter = filter.program;
		enter->machine.filter_length = filter.len;
	}
	return r < 0 ? fail(r, "Cannot find the system call filter of machine '%s'", entry->machine)
		     : 0;
}

/* It would not be let into its PID namespace before somebody lets the machine go on. */
static int refuse_paused(const struct registry_entry *entry)
{
	auto_close int group_fd = usage_open(entry->cgroup);

	if (!usage_is_frozen(group_fd))
		return 0;
	(void)refuse(EBUSY, "Machine '%s' is paused, so nothing can begin to run there",
		     entry->machine);
	hint("'nspawn resume %s' lets it go on", entry->machine);
	return -EBUSY;
}

int enter_find(struct enter *enter, const char *name)
{
	struct registry_entry entry;
	struct places places;
	int r;

	TRY(places_find(&enter->arena, SCOPE_AUTO, &places));
	TRY(registry_find(&enter->arena, &places, name, &entry));
	TRY(refuse_paused(&entry));
	enter->init = entry.init;
	enter->machine = (struct join_machine){
		.name = entry.machine,
		.leader = entry.leader,
		.leader_fd = -EBADF,
		.cgroup = entry.cgroup,
		.has_booted = entry.start && strcmp(entry.start, "boot") == 0,
		.capabilities = {.bounding = entry.caps_bounding, .ambient = entry.caps_ambient},
		.no_new_privileges = entry.no_new_privileges,
		.environment = entry.environment,
	};
	TRY(find_filter(enter, &entry));
	r = registry_leader(&entry, &enter->machine.leader_fd);
	if (r == -ESRCH)
		return refuse(ESRCH, "Machine '%s' has just ended", name);
	return r < 0 ? fail(r, "Cannot look at machine '%s'", name) : 0;
}
