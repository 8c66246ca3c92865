/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Assembles the plans of the domains into one.
 * Zone: free.
 */
#include "run/plan.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/capability-names.h"
#include "confine/confine-plan.h"
#include "confine/syscalls.h"
#include "mount/api-mounts.h"
#include "mount/ephemeral.h"
#include "run/environment.h"
#include "run/journal-remote.h"

static void format_uuid(const uint8_t bytes[16], char ret[37])
{
	char *end = ret;

	for (size_t i = 0; i < 16; i++)
		end += sprintf(end, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			       bytes[i]);
}

/* Random bytes as a version 4 UUID (RFC 9562). */
static void format_random_uuid(const uint8_t random[16], char ret[37])
{
	uint8_t bytes[16];

	memcpy(bytes, random, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	format_uuid(bytes, ret);
}

/* As machine-id(5) wants it: without dashes. */
static const char *format_machine_id(struct arena *arena, const char *uuid)
{
	char *text = arena_copy(arena, uuid), *end = text;

	for (; *uuid; uuid++)
		if (*uuid != '-')
			*end++ = *uuid;
	*end = '\0';
	return text;
}

/*
 * The tree's own machine id wins, then the user's, then a random one, which is never written to the
 * tree.
 */
static void plan_identity(struct arena *arena, const struct config *config,
			  const struct facts *facts, struct plan *plan)
{
	plan->machine = facts->machine;
	/* Where others give the ids, their policy keeps machines from writing to the host's memory.
	 */
	plan->has_exchange = config->start == START_BOOT &&
			     plan->ids.writer != IDS_WRITER_MANAGER &&
			     exchange_name(arena, &facts->places, facts->machine, &plan->exchange);
	plan->hostname = config->hostname ? config->hostname : facts->machine;
	if (facts->tree.machine_id_state == MACHINE_ID_VALID)
		format_uuid(facts->tree.machine_id, plan->machine_uuid);
	else if (config->uuid_is_set)
		format_uuid(config->uuid, plan->machine_uuid);
	else
		format_random_uuid(facts->random, plan->machine_uuid);
	format_random_uuid(facts->random + 16, plan->boot_id);
	plan->run_host = (struct run_host_request){
		.service = config->container_service,
		.machine_uuid = plan->machine_uuid,
		.boot_id = plan->boot_id,
		.has_exchange = plan->has_exchange,
		.has_nesting = config->nesting,
		.has_manager_sockets = plan->config->private_users_delegate > 0,
		.has_credentials = config->credentials.count > 0,
		.has_journal_socket = config->forward_journal != NULL,
		.bound_users = &facts->bound_users,
		.ids = &plan->ids,
	};
}

/* Asked for by name; who asks for all means all that there are. */
static void warn_of_vain(const struct config *config, uint64_t vain)
{
	bool asks_for_all = (config->capabilities_added & CAPABILITIES_ALL) == CAPABILITIES_ALL;

	if (asks_for_all || !(vain & config->capabilities_added & ~config->capabilities_dropped))
		return;
	warn(0,
	     "CAP_NET_BIND_SERVICE of a user namespace opens no port of the host's network, starting without it");
	hint("Pass a listening socket by LISTEN_FDS, lower net.ipv4.ip_unprivileged_port_start on the host, or use --private-network");
}

static int refuse_ambient(unsigned int number, uint64_t vain)
{
	(void)refuse(EPERM,
		     "Option '--ambient-capability' asks for %s, which the payload does not retain",
		     capability_name(number));
	if (vain & (UINT64_C(1) << number))
		hint("Ports below 1024 of the host's network are not a user namespace's: use --private-network, or pass a listening socket");
	else
		hint("Give it by '--capability=' as well, if nspawn has it itself");
	return -EPERM;
}

static int plan_capabilities(const struct config *config, const struct facts *facts,
			     const struct ids *ids, struct capability_plan *ret)
{
	bool has_user_namespace = ids->writer != IDS_WRITER_NONE;
	uint64_t vain = confine_vain_capabilities(config, has_user_namespace);
	uint64_t wanted = confine_capabilities(config, has_user_namespace);
	/* Root of a user namespace has all of them, there. */
	uint64_t held = has_user_namespace ? CAPABILITIES_ALL : facts->capabilities;
	uint64_t missing = config->capabilities_added & wanted & CAPABILITIES_ALL & ~held;

	/* Asking for all means all there are. */
	for (unsigned int number = 0;
	     number < 64 && (config->capabilities_added & CAPABILITIES_ALL) != CAPABILITIES_ALL;
	     number++)
		if (missing & (UINT64_C(1) << number))
			warn(0, "%s is not among nspawn's own capabilities, starting without it",
			     capability_name(number));
	warn_of_vain(config, vain);
	ret->bounding = wanted & held;
	ret->ambient = config->capabilities_ambient;
	ret->groups_are_fixed = ids->writer == IDS_WRITER_SINGLE;
	for (unsigned int number = 0; number < 64; number++)
		if (ret->ambient & ~ret->bounding & (UINT64_C(1) << number))
			return refuse_ambient(number, vain);
	return 0;
}

static int plan_filter(struct arena *arena, const struct config *config, struct plan *plan)
{
	uint64_t capabilities = plan->capabilities.bounding | plan->capabilities.ambient;
	struct syscall_request request = confine_request(config, capabilities);
	const char *unknown = confine_unknown_word(config);
	struct syscall_filter filter;
	int r;

	if (!config->syscall_filter)
		return 0;
	if (unknown)
		return refuse(
			EINVAL,
			"The system call filter names '%s', which is neither a system call nor a group",
			unknown);
	r = syscalls_choose(&request, &filter);
	if (r < 0)
		return fail(r, "Cannot build the system call filter");
	plan->filter_length = filter.len;
	plan->filter_is_own = filter.owned;
	if (filter.owned) {
		plan->filter = arena_allocate(arena, filter.len * sizeof(*plan->filter));
		memcpy((void *)plan->filter, filter.program, filter.len * sizeof(*plan->filter));
	} else {
		plan->filter = filter.program;
	}
	syscall_filter_done(&filter);
	return 0;
}

static void add_all(struct arena *arena, struct strings *list, const char *const *items)
{
	for (; *items; items++)
		strings_add(arena, list, *items);
}

static void plan_program(struct arena *arena, const struct config *config, struct plan *plan)
{
	static const char *const inits[] = {"/usr/lib/systemd/systemd", "/lib/systemd/systemd",
					    "/sbin/init", NULL};
	static const char *const shells[] = {"/bin/bash", "/bin/sh", NULL};

	if (config->start == START_BOOT) {
		add_all(arena, &plan->programs, inits);
		strings_add(arena, &plan->arguments,
			    "init"); /* replaced by the path that is found */
	} else if (config->words.count == 0) {
		plan->is_login_shell = true;
		add_all(arena, &plan->programs, shells);
		strings_add(arena, &plan->arguments, "-sh");
	}
	for (size_t i = 0; i < config->words.count; i++)
		strings_add(arena, &plan->arguments, config->words.items[i]);
}

static void plan_stop(const struct config *config, struct plan *plan)
{
	plan->kill_signal = config->kill_signal;
	plan->uses_init_protocol = config->start == START_BOOT && config->kill_signal == 0;
}

/* By its id alone such a root may write to what a fresh procfs shows, see mount_lock(). */
static int check_nesting(const struct config *config, const struct facts *facts,
			 const struct ids *ids)
{
	/* In a container ourselves, id 0 is not the host's. */
	bool has_host_root =
		facts->ids.own.count == 0 && id_map_to_inside(&ids->maps.users, 0) != UINT32_MAX;
	/* Where nothing starts, the range may not be known yet; it never begins at 0. */
	bool is_unknown = ids_wants_range(config, &facts->ids) && !facts->ids.has_range;

	if (!config->nesting || !has_host_root || is_unknown)
		return 0;
	(void)refuse(EPERM, "Cannot nest containers: root of this one has the host's id");
	hint("The kernel's settings obey that id, and each container inside would mount them: use '--private-users=pick'");
	return -EPERM;
}

/* What of the host and the tree the mounts depend on, and the mounts. */
static void plan_mounts(struct arena *arena, const struct config *config, const struct facts *facts,
			struct plan *ret)
{
	struct mount_facts mount_facts = {
		.tree_is_unseen = facts->tree.is_unseen,
		.network_is_private = config->private_network,
		.network_is_joined = config->network_namespace_path != NULL,
		.ids_are_own = ret->ids.writer != IDS_WRITER_NONE,
		.sysfs_is_bound = ret->ids.writer > IDS_WRITER_SELF || facts->network_is_anothers,
		/* The kernel would refuse the mount, not only ignore the option. */
		.has_no_tty_group =
			ret->ids.maps.groups.count > 0 &&
			id_map_to_outside(&ret->ids.maps.groups, API_TTY_GROUP) == UINT32_MAX,
		.context = facts->labels.has_selinux ? config->selinux_apifs_context : NULL,
		.host_os_release = facts->host_os_release,
		.exchange = ret->has_exchange ? &ret->exchange : NULL,
		.journal_directory =
			ret->journal.how == JOURNAL_BIND ? ret->journal.directory : NULL,
		.journal_is_try = ret->journal.is_try,
		.journal_socket =
			config->forward_journal
				? journal_remote_socket(arena, &facts->places, ret->machine)
				: NULL,
		.delta = ret->delta_is_snapshot ? NULL : ret->delta,
		.machine_id =
			facts->is_host_root ? format_machine_id(arena, ret->machine_uuid) : NULL,
		.whole_tree = facts->directory,
		.bound_users = &facts->bound_users,
		.devices = &facts->devices,
	};

	mount_plan_make(arena, config, &mount_facts, &ret->mounts);
}

/* What cannot be changed needs no place for changes. */
static void plan_changes(struct arena *arena, const struct config *config,
			 const struct facts *facts, struct plan *ret)
{
	const char *parent = facts->snapshot_directory     ? facts->snapshot_directory
			     : config->ephemeral_directory ? config->ephemeral_directory
							   : facts->places.changes;

	if (!config->ephemeral || config->read_only)
		return;
	ret->delta = ephemeral_path(arena, parent, facts->random + 24);
	ret->delta_is_snapshot = facts->snapshot_directory != NULL;
}

static void plan_console(const struct config *config, const struct facts *facts,
			 struct console_plan *ret)
{
	console_decide(config->console, facts->is_terminal,
		       !facts->term || strcmp(facts->term, "dumb") == 0, ret);
	/* A command that writes to nobody has nothing left to do, as in any pipeline. */
	ret->ends_with_reader = config->start != START_BOOT;
	console_decide_tint(config->tint ? config->background : NULL, facts->is_terminal,
			    facts->colours_are_wanted, ret);
}

/* What the machine's own programs are told of a network that we set up. */
static void plan_network_files(const struct config *config, const struct facts *facts,
			       struct plan *ret)
{
	const struct net_setup_plan *setup = &ret->net.setup;
	const struct network_texts texts = {
		.resolv_conf = setup->resolv_conf,
		.hosts = setup->hosts,
		.hosts_mark = NET_HOSTS_MARK,
		.network_file = setup->network_file,
	};

	host_files_plan_network(config, &facts->host_files, &texts, &ret->host_files);
}

int plan_make(struct arena *arena, const struct config *config, const struct facts *facts,
	      struct plan *ret)
{
	int ids, journal, net, r;

	ret->config = config;
	ret->facts = facts;
	ids = ids_decide(arena, config, &facts->ids, &ret->ids);
	ret->clone_flags =
		CLONE_NEWNS | (config->share_pid ? 0 : CLONE_NEWPID) |
		(config->share_uts ? 0 : CLONE_NEWUTS) | (config->share_ipc ? 0 : CLONE_NEWIPC) |
		(config->private_network && !config->network_namespace_path ? CLONE_NEWNET : 0);
	plan_identity(arena, config, facts, ret);
	journal =
		journal_plan_make(arena, config, &facts->journal, ret->machine_uuid, &ret->journal);
	plan_changes(arena, config, facts, ret);
	plan_mounts(arena, config, facts, ret);
	device_rules_make(arena, config, &facts->devices, &ret->device_rules);
	host_files_plan(config, &facts->host_files, &ret->host_files);
	limits_plan(config, &facts->limits, &ret->limits);
	plan_console(config, facts, &ret->console);
	plan_program(arena, config, ret);
	plan_stop(config, ret);
	environment_plan(arena, ret, &ret->environment);
	net = net_plan_make(arena, config, ret->machine, &facts->net, &ret->net);
	plan_network_files(config, facts, ret);
	/* What can be refused comes last, so that the rest of a refused plan can still be shown. */
	r = plan_capabilities(config, facts, &ret->ids, &ret->capabilities);
	TRY(ids);
	TRY(check_nesting(config, facts, &ret->ids));
	TRY(journal);
	TRY(net);
	TRY(r);
	TRY(labels_plan(config, &facts->labels, &ret->labels));
	return plan_filter(arena, config, ret);
}
