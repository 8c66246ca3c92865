/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn poweroff, reboot, terminate, kill, pause and resume.
 * Zone: free.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "control/await.h"
#include "control/request.h"
#include "control/running.h"
#include "control/signals.h"
#include "control/usage.h"
#include "run/control.h"
#include "run/power.h"

#define FREEZE_USEC (UINT64_C(5) * 1000000)
#define SUPERVISOR_PATIENCE_MSEC 1000

/* What a verb does to one machine: 0 or a negative errno after its sentence. */
typedef int (*deed_function)(struct machines *machines, const struct machine_view *machine,
			     const struct request *request);

/* --- The supervisor --- */

/*
 * Asks it over the machine's own socket. 0; a negative errno where nobody listens or understands,
 * and the caller then acts itself.
 */
static int call_supervisor(struct machines *machines, const struct machine_view *machine,
			   const char *member)
{
	const struct bus_call call = {
		.path = CONTROL_PATH,
		.interface = CONTROL_INTERFACE,
		.member = member,
		.signature = "",
	};
	const char *path =
		arena_format(machines->arena, "%s/" CONTROL_SOCKET, machine->entry.directory);
	const struct bus_writer nothing = {0};
	struct bus_message reply;
	struct bus bus = BUS_NONE;
	int r = bus_open(path, false, SUPERVISOR_PATIENCE_MSEC, &bus);

	if (r == 0)
		r = bus_call(&bus, &call, &nothing, NULL, &reply);
	if (r < 0)
		debug("The supervisor of machine '%s' was not asked for %s: %s", machine->name,
		      member, strerror(-r));
	bus_close(&bus);
	return r;
}

/* --- The machine manager --- */

static int kill_by_manager(struct machines *machines, const struct machine_view *machine,
			   const char *whom, int number)
{
	struct bus_writer body = {0};
	int r;

	bus_put_text(&body, machine->name);
	bus_put_text(&body, whom);
	bus_put_u32(&body, (uint32_t)number);
	r = machined_call(&machines->bus, "KillMachine", "ssi", &body, machine->name);
	bus_writer_done(&body);
	return r;
}

static int poweroff_foreign(struct machines *machines, const struct machine_view *machine,
			    const struct request *request)
{
	(void)request;
	return kill_by_manager(machines, machine, "leader", SIGRTMIN + 4);
}

static int reboot_foreign(struct machines *machines, const struct machine_view *machine,
			  const struct request *request)
{
	(void)request;
	return kill_by_manager(machines, machine, "leader", SIGINT);
}

static int terminate_foreign(struct machines *machines, const struct machine_view *machine,
			     const struct request *request)
{
	struct bus_writer body = {0};
	int r;

	(void)request;
	bus_put_text(&body, machine->name);
	r = machined_call(&machines->bus, "TerminateMachine", "s", &body, machine->name);
	bus_writer_done(&body);
	return r;
}

static int kill_foreign(struct machines *machines, const struct machine_view *machine,
			const struct request *request)
{
	static const char *const whoms[] = {
		[KILL_ALL] = "all", [KILL_LEADER] = "leader", [KILL_SUPERVISOR] = "supervisor"};

	return kill_by_manager(machines, machine, whoms[request->whom], request->signal);
}

static int refuse_foreign(struct machines *machines, const struct machine_view *machine,
			  const struct request *request)
{
	(void)machines;
	return refuse(EOPNOTSUPP,
		      "'%s' is not possible for machine '%s', which nspawn did not start",
		      request->verb, machine->name);
}

/* --- Off and on again --- */

static int refuse_paused(const struct machine_view *machine)
{
	auto_close int group_fd = usage_open(machine->entry.cgroup);

	if (!usage_is_frozen(group_fd))
		return 0;
	(void)refuse(EBUSY, "Machine '%s' is paused, so it cannot stop by itself", machine->name);
	hint("'nspawn resume %s' lets it go on, 'nspawn terminate %s' kills it", machine->name,
	     machine->name);
	return -EBUSY;
}

static enum init_kind kind_of(const struct machine_view *machine)
{
	for (int kind = 0; kind < _INIT_KIND_COUNT; kind++)
		if (machine->entry.init &&
		    strcmp(machine->entry.init, init_kind_name((enum init_kind)kind)) == 0)
			return (enum init_kind)kind;
	return INIT_UNKNOWN;
}

static int open_root(const struct machine_view *machine)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/root", machine->entry.leader);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool is_booted(const struct machine_view *machine)
{
	return machine->entry.start && strcmp(machine->entry.start, "boot") == 0;
}

/*
 * Asks process 1: 0, or 1 if it has no way to be asked that is known. One that was not found by us,
 * as it is a command's, may play init all the same (systemd(1), "Signals").
 */
static int ask_init(const struct machine_view *machine, enum power_request request)
{
	int number = request == POWER_OFF ? SIGRTMIN + 4 : SIGRTMIN + 5;
	auto_close int root_fd = -EBADF;

	if (machine->pidfd < 0)
		return -ESRCH;
	if (is_booted(machine)) {
		root_fd = open_root(machine);
		return power_ask(kind_of(machine), request, machine->pidfd, root_fd);
	}
	return signals_is_handled(machine, number) ? signals_to_leader(machine, number) : 1;
}

static int end_of_asking(const struct machine_view *machine, int r)
{
	if (r == -ESRCH)
		return refuse(ESRCH, "Machine '%s' has just ended", machine->name);
	return r < 0 ? fail(r, "Cannot ask machine '%s' to stop", machine->name) : 0;
}

static int poweroff_ours(struct machines *machines, const struct machine_view *machine,
			 const struct request *request)
{
	int r;

	(void)request;
	TRY(refuse_paused(machine));
	/* A command that plays init would be killed by the supervisor, which cannot know. */
	if (!is_booted(machine) && ask_init(machine, POWER_OFF) == 0)
		return 0;
	if (call_supervisor(machines, machine, "PowerOff") == 0)
		return 0;
	r = is_booted(machine) ? ask_init(machine, POWER_OFF) : 1;
	/* It knows how to stop what cannot be asked. */
	if (r != 0)
		r = signals_to_supervisor(machine, SIGTERM);
	return end_of_asking(machine, r);
}

static int reboot_ours(struct machines *machines, const struct machine_view *machine,
		       const struct request *request)
{
	int r;

	(void)machines;
	(void)request;
	TRY(refuse_paused(machine));
	r = ask_init(machine, POWER_REBOOT);
	if (r == 1) {
		(void)refuse(EOPNOTSUPP, "What runs in machine '%s' does not know how to reboot",
			     machine->name);
		hint("'nspawn poweroff %s' ends it", machine->name);
		return -EOPNOTSUPP;
	}
	return end_of_asking(machine, r);
}

/* The supervisor hears first that it is meant, and so does not take it for an accident. */
static int terminate_ours(struct machines *machines, const struct machine_view *machine,
			  const struct request *request)
{
	int r;

	(void)request;
	if (call_supervisor(machines, machine, "Terminate") == 0)
		return 0;
	(void)signals_to_supervisor(machine, SIGTERM);
	r = signals_to_all(machine, SIGKILL, machines->places->is_user);
	if (r == -ENOENT)
		r = 0;
	if (signals_to_leader(machine, SIGKILL) == -ESRCH)
		r = 0; /* it ends already */
	return end_of_asking(machine, r);
}

/* --- Signals --- */

static int kill_ours(struct machines *machines, const struct machine_view *machine,
		     const struct request *request)
{
	char name[SIGNAL_NAME_MAX];
	int r;

	if (request->whom == KILL_LEADER)
		r = signals_to_leader(machine, request->signal);
	else if (request->whom == KILL_SUPERVISOR)
		r = signals_to_supervisor(machine, request->signal);
	else
		r = signals_to_all(machine, request->signal, machines->places->is_user);
	if (r == -ESRCH)
		return refuse(ESRCH, "Machine '%s' has just ended", machine->name);
	if (r == -ENOENT) {
		(void)refuse(
			ENOENT,
			"Machine '%s' shares the host's processes and has no cgroup: nobody knows which are its own",
			machine->name);
		hint("'--kill-whom=leader' hits its first process");
		return r;
	}
	return r < 0 ? fail(r, "Cannot send %s to machine '%s'", signal_name(request->signal, name),
			    machine->name)
		     : 0;
}

static int freeze(const struct machine_view *machine, bool is_frozen)
{
	auto_close int group_fd = usage_open(machine->entry.cgroup);
	const char *verb = is_frozen ? "pause" : "resume";
	int r;

	if (group_fd < 0)
		return refuse(EOPNOTSUPP,
			      "Machine '%s' has no cgroup of its own, which pausing needs",
			      machine->name);
	r = signals_freeze(group_fd, is_frozen, FREEZE_USEC);
	return r < 0 ? fail(r, "Cannot %s machine '%s'", verb, machine->name) : 0;
}

static int pause_ours(struct machines *machines, const struct machine_view *machine,
		      const struct request *request)
{
	(void)machines;
	(void)request;
	return freeze(machine, true);
}

static int resume_ours(struct machines *machines, const struct machine_view *machine,
		       const struct request *request)
{
	(void)machines;
	(void)request;
	return freeze(machine, false);
}

/* --- The verbs --- */

enum deed {
	DEED_POWEROFF,
	DEED_REBOOT,
	DEED_TERMINATE,
	DEED_KILL,
	DEED_PAUSE,
	DEED_RESUME,
};

/* clang-format off */
static const struct {
	deed_function ours, foreign;
	unsigned int takes;
	bool waits;
	enum await await;
} deeds[] = {
	[DEED_POWEROFF]  = {poweroff_ours,  poweroff_foreign,  REQUEST_WAIT, true,  AWAIT_END},
	[DEED_REBOOT]    = {reboot_ours,    reboot_foreign,    REQUEST_WAIT, true,  AWAIT_REBOOT},
	[DEED_TERMINATE] = {terminate_ours, terminate_foreign, REQUEST_WAIT, true,  AWAIT_END},
	[DEED_KILL]      = {kill_ours,      kill_foreign,      REQUEST_KILL, false, AWAIT_END},
	[DEED_PAUSE]     = {pause_ours,     refuse_foreign,    0,            false, AWAIT_END},
	[DEED_RESUME]    = {resume_ours,    refuse_foreign,    0,            false, AWAIT_END},
};
/* clang-format on */

static int do_one(struct machines *machines, const struct machine_view *machine, enum deed deed,
		  const struct request *request)
{
	if (machine->is_host)
		return refuse(EINVAL, "'%s' is not for the host itself", request->verb);
	return (machine->is_ours ? deeds[deed].ours : deeds[deed].foreign)(machines, machine,
									   request);
}

/* Whoever was named and does not run is only told of. */
static int print_results(const struct machines *machines, enum output_form form)
{
	json_t *array = json_array();

	for (size_t i = 0; i < machines->count; i++)
		(void)json_array_append_new(array, json_pack("{s:s, s:b}", "machine",
							     machines->items[i].name, "done",
							     machines->items[i].result == 0));
	return output_print_json(array, form);
}

static int do_all(struct arena *arena, enum deed deed, const struct request *request)
{
	struct places places;
	int r = places_find(arena, request->scope, &places), result;
	auto_machines struct machines machines = machines_none(arena, &places);

	TRY(r);
	result = machines_add_names(&machines, &request->names);
	for (size_t i = 0; i < machines.count; i++) {
		machines.items[i].result = do_one(&machines, &machines.items[i], deed, request);
		if (machines.items[i].result < 0)
			result = machines.items[i].result;
	}
	if (deeds[deed].waits && !request->waits_not) {
		r = await_machines(&machines, deeds[deed].await, request->timeout_usec);
		result = r < 0 ? r : result;
	}
	/* That program's own say nothing with it. */
	r = request->form == OUTPUT_TEXT || text_has_prefix(request->verb, REQUEST_OF_MACHINECTL)
		    ? 0
		    : print_results(&machines, request->form);
	return result < 0 ? result : r;
}

static int run(int argc, char **argv, enum deed deed)
{
	auto_arena struct arena arena = {0};
	struct request request;
	int r = request_read_names(&arena, argc, argv, REQUEST_FORM | deeds[deed].takes, &request);

	if (r == 0)
		r = do_all(&arena, deed, &request);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int control_poweroff(int argc, char **argv)
{
	return run(argc, argv, DEED_POWEROFF);
}

int control_reboot(int argc, char **argv)
{
	return run(argc, argv, DEED_REBOOT);
}

int control_terminate(int argc, char **argv)
{
	return run(argc, argv, DEED_TERMINATE);
}

int control_kill(int argc, char **argv)
{
	return run(argc, argv, DEED_KILL);
}

int control_pause(int argc, char **argv)
{
	return run(argc, argv, DEED_PAUSE);
}

int control_resume(int argc, char **argv)
{
	return run(argc, argv, DEED_RESUME);
}
