/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text of strangers: what is printed as it is, and what is spelled out. */
#include "base/escape.h"

#include "base/arena.h"
#include "check.h"

static struct arena arena;

static void check_escaped(const char *text, const char *expected)
{
	CHECK_TEXT(escape_text(&arena, text), expected);
}

static void test_columns(void)
{
	const char *text = "a\xc3\xa4\x1b";
	char piece[ESCAPED_MAX];

	CHECK(escape_next(&text, piece) == 1);
	CHECK_TEXT(piece, "a");
	CHECK(escape_next(&text, piece) == 1);
	CHECK_TEXT(piece, "\xc3\xa4");
	CHECK(escape_next(&text, piece) == 4);
	CHECK_TEXT(piece, "\\x1b");
	CHECK(escape_next(&text, piece) == 0);
}

int main(void)
{
	test_columns();
	check_escaped("", "");
	check_escaped("plain, with \\ and \"", "plain, with \\ and \"");
	check_escaped("\n\r\t\x7f", "\\x0a\\x0d\\x09\\x7f");
	check_escaped("\xe2\x82\xac \xf0\x9f\x90\xa7", "\xe2\x82\xac \xf0\x9f\x90\xa7");
	/* C1 controls, an override of direction, a mark that nobody sees. */
	check_escaped("\xc2\x9b\xe2\x80\xae\xef\xbb\xbf",
		      "\\xc2\\x9b\\xe2\\x80\\xae\\xef\\xbb\\xbf");
	/* Cut short, too long for what it says, a surrogate, past the last character, no start. */
	check_escaped("\xe2\x82", "\\xe2\\x82");
	check_escaped("\xc0\xaf", "\\xc0\\xaf");
	check_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");
	check_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	check_escaped("\x80x\xff", "\\x80x\\xff");
	arena_done(&arena);
	return check_result();
}
