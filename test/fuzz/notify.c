/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container's status, for our manager's terminal: no controls, C1 in UTF-8 included. */
#include "run/notify.h"

#include "base/text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bytes = 1 + (size_t)input_byte(&data, &size);
	char *status = input_text(data, size), *text = malloc(bytes);

	MUST(text);
	notify_escape(text, bytes, status);
	MUST(strlen(text) < bytes && !text_has_controls(text));
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		MUST(c[0] != 0xc2 || c[1] < 0x80 || c[1] > 0x9f);
	if (bytes > 4 * strlen(status) + 1) /* no byte becomes more than four */
		MUST(strlen(text) >= strlen(status));
	free(text);
	free(status);
	return 0;
}
