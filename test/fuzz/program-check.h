/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel demands of a seccomp program, and what a program without argument rules decides.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "fuzz.h"

static inline void check_program(const struct sock_filter *program, size_t length)
{
	MUST(length > 0 && length <= BPF_MAXINSNS);
	MUST(BPF_CLASS(program[length - 1].code) == BPF_RET);
	for (size_t i = 0; i < length; i++) {
		const struct sock_filter *at = &program[i];

		if (BPF_CLASS(at->code) != BPF_JMP)
			continue;
		MUST(at->code != (BPF_JMP | BPF_JA) || at->k < length - i - 1);
		MUST(i + 1 + at->jt < length && i + 1 + at->jf < length);
	}
}

static inline uint32_t run_program(const struct sock_filter *at, uint32_t arch, uint32_t nr)
{
	uint32_t value = 0;

	for (;; at++)
		switch (at->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			value = at->k == offsetof(struct seccomp_data, arch) ? arch : nr;
			break;
		case BPF_JMP | BPF_JA:
			at += at->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += value == at->k ? at->jt : at->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += value >= at->k ? at->jt : at->jf;
			break;
		default:
			MUST(at->code == (BPF_RET | BPF_K));
			return at->k;
		}
}
