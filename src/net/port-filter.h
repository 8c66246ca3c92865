/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the process that serves ports may still ask of the kernel: strangers talk to it.
 * Zone: doomed.
 */
#pragma once

/* From here on all but what it serves with is EPERM. Needs no_new_privs. 0 or a negative errno. */
int port_filter_load(void);
