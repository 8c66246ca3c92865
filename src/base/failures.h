/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The identifiers of failures, for programs: the sentence of a failure may be said better one day,
 * its identifier stays. nspawn-errors(7) says what each means.
 * Zone: any. Pure.
 */
#pragma once

/* Room for an identifier and its NUL. */
#define FAILURE_IDENTIFIER_MAX 32

/* The number of the failure that is told with this format of fail() or refuse(), 0 if unknown. */
unsigned int failure_find(const char *format);

/* Its identifier; NULL for a number that is none, whoever it is from. */
const char *failure_identifier(unsigned int number);
