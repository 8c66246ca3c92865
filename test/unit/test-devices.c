/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which rules of devices come of a configuration, and what the program made of them answers. It is
 * run here instruction by instruction, so that no right and no kernel is needed.
 */
#include "manager/device-filter.h"

#include <stdint.h>
#include <sys/stat.h>

#include "base/scope.h"
#include "captured.h"
#include "check.h"

#define CHARACTER BPF_DEVCG_DEV_CHAR
#define BLOCK BPF_DEVCG_DEV_BLOCK
#define ALL (DEVICE_READ | DEVICE_WRITE | DEVICE_MAKE)
#define USE (DEVICE_READ | DEVICE_WRITE)
#define WRONG (-1)

/* --- The program --- */

static bool jumps(const struct bpf_insn *item, uint64_t value)
{
	uint64_t number = (uint64_t)(int64_t)item->imm;

	if (BPF_CLASS(item->code) == BPF_JMP32) {
		value = (uint32_t)value;
		number = (uint32_t)item->imm;
	}
	switch (BPF_OP(item->code)) {
	case BPF_JA:
		return true;
	case BPF_JEQ:
		return value == number;
	case BPF_JNE:
		return value != number;
	case BPF_JLT:
		return value < number;
	case BPF_JGT:
		return value > number;
	case BPF_JSET:
		return value & number;
	default:
		CHECK(false);
		return false;
	}
}

static uint64_t calculate(const struct bpf_insn *item, uint64_t value, const uint64_t *registers)
{
	switch (item->code) {
	case BPF_ALU64 | BPF_MOV | BPF_X:
		return registers[item->src_reg];
	case BPF_ALU64 | BPF_MOV | BPF_K:
		return (uint64_t)(int64_t)item->imm;
	case BPF_ALU64 | BPF_RSH | BPF_K:
		return value >> item->imm;
	case BPF_ALU64 | BPF_LSH | BPF_K:
		return value << item->imm;
	case BPF_ALU64 | BPF_OR | BPF_X:
		return value | registers[item->src_reg];
	case BPF_ALU64 | BPF_AND | BPF_K:
		return value & (uint64_t)(int64_t)item->imm;
	default:
		CHECK(false);
		return 0;
	}
}

/* 1: allowed, 0: not, WRONG: the program runs out of its end. */
static int execute(const struct bpf_insn *items, size_t count, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t registers[11] = {0};

	for (size_t at = 0; at < count; at++) {
		const struct bpf_insn *item = &items[at];
		uint64_t *to = &registers[item->dst_reg];

		if (item->code == (BPF_JMP | BPF_EXIT))
			return (int)registers[BPF_REG_0];
		if (BPF_CLASS(item->code) == BPF_LDX)
			*to = *(const uint32_t *)((const char *)ctx + item->off);
		else if (BPF_CLASS(item->code) == BPF_JMP || BPF_CLASS(item->code) == BPF_JMP32)
			at += jumps(item, *to) ? (size_t)item->off : 0;
		else
			*to = calculate(item, *to, registers);
	}
	return WRONG;
}

static int answer(const struct device_rules *rules, unsigned int type, unsigned int access,
		  unsigned int major, unsigned int minor)
{
	const struct bpf_cgroup_dev_ctx ctx = {access << 16 | type, major, minor};
	auto_arena struct arena arena = {0};
	size_t count = 0;
	const struct bpf_insn *items = device_filter_build(&arena, rules, &count);

	return execute(items, count, &ctx);
}

static struct device_rules rules_of(struct config *config, const struct device_facts *facts)
{
	struct device_rules rules = {0};

	device_rules_make(&config->arena, config, facts, &rules);
	return rules;
}

static void test_nothing_is_allowed_by_no_rule(void)
{
	const struct device_rules none = {0};

	CHECK(answer(&none, CHARACTER, DEVICE_READ, 1, 3) == 0);
	CHECK(answer(&none, BLOCK, DEVICE_MAKE, 0, 0) == 0);
}

static void test_the_standard(struct config *config)
{
	/* clang-format off */
	static const struct {
		unsigned int type, major, minor, access;
	} allowed[] = {
		{CHARACTER, 1, 3, ALL},	 {CHARACTER, 1, 9, ALL},	   {CHARACTER, 5, 0, ALL},
		{CHARACTER, 5, 2, ALL},	 {CHARACTER, 10, 229, ALL},	   {CHARACTER, 10, 200, ALL},
		{CHARACTER, 136, 0, USE}, {CHARACTER, 143, 99, USE},	   {CHARACTER, 5, 1, DEVICE_MAKE},
		{BLOCK, 0, 0, DEVICE_MAKE}, {CHARACTER, 0, 0, DEVICE_MAKE}, {CHARACTER, 1, 3, DEVICE_READ},
	}, denied[] = {
		{CHARACTER, 1, 1, DEVICE_READ}, {CHARACTER, 1, 11, DEVICE_READ}, {BLOCK, 1, 3, DEVICE_READ},
		{BLOCK, 254, 0, DEVICE_READ}, {BLOCK, 254, 0, DEVICE_MAKE}, {BLOCK, 7, 0, DEVICE_READ},
		{CHARACTER, 5, 1, DEVICE_WRITE}, {CHARACTER, 5, 1, ALL}, {CHARACTER, 136, 0, DEVICE_MAKE},
		{CHARACTER, 135, 0, USE}, {CHARACTER, 144, 0, USE}, {CHARACTER, 10, 232, USE},
		{BLOCK, 0, 0, DEVICE_READ}, {CHARACTER, 4, 0, DEVICE_READ}, {CHARACTER, 1, 259, DEVICE_READ},
	};
	/* clang-format on */
	const struct device_facts facts = {0};
	struct device_rules rules = rules_of(config, &facts);

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		CHECK(answer(&rules, allowed[i].type, allowed[i].access, allowed[i].major,
			     allowed[i].minor) == 1);
	for (size_t i = 0; i < ARRAY_LEN(denied); i++)
		CHECK(answer(&rules, denied[i].type, denied[i].access, denied[i].major,
			     denied[i].minor) == 0);
}

static void test_what_is_given(struct config *config)
{
	struct device_facts facts = {0};
	struct device_rules rules;

	config->devices.count = 0;
	*ARRAY_ADD(&config->arena, &config->devices) = (struct device_request){.path = "/dev/sdz"};
	*ARRAY_ADD(&config->arena, &config->devices) =
		(struct device_request){.path = "/dev/fuse", .access_is_said = true};
	*ARRAY_ADD(&config->arena, &facts.nodes) = (struct device_node){
		.mode = S_IFBLK | 0660, .major = 65, .minor = 144, .access = DEVICE_READ};
	*ARRAY_ADD(&config->arena, &facts.nodes) = (struct device_node){.mode = S_IFCHR | 0600,
									.major = 10,
									.minor = 229,
									.access = DEVICE_READ,
									.request = 1};
	*ARRAY_ADD(&config->arena, &facts.rules) =
		(struct device_rule){true, 7, 7, DEVICE_ANY, USE};
	/* The highest bit of the word that the numbers are in, and what does not fit into it. */
	*ARRAY_ADD(&config->arena, &facts.rules) = (struct device_rule){true, 4095, 4095, 3, ALL};
	*ARRAY_ADD(&config->arena, &facts.rules) = (struct device_rule){true, 4096, 4096, 9, ALL};
	*ARRAY_ADD(&config->arena, &facts.rules) =
		(struct device_rule){false, 4094, 5000, DEVICE_ANY, USE};
	rules = rules_of(config, &facts);
	CHECK(answer(&rules, BLOCK, DEVICE_READ, 65, 144) == 1);
	CHECK(answer(&rules, BLOCK, DEVICE_WRITE, 65, 144) == 0);
	CHECK(answer(&rules, BLOCK, DEVICE_READ | DEVICE_WRITE, 65, 144) == 0);
	CHECK(answer(&rules, BLOCK, DEVICE_READ, 65, 145) == 0);
	CHECK(answer(&rules, CHARACTER, DEVICE_READ, 65, 144) == 0);
	CHECK(answer(&rules, BLOCK, USE, 7, 1048575) == 1);
	CHECK(answer(&rules, BLOCK, DEVICE_MAKE, 7, 0) == 0);
	CHECK(answer(&rules, BLOCK, ALL, 4095, 3) == 1);
	CHECK(answer(&rules, BLOCK, ALL, 4095, 2) == 0);
	CHECK(answer(&rules, BLOCK, ALL, 2047, 3) == 0);
	CHECK(answer(&rules, BLOCK, ALL, 0, 9) == 0);
	CHECK(answer(&rules, CHARACTER, USE, 4094, 0) == 1);
	CHECK(answer(&rules, CHARACTER, USE, 4095, 1048575) == 1);
	CHECK(answer(&rules, CHARACTER, ALL, 4095, 7) == 0);
	CHECK(answer(&rules, CHARACTER, USE, 4093, 1048575) == 0);
	/* What is said of a device that everybody has counts. */
	CHECK(answer(&rules, CHARACTER, DEVICE_READ, 10, 229) == 1);
	CHECK(answer(&rules, CHARACTER, DEVICE_WRITE, 10, 229) == 0);
	config->devices.count = 0;
}

/* --- Properties --- */

static const char table[] = "Character devices:\n  1 mem\n136 pts\n226 drm\n\n"
			    "Block devices:\n  7 loop\n  8 sd\n 65 sd\n254 virtblk\n 9999 far\n";

static struct device_rules of_property(struct arena *arena, const char *value)
{
	struct device_rules rules = {0};

	CHECK(device_rules_from_property(arena, value, table, &rules));
	return rules;
}

static void test_properties(struct arena *arena)
{
	static const char *const wrong[] = {"",
					    "x",
					    "dev/null",
					    "/dev/null x",
					    "loop r",
					    "block-loop q",
					    "char-* rwm x",
					    "/dev/null rr"};
	struct device_rules rules = of_property(arena, "block-loop rw");

	CHECK(rules.count == 1 && rules.items[0].is_block && rules.items[0].major_first == 7 &&
	      rules.items[0].minor == DEVICE_ANY && rules.items[0].access == USE);
	rules = of_property(arena, "block-sd");
	CHECK(rules.count == 2 && rules.items[0].access == ALL && rules.items[1].major_first == 65);
	rules = of_property(arena, "char-[dp]* r");
	CHECK(rules.count == 2 && !rules.items[0].is_block && rules.items[1].major_last == 226);
	rules = of_property(arena, "block-* rwm");
	CHECK(answer(&rules, BLOCK, ALL, 254, 0) == 1 && answer(&rules, BLOCK, ALL, 4095, 9) == 1);
	CHECK(answer(&rules, CHARACTER, DEVICE_READ, 1, 1) == 0);
	rules = of_property(arena, "/dev/null r");
	CHECK(rules.count == 1 && rules.items[0].minor == 3 &&
	      rules.items[0].access == DEVICE_READ);
	CHECK(of_property(arena, "/dev/there-is-no-such rw").count == 0);
	CHECK(of_property(arena, "/etc/passwd rw").count == 0);
	CHECK(of_property(arena, "block-far").count == 0);
	rules = (struct device_rules){0};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK(!device_rules_from_property(arena, wrong[i], table, &rules));
	CHECK(rules.count == 0);
}

int main(void)
{
	struct config config = {0};

	test_nothing_is_allowed_by_no_rule();
	test_the_standard(&config);
	test_what_is_given(&config);
	test_properties(&config.arena);
	arena_done(&config.arena);
	return check_result();
}
