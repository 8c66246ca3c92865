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
#include "confine/syscalls.h"
#include "run/environment.h"

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

/*
 * The tree's own machine id wins, then the user's, then a random one, which is never written to the
 * tree.
 */
static void plan_identity(const struct config *config, const struct facts *facts, struct plan *plan)
{
	plan->machine = facts->machine;
	plan->has_exchange = config->start == START_BOOT;
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
	};
}

static int plan_capabilities(const struct config *config, const struct facts *facts,
			     struct capability_plan *ret)
{
	uint64_t wanted = CAPABILITIES_DEFAULT | config->capabilities_added |
			  (config->private_network ? CAPABILITY(NET_ADMIN) : 0);
	uint64_t missing;

	wanted &= ~config->capabilities_dropped;
	missing = config->capabilities_added & wanted & CAPABILITIES_ALL & ~facts->capabilities;
	/* Asking for all means all there are. */
	for (unsigned int number = 0;
	     number < 64 && (config->capabilities_added & CAPABILITIES_ALL) != CAPABILITIES_ALL;
	     number++)
		if (missing & (UINT64_C(1) << number))
			warn(0, "%s is not among nspawn's own capabilities, starting without it",
			     capability_name(number));
	ret->bounding = wanted & facts->capabilities;
	ret->ambient = config->capabilities_ambient;
	if (ret->ambient & ~ret->bounding)
		return refuse(
			EPERM,
			"Option '--ambient-capability' asks for capabilities that the payload does not retain");
	return 0;
}

static int plan_filter(struct arena *arena, const struct config *config, struct plan *plan)
{
	static const enum family_mode modes[] = {
		[FAMILIES_UNRESTRICTED] = FAMILIES_ANY,
		[FAMILIES_ALLOW] = FAMILIES_ONLY,
		[FAMILIES_DENY] = FAMILIES_EXCEPT,
	};
	struct syscall_request request = {
		.capabilities = plan->capabilities.bounding | plan->capabilities.ambient,
		.allow = (char *const *)config->syscalls_allowed.items,
		.deny = (char *const *)config->syscalls_denied.items,
		.sync_suppressed = config->suppress_sync,
		.family_mode = modes[config->families.policy],
		.families = config->families.items,
		.family_count = config->families.count,
	};
	const struct strings *lists[] = {&config->syscalls_allowed, &config->syscalls_denied};
	struct syscall_filter filter;
	int r;

	if (!config->syscall_filter)
		return 0;
	for (size_t list = 0; list < ARRAY_LEN(lists); list++)
		for (size_t i = 0; i < lists[list]->count; i++)
			if (!syscalls_word_is_known(lists[list]->items[i]))
				return refuse(
					EINVAL,
					"Option '--system-call-filter' names '%s', which is neither a system call nor a group",
					lists[list]->items[i]);
	r = syscalls_choose(&request, &filter);
	if (r < 0)
		return fail(r, "Cannot build the system call filter");
	plan->filter_length = filter.len;
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

int plan_make(struct arena *arena, const struct config *config, const struct facts *facts,
	      struct plan *ret)
{
	struct mount_facts mount_facts = {
		.network_is_private = config->private_network,
		.host_os_release = facts->host_os_release,
		.exchange = config->start == START_BOOT ? &ret->exchange : NULL,
	};

	ret->config = config;
	ret->facts = facts;
	ret->clone_flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
			   (config->private_network ? CLONE_NEWNET : 0);
	plan_identity(config, facts, ret);
	exchange_name(arena, ret->machine, &ret->exchange);
	mount_plan_make(arena, config, &mount_facts, &ret->mounts);
	host_files_plan(config, &facts->host_files, &ret->host_files);
	TRY(plan_capabilities(config, facts, &ret->capabilities));
	TRY(plan_filter(arena, config, ret));
	limits_plan(config, &ret->limits);
	console_decide(config->console, facts->is_terminal,
		       !facts->term || strcmp(facts->term, "dumb") == 0, &ret->console);
	plan_program(arena, config, ret);
	plan_stop(config, ret);
	environment_plan(arena, ret, &ret->environment);
	return 0;
}
