/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The whole unit test framework: CHECK counts and names what does not hold, check_result() is
 * main's return value.
 */
#pragma once

#include <stdio.h>
#include <string.h>

static int check_failures;

#define CHECK(expr) \
	do { \
		if (!(expr)) { \
			check_failures++; \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #expr); \
		} \
	} while (0)

#define CHECK_TEXT(got, expected) \
	do { \
		const char *check_got = (got), *check_expected = (expected); \
		if (!check_got || strcmp(check_got, check_expected) != 0) { \
			check_failures++; \
			fprintf(stderr, "%s:%d: '%s' is not '%s'\n", __FILE__, __LINE__, \
				check_got ? check_got : "(null)", check_expected); \
		} \
	} while (0)

static inline int check_result(void)
{
	return check_failures ? 1 : 0;
}
