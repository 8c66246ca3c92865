/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines, their words separated by NUL: each is understood, or refused once. */
#include "config/command-line.h"

#include "captured.h"
#include "config/check.h"
#include "config/config.h"
#include "config/merge.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *muted;
	static struct captured captured;
	char name[] = "nspawn", *words[66] = {name}, *text = input_text(data, size);
	const struct said_list none = {0};
	struct config config = {0};
	int count = 1, r;

	if (!muted) /* --help and its like */
		muted = freopen("/dev/null", "we", stdout);
	for (size_t i = 0; i < size && count < 65; i += strlen(text + i) + 1)
		words[count++] = text + i;
	capture_start(&captured);
	r = config_from_command_line(&config, count, words);
	if (r == 0)
		r = config_merge(&config, &none);
	if (r == 0)
		r = config_check(&config);
	/* A refusal may have a hint. */
	MUST(r < 0 ? captured.failures == 1 || captured.failures == 2 : captured.failures == 0);
	MUST(r <= 1);
	arena_done(&config.arena);
	free(text);
	return 0;
}
