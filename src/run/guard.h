/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that outlives a killed supervisor just long enough to end its machine. Mostly there is
 * none: the kernel kills PID 1 when the supervisor dies (PR_SET_PDEATHSIG), and with it the PID
 * namespace. But it forgets to when the payload takes another label at its exec (prctl(2)), a
 * label's policy may refuse that signal, and without a PID namespace only one process would be hit.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

#include "run/plan.h"

struct machine;

/* True if the kernel alone cannot be relied on. */
bool guard_is_needed(const struct plan *plan);

/*
 * Starts it for machine->pidfd and its cgroup, and sets machine->guard_fd; guard_stop() takes the
 * machine as its argument and ends it again, if there is one. Returns 0 or a negative errno after
 * one sentence.
 */
int guard_start(struct machine *machine);
void guard_stop(void *machine);
