/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who asks for a login on a terminal of a running machine.
 * Zone: doomed.
 */
#pragma once

/*
 * Has the systemd whose root is also this process's put a getty on the terminal /dev/pts/'number'.
 * For a process with no more rights than the machine's: whoever listens on its sockets is heard for
 * two seconds each. 0 or a negative errno. Silent, but for debugging.
 */
int join_login_ask_systemd(int number);

/* The command for a login of its own, NULL-terminated, or NULL where the tree has none. */
const char *const *join_login_command(int root_fd);
