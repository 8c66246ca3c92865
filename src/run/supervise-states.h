/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a supervisor knows while it waits, and what may happen to it; between the loop, which
 * notices, and the table of states, which decides.
 * Zone: owing.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/forward-watch.h"
#include "run/names.h"
#include "run/notify.h"
#include "run/ready.h"
#include "run/supervise.h"

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
	struct names names;
	struct forward_watch forward;
	uint64_t report_usec;        /* when to tell what still runs, or CLOCK_NEVER */
	uint64_t deadline_usec;      /* when EVENT_TIMEOUT happens, or CLOCK_NEVER */
	uint64_t watchdog_next_usec; /* when our manager wants the next sign of life, or CLOCK_NEVER
				      */
	uint64_t watchdog_usec;      /* from one to the next */
	struct notify_relay relay;
	bool is_failed;   /* the payload said so after GO */
	bool leader_gone; /* reaped: 'info' is filled */
	siginfo_t info;
};

/* Does what the table says for this event in this state. Speaks of what failed, and goes on. */
void supervise_happen(struct supervisor *supervisor, enum event event);

/* For 'report_usec', once: what somebody sees who wonders why stopping takes so long. */
void supervise_report(struct supervisor *supervisor, uint64_t now_usec);
