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
