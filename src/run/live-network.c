/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Failures are the client's to hear, what else is said is the supervisor's.
 * Zone: owing, in the supervisor.
 */
#include "run/live-network.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/new-link-values.h"
#include "config/port-values.h"
#include "net/net-live.h"
#include "run/describe.h"
#include "run/launch.h"

/* --- What is said meanwhile --- */

struct listener {
	struct arena *arena;
	const char *text;
};

static void hear(const struct log_message *message, void *userdata)
{
	struct listener *listener = userdata;

	if (message->level != LOG_FAILURE) {
		log_set_sink(NULL, NULL);
		log_forward(message);
		log_set_sink(hear, listener);
	} else if (listener->text) {
		listener->text =
			arena_format(listener->arena, "%s\n%s", listener->text, message->sentence);
	} else {
		listener->text =
			message->error < 0
				? arena_format(listener->arena, "%s: %s", message->sentence,
					       strerror(-message->error))
				: arena_copy(listener->arena, message->sentence);
	}
}

/* What the client hears: nothing if it went well, which is noted then. */
static const char *conclude(struct listener *listener, struct machine *machine, int r)
{
	log_set_sink(NULL, NULL);
	if (r < 0)
		return listener->text ?: strerror(-r);
	describe_links(machine);
	return NULL;
}

/* --- Changes --- */

static int check(const struct machine *machine)
{
	const struct plan *plan = machine->plan;

	if (!(plan->clone_flags & CLONE_NEWNET)) {
		(void)refuse(EOPNOTSUPP, "Machine '%s' has no network of its own", plan->machine);
		hint("Links need one: start it with --private-network or --network-veth");
		return -EOPNOTSUPP;
	}
	return plan->facts->net.may_make_links
		       ? 0
		       : refuse(EPERM, "Only root can give a machine a link to the host's network");
}

static int add(struct machine *machine, const char *kind, const char *text,
	       const struct link_plan **ret)
{
	const struct name *found = names_find(&new_link_kinds, kind);
	struct net_live_request request = {
		.machine = machine->plan->machine,
		.facts = &machine->plan->facts->net,
		.pid = machine->pid,
		.text = text,
		.undo = machine->undo,
	};

	if (!found)
		return refuse(EINVAL, "'net add' does not know the kind '%s'", kind);
	TRY(check(machine));
	request.kind = (enum new_link_kind)found->value;
	return net_live_add(&machine->net, &request, ret);
}

const char *live_network_add(struct arena *arena, struct machine *machine, const char *kind,
			     const char *text, const struct link_plan **ret)
{
	struct listener listener = {.arena = arena};

	log_set_sink(hear, &listener);
	return conclude(&listener, machine, add(machine, kind, text, ret));
}

const char *live_network_remove(struct arena *arena, struct machine *machine, const char *inside)
{
	struct listener listener = {.arena = arena};
	int r;

	log_set_sink(hear, &listener);
	r = check(machine);
	r = r < 0 ? r : net_reach(&machine->net, machine->pid, machine->undo);
	r = r < 0 ? r : net_live_remove(&machine->net, machine->plan->machine, inside);
	return conclude(&listener, machine, r);
}

/* --- Ports --- */

static int check_ports(const struct machine *machine)
{
	const struct plan *plan = machine->plan;

	if (!(plan->clone_flags & CLONE_NEWNET) && !plan->net.namespace_path) {
		(void)refuse(EOPNOTSUPP, "Machine '%s' has no network of its own", plan->machine);
		hint("Ports need one: start it with --private-network or --network-veth");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int change(struct machine *machine, const char *kind, const char *text, bool is_added)
{
	const char *noun = is_added ? "'net add'" : "'net remove'";
	bool is_host_port = strcmp(kind, "host-port") == 0;
	struct config config = {0};
	const struct port_requests *list = is_host_port ? &config.host_ports : &config.ports;
	const struct asking asking = {.config = &config, .noun = noun};
	int r;

	if (!is_host_port && strcmp(kind, "port") != 0)
		return refuse(EINVAL, "'net add' does not know the kind '%s'", kind);
	r = check_ports(machine);
	if (r == 0)
		r = is_host_port ? set_host_port(&asking, text) : set_port(&asking, text);
	if (r == 0)
		r = is_added ? ports_add(&machine->ports, list, is_host_port)
			     : ports_remove(&machine->ports, list, is_host_port);
	arena_done(&config.arena);
	return r;
}

const char *live_network_change_ports(struct arena *arena, struct machine *machine,
				      const char *kind, const char *text, bool is_added)
{
	struct listener listener = {.arena = arena};

	log_set_sink(hear, &listener);
	return conclude(&listener, machine, change(machine, kind, text, is_added));
}
