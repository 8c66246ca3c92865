/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The syscall filter as the rest of the program sees it, over the tables made at build time.
 * Zone: free, except syscalls_load(), which is for the doomed zone.
 */
#include "confine/syscalls.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"
#include "confine/capabilities.h"
#include "confine/syscall-policy.h"
#include "confine/syscall-tables.h"

/* Most capabilities change no call: a payload with a private network keeps the built-in program. */
static uint64_t deciding_capabilities(void)
{
	uint64_t mask = 0;

	for (const struct syscall_capability_rule *rule = syscall_capability_rules; rule->words;
	     rule++)
		mask |= UINT64_C(1) << rule->capability;
	return mask;
}

static bool list_is_empty(char *const *list)
{
	return !list || !*list;
}

static bool request_is_default(const struct syscall_request *request)
{
	return ((request->capabilities ^ CAPABILITIES_DEFAULT) & deciding_capabilities()) == 0 &&
	       list_is_empty(request->allow) && list_is_empty(request->deny) &&
	       !request->sync_suppressed && request->family_mode == FAMILIES_ANY;
}

int syscalls_choose(const struct syscall_request *request, struct syscall_filter *ret_filter)
{
	struct sock_filter *program;
	size_t len;

	if (request_is_default(request)) {
		*ret_filter = (struct syscall_filter){
			.program = syscall_tables_built.default_program,
			.len = syscall_tables_built.default_len,
		};
		return 0;
	}
	TRY(syscall_policy_compile(&syscall_tables_built, request, &program, &len));
	*ret_filter = (struct syscall_filter){.program = program, .len = len, .owned = program};
	return 0;
}

void syscall_filter_done(struct syscall_filter *filter)
{
	free(filter->owned);
	*filter = (struct syscall_filter){0};
}

bool syscalls_word_is_known(const char *word)
{
	size_t len = strlen(word);

	return word[0] == '@' ? syscall_group_find(word, len) != NULL
			      : syscall_row_find(&syscall_tables_built, word, len) != NULL;
}

int syscalls_explain(const struct syscall_request *request, const char *name,
		     struct syscall_ruling *ret_ruling)
{
	auto_free struct syscall_decision *decisions = NULL;
	const struct syscall_row *row = syscall_row_find(&syscall_tables_built, name, strlen(name));

	if (!row)
		return -EINVAL;
	TRY(syscall_policy_decide(&syscall_tables_built, request, &decisions));
	*ret_ruling = decisions[row - syscall_tables_built.rows].ruling;
	return 0;
}

bool syscalls_number(const char *name, size_t abi, const char **ret_abi, int *ret_number)
{
	const struct syscall_row *row = syscall_row_find(&syscall_tables_built, name, strlen(name));

	if (abi >= syscall_tables_built.abi_count)
		return false;
	*ret_abi = syscall_tables_built.abis[abi].name;
	*ret_number = row ? row->number[abi] : -1;
	return true;
}

int syscalls_load(const struct sock_filter *program, size_t len)
{
	/* The kernel only reads the program; its type lacks the const. */
	struct sock_fprog fprog = {
		.len = (unsigned short)len,
		.filter = (struct sock_filter *)program,
	};

	if (len == 0 || len > BPF_MAXINSNS)
		return -EINVAL;
	/*
	 * No flags. SECCOMP_FILTER_FLAG_SPEC_ALLOW would save nothing where the kernel's default is
	 * in force (since Linux 5.16 a filter alone no longer switches speculation off), and
	 * elsewhere would undo what the administrator chose. The errno of a failed call is all that
	 * is needed from libc here: it neither allocates nor locks.
	 */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &fprog) < 0)
		return -errno;
	return 0;
}
