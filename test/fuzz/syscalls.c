/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests for a filter: flags, capabilities, families up to a zero, words to allow and deny. */
#include "confine/syscalls.h"

#include <errno.h>

#include "base/text.h"
#include "fuzz.h"
#include "program-check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {0};
	struct syscall_request request = {0};
	struct syscall_filter filter = {0};
	struct strings allow = {0}, deny = {0}, words = {0};
	int families[256], r;
	uint8_t flags = input_byte(&data, &size), family;

	for (int i = 0; i < 8; i++)
		request.capabilities = request.capabilities << 8 | input_byte(&data, &size);
	while (request.family_count < 256 && (family = input_byte(&data, &size)) != 0)
		families[request.family_count++] = family - 3;
	request.families = families;
	request.family_mode = (enum family_mode)(flags & 3) % 3;
	request.sync_suppressed = flags & 4;
	text_words(&arena, arena_copy_n(&arena, (const char *)data, size), BLANKS, &words);
	for (size_t i = 0; i < words.count; i++)
		strings_add(&arena, *words.items[i] == '~' ? &deny : &allow,
			    words.items[i] + (*words.items[i] == '~'));
	request.allow = (char *const *)allow.items;
	request.deny = (char *const *)deny.items;
	r = syscalls_choose(&request, &filter);
	MUST(r == 0 || r == -EINVAL || r == -E2BIG);
	if (r == 0)
		check_program(filter.program, filter.len);
	syscall_filter_done(&filter);
	return 0;
}
