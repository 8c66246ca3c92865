/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes the ids that a run needs and opens the namespaces that hold them.
 * Zone: owing.
 */
#include "run/run-ids.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "ids/nsresource.h"

static struct lease_request make_lease_request(const struct run *run)
{
	return (struct lease_request){
		.machine = run->facts.machine,
		.delegated = run->config.private_users_delegate,
		.directory_fd = ids_lends_tree(&run->facts.ids) ? run->directory_fd : -EBADF,
	};
}

/* Where nobody insists on it a refusal is no failure, and told when it is known what is instead. */
static int take_lease(struct run *run, struct undo *undo)
{
	const struct lease_request request = make_lease_request(run);
	struct ids_facts *facts = &run->facts.ids;
	bool is_vital;
	int r;

	if (!ids_wants_lease(&run->config, facts, &is_vital))
		return 0;
	r = lease_take(&run->config.arena, &request, undo, &run->lease,
		       is_vital ? NULL : &facts->lease_refusal);
	if (r < 0)
		return is_vital || r == -EINTR ? r : 0;
	facts->has_lease = true;
	facts->lease = run->lease.maps;
	return 0;
}

int run_take_ids(struct run *run, struct undo *undo)
{
	struct ids_facts *facts = &run->facts.ids;
	const struct range_request request = ids_range_request(facts, run->facts.machine);
	int r;

	if (!ids_wants_range(&run->config, facts))
		return take_lease(run, undo);
	TRY(range_pick(&request, &run->locks, undo, &facts->range));
	facts->has_range = true;
	if (!run->config.nesting)
		return 0;
	r = range_pick_further(&request, &run->locks, undo, &facts->further);
	if (r > 0)
		facts->further_count = (uint32_t)r * USERS_RANGE;
	return r < 0 ? r : 0;
}

static void close_ids(void *argument)
{
	struct machine *machine = argument;

	scope_close(&machine->ids_fd);
	scope_close(&machine->tree_map_fd);
	machine->ids_fd = machine->tree_map_fd = -EBADF;
}

/* By which namespace owners on disk become the payload's: its own, unless theirs are others. */
static int open_tree_map(struct machine *machine)
{
	const struct ids *ids = &machine->plan->ids;
	const struct id_maps maps = ids_tree_maps(machine->arena, ids);

	machine->sources.map_fd = machine->ids_fd;
	if (maps.users.items == ids->maps.users.items)
		return 0;
	/* A tenth of a start, for what is copied into machines by other tools: not into a
	 * command's. */
	if (ids->tree_base == 0 && machine->plan->config->start != START_BOOT)
		return 0;
	machine->tree_map_fd = id_maps_open_namespace(&maps);
	if (machine->tree_map_fd < 0)
		return fail(machine->tree_map_fd, "Cannot make a user namespace for the tree");
	machine->sources.map_fd = machine->tree_map_fd;
	return 0;
}

/* The tree, mapped by who gave the ids. */
static int take_lent_tree(struct run *run, struct machine *machine)
{
	const struct lease_request request = make_lease_request(run);
	int fd;

	if (request.directory_fd < 0)
		return 0;
	fd = lease_open_tree(&request, &run->lease);
	TRY(fd);
	machine->sources.lent_tree_fd = fd;
	return 0;
}

int run_open_ids(struct run *run, struct machine *machine)
{
	const struct ids *ids = &machine->plan->ids;

	machine->sources.map_fd = machine->sources.lent_tree_fd = -EBADF;
	machine->sources.are_named =
		ids->writer > IDS_WRITER_SELF && !machine->plan->facts->ids.may_map;
	machine->sources.ids = ids;
	if (ids_are_written_late(ids) || ids->writer == IDS_WRITER_NONE)
		return 0;
	machine->ids_fd = ids->writer == IDS_WRITER_MANAGER
				  ? fcntl(run->lease.users_fd, F_DUPFD_CLOEXEC, 3)
				  : id_maps_open_namespace(&ids->maps);
	if (machine->ids_fd < 0)
		return fail(machine->ids_fd < -1 ? machine->ids_fd : -errno,
			    "Cannot make a user namespace for the payload");
	undo_push(machine->undo, close_ids, machine, "user namespace");
	machine->sources.root_id = ids->shift;
	machine->sources.groups = &ids->maps.groups;
	if (ids->writer == IDS_WRITER_MANAGER)
		TRY(take_lent_tree(run, machine));
	return ids->ownership == IDS_OWNERSHIP_MAP ? open_tree_map(machine) : 0;
}

int run_lend_mount(const struct machine *machine)
{
	if (machine->plan->ids.writer != IDS_WRITER_MANAGER || machine->sources.lent_tree_fd >= 0)
		return 0;
	return nsresource_add_mount(NULL, machine->ids_fd, machine->sources.tree_fd);
}
