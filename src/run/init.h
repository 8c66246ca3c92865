/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stub init of --as-pid2: reaps, forwards a stop, and ends with its one child.
 * Zone: doomed.
 */
#pragma once

#include <stdbool.h>

enum init_action {
	INIT_IGNORE,
	INIT_POWER_OFF,
	INIT_REBOOT,
};

struct init_request {
	const char *service; /* what other containers find in $container */
	const char *uuid;    /* the machine id, 32 digits without dashes */
	char **environment;  /* the payload's; with LISTEN_FDS= also a LISTEN_PID= to replace */
	bool has_terminal;   /* standard input is to be the payload's controlling terminal */

	/*
	 * Runs the payload with 'environment', as exec does: returns only a negative errno, after
	 * it told what is wrong.
	 */
	int (*execute)(char *const *environment, void *userdata);
	/*
	 * Confines PID 1 itself, which is never executed anew: called in it before the payload
	 * runs, with all descriptors still open. Returns 0, or a negative errno after it told what
	 * is wrong. NULL: nothing to do.
	 */
	int (*confine)(void *userdata);
	/*
	 * Tells the parent that nothing will run: 'deed', such as "fork", failed for the stub init;
	 * NULL where execute() told it.
	 */
	void (*report)(int error, const char *deed, void *userdata);
	void *userdata;
};

/*
 * Runs as PID 1 in place of exec, fully confined, with standard descriptors and those to be passed
 * on open and everything else (the handshake too) close-on-exec; allocates nothing. As exec would,
 * it closes the handshake once the payload runs. Returns the status to _exit() with: the payload's,
 * 255 if that died by a signal, 1 after report(); or does not return because reboot(2) ended the
 * namespace.
 */
int init_run(const struct init_request *request);

/* What the stub does on a signal. */
enum init_action init_action_for(int signal_number);
