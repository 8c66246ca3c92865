/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was asked and found, and where the machine will live: locks, cgroup, namespaces.
 * Zone: free.
 */
#include <sched.h>
#include <string.h>

#include "base/scope.h"
#include "config/check.h"
#include "config/values.h"
#include "manager/cgroup-find.h"
#include "manager/resources.h"
#include "manager/scope.h"
#include "mount/exchange.h"
#include "run/explain-rows.h"

/* --- Machine --- */

/* The last of the settings that said something. */
static struct explain_origin origin_of_any(const struct explanation *e, enum setting first,
					   enum setting second)
{
	struct explain_origin origin = explain_origin(e, first);

	return origin.source == EXPLAIN_DEFAULT ? explain_origin(e, second) : origin;
}

static void explain_start_mode(struct explanation *e)
{
	struct explain_row *row;

	switch (e->config->start) {
	case START_BOOT:
		row = explain_row(e, "start", "boot", "the tree's own init is process 1");
		row->origin = explain_origin(e, SETTING_BOOT);
		break;
	case START_PID2:
		row = explain_row(e, "start", "command below a stub init",
				  "the stub is process 1 and reaps, the command process 2");
		row->origin = explain_origin(e, SETTING_AS_PID2);
		break;
	case START_COMMAND:
	default:
		row = explain_row(e, "start", "command", "the command is process 1");
		break;
	}
}

static void explain_system(struct explanation *e)
{
	const struct os_tree *tree = &e->facts->tree;
	struct explain_row *row;

	if (e->config->start != START_BOOT)
		return;
	row = explain_row(e, "system",
			  tree->identity.pretty_name ? tree->identity.pretty_name
			  : tree->identity.id        ? tree->identity.id
			  : tree->has_os_release     ? "without a name"
						     : "unknown",
			  "what the tree's os-release says");
	row->origin = EXPLAIN_FOUND_ORIGIN;
	explain_text(e, row, "id", tree->identity.id);
	explain_text(e, row, "version_id", tree->identity.version_id);
	row = explain_row(e, "init", e->found->tree_is_unseen ? "unknown" : "none",
			  "the first init program that the tree has");
	row->origin = EXPLAIN_FOUND_ORIGIN;
	if (tree->init_path)
		row->value = arena_format(e->arena, "%s, %s", init_kind_name(tree->init_kind),
					  tree->init_path);
	explain_text(e, row, "kind", tree->init_path ? init_kind_name(tree->init_kind) : NULL);
	explain_text(e, row, "path", tree->init_path);
}

static void explain_machine_id(struct explanation *e)
{
	static const char *const reasons[] = {
		[MACHINE_ID_MISSING] = "the tree has none; it is not written there",
		[MACHINE_ID_EMPTY] = "the tree's machine-id is empty; it is not written there",
		[MACHINE_ID_UNINITIALIZED] =
			"the tree's machine-id is 'uninitialized'; it is not written there",
		[MACHINE_ID_INVALID] =
			"the tree's machine-id is malformed; it is not written there",
		[MACHINE_ID_VALID] = "the tree has it in /etc/machine-id",
	};
	enum machine_id_state state = e->facts->tree.machine_id_state;
	bool is_asked = e->config->uuid_is_set, is_found = state == MACHINE_ID_VALID;
	struct explain_row *row = explain_row(
		e, "machine id", is_found || is_asked ? e->plan->machine_uuid : "a random one",
		e->found->tree_is_unseen ? "if the tree has none" : reasons[state]);

	explain_flag(e, row, "is_random", !is_found && !is_asked);
	if (is_found)
		row->origin = EXPLAIN_FOUND_ORIGIN;
	else if (is_asked)
		row->origin = explain_origin(e, SETTING_UUID);
	if (is_found && is_asked)
		row->reason = "the tree's own in /etc/machine-id counts before --uuid";
}

static void explain_tree(struct explanation *e)
{
	const struct config *config = e->config;
	struct explain_row *row;

	row = explain_row(e, "tree", e->facts->directory,
			  config->directory ? NULL
			  : config->machine ? "found by the machine's name"
					    : "the current directory");
	row->origin =
		config->directory ? explain_origin(e, SETTING_DIRECTORY) : EXPLAIN_FOUND_ORIGIN;
	if (e->facts->template) {
		row = explain_row(e, "template", e->facts->template,
				  e->facts->template_is_snapshot
					  ? "the tree is not there yet: a snapshot of this is made"
					  : "the tree is not there yet: a copy of this is made");
		row->origin = explain_origin(e, SETTING_TEMPLATE);
		explain_flag(e, row, "is_snapshot", e->facts->template_is_snapshot);
	} else if (config->template) {
		row = explain_row(e, "template", "unused", "the tree is there already");
		row->origin = explain_origin(e, SETTING_TEMPLATE);
	}
	if (config->pivot_new) {
		row = explain_row(e, "root",
				  arena_format(e->arena, "%s of the tree", config->pivot_new),
				  "everything else is looked for in it");
		row->origin = explain_origin(e, SETTING_PIVOT_ROOT);
	}
	row = explain_row(e, "tree is", config_keeps_tree(config) ? "read-only" : "writable", NULL);
	row->origin = explain_origin(e, SETTING_READ_ONLY);
	if (config->volatile_mode != VOLATILE_NO || config->ephemeral) {
		row->reason = e->plan->delta_is_snapshot ? "changes go to the snapshot"
							 : "changes go elsewhere, see Mounts";
		row->origin =
			explain_origin(e, config->ephemeral ? SETTING_EPHEMERAL : SETTING_VOLATILE);
	} else if (config->read_only && row->origin.source == EXPLAIN_DEFAULT) {
		row->reason = "the image is, or something else is mounted on the root";
		row->origin = EXPLAIN_FOUND_ORIGIN;
	}
	explain_flag(e, row, "read_only", config_keeps_tree(config));
	if (e->plan->delta_is_snapshot) {
		row = explain_row(
			e, "snapshot", e->plan->delta,
			"made of the tree, a subvolume of btrfs, and gone with the machine");
		row->origin = explain_origin(e, SETTING_EPHEMERAL);
	}
}

/* Whose machine it is. */
static void explain_scope(struct explanation *e)
{
	bool is_user = e->facts->places.is_user;
	struct explain_row *row = explain_row(
		e, "scope", is_user ? "user" : "system",
		is_user ? "directories and service manager of your own" : "started as root");

	if (e->config->scope != SCOPE_AUTO)
		row->origin = explain_origin(e, is_user ? SETTING_USER : SETTING_SYSTEM);
	explain_flag(e, row, "is_user", is_user);
	explain_flag(e, row, "is_root", e->found->is_root);
}

void explain_machine(struct explanation *e)
{
	const struct config *config = e->config;
	const char *named = machine_name_from_path(e->arena, e->facts->directory);
	bool is_numbered = named && strcmp(e->plan->machine, named) != 0;
	struct explain_row *row;

	(void)explain_section(e, "machine", "Machine", NULL);
	row = explain_row(e, "name", e->plan->machine,
			  config->machine     ? NULL
			  : config->ephemeral ? "from the directory, one of many of that name"
			  : is_numbered       ? "from the directory, numbered: the name is taken"
					      : "from the directory");
	row->origin = explain_origin(e, SETTING_MACHINE);
	explain_tree(e);
	explain_start_mode(e);
	explain_system(e);
	row = explain_row(e, "host name", e->plan->hostname,
			  config->hostname ? NULL : "the name of the machine");
	row->origin = explain_origin(e, SETTING_HOSTNAME);
	explain_machine_id(e);
	row = explain_row(e, "boot id", "a random one", "each start looks like a boot of its own");
	explain_flag(e, row, "is_random", true);
	if (config->no_os_check || !config->check_os_release)
		explain_row(e, "check", "none", "it need not look like an operating system")
			->origin =
			config->no_os_check
				? explain_origin(e, SETTING_NO_OS_CHECK)
				: explain_origin_variable("$SYSTEMD_NSPAWN_CHECK_OS_RELEASE");
	if (!e->found->has_scope && (config->slice || !resources_are_all_properties(config))) {
		row = explain_row(e, "unit", "none",
				  "without a service manager, slice and properties have no effect");
		row->origin = origin_of_any(e, SETTING_SLICE, SETTING_PROPERTY);
	}
	if (config->register_machine == TRISTATE_YES && !e->found->has_manager)
		explain_row(e, "registered", "nowhere", "there is no machine manager to be told")
			->origin = explain_origin(e, SETTING_REGISTER);
	else if (config->register_machine != TRISTATE_NO && e->found->has_manager)
		explain_row(e, "registered",
			    config->register_machine == TRISTATE_YES ? "yes" : "if possible",
			    "machinectl shows it")
			->origin = explain_origin(e, SETTING_REGISTER);
	explain_scope(e);
}

/* --- Places --- */

static void explain_locks(struct explanation *e)
{
	const struct config *config = e->config;
	const struct explain_found *found = e->found;
	const char *who = config_keeps_tree(config)
				  ? "shared: machines that do not change it may use it together"
				  : "no other machine may use the tree meanwhile";
	const struct {
		const char *name, *path, *reason;
	} rows[] = {
		{"machine", found->name_lock, "no other machine may have the name meanwhile"},
		{"tree", found->tree_lock, who},
		{"tree's inode", found->inode_lock,
		 "the same, by whatever path the tree is reached"},
	};

	(void)explain_section(e, "locks", "Locks, held while the machine runs", "None is taken.");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].path)
			(void)explain_row(e, rows[i].name, rows[i].path, rows[i].reason);
	if (!config->locks)
		explain_row(e, "tree", "not locked", "two machines may use it at once")->origin =
			explain_origin_variable("$SYSTEMD_NSPAWN_LOCK");
}

static void explain_cgroup(struct explanation *e)
{
	const struct config *config = e->config;
	const struct explain_found *found = e->found;
	const char *base;
	struct explain_row *row;

	(void)explain_section(e, "cgroup", "Control group", NULL);
	if (found->has_scope) {
		row = explain_row(
			e, "machine", scope_unit_name(e->arena, e->plan->machine),
			e->facts->places.is_user
				? "asked of your service manager, which leaves it to the machine"
				: "asked of the service manager, which leaves it to the machine");
		row->origin = EXPLAIN_FOUND_ORIGIN;
		row = explain_row(e, "slice", scope_slice_name(e->arena, config->slice), NULL);
		row->origin = explain_origin(e, SETTING_SLICE);
		for (size_t i = 0; i < config->properties.count; i++)
			explain_row(e, "property", config->properties.items[i], NULL)->origin =
				explain_origin(e, SETTING_PROPERTY);
		return;
	}
	if (!found->cgroup || found->cgroup_obstacle != 0) {
		row = explain_row(e, "machine", "none",
				  found->cgroup_obstacle == CGROUP_NOT_WRITABLE
					  ? "ours cannot be divided: it stays in the caller's"
					  : "no cgroup2 hierarchy: it stays in the caller's");
		row->origin = EXPLAIN_FOUND_ORIGIN;
		return;
	}
	base = config->keep_unit
		       ? found->cgroup
		       : arena_format(e->arena, "%s/nspawn-%s", found->cgroup, e->plan->machine);
	row = explain_row(e, "machine", base,
			  config->keep_unit ? "the one that nspawn runs in"
					    : "made below the one that nspawn runs in");
	row->origin = explain_origin(e, SETTING_KEEP_UNIT);
	(void)explain_rowf(e, "payload", "the machine's own; nothing in it limits it", "%s/payload",
			   base);
	if (config->keep_unit || config->start == START_BOOT)
		(void)explain_rowf(e, "nspawn itself", "out of the way of the machine's limits",
				   "%s/supervisor", base);
}

/* Of a namespace that stays the host's although others are new by default. */
static struct explain_origin sharing_origin(const struct explanation *e, const char *variable)
{
	struct explain_origin origin = explain_origin(e, SETTING_SHARE_SYSTEM);

	return origin.source == EXPLAIN_DEFAULT ? explain_origin_variable(variable) : origin;
}

/* The last link of which somebody said something, where nobody said it of the network as a whole.
 */
struct explain_origin explain_network_origin(const struct explanation *e)
{
	struct explain_origin origin = explain_origin(e, SETTING_PRIVATE_NETWORK);

	for (size_t i = 0; i < e->plan->net.count && origin.source == EXPLAIN_DEFAULT; i++)
		origin = explain_origin(e, e->plan->net.items[i].setting);
	return origin;
}

static void explain_network_namespace(struct explanation *e, struct explain_row *row)
{
	row->origin = explain_network_origin(e);
	if (e->plan->net.count > 0) {
		row->reason = "the loopback interface, and what is below";
	} else if (e->plan->net.namespace_path) {
		row->value = "another";
		row->reason = "the one that is joined, see below";
		row->origin = explain_origin(e, SETTING_NETWORK_NAMESPACE_PATH);
	}
}

static void explain_namespaces(struct explanation *e)
{
	static const struct {
		const char *name;
		uint64_t flag;
		const char *if_new, *if_shared, *variable;
	} rows[] = {
		{"mount", CLONE_NEWNS, "mounts of its own", NULL, NULL},
		{"pid", CLONE_NEWPID, "sees and reaches only its own processes",
		 "sees all processes of the host", "$SYSTEMD_NSPAWN_SHARE_NS_PID"},
		{"uts", CLONE_NEWUTS, "a host name of its own", "the host's name",
		 "$SYSTEMD_NSPAWN_SHARE_NS_UTS"},
		{"ipc", CLONE_NEWIPC, "message queues and shared memory of its own",
		 "message queues and shared memory of the host", "$SYSTEMD_NSPAWN_SHARE_NS_IPC"},
		{"network", CLONE_NEWNET, "nothing but the loopback interface",
		 "interfaces, addresses and ports of the host", NULL},
		{"user", CLONE_NEWUSER, "root inside has its rights inside only",
		 "root inside is root of the host, less what is dropped below", NULL},
	};
	bool has_cgroup = e->config->cgroup_namespace;
	uint64_t flags = e->plan->clone_flags | (explain_has_user_namespace(e) ? CLONE_NEWUSER : 0);
	struct explain_row *row;

	(void)explain_section(e, "namespaces", "Namespaces", NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_new = flags & rows[i].flag;

		row = explain_row(e, rows[i].name, is_new ? "new" : "the host's",
				  is_new ? rows[i].if_new : rows[i].if_shared);
		if (rows[i].flag == CLONE_NEWNET)
			explain_network_namespace(e, row);
		else if (!is_new && rows[i].variable)
			row->origin = sharing_origin(e, rows[i].variable);
		else if (rows[i].flag == CLONE_NEWUSER)
			row->origin = explain_origin_of_ids(e);
		explain_flag(e, row, "is_new", is_new);
	}
	row = explain_row(e, "cgroup", has_cgroup ? "new" : "the host's",
			  has_cgroup ? "sees its own groups only" : "sees all groups");
	if (!has_cgroup)
		row->origin = explain_origin_variable("$SYSTEMD_NSPAWN_USE_CGNS");
	explain_flag(e, row, "is_new", has_cgroup);
}

/* What the whole machine may use. */
static void explain_resources(struct explanation *e)
{
	struct resource_wish wishes[_RESOURCE_COUNT];
	char text[RESOURCE_TEXT_MAX];

	resources_wanted(e->config, wishes);
	for (int i = 0; i < _RESOURCE_COUNT; i++) {
		const struct resource_kind *kind = &resource_kinds[i];

		if (!wishes[i].is_set)
			continue;
		resource_format((enum resource)i, wishes[i].value, text);
		explain_row(e, kind->name, arena_format(e->arena, "%s = %s", kind->file, text),
			    e->found->has_scope ? "said to the service manager"
						: "written before anything runs in the group")
			->origin = explain_origin(e, wishes[i].is_property
							     ? SETTING_PROPERTY
							     : (enum setting)(SETTING_MEMORY + i));
	}
}

void explain_places(struct explanation *e)
{
	explain_locks(e);
	explain_cgroup(e);
	explain_resources(e);
	explain_namespaces(e);
}
