/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts something of the host into a machine that runs, and takes it away again.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/guest.h"

struct bind_live {
	const struct guest *guest;
	const char *path;   /* inside */
	const char *source; /* absolute, on the host */
	int mount_fd;       /* a detached view of it; -EBADF: only inside can one be had */
	bool recursive, read_only;
	bool makes;    /* what is not there, with its parents */
	int proc_fd;   /* a directory of our own descriptors' names: /proc/self/fd */
	int record_fd; /* where the mounts made here are noted, one number a line */
};

/* Both in the process that is then good for nothing else. 0, or a negative errno after a sentence.
 */
int bind_live_attach(struct bind_live *live);
int bind_live_detach(struct bind_live *live);

/* The kernel's own number of the mount that 'fd' is on, or 0; is never given again (Linux 6.8). */
uint64_t bind_live_number(int fd);
