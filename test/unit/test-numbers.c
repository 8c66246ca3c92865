/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers are read strictly: one spelling each, and failures touch nothing.
 */
#include "base/numbers.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

#include "base/scope.h"
#include "check.h"

static void test_bool(void)
{
	static const char *const on[] = {"1", "yes", "y", "true", "t", "on", "YES", "True", "oN"};
	static const char *const off[] = {"0",   "no", "n",     "false", "f",
					  "off", "NO", "False", "oFF"};
	static const char *const neither[] = {"",     " 1", "1 ",   "2", "00",
					      "yess", "ye", "help", "-1"};
	bool value;

	for (size_t i = 0; i < ARRAY_LEN(on); i++) {
		value = false;
		CHECK(parse_bool(on[i], &value) == 0 && value);
	}
	for (size_t i = 0; i < ARRAY_LEN(off); i++) {
		value = true;
		CHECK(parse_bool(off[i], &value) == 0 && !value);
	}
	for (size_t i = 0; i < ARRAY_LEN(neither); i++) {
		value = true;
		CHECK(parse_bool(neither[i], &value) == -EINVAL && value);
	}
}

static void test_decimals(void)
{
	static const char *const malformed[] = {"",   " ",  "01", "00", "0x1", "1x",  " 1",
						"1 ", "+1", "-1", "1:", ":1",  "1.0", "1e3"};
	uint64_t large = 77;
	uint32_t small = 77;
	int number = 77;

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		CHECK(parse_u64(malformed[i], &large) == -EINVAL && large == 77);
		CHECK(parse_u32(malformed[i], &small) == -EINVAL && small == 77);
		CHECK(parse_uid(malformed[i], &small) == -EINVAL && small == 77);
	}
	CHECK(parse_u64("18446744073709551616", &large) == -ERANGE && large == 77);
	CHECK(parse_u64("18446744073709551615", &large) == 0 && large == UINT64_MAX);
	CHECK(parse_u64("0", &large) == 0 && large == 0);
	CHECK(parse_u32("4294967296", &small) == -ERANGE && small == 77);
	CHECK(parse_uid("4294967295", &small) == -ERANGE && small == 77);
	CHECK(parse_u32("4294967295", &small) == 0 && small == UINT32_MAX);
	CHECK(parse_uid("4294967294", &small) == 0 && small == UINT32_MAX - 1);

	CHECK(parse_int("--1", &number) == -EINVAL && parse_int("+-1", &number) == -EINVAL);
	CHECK(parse_int("-0", &number) == -EINVAL && parse_int("-", &number) == -EINVAL &&
	      number == 77);
	CHECK(parse_int("2147483648", &number) == -ERANGE && number == 77);
	CHECK(parse_int("2147483647", &number) == 0 && number == INT_MAX);
	CHECK(parse_int("-1000", &number) == 0 && number == -1000);
	CHECK(parse_int("+5", &number) == 0 && number == 5);
}

static void test_bytes(void)
{
	static const char *const malformed[] = {"",   "K",   "1k",  "1KB",  "1 K",
						"1Z", "01K", "-1K", "1.5G", "infinity"};
	uint64_t bytes = 77;

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		CHECK(parse_bytes(malformed[i], &bytes) == -EINVAL && bytes == 77);
	CHECK(parse_bytes("16E", &bytes) == -ERANGE && bytes == 77);
	CHECK(parse_bytes("15E", &bytes) == 0 && bytes == UINT64_C(15) << 60);
	CHECK(parse_bytes("512", &bytes) == 0 && bytes == 512);
	CHECK(parse_bytes("512B", &bytes) == 0 && bytes == 512);
	CHECK(parse_bytes("8M", &bytes) == 0 && bytes == 8388608);
}

static void test_spans(void)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} good[] = {
		{"0", 0},
		{"5", 5000000},
		{"5s", 5000000},
		{"5 sec", 5000000},
		{"1.5s", 1500000},
		{"2min 200ms", 120200000},
		{"2min200ms", 120200000},
		{"1h", UINT64_C(3600000000)},
		{"1M", UINT64_C(2629800000000)},
		{"7us", 7},
		{"0.0000019s", 1},
		{"1d ", UINT64_C(86400000000)},
	};
	static const char *const malformed[] = {"",    "s",   "5x",       "5ss",   ".5s", "5.s",
						"-5s", " 5s", "infinity", "5s,5s", "05s"};
	uint64_t usec = 77;

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		CHECK(parse_span(malformed[i], 1000000, &usec) == -EINVAL && usec == 77);
	CHECK(parse_span("18446744073709551615s", 1, &usec) == -ERANGE && usec == 77);
	CHECK(parse_span("18446744073709551615us 1us", 1, &usec) == -ERANGE && usec == 77);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK(parse_span(good[i].text, 1000000, &usec) == 0 && usec == good[i].usec);
	CHECK(parse_span("500", 1, &usec) == 0 && usec == 500);
}

static void test_signals(void)
{
	static const char *const malformed[] = {
		"",       "SIG",     "FOO",      "0",       "65",     "015",  "-15",
		"RTMIN+", "RTMIN-1", "RTMIN+31", "RTMAX+1", "RTMIN3", "TERM "};
	char name[SIGNAL_NAME_MAX];
	int number = 77;

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		CHECK(parse_signal(malformed[i], &number) < 0 && number == 77);
	CHECK(parse_signal("TERM", &number) == 0 && number == SIGTERM);
	CHECK(parse_signal("SIGTERM", &number) == 0 && number == SIGTERM);
	CHECK(parse_signal("sigkill", &number) == 0 && number == SIGKILL);
	CHECK(parse_signal("9", &number) == 0 && number == SIGKILL);
	CHECK(parse_signal("SIGRTMIN+3", &number) == 0 && number == SIGRTMIN + 3);
	CHECK(parse_signal("RTMAX", &number) == 0 && number == SIGRTMAX);
	CHECK(parse_signal("RTMAX-1", &number) == 0 && number == SIGRTMAX - 1);
	CHECK_TEXT(signal_name(SIGRTMIN + 3, name), "SIGRTMIN+3");
	CHECK_TEXT(signal_name(99, name), "99");
	for (int i = 1; i <= SIGRTMAX; i++)
		CHECK((i >= 32 && i < SIGRTMIN) ||
		      (parse_signal(signal_name(i, name), &number) == 0 && number == i));
}

static void test_id128(void)
{
	static const char *const malformed[] = {
		"",
		"00000000000000000000000000000000",
		"00000000-0000-0000-0000-000000000000",
		"0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0",
		"0123456789abcdef0123456789abcdeg",
		"01234567-89ab-cdef-0123456789abcdef01",
		"0123456-789ab-cdef-0123-456789abcdef",
		"01234567-89ab-cdef-0123-456789abcde",
		"0123456789abcdef-0123-4567-89abcdef-",
	};
	uint8_t plain[16] = {0}, dashed[16] = {0};

	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		CHECK(parse_id128(malformed[i], plain) == -EINVAL && plain[15] == 0);
	CHECK(parse_id128("0123456789abcdef0123456789ABCDEF", plain) == 0 && plain[0] == 0x01 &&
	      plain[15] == 0xef);
	CHECK(parse_id128("01234567-89ab-cdef-0123-456789abcdef", dashed) == 0);
	CHECK(memcmp(plain, dashed, sizeof(plain)) == 0);
}

int main(void)
{
	test_bool();
	test_decimals();
	test_bytes();
	test_spans();
	test_signals();
	test_id128();
	return check_result();
}
