/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Awaits that a machine is ready, and tells everybody at once.
 * Zone: owing.
 */
#include "run/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"
#include "run/describe.h"
#include "run/launch.h"
#include "run/ready-probe.h"

#define SECOND UINT64_C(1000000)

/* A command that hangs gets this long, then a signal each second. */
#define COMMAND_USEC (5 * SECOND)
static const int strikes[] = {SIGTERM, SIGTERM, SIGKILL};

/*
 * How often progress is looked for, how much processor time is some (what sleeps and looks now and
 * then has less), and by how much it prolongs the manager's patience (sd_notify(3)).
 */
#define PROGRESS_USEC (5 * SECOND)
#define PROGRESS_USED_USEC 25000
#define EXTEND_TEXT "EXTEND_TIMEOUT_USEC=30000000"

static enum ready_when when(const struct machine *machine)
{
	return machine->plan->config->ready.when;
}

bool ready_is_said_by_guest(const struct machine *machine)
{
	return when(machine) == READY_GUEST;
}

/*
 * As systemd-nspawn, which callers count on, we tell our manager at once if nobody said otherwise;
 * who asks us hears what an init that speaks sd_notify(3) says. Of others that is not known.
 */
static bool guest_is_awaited(const struct machine *machine)
{
	const struct plan *plan = machine->plan;

	return when(machine) == READY_GUEST ||
	       (when(machine) == READY_DEFAULT && plan->config->start == START_BOOT &&
		plan->facts->tree.init_kind == INIT_SYSTEMD);
}

static void become_ready(struct ready *ready)
{
	struct machine *machine = ready->machine;

	ready->is_reached = true;
	ready->progress_next_usec = CLOCK_NEVER;
	if (!machine->entry || machine->entry->is_ready)
		return;
	machine->entry->is_ready = true;
	describe_again(machine);
	control_tell_ready(machine->control);
}

/* --- Looking --- */

static void start_probe(struct ready *ready, uint64_t now)
{
	ready->strikes = 0;
	ready->probe_fd = ready_probe_start(ready->machine);
	if (ready->probe_fd < 0)
		debug("Cannot look whether the machine is ready (%s), trying again",
		      strerrordesc_np(-ready->probe_fd));
	if (ready->probe_fd < 0)
		ready->probe_next_usec = now + SECOND;
	else
		ready->probe_next_usec =
			when(ready->machine) == READY_EXEC ? now + COMMAND_USEC : CLOCK_NEVER;
}

static void strike(struct ready *ready, uint64_t now)
{
	if (ready->strikes == 0)
		debug("The command that tells whether the machine is ready takes too long");
	(void)pidfd_send_signal(ready->probe_fd, strikes[ready->strikes], NULL, 0);
	ready->probe_next_usec = ++ready->strikes < ARRAY_LEN(strikes) ? now + SECOND : CLOCK_NEVER;
}

void ready_probe_ended(struct ready *ready)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)ready->probe_fd, &info, WEXITED) < 0 && errno == EINTR)
		return;
	scope_close(&ready->probe_fd);
	ready->probe_fd = -EBADF;
	if (info.si_code != CLD_EXITED || info.si_status != 0) {
		ready->probe_next_usec = clock_now_usec() + SECOND;
		return;
	}
	ready->is_probing = false;
	ready->probe_next_usec = CLOCK_NEVER;
	(void)notify_send("READY=1\nSTATUS=Container running.");
	become_ready(ready);
}

/* --- Progress --- */

/* Without what our own commands took, which have been waited for. */
static int64_t used_usec(const struct machine *machine)
{
	auto_free char *text = NULL;
	struct rusage ours = {0};
	int64_t used = 0;

	if (!machine->has_cgroup ||
	    file_read(machine->cgroup.payload_fd, "cpu.stat", 65536, &text, NULL) < 0 ||
	    sscanf(text, "usage_usec %" SCNd64, &used) != 1)
		return 0;
	(void)getrusage(RUSAGE_CHILDREN, &ours);
	return used - (ours.ru_utime.tv_sec + ours.ru_stime.tv_sec) * (int64_t)SECOND -
	       ours.ru_utime.tv_usec - ours.ru_stime.tv_usec;
}

static void await_progress(struct ready *ready, uint64_t now)
{
	ready->has_spoken = false;
	ready->machine->console.has_said_line = false;
	ready->used_usec = used_usec(ready->machine);
	ready->progress_next_usec = now + PROGRESS_USEC;
}

static void look_for_progress(struct ready *ready, uint64_t now)
{
	int64_t used = used_usec(ready->machine) - ready->used_usec;

	if (ready->has_spoken || ready->machine->console.has_said_line || used > PROGRESS_USED_USEC)
		(void)notify_send(EXTEND_TEXT);
	await_progress(ready, now);
}

/* --- For the supervisor --- */

void ready_begin(struct ready *ready, struct machine *machine)
{
	*ready = (struct ready){
		.machine = machine,
		.probe_fd = -EBADF,
		.probe_next_usec = CLOCK_NEVER,
		.progress_next_usec = CLOCK_NEVER,
	};
}

void ready_end(struct ready *ready)
{
	if (ready->probe_fd >= 0)
		pidfd_end(ready->probe_fd);
	scope_close(&ready->probe_fd);
	ready->probe_fd = -EBADF;
	ready->is_probing = false;
	ready->probe_next_usec = ready->progress_next_usec = CLOCK_NEVER;
}

void ready_spawned(struct ready *ready)
{
	const struct machine *machine = ready->machine;
	bool is_looked_for = when(machine) == READY_EXEC || when(machine) == READY_PORT;
	bool is_at_once = !is_looked_for && !ready_is_said_by_guest(machine);
	uint64_t now = clock_now_usec();

	/* The guest may have been quicker. */
	(void)notify_started(machine->pid, is_at_once);
	if (is_at_once && !guest_is_awaited(machine))
		become_ready(ready);
	if (is_at_once)
		return;
	if (is_looked_for) {
		ready->is_probing = true;
		start_probe(ready, now);
	}
	if (getenv("NOTIFY_SOCKET") && !ready->is_reached)
		await_progress(ready, now);
}

void ready_heard(struct ready *ready, int heard)
{
	if (heard & NOTIFY_REFUSED)
		return;
	if (heard & NOTIFY_STATUS)
		ready->has_spoken = true;
	if (heard & NOTIFY_READY && guest_is_awaited(ready->machine))
		become_ready(ready);
}

uint64_t ready_next_usec(const struct ready *ready)
{
	return ready->probe_next_usec < ready->progress_next_usec ? ready->probe_next_usec
								  : ready->progress_next_usec;
}

void ready_work(struct ready *ready, uint64_t now)
{
	if (ready->probe_next_usec <= now) {
		if (ready->probe_fd >= 0)
			strike(ready, now);
		else
			start_probe(ready, now);
	}
	if (ready->progress_next_usec <= now)
		look_for_progress(ready, now);
}
