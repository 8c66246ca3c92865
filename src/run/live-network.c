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
#include "config/port-values.h"
#include "net/net-live.h"
#include "run/describe.h"
#include "run/launch.h"

static const struct {
	const char *word;
	enum new_link_kind kind;
} kinds[] = {
	{"bridge", NEW_LINK_BRIDGE},
	{"tap", NEW_LINK_TAP},
	{"veth", NEW_LINK_VETH},
};

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
	struct net_live_request request = {
		.machine = machine->plan->machine,
		.facts = &machine->plan->facts->net,
		.pid = machine->pid,
		.text = text,
		.undo = machine->undo,
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kind, kinds[i].word) != 0)
			continue;
		TRY(check(machine));
		request.kind = kinds[i].kind;
		return net_live_add(&machine->net, &request, ret);
	}
	return refuse(EINVAL, "'net add' does not know the kind '%s'", kind);
}

const char *live_network_add(struct arena *arena, struct machine *machine, const char *kind,
			     const char *text, const struct link_plan **ret)
{
	struct listener listener = {.arena = arena};
	int r;

	log_set_sink(hear, &listener);
	r = add(machine, kind, text, ret);
	log_set_sink(NULL, NULL);
	if (r < 0)
		return listener.text ?: strerror(-r);
	describe_links(machine);
	return NULL;
}

const char *live_network_remove(struct arena *arena, struct machine *machine, const char *inside)
{
	struct listener listener = {.arena = arena};
	int r;

	log_set_sink(hear, &listener);
	r = check(machine);
	r = r < 0 ? r : net_reach(&machine->net, machine->pid, machine->undo);
	r = r < 0 ? r : net_live_remove(&machine->net, machine->plan->machine, inside);
	log_set_sink(NULL, NULL);
	if (r < 0)
		return listener.text ?: strerror(-r);
	describe_links(machine);
	return NULL;
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
	/* An ordinary user may enter it only from the exec on. */
	return machine->ports.is_placed
		       ? 0
		       : refuse(EAGAIN, "Machine '%s' is only about to start", plan->machine);
}

/* All or none: what was done of a range is undone. */
static int change_ports(struct ports *ports, const struct port_requests *list, bool is_host_port,
			bool is_added)
{
	size_t done = 0;
	int r = 0;

	for (; r == 0 && done < list->count; done++)
		r = is_added ? ports_add(ports, &list->items[done], is_host_port)
			     : ports_remove(ports, &list->items[done], is_host_port);
	if (r == 0)
		return 0;
	for (done--; done > 0; done--)
		(void)(is_added ? ports_remove(ports, &list->items[done - 1], is_host_port)
				: ports_add(ports, &list->items[done - 1], is_host_port));
	return r;
}

static int change(struct machine *machine, const char *kind, const char *text, bool is_added)
{
	const char *noun = is_added ? "'net add'" : "'net remove'";
	bool is_host_port = strcmp(kind, "host-port") == 0;
	struct config config = {0};
	const struct asking asking = {.config = &config, .noun = noun};
	int r;

	if (!is_host_port && strcmp(kind, "port") != 0)
		return refuse(EINVAL, "'net add' does not know the kind '%s'", kind);
	r = check_ports(machine);
	if (r == 0)
		r = is_host_port ? set_host_port(&asking, text) : set_port(&asking, text);
	if (r == 0)
		r = change_ports(&machine->ports, is_host_port ? &config.host_ports : &config.ports,
				 is_host_port, is_added);
	arena_done(&config.arena);
	return r;
}

const char *live_network_change_ports(struct arena *arena, struct machine *machine,
				      const char *kind, const char *text, bool is_added)
{
	struct listener listener = {.arena = arena};
	int r;

	log_set_sink(hear, &listener);
	r = change(machine, kind, text, is_added);
	log_set_sink(NULL, NULL);
	if (r < 0)
		return listener.text ?: strerror(-r);
	describe_links(machine);
	return NULL;
}
