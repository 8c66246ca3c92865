/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each event means in each state of a machine: who asks the payload to stop, by which means,
 * and how long it may take.
 * Zone: owing.
 */
#include "run/supervise-states.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/config.h"
#include "manager/manager.h"
#include "manager/unit.h"
#include "run/power.h"
#include "run/remaining.h"

/*
 * An init that we know no protocol of, or that does not answer, gets this long after a request to
 * stop.
 */
#define UNKNOWN_INIT_STOP_SEC 10

/* All others get this long, which is less than what units give us, and are told of after a while.
 */
#define STOP_SEC 90
#define REPORT_SEC 2
#define SECOND UINT64_C(1000000)

typedef enum state (*cell)(struct supervisor *supervisor);

/*
 * The policy of a label may not let us signal: 'instead' says how we go on. Returns whether it was
 * sent.
 */
static bool send_signal(struct supervisor *supervisor, int signal_number, const char *instead)
{
	char name[SIGNAL_NAME_MAX];

	/* ESRCH: it died meanwhile, and poll() says so next. */
	if (syscall(SYS_pidfd_send_signal, supervisor->machine->pidfd, signal_number, NULL, 0) ==
		    0 ||
	    errno == ESRCH)
		return true;
	warn(-errno, "Cannot send %s to the payload, %s", signal_name(signal_number, name),
	     instead);
	return false;
}

static enum state kill_now(struct supervisor *supervisor)
{
	int r = machine_kill(supervisor->machine);

	if (r == 0)
		return STATE_KILLING;
	warn(r, "Cannot kill the payload, waiting for its end");
	return supervisor->state;
}

static enum state kill_on_request(struct supervisor *supervisor)
{
	supervisor->is_stop_ours = true;
	return kill_now(supervisor);
}

/* The guest's own root, through procfs of the host: where its init keeps its control files. */
static int open_guest_root(const struct supervisor *supervisor)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/root", supervisor->machine->pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void ask_init(struct supervisor *supervisor, enum power_request request)
{
	const struct plan *plan = supervisor->machine->plan;
	enum init_kind kind = plan->facts->tree.init_kind;
	auto_close int root_fd = open_guest_root(supervisor);
	int r = power_ask(kind, request, supervisor->machine->pidfd, root_fd);

	if (r == 0)
		return;
	if (r < 0)
		warn(r, "Cannot ask the %s in the tree to stop, killing it in %d s",
		     init_kind_name(kind), UNKNOWN_INIT_STOP_SEC);
	else
		warn(0,
		     "The tree's init is of no kind that is known, sending SIGTERM and killing it in %d s",
		     UNKNOWN_INIT_STOP_SEC);
	if (r > 0)
		(void)send_signal(supervisor, SIGTERM, "waiting all the same");
	supervisor->deadline_usec = clock_now_usec() + UNKNOWN_INIT_STOP_SEC * SECOND;
}

/*
 * Less than what our own unit gives us, so that it is us who end the machine, with a sentence; as
 * units do who have none. UINT64_MAX: for ever.
 */
static uint64_t stop_usec(const struct machine *machine)
{
	const struct registry_entry *entry = machine->entry;
	const struct manager_place place = {.is_user = entry && entry->unit_is_users,
					    .runtime = machine->plan->facts->places.runtime};
	__attribute__((cleanup(bus_close))) struct bus bus = BUS_NONE;
	uint64_t usec;

	if (!machine->plan->config->keep_unit || !entry || !entry->unit || !getenv("NOTIFY_SOCKET"))
		return STOP_SEC * SECOND;
	if (manager_open(machine->arena, &place, &bus) < 0 ||
	    unit_stop_timeout(machine->arena, &bus, entry->unit, &usec) < 0)
		return STOP_SEC * SECOND;
	return usec == UINT64_MAX ? usec : usec / 4 * 3;
}

static void begin_to_stop(struct supervisor *supervisor)
{
	note("Stopping machine '%s'; ask again to kill it", supervisor->machine->plan->machine);
	(void)notify_stage(NOTIFY_STAGE_STOPPING);
	supervisor->report_usec = clock_now_usec() + REPORT_SEC * SECOND;
}

/* The machine has been asked. An init that we do not know has its deadline already. */
static void set_deadline(struct supervisor *supervisor)
{
	uint64_t usec;

	if (supervisor->deadline_usec != CLOCK_NEVER)
		return;
	usec = stop_usec(supervisor->machine);
	supervisor->deadline_usec = usec == UINT64_MAX ? CLOCK_NEVER : clock_now_usec() + usec;
}

static enum state stop(struct supervisor *supervisor)
{
	const struct plan *plan = supervisor->machine->plan;

	supervisor->is_stop_ours = true;
	if (plan->uses_init_protocol) {
		begin_to_stop(supervisor);
		ask_init(supervisor, POWER_OFF);
		set_deadline(supervisor);
		return STATE_STOPPING;
	}
	if (plan->kill_signal > 0) {
		begin_to_stop(supervisor);
		if (send_signal(supervisor, plan->kill_signal, "killing it")) {
			set_deadline(supervisor);
			return STATE_STOPPING;
		}
	}
	return kill_now(supervisor);
}

static enum state press_power(struct supervisor *supervisor, enum power_request request)
{
	const struct plan *plan = supervisor->machine->plan;

	if (plan->config->start == START_BOOT)
		ask_init(supervisor, request);
	else /* the stub init and programs that play init take these (systemd(1), "Signals") */
		(void)send_signal(supervisor, request == POWER_OFF ? SIGRTMIN + 4 : SIGRTMIN + 5,
				  "it goes on running");
	return supervisor->state;
}

static enum state press_power_off(struct supervisor *supervisor)
{
	return press_power(supervisor, POWER_OFF);
}

static enum state press_reboot(struct supervisor *supervisor)
{
	return press_power(supervisor, POWER_REBOOT);
}

static enum state stay(struct supervisor *supervisor)
{
	return supervisor->state;
}

static enum state give_up_waiting(struct supervisor *supervisor)
{
	char names[REMAINING_MAX];

	remaining_describe(supervisor->machine, names);
	supervisor->deadline_usec = supervisor->report_usec = CLOCK_NEVER;
	warn(0, "Machine '%s' did not stop in time, killing it with %s still running",
	     supervisor->machine->plan->machine, names);
	return kill_now(supervisor);
}

/* clang-format off */
static const cell cells[_STATE_COUNT][_EVENT_COUNT] = {
	[STATE_RUNNING] = {
		[EVENT_STOP] = stop,
		[EVENT_KILL] = kill_on_request,
		[EVENT_POWER_OFF] = press_power_off,
		[EVENT_REBOOT] = press_reboot,
		[EVENT_SHUT_DOWN] = stop,
		[EVENT_TIMEOUT] = give_up_waiting,
	},
	[STATE_STOPPING] = {
		[EVENT_STOP] = kill_on_request,
		[EVENT_KILL] = kill_on_request,
		[EVENT_POWER_OFF] = stay,
		[EVENT_REBOOT] = stay,
		[EVENT_SHUT_DOWN] = stay,
		[EVENT_TIMEOUT] = give_up_waiting,
	},
	[STATE_KILLING] = {
		[EVENT_STOP] = stay,
		[EVENT_KILL] = stay,
		[EVENT_POWER_OFF] = stay,
		[EVENT_REBOOT] = stay,
		[EVENT_SHUT_DOWN] = stay,
		[EVENT_TIMEOUT] = stay,
	},
};
/* clang-format on */

void supervise_happen(struct supervisor *supervisor, enum event event)
{
	supervisor->state = cells[supervisor->state][event](supervisor);
	supervisor->machine->is_stopping = supervisor->state != STATE_RUNNING;
	if (supervisor->machine->is_stopping)
		ready_end(&supervisor->ready);
}

void supervise_report(struct supervisor *supervisor, uint64_t now_usec)
{
	char names[REMAINING_MAX], when[48] = "waiting for its end", text[REMAINING_MAX + 96];

	supervisor->report_usec = CLOCK_NEVER;
	if (supervisor->state != STATE_STOPPING || supervisor->deadline_usec <= now_usec)
		return;
	if (supervisor->deadline_usec != CLOCK_NEVER)
		(void)snprintf(when, sizeof(when), "killing it in %u s",
			       (unsigned int)((supervisor->deadline_usec - now_usec + SECOND - 1) /
					      SECOND));
	remaining_describe(supervisor->machine, names);
	warn(0, "Machine '%s' is still stopping: still running are %s, %s",
	     supervisor->machine->plan->machine, names, when);
	(void)snprintf(text, sizeof(text), "STATUS=Stopping: %s still running, %s.", names, when);
	(void)notify_send(text);
}
