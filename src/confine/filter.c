/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The emitter: one balanced tree of comparisons for each architecture, in one program.
 * Zone: free.
 *
 * When a filter is loaded, the kernel runs it once for every system call number of every ABI, to
 * learn which are always allowed. The depth of the tree is therefore paid about a thousand times at
 * each start, and every instruction is translated once: few comparisons matter more than anything
 * else here.
 *
 * Instructions are placed from the last to the first. A jump in classic BPF only goes forward, so
 * everything a new instruction can jump to already has its place, and a target that is too far for
 * the 8-bit offset of a conditional jump can be brought near before the jump itself is written.
 */
#include "confine/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

/* Conditional jumps reach 255 instructions; one may come between a jump and its first target. */
#define JUMP_REACH (255 - 2)

/* A wider range does not pull the tree further towards itself: beyond the tables lies nothing. */
#define RANGE_WEIGHT_MAX 64

/*
 * A position is counted from the end of the program: the instruction at position 1 is the last one.
 * Position 0 means "not placed yet".
 */
struct emitter {
	struct sock_filter code[FILTER_MAX_LEN];
	size_t len;
	bool overflow;
	const struct filter_source *source;
	const struct filter_range *ranges; /* of the architecture that is being placed */
	size_t leaf_position[FILTER_MAX_LEAVES];
};

static size_t emit(struct emitter *e, struct sock_filter instruction)
{
	if (e->len >= FILTER_MAX_LEN) {
		e->overflow = true;
		return e->len;
	}
	e->code[FILTER_MAX_LEN - ++e->len] = instruction;
	return e->len;
}

/* How far the next instruction would have to jump. */
static size_t distance(const struct emitter *e, size_t position)
{
	return e->len - position;
}

static size_t emit_jump(struct emitter *e, size_t position)
{
	return emit(e, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA,
						    (uint32_t)distance(e, position), 0, 0));
}

static size_t place_leaf(struct emitter *e, uint32_t leaf)
{
	const struct filter_leaf *l = &e->source->leaves[leaf];

	/* One copy serves every jump that reaches it. */
	if (e->leaf_position[leaf] != 0 && distance(e, e->leaf_position[leaf]) <= JUMP_REACH)
		return e->leaf_position[leaf];
	for (size_t i = l->len; i > 0; i--)
		emit(e, l->code[i - 1]);
	return e->leaf_position[leaf] = e->len;
}

/* Returns a position with the same effect that the next two instructions can reach. */
static size_t bring_near(struct emitter *e, size_t position)
{
	struct sock_filter target = e->code[FILTER_MAX_LEN - position];

	if (distance(e, position) <= JUMP_REACH)
		return position;
	if (target.code == (BPF_RET | BPF_K)) /* as short as the jump to it */
		return emit(e, target);
	return emit_jump(e, position);
}

static size_t place_choice(struct emitter *e, uint16_t condition, uint32_t value,
			   const size_t targets[2])
{
	size_t when_true = bring_near(e, targets[0]);
	size_t when_false = bring_near(e, targets[1]);

	return emit(e, (struct sock_filter)FILTER_JUMP(condition, value,
						       (uint8_t)distance(e, when_true),
						       (uint8_t)distance(e, when_false)));
}

static uint32_t range_weight(const struct emitter *e, size_t i, size_t last)
{
	uint32_t width = i == last ? RANGE_WEIGHT_MAX : e->ranges[i + 1].first - e->ranges[i].first;

	return width < RANGE_WEIGHT_MAX ? width : RANGE_WEIGHT_MAX;
}

/* The range at which a second half begins that weighs as much as the first. */
static size_t choose_split(const struct emitter *e, size_t first, size_t last)
{
	uint64_t total = 0, before = 0;

	for (size_t i = first; i <= last; i++)
		total += range_weight(e, i, last);
	for (size_t i = first; i < last; i++) {
		uint32_t weight = range_weight(e, i, last);

		before += weight;
		if (2 * before >= total) {
			/* The middle is inside this range: take the nearer of its borders. */
			if (i > first && 2 * before - total > total - 2 * (before - weight))
				return i;
			return i + 1;
		}
	}
	return last;
}

/* One number inside a uniform stretch: one comparison for equality instead of two for order. */
static bool is_exception(const struct emitter *e, size_t first, size_t last)
{
	return last == first + 2 && e->ranges[first].leaf == e->ranges[last].leaf &&
	       e->ranges[last].first - e->ranges[first + 1].first == 1;
}

/* Recursion goes as deep as the tree: not more than the number of ranges, a dozen in practice. */
static size_t place_ranges(struct emitter *e, size_t first, size_t last)
{
	size_t split, targets[2];

	if (e->overflow)
		return e->len;
	if (first == last)
		return place_leaf(e, e->ranges[first].leaf);
	if (is_exception(e, first, last)) {
		targets[0] = place_leaf(e, e->ranges[first + 1].leaf);
		targets[1] = place_leaf(e, e->ranges[first].leaf);
		return place_choice(e, BPF_JEQ, e->ranges[first + 1].first, targets);
	}
	split = choose_split(e, first, last);
	targets[0] = place_ranges(e, split, last);
	targets[1] = place_ranges(e, first, split - 1);
	return place_choice(e, BPF_JGE, e->ranges[split].first, targets);
}

static bool source_is_valid(const struct filter_source *source)
{
	if (source->leaf_count > FILTER_MAX_LEAVES || source->other_arch_leaf >= source->leaf_count)
		return false;
	for (size_t i = 0; i < source->leaf_count; i++)
		if (source->leaves[i].len == 0 || source->leaves[i].len > JUMP_REACH)
			return false;
	for (size_t a = 0; a < source->arch_count; a++) {
		const struct filter_arch *arch = &source->arches[a];

		if (arch->range_count == 0 || arch->ranges[0].first != 0)
			return false;
		for (size_t i = 0; i < arch->range_count; i++)
			if (arch->ranges[i].leaf >= source->leaf_count ||
			    (i > 0 && (arch->ranges[i].first <= arch->ranges[i - 1].first ||
				       arch->ranges[i].leaf == arch->ranges[i - 1].leaf)))
				return false;
	}
	return true;
}

static void place_program(struct emitter *e)
{
	static const struct sock_filter load_nr = FILTER_LOAD(offsetof(struct seccomp_data, nr)),
					load_arch =
						FILTER_LOAD(offsetof(struct seccomp_data, arch));
	size_t otherwise = place_leaf(e, e->source->other_arch_leaf);

	for (size_t a = e->source->arch_count; a > 0; a--) {
		const struct filter_arch *arch = &e->source->arches[a - 1];
		size_t tree, targets[2];

		e->ranges = arch->ranges;
		tree = place_ranges(e, 0, arch->range_count - 1);
		if (tree != e->len) /* one leaf is the whole tree, and it is shared */
			emit_jump(e, tree);
		targets[0] = emit(e, load_nr);
		targets[1] = otherwise;
		otherwise = place_choice(e, BPF_JEQ, arch->audit_arch, targets);
	}
	if (otherwise != e->len)
		emit_jump(e, otherwise);
	emit(e, load_arch);
}

int filter_emit(const struct filter_source *source, struct sock_filter **ret_program,
		size_t *ret_len)
{
	auto_free struct emitter *e = NULL;
	struct sock_filter *program;

	if (!source_is_valid(source))
		return -EINVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->source = source;
	place_program(e);
	if (e->overflow)
		return -E2BIG;
	program = malloc(e->len * sizeof(*program));
	if (!program)
		return -ENOMEM;
	memcpy(program, e->code + FILTER_MAX_LEN - e->len, e->len * sizeof(*program));
	*ret_program = program;
	*ret_len = e->len;
	return 0;
}
