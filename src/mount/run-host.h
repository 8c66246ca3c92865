/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /run/host: what the payload learns about the one who started it.
 * Zone: doomed.
 */
#pragma once

#include <stdbool.h>

struct bound_users;
struct ids;

struct run_host_request {
	const char *service;      /* container-manager */
	const char *machine_uuid; /* dashed; container-uuid */
	const char *boot_id;      /* dashed; random per start */
	bool has_exchange;        /* places for 'incoming' and 'unix-export' */
	bool has_manager_sockets; /* places for the sockets of who manages ids */
	bool has_credentials;     /* a place for them */
	bool has_journal_socket;  /* a place for 'journal/socket' */
	const struct bound_users *bound_users;
	const struct ids *ids; /* of the payload */
	bool has_nesting;      /* places for 'nesting/proc' and 'nesting/sys' */
};

/* Objects that a mount may put over another one of the same kind, by name below the run tmpfs. */
const char *run_host_inaccessible(unsigned int mode);

/* Fills /run/host below the tmpfs 'run_fd'. */
int run_host_make(int run_fd, const struct run_host_request *request);

/*
 * Opens the FIFO at /proc/kmsg both ways, so that its readers block instead of seeing end-of-file.
 */
int run_host_open_kmsg(int run_fd);
