/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking text apart; the input begins with the separator and the greatest number of fields. */
#include "base/text.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {0};
	char separator = (char)input_byte(&data, &size);
	size_t max = 1 + (size_t)input_byte(&data, &size), length, total = 0;
	char *text = input_text(data, size), *plain;
	struct strings fields = {0}, words = {0};

	if (text_unescape(&arena, text, &plain, &length) == 0)
		MUST(length <= strlen(text) && plain[length] == '\0');
	if (separator && text_split(&arena, text, separator, max, &fields) == 0) {
		MUST(fields.count >= 1 && fields.count <= max);
		for (size_t i = 0; i < fields.count; i++)
			total += strlen(fields.items[i]) + (i > 0);
		MUST(total <= strlen(text));
	}
	text_words(&arena, text, BLANKS, &words);
	for (size_t i = 0; i < words.count; i++)
		MUST(*words.items[i] && strpbrk(words.items[i], BLANKS) == NULL);
	words = (struct strings){0};
	if (text_quoted_words(&arena, text, &words) == 0)
		for (size_t i = 0; i < words.count; i++)
			MUST(strlen(words.items[i]) <= strlen(text));
	(void)text_is_utf8(text);
	MUST(strlen(text_quote(&arena, text)) >= strlen(text));
	MUST(!text_is_hostname(text) || strlen(text) <= HOSTNAME_MAX);
	MUST(!text_is_user_name(text) || !text_has_controls(text));
	free(text);
	return 0;
}
