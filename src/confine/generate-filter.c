/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Build-time program: prints the C source of the table of system call numbers and of the built-in
 * syscall filter for one processor family, "x86_64" or another name that meson's
 * host_machine.cpu_family() gives.
 * Zone: none, it is not part of nspawn.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "confine/capabilities.h"
#include "confine/syscall-policy.h"
#include "confine/syscall-tables.h"

/* One row an ABI; a family is its consecutive rows, the native ABI first. */
static const struct {
	const char *family;
	const char *name;
	const char *audit_arch_text; /* for the output, which includes linux/audit.h */
	uint32_t audit_arch;
	uint32_t scmp_arch;
	uint32_t base; /* what the ABI adds to its numbers */
} abi_rows[] = {
/* clang-format off */
#define ARCH(name) "AUDIT_ARCH_" #name, AUDIT_ARCH_##name
	{ "x86_64",  "x86-64",  ARCH(X86_64),  SCMP_ARCH_X86_64,  0 },
	{ "x86_64",  "i386",    ARCH(I386),    SCMP_ARCH_X86,     0 },
	{ "x86_64",  "x32",     ARCH(X86_64),  SCMP_ARCH_X32,     0x40000000 },
	{ "x86",     "i386",    ARCH(I386),    SCMP_ARCH_X86,     0 },
	{ "aarch64", "aarch64", ARCH(AARCH64), SCMP_ARCH_AARCH64, 0 },
	{ "aarch64", "arm",     ARCH(ARM),     SCMP_ARCH_ARM,     0 },
	{ "riscv64", "riscv64", ARCH(RISCV64), SCMP_ARCH_RISCV64, 0 },
#undef ARCH
	/* clang-format on */
};

/* Where numbers are looked for. Beyond the ordinary ones, 32-bit ARM keeps a few of its own. */
/* clang-format off */
static const struct {
	uint32_t first, count;
} number_windows[] = {
	{ 0, 1024 },
	{ 0xf0000, 16 },
};
/* clang-format on */

/* libseccomp gives calls that an architecture lacks made-up numbers between this one and -1. */
#define PSEUDO_NUMBER_MIN (-20000)

/*
 * Calls that a libseccomp of the baseline (2.5.4) may not know yet. From 424 on, a number means
 * the same everywhere. Source: the syscall tables of the kernel, Linux 6.17.
 */
static const struct {
	const char *name;
	uint32_t number;
	uint32_t only_audit_arch; /* 0: everywhere */
} supplement[] = {
	/* clang-format off */
	{ "uretprobe",         335, AUDIT_ARCH_X86_64 },
	{ "uprobe",            336, AUDIT_ARCH_X86_64 },
	{ "cachestat",         451, 0 },
	{ "fchmodat2",         452, 0 },
	{ "map_shadow_stack",  453, 0 },
	{ "futex_wake",        454, 0 },
	{ "futex_wait",        455, 0 },
	{ "futex_requeue",     456, 0 },
	{ "statmount",         457, 0 },
	{ "listmount",         458, 0 },
	{ "lsm_get_self_attr", 459, 0 },
	{ "lsm_set_self_attr", 460, 0 },
	{ "lsm_list_modules",  461, 0 },
	{ "mseal",             462, 0 },
	{ "setxattrat",        463, 0 },
	{ "getxattrat",        464, 0 },
	{ "listxattrat",       465, 0 },
	{ "removexattrat",     466, 0 },
	{ "open_tree_attr",    467, 0 },
	{ "file_getattr",      468, 0 },
	{ "file_setattr",      469, 0 },
	/* clang-format on */
};

#define ROWS_MAX 2048
static struct syscall_row rows[ROWS_MAX];
static struct syscall_tables tables = {.rows = rows};

static struct syscall_row *row_of(const char *name, size_t len)
{
	struct syscall_row *row;

	for (size_t i = 0; i < tables.row_count; i++)
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	if (tables.row_count == ROWS_MAX || len >= sizeof(row->name)) {
		fprintf(stderr, "Cannot keep the system call name '%.*s'\n", (int)len, name);
		return NULL;
	}
	row = &rows[tables.row_count++];
	memcpy(row->name, name, len);
	for (size_t abi = 0; abi < SYSCALL_ABI_MAX; abi++)
		row->number[abi] = -1;
	return row;
}

static int keep(const char *name, size_t abi, uint32_t number)
{
	struct syscall_row *row = row_of(name, strlen(name));

	if (!row)
		return -E2BIG;
	if (row->number[abi] < 0)
		row->number[abi] = (int32_t)number;
	return 0;
}

static int ask_libseccomp(size_t abi, uint32_t scmp_arch, uint32_t base)
{
	for (size_t w = 0; w < ARRAY_LEN(number_windows); w++)
		for (uint32_t i = 0; i < number_windows[w].count; i++) {
			uint32_t number = base + number_windows[w].first + i;
			auto_free char *name =
				seccomp_syscall_resolve_num_arch(scmp_arch, (int)number);

			if (name)
				TRY(keep(name, abi, number));
		}
	return 0;
}

static bool number_is_taken(size_t abi, uint32_t number)
{
	for (size_t i = 0; i < tables.row_count; i++)
		if (rows[i].number[abi] == (int32_t)number)
			return true;
	return false;
}

static int ask_supplement(size_t abi, uint32_t audit_arch, uint32_t base)
{
	for (size_t i = 0; i < ARRAY_LEN(supplement); i++) {
		if (supplement[i].only_audit_arch != 0 &&
		    supplement[i].only_audit_arch != audit_arch)
			continue;
		if (!number_is_taken(abi, base + supplement[i].number))
			TRY(keep(supplement[i].name, abi, base + supplement[i].number));
	}
	return 0;
}

static int find_numbers(const char *family)
{
	for (size_t i = 0; i < ARRAY_LEN(abi_rows); i++) {
		size_t abi = tables.abi_count;

		if (strcmp(abi_rows[i].family, family) != 0)
			continue;
		tables.abis[tables.abi_count++] = (struct syscall_abi){
			.name = abi_rows[i].name,
			.audit_arch = abi_rows[i].audit_arch,
		};
		TRY(ask_libseccomp(abi, abi_rows[i].scmp_arch, abi_rows[i].base));
		TRY(ask_supplement(abi, abi_rows[i].audit_arch, abi_rows[i].base));
	}
	if (tables.abi_count == 0) {
		fprintf(stderr,
			"No system call filter is known for the processor family '%s': "
			"add its ABIs to generate-filter.c\n",
			family);
		return -EINVAL;
	}
	return 0;
}

static int add_words(const char *words)
{
	const char *word;
	size_t len;

	while ((word = syscall_words_next(&words, &len)))
		if (word[0] != '@' && !row_of(word, len))
			return -E2BIG;
	return 0;
}

/* Names of calls of other architectures, which users may write nevertheless. */
static int find_names(void)
{
	for (int number = -1; number >= PSEUDO_NUMBER_MIN; number--) {
		auto_free char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (name && !row_of(name, strlen(name)))
			return -E2BIG;
	}
	for (size_t i = 0; i < ARRAY_LEN(supplement); i++)
		TRY(add_words(supplement[i].name));
	for (const struct syscall_group *group = syscall_groups; group->name; group++)
		TRY(add_words(group->words));
	for (const struct syscall_exclusion *exclusion = syscall_exclusions; exclusion->words;
	     exclusion++)
		TRY(add_words(exclusion->words));
	for (const struct syscall_capability_rule *rule = syscall_capability_rules; rule->words;
	     rule++)
		TRY(add_words(rule->words));
	return add_words(syscalls_always_allowed);
}

static int row_compare(const void *a, const void *b)
{
	const struct syscall_row *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static const char *audit_arch_text(uint32_t audit_arch)
{
	for (size_t i = 0; i < ARRAY_LEN(abi_rows); i++)
		if (abi_rows[i].audit_arch == audit_arch)
			return abi_rows[i].audit_arch_text;
	return "0";
}

static void print_source(const struct sock_filter *program, size_t len)
{
	puts("/* Made by generate-filter. */\n"
	     "#include \"confine/syscall-tables.h\"\n\n"
	     "#include <linux/audit.h>\n\n"
	     "static const struct sock_filter default_program[] = {");
	for (size_t i = 0; i < len; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08" PRIx32 " },\n", (unsigned int)program[i].code,
		       (unsigned int)program[i].jt, (unsigned int)program[i].jf,
		       (uint32_t)program[i].k);
	puts("};\n\nstatic const struct syscall_row rows[] = {");
	for (size_t i = 0; i < tables.row_count; i++)
		printf("\t{ \"%s\", { %" PRIi32 ", %" PRIi32 ", %" PRIi32 " } },\n", rows[i].name,
		       rows[i].number[0], rows[i].number[1], rows[i].number[2]);
	puts("};\n\nconst struct syscall_tables syscall_tables_built = {\n\t.abis = {");
	for (size_t abi = 0; abi < tables.abi_count; abi++)
		printf("\t\t{ \"%s\", %s },\n", tables.abis[abi].name,
		       audit_arch_text(tables.abis[abi].audit_arch));
	printf("\t},\n\t.abi_count = %zu,\n\t.rows = rows,\n\t.row_count = %zu,\n"
	       "\t.default_program = default_program,\n\t.default_len = %zu,\n};\n",
	       tables.abi_count, tables.row_count, len);
}

static int generate(const char *family)
{
	static const struct syscall_request request = {.capabilities = CAPABILITIES_DEFAULT};
	auto_free struct sock_filter *program = NULL;
	size_t len = 0;
	int r;

	TRY(find_numbers(family));
	TRY(find_names());
	qsort(rows, tables.row_count, sizeof(*rows), row_compare);
	r = syscall_policy_compile(&tables, &request, &program, &len);
	if (r < 0) {
		fprintf(stderr, "Cannot make the default filter for '%s': %s\n", family,
			strerror(-r));
		return r;
	}
	print_source(program, len);
	return fflush(stdout) != 0 ? -EIO : 0;
}

int main(int argc, char *argv[])
{
	if (argc != 2) {
		fprintf(stderr, "Usage: generate-filter FAMILY\n");
		return EXIT_FAILURE;
	}
	return generate(argv[1]) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
