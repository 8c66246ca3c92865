/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a further process takes from process 1 of its machine: what that was given outside of any
 * plan, or may only be looked at while it runs.
 * Zone: free for waiting, doomed for taking.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Waits, for two seconds at most, until process 1 has left the host's root behind: before that its
 * mounts are the host's. Complains itself.
 */
int join_leader_wait(const char *machine, pid_t leader);

/*
 * A child of 'leader', which is in the same namespaces: for who may not look at a leader that never
 * executed anything, as a stub init. *ret_fd is its pidfd, the caller's. Silent.
 */
int join_leader_child(pid_t leader, pid_t *ret, int *ret_fd);

/*
 * Limits, personality, processors, score for the out-of-memory killer and security label of
 * 'leader' become this process's, as far as it may; the label with the next exec. 'proc_fd' is the
 * host's /proc. Complains itself.
 */
int join_leader_take(pid_t leader, int proc_fd);

/* Whether a security module has a label for it that a further process has to get. */
bool join_leader_is_labelled(pid_t leader);

/* The namespaces to be entered, for setns(2): the user's only if it is another. Or a negative
 * errno. */
int join_leader_namespaces(pid_t leader, int *ret_flags);
