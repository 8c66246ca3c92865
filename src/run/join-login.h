/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who asks for a login on a terminal of a running machine.
 * Zone: doomed.
 */
#pragma once

#include "base/arena.h"

/*
 * Has the systemd whose root is also this process's put a getty on the terminal /dev/pts/'number'.
 * For a process with no more rights than the machine's: whoever listens on its sockets is heard for
 * two seconds each. It has to be in the machine's PID namespace, or systemd takes it for nobody.
 * Returns 0 when the getty runs, or a negative errno. Silent, but for debugging.
 */
int join_login_ask_systemd(struct arena *arena, int number);

/* The command for a login of its own, NULL-terminated, or NULL where the tree has none. */
const char *const *join_login_command(int root_fd);
