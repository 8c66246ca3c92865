/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One number has one spelling, and what is no number leaves the output alone. */
#include "base/numbers.h"

#include <inttypes.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = input_text(data, size), printed[SIGNAL_NAME_MAX + 8];
	uint64_t wide = 77, bytes = 77, usec = 77;
	uint32_t narrow = 77, uid = 77;
	int number = 77, again = 0;
	uint8_t id[16];
	bool yes;

	(void)snprintf(printed, sizeof(printed), "%" PRIu64, wide);
	if (parse_u64(text, &wide) == 0)
		(void)snprintf(printed, sizeof(printed), "%" PRIu64, wide);
	MUST(wide == 77 || strcmp(printed, text) == 0);
	MUST(parse_u32(text, &narrow) < 0 ? narrow == 77 : narrow == wide);
	MUST(parse_uid(text, &uid) < 0 ? uid == 77 : uid == wide && uid != UINT32_MAX);
	MUST(parse_int(text, &number) == 0 || number == 77);
	MUST(parse_bytes(text, &bytes) < 0 ? bytes == 77 : bytes >= wide || wide == 77);
	MUST(parse_span(text, 1000000, &usec) == 0 || usec == 77);
	MUST(parse_bool(text, &yes) < 0 || strlen(text) <= 5);
	MUST(parse_id128(text, id) < 0 || size >= 32);
	if (parse_signal(text, &number) == 0)
		MUST(parse_signal(signal_name(number, printed), &again) == 0 && again == number);
	free(text);
	return 0;
}
