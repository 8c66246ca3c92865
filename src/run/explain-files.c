/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device nodes, and files that are written in the tree and on the host.
 * Zone: free.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/scope.h"
#include "config/device-values.h"
#include "mount/devices.h"
#include "mount/ifupdown.h"
#include "run/explain-rows.h"

/* --- Devices --- */

static void explain_number_pair(struct explanation *e, struct explain_row *row, unsigned int major,
				unsigned int minor)
{
	explain_text(e, row, "operation", "node");
	explain_number(e, row, "major", major);
	explain_number(e, row, "minor", minor);
}

/* Each request of the user's is in the list of what was said, in the same order. */
static struct explain_origin origin_of_request(const struct explanation *e, size_t request)
{
	const struct said_list *said = &e->config->said;

	for (size_t i = 0; i < said->count; i++)
		if (said->items[i].setting == SETTING_DEVICE && !said_is_reset(&said->items[i]) &&
		    request-- == 0)
			return explain_origin_of(e, &said->items[i]);
	return (struct explain_origin){.source = EXPLAIN_DEFAULT};
}

/*
 * In a user namespace no node can be made, and no filter be loaded. As root it is the host's root
 * who does both, unless that is root of a container only.
 */
bool explain_nodes_are_bound(const struct explanation *e)
{
	return !e->found->is_root || e->facts->ids.own.count > 0;
}

static void explain_given(struct explanation *e)
{
	bool is_bound = explain_nodes_are_bound(e);

	for (size_t i = 0; i < e->facts->devices.nodes.count; i++) {
		const struct device_node *node = &e->facts->devices.nodes.items[i];
		struct explain_row *row =
			explain_row(e, arena_format(e->arena, "/dev/%s", node->inside),
				    arena_format(e->arena,
						 is_bound ? "the host's %s is mounted, to %s"
							  : "made as the host's %s, to %s",
						 node->host, device_access_words(node->access)),
				    is_bound ? "with the host's owner and mode"
					     : "root's inside, and the host's is left alone");

		row->origin = origin_of_request(e, node->request);
		explain_number_pair(e, row, node->major, node->minor);
		explain_flag(e, row, "is_bound", is_bound);
		explain_text(e, row, "type", S_ISBLK(node->mode) ? "block" : "char");
		explain_text(e, row, "access", device_access_words(node->access));
	}
}

/* What is not allowed. Only a start finds out whether the kernel takes the program. */
static void explain_device_filter(struct explanation *e)
{
	bool has_cgroup = e->found->cgroup && e->found->cgroup_obstacle == 0,
	     is_filtered = has_cgroup && !explain_nodes_are_bound(e);
	struct explain_row *row;

	if (explain_nodes_are_bound(e))
		row = explain_row(e, "others", "cannot be made, but are not filtered",
				  "no more can be opened than you may open yourself");
	else if (has_cgroup)
		row = explain_row(
			e, "others", "can neither be opened nor made",
			"by a BPF program on the payload's cgroup, if the kernel takes it");
	else
		row = explain_row(e, "others", "are not kept out",
				  "without a cgroup of its own there is no place for a filter");
	row->origin = is_filtered ? row->origin : EXPLAIN_FOUND_ORIGIN;
	explain_text(e, row, "operation", "filter");
	explain_flag(e, row, "is_filtered", is_filtered);
	explain_number(e, row, "rules", (int64_t)e->plan->device_rules.count);
}

void explain_devices(struct explanation *e)
{
	bool is_bound = explain_nodes_are_bound(e);

	(void)explain_section(e, "devices",
			      is_bound ? "Devices, the host's mounted in /dev"
				       : "Devices, made new in /dev",
			      NULL);
	for (size_t i = 0; i < device_count; i++) {
		const struct device *device = &devices[i];
		bool is_missing = e->found->devices_missing & (UINT32_C(1) << i);
		struct explain_row *row;

		if (device->is_probed && is_missing)
			row = explain_row(e, device->host, is_bound ? "not there" : "not made",
					  "the host has none");
		else if (device->is_probed)
			row = explain_row(e, device->host,
					  is_bound ? "mounted if nspawn may open it"
						   : "made if nspawn may open the host's",
					  "what the host may not use, the payload may not either");
		else
			row = explain_row(e, device->host, is_bound ? "mounted" : "made", NULL);
		if (device->is_probed)
			row->origin = EXPLAIN_FOUND_ORIGIN;
		row->is_usual = !device->is_probed;
		explain_number_pair(e, row, device->major, device->minor);
		explain_flag(e, row, "is_bound", is_bound);
		explain_flag(e, row, "is_conditional", device->is_probed && !is_missing);
	}
	explain_given(e);
	explain_device_filter(e);
	for (size_t i = 0; i < device_link_count; i++) {
		struct explain_row *row =
			explain_row(e, arena_format(e->arena, "/dev/%s", device_links[i].name),
				    device_links[i].target, "a link");

		row->is_usual = true;
		explain_text(e, row, "operation", "link");
		explain_text(e, row, "target", device_links[i].target);
	}
}

/* --- Files --- */

static const char *const hows[] = {
	[HOW_AUTO] = "auto",       [HOW_OFF] = "off",   [HOW_COPY] = "copy",
	[HOW_REPLACE] = "replace", [HOW_BIND] = "bind", [HOW_SYMLINK] = "symlink",
	[HOW_DELETE] = "delete",
};
static_assert(ARRAY_LEN(hows) == HOW_DELETE + 1, "a word for each way");

/* What has no file of the host as its source. */
static const char *say_text(const struct host_file_action *action)
{
	if (action->how == HOW_BIND)
		return "a file made for it is mounted on it, read-only";
	return action->mark ? "lines are added to it" : "a file made for it";
}

static const char *say_how(const struct explanation *e, const struct host_file_action *action)
{
	if (action->text)
		return say_text(action);
	switch (action->how) {
	case HOW_COPY:
		return arena_format(e->arena, "what %s says is written into it", action->source);
	case HOW_REPLACE:
		return arena_format(e->arena, "replaced by a copy of %s", action->source);
	case HOW_BIND:
		return arena_format(e->arena, "%s of the host is mounted on it, read-only",
				    action->source);
	case HOW_SYMLINK:
		return arena_format(e->arena, "becomes a link to the zone %s", action->zone);
	case HOW_DELETE:
		return "deleted";
	case HOW_AUTO:
	case HOW_OFF:
	default:
		return "left alone";
	}
}

static const struct host_file_action *action_on(const struct host_file_plan *plan,
						const char *target)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->actions[i].target, target) == 0)
			return &plan->actions[i];
	return NULL;
}

static void explain_host_file(struct explanation *e, const char *target, enum setting setting,
			      const char *reason)
{
	const struct host_file_action *action = action_on(&e->plan->host_files, target);
	struct explain_row *row =
		explain_row(e, target, action ? say_how(e, action) : "left alone", reason);

	row->origin = explain_origin(e, setting);
	explain_text(e, row, "how", hows[action ? action->how : HOW_OFF]);
	explain_text(e, row, "source", action ? action->source : NULL);
	explain_text(e, row, "zone", action ? action->zone : NULL);
	if (action && action->text)
		explain_text(e, row, "text", action->text);
}

static void explain_network_file(struct explanation *e, const char *target, const char *reason)
{
	if (action_on(&e->plan->host_files, target))
		explain_host_file(e, target, SETTING_NETWORK_SETUP, reason);
}

static const char *resolv_reason(const struct explanation *e)
{
	if (e->config->resolv_conf != HOW_AUTO)
		return NULL;
	if (e->plan->net.setup.resolv_conf)
		return "the host's name servers are reached through the host";
	if (e->plan->net.setup.does_guest)
		return "the host asks only itself for names, which its machine cannot";
	if (e->config->private_network)
		return "the host's name servers need not be reachable from its network";
	return e->facts->host_files.etc_is_writable
		       ? "the host's name servers are its as well"
		       : "the host's name servers are its as well, and /etc is read-only";
}

static void explain_run_host(struct explanation *e)
{
	const struct run_host_request *request = &e->plan->run_host;
	bool is_random =
		e->facts->tree.machine_id_state != MACHINE_ID_VALID && !e->config->uuid_is_set;
	struct explain_row *row =
		explain_row(e, "/run/host/container-manager", request->service,
			    "by which programs know that they are in a container");

	if (strcmp(request->service, "systemd-nspawn") != 0)
		row->origin = explain_origin_variable("$SYSTEMD_NSPAWN_CONTAINER_SERVICE");
	(void)explain_row(e, "/run/host/container-uuid",
			  is_random ? "a random one" : request->machine_uuid, "the machine id");
	(void)explain_row(e, "/run/host/inaccessible/", "unreadable objects of every kind",
			  "to cover others with");
}

static void explain_users(struct explanation *e)
{
	const struct bound_users *users = &e->facts->bound_users;

	for (size_t i = 0; i < users->count; i++) {
		const struct bound_user *user = &users->items[i];
		struct explain_row *row = explain_rowf(
			e, arena_format(e->arena, "/run/host/userdb/%s.user", user->name),
			users->guest_cannot_ask ? "but nothing in the tree will read it"
						: "by which programs inside know the user",
			"user and group %u, which the host has as %u and %u; shell %s", user->id,
			user->host_uid, user->host_gid, user->shell ?: "of the tree's choice");

		row->origin = explain_origin_in(e, SETTING_BIND_USER, explain_has_word, user->name);
		explain_text(e, row, "user", user->name);
		explain_number(e, row, "id", user->id);
		explain_number(e, row, "host_uid", user->host_uid);
		explain_number(e, row, "host_gid", user->host_gid);
		explain_text(e, row, "home", user->home);
		explain_text(e, row, "host_home", user->host_home);
		explain_text(e, row, "shell", user->shell);
		*explain_list(e, row, "groups") = users->groups;
	}
}

void explain_files(struct explanation *e)
{
	(void)explain_section(e, "files", "Files", NULL);
	explain_run_host(e);
	explain_users(e);
	explain_host_file(e, "/etc/resolv.conf", SETTING_RESOLV_CONF, resolv_reason(e));
	explain_host_file(e, "/etc/localtime", SETTING_TIMEZONE,
			  e->config->timezone == HOW_AUTO ? "the time zone of the host" : NULL);
	explain_network_file(e, "/etc/hosts", "by which 'host' is the host");
	explain_network_file(e, NETWORK_FILE_INSIDE,
			     "by which a systemd-networkd in the machine keeps the addresses");
	explain_network_file(e, IFUPDOWN_DONE_INSIDE,
			     "by which ifup in the machine does not ask for others");
	if (e->plan->has_exchange) {
		(void)explain_row(e, e->plan->exchange.incoming, "made on the host",
				  "what is mounted there appears in the machine");
		(void)explain_row(e, e->plan->exchange.export, "made on the host",
				  "sockets of the machine appear there");
	}
}
