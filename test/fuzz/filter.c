/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The emitter: ranges of which each is a pair of bytes, its width and its verdict. */
#include "confine/filter.h"

#include "base/scope.h"
#include "fuzz.h"
#include "program-check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct filter_range ranges[4096];
	struct sock_filter code[16];
	struct filter_leaf leaves[16];
	struct filter_arch arch = {7, ranges, 0};
	struct filter_source source = {&arch, 1, leaves, ARRAY_LEN(leaves), 15};
	auto_free struct sock_filter *program = NULL;
	size_t length = 0;
	uint32_t first = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(leaves); i++) {
		code[i] = (struct sock_filter)FILTER_RETURN(i);
		leaves[i] = (struct filter_leaf){&code[i], 1};
	}
	for (; size >= 2 && arch.range_count < ARRAY_LEN(ranges); size -= 2, data += 2) {
		ranges[arch.range_count++] = (struct filter_range){first, data[1] & 15};
		first += (uint32_t)data[0] << (data[1] >> 4);
	}
	if (filter_emit(&source, &program, &length) < 0)
		return 0;
	check_program(program, length);
	for (size_t i = 0; i < arch.range_count; i++)
		MUST(run_program(program, 7, ranges[i].first) == ranges[i].leaf);
	MUST(run_program(program, 7, UINT32_MAX) == ranges[arch.range_count - 1].leaf);
	MUST(run_program(program, 8, 0) == 15);
	return 0;
}
