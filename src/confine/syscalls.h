/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The payload's syscall filter: what is asked of it, choosing it, explaining it, loading it.
 * Zone: free, except syscalls_load(), which is for the doomed zone.
 *
 * One program covers every ABI of the machine. A call is allowed, refused with EPERM (known and
 * knowingly withheld, or denied by the user), or does not exist (ENOSYS: no table knows it). A few
 * allowed calls are narrowed further by their arguments; an argument rule never widens anything.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum family_mode {
	FAMILIES_ANY,    /* no restriction */
	FAMILIES_ONLY,   /* the listed address families; an empty list allows none */
	FAMILIES_EXCEPT, /* all but the listed ones */
};

/* More families than any kernel has; a longer list is refused. */
#define SYSCALL_FAMILIES_MAX 128

struct syscall_request {
	uint64_t capabilities; /* mask of what the payload retains */
	char *const *allow;   /* system calls and @groups, NULL-terminated; NULL is an empty list */
	char *const *deny;    /* the same; wins over everything */
	bool sync_suppressed; /* flushing does nothing and succeeds */
	enum family_mode family_mode;
	const int *families; /* AF_* numbers, any order */
	size_t family_count;
};

/* A program for syscalls_load(). 'owned' is what syscall_filter_done() frees, NULL if built in. */
struct syscall_filter {
	const struct sock_filter *program;
	size_t len;
	struct sock_filter *owned;
};

/*
 * The program for a request. What equals the default (same capability-bound calls, nothing asked
 * for) is the program made at build time; anything else is made here, from embedded numbers: no
 * library, no file, well under a millisecond. The caller ends *ret_filter with
 * syscall_filter_done().
 *
 * With an address family restriction, socketcall(SYS_SOCKET) of 32-bit programs is refused as a
 * whole, because its arguments are in memory where no filter can look, and so is io_uring_setup(),
 * because a ring opens sockets past any filter: otherwise every program could step around the
 * restriction.
 * With sync_suppressed, open() and openat() with O_SYNC or O_DSYNC fail with EINVAL;
 * openat2() and pwritev2(RWF_SYNC) are not covered.
 *
 * Errors: -EINVAL for a word that syscalls_word_is_known() does not know, -E2BIG for too many
 * families, -ENOMEM.
 */
int syscalls_choose(const struct syscall_request *request, struct syscall_filter *ret_filter);
void syscall_filter_done(struct syscall_filter *filter);

/*
 * Whether the word may stand in an allow or deny list: a group with its '@', or a system call of
 * any architecture. A call that this architecture lacks is accepted and means nothing here.
 */
bool syscalls_word_is_known(const char *word);

/* Which table decided. */
enum syscall_source {
	SYSCALL_UNLISTED,     /* none did: the call does not exist for the payload */
	SYSCALL_DENIED,       /* the request's deny list */
	SYSCALL_ALWAYS,       /* allowed whatever the payload may do otherwise */
	SYSCALL_RETAINED,     /* its capability is retained */
	SYSCALL_ASKED,        /* the request's allow list */
	SYSCALL_NOT_RETAINED, /* its capability is not */
	SYSCALL_EXCLUDED,     /* knowingly refused */
};

enum syscall_verdict {
	SYSCALL_MISSING, /* ENOSYS */
	SYSCALL_REFUSED, /* EPERM */
	SYSCALL_ALLOWED,
};

/* Which way a call goes, and why. All strings are constant or the request's own. */
struct syscall_ruling {
	enum syscall_verdict verdict;
	enum syscall_source source;
	const char *word; /* the group or user's word through which the call was found, or NULL */
	unsigned int capability; /* with SYSCALL_RETAINED and SYSCALL_NOT_RETAINED */
	const char *reason;      /* with SYSCALL_EXCLUDED: why */
	const char *condition;   /* an argument rule on the allowed call, as a sentence, or NULL */
};

/* Errors: -EINVAL if no architecture has the call or a word of the request is unknown, -ENOMEM. */
int syscalls_explain(const struct syscall_request *request, const char *name,
		     struct syscall_ruling *ret_ruling);

/*
 * The number of a call on the ABI with this index. Returns false past the last ABI; otherwise
 * *ret_abi is its name ("x86-64") and *ret_number the number, or negative if the ABI lacks the call
 * or nobody knows the name.
 */
bool syscalls_number(const char *name, size_t abi, const char **ret_abi, int *ret_number);

/*
 * Confines the calling thread and what it executes, for good. Allocates nothing. Needs
 * CAP_SYS_ADMIN in the own user namespace or no_new_privs, else -EACCES. The next system calls are
 * already filtered. See seccomp(2).
 */
int syscalls_load(const struct sock_filter *program, size_t len);
