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
	MAJOR,
	MINOR,
	ACCESS,
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

static void answer(struct program *program, bool is_allowed)
{
	add(program, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 0, 0, is_allowed);
	add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* A jump to behind the rule; how far that is settle_jumps() fills in. */
static void leave_if(struct program *program, unsigned int how, unsigned int what,
		     unsigned int number)
{
	add(program, BPF_JMP | how | BPF_K, what, 0, 0, (int)number);
}

static void settle_jumps(struct program *program, size_t first)
{
	for (size_t i = first; i < program->count; i++) {
		struct bpf_insn *item = &program->items[i];

		if (BPF_CLASS(item->code) == BPF_JMP && BPF_OP(item->code) != BPF_EXIT)
			item->off = (int16_t)(program->count - i - 1);
	}
}

static void add_rule(struct program *program, const struct device_rule *rule)
{
	size_t first = program->count;
	unsigned int denied = ALL & ~rule->access;

	leave_if(program, BPF_JNE, TYPE, rule->is_block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (rule->major_first == rule->major_last) {
		leave_if(program, BPF_JNE, MAJOR, rule->major_first);
	} else {
		leave_if(program, BPF_JLT, MAJOR, rule->major_first);
		leave_if(program, BPF_JGT, MAJOR, rule->major_last);
	}
	if (rule->minor != DEVICE_ANY)
		leave_if(program, BPF_JNE, MINOR, (unsigned int)rule->minor);
	if (denied)
		leave_if(program, BPF_JSET, ACCESS, denied);
	answer(program, true);
	settle_jumps(program, first);
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
	load(&program, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(&program, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (size_t i = 0; i < rules->count; i++)
		add_rule(&program, &rules->items[i]);
	answer(&program, false);
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
