/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzz targets share: an input as text, and a way to say that something must hold.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each target defines, with libFuzzer's name and result: always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(3), in every build; the fuzzer keeps the input of an abort. */
#define MUST(expr) \
	do { \
		if (!(expr)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #expr); \
			abort(); \
		} \
	} while (0)

/* A copy with a NUL behind it and nothing more, so that a sanitizer sees each read beyond. */
static inline char *input_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	MUST(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Takes the first byte off the input; 0 at its end. */
static inline uint8_t input_byte(const uint8_t **data, size_t *size)
{
	if (*size == 0)
		return 0;
	(*size)--;
	return *(*data)++;
}
