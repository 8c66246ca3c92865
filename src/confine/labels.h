/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Labels of security modules: found, decided, and put on the payload. The kernel keeps at most one
 * for the next exec (proc_pid_attr(5)) and then either changes to it or lets the exec fail; so what
 * is written and read back here is what the payload has, or there is no payload.
 * Zone: free for the first half, doomed for the second.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* FOUND: which modules this kernel runs. Only looked at when one of the options was given. */
struct label_facts {
	bool has_selinux;
	bool has_apparmor;
};

void label_facts_gather(const struct config *config, struct label_facts *ret);

/* DECIDED. */
struct label_plan {
	const char *selinux_context;  /* for the next exec, or NULL */
	const char *mount_context;    /* for file systems in memory, or NULL */
	const char *apparmor_profile; /* for the next exec, or NULL */
};

/* True if the payload changes its label when it is executed. */
bool label_plan_is_set(const struct label_plan *plan);

/*
 * SELinux labels are for kernels that run it: without, a note says that they have no effect. A
 * profile of AppArmor is a demand, and refused where it cannot be met. Returns 0 or a negative
 * errno after one refusal.
 */
int labels_plan(const struct config *config, const struct label_facts *facts,
		struct label_plan *ret);

/*
 * Sets the labels for what this process, or a child of it, executes next. 'proc_fd' is the top of a
 * procfs of our own making; nothing that is mounted below it is passed through. Verified by
 * reading back. Returns 0 or a negative errno after one sentence.
 */
int labels_apply(const struct label_plan *plan, int proc_fd);

/*
 * For a process that lives on without exec, the stub init, which must not stay outside of the
 * profile that its payload is in. The first opens what the second needs, when no path can be opened
 * any more; *ret_fd, the caller's, is untouched when there is nothing to do. Only of AppArmor: a
 * policy of SELinux allows such a change to hardly any process. Return 0 or a negative errno after
 * one sentence.
 */
int labels_open_self(const struct label_plan *plan, int proc_fd, int *ret_fd);
int labels_confine_self(const struct label_plan *plan, int fd);

/* True if 'text', as read from the kernel, says 'profile'; sets *ret_mode to what is in brackets.
 */
bool label_text_says(char *text, const char *profile, const char **ret_mode);

/* The same for an SELinux context, up to its type. */
bool label_context_says(const char *text, const char *context);
