/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tint below the guest's output: byte by byte, cut at every place, and with random mixtures of
 * sequences.
 */
#include "run/console-tint.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/scope.h"
#include "check.h"
#include "run/console-plan.h"

/* A colour that no input here contains. */
#define COLOUR "48;2;1;2;3"
#define TINT "\033[" COLOUR "m"
#define FRESH TINT "\033[J"

/* Of the longest input here. */
#define OUTPUT_MAX (4096 * (1 + TINT_SEQUENCE_MAX))

struct row {
	const char *input, *expected;
};

static const struct row rows[] = {
	{"plain text\r\n", "plain text\r\n"},
	{"", ""},
	{"\303\244\342\202\254 \377\200", "\303\244\342\202\254 \377\200"},

	/* Back to the default background, in all its spellings. */
	{"a\033[mb", "a\033[m" TINT "b"},
	{"\033[0m", "\033[0m" TINT},
	{"\033[00m", "\033[00m" TINT},
	{"\033[1;0m", "\033[1;0m" TINT},
	{"\033[0;1;31m", "\033[0;1;31m" TINT},
	{"\033[;1m", "\033[;1m" TINT},
	{"\033[1;m", "\033[1;m" TINT},
	{"\033[49m", "\033[49m" TINT},
	{"\033[39;49m", "\033[39;49m" TINT},
	{"\033[7;049m", "\033[7;049m" TINT},
	{"\033[41;49m", "\033[41;49m" TINT},
	{"\033[48;5;7;0m", "\033[48;5;7;0m" TINT},
	{"\033[m\033[m", "\033[m" TINT "\033[m" TINT},
	{"\033(B\033[m", "\033(B\033[m" TINT},
	{"\033[0;48;5m", "\033[0;48;5m" TINT}, /* no colour came of it */

	/* The guest's own background counts. */
	{"\033[41m", "\033[41m"},
	{"\033[0;41m", "\033[0;41m"},
	{"\033[49;107m", "\033[49;107m"},
	{"\033[0;48;5;0m", "\033[0;48;5;0m"},
	{"\033[0;48;2;0;0;0m", "\033[0;48;2;0;0;0m"},
	{"\033[0;48:2::0:0:0m", "\033[0;48:2::0:0:0m"},

	/* Zeroes and forty-nines that are no reset. */
	{"\033[1;31m\033[10m\033[4m", "\033[1;31m\033[10m\033[4m"},
	{"\033[38;5;0m", "\033[38;5;0m"},
	{"\033[38;5;49m", "\033[38;5;49m"},
	{"\033[38;2;0;49;0m", "\033[38;2;0;49;0m"},
	{"\033[58;5;0m", "\033[58;5;0m"},
	{"\033[38:5:0m", "\033[38:5:0m"},
	{"\033[4:0m", "\033[4:0m"},
	{"\033[0:1m", "\033[0:1m"},
	{"\033[490m\033[4294967296m", "\033[490m\033[4294967296m"},
	{"\033[38;5;49;0m", "\033[38;5;49;0m" TINT},

	/* Other sequences with the same letters. */
	{"\033[0J\033[0K\033[0n\033[H", "\033[0J\033[0K\033[0n\033[H"},
	{"\033[>4;0m\033[?4m\033[0 m\033[=0m", "\033[>4;0m\033[?4m\033[0 m\033[=0m"},
	{"\033[?1$p\033[p\033[0p", "\033[?1$p\033[p\033[0p"},
	{"\033(c\033#8\033 F\0337\0338\033m", "\033(c\033#8\033 F\0337\0338\033m"},

	/* Resets of the terminal. */
	{"\033c", "\033c" FRESH},
	{"x\033[!py", "x\033[!p" TINT "y"},
	{"\033[61\"p", "\033[61\"p" TINT},

	/* What interrupts a sequence, and what does not. */
	{"\033[0\nm", "\033[0\nm" TINT},
	{"\033[0\030m", "\033[0\030m"},
	{"\033[0\032m", "\033[0\032m"},
	{"\033[0\033[1m", "\033[0\033[1m"},
	{"\033[4\033[0m", "\033[4\033[0m" TINT},
	{"\033\033[0m", "\033\033[0m" TINT},
	{"\033\r[0m", "\033\r[0m" TINT},
	{"\033[0\303\244m", "\033[0\303\244m"},

	/* Nothing goes into a string. */
	{"\033]0;a title\007\033[m", "\033]0;a title\007\033[m" TINT},
	{"\033]0;a title\033\\\033[m", "\033]0;a title\033\\\033[m" TINT},
	{"\033]0;\033[0m\033[49m\033c", "\033]0;\033[0m\033[49m\033c"},
	{"\033Ptmux;\033\033[0m\033\033\\\033\033c\033\\\033[m",
	 "\033Ptmux;\033\033[0m\033\033\\\033\033c\033\\\033[m" TINT},
	{"\033P0m\007\033[0m\033\\", "\033P0m\007\033[0m\033\\"},
	{"\033_0m\033\\\033^c\033\\\033Xc\033\\c", "\033_0m\033\\\033^c\033\\\033Xc\033\\c"},
	{"\033]2;cut\030\033[m", "\033]2;cut\030\033[m" TINT},
	{"\033]\007\033[m", "\033]\007\033[m" TINT},

	/* The Linux console's strings without an end. */
	{"\033]R\033[m", "\033]R\033[m" TINT},
	{"\033]P0000000\033[m", "\033]P0000000\033[m" TINT},
	{"\033]P00\033[m", "\033]P00\033[m" TINT},
	{"\033]P\007\007\007\007\007\007\007\033[m",
	 "\033]P\007\007\007\007\007\007\007\033[m" TINT},
};

/* Feeds 'input' in the pieces that 'cut' says, 0 ends them: the rest comes as one. */
static size_t feed(const char *input, size_t length, const size_t *cut, char *ret)
{
	struct console_tint tint = {.colour = COLOUR};
	size_t done = 0, written = 0;

	for (; done < length && *cut; cut++) {
		size_t piece = *cut < length - done ? *cut : length - done;

		written += console_tint_feed(&tint, input + done, piece, ret + written);
		done += piece;
	}
	return written + console_tint_feed(&tint, input + done, length - done, ret + written);
}

static void check_row(const struct row *row, const size_t *cut)
{
	size_t length = strlen(row->input), expected = strlen(row->expected), got;
	static char output[OUTPUT_MAX];

	got = feed(row->input, length, cut, output);
	if (got != expected || memcmp(output, row->expected, got) != 0) {
		check_failures++;
		(void)fprintf(stderr, "row %td cut at %zu: %.*s\n", row - rows, *cut, (int)got,
			      output);
	}
}

static void test_rows(void)
{
	static const size_t single[64] = {[0 ... 62] = 1};

	for (const struct row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		for (size_t first = 0; first <= strlen(row->input); first++)
			for (size_t second = 0; second <= strlen(row->input) - first; second++)
				check_row(row, (size_t[]){first, second, 0});
		check_row(row, single);
	}
}

/* Pieces of which random input is made; the first so many are whole sequences. */
static const char *const pieces[] = {
	"text",
	"\r\n",
	"\303\244",
	"\033[m",
	"\033[0m",
	"\033[1;31m",
	"\033[44m",
	"\033[0;45m",
	"\033[49m",
	"\033[38;5;0m",
	"\033[0;48;5;0m",
	"\033[48;2;0;0;49m",
	"\033[38:2::0:0:0m",
	"\033[J",
	"\033[2K",
	"\033[!p",
	"\033c",
	"\033]0;title\007",
	"\033]0;0m\033\\",
	"\033Pq\033\033[0m\033\\",
	"\0337",
	"\033(B",
	"\033[?1049h",
	/* and torn ones */
	"\033",
	"[",
	"]",
	"P",
	"\\",
	"0",
	";",
	":",
	"m",
	"p",
	"!",
	"c",
	"\030",
	"\007",
	"\377",
	"48",
	"49",
};

#define WHOLE_PIECES 23

static uint32_t state = 1;

static uint32_t random_below(uint32_t limit)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % limit;
}

static size_t make_input(uint32_t kinds, char *ret)
{
	size_t length = 0;

	for (uint32_t n = random_below(60); n > 0; n--) {
		const char *piece = pieces[random_below(kinds)];

		memcpy(ret + length, piece, strlen(piece));
		length += strlen(piece);
	}
	return length;
}

/* Takes out what was inserted; the input has no such thing. */
static size_t strip(char *text, size_t length)
{
	size_t tint = strlen(TINT), fresh = strlen(FRESH), kept = 0;

	for (size_t i = 0; i < length;) {
		if (length - i >= tint && memcmp(text + i, TINT, tint) == 0)
			i += kept > 0 && text[kept - 1] == 'c' ? fresh : tint;
		else
			text[kept++] = text[i++];
	}
	return kept;
}

/* Whatever the input, however cut: its bytes come out in their order, and cuts change nothing. */
static void test_nothing_is_lost(void)
{
	static char input[4096], whole[OUTPUT_MAX], cut[OUTPUT_MAX];

	for (int round = 0; round < 20000; round++) {
		size_t length = make_input(ARRAY_LEN(pieces), input), pieces_of[64] = {0}, got;

		for (size_t i = 0; i < ARRAY_LEN(pieces_of) - 1; i++)
			pieces_of[i] = 1 + random_below(9);
		got = feed(input, length, (size_t[]){0}, whole);
		CHECK(feed(input, length, pieces_of, cut) == got && memcmp(whole, cut, got) == 0);
		CHECK(strip(whole, got) == length && memcmp(whole, input, length) == 0);
		if (check_failures)
			return;
	}
}

/* What the background is after the parameters of one SGR, as a terminal would see it. */
static bool is_coloured_after(const char *parameters, size_t length, bool is_coloured)
{
	char text[64], *rest = text, *word;
	unsigned int skip = 0;

	(void)snprintf(text, sizeof(text), "%.*s", (int)length, parameters);
	while ((word = strsep(&rest, ";"))) {
		unsigned long n = strtoul(word, NULL, 10);

		if (skip > 0) {
			skip--;
			continue;
		}
		if ((n == 38 || n == 48) && rest)
			skip = rest[0] == '2' ? 4 : 2;
		if (n == 0 || n == 49)
			is_coloured = false;
		if (n >= 40 && n <= 48)
			is_coloured = true;
	}
	return is_coloured;
}

/* A terminal that knows colours of the background: text must never be without one. */
static void check_always_coloured(const char *text, size_t length)
{
	bool is_coloured = false;

	for (size_t i = 0; i < length;) {
		const char *at = text + i;
		size_t size;

		if (*at != '\033') {
			CHECK(is_coloured);
			i++;
		} else if (at[1] == '[') {
			size = 2 + strspn(at + 2, "0123456789;:?!");
			if (at[size] == 'm')
				is_coloured = is_coloured_after(at + 2, size - 2, is_coloured);
			else if (at[size] == 'p')
				is_coloured = false;
			i += size + 1;
		} else if (at[1] == ']' || at[1] == 'P') {
			for (size = 2; at[size] != '\007' && at[size - 1] != '\\'; size++)
				;
			i += at[size] == '\007' ? size + 1 : size;
		} else {
			is_coloured = is_coloured && at[1] != 'c';
			i += at[1] == '(' ? 3 : 2;
		}
	}
}

static void test_text_is_always_coloured(void)
{
	static char input[4096], output[OUTPUT_MAX + TINT_SEQUENCE_MAX];

	for (int round = 0; round < 20000 && !check_failures; round++) {
		struct console_tint tint = {.colour = COLOUR};
		size_t length = make_input(WHOLE_PIECES, input),
		       used = console_tint_begin(&tint, output);

		used += console_tint_feed(&tint, input, length, output + used);
		output[used] = '\0';
		check_always_coloured(output, used);
	}
}

static void test_room(void)
{
	static const char longest[] = "48;2;255;255;255";
	static const char *const dense[] = {"\033c", "\033[m"};

	CHECK(console_tint_input_max(0) == 0 && console_tint_input_max(TINT_SEQUENCE_MAX) == 0);
	for (size_t room = 64; room <= 16384; room *= 2)
		for (size_t start = 0; start < 3; start++)
			for (size_t d = 0; d < ARRAY_LEN(dense); d++) {
				struct console_tint tint = {.colour = longest};
				char input[16384], output[2 * 16384];
				size_t max = console_tint_input_max(room);

				for (size_t i = 0; i < max; i++)
					input[i] = dense[d][(i + start) % strlen(dense[d])];
				(void)console_tint_feed(&tint, dense[d], start, output);
				CHECK(max > 0);
				CHECK(console_tint_feed(&tint, input, max, output) <= room);
			}
}

static void check_end(const char *before, bool is_cut, const char *expected)
{
	struct console_tint tint = {.colour = "44"};
	char output[256], end[TINT_SEQUENCE_MAX];

	(void)console_tint_feed(&tint, before, strlen(before), output);
	CHECK(console_tint_end(&tint, is_cut, end) == strlen(expected));
	CHECK_TEXT(end, expected);
}

static void test_begin_and_end(void)
{
	struct console_tint tint = {.colour = "48;2;255;255;255"};
	char output[TINT_SEQUENCE_MAX];

	CHECK(console_tint_begin(&tint, output) < TINT_SEQUENCE_MAX);
	CHECK_TEXT(output, "\033[48;2;255;255;255m\033[J");
	CHECK(console_tint_again(&tint, output) < TINT_SEQUENCE_MAX);
	CHECK_TEXT(output, "\033[48;2;255;255;255m");
	check_end("text\033[1m", false, "\033[0m\033[J");
	check_end("text", true, "\030\033\\\033[0m\033[J");
	/* A guest that dies in the middle of a sequence leaves it open: ours must not be lost in
	 * it. */
	check_end("\033[3", false, "\030\033\\\033[0m\033[J");
	check_end("\033", false, "\030\033\\\033[0m\033[J");
	check_end("\033]0;title", false, "\030\033\\\033[0m\033[J");
}

static const char *decide(const char *colour, enum console_mode mode, const bool is_terminal[3],
			  bool is_dumb, bool is_wanted)
{
	struct console_plan plan;

	console_decide(mode, is_terminal, is_dumb, &plan);
	console_decide_tint(colour, is_terminal, is_wanted, &plan);
	return plan.tint;
}

static void test_decide(void)
{
	static const bool all[3] = {true, true, true}, input_only[3] = {true, false, false},
			  output_only[3] = {false, true, false};

	CHECK_TEXT(decide("44", CONSOLE_DEFAULT, all, false, true), "44");
	CHECK_TEXT(decide("44", CONSOLE_AUTOPIPE, all, false, true), "44");
	CHECK_TEXT(decide("44", CONSOLE_INTERACTIVE, output_only, false, true), "44");
	CHECK(!decide(NULL, CONSOLE_DEFAULT, all, false, true));
	CHECK(!decide("44", CONSOLE_DEFAULT, all, true, true));
	CHECK(!decide("44", CONSOLE_DEFAULT, all, false, false));
	CHECK(!decide("44", CONSOLE_DEFAULT, output_only, false, true));
	CHECK(!decide("44", CONSOLE_INTERACTIVE, input_only, false, true));
	CHECK(!decide("44", CONSOLE_READ_ONLY, all, false, true));
	CHECK(!decide("44", CONSOLE_PASSIVE, all, false, true));
	CHECK(!decide("44", CONSOLE_PIPE, all, false, true));
}

int main(void)
{
	test_rows();
	test_nothing_is_lost();
	test_text_is_always_coloured();
	test_room();
	test_begin_and_end();
	test_decide();
	return check_result();
}
