/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest wrote, as others read it: the same however it is cut. */
#include "control/log-filter.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static char *filtered(const char *bytes, size_t length, size_t step)
{
	struct log_filter filter = {0};
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	CHECK(file != NULL);
	for (size_t i = 0; i < length; i += step)
		log_filter_print(&filter, bytes + i, length - i < step ? length - i : step, file);
	log_filter_end(&filter, file);
	CHECK(fclose(file) == 0);
	return text;
}

int main(void)
{
	static const struct {
		const char *bytes, *expected;
	} cases[] = {
		{"plain\r\nlines\n", "plain\nlines\n"},
		{"[\033[0;32m  OK  \033[0m] started\n", "[  OK  ] started\n"},
		{"\033]0;title\007text", "text"},
		{"\033]0;title\033\\text", "text"},
		{"\033P1$r\033\\text", "text"},
		{"\033]never ends\nnext line\n", "\nnext line\n"},
		{"\033[12\nnext\n", "\nnext\n"},
		{"a\033cb", "a\\x1bcb"},
		{"\001\b", "\\x01\\x08"},
		{"grüße \xe2\x82\xac \xff", "grüße \xe2\x82\xac \\xff"},
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"},
		{"\tx", "\tx"},
		{"ends \xe2\x82", "ends \\xe2\\x82"},
	};
	static const char nul[] = "a\0b";
	char lone[1000], *text;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step <= 16; step++) {
			text = filtered(cases[i].bytes, strlen(cases[i].bytes), step);
			CHECK_TEXT(text, cases[i].expected);
			free(text);
		}
	text = filtered(nul, 3, 3);
	CHECK_TEXT(text, "a\\x00b");
	free(text);
	memset(lone, 'x', sizeof(lone));
	text = filtered(lone, sizeof(lone), sizeof(lone));
	CHECK(strlen(text) == sizeof(lone));
	free(text);
	return check_result();
}
