/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks for the scope, tells of the machine, and takes both back.
 * Zone: owing.
 *
 * The system's scope holds the payload alone. Who stops it, limits it, freezes it or lets it run
 * out of memory must not hit the supervisor, which has to take back what the machine leaves behind.
 */
#include "run/managers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "manager/cgroup-find.h"
#include "manager/manager.h"
#include "run/launch.h"

/* --- Scope --- */

/* Whether we are in a group already that a user's manager has left to us. */
static bool is_delegated(struct arena *arena)
{
	__attribute__((cleanup(cgroup_place_done))) struct cgroup_place place = {.own_fd = -EBADF};

	return cgroup_probe(arena, &place) == 0 && scope_is_delegated(place.own_fd);
}

/* What the manager sends when nobody hears it any more: what the first process takes for an order.
 */
static int kill_signal_of(const struct plan *plan)
{
	bool is_systemd = plan->facts->tree.init_kind == INIT_SYSTEMD;

	return plan->uses_init_protocol && is_systemd ? SIGRTMIN + 3 : plan->kill_signal;
}

static void leave_scope(void *argument)
{
	struct managers *managers = argument;

	if (managers->unit && !managers->plan->facts->places.is_user)
		scope_end(&managers->bus, managers->unit);
	scope_holder_end(&managers->holder);
	for (size_t i = 0; i < ARRAY_LEN(managers->machined); i++)
		machined_close(&managers->machined[i]);
	bus_close(&managers->bus);
}

int managers_enter_scope(struct managers *managers, struct arena *arena, const struct plan *plan,
			 struct undo *undo)
{
	const struct config *config = plan->config;
	bool is_user = plan->facts->places.is_user;
	struct scope_request request = {
		.machine = plan->machine,
		.slice = config->slice,
		.config = config,
		.pid = getpid(),
		.pidfd = -EBADF,
		.is_user = is_user,
		.runtime = plan->facts->places.runtime,
		.devices = &plan->device_rules,
		.kill_signal = kill_signal_of(plan),
	};

	managers->plan = plan;
	managers->arena = arena;
	managers->are_there[0] = manager_is_there(/* is_user= */ false);
	managers->are_there[1] = is_user;
	undo_push(undo, leave_scope, managers, "scope");
	if (config->keep_unit || !managers->are_there[is_user] || (is_user && is_delegated(arena)))
		return 0;
	TRY(scope_check_properties(&config->properties));
	if (!is_user) {
		int r = scope_holder_start(&managers->holder);

		if (r < 0)
			return fail(r, "Cannot start the process that holds the machine's scope");
		request.pid = managers->holder.pid;
		request.pidfd = managers->holder.pidfd;
	}
	managers->scope = scope_start(arena, &request, &managers->bus);
	if (managers->scope == SCOPE_MADE)
		managers->unit = scope_unit_name(arena, plan->machine);
	else
		scope_holder_end(&managers->holder);
	return 0;
}

/* --- Machine managers --- */

static size_t count_of(const struct managers *managers)
{
	return managers->plan->facts->places.is_user ? 2 : 1;
}

/* The host's ends of cables, or the bridge that they are plugged into. */
static void list_interfaces(const struct machine *machine, struct machined_request *request)
{
	const struct net *net = &machine->net;
	int *items = net->plan && net->plan->count > 0
			     ? arena_allocate(machine->arena, net->plan->count * sizeof(int))
			     : NULL;

	request->interface_count = 0;
	request->interfaces = items;
	for (size_t i = 0; items && i < net->plan->count; i++) {
		const struct net_link *link = &net->links[i];

		if (net->plan->items[i].kind != LINK_VETH)
			continue;
		if (link->parent > 0 || link->index > 0)
			items[request->interface_count++] =
				link->parent > 0 ? link->parent : link->index;
	}
}

static void leave_machine_managers(void *argument)
{
	struct managers *managers = argument;

	for (size_t i = 0; i < count_of(managers); i++)
		machined_leave(managers->arena, &managers->machined[i]);
}

void managers_tell(struct machine *machine)
{
	struct managers *managers = machine->managers;
	const struct plan *plan = machine->plan;

	if (plan->config->register_machine == TRISTATE_NO)
		return;
	managers->request = (struct machined_request){
		.machine = plan->machine,
		.id = plan->machine_uuid,
		.service = plan->config->container_service,
		.directory = plan->facts->directory,
		.leader = machine->pid,
		.leader_fd = machine->pidfd,
	};
	list_interfaces(machine, &managers->request);
	undo_push(machine->undo, leave_machine_managers, managers, "registration");
	for (size_t i = 0; i < count_of(managers); i++) {
		struct machined *machined = &managers->machined[i];

		machined->is_user = i > 0;
		machined->runtime = plan->facts->places.runtime;
		if (!managers->are_there[i])
			continue;
		if (machined_ask(managers->arena, machined, i == 0 ? &managers->bus : NULL,
				 &managers->request) < 0)
			machined->serial = 0;
	}
}

/*
 * Where nobody manages machines, and for a user whom the system's manager turns away, that is as
 * usual.
 */
static void tell_unregistered(const struct managers *managers, int r, const char *why)
{
	const char *machine = managers->plan->machine;

	if (r == -ENOENT || managers->plan->facts->places.is_user)
		debug("Machine '%s' is not registered: %s", machine, why ? why : strerror(-r));
	else
		note("The machine manager does not register machine '%s' (%s), going on without",
		     machine, why ? why : strerror(-r));
}

static int refuse_unregistered(const struct managers *managers, int r, const char *why)
{
	const char *machine = managers->plan->machine;

	if (why)
		r = refuse(EIO, "The machine manager does not register machine '%s': %s", machine,
			   why);
	else
		r = fail(r, "Cannot register machine '%s' with the machine manager", machine);
	hint("'--register=auto', the default, goes on without");
	return r;
}

/* Another tool's: our own have locked their names. Whoever says the name would mean either. */
static int refuse_name(const struct managers *managers)
{
	(void)refuse(EEXIST, "Another machine '%s' is known to the machine manager and runs",
		     managers->plan->machine);
	hint("'--machine=' gives this one another name, with '--register=no' nobody is asked");
	return -EEXIST;
}

int managers_confirm(struct machine *machine)
{
	struct managers *managers = machine->managers;
	enum tristate wanted = machine->plan->config->register_machine;
	const char *why = NULL;
	bool is_registered = false;
	int r = -ENOENT;

	/* On a host of another kind there is nobody to tell, and run.c has said so. */
	if (wanted == TRISTATE_NO || !(managers->are_there[0] || managers->are_there[1]))
		return 0;
	for (size_t i = 0; i < count_of(managers); i++) {
		struct machined *machined = &managers->machined[i];
		const char *said = NULL;

		if (machined->serial == 0)
			continue;
		r = machined_hear(managers->arena, machined, &managers->request, &said);
		if (r == -EEXIST)
			return refuse_name(managers);
		is_registered = is_registered || r == 0;
		why = said ? said : why;
		if (r < 0 && wanted != TRISTATE_YES)
			tell_unregistered(managers, r, said);
	}
	return wanted == TRISTATE_YES && !is_registered ? refuse_unregistered(managers, r, why) : 0;
}

/* --- Requests --- */

int managers_fd(const struct managers *managers)
{
	return managers->bus.fd;
}

bool managers_dispatch(struct managers *managers)
{
	int r = bus_dispatch(&managers->bus);

	if (r >= 0)
		return r > 0;
	/* The scope is the manager's, which goes on with it as we do with the machine. */
	debug("The system's bus is gone: %s", strerror(-r));
	bus_close(&managers->bus);
	return false;
}
