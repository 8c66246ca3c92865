/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers out of text, strictly: the whole text must be the number, and one number has one
 * spelling.
 * Zone: any. Pure, without locale. All return 0, or -EINVAL for a malformed text and
 * -ERANGE for one too large, and leave the output untouched on failure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "1 yes y true t on" and "0 no n false f off" in any case. */
int parse_bool(const char *text, bool *ret);

/* Decimal digits only: no sign, no blanks, no base prefix, no leading zero but "0" itself. */
int parse_u64(const char *text, uint64_t *ret);
int parse_u32(const char *text, uint32_t *ret);

/*
 * As parse_u32(), but 4294967295 is refused: the kernel means "no change" by it (setreuid(2),
 * chown(2)).
 */
int parse_uid(const char *text, uint32_t *ret);

/* As parse_u64() with one optional sign, '-' or '+'. "-0" is refused. */
int parse_int(const char *text, int *ret);

/* Digits and an optional suffix out of B K M G T P E, powers of 1024. */
int parse_bytes(const char *text, uint64_t *ret_bytes);

/*
 * One or more of a number, which may have a fraction, and a unit (us ms s min h d w month y and
 * their long forms, as in systemd.time(7)), with blanks allowed between; a bare number counts
 * 'unit_usec'.
 */
int parse_span(const char *text, uint64_t unit_usec, uint64_t *ret_usec);

/* A name with or without "SIG", in any case, "RTMIN+N", "RTMAX-N", or a number from 1 to 64. */
int parse_signal(const char *text, int *ret);

/* "SIGTERM", "SIGRTMIN+3". Fills 'buffer' and returns it. */
#define SIGNAL_NAME_MAX 24
const char *signal_name(int number, char buffer[SIGNAL_NAME_MAX]);

/* 32 hexadecimal digits, plain or dashed as 8-4-4-4-12; all zero is refused. */
int parse_id128(const char *text, uint8_t ret[16]);
