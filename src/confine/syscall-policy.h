/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a request and the tables to a ruling for every call, and to a program. Used by syscalls.c,
 * by the generator of the built-in program, and by tests, each with their own tables.
 * Zone: free. Pure.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "confine/syscall-tables.h"
#include "confine/syscalls.h"

/* What is decided about one row of the table of numbers. 'leaf' is private to syscall-policy.c. */
struct syscall_decision {
	struct syscall_ruling ruling;
	uint32_t leaf;
};

/*
 * Decides about every row: *ret_decisions has tables->row_count entries and belongs to the caller.
 * Errors: -EINVAL for a word that is in no table, -ENOMEM.
 */
int syscall_policy_decide(const struct syscall_tables *tables,
			  const struct syscall_request *request,
			  struct syscall_decision **ret_decisions);

/* The program for a request. The caller frees *ret_program. Errors as for syscalls_choose(). */
int syscall_policy_compile(const struct syscall_tables *tables,
			   const struct syscall_request *request, struct sock_filter **ret_program,
			   size_t *ret_len);
