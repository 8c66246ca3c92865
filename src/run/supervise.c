/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The supervisor's loop. It sleeps in poll(2) without timeout as long as nothing is being stopped,
 * so that a waiting supervisor costs no wake-ups.
 * Zone: owing.
 */
#include "run/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/numbers.h"
#include "config/config.h"
#include "manager/manager.h"
#include "manager/unit.h"
#include "run/describe.h"
#include "run/notify.h"
#include "run/power.h"
#include "run/ready.h"
#include "run/remaining.h"

#define NEVER UINT64_MAX

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

enum state {
	STATE_RUNNING,
	STATE_STOPPING, /* asked to stop, not yet gone */
	STATE_KILLING,  /* SIGKILL sent */
	_STATE_COUNT,
};

enum event {
	EVENT_STOP,      /* SIGTERM, SIGINT, SIGHUP to us */
	EVENT_KILL,      /* the key sequence for it */
	EVENT_POWER_OFF, /* key sequence */
	EVENT_REBOOT,    /* key sequence */
	EVENT_SHUT_DOWN, /* by another command: as EVENT_STOP, but asking twice is not stronger */
	EVENT_TIMEOUT,
	_EVENT_COUNT,
};

struct supervisor {
	struct machine *machine;
	enum state state;
	int signal_fd;
	bool is_stop_ours; /* the payload ends because we were told to stop it */
	struct ready ready;
	uint64_t report_usec;        /* when to tell what still runs, or NEVER */
	uint64_t deadline_usec;      /* when EVENT_TIMEOUT happens, or NEVER */
	uint64_t watchdog_next_usec; /* when our manager wants the next sign of life, or NEVER */
	uint64_t watchdog_usec;      /* from one to the next */
	struct notify_relay relay;
	bool is_failed;   /* the payload said so after GO */
	bool leader_gone; /* reaped: 'info' is filled */
	siginfo_t info;
};

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

	if (supervisor->deadline_usec != NEVER)
		return;
	usec = stop_usec(supervisor->machine);
	supervisor->deadline_usec = usec == UINT64_MAX ? NEVER : clock_now_usec() + usec;
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
	supervisor->deadline_usec = supervisor->report_usec = NEVER;
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

static void happen(struct supervisor *supervisor, enum event event)
{
	supervisor->state = cells[supervisor->state][event](supervisor);
	supervisor->machine->is_stopping = supervisor->state != STATE_RUNNING;
	if (supervisor->machine->is_stopping)
		ready_end(&supervisor->ready);
}

static void read_signal(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	if (read(supervisor->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		console_window_changed(&supervisor->machine->console);
	else if (info.ssi_signo == SIGTSTP)
		console_suspend(&supervisor->machine->console);
	else if (info.ssi_signo == SIGCONT)
		console_resumed(&supervisor->machine->console);
	else
		happen(supervisor, EVENT_STOP);
}

static int handle_console(struct supervisor *supervisor, const struct pollfd *fds, size_t count)
{
	int event = console_dispatch(&supervisor->machine->console, fds, count);

	if (event < 0)
		return event;
	if (event == CONSOLE_KILL)
		happen(supervisor, EVENT_KILL);
	else if (event == CONSOLE_POWEROFF)
		happen(supervisor, EVENT_POWER_OFF);
	else if (event == CONSOLE_REBOOT)
		happen(supervisor, EVENT_REBOOT);
	else if (event == CONSOLE_UNKNOWN_KEY)
		note("Unknown key after '^]^]': ']' again kills the machine, 'p' powers it off, 'r' reboots it");
	return 0;
}

/* Its end is closed by the exec; the stub init gave up its copy before. */
static void hear_payload(struct supervisor *supervisor)
{
	struct handshake *handshake = &supervisor->machine->handshake;
	int r = handshake_overhear(handshake);

	if (r < 0 && r != HANDSHAKE_IS_FAILED)
		(void)fail(r, "Cannot talk with the payload while it is set up");
	if (r < 0)
		supervisor->is_failed = true;
	if (r == 1)
		ready_spawned(&supervisor->ready);
	if (r != 0) {
		scope_close(&handshake->fd);
		handshake->fd = -EBADF;
	}
}

static void hear_notification(struct supervisor *supervisor)
{
	int heard = notify_receive(supervisor->machine->notify_fd, &supervisor->relay);

	if (heard < 0)
		debug("Cannot read the notification socket");
	else
		ready_heard(&supervisor->ready, heard);
	if (heard > 0 && heard & NOTIFY_STATUS && supervisor->machine->entry) {
		supervisor->machine->entry->status = supervisor->relay.status;
		describe_again(supervisor->machine);
	}
}

static void hear_clients(struct supervisor *supervisor)
{
	struct machine *machine = supervisor->machine;
	unsigned int requests = control_dispatch(machine->control, machine);

	if (requests & CONTROL_REBOOT)
		happen(supervisor, EVENT_REBOOT);
	if (requests & CONTROL_POWER_OFF)
		happen(supervisor, EVENT_SHUT_DOWN);
	if (requests & CONTROL_TERMINATE)
		happen(supervisor, EVENT_KILL);
}

/* Somebody stops the scope. Who was told twice kills; the manager tells once what may be known. */
static void hear_manager(struct supervisor *supervisor)
{
	if (managers_dispatch(supervisor->machine->managers) && supervisor->state == STATE_RUNNING)
		happen(supervisor, EVENT_STOP);
}

static int reap(struct supervisor *supervisor)
{
	struct machine *machine = supervisor->machine;

	if (waitid(P_PIDFD, (id_t)machine->pidfd, &supervisor->info, WEXITED) < 0)
		return fail(-errno, "Cannot learn how the payload ended");
	machine->pid = 0;
	supervisor->leader_gone = true;
	return 0;
}

/*
 * Milliseconds for poll(2): -1 without anything to be in time for, else rounded up so that it is
 * over then.
 */
static int time_left_msec(const struct supervisor *supervisor)
{
	const uint64_t times[] = {supervisor->deadline_usec, supervisor->watchdog_next_usec,
				  supervisor->report_usec, ready_next_usec(&supervisor->ready)};
	uint64_t first = NEVER, now;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (times[i] < first)
			first = times[i];
	if (first == NEVER)
		return -1;
	now = clock_now_usec();
	return first <= now ? 0 : (int)((first - now) / 1000 + 1);
}

/* Once: what somebody sees who wonders why it takes so long. */
static void report_remaining(struct supervisor *supervisor, uint64_t now)
{
	char names[REMAINING_MAX], when[48] = "waiting for its end", text[REMAINING_MAX + 96];

	supervisor->report_usec = NEVER;
	if (supervisor->state != STATE_STOPPING || supervisor->deadline_usec <= now)
		return;
	if (supervisor->deadline_usec != NEVER)
		(void)snprintf(
			when, sizeof(when), "killing it in %u s",
			(unsigned int)((supervisor->deadline_usec - now + SECOND - 1) / SECOND));
	remaining_describe(supervisor->machine, names);
	warn(0, "Machine '%s' is still stopping: still running are %s, %s",
	     supervisor->machine->plan->machine, names, when);
	(void)snprintf(text, sizeof(text), "STATUS=Stopping: %s still running, %s.", names, when);
	(void)notify_send(text);
}

static void keep_time(struct supervisor *supervisor)
{
	uint64_t now = time_left_msec(supervisor) == 0 ? clock_now_usec() : 0;

	if (supervisor->watchdog_next_usec <= now) {
		(void)notify_send("WATCHDOG=1");
		supervisor->watchdog_next_usec = now + supervisor->watchdog_usec;
	}
	ready_work(&supervisor->ready, now);
	if (supervisor->report_usec <= now)
		report_remaining(supervisor, now);
	if (supervisor->deadline_usec <= now)
		happen(supervisor, EVENT_TIMEOUT);
}

enum slot {
	SLOT_PAYLOAD,
	SLOT_SIGNAL,
	SLOT_HANDSHAKE,
	SLOT_NOTIFY,
	SLOT_JOURNAL,
	SLOT_CONTROL,
	SLOT_MANAGER,
	SLOT_PROBE,
	SLOT_CONSOLE, /* and the following */
};

static int turn(struct supervisor *supervisor)
{
	struct machine *machine = supervisor->machine;
	struct pollfd fds[SLOT_CONSOLE + CONSOLE_POLLFDS] = {
		[SLOT_PAYLOAD] = {.fd = machine->pidfd, .events = POLLIN},
		[SLOT_SIGNAL] = {.fd = supervisor->signal_fd, .events = POLLIN},
		[SLOT_HANDSHAKE] = {.fd = machine->handshake.fd, .events = POLLIN},
		[SLOT_NOTIFY] = {.fd = machine->notify_fd, .events = POLLIN},
		[SLOT_JOURNAL] = {.fd = machine->journal_remote.pidfd, .events = POLLIN},
		[SLOT_CONTROL] = {.fd = control_fd(machine->control, machine), .events = POLLIN},
		[SLOT_MANAGER] = {.fd = managers_fd(machine->managers), .events = POLLIN},
		[SLOT_PROBE] = {.fd = supervisor->ready.probe_fd, .events = POLLIN},
	};
	size_t console_count = console_pollfds(&machine->console, fds + SLOT_CONSOLE);
	int ready = poll(fds, SLOT_CONSOLE + console_count, time_left_msec(supervisor));

	if (ready < 0)
		return errno == EINTR ? 0 : fail(-errno, "Cannot wait for the payload");
	keep_time(supervisor);
	if (fds[SLOT_HANDSHAKE].revents)
		hear_payload(supervisor);
	if (fds[SLOT_NOTIFY].revents)
		hear_notification(supervisor);
	if (fds[SLOT_PROBE].revents)
		ready_probe_ended(&supervisor->ready);
	if (fds[SLOT_JOURNAL].revents)
		journal_remote_lost(&machine->journal_remote);
	if (fds[SLOT_MANAGER].revents)
		hear_manager(supervisor);
	TRY(handle_console(supervisor, fds + SLOT_CONSOLE, console_count));
	if (fds[SLOT_CONTROL].revents)
		hear_clients(supervisor);
	if (fds[SLOT_SIGNAL].revents)
		read_signal(supervisor);
	return fds[SLOT_PAYLOAD].revents ? reap(supervisor) : 0;
}

const char *outcome_word(enum outcome outcome)
{
	static const char *const words[] = {
		[OUTCOME_EXITED] = "exited",       [OUTCOME_POWER_OFF] = "powered-off",
		[OUTCOME_REBOOT] = "rebooted",     [OUTCOME_KILLED] = "killed",
		[OUTCOME_SIGNALLED] = "signalled", [OUTCOME_FAILED] = "failed",
	};

	return words[outcome];
}

/*
 * reboot(2) in a PID namespace: its init seems to die of SIGINT after a halt and of SIGHUP after a
 * restart. Elsewhere these are signals like others.
 */
static struct ending conclude(const struct supervisor *supervisor)
{
	bool has_own_pids = supervisor->machine->plan->clone_flags & CLONE_NEWPID;
	int status = supervisor->info.si_status;

	if (supervisor->is_failed)
		return (struct ending){OUTCOME_FAILED, 1};
	if (supervisor->info.si_code == CLD_EXITED)
		return (struct ending){OUTCOME_EXITED, status};
	if (status == SIGINT && has_own_pids)
		return (struct ending){OUTCOME_POWER_OFF, 0};
	if (status == SIGHUP && has_own_pids)
		return (struct ending){
			supervisor->is_stop_ours ? OUTCOME_POWER_OFF : OUTCOME_REBOOT, 0};
	if (status == SIGKILL && supervisor->is_stop_ours)
		return (struct ending){OUTCOME_KILLED, status};
	return (struct ending){OUTCOME_SIGNALLED, status};
}

/*
 * A slow reader of our output gets its time, until someone wants us gone, as who had the payload
 * killed does.
 */
static void drain_console(struct supervisor *supervisor)
{
	if (conclude(supervisor).outcome == OUTCOME_KILLED) {
		(void)console_drain(&supervisor->machine->console, -EBADF);
		return;
	}
	while (console_drain(&supervisor->machine->console, supervisor->signal_fd) > 0) {
		struct signalfd_siginfo info;

		if (read(supervisor->signal_fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGTSTP)
			console_suspend(&supervisor->machine->console);
		else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT)
			break;
	}
}

int supervise(struct machine *machine, int signal_fd, struct ending *ret)
{
	uint64_t watchdog_usec =
		notify_watchdog_usec() / 2; /* as sd_watchdog_enabled(3) recommends */
	struct supervisor supervisor = {
		.machine = machine,
		.signal_fd = signal_fd,
		.report_usec = NEVER,
		.deadline_usec = NEVER,
		.watchdog_usec = watchdog_usec,
		.watchdog_next_usec = watchdog_usec > 0 ? clock_now_usec() + watchdog_usec : NEVER,
		.relay =
			{
				.leader = machine->pid,
				.payload_is_pid2 = machine->plan->config->start == START_PID2,
				.ready_is_said = !ready_is_said_by_guest(machine),
			},
	};
	int r = 0;

	ready_begin(&supervisor.ready, machine);
	while (r >= 0 && !supervisor.leader_gone)
		r = turn(&supervisor);
	ready_end(&supervisor.ready);
	TRY(r);
	/* What it said last: to the handshake, and to its terminal. */
	while (machine->handshake.fd >= 0)
		hear_payload(&supervisor);
	drain_console(&supervisor);
	*ret = conclude(&supervisor);
	return 0;
}
