/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gathers the registry's entry out of config, facts, plan and what was made.
 * Zone: owing.
 */
#include "run/describe.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/port-values.h"
#include "net/net-live.h"
#include "run/environment.h"

static enum registry_changes kind_of_changes(const struct config *config, const struct plan *plan)
{
	if (plan->delta)
		return plan->delta_is_snapshot ? REGISTRY_CHANGES_SNAPSHOT
					       : REGISTRY_CHANGES_OVERLAY;
	if (config->volatile_mode == VOLATILE_YES || config->volatile_mode == VOLATILE_OVERLAY)
		return REGISTRY_CHANGES_LOST;
	return config->read_only || config->volatile_mode == VOLATILE_STATE
		       ? REGISTRY_CHANGES_NONE
		       : REGISTRY_CHANGES_IN_TREE;
}

/* The machine's own terminal, sockets and credentials are its first process's alone. */
static bool is_shared(const struct config *config, const char *assignment)
{
	static const char *const alone[] = {
		"TERM",       "COLORTERM",  "NO_COLOR",       "NOTIFY_SOCKET",
		"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "CREDENTIALS_DIRECTORY",
	};
	size_t length = strcspn(assignment, "=");

	for (size_t i = 0; i < ARRAY_LEN(alone); i++)
		if (strlen(alone[i]) == length && strncmp(alone[i], assignment, length) == 0)
			return environment_get(&config->environment, alone[i]) != NULL;
	return true;
}

static struct strings shared_environment(struct arena *arena, const struct plan *plan)
{
	struct strings shared = {0};

	for (size_t i = 0; i < plan->environment.count; i++)
		if (is_shared(plan->config, plan->environment.items[i]))
			strings_add(arena, &shared, plan->environment.items[i]);
	return shared;
}

/* Without the dashes. */
static const char *plain_uuid(struct arena *arena, const char *dashed)
{
	char *plain = arena_copy(arena, dashed), *end = plain;

	for (; *dashed; dashed++)
		if (*dashed != '-')
			*end++ = *dashed;
	*end = '\0';
	return plain;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t end_length = strlen(end);

	return length > end_length && strncmp(text + length - end_length, end, end_length) == 0;
}

/* The innermost service or scope in the path of a group: groups below it are not the manager's. */
static const char *unit_of_group(struct arena *arena, const char *directory)
{
	const char *unit = NULL;

	for (const char *name = directory; *name;) {
		size_t length = strcspn(name, "/");

		if (ends_with(name, length, ".service") || ends_with(name, length, ".scope"))
			unit = arena_copy_n(arena, name, length);
		name += length + (name[length] == '/');
	}
	return unit;
}

static void describe_unit(struct run *run, const struct machine *machine,
			  struct registry_entry *ret)
{
	struct arena *arena = &run->config.arena;

	ret->unit_is_users = run->facts.places.is_user;
	if (run->managers.unit)
		ret->unit = run->managers.unit;
	else if (machine->has_cgroup && run->config.keep_unit)
		ret->unit = unit_of_group(arena, machine->cgroup.directory);
	if (machine->has_cgroup)
		ret->cgroup = arena_format(arena, "%s/payload", machine->cgroup.directory);
}

static void describe_confinement(struct run *run, struct registry_entry *ret)
{
	const struct plan *plan = &run->plan;

	ret->caps_bounding = plan->capabilities.bounding;
	ret->caps_ambient = plan->capabilities.ambient;
	ret->no_new_privileges = run->config.no_new_privileges;
	ret->filter = !plan->filter ? "none" : plan->filter_is_own ? "own" : "default";
	ret->environment = shared_environment(&run->config.arena, plan);
}

static int64_t root_outside(const struct ids *ids)
{
	if (ids->writer == IDS_WRITER_NONE)
		return 0;
	return ids->maps.users.count > 0 ? id_map_to_outside(&ids->maps.users, 0) : ids->shift;
}

bool describe(struct run *run, const struct machine *machine, struct registry_entry *ret)
{
	static const char *const starts[] = {
		[START_COMMAND] = "command", [START_PID2] = "pid2", [START_BOOT] = "boot"};
	const struct plan *plan = &run->plan;
	struct arena *arena = &run->config.arena;
	char path[PATH_MAX];
	struct timespec now;
	struct stat status;

	if (fd_path(run->tree_fd, path) < 0 || fstat(run->tree_fd, &status) < 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct registry_entry){
		.machine = plan->machine,
		.directory = locks_name_directory(arena, &run->locks),
		.supervisor = getpid(),
		.tree = arena_copy(arena, path),
		.tree_device = status.st_dev,
		.tree_inode = status.st_ino,
		.kind = kind_of_changes(&run->config, plan),
		.changes = plan->delta,
		.owners_from = plan->ids.ownership == IDS_OWNERSHIP_MAP
				       ? (int64_t)plan->ids.tree_base
				       : -1,
		.started_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
		.uuid = plain_uuid(arena, plan->machine_uuid),
		.service = "nspawn",
		.start = starts[run->config.start],
		.init = init_kind_name(run->facts.tree.init_kind),
		.shift = root_outside(&plan->ids),
		.has_own_network = plan->clone_flags & CLONE_NEWNET,
	};
	describe_unit(run, machine, ret);
	describe_confinement(run, ret);
	return true;
}

/* --- Written --- */

/* Room for all that may be added is there from the first time on. */
static void list_interfaces(struct machine *machine)
{
	struct registry_interfaces *list = &machine->entry->interfaces;
	const struct net *net = &machine->net;
	size_t links = net->plan ? net->plan->count : 0, count = 0;
	int *items = machine->interfaces;

	if (!items)
		items = arena_allocate(machine->arena, (links + NET_LIVE_MAX) * sizeof(*items));
	machine->interfaces = items;
	for (size_t i = 0; i < links; i++)
		if (net->plan->items[i].kind == LINK_VETH && net->links[i].index > 0)
			items[count++] = net->links[i].index;
	for (size_t i = 0; i < net->live_count; i++)
		if (net_live_index(net, i) > 0)
			items[count++] = net_live_index(net, i);
	*list = (struct registry_interfaces){items, count};
}

static void list_ports(struct machine *machine)
{
	machine->entry->ports = port_texts(machine->arena, &machine->ports.published);
	machine->entry->host_ports = port_texts(machine->arena, &machine->ports.of_host);
}

static void remove_filter(void *argument)
{
	const struct machine *machine = argument;

	(void)unlink(arena_format(machine->arena, "%s/" REGISTRY_FILTER_FILE,
				  machine->entry->directory));
}

static void write_filter(struct machine *machine)
{
	const struct plan *plan = machine->plan;
	int r;

	if (!plan->filter_is_own || !machine->entry->directory)
		return;
	undo_push(machine->undo, remove_filter, machine, "filter for other commands");
	r = registry_write_filter(machine->entry->directory, plan->filter, plan->filter_length);
	if (r < 0)
		warn(r,
		     "Cannot note the system call filter of machine '%s', leaving commands that "
		     "enter it without",
		     plan->machine);
}

void describe_again(const struct machine *machine)
{
	int r = machine->entry ? registry_write(machine->locks, machine->entry) : 0;

	if (r < 0)
		warn(r, "Cannot note that machine '%s' runs, hiding it from other commands",
		     machine->plan->machine);
}

void describe_running(struct machine *machine)
{
	if (!machine->entry)
		return;
	machine->entry->leader = machine->pid;
	list_interfaces(machine);
	list_ports(machine);
	write_filter(machine);
	describe_again(machine);
}

void describe_links(struct machine *machine)
{
	if (!machine->entry)
		return;
	list_interfaces(machine);
	list_ports(machine);
	describe_again(machine);
}
