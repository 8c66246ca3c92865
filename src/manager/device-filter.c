/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules of devices, as a program of the kernel (the kernel's Documentation/bpf, bpf(2)).
 * Zone: free for the rules and the program, owing for attaching.
 */
#include "manager/device-filter.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/scope.h"
#include "mount/devices.h"

static_assert((int)DEVICE_MAKE == (int)BPF_DEVCG_ACC_MKNOD &&
		      (int)DEVICE_READ == (int)BPF_DEVCG_ACC_READ &&
		      (int)DEVICE_WRITE == (int)BPF_DEVCG_ACC_WRITE,
	      "our bits are the kernel's");

#define ALL (DEVICE_READ | DEVICE_WRITE | DEVICE_MAKE)
#define USE (DEVICE_READ | DEVICE_WRITE)

/* --- Rules --- */

/* Besides the nodes that are made for everybody. Numbers: Documentation/admin-guide/devices.txt */
/* clang-format off */
static const struct device_rule standard_rules[] = {
	{false, 5, 5, 2, ALL},               /* /dev/ptmx */
	{false, 136, 143, DEVICE_ANY, USE},  /* pseudo-terminals; devpts makes the nodes itself */
	/* Programs that fill a /dev make it; to open it would be to reach the host's console. */
	{false, 5, 5, 1, DEVICE_MAKE},
	/* No device has these numbers: what /run/host/inaccessible is made of. */
	{false, 0, 0, 0, DEVICE_MAKE},
	{true, 0, 0, 0, DEVICE_MAKE},
};
/* clang-format on */

static bool is_restricted(const struct config *config, const struct device_facts *facts,
			  const struct device *device)
{
	for (size_t i = 0; i < facts->nodes.count; i++) {
		const struct device_node *node = &facts->nodes.items[i];

		if (S_ISCHR(node->mode) && node->major == device->major &&
		    node->minor == device->minor &&
		    config->devices.items[node->request].access_is_said)
			return true;
	}
	return false;
}

static void add_node(struct arena *arena, bool is_block, unsigned int major, unsigned int minor,
		     unsigned int access, struct device_rules *rules)
{
	*ARRAY_ADD(arena, rules) = (struct device_rule){is_block, major, major, (int)minor, access};
}

void device_rules_make(struct arena *arena, const struct config *config,
		       const struct device_facts *facts, struct device_rules *ret)
{
	for (size_t i = 0; i < device_count; i++)
		if (!is_restricted(config, facts, &devices[i]))
			add_node(arena, false, devices[i].major, devices[i].minor, ALL, ret);
	for (size_t i = 0; i < ARRAY_LEN(standard_rules); i++)
		*ARRAY_ADD(arena, ret) = standard_rules[i];
	for (size_t i = 0; i < facts->nodes.count; i++) {
		const struct device_node *node = &facts->nodes.items[i];

		add_node(arena, S_ISBLK(node->mode), node->major, node->minor, node->access, ret);
	}
	for (size_t i = 0; i < facts->rules.count; i++)
		*ARRAY_ADD(arena, ret) = facts->rules.items[i];
}

/* --- The program --- */

enum registers {
	RESULT = BPF_REG_0,
	CONTEXT = BPF_REG_1,
	TYPE,
	NUMBER, /* the major number and the minor one, as the kernel keeps them in one word */
	MINOR,
	ACCESS,
};

/* How the kernel divides that word (include/linux/kdev_t.h); a device beyond does not exist. */
#define MINOR_BITS 20
#define MINOR_MAX ((1U << MINOR_BITS) - 1)
#define MAJOR_MAX 4095U

/* Where a jump goes until that is known; by itself it would go nowhere. */
enum places {
	TO_NEXT_RULE = -1,
	TO_ALLOW = -2,
	TO_OTHER_KIND = -3,
};

struct program {
	struct bpf_insn *items;
	size_t count, room;
	struct arena *arena;
};

static void add(struct program *program, unsigned int code, unsigned int to, unsigned int from,
		int offset, int number)
{
	*ARRAY_ADD(program->arena, program) = (struct bpf_insn){
		.code = (uint8_t)code,
		.dst_reg = to & 15,
		.src_reg = from & 15,
		.off = (int16_t)offset,
		.imm = number,
	};
}

static void load(struct program *program, unsigned int to, size_t offset)
{
	add(program, BPF_LDX | BPF_MEM | BPF_W, to, CONTEXT, (int)offset, 0);
}

/* Compares 32 bits, as an immediate operand is extended by its sign. */
static void jump_if(struct program *program, unsigned int how, unsigned int what,
		    unsigned int number, enum places where)
{
	add(program, BPF_JMP32 | how | BPF_K, what, 0, where, (int)number);
}

static void answer(struct program *program, bool is_allowed)
{
	add(program, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 0, 0, is_allowed);
	add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Whoever jumps to 'where' arrives at what comes next. */
static void arrive(struct program *program, enum places where)
{
	for (size_t i = 0; i < program->count; i++)
		if (program->items[i].off == (int)where)
			program->items[i].off = (int16_t)(program->count - i - 1);
}

/*
 * The kernel follows each way through the program before it takes it, and one more branch costs a
 * start what twenty instructions do: a device is one comparison.
 */
static void add_rule(struct program *program, const struct device_rule *rule)
{
	unsigned int denied = ALL & ~rule->access;
	unsigned int major_last = rule->major_last < MAJOR_MAX ? rule->major_last : MAJOR_MAX;
	unsigned int first = rule->major_first << MINOR_BITS;
	bool is_one = rule->major_first == major_last && rule->minor != DEVICE_ANY;

	/* No rule is for one minor number of many major ones. */
	if (rule->major_first > MAJOR_MAX || (!is_one && rule->minor != DEVICE_ANY))
		return;
	if (is_one && !denied) {
		jump_if(program, BPF_JEQ, NUMBER, first | (unsigned int)rule->minor, TO_ALLOW);
		return;
	}
	if (is_one) {
		jump_if(program, BPF_JNE, NUMBER, first | (unsigned int)rule->minor, TO_NEXT_RULE);
	} else {
		jump_if(program, BPF_JLT, NUMBER, first, TO_NEXT_RULE);
		jump_if(program, BPF_JGT, NUMBER, major_last << MINOR_BITS | MINOR_MAX,
			TO_NEXT_RULE);
	}
	if (denied)
		jump_if(program, BPF_JSET, ACCESS, denied, TO_NEXT_RULE);
	add(program, BPF_JMP | BPF_JA, 0, 0, TO_ALLOW, 0);
	arrive(program, TO_NEXT_RULE);
}

static void add_kind(struct program *program, const struct device_rules *rules, bool is_block)
{
	jump_if(program, BPF_JNE, TYPE, is_block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
		TO_OTHER_KIND);
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].is_block == is_block)
			add_rule(program, &rules->items[i]);
	answer(program, false);
	arrive(program, TO_OTHER_KIND);
}

struct bpf_insn *device_filter_build(struct arena *arena, const struct device_rules *rules,
				     size_t *ret_count)
{
	struct program program = {.arena = arena};

	/* The kind of device is in the lower half of the word, what is asked for in the upper. */
	load(&program, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	add(&program, BPF_ALU64 | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
	add(&program, BPF_ALU64 | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
	add(&program, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	load(&program, NUMBER, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(&program, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	add(&program, BPF_ALU64 | BPF_LSH | BPF_K, NUMBER, 0, 0, MINOR_BITS);
	add(&program, BPF_ALU64 | BPF_OR | BPF_X, NUMBER, MINOR, 0, 0);
	add_kind(&program, rules, /* is_block= */ false);
	add_kind(&program, rules, /* is_block= */ true);
	answer(&program, false);
	arrive(&program, TO_ALLOW);
	answer(&program, true);
	*ret_count = program.count;
	return program.items;
}

/* --- In the kernel --- */

int device_filter_attach(struct arena *arena, int cgroup_fd, const struct device_rules *rules)
{
	union bpf_attr attr = {0};
	auto_close int fd = -EBADF;
	size_t count;

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)device_filter_build(arena, rules, &count);
	attr.insn_cnt = (uint32_t)count;
	attr.license = (uint64_t)(uintptr_t) "LGPL-2.1-or-later";
	strcpy(attr.prog_name, "nspawn_devices"); /* what bpftool-prog(8) shows */
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	attr = (union bpf_attr){0};
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	/* Whoever manages a group inside may add another filter, not replace ours. */
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}
