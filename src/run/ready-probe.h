/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds out from outside whether a machine is ready: a command in it, or a port of its network.
 * Zone: owing.
 */
#pragma once

struct machine;

/*
 * Starts a process that ends with 0 if the machine is ready by what its config asks for, READY_EXEC
 * or READY_PORT. The latter waits for that itself; a command is tried once. Returns its pidfd, or a
 * negative errno. It says nothing, has no descriptor of ours but the payload's pidfd, and dies with
 * us; SIGTERM is passed on to the command, a second one kills that.
 */
int ready_probe_start(const struct machine *machine);
