/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables behind the syscall filter: numbers by ABI (generated), groups and policy (written by
 * hand).
 * Zone: any. Constant data and pure look-ups.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One program on x86-64 can call the kernel in three ways; no other architecture has more. */
#define SYSCALL_ABI_MAX 3

/*
 * The tables judge every call up to this number (file_setattr, Linux 6.17); raise it with them.
 * Later ones do not exist for a payload (ENOSYS) until somebody decides about them.
 */
#define SYSCALL_NEWEST 469

/* A way to call the kernel. ABIs of one audit_arch differ in their numbers: x32 sets bit 30. */
struct syscall_abi {
	const char *name;
	uint32_t audit_arch;
};

/*
 * A system call name, and its numbers, indexed like syscall_tables.abis and negative where an ABI
 * lacks the call. Calls that only other architectures have are here too, all numbers negative.
 */
struct syscall_row {
	char name[32];
	int32_t number[SYSCALL_ABI_MAX];
};

/*
 * Numbers come from libseccomp at build time, so that a start neither loads nor asks it, and every
 * machine with one build has one policy. generate-filter.c writes the definition of
 * syscall_tables_built.
 */
struct syscall_tables {
	struct syscall_abi abis[SYSCALL_ABI_MAX];
	size_t abi_count;
	const struct syscall_row *rows; /* sorted by name, in strcmp() order */
	size_t row_count;
	/* For CAPABILITIES_DEFAULT and nothing asked for. */
	const struct sock_filter *default_program;
	size_t default_len;
};

extern const struct syscall_tables syscall_tables_built;

/* NULL if no architecture has a call of this name. */
const struct syscall_row *syscall_row_find(const struct syscall_tables *tables, const char *name,
					   size_t len);

/*
 * Lists of words are one string, words apart by one blank, sorted. A word is a system call or the
 * name of a group. Returns the next word and moves *cursor behind it; NULL at the end.
 */
const char *syscall_words_next(const char **cursor, size_t *ret_len);

/* What users may write as '@name'. Members as `systemd-analyze syscall-filter` prints them. */
struct syscall_group {
	const char *name; /* with the '@' */
	const char *about;
	const char *words;
};

/* Ends with a row without a name. "@known" has no words: it stands for every row of the numbers. */
extern const struct syscall_group syscall_groups[];

const struct syscall_group *syscall_group_find(const char *name, size_t len);

/* Allowed whatever the payload may do otherwise. */
extern const char syscalls_always_allowed[];

/* Allowed if this capability is retained. Ends with a row without words. */
struct syscall_capability_rule {
	unsigned int capability;
	const char *words;
};

extern const struct syscall_capability_rule syscall_capability_rules[];

/* Knowingly refused, and why. Ends with a row without words. */
struct syscall_exclusion {
	const char *words;
	const char *reason;
};

extern const struct syscall_exclusion syscall_exclusions[];
