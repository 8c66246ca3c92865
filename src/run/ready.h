/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a machine is ready: one condition for our service manager, the registry and who waits at the
 * control socket. While it is awaited, the manager's patience is prolonged as long as something
 * happens in the machine. Nothing wakes up once it is there.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "run/notify.h"

struct machine;

/* Zero-filled but for the descriptor, which is -EBADF, is one that waits for nothing. */
struct ready {
	struct machine *machine;
	int probe_fd; /* pidfd of the process that looks, or -EBADF */
	bool is_reached;
	bool is_probing;             /* a command or a port is still to be looked at */
	unsigned int strikes;        /* signals that a hanging command has got */
	uint64_t probe_next_usec;    /* when to look again, or to strike */
	uint64_t progress_next_usec; /* when to look for progress */
	bool has_spoken;             /* the guest's status changed since then */
	int64_t used_usec;           /* processor time then */
};

/* For a payload that is about to run. ready_end() must follow; it may be called twice. */
void ready_begin(struct ready *ready, struct machine *machine);
void ready_end(struct ready *ready);

/* Of cleanup attributes. */
#define auto_ready __attribute__((cleanup(ready_end)))

/* What the relay of the guest's messages leaves to us: only with READY_GUEST it says READY=1. */
bool ready_is_said_by_guest(const struct machine *machine);

/* The payload's program runs. */
void ready_spawned(struct ready *ready);

/* The guest has sent a message: enum notify_heard. */
void ready_heard(struct ready *ready, int heard);

/* The process that looks has ended. */
void ready_probe_ended(struct ready *ready);

/* When ready_work() has something to do, by CLOCK_MONOTONIC, or CLOCK_NEVER; and does it. */
uint64_t ready_next_usec(const struct ready *ready);
void ready_work(struct ready *ready, uint64_t now_usec);
