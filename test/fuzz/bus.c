/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes from a bus: texts end within the message. */
#include "manager/bus-message.h"
#include "manager/bus-values.h"

#include "fuzz.h"

static void look(const char *text, const uint8_t *data, size_t size)
{
	const uint8_t *at = (const uint8_t *)text;

	MUST(!*text || (at >= data && at + strlen(text) < data + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct bus_message message;
	const char *text;
	int64_t length;

	MUST(copy);
	memcpy(copy, data, size);
	length = bus_message_length(copy, size);
	MUST(length <= (int64_t)(BUS_MESSAGE_MAX * 2 + 32));
	if (length > 0 && (size_t)length <= size &&
	    bus_read_message(copy, (size_t)length, &message) == 0) {
		look(message.path, copy, size);
		look(message.member, copy, size);
		look(message.error, copy, size);
		look(message.signature, copy, size);
		struct bus_reader values = message.body;
		const char *signature = message.signature;

		while (*signature && bus_skip(&values, &signature) == 0)
			MUST(values.position <= values.length);
		while (bus_get_text(&message.body, &text) == 0)
			look(text, copy, size);
	}
	free(copy);
	return 0;
}
