/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One method call over a varlink socket: JSON and a NUL byte in either direction, descriptors
 * beside it, which parameters name by their number (https://varlink.org). Zone: any. Silent, but
 * for a note while an answer is waited for.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define VARLINK_FDS_MAX 4
#define VARLINK_ERROR_MAX 128

struct varlink_reply {
	json_t *parameters; /* an object */
	int fds[VARLINK_FDS_MAX];
	size_t fd_count;
	char error[VARLINK_ERROR_MAX]; /* the name of the error, or "" */
};

struct varlink_call {
	const char *socket; /* path */
	const char *method; /* "interface.Method" */
	json_t *parameters; /* owned by the call, which drops it; NULL: none */
	int fds[VARLINK_FDS_MAX];
	size_t fd_count;
	/* Whom the user hears that we wait for, "SERVICE to DO THAT", when it takes long; or NULL.
	 */
	const char *awaited, *awaited_to;
	unsigned int patience_msec; /* 0: a minute and a half */
	bool is_interruptible;      /* ends with -EINTR by what interrupt_hold() holds back */
};

/*
 * Connects, calls, waits for the whole answer as long as it may. Returns 0; -EREMOTEIO if the
 * answer is an error, whose name is then in the reply; -EBADMSG for no varlink; -ETIMEDOUT; or what
 * connect(2) and its kind say. The reply is the caller's to be done with in any case.
 */
int varlink_call(const struct varlink_call *call, struct varlink_reply *ret);

/* What an answer's text says, descriptors aside: returns the like. Pure, for tests. */
int varlink_understand(const char *text, struct varlink_reply *ret);
void varlink_reply_done(struct varlink_reply *reply);
#define auto_reply __attribute__((cleanup(varlink_reply_done)))

/* The descriptor that the integer 'name' of the reply counts to, handed over; or -EBADMSG. */
int varlink_take_fd(struct varlink_reply *reply, const char *name);
