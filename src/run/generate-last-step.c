/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns the program of the last step into a table of bytes, up to what is written into it when it
 * is used. Not part of nspawn: the build runs it.
 * Zone: free.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/last-step.h"

#define MAX_BYTES ((size_t)4 * 1024 * 1024)

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	unsigned char *bytes = malloc(MAX_BYTES), *mark = NULL;
	size_t length = file && bytes ? fread(bytes, 1, MAX_BYTES, file) : 0;

	/* Only that table lies at a page's begin. */
	for (size_t at = 0; at + sizeof(struct last_step) <= length && !mark; at += 4096)
		if (memcmp(bytes + at, LAST_STEP_MARK, sizeof(LAST_STEP_MARK)) == 0)
			mark = bytes + at;
	if (!mark) {
		(void)fprintf(stderr, "Usage: generate-last-step PROGRAM\n");
		return EXIT_FAILURE;
	}
	(void)printf(
		"/* Made by generate-last-step. */\nstatic const unsigned char last_step_program[] = {");
	for (unsigned char *byte = bytes; byte < mark; byte++)
		(void)printf("%s%u,", (byte - bytes) % 24 == 0 ? "\n\t" : "", *byte);
	(void)printf("\n};\n");
	(void)fclose(file);
	free(bytes);
	return fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
