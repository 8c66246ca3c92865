/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From sorted ranges of system call numbers to a classic BPF program for seccomp(2).
 * Zone: free. Pure: no system calls, no tables of its own.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What happens to a call once its number is known: instructions that end in BPF_RET on every path
 * and jump only forward and only among themselves. A plain verdict is a single BPF_RET.
 */
struct filter_leaf {
	const struct sock_filter *code;
	size_t len;
};

/* From this number to the one before the next range's (or to UINT32_MAX), this leaf decides. */
struct filter_range {
	uint32_t first;
	uint32_t leaf; /* an index into filter_source.leaves */
};

/* One value of seccomp_data.arch. Ranges are sorted and start at 0; neighbours differ in leaf. */
struct filter_arch {
	uint32_t audit_arch;
	const struct filter_range *ranges;
	size_t range_count;
};

struct filter_source {
	const struct filter_arch *arches; /* the most frequent one first */
	size_t arch_count;
	const struct filter_leaf *leaves;
	size_t leaf_count;
	uint32_t other_arch_leaf; /* decides calls of every architecture not listed */
};

/* The kernel refuses longer programs (BPF_MAXINSNS). */
#define FILTER_MAX_LEN 4096
/* No source needs more kinds of leaves; the bound keeps the emitter's memory fixed. */
#define FILTER_MAX_LEAVES 32

/*
 * Builds the program. The caller frees *ret_program.
 * Errors: -EINVAL for a malformed source, -E2BIG beyond FILTER_MAX_LEN, -ENOMEM.
 * The program's rules: Documentation/userspace-api/seccomp_filter.rst,
 * Documentation/networking/filter.rst.
 */
int filter_emit(const struct filter_source *source, struct sock_filter **ret_program,
		size_t *ret_len);

/* Loads a word of seccomp_data into the accumulator: for hand-written leaves. */
#define FILTER_LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define FILTER_RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define FILTER_JUMP(condition, value, when_true, when_false) \
	BPF_JUMP(BPF_JMP | (condition) | BPF_K, (value), (when_true), (when_false))
