/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides about every system call in the tables, and lays the decisions out as ranges for the
 * emitter.
 * Zone: free.
 */
#include "confine/syscall-policy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/scope.h"
#include "confine/filter.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "LOAD_ARGUMENT takes the first half of an argument");

/*
 * Arguments are 64 bits wide for the filter, but the kernel takes the low 32 bits of an int or
 * unsigned int argument and ignores the rest. So does every rule here: comparing all 64 would let a
 * caller slip past with a high bit set.
 */
#define LOAD_ARGUMENT(n) FILTER_LOAD(offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))

#define RETURN_ERRNO(number) FILTER_RETURN(SECCOMP_RET_ERRNO | (number))
#define RETURN_SUCCESS RETURN_ERRNO(0) /* the call is not made, its result is 0 */
#define RETURN_ALLOW FILTER_RETURN(SECCOMP_RET_ALLOW)

enum leaf {
	LEAF_MISSING,
	LEAF_REFUSE,
	LEAF_ALLOW,
	LEAF_OTHER_ARCH,
	LEAF_SOCKET,
	LEAF_SOCKETCALL,
	LEAF_OPEN,
	LEAF_OPENAT,
	LEAF_SYNC,
	LEAF_SYNC_FD,
	_LEAF_COUNT,
};
static_assert(_LEAF_COUNT <= FILTER_MAX_LEAVES, "more leaves than the emitter takes");

static const struct sock_filter code_missing[] = {RETURN_ERRNO(ENOSYS)};
static const struct sock_filter code_refuse[] = {RETURN_ERRNO(EPERM)};
static const struct sock_filter code_allow[] = {RETURN_ALLOW};

/* Nobody decided about such calls; a program that cannot even call exit() is better ended. */
static const struct sock_filter code_other_arch[] = {FILTER_RETURN(SECCOMP_RET_KILL_PROCESS)};

/*
 * Entered with the first argument loaded. Audit is not namespaced, and programs cope with a kernel
 * that lacks it.
 */
static const struct sock_filter code_socket[] = {
	FILTER_JUMP(BPF_JEQ, AF_NETLINK, 0, 2),
	LOAD_ARGUMENT(2),
	FILTER_JUMP(BPF_JEQ, NETLINK_AUDIT, 1, 0),
	RETURN_ALLOW,
	RETURN_ERRNO(EAFNOSUPPORT),
};

static const struct sock_filter code_socketcall[] = {
	LOAD_ARGUMENT(0),
	FILTER_JUMP(BPF_JEQ, SYS_SOCKET, 0, 1),
	RETURN_ERRNO(EAFNOSUPPORT),
	RETURN_ALLOW,
};

/* clang-format off */
#define CODE_OPEN(flags_argument)                                                                  \
	{                                                                                          \
		LOAD_ARGUMENT(flags_argument),                                                     \
		FILTER_JUMP(BPF_JSET, O_SYNC | O_DSYNC, 0, 1),                                     \
		RETURN_ERRNO(EINVAL),                                                              \
		RETURN_ALLOW,                                                                      \
	}
/* clang-format on */
static const struct sock_filter code_open[] = CODE_OPEN(1);
static const struct sock_filter code_openat[] = CODE_OPEN(2);

static const struct sock_filter code_sync[] = {RETURN_SUCCESS};

/* A negative descriptor goes to the kernel, which answers EBADF. */
static const struct sock_filter code_sync_fd[] = {
	LOAD_ARGUMENT(0),
	FILTER_JUMP(BPF_JSET, UINT32_C(1) << 31, 0, 1),
	RETURN_ALLOW,
	RETURN_SUCCESS,
};

/* clang-format off */
#define LEAF(code_array) { code_array, ARRAY_LEN(code_array) }
static const struct filter_leaf fixed_leaves[] = {
	[LEAF_MISSING]    = LEAF(code_missing),
	[LEAF_REFUSE]     = LEAF(code_refuse),
	[LEAF_ALLOW]      = LEAF(code_allow),
	[LEAF_OTHER_ARCH] = LEAF(code_other_arch),
	[LEAF_SOCKET]     = LEAF(code_socket), /* replaced: socket_leaf_make() */
	[LEAF_SOCKETCALL] = LEAF(code_socketcall),
	[LEAF_OPEN]       = LEAF(code_open),
	[LEAF_OPENAT]     = LEAF(code_openat),
	[LEAF_SYNC]       = LEAF(code_sync),
	[LEAF_SYNC_FD]    = LEAF(code_sync_fd),
};
/* clang-format on */
static_assert(ARRAY_LEN(fixed_leaves) == _LEAF_COUNT, "a leaf without code");

enum when {
	WHEN_ALWAYS,
	WHEN_FAMILIES, /* address families are restricted */
	WHEN_SYNC,     /* flushing is suppressed */
};

#define SAYS_AUDIT "AF_NETLINK with NETLINK_AUDIT fails with EAFNOSUPPORT"
#define SAYS_FAMILIES "families outside the restriction fail with EAFNOSUPPORT, NETLINK_AUDIT too"
#define SAYS_SOCKETCALL "SYS_SOCKET fails with EAFNOSUPPORT: no filter can see its address family"
#define SAYS_URING "a ring opens sockets past the address family restriction"
#define SAYS_OPEN "O_SYNC and O_DSYNC fail with EINVAL"
#define SAYS_SYNC "does nothing and succeeds"
#define SAYS_SYNC_FD "does nothing and succeeds, but for negative descriptors"

/* Rules on allowed calls. Of two rows for one call the later one holds, if its time has come. */
static const struct {
	const char *name;
	enum when when;
	enum leaf leaf;
	const char *condition;
} argument_rules[] = {
	/* clang-format off */
	{ "socket",           WHEN_ALWAYS,   LEAF_SOCKET,     SAYS_AUDIT },
	{ "socket",           WHEN_FAMILIES, LEAF_SOCKET,     SAYS_FAMILIES },
	{ "socketcall",       WHEN_FAMILIES, LEAF_SOCKETCALL, SAYS_SOCKETCALL },
	{ "io_uring_setup",   WHEN_FAMILIES, LEAF_REFUSE,     SAYS_URING },
	{ "open",             WHEN_SYNC,     LEAF_OPEN,       SAYS_OPEN },
	{ "openat",           WHEN_SYNC,     LEAF_OPENAT,     SAYS_OPEN },
	{ "msync",            WHEN_SYNC,     LEAF_SYNC,       SAYS_SYNC },
	{ "sync",             WHEN_SYNC,     LEAF_SYNC,       SAYS_SYNC },
	{ "fdatasync",        WHEN_SYNC,     LEAF_SYNC_FD,    SAYS_SYNC_FD },
	{ "fsync",            WHEN_SYNC,     LEAF_SYNC_FD,    SAYS_SYNC_FD },
	{ "sync_file_range",  WHEN_SYNC,     LEAF_SYNC_FD,    SAYS_SYNC_FD },
	{ "sync_file_range2", WHEN_SYNC,     LEAF_SYNC_FD,    SAYS_SYNC_FD },
	{ "syncfs",           WHEN_SYNC,     LEAF_SYNC_FD,    SAYS_SYNC_FD },
	/* clang-format on */
};

struct policy {
	const struct syscall_tables *tables;
	struct syscall_decision *decisions;
};

/* The first table that knows a call decides about it. */
static void rule_row(struct policy *policy, size_t row, const struct syscall_ruling *ruling)
{
	struct syscall_ruling *decided = &policy->decisions[row].ruling;

	if (decided->source == SYSCALL_UNLISTED)
		*decided = *ruling;
}

static int rule_words(struct policy *policy, const char *words,
		      const struct syscall_ruling *ruling);

static int rule_word(struct policy *policy, const char *word, size_t len,
		     const struct syscall_ruling *ruling)
{
	const struct syscall_group *group;
	const struct syscall_row *row;
	struct syscall_ruling by_group = *ruling;

	if (word[0] != '@') {
		row = syscall_row_find(policy->tables, word, len);
		if (!row)
			return -EINVAL;
		rule_row(policy, (size_t)(row - policy->tables->rows), ruling);
		return 0;
	}
	group = syscall_group_find(word, len);
	if (!group)
		return -EINVAL;
	if (!by_group.word)
		by_group.word = group->name;
	if (group->words[0] != '\0')
		return rule_words(policy, group->words, &by_group);
	for (size_t row_index = 0; row_index < policy->tables->row_count; row_index++)
		rule_row(policy, row_index, &by_group);
	return 0;
}

static int rule_words(struct policy *policy, const char *words, const struct syscall_ruling *ruling)
{
	const char *word;
	size_t len;

	while ((word = syscall_words_next(&words, &len)))
		TRY(rule_word(policy, word, len, ruling));
	return 0;
}

static int rule_list(struct policy *policy, char *const *list, struct syscall_ruling ruling)
{
	for (; list && *list; list++) {
		ruling.word = *list;
		TRY(rule_word(policy, *list, strlen(*list), &ruling));
	}
	return 0;
}

static int rule_capabilities(struct policy *policy, uint64_t capabilities, bool retained)
{
	struct syscall_ruling ruling = {
		.verdict = retained ? SYSCALL_ALLOWED : SYSCALL_REFUSED,
		.source = retained ? SYSCALL_RETAINED : SYSCALL_NOT_RETAINED,
	};

	for (const struct syscall_capability_rule *rule = syscall_capability_rules; rule->words;
	     rule++) {
		ruling.capability = rule->capability;
		if (((capabilities >> rule->capability) & 1) == retained)
			TRY(rule_words(policy, rule->words, &ruling));
	}
	return 0;
}

static int rule_exclusions(struct policy *policy)
{
	struct syscall_ruling ruling = {.verdict = SYSCALL_REFUSED, .source = SYSCALL_EXCLUDED};

	for (const struct syscall_exclusion *exclusion = syscall_exclusions; exclusion->words;
	     exclusion++) {
		ruling.reason = exclusion->reason;
		TRY(rule_words(policy, exclusion->words, &ruling));
	}
	return 0;
}

static bool time_has_come(const struct syscall_request *request, enum when when)
{
	switch (when) {
	case WHEN_ALWAYS:
		return true;
	case WHEN_FAMILIES:
		return request->family_mode != FAMILIES_ANY;
	case WHEN_SYNC:
		return request->sync_suppressed;
	}
	return false;
}

static void rule_arguments(struct policy *policy, const struct syscall_request *request)
{
	for (size_t i = 0; i < ARRAY_LEN(argument_rules); i++) {
		const char *name = argument_rules[i].name;
		const struct syscall_row *row =
			syscall_row_find(policy->tables, name, strlen(name));
		struct syscall_decision *decision;

		if (!row || !time_has_come(request, argument_rules[i].when))
			continue;
		decision = &policy->decisions[row - policy->tables->rows];
		if (decision->ruling.verdict != SYSCALL_ALLOWED)
			continue;
		decision->leaf = argument_rules[i].leaf;
		decision->ruling.condition = argument_rules[i].condition;
		if (decision->leaf == LEAF_REFUSE)
			decision->ruling.verdict = SYSCALL_REFUSED;
	}
}

static enum leaf leaf_of_verdict(enum syscall_verdict verdict)
{
	switch (verdict) {
	case SYSCALL_ALLOWED:
		return LEAF_ALLOW;
	case SYSCALL_REFUSED:
		return LEAF_REFUSE;
	case SYSCALL_MISSING:
		break;
	}
	return LEAF_MISSING;
}

/* clang-format off */
static const struct syscall_ruling ruling_denied = { .verdict = SYSCALL_REFUSED, .source = SYSCALL_DENIED };
static const struct syscall_ruling ruling_always = { .verdict = SYSCALL_ALLOWED, .source = SYSCALL_ALWAYS };
static const struct syscall_ruling ruling_asked  = { .verdict = SYSCALL_ALLOWED, .source = SYSCALL_ASKED };
/* clang-format on */

int syscall_policy_decide(const struct syscall_tables *tables,
			  const struct syscall_request *request,
			  struct syscall_decision **ret_decisions)
{
	auto_free struct syscall_decision *decisions =
		calloc(tables->row_count, sizeof(*decisions));
	struct policy policy = {.tables = tables, .decisions = decisions};

	if (!decisions)
		return -ENOMEM;
	/* The order is the precedence. */
	TRY(rule_list(&policy, request->deny, ruling_denied));
	TRY(rule_words(&policy, syscalls_always_allowed, &ruling_always));
	TRY(rule_capabilities(&policy, request->capabilities, /* retained= */ true));
	TRY(rule_list(&policy, request->allow, ruling_asked));
	TRY(rule_capabilities(&policy, request->capabilities, /* retained= */ false));
	TRY(rule_exclusions(&policy));

	for (size_t i = 0; i < tables->row_count; i++)
		decisions[i].leaf = leaf_of_verdict(decisions[i].ruling.verdict);
	rule_arguments(&policy, request);
	*ret_decisions = steal_ptr(decisions);
	return 0;
}

#define SOCKET_LEAF_MAX (SYSCALL_FAMILIES_MAX + 3 + ARRAY_LEN(code_socket))

/* One comparison a family, then a refusal of what fell through, or a jump over that refusal. */
static size_t socket_leaf_make(const struct syscall_request *request,
			       struct sock_filter code[SOCKET_LEAF_MAX])
{
	const int *families = request->families;
	size_t len = 0, count = request->family_count;

	code[len++] = (struct sock_filter)LOAD_ARGUMENT(0);
	if (request->family_mode != FAMILIES_ANY) {
		for (size_t i = 0; i < count; i++)
			code[len++] = (struct sock_filter)FILTER_JUMP(
				BPF_JEQ, (uint32_t)families[i], (uint8_t)(count - i), 0);
		if (request->family_mode == FAMILIES_EXCEPT)
			code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0);
		code[len++] = (struct sock_filter)RETURN_ERRNO(EAFNOSUPPORT);
	}
	memcpy(code + len, code_socket, sizeof(code_socket));
	return len + ARRAY_LEN(code_socket);
}

struct numbered {
	uint32_t number;
	uint32_t leaf;
};

static int numbered_compare(const void *a, const void *b)
{
	const struct numbered *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

/* Fills 'calls' with the calls of every ABI of one architecture, by number. Returns how many. */
static size_t collect_calls(const struct syscall_tables *tables,
			    const struct syscall_decision *decisions, uint32_t audit_arch,
			    struct numbered *calls)
{
	size_t count = 0;

	for (size_t abi = 0; abi < tables->abi_count; abi++) {
		if (tables->abis[abi].audit_arch != audit_arch)
			continue;
		for (size_t row = 0; row < tables->row_count; row++)
			if (tables->rows[row].number[abi] >= 0)
				calls[count++] = (struct numbered){
					.number = (uint32_t)tables->rows[row].number[abi],
					.leaf = decisions[row].leaf,
				};
	}
	qsort(calls, count, sizeof(*calls), numbered_compare);
	return count;
}

static void add_range(struct filter_range *ranges, size_t *count, uint32_t first, uint32_t leaf)
{
	if (*count == 0 || ranges[*count - 1].leaf != leaf)
		ranges[(*count)++] = (struct filter_range){.first = first, .leaf = leaf};
}

/* Needs room for two ranges a call and one more. */
static size_t make_ranges(const struct numbered *calls, size_t call_count,
			  struct filter_range *ranges)
{
	size_t count = 0;
	uint32_t next = 0;

	for (size_t i = 0; i < call_count; i++) {
		if (calls[i].number > next)
			add_range(ranges, &count, next, LEAF_MISSING);
		add_range(ranges, &count, calls[i].number, calls[i].leaf);
		next = calls[i].number + 1;
	}
	add_range(ranges, &count, next, LEAF_MISSING);
	return count;
}

static bool arch_is_listed(const struct filter_arch *arches, size_t count, uint32_t audit_arch)
{
	for (size_t i = 0; i < count; i++)
		if (arches[i].audit_arch == audit_arch)
			return true;
	return false;
}

/* Lays out the decisions with these leaves. */
static int emit_decisions(const struct syscall_tables *tables,
			  const struct syscall_decision *decisions,
			  const struct filter_leaf leaves[_LEAF_COUNT],
			  struct sock_filter **ret_program, size_t *ret_len)
{
	size_t calls_max = tables->row_count * tables->abi_count;
	size_t ranges_max = 2 * calls_max + tables->abi_count;
	auto_free struct numbered *calls = calloc(calls_max, sizeof(*calls));
	auto_free struct filter_range *ranges = calloc(ranges_max, sizeof(*ranges));
	struct filter_arch arches[SYSCALL_ABI_MAX];
	struct filter_source source = {
		.arches = arches,
		.leaves = leaves,
		.leaf_count = _LEAF_COUNT,
		.other_arch_leaf = LEAF_OTHER_ARCH,
	};
	struct filter_range *next = ranges;

	if (!calls || !ranges)
		return -ENOMEM;
	for (size_t abi = 0; abi < tables->abi_count; abi++) {
		uint32_t audit_arch = tables->abis[abi].audit_arch;
		size_t count;

		if (arch_is_listed(arches, source.arch_count, audit_arch))
			continue;
		count = make_ranges(calls, collect_calls(tables, decisions, audit_arch, calls),
				    next);
		arches[source.arch_count++] = (struct filter_arch){audit_arch, next, count};
		next += count;
	}
	return filter_emit(&source, ret_program, ret_len);
}

int syscall_policy_compile(const struct syscall_tables *tables,
			   const struct syscall_request *request, struct sock_filter **ret_program,
			   size_t *ret_len)
{
	auto_free struct syscall_decision *decisions = NULL;
	struct sock_filter code[SOCKET_LEAF_MAX];
	struct filter_leaf leaves[_LEAF_COUNT];

	if (request->family_count > SYSCALL_FAMILIES_MAX)
		return -E2BIG;
	TRY(syscall_policy_decide(tables, request, &decisions));
	memcpy(leaves, fixed_leaves, sizeof(leaves));
	leaves[LEAF_SOCKET] = (struct filter_leaf){code, socket_leaf_make(request, code)};
	return emit_decisions(tables, decisions, leaves, ret_program, ret_len);
}
