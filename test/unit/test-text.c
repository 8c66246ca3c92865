/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking text apart and judging names.
 */
#include "base/text.h"

#include <errno.h>

#include "base/scope.h"
#include "check.h"

static void test_split(struct arena *arena)
{
	struct strings fields = {0};

	CHECK(text_split(arena, "a::b\\:c:d\\\\:\\e:", ':', 0, &fields) == 0 && fields.count == 6);
	CHECK_TEXT(fields.items[0], "a");
	CHECK_TEXT(fields.items[1], "");
	CHECK_TEXT(fields.items[2], "b:c");
	CHECK_TEXT(fields.items[3], "d\\");
	CHECK_TEXT(fields.items[4], "\\e");
	CHECK_TEXT(fields.items[5], "");

	fields = (struct strings){0};
	CHECK(text_split(arena, "", ':', 0, &fields) == 0 && fields.count == 1);
	CHECK_TEXT(fields.items[0], "");

	fields = (struct strings){0};
	CHECK(text_split(arena, "a\\:b:c:d\\:e", ':', 2, &fields) == 0 && fields.count == 2);
	CHECK_TEXT(fields.items[0], "a:b");
	CHECK_TEXT(fields.items[1], "c:d\\:e");

	/* A list that holds something already. */
	CHECK(text_split(arena, "x:y:z", ':', 2, &fields) == 0 && fields.count == 4);
	CHECK_TEXT(fields.items[3], "y:z");
	CHECK(text_split(arena, "a\\", ':', 0, &fields) == -EINVAL);
}

static void test_words(struct arena *arena)
{
	struct strings words = {0};

	text_words(arena, "  one two\t\nthree ", BLANKS, &words);
	CHECK(words.count == 3);
	CHECK_TEXT(words.items[0], "one");
	CHECK_TEXT(words.items[2], "three");
	words = (struct strings){0};
	text_words(arena, ",,", ",", &words);
	CHECK(words.count == 0);
}

/* The words, each in brackets; "!" if it is refused. */
static const char *quoted_words(struct arena *arena, const char *text)
{
	struct strings words = {0};
	char *all = arena_format(arena, "%s", "");

	if (text_quoted_words(arena, text, &words) < 0)
		return "!";
	for (size_t i = 0; i < words.count; i++)
		all = arena_format(arena, "%s[%s]", all, words.items[i]);
	return all;
}

static void test_quoted_words(struct arena *arena)
{
	CHECK_TEXT(quoted_words(arena, ""), "");
	CHECK_TEXT(quoted_words(arena, " \t "), "");
	CHECK_TEXT(quoted_words(arena, " one  two\tthree "), "[one][two][three]");
	CHECK_TEXT(quoted_words(arena, "'one two' \"three four\""), "[one two][three four]");
	CHECK_TEXT(quoted_words(arena, "A='b c'd\"e f\" ''"), "[A=b cde f][]");
	CHECK_TEXT(quoted_words(arena, "'\\n' \"\\n\" \\n a\\ b \\\" \\\\ \\'"),
		   "[\\n][\n][\n][a b][\"][\\][']");
	CHECK_TEXT(quoted_words(arena, "\\x41\\102C \"it's\" '\"'"), "[ABC][it's][\"]");
	CHECK_TEXT(quoted_words(arena, "'"), "!");
	CHECK_TEXT(quoted_words(arena, "a \"b"), "!");
	CHECK_TEXT(quoted_words(arena, "a\\"), "!");
	CHECK_TEXT(quoted_words(arena, "\\q"), "!");
	CHECK_TEXT(quoted_words(arena, "\\x4"), "!");
	CHECK_TEXT(quoted_words(arena, "\\x"), "!");
	CHECK_TEXT(quoted_words(arena, "\\x00"), "!");
	CHECK_TEXT(quoted_words(arena, "\\000"), "!");
	CHECK_TEXT(quoted_words(arena, "\\777"), "!");
}

static void test_utf8(void)
{
	CHECK(text_is_utf8("") && text_is_utf8("plain \t\x7f"));
	CHECK(text_is_utf8("\u00e4\u20ac\U0001f600"));
	CHECK(text_is_utf8("\xf4\x8f\xbf\xbf"));
	CHECK(!text_is_utf8("\x80") && !text_is_utf8("a\xe4") && !text_is_utf8("\xc3("));
	/* Longer than needed, half a pair, beyond the end. */
	CHECK(!text_is_utf8("\xc0\xaf") && !text_is_utf8("\xe0\x80\xaf"));
	CHECK(!text_is_utf8("\xed\xa0\x80") && !text_is_utf8("\xf4\x90\x80\x80"));
	CHECK(!text_is_utf8("\xf8\x88\x80\x80\x80") && !text_is_utf8("\xff"));
	CHECK(!text_is_utf8("\xe2\x82") && !text_is_utf8("\xf0\x9f\x98"));
}

static void test_quote(struct arena *arena)
{
	CHECK_TEXT(text_quote(arena, "plain-1.0/x=y"), "plain-1.0/x=y");
	CHECK_TEXT(text_quote(arena, ""), "''");
	CHECK_TEXT(text_quote(arena, "a b$c"), "'a b$c'");
	CHECK_TEXT(text_quote(arena, "it's"), "'it'\\''s'");
}

static void test_unescape(struct arena *arena)
{
	static const char *const malformed[] = {"\\",    "\\q",   "\\x",  "\\x1",
						"\\xg0", "\\400", "\\12", "a\\x1"};
	size_t length = 0;
	char *text = NULL;

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		CHECK(text_unescape(arena, malformed[i], &text, &length) == -EINVAL && !text);
	CHECK(text_unescape(arena, "a\\n\\t\\\\\\x41\\101\\\"", &text, NULL) == 0);
	CHECK_TEXT(text, "a\n\t\\AA\"");
	CHECK(text_unescape(arena, "a\\x00b\\377", &text, &length) == 0 && length == 4);
	CHECK(memcmp(text, "a\0b\377", 5) == 0);
}

static void test_names(void)
{
	static const char *const hosts[] = {
		"a",    "A1",
		"1",    "a-b",
		"a.b",  "0123456789abcdef0123456789abcdef",
		"a--b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const char *const no_hosts[] = {
		"",     ".",
		"-",    "a.",
		".a",   ".host",
		"-a",   "a-",
		"a..b", "a-.b",
		"a.-b", "a_b",
		"a b",  "a/b",
		"ä",    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const char *const users[] = {"root",  "_apt", "systemd-network", "a.b",
					    "host$", "x@y",  "DOM\\x",          "A1"};
	static const char *const no_users[] = {"",    "1",   "0x1", "1a", "-a",  "+a", ".",
					       "a:b", "a/b", "a b", " a", "a\n", "#1"};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		CHECK(text_is_hostname(hosts[i]));
	for (size_t i = 0; i < ARRAY_LEN(no_hosts); i++)
		CHECK(!text_is_hostname(no_hosts[i]));
	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		CHECK(text_is_user_name(users[i]));
	for (size_t i = 0; i < ARRAY_LEN(no_users); i++)
		CHECK(!text_is_user_name(no_users[i]));
	CHECK(text_is_assignment("A=") && text_is_assignment("_a1=b=c") &&
	      text_is_assignment("A=\n"));
	CHECK(!text_is_assignment("A") && !text_is_assignment("=b") && !text_is_assignment("1=b"));
	CHECK(!text_is_assignment("a-b=c") && !text_is_assignment("a b=c") &&
	      !text_is_assignment(""));
	CHECK(text_has_controls("a\033b") && text_has_controls("\177") &&
	      !text_has_controls("aä b"));
	CHECK(text_has_prefix("abc", "ab") && !text_has_prefix("a", "ab"));
}

int main(void)
{
	auto_arena struct arena arena = {0};

	test_split(&arena);
	test_words(&arena);
	test_quoted_words(&arena);
	test_utf8();
	test_quote(&arena);
	test_unescape(&arena);
	test_names();
	return check_result();
}
