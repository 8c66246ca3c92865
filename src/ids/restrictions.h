/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: what a distribution has put in the way of user namespaces, so that the error can name it.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct restriction {
	const char *file;  /* below /proc/sys, or "/proc/self/ns/user" */
	const char *cause; /* a sentence's second half: "the kernel has no …" */
	const char *fix;   /* what the user, or an administrator, can do */
};

/*
 * The first thing on this host that keeps a process from making user namespaces, or, with
 * 'is_ordinary', an ordinary user's; NULL if there is none to be seen. 'proc' is "/proc".
 */
const struct restriction *restriction_find(const char *proc, bool is_ordinary);

/* The sentence about it, with its fix. Returns -EPERM. */
int restriction_refuse(const struct restriction *restriction);

/*
 * After clone3(2), or the first step inside, failed with 'r' for a user namespace: the cause as far
 * as it can be told. Returns r.
 */
int restriction_explain(int r, bool is_ordinary);
