/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digit by digit instead of strtoul(3), which takes blanks, signs and bases that nobody asked for:
 * a user id misread has made somebody root before.
 * Zone: any.
 */
#include "base/numbers.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"

#define USEC_PER_SEC UINT64_C(1000000)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int parse_bool(const char *text, bool *ret)
{
	static const char *const words[][2] = {
		{"0", "1"}, {"no", "yes"}, {"n", "y"}, {"false", "true"}, {"f", "t"}, {"off", "on"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (int value = 0; value < 2; value++)
			if (strcasecmp(text, words[i][value]) == 0) {
				*ret = value;
				return 0;
			}
	return -EINVAL;
}

/* Reads the digits at *text and moves it behind them. */
static int read_digits(const char **text, uint64_t *ret)
{
	const char *c = *text;
	uint64_t value = 0;

	if (!is_digit(*c) || (*c == '0' && is_digit(c[1])))
		return -EINVAL;
	for (; is_digit(*c); c++)
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			return -ERANGE;
	*text = c;
	*ret = value;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value;

	TRY(read_digits(&text, &value));
	if (*text)
		return -EINVAL;
	*ret = value;
	return 0;
}

int parse_u32(const char *text, uint32_t *ret)
{
	uint64_t value;

	TRY(parse_u64(text, &value));
	if (value > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

int parse_uid(const char *text, uint32_t *ret)
{
	uint32_t value;

	TRY(parse_u32(text, &value));
	if (value == UINT32_MAX)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_int(const char *text, int *ret)
{
	bool is_negative = *text == '-';
	uint64_t value;

	TRY(parse_u64(text + (is_negative || *text == '+'), &value));
	if (is_negative && value == 0)
		return -EINVAL;
	if (value > (uint64_t)INT_MAX)
		return -ERANGE;
	*ret = is_negative ? -(int)value : (int)value;
	return 0;
}

int parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "BKMGTPE";
	const char *suffix = NULL;
	uint64_t value;

	TRY(read_digits(&text, &value));
	if (*text) {
		suffix = strchr(suffixes, *text);
		if (!suffix || text[1])
			return -EINVAL;
		if (__builtin_mul_overflow(value, UINT64_C(1) << (10 * (suffix - suffixes)),
					   &value))
			return -ERANGE;
	}
	*ret_bytes = value;
	return 0;
}

static const struct {
	const char *name;
	uint64_t usec;
} span_units[] = {
	{"us", 1},
	{"usec", 1},
	{"ms", 1000},
	{"msec", 1000},
	{"s", USEC_PER_SEC},
	{"sec", USEC_PER_SEC},
	{"second", USEC_PER_SEC},
	{"seconds", USEC_PER_SEC},
	{"m", 60 * USEC_PER_SEC},
	{"min", 60 * USEC_PER_SEC},
	{"minute", 60 * USEC_PER_SEC},
	{"minutes", 60 * USEC_PER_SEC},
	{"h", 3600 * USEC_PER_SEC},
	{"hr", 3600 * USEC_PER_SEC},
	{"hour", 3600 * USEC_PER_SEC},
	{"hours", 3600 * USEC_PER_SEC},
	{"d", 86400 * USEC_PER_SEC},
	{"day", 86400 * USEC_PER_SEC},
	{"days", 86400 * USEC_PER_SEC},
	{"w", 7 * 86400 * USEC_PER_SEC},
	{"week", 7 * 86400 * USEC_PER_SEC},
	{"weeks", 7 * 86400 * USEC_PER_SEC},
	{"M", 2629800 * USEC_PER_SEC}, /* a twelfth of a year of 365.25 days */
	{"month", 2629800 * USEC_PER_SEC},
	{"months", 2629800 * USEC_PER_SEC},
	{"y", 31557600 * USEC_PER_SEC},
	{"year", 31557600 * USEC_PER_SEC},
	{"years", 31557600 * USEC_PER_SEC},
};

/* Reads the unit's name at *text, if there is one, and moves it behind. */
static int read_unit(const char **text, uint64_t *usec)
{
	size_t length = 0;

	while ((((*text)[length] | 0x20) >= 'a') && (((*text)[length] | 0x20) <= 'z'))
		length++;
	if (length == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(span_units); i++)
		if (strlen(span_units[i].name) == length &&
		    strncmp(span_units[i].name, *text, length) == 0) {
			*usec = span_units[i].usec;
			*text += length;
			return 0;
		}
	return -EINVAL;
}

/* Reads ".25" at *text as millionths; digits beyond are checked and dropped. */
static int read_fraction(const char **text, uint64_t *millionths)
{
	uint64_t weight = 100000;

	if (**text != '.')
		return 0;
	if (!is_digit(*++*text))
		return -EINVAL;
	for (; is_digit(**text); ++*text, weight /= 10)
		*millionths += weight * (uint64_t)(**text - '0');
	return 0;
}

int parse_span(const char *text, uint64_t unit_usec, uint64_t *ret_usec)
{
	uint64_t total = 0;

	do {
		uint64_t value, millionths = 0, usec = unit_usec;

		TRY(read_digits(&text, &value));
		TRY(read_fraction(&text, &millionths));
		text += strspn(text, " ");
		TRY(read_unit(&text, &usec));
		text += strspn(text, " ");
		if (__builtin_mul_overflow(value, usec, &value) ||
		    __builtin_add_overflow(total, value, &total) ||
		    __builtin_add_overflow(
			    total, (uint64_t)((unsigned __int128)usec * millionths / 1000000),
			    &total))
			return -ERANGE;
	} while (*text);
	*ret_usec = total;
	return 0;
}

static int parse_realtime_signal(const char *text, int *ret)
{
	bool from_end = strncasecmp(text, "RTMAX", 5) == 0;
	int number = from_end ? SIGRTMAX : SIGRTMIN;
	uint64_t offset = 0;

	if (!from_end && strncasecmp(text, "RTMIN", 5) != 0)
		return -EINVAL;
	text += 5;
	if (*text) {
		if (*text != (from_end ? '-' : '+'))
			return -EINVAL;
		TRY(parse_u64(text + 1, &offset));
	}
	if (offset > (uint64_t)(SIGRTMAX - SIGRTMIN))
		return -ERANGE;
	*ret = from_end ? number - (int)offset : number + (int)offset;
	return 0;
}

int parse_signal(const char *text, int *ret)
{
	uint64_t number;

	if (is_digit(*text)) {
		TRY(parse_u64(text, &number));
		if (number < 1 || number > (uint64_t)SIGRTMAX)
			return -ERANGE;
		*ret = (int)number;
		return 0;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < 32; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(name, text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return parse_realtime_signal(text, ret);
}

const char *signal_name(int number, char buffer[SIGNAL_NAME_MAX])
{
	const char *name = sigabbrev_np(number);

	if (name)
		(void)snprintf(buffer, SIGNAL_NAME_MAX, "SIG%s", name);
	else if (number == SIGRTMIN)
		(void)snprintf(buffer, SIGNAL_NAME_MAX, "SIGRTMIN");
	else if (number > SIGRTMIN && number <= SIGRTMAX)
		(void)snprintf(buffer, SIGNAL_NAME_MAX, "SIGRTMIN+%d", number - SIGRTMIN);
	else
		(void)snprintf(buffer, SIGNAL_NAME_MAX, "%d", number);
	return buffer;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int parse_id128(const char *text, uint8_t ret[16])
{
	bool is_dashed = strlen(text) == 36, is_zero = true;
	uint8_t id[16];

	if (!is_dashed && strlen(text) != 32)
		return -EINVAL;
	for (int i = 0; i < 16; i++) {
		int high, low;

		if (is_dashed && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return -EINVAL;
		high = hex_value(text[0]);
		low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0)
			return -EINVAL;
		id[i] = (uint8_t)(high << 4 | low);
		is_zero = is_zero && id[i] == 0;
		text += 2;
	}
	if (is_zero)
		return -EINVAL;
	memcpy(ret, id, sizeof(id));
	return 0;
}
