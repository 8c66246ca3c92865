/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The supervisor's loop. It sleeps in poll(2) without timeout as long as nothing is being stopped,
 * so that a waiting supervisor costs no wake-ups.
 * Zone: owing.
 */
#include "run/supervise.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"
#include "run/describe.h"
#include "run/supervise-states.h"

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
		supervise_happen(supervisor, EVENT_STOP);
}

static int handle_console(struct supervisor *supervisor, const struct pollfd *fds, size_t count)
{
	int event = console_dispatch(&supervisor->machine->console, fds, count);

	if (event < 0)
		return event;
	if (event == CONSOLE_KILL)
		supervise_happen(supervisor, EVENT_KILL);
	else if (event == CONSOLE_POWEROFF)
		supervise_happen(supervisor, EVENT_POWER_OFF);
	else if (event == CONSOLE_REBOOT)
		supervise_happen(supervisor, EVENT_REBOOT);
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
		supervise_happen(supervisor, EVENT_REBOOT);
	if (requests & CONTROL_POWER_OFF)
		supervise_happen(supervisor, EVENT_SHUT_DOWN);
	if (requests & CONTROL_TERMINATE)
		supervise_happen(supervisor, EVENT_KILL);
}

/* Somebody stops the scope. Who was told twice kills; the manager tells once what may be known. */
static void hear_manager(struct supervisor *supervisor)
{
	if (managers_dispatch(supervisor->machine->managers) && supervisor->state == STATE_RUNNING)
		supervise_happen(supervisor, EVENT_STOP);
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
	const uint64_t times[] = {
		supervisor->deadline_usec,     supervisor->watchdog_next_usec,
		supervisor->report_usec,       supervisor->names.next_usec,
		supervisor->forward.next_usec, ready_next_usec(&supervisor->ready)};
	uint64_t first = CLOCK_NEVER, now;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (times[i] < first)
			first = times[i];
	if (first == CLOCK_NEVER)
		return -1;
	now = clock_now_usec();
	return first <= now ? 0 : (int)((first - now) / 1000 + 1);
}

static void keep_time(struct supervisor *supervisor)
{
	uint64_t now = time_left_msec(supervisor) == 0 ? clock_now_usec() : 0;

	if (supervisor->watchdog_next_usec <= now) {
		(void)notify_send("WATCHDOG=1");
		supervisor->watchdog_next_usec = now + supervisor->watchdog_usec;
	}
	ready_work(&supervisor->ready, now);
	if (supervisor->names.next_usec <= now)
		names_work(&supervisor->names);
	if (supervisor->forward.next_usec <= now)
		forward_watch_work(&supervisor->forward);
	if (supervisor->report_usec <= now)
		supervise_report(supervisor, now);
	if (supervisor->deadline_usec <= now)
		supervise_happen(supervisor, EVENT_TIMEOUT);
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
	SLOT_NAMES,
	SLOT_FORWARD,
	SLOT_PORTS,                                /* and the following */
	SLOT_CONSOLE = SLOT_PORTS + PORTS_POLLFDS, /* and the following */
};

static void hear_ports(struct machine *machine, const struct pollfd *fds)
{
	for (size_t i = 0; i < PORTS_POLLFDS; i++)
		if (fds[i].revents)
			return ports_dispatch(&machine->ports);
}

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
		[SLOT_NAMES] = {.fd = supervisor->names.watch_fd, .events = POLLIN},
		[SLOT_FORWARD] = {.fd = forward_watch_fd(&supervisor->forward), .events = POLLIN},
	};
	int port_fds[PORTS_POLLFDS];
	size_t console_count = console_pollfds(&machine->console, fds + SLOT_CONSOLE);
	int ready;

	ports_fds(&machine->ports, port_fds);
	for (size_t i = 0; i < PORTS_POLLFDS; i++)
		fds[SLOT_PORTS + i] = (struct pollfd){.fd = port_fds[i], .events = POLLIN};
	ready = poll(fds, SLOT_CONSOLE + console_count, time_left_msec(supervisor));

	if (ready < 0)
		return errno == EINTR ? 0 : fail(-errno, "Cannot wait for the payload");
	keep_time(supervisor);
	if (fds[SLOT_HANDSHAKE].revents)
		hear_payload(supervisor);
	if (fds[SLOT_NOTIFY].revents)
		hear_notification(supervisor);
	if (fds[SLOT_PROBE].revents)
		ready_probe_ended(&supervisor->ready);
	if (fds[SLOT_NAMES].revents)
		names_work(&supervisor->names);
	if (fds[SLOT_FORWARD].revents)
		forward_watch_hear(&supervisor->forward);
	if (fds[SLOT_JOURNAL].revents)
		journal_remote_lost(&machine->journal_remote);
	hear_ports(machine, fds + SLOT_PORTS);
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
	const struct net_setup_plan *setup = &machine->plan->net.setup;
	uint64_t watchdog_usec =
		notify_watchdog_usec() / 2; /* as sd_watchdog_enabled(3) recommends */
	struct supervisor supervisor = {
		.machine = machine,
		.signal_fd = signal_fd,
		.report_usec = CLOCK_NEVER,
		.deadline_usec = CLOCK_NEVER,
		.watchdog_usec = watchdog_usec,
		.watchdog_next_usec =
			watchdog_usec > 0 ? clock_now_usec() + watchdog_usec : CLOCK_NEVER,
		.relay =
			{
				.leader = machine->pid,
				.payload_is_pid2 = machine->plan->config->start == START_PID2,
				.ready_is_said = !ready_is_said_by_guest(machine),
			},
	};
	int r = 0;

	ready_begin(&supervisor.ready, machine);
	names_begin(&supervisor.names, machine);
	forward_watch_begin(&supervisor.forward, setup->does_host ? setup->link : NULL);
	while (r >= 0 && !supervisor.leader_gone)
		r = turn(&supervisor);
	ready_end(&supervisor.ready);
	names_end(&supervisor.names);
	forward_watch_end(&supervisor.forward);
	TRY(r);
	/* What it said last: to the handshake, and to its terminal. */
	while (machine->handshake.fd >= 0)
		hear_payload(&supervisor);
	drain_console(&supervisor);
	*ret = conclude(&supervisor);
	return 0;
}
