/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The syscall filter against libseccomp's filter for the same decisions, against the kernel's
 * headers, and in a real process. Arguments: what `cc -E -dM` prints for asm/unistd_64.h,
 * asm/unistd_32.h and asm/unistd_x32.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "check.h"
#include "confine/capabilities.h"
#include "confine/filter.h"
#include "confine/syscall-policy.h"
#include "confine/syscall-tables.h"
#include "confine/syscalls.h"

#define X32 UINT32_C(0x40000000)
#define HIGH (UINT64_C(1) << 32)
#define ERRNO_RESULT(number) (SECCOMP_RET_ERRNO | (number))
/* Thousands of cases tend to fail together. */
#define ENOUGH_FAILURES 20
#define NOT_VALID UINT32_C(0xdeadbeef)

struct program {
	const struct sock_filter *code;
	size_t len;
};

/* Runs the subset of classic BPF that seccomp filters here use, like the kernel does. */
static uint32_t run(struct program program, const struct seccomp_data *data)
{
	uint32_t accumulator = 0;

	for (size_t pc = 0; pc < program.len; pc++) {
		struct sock_filter in = program.code[pc];
		bool holds = false;

		switch (in.code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (in.k % 4 != 0 || in.k + 4 > sizeof(*data))
				return NOT_VALID;
			memcpy(&accumulator, (const char *)data + in.k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= in.k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += in.k;
			continue;
		case BPF_RET | BPF_K:
			return in.k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			holds = accumulator == in.k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			holds = accumulator >= in.k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			holds = accumulator > in.k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			holds = (accumulator & in.k) != 0;
			break;
		default:
			return NOT_VALID;
		}
		pc += holds ? in.jt : in.jf;
	}
	return NOT_VALID; /* fell off the end */
}

static uint32_t call(struct syscall_filter filter, uint32_t arch, uint32_t nr, uint64_t a0,
		     uint64_t a1, uint64_t a2)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch, .args = {a0, a1, a2}};

	return run((struct program){filter.program, filter.len}, &data);
}

static uint32_t number_of(const char *name, size_t abi)
{
	const struct syscall_row *row = syscall_row_find(&syscall_tables_built, name, strlen(name));

	if (!row || row->number[abi] < 0) {
		CHECK_TEXT("no such call here", name);
		return UINT32_MAX;
	}
	return (uint32_t)row->number[abi];
}

/* On x86-64, with arguments nobody looks at. */
static uint32_t result_of(struct syscall_filter filter, const char *name)
{
	return call(filter, AUDIT_ARCH_X86_64, number_of(name, 0), 0, 0, 0);
}

static struct syscall_filter choose(const struct syscall_request *request)
{
	struct syscall_filter filter = {0};

	CHECK(syscalls_choose(request, &filter) == 0);
	return filter;
}

static bool same_program(struct syscall_filter filter, const struct sock_filter *program,
			 size_t len)
{
	return filter.len == len && memcmp(filter.program, program, len * sizeof(*program)) == 0;
}

/* ---- libseccomp's filters ---- */

struct exported {
	struct sock_filter code[16384];
	size_t len;
};

static void export_filter(scmp_filter_ctx ctx, struct exported *ret_filter)
{
	auto_close int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t n;

	CHECK(fd >= 0 && seccomp_export_bpf(ctx, fd) == 0);
	n = pread(fd, ret_filter->code, sizeof(ret_filter->code), 0);
	CHECK(n > 0 && (size_t)n < sizeof(ret_filter->code));
	ret_filter->len = n > 0 ? (size_t)n / sizeof(ret_filter->code[0]) : 0;
}

static scmp_filter_ctx new_context(uint32_t otherwise, bool with_i386)
{
	scmp_filter_ctx ctx = seccomp_init(otherwise);

	CHECK(ctx != NULL);
	CHECK(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0);
	if (with_i386)
		CHECK(seccomp_arch_add(ctx, SCMP_ARCH_X86) == 0);
	CHECK(seccomp_arch_add(ctx, SCMP_ARCH_X32) == 0);
	return ctx;
}

/* The plain verdicts, one rule a name, numbers by libseccomp. */
static void export_policy(const struct syscall_request *request, struct exported *ret_filter)
{
	scmp_filter_ctx ctx = new_context(SCMP_ACT_ERRNO(ENOSYS), true);

	for (size_t i = 0; i < syscall_tables_built.row_count; i++) {
		const char *name = syscall_tables_built.rows[i].name;
		int number = seccomp_syscall_resolve_name(name);
		struct syscall_ruling ruling = {0};

		CHECK(syscalls_explain(request, name, &ruling) == 0);
		if (number == __NR_SCMP_ERROR || ruling.verdict == SYSCALL_MISSING)
			continue;
		/* An error says that none of the three ABIs has the call. */
		(void)seccomp_rule_add(ctx,
				       ruling.verdict == SYSCALL_ALLOWED ? SCMP_ACT_ALLOW
									 : SCMP_ACT_ERRNO(EPERM),
				       number, 0);
	}
	export_filter(ctx, ret_filter);
	seccomp_release(ctx);
}

/* Calls that only our supplement knows: libseccomp cannot be asked about them. */
static bool is_beyond_libseccomp(uint32_t arch, uint32_t nr)
{
	uint32_t token = arch == AUDIT_ARCH_I386 ? SCMP_ARCH_X86
			 : nr >= X32             ? SCMP_ARCH_X32
						 : SCMP_ARCH_X86_64;
	auto_free char *name = seccomp_syscall_resolve_num_arch(token, (int)nr);

	return !name;
}

static bool is_numbered_by_us(uint32_t arch, uint32_t nr)
{
	for (size_t abi = 0; abi < syscall_tables_built.abi_count; abi++)
		for (size_t i = 0; i < syscall_tables_built.row_count; i++)
			if (syscall_tables_built.abis[abi].audit_arch == arch &&
			    syscall_tables_built.rows[i].number[abi] == (int32_t)nr)
				return true;
	return false;
}

static void compare_number(struct syscall_filter ours, const struct exported *theirs, uint32_t arch,
			   uint32_t nr)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch};
	uint32_t got = run((struct program){ours.program, ours.len}, &data);
	uint32_t expected = run((struct program){theirs->code, theirs->len}, &data);

	if (got == expected || check_failures >= ENOUGH_FAILURES)
		return;
	if (is_beyond_libseccomp(arch, nr) && is_numbered_by_us(arch, nr) && got != NOT_VALID)
		return;
	fprintf(stderr, "architecture %08x, call %u (%08x): %08x instead of %08x\n", arch,
		nr & ~X32, nr, got, expected);
	CHECK(got == expected);
}

static void compare_policy(const struct syscall_request *request)
{
	static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 0,
					  UINT32_MAX};
	auto_free struct exported *theirs = calloc(1, sizeof(*theirs));
	struct syscall_filter ours = choose(request);

	export_policy(request, theirs);
	for (size_t a = 0; a < ARRAY_LEN(arches); a++) {
		for (uint32_t nr = 0; nr < 1100; nr++) {
			compare_number(ours, theirs, arches[a], nr);
			compare_number(ours, theirs, arches[a], X32 + nr);
			compare_number(ours, theirs, arches[a], X32 - 1 - nr);
			compare_number(ours, theirs, arches[a], 2 * X32 - 1 - nr);
			compare_number(ours, theirs, arches[a], 2 * X32 + nr);
			compare_number(ours, theirs, arches[a], UINT32_MAX - nr);
			compare_number(ours, theirs, arches[a], (uint32_t)random() << 1);
		}
	}
	syscall_filter_done(&ours);
}

static void test_against_libseccomp(void)
{
	char *allow[] = {(char *)"@obsolete", (char *)"open_by_handle_at", (char *)"swapcontext",
			 NULL};
	char *deny[] = {(char *)"@mount", (char *)"ptrace", (char *)"@obsolete", NULL};
	char *everything[] = {(char *)"@known", NULL};
	const struct syscall_request requests[] = {
		{.capabilities = CAPABILITIES_DEFAULT},
		{.capabilities = 0},
		{.capabilities = CAPABILITIES_ALL},
		{.capabilities = CAPABILITIES_DEFAULT, .allow = allow},
		{.capabilities = CAPABILITIES_ALL, .allow = allow, .deny = deny},
		{.capabilities = CAPABILITIES_DEFAULT, .allow = everything},
		{.capabilities = CAPABILITIES_DEFAULT, .deny = everything},
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		compare_policy(&requests[i]);
}

/* ---- arguments ---- */

static const uint64_t argument_samples[] = {
	0,
	1,
	2,
	3,
	9,
	10,
	16,
	17,
	45,
	0x1000,
	0x100000,
	0x101000,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	HIGH,
	HIGH + 1,
	HIGH + 9,
	HIGH + 16,
	HIGH + 0x1000,
	HIGH + 0x80000000,
	HIGH * 2 - 1,
	UINT64_MAX,
};

/* Against a filter "all is allowed but", on the two ABIs where libseccomp sees all arguments. */
static void compare_arguments(const struct syscall_request *request, scmp_filter_ctx ctx,
			      const char *name)
{
	auto_free struct exported *theirs = calloc(1, sizeof(*theirs));
	struct syscall_filter ours = choose(request);
	size_t n = ARRAY_LEN(argument_samples);

	export_filter(ctx, theirs);
	for (size_t i = 0; i < n * n * n * 2; i++) {
		struct seccomp_data data = {
			.nr = (int)number_of(name, i % 2 ? 2 : 0),
			.arch = AUDIT_ARCH_X86_64,
			.args = {argument_samples[i / 2 % n], argument_samples[i / 2 / n % n],
				 argument_samples[i / 2 / n / n]},
		};
		uint32_t got = run((struct program){ours.program, ours.len}, &data);
		uint32_t expected = run((struct program){theirs->code, theirs->len}, &data);

		if (got != expected && check_failures < ENOUGH_FAILURES)
			fprintf(stderr, "%s(%llx, %llx, %llx): %08x instead of %08x\n", name,
				data.args[0], data.args[1], data.args[2], got, expected);
		if (check_failures < ENOUGH_FAILURES)
			CHECK(got == expected);
	}
	syscall_filter_done(&ours);
}

#define IS(n, value) SCMP_CMP(n, SCMP_CMP_MASKED_EQ, 0xffffffff, (value))

static void test_netlink_audit(void)
{
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT};
	scmp_filter_ctx ctx = new_context(SCMP_ACT_ALLOW, false);
	struct syscall_filter ours = choose(&request);

	CHECK(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 2,
			       IS(0, AF_NETLINK), IS(2, NETLINK_AUDIT)) == 0);
	compare_arguments(&request, ctx, "socket");
	seccomp_release(ctx);

	CHECK(call(ours, AUDIT_ARCH_I386, number_of("socket", 1), AF_NETLINK, SOCK_RAW,
		   NETLINK_AUDIT) == ERRNO_RESULT(EAFNOSUPPORT));
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("socket", 1), AF_NETLINK, SOCK_RAW, 0) ==
	      SECCOMP_RET_ALLOW);
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("socketcall", 1), 1, 0, 0) ==
	      SECCOMP_RET_ALLOW);
	syscall_filter_done(&ours);
}

static void compare_families(enum family_mode mode, const int *families, size_t count)
{
	const struct syscall_request request = {
		.capabilities = CAPABILITIES_DEFAULT,
		.family_mode = mode,
		.families = families,
		.family_count = count,
	};
	struct syscall_filter ours = choose(&request);

	for (size_t i = 0; i < ARRAY_LEN(argument_samples); i++) {
		uint64_t family = argument_samples[i];
		bool listed = false;
		uint32_t expected;

		for (size_t j = 0; j < count; j++)
			listed = listed || (uint32_t)families[j] == (uint32_t)family;
		expected = listed == (mode == FAMILIES_ONLY) ? SECCOMP_RET_ALLOW
							     : ERRNO_RESULT(EAFNOSUPPORT);
		for (size_t abi = 0; abi < 3; abi++) {
			uint32_t arch = abi == 1 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
			uint32_t nr = number_of("socket", abi);

			CHECK(call(ours, arch, nr, family, 3, 0) == expected);
			if ((uint32_t)family == AF_NETLINK)
				CHECK(call(ours, arch, nr, family, 3, HIGH + NETLINK_AUDIT) ==
				      ERRNO_RESULT(EAFNOSUPPORT));
		}
	}
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("socketcall", 1), 1, 0, 0) ==
	      ERRNO_RESULT(EAFNOSUPPORT));
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("socketcall", 1), HIGH + 1, 0, 0) ==
	      ERRNO_RESULT(EAFNOSUPPORT));
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("socketcall", 1), 3, 0, 0) ==
	      SECCOMP_RET_ALLOW);
	CHECK(result_of(ours, "io_uring_setup") == ERRNO_RESULT(EPERM));
	CHECK(result_of(ours, "socketpair") == SECCOMP_RET_ALLOW);
	syscall_filter_done(&ours);
}

static void test_families(void)
{
	static const int some[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	int many[SYSCALL_FAMILIES_MAX + 1];
	struct syscall_request request = {
		.family_mode = FAMILIES_ONLY, .families = many, .family_count = ARRAY_LEN(many)};
	struct syscall_filter filter;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (int)(i * 3);
	compare_families(FAMILIES_ONLY, NULL, 0);
	compare_families(FAMILIES_ONLY, some, ARRAY_LEN(some));
	compare_families(FAMILIES_EXCEPT, some, ARRAY_LEN(some));
	compare_families(FAMILIES_EXCEPT, some, 1);
	compare_families(FAMILIES_ONLY, many, SYSCALL_FAMILIES_MAX);
	compare_families(FAMILIES_EXCEPT, many, SYSCALL_FAMILIES_MAX);
	CHECK(syscalls_choose(&request, &filter) == -E2BIG);
}

static void test_sync(void)
{
	static const char *const by_fd[] = {"fsync", "fdatasync", "sync_file_range", "syncfs"};
	static const char *const plain[] = {"sync", "msync"};
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT,
						.sync_suppressed = true};
	char *denied[] = {(char *)"@sync", (char *)"open", NULL};
	const struct syscall_request deny = {.sync_suppressed = true, .deny = denied};
	struct syscall_filter ours = choose(&request), stricter = choose(&deny);
	scmp_filter_ctx ctx = new_context(SCMP_ACT_ALLOW, false);

	for (size_t i = 0; i < ARRAY_LEN(by_fd); i++)
		CHECK(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0),
				       seccomp_syscall_resolve_name(by_fd[i]), 1,
				       SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0x80000000, 0)) == 0);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		CHECK(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0),
				       seccomp_syscall_resolve_name(plain[i]), 0) == 0);
	for (size_t i = 0; i < 2; i++) {
		uint64_t bit = i ? O_DSYNC : O_SYNC & ~O_DSYNC;

		CHECK(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(open), 1,
				       SCMP_CMP(1, SCMP_CMP_MASKED_EQ, bit, bit)) == 0);
		CHECK(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(openat), 1,
				       SCMP_CMP(2, SCMP_CMP_MASKED_EQ, bit, bit)) == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(by_fd); i++)
		compare_arguments(&request, ctx, by_fd[i]);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		compare_arguments(&request, ctx, plain[i]);
	compare_arguments(&request, ctx, "open");
	compare_arguments(&request, ctx, "openat");
	compare_arguments(&request, ctx, "openat2");
	compare_arguments(&request, ctx, "read");
	seccomp_release(ctx);

	CHECK(call(ours, AUDIT_ARCH_I386, number_of("fsync", 1), 0, 0, 0) == ERRNO_RESULT(0));
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("fsync", 1), UINT32_MAX, 0, 0) ==
	      SECCOMP_RET_ALLOW);
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("open", 1), 0, O_DSYNC, 0) ==
	      ERRNO_RESULT(EINVAL));
	CHECK(call(ours, AUDIT_ARCH_I386, number_of("openat", 1), 0, O_DSYNC, 0) ==
	      SECCOMP_RET_ALLOW);
	CHECK(call(stricter, AUDIT_ARCH_X86_64, SYS_fsync, 1, 0, 0) == ERRNO_RESULT(EPERM));
	CHECK(call(stricter, AUDIT_ARCH_X86_64, SYS_open, 1, 0, 0) == ERRNO_RESULT(EPERM));
	syscall_filter_done(&ours);
	syscall_filter_done(&stricter);
}

/* ---- policy ---- */

static void test_default_is_embedded(void)
{
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT};
	const struct syscall_request with_network = {.capabilities = CAPABILITIES_DEFAULT |
								     CAPABILITY(NET_ADMIN)};
	auto_free struct sock_filter *program = NULL;
	struct syscall_filter chosen = choose(&request), wider = choose(&with_network);
	size_t len = 0;

	CHECK(!chosen.owned && chosen.program == syscall_tables_built.default_program);
	CHECK(!wider.owned && wider.program == chosen.program);
	CHECK(syscall_policy_compile(&syscall_tables_built, &request, &program, &len) == 0);
	CHECK(same_program(chosen, program, len));
}

/* Which x86-64 calls change, and how many, when one capability is taken or given. */
static void check_capability(uint64_t capability, const char *calls)
{
	const struct syscall_request without = {.capabilities = CAPABILITIES_DEFAULT & ~capability};
	const struct syscall_request with = {.capabilities = CAPABILITIES_DEFAULT | capability};
	struct syscall_filter less = choose(&without), more = choose(&with);
	const char *word;
	size_t len, changed = 0, expected = 0;

	for (uint32_t nr = 0; nr < 1000; nr++)
		changed += call(less, AUDIT_ARCH_X86_64, nr, 0, 0, 0) !=
			   call(more, AUDIT_ARCH_X86_64, nr, 0, 0, 0);
	while ((word = syscall_words_next(&calls, &len))) {
		const struct syscall_row *row = syscall_row_find(&syscall_tables_built, word, len);

		CHECK(row != NULL);
		if (!row)
			continue;
		expected++;
		CHECK(call(less, AUDIT_ARCH_X86_64, (uint32_t)row->number[0], 0, 0, 0) ==
		      ERRNO_RESULT(EPERM));
		CHECK(call(more, AUDIT_ARCH_X86_64, (uint32_t)row->number[0], 0, 0, 0) ==
		      SECCOMP_RET_ALLOW);
	}
	CHECK(changed == expected);
	syscall_filter_done(&less);
	syscall_filter_done(&more);
}

static void test_capabilities(void)
{
	check_capability(CAPABILITY(SYS_PTRACE), "ptrace");
	check_capability(CAPABILITY(SYS_BOOT), "reboot");
	check_capability(CAPABILITY(SYS_TTY_CONFIG), "vhangup");
	check_capability(CAPABILITY(SYS_TIME), "adjtimex clock_adjtime clock_settime settimeofday");
	check_capability(CAPABILITY(SYS_MODULE), "delete_module finit_module init_module");
	check_capability(CAPABILITY(SYS_RAWIO), "ioperm iopl");
	check_capability(CAPABILITY(IPC_LOCK), "mlock mlock2 mlockall munlock munlockall");
	check_capability(CAPABILITY(SYSLOG), "syslog");
	check_capability(CAPABILITY(SYS_PACCT), "acct");
	check_capability(CAPABILITY(BPF), "bpf");
	check_capability(CAPABILITY(NET_ADMIN), "");
	check_capability(CAPABILITY(SYS_ADMIN), "");
}

static void test_lists(void)
{
	char *allow[] = {(char *)"open_by_handle_at", (char *)"@clock", (char *)"read",
			 (char *)"swapcontext", NULL};
	char *deny[] = {(char *)"read", (char *)"@keyring", NULL};
	char *unknown[] = {(char *)"read", (char *)"no_such_call", NULL};
	char *unknown_group[] = {(char *)"@nothing", NULL};
	struct syscall_request request = {
		.capabilities = CAPABILITIES_DEFAULT, .allow = allow, .deny = deny};
	struct syscall_filter filter = choose(&request), untouched = filter;

	CHECK(result_of(filter, "open_by_handle_at") == SECCOMP_RET_ALLOW);
	CHECK(result_of(filter, "settimeofday") == SECCOMP_RET_ALLOW);
	CHECK(result_of(filter, "read") == ERRNO_RESULT(EPERM));
	CHECK(result_of(filter, "keyctl") == ERRNO_RESULT(EPERM));
	CHECK(result_of(filter, "write") == SECCOMP_RET_ALLOW);
	CHECK(call(filter, AUDIT_ARCH_I386, 3, 0, 0, 0) == ERRNO_RESULT(EPERM));
	CHECK(call(filter, AUDIT_ARCH_X86_64, X32, 0, 0, 0) == ERRNO_RESULT(EPERM));

	request.allow = unknown;
	CHECK(syscalls_choose(&request, &untouched) == -EINVAL);
	request.allow = unknown_group;
	CHECK(syscalls_choose(&request, &untouched) == -EINVAL);
	CHECK(untouched.program == filter.program);

	CHECK(syscalls_word_is_known("swapcontext"));
	CHECK(syscalls_word_is_known("@mount"));
	CHECK(syscalls_word_is_known("@known"));
	CHECK(!syscalls_word_is_known("@"));
	CHECK(!syscalls_word_is_known(""));
	CHECK(!syscalls_word_is_known("rea"));
	CHECK(!syscalls_word_is_known("read "));
	CHECK(!syscalls_word_is_known("~read"));
	CHECK(!syscalls_word_is_known("READ"));
	syscall_filter_done(&filter);
}

static void test_explain(void)
{
	char *allow[] = {(char *)"@swap", NULL};
	char *deny[] = {(char *)"mount", NULL};
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT,
						.allow = allow,
						.deny = deny,
						.family_mode = FAMILIES_ONLY};
	struct syscall_ruling ruling;
	const char *abi;
	int number;

	CHECK(syscalls_explain(&request, "umount2", &ruling) == 0 &&
	      ruling.verdict == SYSCALL_ALLOWED);
	CHECK(ruling.source == SYSCALL_ALWAYS);
	CHECK_TEXT(ruling.word, "@mount");
	CHECK(syscalls_explain(&request, "mount", &ruling) == 0 &&
	      ruling.verdict == SYSCALL_REFUSED);
	CHECK(ruling.source == SYSCALL_DENIED);
	CHECK_TEXT(ruling.word, "mount");
	CHECK(syscalls_explain(&request, "swapon", &ruling) == 0 && ruling.source == SYSCALL_ASKED);
	CHECK_TEXT(ruling.word, "@swap");
	CHECK(syscalls_explain(&request, "ptrace", &ruling) == 0 &&
	      ruling.source == SYSCALL_RETAINED);
	CHECK(ruling.capability == CAP_SYS_PTRACE);
	CHECK(syscalls_explain(&request, "settimeofday", &ruling) == 0 &&
	      ruling.source == SYSCALL_NOT_RETAINED);
	CHECK(ruling.capability == CAP_SYS_TIME && ruling.verdict == SYSCALL_REFUSED);
	CHECK(syscalls_explain(&request, "kexec_load", &ruling) == 0 &&
	      ruling.source == SYSCALL_EXCLUDED);
	CHECK(ruling.reason && ruling.verdict == SYSCALL_REFUSED);
	CHECK(syscalls_explain(&request, "socket", &ruling) == 0 && ruling.condition);
	CHECK(syscalls_explain(&request, "io_uring_setup", &ruling) == 0 &&
	      ruling.verdict == SYSCALL_REFUSED);
	CHECK(syscalls_explain(&request, "io_uring_enter", &ruling) == 0 &&
	      ruling.verdict == SYSCALL_ALLOWED);
	CHECK(syscalls_explain(&request, "no_such_call", &ruling) == -EINVAL);

	CHECK(syscalls_number("ugetrlimit", 0, &abi, &number) && number < 0);
	CHECK_TEXT(abi, "x86-64");
	CHECK(syscalls_number("ugetrlimit", 1, &abi, &number) && number == 191);
	CHECK(syscalls_number("read", 2, &abi, &number) && number == (int)X32);
	CHECK(!syscalls_number("read", 3, &abi, &number));
}

/* ---- tables ---- */

static void check_words_sorted(const char *words)
{
	const char *word, *before = NULL;
	size_t len, before_len = 0;

	while ((word = syscall_words_next(&words, &len))) {
		if (word[0] == '@')
			CHECK(syscall_group_find(word, len) != NULL);
		else
			CHECK(syscall_row_find(&syscall_tables_built, word, len) != NULL);
		if (before) {
			int order = memcmp(before, word, before_len < len ? before_len : len);

			if (order > 0 || (order == 0 && before_len >= len))
				fprintf(stderr, "not sorted: %.*s\n", (int)len, word);
			CHECK(order < 0 || (order == 0 && before_len < len));
		}
		before = word;
		before_len = len;
	}
}

/*
 * Whether this machine has the call, and not only a libseccomp newer than the tables. x32 has its
 * own from 512 on.
 */
static bool is_of_our_time(const struct syscall_row *row)
{
	for (size_t abi = 0; abi < syscall_tables_built.abi_count; abi++) {
		int32_t number = row->number[abi] < 0 ? -1 : row->number[abi] & 0xffff;

		if (number >= 0 && (number <= SYSCALL_NEWEST || number >= 512))
			return true;
	}
	return false;
}

static void test_tables(void)
{
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT};
	auto_free struct syscall_decision *decisions = NULL;

	for (const struct syscall_group *group = syscall_groups; group->name; group++)
		check_words_sorted(group->words);
	for (const struct syscall_exclusion *exclusion = syscall_exclusions; exclusion->words;
	     exclusion++)
		check_words_sorted(exclusion->words);
	check_words_sorted(syscalls_always_allowed);

	for (uint32_t nr = 424; nr <= SYSCALL_NEWEST; nr++) {
		/* From here on all ABIs agree and leave no gap. */
		CHECK(is_numbered_by_us(AUDIT_ARCH_X86_64, nr));
		CHECK(is_numbered_by_us(AUDIT_ARCH_X86_64, X32 + nr));
		CHECK(is_numbered_by_us(AUDIT_ARCH_I386, nr));
	}

	CHECK(syscall_policy_decide(&syscall_tables_built, &request, &decisions) == 0);
	for (size_t i = 0; i < syscall_tables_built.row_count; i++) {
		const struct syscall_row *row = &syscall_tables_built.rows[i];

		if (i > 0)
			CHECK(strcmp(row[-1].name, row->name) < 0);
		/* Somebody decided about every call there is. */
		if (decisions[i].ruling.source == SYSCALL_UNLISTED && is_of_our_time(row))
			CHECK_TEXT("in no list", row->name);
	}
}

/* Reads lines "#define __NR_name 12" or "#define __NR_name (__X32_SYSCALL_BIT + 12)". */
static void check_header(const char *path, size_t abi)
{
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT};
	auto_fclose FILE *file = fopen(path, "re");
	char line[256], name[64];
	unsigned int number, found = 0;

	CHECK(file != NULL);
	while (file && fgets(line, sizeof(line), file)) {
		struct syscall_ruling ruling = {0};
		const char *abi_name;
		uint32_t expected;
		int got = -1;

		if (sscanf(line, "#define __NR_%63s (__X32_SYSCALL_BIT + %u)", name, &number) == 2)
			expected = X32 + number;
		else if (sscanf(line, "#define __NR_%63s %u", name, &number) == 2)
			expected = number;
		else
			continue;
		found++;
		CHECK(syscalls_number(name, abi, &abi_name, &got));
		if (number > SYSCALL_NEWEST && number < 512 && got < 0)
			continue;
		if (got != (int)expected || syscalls_explain(&request, name, &ruling) != 0 ||
		    ruling.source == SYSCALL_UNLISTED) {
			fprintf(stderr,
				"%s: %s is %u for the kernel, %d in the tables, source %d\n", path,
				name, expected, got, (int)ruling.source);
			CHECK(!"header and tables agree");
		}
	}
	CHECK(found > 300);
}

/* ---- the emitter alone ---- */

#define RANDOM_RANGES_MAX 1200

static void check_random_ranges(unsigned int seed)
{
	static struct filter_range ranges[2][RANDOM_RANGES_MAX];
	struct sock_filter code[6][12];
	struct filter_leaf leaves[6];
	struct filter_arch arches[2];
	struct filter_source source = {arches, 2, leaves, ARRAY_LEN(leaves), 5};
	auto_free struct sock_filter *program = NULL;
	size_t len = 0;
	int r;

	srandom(seed);
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		size_t n = 1 + (size_t)random() % ARRAY_LEN(code[i]);

		for (size_t j = 0; j + 1 < n; j++) /* do-nothing instructions */
			code[i][j] = (struct sock_filter)FILTER_JUMP(BPF_JEQ, 7, 0, 0);
		code[i][n - 1] = (struct sock_filter)FILTER_RETURN((uint32_t)i + 1);
		leaves[i] = (struct filter_leaf){code[i], n};
	}
	for (size_t a = 0; a < 2; a++) {
		size_t count = 1 + (size_t)random() % (seed % 3 ? 60 : RANDOM_RANGES_MAX);
		uint32_t first = 0, leaf = 0;

		for (size_t i = 0; i < count; i++) {
			ranges[a][i] = (struct filter_range){first, leaf};
			first += 1 + (random() % 3 ? 0 : (uint32_t)random() % 1000);
			leaf = (leaf + 1 + (uint32_t)random() % 5) % 6;
		}
		arches[a] = (struct filter_arch){(uint32_t)a + 100, ranges[a], count};
	}
	r = filter_emit(&source, &program, &len);
	CHECK(r == 0 || r == -E2BIG);
	if (r < 0) {
		CHECK(arches[0].range_count + arches[1].range_count > 500);
		return;
	}
	CHECK(len <= FILTER_MAX_LEN);
	for (size_t a = 0; a < 2; a++)
		for (size_t i = 0; i < arches[a].range_count; i++) {
			bool is_last = i + 1 == arches[a].range_count;
			uint32_t last = is_last ? UINT32_MAX : ranges[a][i + 1].first - 1;
			struct seccomp_data data = {.arch = arches[a].audit_arch,
						    .nr = (int)ranges[a][i].first};

			CHECK(run((struct program){program, len}, &data) == ranges[a][i].leaf + 1);
			data.nr = (int)last;
			CHECK(run((struct program){program, len}, &data) == ranges[a][i].leaf + 1);
			data.arch = 99;
			CHECK(run((struct program){program, len}, &data) == 6);
		}
}

static void test_emitter(void)
{
	static const struct sock_filter allow[] = {FILTER_RETURN(SECCOMP_RET_ALLOW)};
	static const struct filter_leaf leaf = {allow, 1};
	static const struct filter_range unsorted[] = {{0, 0}, {5, 0}}, late[] = {{1, 0}};
	struct filter_arch arch = {1, unsorted, 2};
	struct filter_source source = {&arch, 1, &leaf, 1, 0};
	auto_free struct sock_filter *program = NULL;
	size_t len;

	for (unsigned int seed = 1; seed <= 300; seed++)
		check_random_ranges(seed);
	CHECK(filter_emit(&source, &program, &len) == -EINVAL); /* neighbours with one leaf */
	arch = (struct filter_arch){1, late, 1};
	CHECK(filter_emit(&source, &program, &len) == -EINVAL); /* does not start at 0 */
	arch = (struct filter_arch){1, unsorted, 1};
	source.other_arch_leaf = 1;
	CHECK(filter_emit(&source, &program, &len) == -EINVAL); /* no such leaf */
	source.other_arch_leaf = 0;
	CHECK(filter_emit(&source, &program, &len) == 0);
}

/* ---- a real process ---- */

static long call_i386(long nr, long a0, long a1, long a2)
{
	long result = nr;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"(a0), "c"(a1), "d"(a2)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static bool fails(long result, int error)
{
	return result == -1 && errno == error;
}

static int wait_for(pid_t pid)
{
	int status = -1;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

/* A kernel without 32-bit calls ends the caller with a signal. */
static bool has_i386_calls(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would tell a story about it */
		_exit(call_i386(20 /* getpid */, 0, 0, 0) == getpid() ? 0 : 1);
	}
	return wait_for(pid) == 0;
}

/* Exits with the number of the first check that does not hold. */
static void confined_child(const struct syscall_filter *filter, bool with_i386)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscalls_load(filter->program, filter->len) < 0)
		_exit(1);
	if (!fails(syscall(SYS_perf_event_open, 0, 0, 0, 0, 0), EPERM))
		_exit(2);
	if (!fails(syscall(SYSCALL_NEWEST + 200), ENOSYS))
		_exit(3);
	if (!fails(syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), EAFNOSUPPORT))
		_exit(4);
	if (!fails(syscall(SYS_socket, HIGH + AF_NETLINK, SOCK_RAW, HIGH + NETLINK_AUDIT),
		   EAFNOSUPPORT))
		_exit(5);
	if (syscall(SYS_fsync, 0x7ffffff0) != 0)
		_exit(6);
	if (!fails(syscall(SYS_fsync, -1), EBADF))
		_exit(7);
	if (!fails(open("/dev/null", O_WRONLY | O_DSYNC | O_CLOEXEC), EINVAL))
		_exit(8);
	if (open("/dev/null", O_WRONLY | O_CLOEXEC) < 0)
		_exit(9);
	if (syscall(SYS_getpid) <= 0)
		_exit(10);
	if (with_i386 && call_i386(336 /* perf_event_open */, 0, 0, 0) != -EPERM)
		_exit(11);
	if (!fails(syscall(X32 + SYS_perf_event_open, 0, 0, 0, 0, 0), EPERM))
		_exit(12);
	_exit(0);
}

static void test_in_the_kernel(void)
{
	const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT,
						.sync_suppressed = true};
	struct syscall_filter filter = choose(&request);
	bool with_i386 = has_i386_calls();
	pid_t pid = fork();
	int status;

	if (pid == 0)
		confined_child(&filter, with_i386);
	status = wait_for(pid);
	if (status != 0)
		fprintf(stderr, "the confined process ended with status %x\n",
			(unsigned int)status);
	CHECK(status == 0);
	CHECK(syscalls_load(filter.program, 0) == -EINVAL);
	syscall_filter_done(&filter);
}

int main(int argc, char *argv[])
{
	CHECK(argc == 4);
	for (int i = 1; i < argc; i++)
		check_header(argv[i], (size_t)i - 1);
	test_tables();
	test_default_is_embedded();
	test_capabilities();
	test_lists();
	test_explain();
	test_against_libseccomp();
	test_netlink_audit();
	test_families();
	test_sync();
	test_emitter();
	test_in_the_kernel();
	return check_result();
}
